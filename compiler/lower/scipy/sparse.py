"""Products of a known sparse matrix of `scipy.sparse` and a dense operand.

The entries are gathered, multiplied, and added by rows; the gradient in the dense
operand is the same with rows and columns exchanged.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ....ir.errors import ShapeError, UnsupportedError
from ....ir.types import dtype_name
from ...tracing.lowerings import lowers_in
from ...tracing.trace import Trace

__all__ = ["is_sparse", "product"]

MODULE = "scipy.sparse"
_CLASSES = [
    f"{name}_{kind}"
    for kind in ("matrix", "array")
    for name in ("bsr", "coo", "csc", "dia", "lil", "csr")
]


def is_sparse(value: Any) -> bool:
    """Whether a value is a sparse matrix or array."""
    kind = type(value)
    return kind.__module__.startswith("scipy.sparse.") and hasattr(kind, "tocoo")


def product(trace: Trace, matrix: Any, dense: Any) -> Any:
    """``matrix @ dense``, of a vector or a matrix."""
    x = trace.array(dense)
    if len(matrix.shape) != 2 or x.ndim not in (1, 2):
        raise UnsupportedError(
            f"the product of a sparse array of {len(matrix.shape)} dimensions and "
            f"a dense one of {x.ndim} is not supported",
            hint="it takes a matrix, and a vector or a matrix",
        )
    if matrix.shape[1] != x.shape[0]:
        raise ShapeError(f"a sparse {matrix.shape} times a dense {x.shape}")
    entries = matrix.tocsr().tocoo()  # by rows, equal places added
    rows, columns = (np.asarray(k, np.int64) for k in entries.coords)
    dtype = dtype_name(np.result_type(entries.data.dtype, x.dtype))
    data = np.reshape(entries.data, (-1, *(1,) * (x.ndim - 1)))
    b = trace.builder
    values = b.take(trace.node(x, dtype), trace.node(columns), axis=0)
    parts = b.mul(values, b.broadcast(trace.node(data, dtype), values.type))
    made = b.scatter_add(parts, trace.node(rows), axis=0, size=matrix.shape[0])
    return trace.wrap(made)


@lowers_in(MODULE, *(f"{name}.dot" for name in _CLASSES))
def _dot(trace: Trace, self: Any, other: Any) -> Any:
    if not is_sparse(self):
        raise UnsupportedError("a sparse matrix with traced entries is not supported")
    return product(trace, self, other)
