"""Values of several types in one array of bytes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from ...backends.base import Array
from ...backends.signature import Packed
from ...ir.types import TensorType

__all__ = ["Layout"]

ALIGNMENT = 16  # of the memory of a NumPy array


class Layout:
    """Where values lie in one block, a C-contiguous array of bytes."""

    def __init__(self, types: Sequence[TensorType]) -> None:
        self.types = tuple(types)
        sizes = [-(-type_.nbytes // ALIGNMENT) * ALIGNMENT for type_ in types]
        *self.offsets, self.nbytes = accumulate(sizes, initial=0)

    def __len__(self) -> int:
        return len(self.types)

    def fits(self, values: Sequence[Any]) -> bool:
        """Whether values are arrays or scalars of NumPy of exactly these types."""
        return all(
            isinstance(value, (np.ndarray, np.generic))
            and (value.dtype, value.shape) == (type_.numpy, type_.shape)
            for value, type_ in zip(values, self.types, strict=True)
        )

    def pack(self, values: Sequence[Any]) -> Array:
        """A new block with copies of the values."""
        block = np.empty(self.nbytes, np.uint8)
        for place, value in enumerate(values):
            self._array(block, place)[...] = value
        return block

    def view(self, block: Array, place: int) -> Any:
        """The array at a place of a block; of rank 0, a scalar of NumPy."""
        made = self._array(block, place)
        return made if made.ndim else made[()]

    def packed(self, numbers: Sequence[int]) -> Packed:
        """A part of arguments or results: these inputs or outputs, in one block."""
        return Packed(numbers, self.types, self.offsets, self.nbytes)

    def _array(self, block: Array, place: int) -> Array:
        type_ = self.types[place]
        return np.ndarray(type_.shape, type_.numpy, block, self.offsets[place])
