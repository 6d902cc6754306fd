"""The operator ``@``, of which sparse matrices of SciPy's have their own."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..lower.scipy.sparse import is_sparse, product
from ..tracing.running import find_trace

__all__ = ["matmul"]


def matmul(left: Any, right: Any, /) -> Any:
    """``left @ right``"""
    if is_sparse(left) and (trace := find_trace(right)) is not None:
        return product(trace, left, right)
    if is_sparse(right) and (trace := find_trace(left)) is not None:
        return np.transpose(product(trace, right.T, np.transpose(left)))
    return left @ right
