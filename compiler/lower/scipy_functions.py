"""Functions of matrices, of `scipy.linalg`."""

from __future__ import annotations

from typing import Any

from ...ir.ops.expm import exponential
from ..trace import Trace
from .linalg import matrix
from .scipy_linalg import lowers_scipy

__all__: list[str] = []


@lowers_scipy("expm")
def _expm(trace: Trace, A: Any) -> Any:
    return trace.wrap(exponential(trace.builder, matrix(trace, A, "expm")))
