"""``np.r_``, ``np.c_``, ``np.mgrid`` and ``np.ogrid`` where something is traced."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...ir.errors import TraceError
from ..lower.ragged.allocations import counted
from ..tracing.running import find_trace
from ..tracing.trace import Trace

__all__ = ["built"]


def built(trace: Trace, maker: Any, index: Any) -> Any:
    """``maker[index]``, for one of NumPy's objects that make arrays of an index."""
    parts = index if isinstance(index, tuple) else (index,)
    if maker is np.s_ or maker is np.index_exp:
        return maker[index]
    if any(isinstance(part, str) for part in parts):
        raise TraceError(
            "np.r_ and np.c_ with a text are not supported for traced values",
            hint="join them by np.concatenate, np.stack or np.column_stack",
        )
    if maker is np.r_ or maker is np.c_:
        rows = [_row(trace, part) for part in parts]
        return np.concatenate(rows) if maker is np.r_ else np.column_stack(rows)
    return _grid(trace, index, parts, sparse=maker is np.ogrid)


def _row(trace: Trace, part: Any) -> Any:
    if not isinstance(part, slice):
        return np.atleast_1d(trace.array(part))
    if isinstance(part.step, complex):
        start = 0 if part.start is None else part.start
        return np.linspace(start, part.stop, int(abs(part.step)))
    return _steps(trace, part)


def _steps(trace: Trace, part: slice[Any, Any, Any]) -> Any:
    start = 0 if part.start is None else part.start
    step = 1 if part.step is None else part.step
    if find_trace((start, part.stop, step)) is None:
        return np.arange(start, part.stop, step)
    return counted(trace, (start, part.stop, step), None)


def _points(trace: Trace, part: slice[Any, Any, Any]) -> Any:
    """The places along an axis: as many as an imaginary step says, both ends included.

    NumPy multiplies the number of a place by a step, which `np.linspace` does not.
    """
    if not isinstance(part.step, complex):
        return _steps(trace, part)
    count = int(abs(part.step))
    start = 0 if part.start is None else part.start
    step = (part.stop - start) / float(count - 1) if count != 1 else part.step.imag
    return np.arange(count) * step + start


def _grid(trace: Trace, index: Any, parts: tuple[Any, ...], sparse: bool) -> Any:
    rows = [_points(trace, part) for part in parts]
    if not isinstance(index, tuple):
        return rows[0]
    to = np.result_type(*(row.dtype for row in rows))
    grid = np.meshgrid(*(row.astype(to) for row in rows), indexing="ij", sparse=sparse)
    return grid if sparse else np.stack(grid)
