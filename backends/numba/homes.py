"""Which values are made in their place in a concatenation, so that nothing is copied.

A value has one home. Of the concatenations that want it the largest gets it; the
others find it side by side with its neighbours there, or copy it.
"""

from __future__ import annotations

import math
from typing import Any

from ...ir.graph import Graph

__all__ = ["homes"]


def homes(graph: Graph) -> dict[str, tuple[str, int]]:
    """The concatenation in which a value is made, and the elements in front of it.

    A concatenation that is itself a part of a larger one is not named: its parts have
    their home in the larger one. Inputs, constants and results have a place already,
    and a part that is not contiguous is no home.

    >>> from anabranch.ir import parse
    >>> homes(parse('''
    ...     graph f(%x: f64[3]) {
    ...       %a = exp(%x)                          : f64[3]
    ...       %b = concatenate(%x, %a) {axis=0}     : f64[6]
    ...       %c = concatenate(%b, %b) {axis=0}     : f64[12]
    ...       return %c
    ...     }'''))
    {'b': ('c', 0), 'a': ('c', 3)}
    """
    joined = [node for node in graph if node.op == "concatenate"]
    taken = {*graph.results, *(node.name for node in graph.inputs)}
    found: dict[str, tuple[str, int]] = {}
    for node in sorted(joined, key=lambda node: -math.prod(node.type.sizes)):
        axis: Any = node.attrs["axis"]
        if math.prod(node.type.sizes[:axis]) != 1:
            continue
        whole, start = found.get(node.name, (node.name, 0))
        for part in graph.operands(node):
            size = math.prod(part.type.sizes)
            while part.op == "reshape":
                part = graph[part.operands[0]]
            if size and part.op != "const" and part.name not in taken:
                taken.add(part.name)
                found[part.name] = whole, start
            start += size
    return found
