"""The implicit function theorem as a rule: where F(z, p) = 0,

    F_z dz + F_p dp = 0,    so    p̄ = -F_pᵀ w    with    F_zᵀ w = z̄.

So a derivative costs one linear system, however z was found. The rule is differentiated
like any other function, and z in it is the solution again: every order is right.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ..transforms.custom import custom_vjp
from .closed import Closed
from .constants import here
from .krylov import gmres
from .linear import checked, solution

__all__ = ["DENSE", "implicit", "lenient_solve", "newton_step"]

DENSE = 100  # unknowns, up to which the Jacobian is a matrix
_EXACT = 1e-13  # of what is left of a system, in a derivative
_SINGULAR = "no derivative of a solution: GMRES does not solve with its Jacobian"
_LOOSE = 1e-4  # the same in a step that is corrected by the next one


def implicit(
    f: Closed, algorithm: Callable[..., Any], start: Any, dense: bool
) -> tuple[Any, ...]:
    """What ``algorithm(f, start, reads)`` makes, a z with f(z) = 0 and more.

    z has the derivative by all that f reads, and none by ``start``; the rest has none.
    """

    def run(start: Any, *reads: Any) -> Any:
        return algorithm(lambda *z: f(*z, *reads), start, reads)

    solve = custom_vjp(run)

    def forward(start: Any, *reads: Any) -> Any:
        made = solve(start, *reads)
        return made, (made[0], reads)

    def backward(kept: Any, bars: Any) -> Any:
        z, reads = kept
        w = _pulled_through(f, z, reads, bars[0], dense)
        places = range(1, 1 + len(reads))
        return None, *f.pull(z, *reads, -w, of=places)

    solve.defvjp(forward, backward)
    return solve(start, *f.reads)


def _pulled_through(f: Closed, z: Any, reads: Any, bar: Any, dense: bool) -> Any:
    """The w with F_zᵀ w = z̄."""
    if dense:
        return np.linalg.solve(f.jacobian(z, *reads).T, bar)

    def forth(v: Any) -> Any:
        return f.push(z, *reads, v)

    def back(v: Any) -> Any:
        return f.pull(z, *reads, v, of=[0])[0]

    enough = float(np.sqrt(np.finfo(z.dtype).eps))
    solve = checked(_by_gmres(_EXACT, z.shape[0]), enough, _SINGULAR)
    return solution(back, forth, solve, solve, bar)[0]


def _by_gmres(tol: float, size: int) -> Callable[..., Any]:
    most = max(100, 10 * size)
    return partial(gmres, precondition=lambda v: v, tol=tol, most=most)


def newton_step(f: Closed, z: Any, reads: Any, value: Any, dense: bool) -> Any:
    """The d with F_z d = -F."""
    if dense:
        return lenient_solve(f.jacobian(z, *reads), -value)
    solve = _by_gmres(_LOOSE, z.shape[0])
    return solve(lambda v: f.push(z, *reads, v), -value)[0]


def lenient_solve(a: Any, b: Any) -> Any:
    """A⁻¹ b, which is not finite where A is singular: such a step is refused."""
    if b.shape == (1,):
        return b / a[0]
    trace = here()
    builder, matrix = trace.builder, trace.node(a)
    factors, order, _ = builder.lu(matrix).values
    column = trace.node(np.reshape(b, (-1, 1)))
    made = builder.solve_lu(
        matrix, factors, order, column, transposed=False, strict=False
    )
    return np.reshape(trace.wrap(made), (-1,))
