"""How ops at positions are mapped: each example has positions of its own.

Positions that all examples share are those of the same op with an axis more. Others
become positions in the arrays of all examples, laid one after the other, so a gather
stays a gather, and what is stored costs what is stored.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ..types import Shape, TensorType
from .mapped import each, in_turn

if TYPE_CHECKING:
    from ..builder import Builder
    from ..graph import Node

__all__ = [
    "add_at_vmap",
    "put_vmap",
    "scatter_vmap",
    "searchsorted_vmap",
    "slice_at_vmap",
    "take_vmap",
    "update_at_vmap",
]

Ints = tuple[int, ...]


def _everywhere(b: Builder, i: Node, outer: Shape, length: int) -> Node:
    """Positions along an axis of a length, as rows of all axes in front of it.

    ``i`` has those of each example, which is the first of the ``outer`` axes. The
    result has a row for each place along these.
    """
    from .sorting import flat_places

    count = math.prod(i.type.shape[1:])
    ones = (1,) * (len(outer) - 1)
    wide = i.type.with_shape((*outer, count))
    spread = b.broadcast(b.reshape(i, (outer[0], *ones, count)), wide)
    return flat_places(b, spread, length)


def take_vmap(
    b: Builder,
    n: Node,
    size: int,
    mapped: Sequence[bool],
    x: Node,
    i: Node,
    *,
    axis: int,
) -> Node:
    """The rows of one array, or of all of them."""
    if not mapped[1]:
        return b.take(x, i, axis=axis + 1)
    if not mapped[0]:
        made = b.take(x, i, axis=axis)
        rest = range(axis + 1, made.type.rank)
        return b.transpose(made, (axis, *range(axis), *rest))
    outer, behind = x.type.shape[: axis + 1], x.type.shape[axis + 2 :]
    length = x.type.shape[axis + 1]
    rows = b.reshape(x, (math.prod(outer) * length, *behind))
    made = b.take(rows, _everywhere(b, i, outer, length), axis=0)
    return b.reshape(made, (size, *n.type.shape))


def scatter_vmap(
    b: Builder,
    n: Node,
    count: int,
    mapped: Sequence[bool],
    x: Node,
    i: Node,
    *,
    axis: int,
    size: int,
) -> Node:
    """Adds to the rows of all examples."""
    if not mapped[1]:
        return b.scatter_add(x, i, axis=axis + 1, size=size)
    x = each(b, x, count, mapped[0])
    outer, behind = x.type.shape[: axis + 1], x.type.shape[axis + i.type.rank :]
    places = _everywhere(b, i, outer, size)
    places = b.reshape(places, (places.type.size,))
    rows = b.reshape(x, (places.type.size, *behind))
    made = b.scatter_add(rows, places, axis=0, size=math.prod(outer) * size)
    return b.reshape(made, (count, *n.type.shape))


def put_vmap(
    b: Builder,
    n: Node,
    size: int,
    mapped: Sequence[bool],
    x: Node,
    v: Node,
    i: Node,
    *,
    axis: int,
) -> Node:
    """Stores rows of all examples, which stay distinct."""
    x, v = each(b, x, size, mapped[0]), each(b, v, size, mapped[1])
    if not mapped[2]:
        return b.put(x, v, i, axis=axis + 1)
    outer, behind = x.type.shape[: axis + 1], x.type.shape[axis + 2 :]
    length = x.type.shape[axis + 1]
    places = _everywhere(b, i, outer, length)
    places = b.reshape(places, (places.type.size,))
    rows = b.reshape(x, (math.prod(outer) * length, *behind))
    stored = b.reshape(v, (places.type.size, *behind))
    return b.reshape(b.put(rows, stored, places, axis=0), x.type.shape)


def searchsorted_vmap(
    b: Builder,
    n: Node,
    size: int,
    mapped: Sequence[bool],
    a: Node,
    v: Node,
    *,
    right: bool,
) -> Node:
    """One row is searched for all examples; rows of their own are searched in turn."""
    if not mapped[0]:
        return b.searchsorted(a, v, right=right)
    (made,) = in_turn(b, n, size, mapped, a, v, right=right)
    return made


# Slices, whose positions are operands of their own.


class _Cells(NamedTuple):
    """The places of a slice of each example in ``rows``, of ``behind`` each.

    The slice has ``places`` and goes along all of the axes behind.
    """

    rows: Node
    places: Node
    behind: Shape


def _cells(
    b: Builder,
    size: int,
    x: Node,
    is_mapped: bool,
    positions: Sequence[tuple[Node, bool]],
    axes: Ints,
    start: Ints,
    shape: Shape,
    step: Ints,
) -> _Cells:
    sizes = x.type.shape[is_mapped:]
    whole = [
        axis not in axes and (start[axis], shape[axis], step[axis]) == (0, dim, 1)
        for axis, dim in enumerate(sizes)
    ]
    count = max(axis + 1 for axis, one in enumerate(whole) if not one)
    behind = sizes[count:]
    stride = [math.prod(sizes[axis + 1 : count]) for axis in range(count)]
    type_ = TensorType("i64", (size, *shape[:count]))

    first = b.full(type_.with_shape((size,)), sum(map(_times, stride, start)))
    for axis, (position, one) in zip(axes, positions, strict=True):
        place = each(b, position, size, one)
        first = b.add(first, b.mul(place, b.like(place, stride[axis])))
    if is_mapped:
        ramp = b.iota(shape=(size,), axis=0, dtype="i64")
        apart = b.mul(ramp, b.like(ramp, math.prod(sizes[:count])))
        first = b.add(first, apart)
    places = b.broadcast(b.reshape(first, (size, *(1,) * count)), type_)
    for axis in range(count):
        if shape[axis] != 1:
            ramp = b.iota(shape=type_.shape, axis=axis + 1, dtype="i64")
            by = stride[axis] * step[axis]
            places = b.add(places, b.mul(ramp, b.like(ramp, by)))
    total = math.prod(sizes[:count]) * (size if is_mapped else 1)
    return _Cells(b.reshape(x, (total, *behind)), places, behind)


def _times(x: int, y: int) -> int:
    return x * y


def slice_at_vmap(
    b: Builder,
    n: Node,
    size: int,
    mapped: Sequence[bool],
    x: Node,
    *positions: Node,
    axes: Ints,
    start: Ints,
    shape: Shape,
    step: Ints,
) -> Node:
    """A slice of all examples, or a gather of each one's."""
    if not any(mapped[1:]):
        return b.slice_at(
            x, *positions, **_behind(axes, start, step), shape=(size, *shape)
        )
    pairs = list(zip(positions, mapped[1:], strict=True))
    found = _cells(b, size, x, mapped[0], pairs, axes, start, shape, step)
    return b.take(found.rows, found.places, axis=0)


