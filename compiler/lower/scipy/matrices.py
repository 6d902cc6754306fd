"""Functions of matrices, of `scipy.linalg`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ....ir.errors import ShapeError
from ....ir.ops.expm import exponential
from ....ir.ops.logm import logarithm
from ....ir.ops.schur import square_root, sylvester
from ...tracing.lowerings import lowers_in
from ...tracing.trace import Trace
from ..linalg import matrix
from ..ufuncs import reject
from .linalg import lowers_scipy

__all__ = ["solve_sylvester"]


@lowers_scipy("expm")
def _expm(trace: Trace, A: Any) -> Any:
    return trace.wrap(exponential(trace.builder, matrix(trace, A, "expm")))


def _of_expm(name: str, combine: Callable[[Any, Any], Any], turn: complex) -> None:
    """A function of matrices that is made of two exponentials."""

    @lowers_scipy(name)
    def lower(trace: Trace, A: Any) -> Any:
        a = trace.wrap(matrix(trace, A, name))
        made = combine(*(_expm(trace, turn * a * sign) for sign in (1, -1)))
        return made if a.dtype.kind == "c" else made.real


for _name, _turn in (("", 1j), ("h", 1.0)):
    _of_expm(f"cos{_name}m", lambda up, down: (up + down) / 2, _turn)
    _of_expm(f"sin{_name}m", lambda up, down, t=_turn: (up - down) / (2 * t), _turn)
    _of_expm(
        f"tan{_name}m",
        lambda up, down, t=_turn: np.linalg.solve(up + down, (up - down) / t),
        _turn,
    )


@lowers_in("scipy.linalg", "expm_frechet")
def _expm_frechet(
    trace: Trace,
    A: Any,
    E: Any,
    method: Any = None,
    compute_expm: bool = True,
    check_finite: bool = True,
) -> Any:
    """The exponential, and how it moves as the matrix does: Higham 2008, (3.16)."""
    a, e = (trace.wrap(matrix(trace, x, "expm_frechet")) for x in (A, E))
    n = np.shape(a)[0]
    whole = np.block([[a, e], [np.zeros_like(a), a]])
    made = trace.wrap(exponential(trace.builder, trace.node(whole)))
    moved = made[:n, n:]
    return (made[:n, :n], moved) if compute_expm else moved


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
def solve_sylvester(trace: Trace, a: Any, b: Any, q: Any) -> Any:
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
