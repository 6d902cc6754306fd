"""The statements of a scalar loop while they are made."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from contextlib import contextmanager

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
from .elements import SMALL, Elements, Lazy, Numbers, Place, Position, Unfit
from .linear import Linear, Sums

__all__ = ["Builder"]

MAX_WEIGHT = 1500
FUNCTION = 8
LITERALS = range(-4, SMALL)


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
