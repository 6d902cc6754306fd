"""`linear_solve`: linear systems given by an array or by what multiplies a vector."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ...ir.errors import ArgumentError
from ...ir.graph import Node
from ...ir.ops.linearity import may_add
from ...ir.types import TensorType
from ..calls.tracebacks import shows_users_frames
from ..counts import check_counts
from ..frontend.calls import takes_functions
from ..regions import check_functions, region_graph, taken_in, trace_region
from ..tree import flatten
from .closed import Closed, unknown
from .constants import full, here
from .entry import require, solver
from .krylov import METHODS, Map, Solver, norm
from .options import check_limits

__all__ = ["LinearResult", "checked", "linear_solve", "solution"]

_NOT_LINEAR = (
    "linear_solve: the operator is not linear: of zeros it makes something else"
)
_REGIONS = "solve", "apply", "solve_adjoint", "apply_adjoint"


class LinearResult(NamedTuple):
    """What `linear_solve` found.

    ``x`` is the solution, ``success`` whether the residual is as small as asked for,
    ``iterations`` how many products with A it took, and ``residual`` the norm of
    b - A x. Only ``x`` has a derivative.
    """

    x: Any
    success: Any
    iterations: Any
    residual: Any


@takes_functions
@shows_users_frames
def linear_solve(
    operator: Any,
    b: Any,
    *,
    method: str = "gmres",
    preconditioner: Callable[[Any], Any] | None = None,
    tol: float = 1e-10,
    max_iterations: int | None = None,
    throw: bool = True,
) -> LinearResult:
    """Solve A x = b by products with A.

    The derivative is another solution of the same kind, x̄ ↦ A⁻ᵀ x̄, at every order and
    whatever took the iterations. It is by ``b`` and by all that ``operator`` reads.

    Args:
        operator: A matrix, or a linear function v -> A v of pytrees like ``b``.
        b: A pytree of real numbers.
        method: ``gmres``, restarted after 30 vectors; ``bicgstab``, which keeps few
            vectors; ``cg`` for a symmetric positive definite A.
        preconditioner: A linear function v -> about A⁻¹ v. The result does not depend
            on it, but for rounding.
        tol: The norm of b - A x is to be at most this times that of b. Rounding in the
            iterations may leave up to ten times as much, which counts as success.
        max_iterations: The most products with A; without it 10 for each unknown, and
            at least 100.
        throw: Whether it is a `DomainError` when running if that is not enough. Else
            ``success`` says so.

    Returns:
        A `LinearResult`; its ``x`` has the structure of ``b``.

    Raises:
        ArgumentError: For a method of another name, or a ``b`` without real numbers.
        TraceError: Where ``operator`` returns another structure or other shapes.
        DomainError: When running, as ``throw`` says, and where ``operator`` adds
            something to A v.

    >>> import numpy as np, anabranch
    >>> a = np.array([[4.0, 1.0], [1.0, 3.0]])
    >>> b = np.array([6.0, 7.0])
    >>> made = anabranch.linear_solve(lambda v: a @ v, b, method="cg")
    >>> made.x.round(9), int(made.iterations)
    (array([1., 2.]), 2)
    """
    if preconditioner is not None:
        check_functions("the preconditioner of linear_solve", preconditioner)
    check_limits("linear_solve", tol=tol)
    if max_iterations is not None:
        check_counts("linear_solve", 0, max_iterations=max_iterations)
    return solver(
        linear_solve,
        _linear_solve,
        operator,
        (b,),
        {
            "method": method,
            "preconditioner": preconditioner,
            "tol": tol,
            "max_iterations": max_iterations,
            "throw": throw,
        },
    )


def _linear_solve(
    operator: Any,
    b: Any,
    *,
    method: str,
    preconditioner: Any,
    tol: float,
    max_iterations: int | None,
    throw: bool,
) -> LinearResult:
    if method not in METHODS:
        raise ArgumentError(
            f"linear_solve: no method {method!r}", hint=f"one of {', '.join(METHODS)}"
        )
    rhs, lay = unknown("the b of linear_solve", b)
    most = max(100, 10 * lay.size) if max_iterations is None else max_iterations
    if isinstance(operator, str) or operator is None:
        raise ArgumentError(
            f"linear_solve: {operator!r} is neither a matrix nor a function"
        )

    def mapped(what: str, function: Any) -> Closed:
        def run(v: Any) -> Any:
            return lay.ravel(f"the {what}", function(lay.unravel(v)))

        return Closed.of(f"the {what} of linear_solve", run, [lay.type], function)

    multiply = operator if callable(operator) else partial(np.matmul, operator)
    product = mapped("operator", multiply)
    forth, back = _both(product, lay.type)
    if may_add(product.graph, [product.graph.inputs[0].name]):
        of_zeros = forth(full(lay.type.shape, 0.0, lay.type.numpy))
        rhs = require(rhs, np.all(of_zeros == 0), _NOT_LINEAR)
    near_forth, near_back = _same, _same
    if preconditioner is not None:
        near = mapped("preconditioner", preconditioner)
        near_forth, near_back = _both(near, lay.type)
    iterate = partial(METHODS[method], tol=tol, most=most)
    message = f"linear_solve: {method} leaves too large a residual" if throw else None
    solve, solve_back = [
        checked(partial(iterate, precondition=one), 10 * tol, message)
        for one in (near_forth, near_back)
    ]
    x, *told = solution(forth, back, solve, solve_back, rhs)
    return LinearResult(lay.unravel(x), *told)


def checked(iterate: Solver, tol: float, message: str | None) -> Solver:
    """What ``iterate`` makes, whether it is exact enough, and what is left.

    With a message it is an error when running if it is not, in derivatives too.
    """

    def solve(apply: Map, b: Any) -> Any:
        x, count = iterate(apply, b)
        left = norm(b - apply(x))
        success = left <= tol * norm(b)
        if message is not None:
            x = require(x, success, message)
        return x, success, count, left

    return solve


def _same(v: Any) -> Any:
    return v


def _both(a: Closed, type_: TensorType) -> tuple[Map, Map]:
    """A linear function, and its adjoint: where it is differentiated is the same."""

    def forth(v: Any) -> Any:
        return a(v, *a.reads)

    def back(v: Any) -> Any:
        return a.pull(full(type_.shape, 0.0, type_.numpy), *a.reads, v, of=[0])[0]

    return forth, back


def solution(
    apply: Map, adjoint: Map, solve: Solver, solve_adjoint: Solver, b: Any
) -> list[Any]:
    """What ``solve(apply, b)`` makes, of which the first has the derivative of A⁻¹ b.

    ``adjoint`` multiplies with the adjoint of A, ``solve_adjoint`` solves with it.
    """
    trace = here()
    given = flatten((0,))[1], [(trace.node(b).type, False)]
    functions = (
        partial(solve, apply),
        apply,
        partial(solve_adjoint, adjoint),
        adjoint,
    )
    regions = [
        trace_region(name, "a linear system", function, *given, apply, labels=["v"])
        for name, function in zip(_REGIONS, functions, strict=True)
    ]
    found: dict[str, Node] = {}
    own = [taken_in(trace, region, found) for region in regions]
    made = trace.builder.add_node(
        "linear_solve",
        trace.node(b),
        *found.values(),
        regions=tuple(
            [region_graph(*pair, found) for pair in zip(regions, own, strict=True)]
        ),
    )
    return list(map(trace.wrap, made.values))
