"""`root` and `fixed_point`: systems of equations, solved by Newton and by iteration."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ...ir.errors import ArgumentError
from ..calls.tracebacks import shows_users_frames
from ..counts import check_counts
from ..frontend.calls import takes_functions
from ..loop import while_loop
from .closed import Closed, unknown
from .constants import eye, full
from .entry import require, solver
from .implicit import DENSE, implicit, newton_step
from .options import check_iterations
from .refused import refuse_options

__all__ = ["RootResult", "fixed_point", "is_dense", "root", "tolerance"]

_ARMIJO = 1e-4
_SHORTEST = 2.0**-30  # the least part of a step of Newton's


class RootResult(NamedTuple):
    """What `root` or `fixed_point` found.

    ``x`` is the solution, ``success`` whether it is as exact as asked for,
    ``iterations`` how many steps it took, and ``residual`` the largest magnitude that
    is left of f(x), or of f(x) - x. Only ``x`` has a derivative.
    """

    x: Any
    success: Any
    iterations: Any
    residual: Any


@takes_functions
@shows_users_frames
def root(
    f: Callable[..., Any],
    x0: Any,
    *args: Any,
    jacobian: str | None = None,
    tol: float | None = None,
    max_iterations: int = 50,
    throw: bool = True,
    **others: Any,
) -> RootResult:
    """An x with ``f(x, *args) = 0``, by Newton's method.

    A step is halved until it makes f smaller. The derivative is that of the implicit
    function theorem, by ``args`` and by all else that ``f`` reads: one linear system,
    whatever took the iterations, and right at every order. By ``x0`` it is zero.

    Args:
        f: A function of a pytree like ``x0``, which returns one of the same structure
            and shapes.
        x0: A pytree of real numbers to start from.
        args: What ``f`` takes behind x.
        jacobian: ``dense``, a matrix and its factorization; ``krylov``, products with
            it alone, in GMRES. Without it ``dense`` for up to 100 unknowns.
        tol: The largest magnitude of f that counts as 0; a whole step of Newton's that
            changes x by less than this part will do as well. By default 1e-10, and
            1e-5 for float32.
        max_iterations: The most steps.
        throw: Whether it is a `DomainError` when running if that is not enough. Else
            ``success`` says so.
        others: Options of SciPy's, each of which is refused with what to do instead.

    Returns:
        A `RootResult`; its ``x`` has the structure of ``x0``.

    Raises:
        ArgumentError: For another ``jacobian``, or an ``x0`` that is not of real
            numbers.
        TraceError: Where ``f`` returns another structure or other shapes.
        DomainError: When running, as ``throw`` says.
        LinAlgError: When running, where a dense Jacobian is singular.

    >>> import numpy as np, anabranch
    >>> def wrong(x, a):
    ...     return x * x - a
    >>> anabranch.root(wrong, 1.0, 4.0).x.round(9)
    np.float64(2.0)
    >>> slope = anabranch.grad(lambda a: anabranch.root(wrong, 1.0, a).x)
    >>> slope(4.0).round(9)
    np.float64(0.25)
    """
    refuse_options("root", others)
    check_iterations("root", f, tol, max_iterations)
    return solver(
        root,
        _root,
        f,
        (x0, *args),
        {
            "jacobian": jacobian,
            "tol": tol,
            "max_iterations": max_iterations,
            "throw": throw,
        },
    )


def is_dense(what: str, jacobian: str | None, size: int) -> bool:
    """Whether a Jacobian is to be a matrix."""
    if jacobian not in (None, "dense", "krylov"):
        raise ArgumentError(
            f"{what}: no jacobian {jacobian!r}", hint="it is 'dense' or 'krylov'"
        )
    return size <= DENSE if jacobian is None else jacobian == "dense"


def tolerance(tol: float | None, dtype: np.dtype[Any], least: float = 1e-10) -> Any:
    """A tolerance in a dtype, of which few digits are left in float32."""
    few = dtype == np.float32
    return dtype.type((max(least, 1e-5) if few else least) if tol is None else tol)


def _root(
    f: Callable[..., Any],
    x0: Any,
    *args: Any,
    jacobian: str | None,
    tol: float | None,
    max_iterations: int,
    throw: bool,
) -> RootResult:
    start, lay = unknown("the x0 of root", x0)
    dense = is_dense("root", jacobian, lay.size)

    def value(z: Any) -> Any:
        return lay.ravel("the function of root", f(lay.unravel(z), *args))

    closed = Closed.of("the function of root", value, [lay.type], f)
    find = partial(_newton, closed, dense, tolerance(tol, lay.dtype), max_iterations)
    made = implicit(closed, find, start, dense)
    return _result(
        "root: Newton's method has found none", lay, made, throw, max_iterations
    )


def _result(what: str, lay: Any, made: Any, throw: bool, most: int) -> RootResult:
    z, success, count, residual = made
    if throw:
        z = require(z, success, f"{what} within {most} iterations")
    return RootResult(lay.unravel(z), success, count, residual)


def _newton(
    closed: Closed, dense: bool, tol: Any, most: int, f: Any, start: Any, reads: Any
) -> Any:
    """Newton's method with backtracking: z, whether it is one, steps, and what is left.

    Dennis and Schnabel, Numerical Methods for Unconstrained Optimization and Nonlinear
    Equations, section 6.3, with halves for the interpolation.
    """

    def size(value: Any) -> Any:
        return np.max(np.abs(value))

    def goes_on(state: Any) -> Any:
        _, _, done, failed, count = state
        return ~done & ~failed & (count < most)

    def step(state: Any) -> Any:
        z, value, _, _, count = state
        d = newton_step(closed, z, reads, value, dense)
        before = np.sum(value * value)

        def is_worse(trial: Any) -> Any:
            part, _, found = trial
            fine = np.sum(found * found) <= (1 - 2 * _ARMIJO * part) * before
            return ~fine & (part > _SHORTEST)

        def shorter(trial: Any) -> Any:
            part = trial[0] / 2
            return part, z + part * d, f(z + part * d)

        one = z.dtype.type(1)
        first = one, z + d, f(z + d)
        part, new, found = while_loop(is_worse, shorter, first)
        small = (part == 1) & np.isfinite(size(d)) & (size(d) <= tol * size(new))
        failed = part <= _SHORTEST
        # What cannot be made smaller may be as small as rounding lets it be.
        done = (size(found) <= tol) | small
        new, found = np.where(failed, z, new), np.where(failed, value, found)
        return new, found, done, failed, count + 1

    value = f(start)
    state = start, value, size(value) <= tol, np.bool_(False), np.int64(0)
    z, value, done, _, count = while_loop(goes_on, step, state)
    return z, done, count, size(value)


@takes_functions
@shows_users_frames
def fixed_point(
    f: Callable[..., Any],
    x0: Any,
    *args: Any,
    memory: int = 5,
    jacobian: str | None = None,
    tol: float | None = None,
    max_iterations: int = 1000,
    throw: bool = True,
    **others: Any,
) -> RootResult:
    """An x with ``f(x, *args) = x``, by iteration.

    The derivative is that of the implicit function theorem, as that of `root`.

    Args:
        f: A function of a pytree like ``x0``, which returns one of the same structure
            and shapes.
        x0: A pytree of real numbers to start from.
        args: What ``f`` takes behind x.
        memory: How many earlier iterates Anderson's acceleration mixes, 0 for
            ``x = f(x)`` alone.
        jacobian: How derivatives solve their system: ``dense`` or ``krylov``, as in
            `root`.
        tol: How far f(x) may be from x, at most, in magnitudes of 1 + max |x|. By
            default 1e-10, and 1e-5 for float32.
        max_iterations: The most calls of ``f``.
        throw: Whether it is a `DomainError` when running if that is not enough. Else
            ``success`` says so.
        others: Options of SciPy's, each of which is refused with what to do instead.

    Returns:
        A `RootResult`; its ``x`` has the structure of ``x0``.

    Raises:
        ArgumentError: For a negative ``memory``, another ``jacobian``, or an ``x0``
            that is not of real numbers.
        TraceError: Where ``f`` returns another structure or other shapes.
        DomainError: When running, as ``throw`` says.

    >>> import numpy as np, anabranch
    >>> anabranch.fixed_point(np.cos, 1.0).x.round(6)
    np.float64(0.739085)
    """
    refuse_options("fixed_point", others)
    check_iterations("fixed_point", f, tol, max_iterations)
    check_counts("fixed_point", 0, memory=memory)
    return solver(
        fixed_point,
        _fixed_point,
        f,
        (x0, *args),
        {
            "memory": memory,
            "jacobian": jacobian,
            "tol": tol,
            "max_iterations": max_iterations,
            "throw": throw,
        },
    )


def _fixed_point(
    f: Callable[..., Any],
    x0: Any,
    *args: Any,
    memory: int,
    jacobian: str | None,
    tol: float | None,
    max_iterations: int,
    throw: bool,
) -> RootResult:
    start, lay = unknown("the x0 of fixed_point", x0)
    dense = is_dense("fixed_point", jacobian, lay.size)
    what = "the function of fixed_point"

    def apart(z: Any) -> Any:
        return lay.ravel(what, f(lay.unravel(z), *args)) - z

    closed = Closed.of(what, apart, [lay.type], f)
    find = partial(
        _anderson, min(memory, lay.size), tolerance(tol, lay.dtype), max_iterations
    )
    made = implicit(closed, find, start, dense)
    return _result(
        "fixed_point: the iteration has found none", lay, made, throw, max_iterations
    )


def _anderson(memory: int, tol: Any, most: int, f: Any, start: Any, reads: Any) -> Any:
    """Anderson's acceleration of z + f(z), which keeps differences of earlier steps.

    Walker and Ni, Anderson Acceleration for Fixed-Point Iterations, SIAM Journal on
    Numerical Analysis 49, 2011, section 2, by normal equations with a small ridge.
    """

    def is_there(z: Any, left: Any) -> Any:
        size = np.max(np.abs(left))
        return np.isfinite(size) & (size <= tol * (1 + np.max(np.abs(z))))

    def goes_on(state: Any) -> Any:
        z, left, _, _, count = state
        return ~is_there(z, left) & (count < most) & np.all(np.isfinite(left))

    def step(state: Any) -> Any:
        z, left, moves, changes, count = state
        new = z + left
        if memory:
            gram = changes @ changes.T
            ridge = 1e-12 * np.sum(changes * changes) + np.finfo(z.dtype).tiny
            ridge = ridge.astype(z.dtype) * eye(memory, z.dtype)
            weights = np.linalg.solve(gram + ridge, changes @ left)
            new = new - weights @ (moves + changes)
        found = f(new)
        if memory:
            place = count % memory
            moves, changes = np.copy(moves), np.copy(changes)
            moves[place], changes[place] = new - z, found - left
        return new, found, moves, changes, count + 1

    none = full((memory, start.shape[0]), 0.0, start.dtype)
    state = start, f(start), none, none, np.int64(1)
    z, left, *_, count = while_loop(goes_on, step, state)
    return z, is_there(z, left), count, np.max(np.abs(left))
