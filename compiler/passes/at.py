"""Places of slices and stores that are moved: written alike, compared, summed.

A place is the positions, and the slice that they move. Positions are written without
constants, which are a part of the slice's start, so places that differ by constants
are seen to be apart.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ...ir.builder import Builder
from ...ir.extent import Extent
from ...ir.graph import Node
from ...ir.ops.at import AT, STORES
from .rewrite import instead

__all__ = ["Place", "add_up", "added", "place_of", "settle", "skipped"]

MAX_CONSTANT = 2**31  # what is added to a position that is inside wraps nowhere
MAX_SKIPPED = 8


class Place(NamedTuple):
    """What a slice or a store is of: the position along each axis, None for none."""

    positions: tuple[str | None, ...]
    extent: Extent

    def is_apart(self, other: Place) -> bool:
        """Whether no element is in both, as far as is plain to see."""
        if 0 in self.extent.shape or 0 in other.extent.shape:
            return True
        along = zip(*self.extent, strict=True), zip(*other.extent, strict=True)
        rows = zip(self.positions, other.positions, *along, strict=True)
        return any(
            one == two and not _axis(a).overlaps(_axis(b)) for one, two, a, b in rows
        )


def _axis(place: tuple[int, int, int]) -> Extent:
    start, count, step = place
    return Extent((start,), (count,), (step,))


def place_of(b: Builder, node: Node) -> Place | None:
    """The place of a slice or of a store of one; None for other ops."""
    if node.op not in ("slice", "update", *AT):
        return None
    attrs: Any = node.attrs
    slots, axes = AT.get(node.op, 0), attrs.get("axes", ())
    shape = attrs.get("shape")
    if shape is None:
        shape = b[node.operands[1]].type.shape
    along: dict[int, str] = dict(zip(axes, node.operands[slots:], strict=False))
    rank = range(len(shape))
    positions = tuple(along.get(axis) for axis in rank)
    return Place(positions, Extent(attrs["start"], shape, attrs["step"]))


def settle(b: Builder, n: Node, *operands: Node) -> Node | None:
    """``x[i + 1]`` is a slice that starts at 1, moved by i; without positions, none."""
    slot = AT[n.op]
    attrs: Any = n.attrs
    start = list(attrs["start"])
    axes: list[int] = []
    positions: list[Node] = []
    for axis, operand in zip(attrs["axes"], operands[slot:], strict=True):
        node, shift = _without_constants(b, operand)
        start[axis] += shift
        if node is not None:
            axes.append(axis)
            positions.append(node)
    if positions == list(operands[slot:]):
        return None
    where = {**attrs, "start": tuple(start)}
    if axes:
        where["axes"] = tuple(axes)
        return b.append(instead(n, n.op, *operands[:slot], *positions, **where))
    del where["axes"]
    x, *values = operands[:slot]
    if n.op == "slice_at":
        return b.append(instead(n, "slice", x, **where))
    (v,) = values
    if n.op == "add_at":
        v = b.add(b.slice(x, shape=v.type.shape, **where), v)
    return b.append(instead(n, "update", x, v, **where))


def _without_constants(b: Builder, node: Node) -> tuple[Node | None, int]:
    """A position as another one, or none, and a constant."""
    shift = 0
    while True:
        if node.op == "const":
            return None, shift + int(str(node.attrs["value"]))
        if node.op not in ("add", "sub"):
            return node, shift
        one, other = (b[name] for name in node.operands)
        by, rest = b.literal(other), one
        sign = 1 if node.op == "add" else -1
        if by is None and node.op == "add":
            by, rest = b.literal(one), other
        if by is None or abs(by) > MAX_CONSTANT:
            return node, shift
        node, shift = rest, shift + sign * int(by)


def skipped(b: Builder, place: Place, x: Node) -> Node:
    """The version of ``x`` before the stores that are elsewhere."""
    for _ in range(MAX_SKIPPED):
        other = place_of(b, x)
        if x.op not in STORES or other is None:
            break
        if not place.is_apart(other):
            break
        x = b[x.operands[0]]
    return x


class Added(NamedTuple):
    """A value that is added at a place: the ``add_at`` says where."""

    value: Node
    node: Node


def added(b: Builder, x: Node) -> list[Added] | None:
    """What is added to zeros at places; None where ``x`` is no such sum."""
    found: list[Added] = []
    while x.op == "add_at":
        found.append(Added(b[x.operands[1]], x))
        x = b[x.operands[0]]
    return found[::-1] if found and b.literal(x) == 0 else None


def add_up(b: Builder, n: Node, total: Node, terms: list[Added]) -> Node:
    """``total`` with all terms added at their places, as the value of ``n``.

    What is added where zeros were stored last is stored.
    """
    cleared = _cleared(b, total)
    if cleared is not None:
        terms = sorted(terms, key=lambda term: place_of(b, term.node) != cleared)
    last = len(terms) - 1
    for number, (value, node) in enumerate(terms):
        attrs: Any = node.attrs
        op, base = "add_at", total
        if number == 0 and cleared is not None and place_of(b, node) == cleared:
            op, base = "update_at", b[total.operands[0]]
        operands = [base, value, *(b[name] for name in node.operands[2:])]
        if number == last:
            total = b.append(instead(n, op, *operands, **attrs))
        else:
            total = b.add_node(op, *operands, **attrs)
    return total


def _cleared(b: Builder, x: Node) -> Place | None:
    """Where the last store of ``x`` put zeros."""
    if x.op == "update_at" and b.literal(b[x.operands[1]]) == 0:
        return place_of(b, x)
    return None
