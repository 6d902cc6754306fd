"""Which values are made in their place in a concatenation, so that nothing is copied.

A value has one home. Of the concatenations that want it the largest gets it; the
others find it side by side with its neighbours there, or copy it.
"""

from __future__ import annotations

import math
from typing import Any

from ...ir.graph import Graph
from .view import View, row_strides

__all__ = ["homes"]


def homes(graph: Graph) -> dict[str, tuple[str, View]]:
    """The concatenation in which a value is made, and the value's view of it.

    A concatenation that is itself a part of a larger one is not named: its parts have
    their home in the larger one. Inputs, constants and results have a place already. A
    part with gaps between its rows is a home for what loop nests and concatenations
    write; others write contiguous memory.

    >>> from anabranch.ir import parse
    >>> found = homes(parse('''
    ...     graph f(%x: f64[3]) {
    ...       %a = exp(%x)                          : f64[3]
    ...       %b = concatenate(%x, %a) {axis=0}     : f64[6]
    ...       %c = concatenate(%b, %b) {axis=0}     : f64[12]
    ...       return %c
    ...     }'''))
    >>> {name: (whole, view.offset) for name, (whole, view) in found.items()}
    {'b': ('c', 0), 'a': ('c', 24)}
    """
    joined = [node for node in graph if node.op == "concatenate"]
    taken = {*graph.results, *(node.name for node in graph.inputs)}
    found: dict[str, tuple[str, View]] = {}
    for node in sorted(joined, key=lambda node: -math.prod(node.type.sizes)):
        axis: Any = node.attrs["axis"]
        whole, view = found.get(
            node.name, (node.name, View(0, 0, node.type, row_strides(node.type.sizes)))
        )
        start = 0
        for part in graph.operands(node):
            sizes = part.type.sizes
            home = view.moved(sizes, view.strides, start * view.strides[axis])
            start += sizes[axis]
            if home.is_contiguous:
                while part.op == "reshape":
                    part = graph[part.operands[0]]
                home = home.reshaped(part.type.sizes)
            elif part.kernel is None and part.op != "concatenate":
                continue
            if 0 not in sizes and part.op != "const" and part.name not in taken:
                taken.add(part.name)
                found[part.name] = whole, home
    return found
