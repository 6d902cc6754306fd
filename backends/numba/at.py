"""Slices at positions that are known only when running: indices with variables."""

from __future__ import annotations

from collections.abc import Sequence

from ...ir.graph import Node
from .access import Access, Term
from .printer import Printer, prints
from .scalars import combined
from .shape import places

__all__: list[str] = []

Ints = tuple[int, ...]


def _moving(
    p: Printer, positions: Sequence[Access], axes: Ints, start: Ints, step: Ints
) -> list[Term]:
    """The places of a slice along each axis, with a variable for each position."""
    terms = places(start, step)
    for axis, position in zip(axes, positions, strict=True):
        name = p.lines.names.new("at")
        p.lines.add(f"{name} = {position.at(())}")
        terms[axis] = terms[axis]._replace(positions=((name, 1),))
    return terms


@prints("slice_at")
def _slice_at(
    p: Printer,
    node: Node,
    x: Access,
    *positions: Access,
    axes: Ints,
    start: Ints,
    shape: Ints,
    step: Ints,
) -> Access:
    return x.moved(_moving(p, positions, axes, start, step))


@prints("update_at")
def _update_at(
    p: Printer,
    node: Node,
    x: Access,
    value: Access,
    *positions: Access,
    axes: Ints,
    start: Ints,
    step: Ints,
) -> Access:
    made = p.copy(p.name(node), x, node.type)
    target = made.moved(_moving(p, positions, axes, start, step))
    with p.lines.loops(p.types(node)[1].shape) as point:
        p.store(target, point, value.at(point))
    return made


@prints("add_at")
def _add_at(
    p: Printer,
    node: Node,
    x: Access,
    value: Access,
    *positions: Access,
    axes: Ints,
    start: Ints,
    step: Ints,
) -> Access:
    made = p.copy(p.name(node), x, node.type)
    target = made.moved(_moving(p, positions, axes, start, step))
    with p.lines.loops(p.types(node)[1].shape) as point:
        total = target.at(point)
        p.lines.add(combined("reduce_sum", total, value.at(point), node.type.dtype))
    return made
