"""Loops of which a gradient keeps what every k-th turn begins with."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Iterator, Sized
from typing import Any, Generic, TypeVar

from ..ir.errors import ArgumentError
from .running import is_traced

__all__ = ["Checkpointed", "check_every", "checkpointed"]

T = TypeVar("T")


class Checkpointed(Iterable[T], Generic[T]):
    """What a loop goes over in segments of ``every`` turns."""

    def __init__(self, items: Iterable[T], every: int | None) -> None:
        self.items, self.every = items, every

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        if not isinstance(self.items, Sized):
            raise TypeError(f"a {type(self.items).__name__} has no length")
        return len(self.items)

    def segment(self, count: Any) -> int:
        """How many of ``count`` turns a segment has."""
        if self.every is not None:
            return self.every
        if is_traced(count):
            raise ArgumentError(
                "checkpointed: how many turns there are is known only when running",
                hint="say how many a segment has: checkpointed(range(n), every=100)",
            )
        return math.isqrt(max(count, 1) - 1) + 1


def checkpointed(iterable: Iterable[T], every: int | None = None) -> Checkpointed[T]:
    """What a loop goes over in segments, so that its gradient keeps less.

    It keeps what each segment of ``every`` turns begins with, and on its way back runs
    a segment once more. So it holds n / every + every states at a time in place of n,
    for about one more run forwards. The values are the same. Outside of a traced
    function it is a loop over ``iterable`` and no more.

    Args:
        iterable: A range, an array, or `enumerate`, `zip` or `reversed` of these.
        every: How many turns a segment has, at least 1. Without it the square root of
            how many there are, which keeps the least.

    Returns:
        What such a loop goes over. It is an `ArgumentError` where ``every`` is below 1,
        and in a loop where nothing says while tracing how many turns a segment has.

    >>> [2 * t for t in checkpointed(range(3), every=2)]
    [0, 2, 4]
    """
    return Checkpointed(iterable, None if every is None else check_every(every))


def check_every(every: int) -> int:
    """The length of a segment, which is at least 1."""
    if operator.index(every) < 1:
        raise ArgumentError(f"a segment of a loop has at least 1 turn, not {every}")
    return operator.index(every)
