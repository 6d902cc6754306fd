"""Polynomials: NumPy's functions of coefficients, the highest power first, and series.

`series` evaluates what `numpy.polynomial` has, the lowest first: by Horner's rule for
powers and Clenshaw's (1955) for the orthogonal ones, in NumPy's order of operations.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...ir.errors import ShapeError, UnsupportedError
from ..tracing.lowerings import lowers
from ..tracing.running import as_array, find_trace
from ..tracing.trace import Trace

__all__ = ["KINDS", "series"]

# For each kind, with c[k], the two sums before it, x, and k + 1: the next two sums.
_Turn = Callable[[Any, Any, Any, Any, float], tuple[Any, Any]]
_TURNS: dict[str, _Turn] = {
    "cheb": lambda c, a, b, x, n: (c - b, a + b * (2 * x)),
    "leg": lambda c, a, b, x, n: (
        c - b * ((n - 1) / n),
        a + b * x * ((2 * n - 1) / n),
    ),
    "herm": lambda c, a, b, x, n: (c - b * (2 * (n - 1)), a + b * (2 * x)),
    "herme": lambda c, a, b, x, n: (c - b * (n - 1), a + b * x),
    "lag": lambda c, a, b, x, n: (
        c - (b * (n - 1)) / n,
        a + (b * ((2 * n - 1) - x)) / n,
    ),
}
_LINES: dict[str, Callable[[Any], Any]] = {
    "cheb": lambda x: x,
    "leg": lambda x: x,
    "herm": lambda x: 2 * x,
    "herme": lambda x: x,
    "lag": lambda x: 1 - x,
}
KINDS = ("poly", *_TURNS)


def series(kind: str, x: Any, c: Any, tensor: bool = True) -> Any:
    """The series with the coefficients ``c`` along the first axis, at ``x``."""
    if np.ndim(c) > 1 and np.ndim(x) and tensor:
        c = np.reshape(c, np.shape(c) + (1,) * np.ndim(x))
    count = np.shape(c)[0]
    parts = [c[k] for k in range(count)]
    if kind == "poly":
        made = parts[-1] + x * 0
        for part in parts[-2::-1]:
            made = part + made * x
        return made
    if count == 1:
        return parts[0] + 0 * x
    low, high = parts[-2], parts[-1]
    for number in range(count - 1, 1, -1):
        low, high = _TURNS[kind](parts[number - 2], low, high, x, number)
    return low + high * _LINES[kind](x)


def _plain(trace: Trace, x: Any) -> Any:
    return as_array(trace.array(x))


@lowers(np.polyval)
def _polyval(trace: Trace, p: Any, x: Any) -> Any:
    p, x = _plain(trace, p), _plain(trace, x)
    made: Any = np.zeros_like(x)
    for k in range(p.shape[0]):
        made = made * x + p[k]
    return made


@lowers(np.polyder)
def _polyder(trace: Trace, p: Any, m: int = 1) -> Any:
    p = _plain(trace, p)
    if m < 0:
        raise ValueError("Order of derivative must be positive (see polyint)")
    for _ in range(m):
        p = p[:-1] * np.arange(p.shape[0] - 1, 0, -1)
    return p


@lowers(np.polyint)
def _polyint(trace: Trace, p: Any, m: int = 1, k: Any = None) -> Any:
    p = _plain(trace, p)
    if m < 0:
        raise ValueError("Order of integral must be positive (see polyder)")
    constants = _plain(trace, np.zeros(m) if k is None else np.atleast_1d(k))
    if constants.shape[0] == 1 and m > 1:
        constants = np.repeat(constants, m)
    if constants.shape[0] < m:
        raise ValueError("k must be a scalar or a rank-1 array of length 1 or >m.")
    for number in range(m):
        risen = p / np.arange(p.shape[0], 0, -1)
        p = np.concatenate((risen, constants[number : number + 1]))
    return p


def _of_both(function: Any, combine: Any) -> None:
    @lowers(function)
    def lower(trace: Trace, a1: Any, a2: Any) -> Any:
        rows = [np.atleast_1d(_plain(trace, a)) for a in (a1, a2)]
        length = max(row.shape[0] for row in rows)
        return combine(*(np.pad(row, (length - row.shape[0], 0)) for row in rows))


_of_both(np.polyadd, np.add)
_of_both(np.polysub, np.subtract)


@lowers(np.polymul)
def _polymul(trace: Trace, a1: Any, a2: Any) -> Any:
    return np.convolve(_plain(trace, a1), _plain(trace, a2))


@lowers(np.polydiv)
def _polydiv(trace: Trace, u: Any, v: Any) -> Any:
    """Long division; the remainder has the powers below the divisor's.

    NumPy cuts zeros off in front of the remainder, which only the values tell.
    """
    u, v = (np.atleast_1d(_plain(trace, row)) + 0.0 for row in (u, v))
    rest = u + v[0] * 0
    count = u.shape[0] - v.shape[0] + 1
    if count < 1:
        return np.zeros_like(rest, shape=1), rest
    scale = 1.0 / v[0]
    made: list[Any] = []
    for _ in range(count):
        made.append(scale * rest[0])
        below = rest[1 : v.shape[0]] - made[-1] * v[1:]
        rest = np.concatenate((below, rest[v.shape[0] :]))
    if v.shape[0] == 1:
        rest = np.zeros_like(rest, shape=1)
    return np.stack(made), rest


@lowers(np.poly)
def _poly(trace: Trace, seq_of_zeros: Any) -> Any:
    zeros = np.atleast_1d(_plain(trace, seq_of_zeros))
    if zeros.ndim != 1:
        raise UnsupportedError("np.poly of a matrix is not supported")
    made: Any = np.ones(1, zeros.dtype)
    for k in range(zeros.shape[0]):
        made = np.convolve(made, np.stack([np.ones_like(zeros[k]), -zeros[k]]))
    return made


@lowers(np.roots)
def _roots(trace: Trace, p: Any) -> Any:
    """The eigenvalues of the companion matrix, complex numbers always.

    How many there are NumPy sees in the first coefficient, which must not be 0.
    """
    p = trace.array(p)
    if np.ndim(p) != 1:
        raise ValueError("Input must be a rank-1 array.")
    count = np.shape(p)[0] - 1
    if count < 1:
        return np.zeros(0, np.complex128)
    b, message = trace.builder, "np.roots: the first coefficient is 0"
    counts = b.cast(trace.node(np.not_equal(p[0], 0)), "i64")
    counts = b.check(counts, low=1, high=2, error="value", message=message)
    first = np.where(trace.wrap(b.cast(counts, "bool")), p[0], 1)
    row = np.reshape(-p[1:] / first, (1, count))
    below = np.eye(count - 1, count, dtype=row.dtype)
    return np.linalg.eigvals(np.concatenate([row, below]))


@lowers(np.polyfit)
def _polyfit(
    trace: Trace,
    x: Any,
    y: Any,
    deg: int,
    rcond: Any = None,
    full: bool = False,
    w: Any = None,
    cov: Any = False,
) -> Any:
    """Least squares in scaled powers of x.

    Where x and w are known, it is a product with a matrix that is known too.
    """
    if full:
        raise UnsupportedError("polyfit: full= is not supported")
    x, y = _plain(trace, x) + 0.0, _plain(trace, y) + 0.0
    if x.ndim != 1 or y.ndim not in (1, 2) or x.shape[0] != y.shape[0]:
        raise ShapeError(f"polyfit: {x.shape} and {y.shape} are no points")
    powers = np.vander(x, int(deg) + 1)
    if w is not None:
        w = _plain(trace, w) + 0.0
        powers = powers * w[:, None]
        y = y * (w[:, None] if y.ndim == 2 else w)
    scale = np.sqrt(np.sum(powers * powers, axis=0))
    powers = powers / scale
    cut = x.shape[0] * np.finfo(x.dtype).eps if rcond is None else rcond
    if find_trace(powers) is None:
        made = np.matmul(np.linalg.pinv(powers, cut), y)
    else:
        made = np.linalg.lstsq(powers, y, cut)[0]
    made = (made.T / scale).T
    if cov is False:
        return made
    shape = np.linalg.inv(np.matmul(powers.T, powers)) / np.outer(scale, scale)
    return made, shape * _spread(powers * scale, y, made, cov)


def _spread(powers: Any, y: Any, made: Any, cov: Any) -> Any:
    """What the covariance of fitted coefficients is scaled by."""
    if cov == "unscaled":
        return 1.0
    free = powers.shape[0] - powers.shape[1]
    if free <= 0:
        raise ValueError(
            "the number of data points must exceed order to scale the covariance matrix"
        )
    if y.ndim == 2:
        raise UnsupportedError("polyfit: cov= of several columns is not supported")
    apart = y - np.matmul(powers, made)
    return np.sum(apart * apart) / free
