"""Extents: the places of an array that a basic slice takes, and an index of many.

An extent is what the ops ``slice`` and ``update`` name: for each axis the first place,
how many, and the distance of two, which may be negative.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from .builder import Builder
    from .graph import Graph, Node

__all__ = ["Extent", "ExtentIndex", "extent_of", "whole"]

Key = TypeVar("Key")


class Extent(NamedTuple):
    """``shape`` places from ``start`` on, ``step`` apart, along each axis."""

    start: tuple[int, ...]
    shape: tuple[int, ...]
    step: tuple[int, ...]

    @property
    def size(self) -> int:
        """How many elements it has."""
        return math.prod(self.shape)

    def covers(self, sizes: Sequence[int]) -> bool:
        """Whether it is all of an array of these sizes, in order."""
        return (
            self.shape == tuple(sizes)
            and not any(self.start)
            and all(n == 1 or by == 1 for n, by in zip(sizes, self.step, strict=True))
        )

    def of(self, inner: Extent) -> Extent:
        """The places of ``x[self][inner]`` in x."""
        start = [
            s + by * k
            for s, by, k in zip(self.start, self.step, inner.start, strict=True)
        ]
        step = [a * b for a, b in zip(self.step, inner.step, strict=True)]
        return Extent(tuple(start), inner.shape, tuple(step))

    def overlaps(self, other: Extent) -> bool:
        """Whether some element is in both."""
        if 0 in self.shape or 0 in other.shape:
            return False
        return all(map(_meet, zip(*self, strict=True), zip(*other, strict=True)))

    def inside(self, outer: Extent) -> Extent | None:
        """The extent that takes these elements from ``x[outer]``, if it has them."""
        if 0 in self.shape:
            rank = len(self.shape)
            return Extent((0,) * rank, self.shape, (1,) * rank)
        axes = list(map(_within, zip(*self, strict=True), zip(*outer, strict=True)))
        found = [axis for axis in axes if axis is not None]
        if len(found) < len(axes):
            return None
        start, shape, step = ([axis[k] for axis in found] for k in range(3))
        return Extent(tuple(start), tuple(shape), tuple(step))


def whole(sizes: Sequence[int]) -> Extent:
    """All of an array."""
    return Extent((0,) * len(sizes), tuple(sizes), (1,) * len(sizes))


def extent_of(nodes: Builder | Graph, node: Node) -> Extent:
    """The places that a slice reads or a store writes, or more than those.

    All, for a ``put``; and all along an axis with a position.
    """
    if node.op == "put":
        return whole(node.type.shape)
    start: Any = node.attrs["start"]
    step: Any = node.attrs["step"]
    part = node if node.op in ("slice", "slice_at") else nodes[node.operands[1]]
    shape = part.type.shape
    axes: Any = node.attrs.get("axes", ())
    if not axes or 0 in shape:
        return Extent(start, shape, step)
    every = [
        (0, size, 1) if axis in axes else place
        for axis, (size, *place) in enumerate(
            zip(nodes[node.operands[0]].type.shape, start, shape, step, strict=True)
        )
    ]
    return Extent(*(tuple(row) for row in zip(*every, strict=True)))


Axis = tuple[int, ...]


def _meet(one: Axis, other: Axis) -> bool:
    """Whether two progressions that are not empty share a number."""
    (a, last_a, by_a), (b, last_b, by_b) = _rising(one), _rising(other)
    low, high = max(a, b), min(last_a, last_b)
    common = math.gcd(by_a, by_b)
    if low > high or (b - a) % common:
        return False
    period = by_b // common
    turns = (b - a) // common * pow(by_a // common, -1, period) % period
    shared, every = a + by_a * turns, by_a * period  # the Chinese remainder theorem
    return shared + every * max(0, -((shared - low) // every)) <= high


def _rising(axis: Axis) -> tuple[int, int, int]:
    """The first, the last and the distance, from below."""
    start, count, step = axis
    if count == 1:
        return start, start, 1
    last = start + (count - 1) * step
    return min(start, last), max(start, last), abs(step)


def _within(inner: Axis, outer: Axis) -> Axis | None:
    """Which of the numbers of ``outer`` those of ``inner`` are, if all of them are."""
    (a, count, by), (b, room, step) = inner, outer
    first, rest = divmod(a - b, step)
    stride, uneven = divmod(by, step) if count > 1 else (1, 0)
    last = first + (count - 1) * stride
    fits = 0 <= first < room and 0 <= last < room
    return None if rest or uneven or not fits else (first, count, stride)


class ExtentIndex(Generic[Key]):
    """Extents of one array under keys: finds those that overlap another one.

    An extent of length L along an axis stands in a cell of at least L places there, by
    its lowest place. So what overlaps stands in the cells around or in those before
    them. Where extents of an array are alike, as rows or columns are, a search
    looks at few of those that it does not find.
    """

    def __init__(self) -> None:
        self._extents: dict[Key, Extent] = {}
        self._levels: dict[Axis, dict[Axis, dict[Key, None]]] = {}

    def __contains__(self, key: Key) -> bool:
        return key in self._extents

    def add(self, key: Key, extent: Extent) -> None:
        """Put an extent in, in the place of what the key had."""
        self.discard(key)
        self._extents[key] = extent
        if 0 not in extent.shape:
            level, cell = _cell(extent)
            self._levels.setdefault(level, {}).setdefault(cell, {})[key] = None

    def discard(self, key: Key) -> None:
        """Take an extent out, if there is one."""
        extent = self._extents.pop(key, None)
        if extent is None or 0 in extent.shape:
            return
        level, cell = _cell(extent)
        cells = self._levels[level]
        del cells[cell][key]
        if not cells[cell]:
            del cells[cell]

    def overlapping(self, extent: Extent) -> Iterator[Key]:
        """The keys of what overlaps, which must not change meanwhile."""
        if 0 in extent.shape:
            return
        axes = [_rising(axis) for axis in zip(*extent, strict=True)]
        for level, cells in self._levels.items():
            ranges = [
                range((low >> bits) - 1, (high >> bits) + 1)
                for (low, high, _), bits in zip(axes, level, strict=True)
            ]
            near: Iterator[Axis] = itertools.product(*ranges)
            if math.prod(map(len, ranges)) > len(cells):
                near = iter(cells)
            for cell in near:
                for key in cells.get(cell, ()):
                    if extent.overlaps(self._extents[key]):
                        yield key


def _cell(extent: Extent) -> tuple[Axis, Axis]:
    """How large the cells are that an extent stands in, and which is its own."""
    axes = [_rising(axis) for axis in zip(*extent, strict=True)]
    level = tuple((high - low).bit_length() for low, high, _ in axes)
    cell = tuple(low >> bits for (low, _, _), bits in zip(axes, level, strict=True))
    return level, cell
