"""Integers of scalar loops as sums: what is known of positions without running.

A `Linear` is a number plus multiples of values of the kernel. Numbers that the step
gives are known while it is planned, so whatever is found here holds for that step.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, Protocol, TypeAlias

__all__ = ["Linear", "Sums"]

MAX_DEPTH = 6
FAR = 2**60


class Linear(NamedTuple):
    """``number`` plus the ``terms``: values in order, and what they are taken times."""

    number: int
    terms: tuple[tuple[int, int], ...] = ()

    def plus(self, other: Linear, times: int = 1) -> Linear:
        """The sum with a multiple of another one."""
        made = dict(self.terms)
        for value, factor in other.terms:
            made[value] = made.get(value, 0) + times * factor
        terms = sorted((value, factor) for value, factor in made.items() if factor)
        return Linear(self.number + times * other.number, tuple(terms))

    def factor(self, value: int) -> int:
        """What a value is taken times."""
        return dict(self.terms).get(value, 0)

    def without(self, value: int) -> Linear:
        """The sum where a value is 0."""
        return self._replace(terms=tuple(x for x in self.terms if x[0] != value))


Facts: TypeAlias = tuple[Linear, ...]
"""Sums that are not below 0."""


class Maker(Protocol):
    """Whoever makes statements: `elements.Builder`."""

    def compute(self, op: str, operands: Sequence[int], result: str) -> int:
        """The value of an op."""
        ...


class Sums:
    """What is known of the i64 values of a kernel.

    ``known`` are those that are sums of others, as they wrap. ``lowest`` and
    ``highest`` are bounds of values: each of them holds, and any may be what shows
    something. A claim about a sum needs that it is `bounded`, so that it does not wrap.
    A comparison has facts, sums that are not below 0 where it is true, and where it is
    false.
    """

    def __init__(self) -> None:
        self.known: dict[int, Linear] = {}
        self.lowest: dict[int, tuple[Linear, ...]] = {}
        self.highest: dict[int, tuple[Linear, ...]] = {}
        self._flags: dict[int, bool] = {}
        self._facts: dict[int, tuple[Facts, Facts]] = {}

    def of(self, value: int) -> Linear:
        """A value as a sum, of itself if nothing else is known."""
        return self.known.get(value) or Linear(0, ((value, 1),))

    def count(self, counter: int, trips: int | None) -> None:
        """Take note of a counter, which nobody will see beyond `FAR`."""
        self.lowest[counter] = (Linear(0),)
        self.highest[counter] = (Linear(FAR),)
        if trips is not None and self.bounded(self.of(trips)):
            self.highest[counter] = (self.of(trips).plus(Linear(-1)), Linear(FAR))

    def holds(self, sum_: Linear, low: int = 0) -> bool:
        """Whether bounds show that a sum is not below a number."""
        return self._holds(sum_.plus(Linear(-low)), MAX_DEPTH)

    def bounded(self, sum_: Linear) -> bool:
        """Whether a sum does not wrap: a single value, or not far from 0."""
        if sum_.number == 0 and [factor for _, factor in sum_.terms] == [1]:
            return True
        return self.holds(sum_, -2 * FAR) and self.holds(Linear(2 * FAR).plus(sum_, -1))

    def _holds(self, sum_: Linear, depth: int) -> bool:
        if not sum_.terms:
            return sum_.number >= 0
        for value, factor in sum_.terms if depth else ():
            bounds = self.lowest if factor > 0 else self.highest
            for bound in bounds.get(value, ()):
                if self._holds(sum_.without(value).plus(bound, factor), depth - 1):
                    return True
        return False

    def note(self, op: str, operands: tuple[int, ...], value: int) -> None:
        """Take note of what an op on i64 made."""
        sums = [self.of(operand) for operand in operands]
        sure = all(map(self.bounded, sums))
        match op:
            case "add" | "add_n":
                total = Linear(0)
                for one in sums:
                    total = total.plus(one)
                self.known[value] = total
            case "sub":
                self.known[value] = sums[0].plus(sums[1], -1)
            case "neg":
                self.known[value] = Linear(0).plus(sums[0], -1)
            case "mul" if not sums[1].terms:
                self.known[value] = Linear(0).plus(sums[0], sums[1].number)
            case "mul" if not sums[0].terms:
                self.known[value] = Linear(0).plus(sums[1], sums[0].number)
            case _ if not sure:
                pass
            case "minimum":
                self.highest[value] = tuple(sums)
                if all(map(self.holds, sums)):
                    self.lowest[value] = (Linear(0),)
            case "maximum":
                self.lowest[value] = tuple(sums)
            case "remainder" if self.holds(sums[1], 1):
                self.lowest[value] = (Linear(0),)
                self.highest[value] = (sums[1].plus(Linear(-1)),)
            case "lt" | "ge":
                self._compare(value, sums[0], sums[1], op == "lt")
            case "gt" | "le":
                self._compare(value, sums[1], sums[0], op == "gt")
            case _:
                pass

    def select(self, x: int, y: int, value: int) -> None:
        """Take note of a value that is one of two: what bounds both bounds it."""
        sums = self.of(x), self.of(y)
        if not all(map(self.bounded, sums)):
            return
        for bounds, sign in ((self.lowest, 1), (self.highest, -1)):
            known = [bound for one in (x, y) for bound in bounds.get(one, ())]
            bounds[value] = tuple(
                bound
                for bound in dict.fromkeys((*sums, *known))
                if all(
                    self.holds(Linear(0).plus(one.plus(bound, -1), sign))
                    for one in sums
                )
            )

    def _compare(self, value: int, x: Linear, y: Linear, less: bool) -> None:
        """Take note of ``x < y``, or of its contrary."""
        facts = ((y.plus(x, -1).plus(Linear(-1)),), (x.plus(y, -1),))
        self._facts[value] = facts if less else (facts[1], facts[0])
        for flag, known in zip((True, False), self._facts[value], strict=True):
            if all(map(self.holds, known)):
                self._flags[value] = flag

    def join(self, op: str, operands: tuple[int, ...], value: int) -> None:
        """Take note of a bool that is made of others: of both, one of two, or none."""
        facts = [self._facts.get(operand, ((), ())) for operand in operands]
        match op:
            case "select" if operands[2] == operands[0]:
                self._facts[value] = (*facts[0][0], *facts[1][0]), ()
            case "logical_and":
                self._facts[value] = (*facts[0][0], *facts[1][0]), ()
            case "select" if operands[1] == operands[0]:
                self._facts[value] = (), (*facts[0][1], *facts[2][1])
            case "logical_or":
                self._facts[value] = (), (*facts[0][1], *facts[1][1])
            case "logical_not":
                self._facts[value] = facts[0][1], facts[0][0]
            case _:
                pass

    @contextmanager
    def assuming(self, flag: int, holds: bool) -> Generator[None]:
        """Believe meanwhile what follows from a bool."""
        kept = self.lowest, self.highest, self._flags
        self.lowest, self.highest = dict(self.lowest), dict(self.highest)
        self._flags = dict(self._flags)
        for sum_ in self._facts.get(flag, ((), ()))[0 if holds else 1]:
            for value, factor in sum_.terms:
                rest = sum_.without(value)
                if factor == 1:
                    bound = Linear(0).plus(rest, -1)
                    self.lowest[value] = (*self.lowest.get(value, ()), bound)
                elif factor == -1:
                    self.highest[value] = (*self.highest.get(value, ()), rest)
        yield
        self.lowest, self.highest, self._flags = kept

    def shortcut(self, maker: Maker, op: str, operands: tuple[int, ...]) -> int | None:
        """A value that an op makes in a cheaper way, if that is plain to see."""
        if op == "select":
            flag = self._flags.get(operands[0])
            return None if flag is None else operands[1 if flag else 2]
        if not all(self.bounded(self.of(operand)) for operand in operands):
            return None
        match op:
            case "remainder":
                return self._remainder(maker, *operands)
            case "minimum" | "maximum":
                x, y = (self.of(operand) for operand in operands)
                upwards = self.holds(y.plus(x, -1))
                if upwards or self.holds(x.plus(y, -1)):
                    return operands[0 if upwards == (op == "minimum") else 1]
            case _:
                pass
        return None

    def _remainder(self, maker: Maker, a: int, b: int) -> int | None:
        """A division takes dozens of cycles; near 0 there is none."""
        x, n = self.of(a), self.of(b)
        if not self.holds(n, 1) or not self.holds(x):
            return None
        if self.holds(n.plus(x, -1), 1):
            return a
        if not self.holds(n.plus(n).plus(x, -1), 1):
            return None
        less = maker.compute("sub", (a, b), "i64")
        flag = maker.compute("lt", (a, b), "bool")
        return maker.compute("select", (flag, a, less), "i64")
