"""`minimize`: minima of smooth functions, as roots of their gradients."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ...ir.errors import ArgumentError, TraceError
from ..calls.tracebacks import shows_users_frames
from ..frontend.calls import takes_functions
from ..loop import while_loop
from ..tracing.running import dtype_of
from ..tree import flatten, outline
from .closed import Closed, array, unknown
from .constants import eye
from .entry import require, solver
from .implicit import implicit
from .options import check_iterations
from .refused import refuse_options
from .roots import is_dense, tolerance

__all__ = ["MinimizeResult", "minimize"]

_ARMIJO, _CURVATURE = 1e-4, 0.9
_TRIALS = 60  # of a line search


class MinimizeResult(NamedTuple):
    """What `minimize` found.

    ``x`` is the minimum, ``fun`` the value there, ``success`` whether the gradient is
    as small as asked for, ``iterations`` how many steps it took, and ``residual`` the
    largest magnitude in the gradient. ``x`` and ``fun`` have derivatives.
    """

    x: Any
    fun: Any
    success: Any
    iterations: Any
    residual: Any


@takes_functions
@shows_users_frames
def minimize(
    f: Callable[..., Any],
    x0: Any,
    *args: Any,
    method: str = "bfgs",
    jacobian: str | None = None,
    tol: float | None = None,
    max_iterations: int = 500,
    throw: bool = True,
    **others: Any,
) -> MinimizeResult:
    """A local minimum of ``f(x, *args)`` by x.

    The derivative is that of the implicit function theorem where the gradient is 0, as
    that of `root`, so the Hessian must not be singular there.

    Args:
        f: A function of a pytree like ``x0`` that returns one real number.
        x0: A pytree of real numbers to start from.
        args: What ``f`` takes behind x.
        method: ``bfgs``, which keeps a matrix; ``newton-cg``, which takes products with
            the Hessian alone.
        jacobian: How derivatives solve with the Hessian: ``dense`` or ``krylov``, as in
            `root`.
        tol: The largest magnitude in the gradient that counts as 0. By default 1e-8,
            and 1e-4 for float32.
        max_iterations: The most steps.
        throw: Whether it is a `DomainError` when running if that is not enough. Else
            ``success`` says so.
        others: Options of SciPy's, each of which is refused with what to do instead.

    Returns:
        A `MinimizeResult`; its ``x`` has the structure of ``x0``.

    Raises:
        ArgumentError: For another ``method`` or ``jacobian``, or an ``x0`` that is not
            of real numbers.
        TraceError: Where ``f`` does not return one real number.
        DomainError: When running, as ``throw`` says.

    >>> import numpy as np, anabranch
    >>> def rosenbrock(x, a):
    ...     return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (a - x[:-1]) ** 2)
    >>> made = anabranch.minimize(rosenbrock, np.zeros(2), 1.0)
    >>> made.x.round(6)
    array([1., 1.])
    """
    refuse_options("minimize", others)
    check_iterations("minimize", f, tol, max_iterations)
    return solver(
        minimize,
        _minimize,
        f,
        (x0, *args),
        {
            "method": method,
            "jacobian": jacobian,
            "tol": tol,
            "max_iterations": max_iterations,
            "throw": throw,
        },
    )


def _minimize(
    f: Callable[..., Any],
    x0: Any,
    *args: Any,
    method: str,
    jacobian: str | None,
    tol: float | None,
    max_iterations: int,
    throw: bool,
) -> MinimizeResult:
    if method not in _METHODS:
        raise ArgumentError(
            f"minimize: no method {method!r}", hint=f"one of {', '.join(_METHODS)}"
        )
    start, lay = unknown("the x0 of minimize", x0)
    dense = is_dense("minimize", jacobian, lay.size)

    def value(z: Any) -> Any:
        return _number(f(lay.unravel(z), *args), lay.dtype)

    closed = Closed.of("the function of minimize", value, [lay.type], f)
    slope = closed.gradient()
    least = tolerance(tol, lay.dtype, 1e-8)
    find = partial(_METHODS[method], closed, slope, least, max_iterations)
    made = implicit(slope, find, start, dense)
    z, success, count, left = made
    if throw:
        what = f"minimize: no minimum within {max_iterations} steps of {method}"
        z = require(z, success, what)
    return MinimizeResult(
        lay.unravel(z), closed(z, *closed.reads), success, count, left
    )


def _number(value: Any, dtype: np.dtype[Any]) -> Any:
    structure = flatten(value)[1]
    if not structure.is_leaf():
        raise TraceError(
            f"the function of minimize returns {outline(structure)}, not one number",
            hint="sum it up, as np.sum(x ** 2)",
        )
    kind = dtype_of(value).kind
    if np.shape(value) != () or kind not in "fiu":
        raise TraceError(
            f"the function of minimize returns a value of shape {np.shape(value)} and "
            f"kind {kind!r}, not one real number",
            hint="sum it up, as np.sum(x ** 2)",
        )
    return array(value, dtype)


class _Trial(NamedTuple):
    """A step of a line search, the two that it is looked for between, and f there."""

    part: Any
    low: Any
    high: Any
    value: Any
    slope: Any
    count: Any


def _search(f: Any, slope: Any, z: Any, d: Any, value: Any, g: Any) -> Any:
    """The step along d that fulfils the conditions of Wolfe, if one is found.

    Lewis and Overton, Nonsmooth Optimization via Quasi-Newton Methods, Mathematical
    Programming 141, 2013, algorithm 2.6. Differences that are lost in rounding count as
    a descent where the slope is none, as in Hager and Zhang's line search of 2005.
    """
    kind = z.dtype.type
    along = np.sum(g * d)
    rounding = 4 * np.finfo(z.dtype).eps * np.abs(value)

    def descends(t: Any) -> Any:
        exact = t.value <= value + _ARMIJO * t.part * along
        slow = np.sum(t.slope * d)
        flat = (t.value <= value + rounding) & (slow <= -0.8 * along)
        return exact | flat

    def curves(t: Any) -> Any:
        return np.sum(t.slope * d) >= _CURVATURE * along

    def goes_on(t: Any) -> Any:
        return ~(descends(t) & curves(t)) & (t.count < _TRIALS)

    def at(part: Any, low: Any, high: Any, count: Any) -> Any:
        new = z + part * d
        return _Trial(part, low, high, f(new), slope(new), count)

    def step(t: Any) -> Any:
        down = descends(t)
        low, high = np.where(down, t.part, t.low), np.where(down, t.high, t.part)
        part = np.where(np.isinf(high), 2 * low, (low + high) / 2)
        return at(part, low, high, t.count + 1)

    t = while_loop(goes_on, step, at(kind(1), kind(0), kind(np.inf), np.int64(0)))
    return t, descends(t) & (t.part > 0)


def _bfgs(
    closed: Closed, _: Closed, tol: Any, most: int, slope: Any, z: Any, reads: Any
) -> Any:
    """Nocedal and Wright, Numerical Optimization, 2nd edition, algorithm 6.1."""

    def f(z: Any) -> Any:
        return closed(z, *reads)

    def goes_on(state: Any) -> Any:
        _, _, g, _, stuck, count = state
        return (np.max(np.abs(g)) > tol) & ~stuck & (count < most)

    def step(state: Any) -> Any:
        z, value, g, inverse, _, count = state
        d = -(inverse @ g)
        is_down = np.sum(d * g) < 0
        d = np.where(is_down, d, -g)
        t, moved = _search(f, slope, z, d, value, g)
        s, y = t.part * d, t.slope - g
        sy = np.sum(s * y)
        good = moved & (sy > np.finfo(z.dtype).eps * np.sum(y * y))
        first = (count == 0) & good
        scale = np.where(first, sy / np.where(good, np.sum(y * y), 1), z.dtype.type(1))
        updated = _updated(scale * inverse, s, y, np.where(good, sy, 1))
        kept = np.where(is_down, inverse, identity)
        return (
            np.where(moved, z + s, z),
            np.where(moved, t.value, value),
            np.where(moved, t.slope, g),
            np.where(good, updated, kept),
            ~moved & is_down,
            count + 1,
        )

    identity = eye(z.shape[0], z.dtype)
    start = z, f(z), slope(z), identity, np.bool_(False), np.int64(0)
    z, _, g, _, _, count = while_loop(goes_on, step, start)
    left = np.max(np.abs(g))
    return z, left <= tol, count, left


def _updated(inverse: Any, s: Any, y: Any, sy: Any) -> Any:
    """(I - s yᵀ/sᵀy) H (I - y sᵀ/sᵀy) + s sᵀ/sᵀy."""
    hy = inverse @ y
    factor = (1 + np.sum(y * hy) / sy) / sy
    cross = np.outer(hy, s)
    return inverse - (cross + cross.T) / sy + factor * np.outer(s, s)


def _newton_cg(
    closed: Closed,
    gradient: Closed,
    tol: Any,
    most: int,
    slope: Any,
    z: Any,
    reads: Any,
) -> Any:
    """Nocedal and Wright, algorithm 7.1: Newton's steps by conjugate gradients."""

    def f(z: Any) -> Any:
        return closed(z, *reads)

    def goes_on(state: Any) -> Any:
        _, _, g, stuck, count = state
        return (np.max(np.abs(g)) > tol) & ~stuck & (count < most)

    def step(state: Any) -> Any:
        z, value, g, _, count = state
        d = _direction(lambda v: gradient.push(z, *reads, v), g)
        t, moved = _search(f, slope, z, d, value, g)
        return (
            np.where(moved, z + t.part * d, z),
            np.where(moved, t.value, value),
            np.where(moved, t.slope, g),
            ~moved,
            count + 1,
        )

    start = z, f(z), slope(z), np.bool_(False), np.int64(0)
    z, _, g, _, count = while_loop(goes_on, step, start)
    left = np.max(np.abs(g))
    return z, left <= tol, count, left


def _direction(times_hessian: Any, g: Any) -> Any:
    """A direction of descent, as exact as the gradient is small.

    It ends at a direction of no curvature, the first of which is that of the gradient.
    """
    size = np.sqrt(np.sum(g * g))
    limit = np.minimum(g.dtype.type(0.5), np.sqrt(size)) * size
    most = 2 * g.shape[0] + 10

    def goes_on(state: Any) -> Any:
        _, r, _, flat, count = state
        return (np.sqrt(np.sum(r * r)) > limit) & ~flat & (count < most)

    def step(state: Any) -> Any:
        d, r, p, _, count = state
        q = times_hessian(p)
        curvature, rr = np.sum(p * q), np.sum(r * r)
        flat = curvature <= 0
        length = rr / np.where(flat, 1, curvature)
        new = np.where(flat, np.where(count == 0, -g, d), d + length * p)
        r = r + length * q
        return new, r, np.sum(r * r) / rr * p - r, flat, count + 1

    start = np.zeros_like(g), g, -g, np.bool_(False), np.int64(0)
    return while_loop(goes_on, step, start)[0]


_METHODS: dict[str, Callable[..., Any]] = {"bfgs": _bfgs, "newton-cg": _newton_cg}
