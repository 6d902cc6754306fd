"""Layouts: whether NumPy makes a view or a copy of an array in another shape.

That depends on strides. They are known where a memory is in C order, and where an
array has one axis, whose elements are apart by one stride in any layout.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

if TYPE_CHECKING:
    from .paths import Path
    from .views import Memory

__all__ = ["is_contiguous", "is_view"]


def is_view(path: Path, memory: Memory, shape: Sequence[int]) -> bool:
    """Whether what a path shows is a view in another shape, as far as is known."""
    shown = _shown(path, memory)
    return shown is not None and _reshaped(shown, shape) is not None


def is_contiguous(path: Path, memory: Memory) -> bool | None:
    """Whether what a path shows lies in C order; None where nobody knows."""
    if not memory.is_ordered:
        return None
    shown = _shown(path, memory)
    return shown is not None and path.part is None and bool(shown.flags.c_contiguous)


def _shown(path: Path, memory: Memory) -> Any:
    """An array without memory that has the strides of what a path shows."""
    if path.through is not None:
        before, shape = path.through
        shown = _shown(before, memory)
        shown = None if shown is None else _reshaped(shown, shape)
        if shown is None:
            return None
        strides = shown.strides
    elif memory.is_ordered:
        strides = _strides(memory.shape)
    elif sum(n > 1 for n in path.shape) <= 1:
        return as_strided(np.zeros(1, np.int8), path.shape, (1,) * len(path.shape))
    else:
        return None
    apart = [by * stride for by, stride in zip(path.extent.step, strides, strict=True)]
    along = [0 if axis is None else apart[axis] for axis in path.axes]
    return as_strided(np.zeros(1, np.int8), path.shape, along)


def _strides(shape: Sequence[int]) -> list[int]:
    made = [1]
    for size in reversed(shape[1:]):
        made.insert(0, made[0] * max(size, 1))
    return made[: len(shape)]


def _reshaped(shown: Any, shape: Sequence[int]) -> Any:
    try:
        return np.reshape(shown, shape, copy=False)
    except ValueError:  # it would be a copy
        return None
