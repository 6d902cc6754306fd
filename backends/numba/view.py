"""Where a value lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...ir.types import TensorType

__all__ = ["View", "row_strides"]


@dataclass(frozen=True, slots=True)
class View:
    """Where a value lies: byte offset in a buffer, strides in elements."""

    buffer: int
    offset: int
    type: TensorType
    strides: tuple[int, ...]

    @property
    def is_contiguous(self) -> bool:
        """Whether the elements lie in C order without gaps."""
        sizes = self.type.sizes
        return 0 in sizes or all(
            size == 1 or stride == row
            for size, stride, row in zip(
                sizes, self.strides, row_strides(sizes), strict=True
            )
        )

    def moved(self, shape: Sequence[int], strides: Sequence[int], by: int = 0) -> View:
        """Another view of the same buffer, ``by`` elements further on."""
        offset = self.offset + by * self.type.numpy.itemsize
        return View(
            self.buffer, offset, self.type.with_shape(tuple(shape)), tuple(strides)
        )

    def reshaped(self, shape: Sequence[int]) -> View:
        """A contiguous view in another shape."""
        return self.moved(shape, row_strides(shape))


def row_strides(sizes: Sequence[int]) -> tuple[int, ...]:
    """The strides of a C-contiguous array, in elements."""
    strides: list[int] = []
    step = 1
    for size in reversed(sizes):
        strides.append(step)
        step *= size
    return tuple(reversed(strides))
