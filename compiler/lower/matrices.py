"""Matrices that SciPy makes of vectors and of other matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...ir.errors import ShapeError
from ..tracing.lowerings import lowers_in
from ..tracing.trace import Trace

__all__ = ["toeplitz"]


@lowers_in("scipy.linalg", "block_diag")
def _block_diag(trace: Trace, *arrs: Any) -> Any:
    """The blocks side by side in rows that are zero elsewhere; stacks of them too."""
    blocks = [np.atleast_2d(trace.array(block)) for block in arrs]
    stack = np.broadcast_shapes(*[block.shape[:-2] for block in blocks])
    widths = [block.shape[-1] for block in blocks]
    rows: list[Any] = []
    for number, block in enumerate(blocks):
        block = np.broadcast_to(block, (*stack, *block.shape[-2:]))
        around = sum(widths[:number]), sum(widths[number + 1 :])
        rows.append(np.pad(block, ((0, 0),) * (block.ndim - 1) + (around,)))
    return np.concatenate(rows, -2)


@lowers_in("scipy.linalg", "toeplitz")
def toeplitz(trace: Trace, c: Any, r: Any = None) -> Any:
    """``t[i, j]`` is ``c[i - j]`` on and below the diagonal, ``r[j - i]`` above it.

    Without ``r`` it is the conjugate of c.
    """
    first = _vector(trace, c)
    row = np.conj(first) if r is None else _vector(trace, r)
    values = np.concatenate([np.flip(row[1:]), first])
    down, across = np.ogrid[: first.size, : row.size]
    return np.take(values, down - across + row.size - 1)


@lowers_in("scipy.linalg", "circulant")
def _circulant(trace: Trace, c: Any) -> Any:
    """Column j is ``c`` moved down by j places, around the end."""
    values = trace.array(c)
    size = values.shape[-1]
    down, across = np.ogrid[:size, :size]
    return np.take(values, (down - across) % max(size, 1), axis=-1)


@lowers_in("scipy.linalg", "hankel")
def _hankel(trace: Trace, c: Any, r: Any = None) -> Any:
    """``h[i, j]`` is entry i + j of ``c`` and then of ``r`` but its first."""
    first = _vector(trace, c)
    row = np.zeros_like(first) if r is None else _vector(trace, r)
    values = np.concatenate([first, row[1:]])
    down, across = np.ogrid[: first.size, : row.size]
    return np.take(values, down + across)


def _vector(trace: Trace, values: Any) -> Any:
    array = trace.array(values)
    if np.ndim(array) > 1:
        raise ShapeError(f"the first column is a vector, not {np.shape(array)}")
    return np.reshape(array, -1)
