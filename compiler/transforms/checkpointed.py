"""Loops of which a gradient keeps what the segments of their turns begin with."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Iterator, Sized
from typing import Any, Generic, NamedTuple, TypeVar

from ...ir.errors import ArgumentError
from ..tracing.running import is_traced

__all__ = ["Checkpointed", "Segments", "check_every", "checkpointed"]

T = TypeVar("T")

LANES = 4  # segments that run side by side


class Checkpointed(Iterable[T], Generic[T]):
    """What a loop goes over in segments of ``every`` turns, or as ``memory`` says."""

    def __init__(
        self, items: Iterable[T], every: int | None, memory: int | None = None
    ) -> None:
        self.items, self.every, self.memory = items, every, memory

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        if not isinstance(self.items, Sized):
            raise TypeError(f"a {type(self.items).__name__} has no length")
        return len(self.items)

    def segments(self, count: Any) -> Segments | None:
        """The segments of ``count`` turns, None where it holds all beginnings."""
        if self.every is not None:
            return Segments(self.every)
        if is_traced(count):
            raise ArgumentError(
                "checkpointed: how many turns there are is known only when running",
                hint="say how many a segment has: checkpointed(range(n), every=100)",
            )
        if self.memory is not None and self.memory >= count:
            return None
        return segments_within(count, self.memory)


class Segments(NamedTuple):
    """How many turns a segment has, and how many beginnings are held, None for all.

    On the way back so many segments at a time are run ``abreast``.
    """

    every: int
    held: int | None = None
    abreast: int = 1


def segments_within(count: int, memory: int | None) -> Segments:
    """The segments that hold ``memory`` states for the fewest turns that run again.

    Without it, those that run each turn once again and hold the fewest states.

    >>> segments_within(10_000, 200)
    Segments(every=100, held=None, abreast=1)
    >>> segments_within(10_000, 40)
    Segments(every=15, held=25, abreast=1)
    """
    root = math.isqrt(max(count - 1, 0)) + 1
    if memory is None or memory >= root + -(-count // root):
        return _side_by_side(count, memory) or Segments(root)
    ways = [(1, memory), *((every, memory - every) for every in range(2, memory))]
    again = [every * runs(count // every, held) for every, held in ways]
    return Segments(*ways[again.index(min(again))])


def _side_by_side(count: int, memory: int | None) -> Segments | None:
    """Segments of which several are held at a time, if so many states are given."""
    every = max(math.isqrt(count // LANES), 1)
    while count // every % LANES:
        every += 1
    if memory is None or count // every + LANES * every > memory:
        return None
    return Segments(every, None, LANES)


def runs(steps: int, states: int) -> int:
    """How many steps are run forwards in all, that each may be gone back over."""
    repeats = 0
    while math.comb(states + repeats, states) < steps:
        repeats += 1
    return repeats * steps - math.comb(states + repeats, states + 1)


def checkpointed(
    iterable: Iterable[T], every: int | None = None, *, memory: int | None = None
) -> Checkpointed[T]:
    """What a loop goes over in segments, so that its gradient keeps less.

    It keeps what each segment of ``every`` turns begins with, and on its way back runs
    a segment once more. So it holds n / every + every states at a time in place of n,
    for about one more run forwards. The values are the same. Outside of a traced
    function it is a loop over ``iterable`` and no more.

    With ``memory`` it holds at most so many states at a time. Where the beginnings of
    all segments are too many, those of some are kept, and turns between are run again
    by the binomial schedule (Griewank and Walther, Algorithm 799: revolve, ACM TOMS 26,
    2000), which runs the fewest: with k beginnings, (k + r)! / (k! r!) segments are run
    back at r runs forwards each. The length of a segment is the one that runs the
    fewest turns in all. Any number will do, and the more the faster: 10,000 turns are
    run 2.0 times in all with 200 states, 3.4 times with 40 and 6.8 times with 10. With
    at least 4 n^(1/2) states, four segments of a loop over numbers are run side by side
    on the way back, as vectors.

    Args:
        iterable: A range, an array, or `enumerate`, `zip` or `reversed` of these.
        every: How many turns a segment has, at least 1. Without it the square root of
            how many there are, which keeps the least of two levels.
        memory: How many states are held at a time, at most.

    Returns:
        What such a loop goes over. It is an `ArgumentError` where ``every`` or
        ``memory`` is below 1 or both are given; and in a loop where nothing says while
        tracing how many turns a segment has.

    >>> [2 * t for t in checkpointed(range(3), every=2)]
    [0, 2, 4]
    """
    if memory is None:
        return Checkpointed(iterable, None if every is None else check_every(every))
    if every is not None or operator.index(memory) < 1:
        raise ArgumentError(
            f"checkpointed: memory={memory} with every={every}",
            hint="give one of the two, a number of at least 1",
        )
    return Checkpointed(iterable, None, operator.index(memory))


def check_every(every: int) -> int:
    """The length of a segment, which is at least 1."""
    if operator.index(every) < 1:
        raise ArgumentError(f"a segment of a loop has at least 1 turn, not {every}")
    return operator.index(every)
