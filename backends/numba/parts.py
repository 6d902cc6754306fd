"""A long function as several: what Numba and LLVM take grows faster than its length.

A function is cut between units. A part takes what it reads of earlier ones, and returns
what later ones read of it.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from itertools import pairwise
from typing import TypeAlias

from ...ir.graph import Node
from .lines import Lines

__all__ = ["in_parts"]

LENGTH = 250  # of the lines of a part, at least

Function: TypeAlias = "tuple[str, list[str], list[Node | None]]"


def in_parts(
    name: str, parameters: Sequence[str], lines: Lines, end: str
) -> list[Function]:
    """A function of these lines and ``end``, behind the parts that it calls.

    Each is its head, its lines, and the node of each line.
    """
    cuts = [0]
    for place in lines.units:
        if place >= cuts[-1] + LENGTH and len(lines.texts) >= place + LENGTH:
            cuts.append(place)
    head = f"def {name}({', '.join(parameters)}):"
    if len(cuts) == 1:
        return [(head, [*lines.texts, end], [*lines.nodes, None])]
    spans = [slice(*ends) for ends in pairwise([*cuts, len(lines.texts)])]
    names = [_names(lines.texts[span]) for span in spans]
    reads = [read for _, read in names] + [_names([end])[1]]
    known = dict.fromkeys(parameters)
    made: list[Function] = []
    calls: list[str] = []
    for number, (span, (bound, read)) in enumerate(zip(spans, names, strict=True), 1):
        later = set[str]().union(*reads[number:])
        taken = ", ".join(one for one in known if one in read)
        given = ", ".join(one for one in bound if one in later)
        known.update(dict.fromkeys(bound))
        call = f"_{name}_{number}({taken})"
        texts, nodes = lines.texts[span], lines.nodes[span]
        made.append((f"def {call}:", [*texts, f"    return {given}"], [*nodes, None]))
        calls.append(f"    {given} = {call}" if given else f"    {call}")
    made.append((head, [*calls, end], [None] * (len(calls) + 1)))
    return made


def _names(lines: Sequence[str]) -> tuple[list[str], set[str]]:
    """The variables that lines of a function bind, and those that they read.

    Counters of loops are not among them, which nothing reads behind the loop.
    """
    tree = ast.parse("\n".join(["def f():", *lines]))
    bound: dict[str, None] = {}
    read: set[str] = set()
    counters: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.For(target=ast.Name(id=name)):
                counters.add(name)
            case ast.AugAssign(target=ast.Name(id=name)):
                read.add(name)
            case ast.Name(id=name, ctx=ast.Store()):
                bound[name] = None
            case ast.Name(id=name):
                read.add(name)
            case _:
                pass
    return [name for name in bound if name not in counters], read - counters
