"""Stores: a copy of the array, and in it what is stored."""

from __future__ import annotations

from typing import Any

from ...ir.graph import Node
from .access import Access
from .printer import Printer, prints
from .shape import places

__all__: list[str] = []


@prints("update")
def _update(p: Printer, node: Node) -> Access:
    start: Any = node.attrs["start"]
    step: Any = node.attrs["step"]
    made = p.copy(p.name(node), p.operand(node), node.type)
    target = made.moved(places(start, step)) if start else made
    with p.lines.loops(p.types(node)[1].shape) as point:
        p.store(target, point, p.operand(node, 1).at(point))
    return made


@prints("put")
def _put(p: Printer, node: Node) -> Access:
    axis: Any = node.attrs["axis"]
    _, stored, positions = p.types(node)
    made = p.copy(p.name(node), p.operand(node), node.type)
    with p.lines.loops(stored.shape) as point:
        end = axis + positions.rank
        where = p.operand(node, 2).at(point[axis:end])
        p.store(
            made, [*point[:axis], where, *point[end:]], p.operand(node, 1).at(point)
        )
    return made
