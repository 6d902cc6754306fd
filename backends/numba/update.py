"""Stores: a copy of the array, and in it what is stored."""

from __future__ import annotations

from ...ir.graph import Node
from .access import Access
from .printer import Printer, prints
from .shape import places

__all__: list[str] = []

Ints = tuple[int, ...]


@prints("update")
def _update(
    p: Printer, node: Node, x: Access, value: Access, *, start: Ints, step: Ints
) -> Access:
    made = p.copy(p.name(node), x, node.type)
    target = made.moved(places(start, step)) if start else made
    with p.lines.loops(p.types(node)[1].shape) as point:
        p.store(target, point, value.at(point))
    return made


@prints("put")
def _put(
    p: Printer, node: Node, x: Access, value: Access, i: Access, *, axis: int
) -> Access:
    _, stored, positions = p.types(node)
    made = p.copy(p.name(node), x, node.type)
    with p.lines.loops(stored.shape) as point:
        end = axis + positions.rank
        where = i.at(point[axis:end])
        p.store(made, [*point[:axis], where, *point[end:]], value.at(point))
    return made
