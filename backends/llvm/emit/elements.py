"""Values of scalar loops while they are lowered: numbers, and places in memory.

A value is an array of the numbers of its elements, or a `Place`, or, if it has many, a
`Lazy`. Ops that move elements do to arrays of numbers what NumPy does to any array.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from ....ir.graph import Node
from ....ir.ops import OPS
from ....ir.types import TensorType
from ..kernels.scalar_loop import (
    Check,
    Compute,
    Literal,
    Load,
    Statement,
    Store,
    Word,
)
from .linear import Linear, Sums

__all__ = [
    "SMALL",
    "Builder",
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
MAX_WEIGHT = 1500
FUNCTION = 8
LITERALS = range(-4, SMALL)

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


class Builder:
    """Appends statements to the block that is being made.

    ``words`` are the numbers that a step gives; of a `Node` it is that of its check.
    ``versions`` has the version of each memory that is written in place, ``scratch``
    the memories that the kernel has for itself.
    """

    def __init__(self) -> None:
        self.block: list[Statement] = []
        self.types: list[str] = []  # the dtype of each value
        self.memories: list[TensorType] = []
        self.words: list[tuple[Word, bool | int | float | Node]] = []
        self.literals: list[Literal] = []
        self.versions: dict[int, int] = {}
        self.scratch: list[int] = []
        self.weight = 0
        self._literals: dict[int, int] = {}
        self._version = 0
        self.sums = Sums()
        self._known: dict[object, int] = {}  # what the block has made, or one around it

    def memory(self, type_: TensorType) -> int:
        """The number of a new memory."""
        self.memories.append(type_)
        return len(self.memories) - 1

    def fresh(self, dtype: str) -> int:
        """The number of a new value."""
        self.types.append(dtype)
        return len(self.types) - 1

    def fresh_like(self, numbers: Numbers) -> Numbers:
        """New numbers of the same dtypes."""
        made = [self.fresh(self.types[number]) for number in numbers.flat]
        return np.array(made, np.int64).reshape(numbers.shape)

    def weigh(self, more: int = 1) -> None:
        """Count code, of which there must not be too much."""
        self.weight += more
        if self.weight > MAX_WEIGHT:
            raise Unfit("too many statements for one kernel")

    @contextmanager
    def inside(
        self, block: list[Statement] | None = None
    ) -> Generator[list[Statement]]:
        """Append to a new block meanwhile, or to the end of one."""
        outer, known = self.block, self._known
        self.block, self._known = [] if block is None else block, dict(known)
        yield self.block
        self.block, self._known = outer, known

    def word(self, number: bool | int | float | Node, dtype: str) -> int:
        """A number that the step gives."""
        value = self.fresh(dtype)
        self.words.append((Word(value, dtype), number))
        if dtype == "i64" and not isinstance(number, Node):
            self.sums.known[value] = Linear(int(number))
        return value

    def literal(self, number: int) -> int:
        """A position: part of the kernel's form where it is small."""
        if number not in LITERALS:
            return self.word(number, "i64")
        if number not in self._literals:
            value = self._literals[number] = self.fresh("i64")
            self.sums.known[value] = Linear(number)
            self.literals.append(Literal(value, number))
        return self._literals[number]

    def compute(self, op: str, operands: Sequence[int], result: str) -> int:
        """The value of an elementwise op, which may be plain to see."""
        if self.types[operands[0]] == "i64" or op == "select":
            found = self.sums.shortcut(self, op, tuple(operands))
            if found is not None:
                return found
        value = self._computed(op, operands, result)
        if self.types[operands[0]] == "i64":
            self.sums.note(op, tuple(operands), value)
        elif result == "bool":
            self.sums.join(op, tuple(operands), value)
        elif op == "select" and result == "i64":
            self.sums.select(operands[1], operands[2], value)
        return value

    def _computed(self, op: str, operands: Sequence[int], result: str) -> int:
        key = op, tuple(operands), result
        if key in self._known:
            return self._known[key]
        record = OPS[op]
        called = record.arity == 1 and "(" in (record.scalar or "")
        self.weigh(FUNCTION if called else max(1, len(operands) - 1))
        value = self._known[key] = self.fresh(result)
        dtype = self.types[operands[0]]
        self.block.append(Compute(value, op, tuple(operands), dtype, result))
        return value

    def number_of(self, sum_: Linear) -> int:
        """The number of a sum."""
        made: int | None = None
        for value, factor in sum_.terms:
            if factor not in (1, -1) or (made is None and factor < 0):
                value = self._computed("mul", (value, self.literal(factor)), "i64")
                factor = 1
            if made is None:
                made = value
            else:
                op = "add" if factor > 0 else "sub"
                made = self._computed(op, (made, value), "i64")
        if made is None or sum_.number:
            last = self.literal(sum_.number)
            made = last if made is None else self._computed("add", (made, last), "i64")
        self.sums.known.setdefault(made, sum_)
        return made

    def check(self, value: int, low: int, last: int, node: Node) -> None:
        """Leave the kernel where a value is outside, if it may be."""
        if self.types[value] == "i64":
            x = self.sums.of(value)
            inside = self.sums.holds(x, low), self.sums.holds(Linear(last).plus(x, -1))
            if self.sums.bounded(x) and all(inside):
                return
        self.weigh(2)
        status = self.word(node, "i64")
        bounds = self.literal(low), self.literal(last)
        self.block.append(Check(value, *bounds, status))

    def load(self, place: Place, index: Sequence[Position]) -> int:
        """An element of a place."""
        self.current(place)
        where = self._index(place.at(index))
        key = place.memory, place.version, where
        if key in self._known:
            return self._known[key]
        self.weigh()
        value = self._known[key] = self.fresh(place.type.dtype)
        self.block.append(Load(value, place.memory, where))
        return value

    def store(self, place: Place, index: Sequence[Position], value: int) -> None:
        """Write an element of a place."""
        self.weigh()
        self.block.append(Store(place.memory, self._index(place.at(index)), value))

    def _index(self, position: Sequence[Position]) -> tuple[tuple[int, ...], ...]:
        return tuple(
            (*values, self.literal(by)) if by else values for values, by in position
        )

    def numbers(self, value: Elements) -> Numbers:
        """The numbers of the elements, which are few."""
        if isinstance(value, Place) and value.loaded is not None:
            return value.loaded
        self.require_small(value.shape)
        if not isinstance(value, (Place, Lazy)):
            return value
        made = np.empty(value.shape, np.int64)
        for index in np.ndindex(value.shape):
            made[index] = self.element(value, [Position((), i) for i in index])
        return made

    def element(self, value: Elements, index: Sequence[Position]) -> int:
        """The number of one element."""
        if isinstance(value, Lazy):
            return value.at(index)
        if isinstance(value, Place):
            if value.loaded is None:
                return self.load(value, index)
            value = value.loaded
        found: list[int] = []
        for stride, position in zip(value.strides, index, strict=True):
            if stride and position.values:
                raise Unfit("a traced position in what is in registers")
            found.append(position.by if stride else 0)
        return int(value[tuple(found)])

    def number(self, value: Elements) -> int:
        """That of the only element."""
        return int(self.numbers(value).reshape(()))

    @staticmethod
    def require_small(shape: Sequence[int]) -> None:
        """Refuse what cannot be treated element by element."""
        if math.prod(shape) > SMALL:
            raise Unfit("an array that is not small")

    def current(self, place: Place) -> None:
        """Refuse a version that was written over."""
        if self.versions.get(place.memory, place.version) != place.version:
            raise Unfit("an older version of an array is read")

    def is_written(self, value: Elements) -> bool:
        """Whether a value lies in a memory that is written in place."""
        return isinstance(value, Place) and value.memory in self.versions

    def is_whole(self, value: Elements) -> bool:
        """Whether a value is a memory that is written in place, and no part of one.

        A few elements of one are read early: what begins with them lies elsewhere.
        """
        return (
            isinstance(value, Place) and self.is_written(value) and value.loaded is None
        )

    def next_version(self, place: Place) -> Place:
        """The place after its memory was written."""
        self._version += 1
        self.versions[place.memory] = self._version
        return place._replace(version=self._version, loaded=None)

    def early(self, place: Place) -> Place:
        """A place whose elements are read now, if they are few and may change."""
        if place.memory not in self.versions or math.prod(place.shape) > SMALL:
            return place
        return place._replace(loaded=self.numbers(place))
