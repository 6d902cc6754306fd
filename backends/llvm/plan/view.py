"""Where a value lies."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

from ....ir.types import TensorType

__all__ = [
    "View",
    "reshaped_strides",
    "row_strides",
    "side_by_side",
    "strided",
    "whole_of",
]


class View(NamedTuple):
    """Where a value lies: byte offset in a buffer, strides in elements."""

    buffer: int
    offset: int
    type: TensorType
    strides: tuple[int, ...]

    @property
    def is_contiguous(self) -> bool:
        """Whether the elements lie in C order without gaps."""
        sizes = self.type.shape
        return 0 in sizes or all(
            size == 1 or stride == row
            for size, stride, row in zip(
                sizes, self.strides, row_strides(sizes), strict=True
            )
        )

    @property
    def steps(self) -> tuple[int | None, ...]:
        """The strides, None along an axis of one element, which has no next one."""
        return tuple(
            None if size == 1 else stride
            for size, stride in zip(self.type.shape, self.strides, strict=True)
        )

    def start(self, after: int = 0) -> tuple[int, int]:
        """The buffer, and the byte offset of the place ``after`` elements further."""
        return self.buffer, self.offset + after * self.type.numpy.itemsize

    def same_memory(self, other: View) -> bool:
        """Whether every element of ``other``, of the same shape, lies where ours do."""
        return (self.buffer, self.offset, self.steps) == (
            other.buffer,
            other.offset,
            other.steps,
        )

    def moved(self, shape: Sequence[int], strides: Sequence[int], by: int = 0) -> View:
        """Another view of the same buffer, ``by`` elements further on."""
        offset = self.offset + by * self.type.numpy.itemsize
        return View(
            self.buffer, offset, self.type.with_shape(tuple(shape)), tuple(strides)
        )

    @property
    def parts(self) -> View:
        """Complex numbers as pairs of floats, along one more axis behind the others."""
        shape = (*self.type.shape, 2)
        strides = (*(2 * stride for stride in self.strides), 1)
        return View(self.buffer, self.offset, self.type.part.with_shape(shape), strides)

    def part(self, which: int) -> View:
        """The real parts of complex numbers, or the imaginary ones."""
        pairs = self.parts
        return pairs.moved(self.type.shape, pairs.strides[:-1], which)

    def reshaped(self, shape: Sequence[int]) -> View:
        """A contiguous view in another shape."""
        return self.moved(shape, row_strides(shape))


def whole_of(buffer: int, type_: TensorType) -> View:
    """A value that is alone in a buffer, in C order."""
    return View(buffer, 0, type_, row_strides(type_.shape))


def row_strides(sizes: Sequence[int]) -> tuple[int, ...]:
    """The strides of a C-contiguous array, in elements."""
    return _row_strides(tuple(sizes))


@lru_cache(maxsize=1024)
def _row_strides(sizes: tuple[int, ...]) -> tuple[int, ...]:
    strides: list[int] = []
    step = 1
    for size in reversed(sizes):
        strides.append(step)
        step *= size
    return tuple(reversed(strides))


def strided(view: View, start: Any, shape: Sequence[int], step: Any) -> View:
    """The view ``view[start :: step]`` of the given shape."""
    by = sum(first * stride for first, stride in zip(start, view.strides, strict=True))
    strides = [s * stride for s, stride in zip(step, view.strides, strict=True)]
    return view.moved(shape, strides, 0 if 0 in shape else by)


def reshaped_strides(
    old: Sequence[int], strides: Sequence[int], new: Sequence[int]
) -> tuple[int, ...] | None:
    """The strides that show an array of shape ``old`` in shape ``new``, if any do.

    Runs of axes of equal size in both shapes are matched; within a run the old strides
    must be those of one long axis.
    """
    if 0 in new:
        return row_strides(new)
    pairs = [(n, s) for n, s in zip(old, strides, strict=True) if n != 1]
    found: list[int] = []
    i = j = 0
    while j < len(new):
        if new[j] == 1:
            found.append(0)
            j += 1
            continue
        start, have, want, first = i, 1, 1, j
        while have != want or have == 1:
            if have <= want:
                have *= pairs[i][0]
                i += 1
            else:
                want *= new[j]
                j += 1
        run = pairs[start:i]
        for (_, outer), (size, inner) in pairwise(run):
            if outer != inner * size:
                return None
        while j < len(new) and new[j] == 1:
            j += 1
        step = run[-1][1]
        found += [stride * step for stride in row_strides(new[first:j])]
    return tuple(found)


def side_by_side(views: Sequence[View], axis: int) -> View | None:
    """The view that shows ``views`` joined along an axis, None where none does.

    A value beside itself is not shown by a stride of 0: its copies are places too.

    >>> from anabranch.ir import spec
    >>> rows = [View(0, 8 * start, spec("f64[1,3]"), (3, 1)) for start in (0, 3, 6)]
    >>> side_by_side(rows, 0).type.shape, side_by_side(rows, 1).type.shape
    ((3, 3), (1, 9))
    >>> side_by_side(rows[::-1], 0).strides
    (-3, 1)
    >>> side_by_side([rows[0], rows[2], rows[1]], 0) is None
    True
    """
    filled = [view for view in views if 0 not in view.type.shape]
    if not filled:
        return None
    first = filled[0]
    rows = [(view.buffer, view.steps) for view in filled]
    around = {(buffer, row[:axis], row[axis + 1 :]) for buffer, row in rows}
    strides = {step for _, row in rows if (step := row[axis]) is not None}
    for before, after in pairwise(filled):
        distance = (after.offset - before.offset) // first.type.numpy.itemsize
        stride, rest = divmod(distance, before.type.shape[axis])
        strides.add(stride)
        if rest or stride == 0 or len(strides) > 1 or len(around) > 1:
            return None
    shape = list(first.type.shape)
    shape[axis] = sum(view.type.shape[axis] for view in filled)
    steps = list(first.strides)
    steps[axis] = next(iter(strides), steps[axis])
    return first.moved(shape, steps)
