"""The arena: which scratch buffers may share memory.

A buffer is alive from the first step that touches it to the last. Buffers that are
never alive at the same step may lie in the same place. They are placed in the order in
which they come alive, each into the smallest gap between those alive that holds it
(best fit), else at the end.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["ALIGNMENT", "Lifetime", "place"]

ALIGNMENT = 64


@dataclass(frozen=True, slots=True)
class Lifetime:
    """The first and the last step that touch a buffer, and its size in bytes."""

    first: int
    last: int
    nbytes: int


def place(buffers: Sequence[Lifetime]) -> tuple[list[int], int]:
    """The offset of each buffer, and the bytes of the arena.

    >>> place([Lifetime(0, 1, 64), Lifetime(1, 2, 64), Lifetime(2, 3, 64)])
    ([0, 64, 0], 128)
    """
    offsets = [0] * len(buffers)
    gaps: list[tuple[int, int]] = []
    ends: list[tuple[int, int, int]] = []
    total = 0
    for index in sorted(range(len(buffers)), key=lambda i: buffers[i].first):
        buffer = buffers[index]
        while ends and ends[0][0] < buffer.first:
            _, start, size = heapq.heappop(ends)
            _free(gaps, start, size)
        size = -(-buffer.nbytes // ALIGNMENT) * ALIGNMENT
        fitting = [gap for gap in gaps if gap[1] >= size]
        if fitting:
            start, room = min(fitting, key=lambda gap: gap[1])
            gaps.remove((start, room))
            if room > size:
                gaps.append((start + size, room - size))
        else:
            start, total = _extend(gaps, total, size)
        offsets[index] = start
        if size:
            heapq.heappush(ends, (buffer.last, start, size))
    return offsets, total


def _extend(gaps: list[tuple[int, int]], total: int, size: int) -> tuple[int, int]:
    """A place at the end of the arena, beginning with the gap that is there, if any."""
    last = next((gap for gap in gaps if sum(gap) == total), None)
    if last is None:
        return total, total + size
    gaps.remove(last)
    return last[0], last[0] + size


def _free(gaps: list[tuple[int, int]], start: int, size: int) -> None:
    """Give back a place, joined with the gaps on both sides of it."""
    for gap in [
        gap for gap in gaps if gap[0] + gap[1] == start or gap[0] == start + size
    ]:
        gaps.remove(gap)
        start, size = min(start, gap[0]), size + gap[1]
    gaps.append((start, size))
