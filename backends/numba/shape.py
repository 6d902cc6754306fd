"""Ops that move elements: other indices of the same array, and copies of parts.

A reshape that does more than add or drop axes of size 1 is NumPy's, of an array. Only
``pad`` and ``concatenate`` make new arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from ...ir.graph import Node
from .access import Access, Term
from .printer import Printer, prints
from .scalars import literal

__all__ = ["in_windows", "places"]

Ints = tuple[int, ...]


def places(start: Sequence[int], step: Sequence[int]) -> list[Term]:
    """The places ``start + step * i`` along each axis."""
    pairs = enumerate(zip(start, step, strict=True))
    return [Term(first, ((axis, by),)) for axis, (first, by) in pairs]


def in_windows(rank: int, stride: Sequence[int]) -> list[Term]:
    """The places of ``[..., *places, *window]`` in ``[..., *space]`` of that rank."""
    lead, count = rank - len(stride), len(stride)
    terms = [Term(0, ((axis, 1),)) for axis in range(lead)]
    for axis, by in enumerate(stride, lead):
        terms.append(Term(0, ((axis, by), (axis + count, 1))))
    return terms


@prints("reshape")
def _reshape(p: Printer, node: Node, x: Access, *, shape: Ints) -> Access:
    [old] = p.types(node)
    if not x.terms:
        return x
    long = [axis for axis, size in enumerate(shape) if size != 1]
    if [size for size in old.shape if size != 1] == [shape[axis] for axis in long]:
        rest = iter(long)
        return x.moved(
            [Term(0, ((next(rest), 1),)) if n != 1 else Term(0) for n in old.shape]
        )
    return p.reshaped(node, x)


@prints("transpose")
def _transpose(p: Printer, node: Node, x: Access, *, perm: Ints) -> Access:
    return x.moved([Term(0, ((perm.index(a), 1),)) for a in sorted(perm)])


@prints("broadcast_to")
def _broadcast_to(p: Printer, node: Node, x: Access, *, shape: Ints) -> Access:
    [old] = p.types(node)
    extra = len(shape) - old.rank
    return x.moved(
        [
            Term(0) if size == 1 else Term(0, ((axis, 1),))
            for axis, size in enumerate(old.shape, extra)
        ]
    )


@prints("slice")
def _slice(
    p: Printer, node: Node, x: Access, *, start: Ints, shape: Ints, step: Ints
) -> Access:
    return x.moved(places(start, step))


@prints("windows")
def _windows(p: Printer, node: Node, x: Access, *, size: Ints, stride: Ints) -> Access:
    [old] = p.types(node)
    return x.moved(in_windows(old.rank, stride))


@prints("pad")
def _pad(
    p: Printer,
    node: Node,
    x: Access,
    *,
    low: Ints,
    high: Ints,
    interior: Ints,
    value: bool | int | float,
) -> Access:
    [old] = p.types(node)
    made = p.new(p.name(node), node.type, literal(value, node.type.dtype))
    target = made.moved(places(low, [gap + 1 for gap in interior]))
    with p.lines.loops(old.shape) as point:
        p.store(target, point, x.at(point))
    return made


@prints("concatenate")
def _concatenate(p: Printer, node: Node, *parts: Access, axis: int) -> Access:
    types = p.types(node)
    made = p.new(p.name(node), node.type)
    starts = accumulate((type_.shape[axis] for type_ in types), initial=0)
    for part, type_, first in zip(parts, types, starts, strict=False):
        start = [0] * type_.rank
        start[axis] = first
        target = made.moved(places(start, [1] * type_.rank))
        with p.lines.loops(type_.shape) as point:
            p.store(target, point, part.at(point))
    return made
