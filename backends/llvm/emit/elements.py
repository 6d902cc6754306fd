"""Values of scalar loops while they are lowered: numbers, and places in memory.

A value is an array of the numbers of its elements, or a `Place`, or, if it has many, a
`Lazy`. Ops that move elements do to arrays of numbers what NumPy does to any array.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from ....ir.graph import Node
from ....ir.types import TensorType

__all__ = [
    "SMALL",
    "Elements",
    "Lazy",
    "Numbers",
    "Place",
    "Position",
    "Unfit",
    "reads_of",
    "repeated",
    "uniform",
    "whole_place",
]

SMALL = 16  # elements that are treated one by one

Numbers: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"
Elements: TypeAlias = "Numbers | Place | Lazy"


class Unfit(Exception):
    """A loop that is no scalar loop, for a reason."""


class Position(NamedTuple):
    """A place along an axis: a sum of values, and a number."""

    values: tuple[int, ...] = ()
    by: int = 0

    def plus(self, by: int, *values: int) -> Position:
        """The place so much further on."""
        return Position((*self.values, *values), self.by + by)


class Place(NamedTuple):
    """An array that lies in a memory.

    ``base`` has a position for each axis of the memory, ``axes`` for each axis of the
    value the axis of the memory that it goes along and its step, None where it repeats
    itself. The content is that of one version of the memory. ``loaded`` are the numbers
    of its elements, where they were read before the next version is made.
    """

    memory: int
    version: int
    type: TensorType
    base: tuple[Position, ...]
    axes: tuple[tuple[int, int] | None, ...]
    loaded: Numbers | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes."""
        return self.type.shape

    @property
    def repeats(self) -> bool:
        """Whether several elements lie at one position."""
        sizes = zip(self.shape, self.axes, strict=True)
        return any(along is None and size > 1 for size, along in sizes)

    def same_place(self, other: Elements) -> bool:
        """Whether the other one has the same elements, perhaps of another version."""
        return isinstance(other, Place) and (
            (self.memory, self.base, self.axes)
            == (other.memory, other.base, other.axes)
        )

    def at(self, index: Sequence[Position]) -> tuple[Position, ...]:
        """Where an element lies."""
        base = list(self.base)
        for position, along in zip(index, self.axes, strict=True):
            if along is not None:
                axis, step = along
                if step != 1 and position.values:
                    raise Unfit("a traced position in a slice with a step")
                base[axis] = base[axis].plus(position.by * step, *position.values)
        return tuple(base)

    def moved(self, axes: Sequence[int], index: Sequence[Position]) -> Place:
        """The place that begins further on along some axes."""
        every = [Position()] * len(self.axes)
        for axis, position in zip(axes, index, strict=True):
            every[axis] = position
        return self._replace(base=self.at(every), loaded=None)

    def row(self, counter: int) -> Place:
        """What lies at a position of the first axis."""
        moved = self.moved((0,), (Position((counter,)),))
        shape = self.type.with_shape(self.shape[1:])
        return moved._replace(type=shape, axes=self.axes[1:])

    def viewed(self, node: Node) -> Place | None:
        """What a view of it is, where strides can say it."""
        attrs: Any = node.attrs
        axes, type_ = self.axes, self.type.with_shape(node.type.shape)
        match node.op:
            case "transpose":
                made = [axes[axis] for axis in attrs["perm"]]
            case "slice":
                start = [Position((), by) for by in attrs["start"]]
                moved = self.moved(range(len(start)), start)
                made = [
                    along and (along[0], along[1] * step)
                    for along, step in zip(axes, attrs["step"], strict=True)
                ]
                return moved._replace(type=type_, axes=tuple(made))
            case "broadcast_to":
                sizes = zip(self.shape, axes, strict=True)
                made = [None if size == 1 else along for size, along in sizes]
                made = [None] * (type_.rank - len(made)) + made
            case "reshape":
                kept = [a for n, a in zip(self.shape, axes, strict=True) if n != 1]
                if [n for n in self.shape if n != 1] != [
                    n for n in type_.shape if n != 1
                ]:
                    return None
                rest = iter(kept)
                made = [None if size == 1 else next(rest) for size in type_.shape]
            case _:
                return None
        return self._replace(type=type_, axes=tuple(made), loaded=None)


class Lazy(NamedTuple):
    """An array whose elements are computed where they are asked for.

    ``at`` makes the statements for one of them; ``reads`` are the places that it reads.
    """

    type: TensorType
    at: Callable[[Sequence[Position]], int]
    reads: tuple[Place, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes."""
        return self.type.shape


def uniform(value: Elements) -> int | None:
    """The number that all elements are known to have, if there is one."""
    if isinstance(value, (Place, Lazy)) or not value.size or any(value.strides):
        return None
    return int(value.flat[0])


def repeated(number: int, shape: Sequence[int]) -> Numbers:
    """An array all of whose elements have a number, in the room of one."""
    return np.broadcast_to(np.array(number, np.int64), shape)


def reads_of(values: Sequence[Elements]) -> tuple[Place, ...]:
    """The places that values are read from."""
    found: list[Place] = []
    for value in values:
        if isinstance(value, Lazy):
            found += value.reads
        elif isinstance(value, Place) and value.loaded is None:
            found.append(value)
    return tuple(found)


def whole_place(memory: int, type_: TensorType, version: int = 0) -> Place:
    """All of a memory."""
    axes = tuple((axis, 1) for axis in range(type_.rank))
    return Place(memory, version, type_, (Position(),) * type_.rank, axes)
