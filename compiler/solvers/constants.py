"""Arrays that are nodes of the graph, where those of NumPy would be inputs of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...ir.types import TensorType, dtype_name
from ..tracing.running import active_trace
from ..tracing.trace import Trace

__all__ = ["eye", "full", "here", "positions"]


def here() -> Trace:
    """The trace that solvers build into."""
    trace = active_trace()
    assert trace is not None, "solvers are compiled"
    return trace.innermost


def full(shape: tuple[int, ...], value: float, dtype: Any) -> Any:
    """An array full of one number."""
    trace = here()
    type_ = TensorType(dtype_name(np.dtype(dtype)), shape)
    return trace.wrap(trace.builder.full(type_, value))


def positions(count: int, axis: int = 0, rank: int = 1) -> Any:
    """The numbers from 0 on along one of several axes of the same length."""
    trace = here()
    shape = (count,) * rank
    return trace.wrap(trace.builder.iota(shape=shape, axis=axis, dtype="i64"))


def eye(count: int, dtype: Any) -> Any:
    """The identity matrix."""
    return (positions(count, 0, 2) == positions(count, 1, 2)).astype(dtype)
