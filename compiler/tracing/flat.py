"""``x.flat`` of a traced array: its elements in C order, to be read and written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from .tracer import Tracer

__all__ = ["Flat"]


class Flat:
    """The elements of an array along one axis; what is read is a copy."""

    def __init__(self, base: Tracer) -> None:
        self.base = base

    def row(self) -> Any:
        """All of them, in an array of its own."""
        return np.copy(np.reshape(self.base, -1))

    copy = row

    def __len__(self) -> int:
        return self.base.size

    def __iter__(self) -> Iterator[Any]:
        return iter(self.row())

    def __getitem__(self, index: Any) -> Any:
        return self.row()[index]

    def __setitem__(self, index: Any, value: Any) -> None:
        row = self.row()
        row[index] = value
        self.base.write(np.reshape(row, self.base.shape))

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.asarray(self.row(), dtype)
