"""Functions of matrices, of `scipy.linalg`."""

from __future__ import annotations

from typing import Any

from ...ir.errors import ShapeError
from ...ir.ops.expm import exponential
from ...ir.ops.schur import logarithm, square_root, sylvester
from ..tracing.lowerings import lowers_in
from ..tracing.trace import Trace
from .linalg import matrix
from .scipy_linalg import lowers_scipy
from .ufuncs import reject

__all__: list[str] = []


@lowers_scipy("expm")
def _expm(trace: Trace, A: Any) -> Any:
    return trace.wrap(exponential(trace.builder, matrix(trace, A, "expm")))


@lowers_scipy("sqrtm")
def _sqrtm(trace: Trace, A: Any, **how: Any) -> Any:
    reject({name: value for name, value in how.items() if name != "blocksize"})
    return trace.wrap(square_root(trace.builder, matrix(trace, A, "sqrtm")))


@lowers_in("scipy.linalg", "logm")
def _logm(trace: Trace, A: Any, **how: Any) -> Any:
    """Wide of narrow numbers too, as SciPy's."""
    reject(how)
    return trace.wrap(logarithm(trace.builder, matrix(trace, A, "logm")))


@lowers_scipy("solve_sylvester", arrays=3)
def _solve_sylvester(trace: Trace, a: Any, b: Any, q: Any) -> Any:
    """``a x + x b = q`` of one matrix each, or of stacks that are as long."""
    given = [matrix(trace, x, "solve_sylvester") for x in (a, b)]
    given.append(matrix(trace, q, "solve_sylvester", square=False))
    left, right, other = given
    lead = left.type.shape[:-2]
    rows, columns = left.type.shape[-1], right.type.shape[-1]
    if right.type.shape[:-2] != lead or other.type.shape != (*lead, rows, columns):
        raise ShapeError(
            f"solve_sylvester: {left.type}, {right.type} and {other.type} do not fit"
        )
    if any(x.type.is_complex for x in given):
        given = [trace.builder.cast(x, "c128") for x in given]
    return trace.wrap(sylvester(trace.builder, *given))