def _behind(axes: Ints, start: Ints, step: Ints) -> dict[str, Any]:
    return {
        "axes": tuple([axis + 1 for axis in axes]),
        "start": (0, *start),
        "step": (1, *step),
    }


def _stored(
    b: Builder,
    n: Node,
    size: int,
    mapped: Sequence[bool],
    x: Node,
    v: Node,
    positions: Sequence[Node],
    axes: Ints,
    start: Ints,
    step: Ints,
) -> Node:
    """Stores or adds a slice of each example."""
    shape = v.type.shape[mapped[1] :]
    x, v = each(b, x, size, mapped[0]), each(b, v, size, mapped[1])
    if not any(mapped[2:]):
        return b.add_node(n.op, x, v, *positions, **_behind(axes, start, step))
    pairs = list(zip(positions, mapped[2:], strict=True))
    rows, places, behind = _cells(b, size, x, True, pairs, axes, start, shape, step)
    places = b.reshape(places, (places.type.size,))
    stored = b.reshape(v, (places.type.size, *behind))
    if n.op == "add_at":  # the places are distinct
        stored = b.add(b.take(rows, places, axis=0), stored)
    return b.reshape(b.put(rows, stored, places, axis=0), x.type.shape)


def update_at_vmap(
    b: Builder,
    n: Node,
    size: int,
    mapped: Sequence[bool],
    x: Node,
    v: Node,
    *positions: Node,
    **attrs: Ints,
) -> Node:
    """A store of all examples, or one of rows at each one's places."""
    return _stored(b, n, size, mapped, x, v, positions, **attrs)


add_at_vmap = update_at_vmap
