"""Loops of which a gradient keeps what the segments of their turns begin with."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Iterator, Sized
from typing import Any, Generic, TypeVar

from ...ir.errors import ArgumentError
from ..tracing.running import is_traced

__all__ = ["Checkpointed", "check_every", "checkpointed"]

T = TypeVar("T")


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

    def segments(self, count: Any) -> tuple[int, ...]:
        """How many of ``count`` turns a segment has, one in it, and so on."""
        if self.every is not None:
            return (self.every,)
        if is_traced(count):
            raise ArgumentError(
                "checkpointed: how many turns there are is known only when running",
                hint="say how many a segment has: checkpointed(range(n), every=100)",
            )
        sizes = _sizes(count, 2)
        if self.memory is not None:
            sizes = _within(count, self.memory)
        return tuple(math.prod(sizes[level:]) for level in range(1, len(sizes)))


def _within(count: int, memory: int) -> list[int]:
    """The fewest levels that keep at most ``memory`` states."""
    most = max(count, 2).bit_length()
    found = [_sizes(count, levels) for levels in range(1, most + 1)]
    least = min(map(sum, found))
    if least > memory:
        raise ArgumentError(
            f"checkpointed: {count:,} turns cannot be run back with {memory} states",
            hint=f"memory={least} is the least, and the more the faster",
        )
    return next(sizes for sizes in found if sum(sizes) <= memory)


def _sizes(count: int, levels: int) -> list[int]:
    """How many segments each level has, so that the fewest states are kept in all.

    The product of the sizes is at least ``count``, and they are as equal as can be.
    """
    size = max(round(count ** (1 / levels)), 1)
    while size**levels < count:
        size += 1
    sizes = [size] * levels
    for level in range(levels):
        smaller = [*sizes[:level], size - 1, *sizes[level + 1 :]]
        if size > 1 and math.prod(smaller) >= count:
            sizes = smaller
    return sizes[::-1]


def checkpointed(
    iterable: Iterable[T], every: int | None = None, *, memory: int | None = None
) -> Checkpointed[T]:
    """What a loop goes over in segments, so that its gradient keeps less.

    It keeps what each segment of ``every`` turns begins with, and on its way back runs
    a segment once more. So it holds n / every + every states at a time in place of n,
    for about one more run forwards. The values are the same. Outside of a traced
    function it is a loop over ``iterable`` and no more.

    With ``memory`` it holds at most so many states at a time: segments are cut into
    segments in turn, in as few levels as do. Each level costs one more run forwards, so
    l levels hold about l n^(1/l) states (Griewank and Walther, Evaluating Derivatives,
    chapter 12). Their binomial schedule holds fewer, by segments of unequal lengths,
    which are no loops.

    Args:
        iterable: A range, an array, or `enumerate`, `zip` or `reversed` of these.
        every: How many turns a segment has, at least 1. Without it the square root of
            how many there are, which keeps the least of two levels.
        memory: How many states are held at a time, at most.

    Returns:
        What such a loop goes over. It is an `ArgumentError` where ``every`` or
        ``memory`` is below 1 or both are given; and in a loop where nothing says while
        tracing how many turns a segment has, or where ``memory`` is too small.

    >>> [2 * t for t in checkpointed(range(3), every=2)]
    [0, 2, 4]
    >>> checkpointed(range(10_000), memory=70).segments(10_000)
    (462, 21)
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
