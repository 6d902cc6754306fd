"""Systems, pseudo-inverses and eigenvalues, of `scipy.linalg`."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ....ir.errors import ShapeError
from ....ir.ops.linalg import adjoined
from ...tracing.lowerings import lowers_in
from ...tracing.trace import Trace
from ..linalg import matrix, wide
from ..matrices import toeplitz
from ..ufuncs import reject
from .linalg import lowers_scipy
from .matrices import solve_sylvester

__all__: list[str] = []


@lowers_in("scipy.linalg", "norm")
def _norm(
    trace: Trace,
    a: Any,
    ord: Any = None,
    axis: Any = None,
    keepdims: bool = False,
    check_finite: bool = True,
) -> Any:
    return np.linalg.norm(trace.array(a), ord, axis, keepdims)


def _rounding(a: Any) -> float:
    """Of the numbers that SciPy computes with."""
    return float(np.finfo(a.dtype if a.dtype.kind in "fc" else np.float64).eps)


def _limit(a: Any, rtol: Any) -> float:
    """Up to which part of the largest one a singular value counts as 0."""
    return max(np.shape(a)[-2:]) * _rounding(a) if rtol is None else rtol


@lowers_in("scipy.linalg", "pinv")
def _pinv(
    trace: Trace,
    a: Any,
    *,
    atol: Any = None,
    rtol: Any = None,
    return_rank: bool = False,
    check_finite: bool = True,
) -> Any:
    reject({"atol": atol, "return_rank": return_rank or None})
    a = trace.array(a)
    return np.linalg.pinv(a, rcond=_limit(a, rtol))


@lowers_in("scipy.linalg", "pinvh")
def _pinvh(
    trace: Trace,
    a: Any,
    atol: Any = None,
    rtol: Any = None,
    lower: bool = True,
    return_rank: bool = False,
    check_finite: bool = True,
) -> Any:
    """Of a Hermitian matrix, of which one triangle is read."""
    reject({"atol": atol, "return_rank": return_rank or None})
    a = trace.array(a)
    half = a if lower else np.conj(np.swapaxes(a, -1, -2))
    return np.linalg.pinv(half, rcond=_limit(a, rtol), hermitian=True)


@lowers_in("scipy.linalg", "lstsq")
def _lstsq(
    trace: Trace,
    a: Any,
    b: Any,
    cond: Any = None,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    lapack_driver: Any = None,
) -> Any:
    a, b = trace.array(a), trace.array(b)
    limit = _rounding(a) if cond is None else cond
    x, left, rank, values = np.linalg.lstsq(a, b, rcond=limit)
    if np.ndim(b) == 1 and np.shape(left) == (1,):
        left = left[0]
    return x, left, rank.astype(np.int64), values


@lowers_in("scipy.linalg", "eig")
def _eig(
    trace: Trace,
    a: Any,
    b: Any = None,
    left: bool = False,
    right: bool = True,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    homogeneous_eigvals: bool = False,
) -> Any:
    flags = {"left": left, "homogeneous_eigvals": homogeneous_eigvals}
    reject({"b": b, **{name: flag or None for name, flag in flags.items()}})
    values, vectors = np.linalg.eig(trace.array(a))
    return (values, vectors) if right else values


@lowers_in("scipy.linalg", "eigvals")
def _eigvals(
    trace: Trace,
    a: Any,
    b: Any = None,
    overwrite_a: bool = False,
    check_finite: bool = True,
    homogeneous_eigvals: bool = False,
) -> Any:
    reject({"b": b, "homogeneous_eigvals": homogeneous_eigvals or None})
    return np.linalg.eigvals(trace.array(a))


@lowers_scipy("solve_continuous_lyapunov", "solve_lyapunov", arrays=2)
def _solve_continuous_lyapunov(trace: Trace, a: Any, q: Any) -> Any:
    """``a x + x aᴴ = q``."""
    node = matrix(trace, a, "solve_continuous_lyapunov")
    return solve_sylvester(trace, a, trace.wrap(adjoined(trace.builder, node)), q)


@lowers_in("scipy.linalg", "solve_discrete_lyapunov")
def _solve_discrete_lyapunov(trace: Trace, a: Any, q: Any, method: Any = None) -> Any:
    """``x = a x aᴴ + q``, as one system of all entries, or by a continuous one."""
    a = trace.wrap(matrix(trace, a, "solve_discrete_lyapunov"))
    q = trace.wrap(matrix(trace, q, "solve_discrete_lyapunov"))
    n = np.shape(a)[0]
    if method is None:
        method = "direct" if n < 10 else "bilinear"
    if method not in ("direct", "bilinear"):
        raise ValueError(f"the method is direct or bilinear, not {method!r}")
    one = np.eye(n)
    if method == "direct":
        system = np.eye(n * n) - np.kron(a, np.conj(a))
        return np.reshape(np.linalg.solve(system, np.reshape(q, -1)), (n, n))
    turned = np.conj(a.T)
    inverse = np.linalg.inv(turned + one)
    middle = 2 * np.linalg.inv(a + one) @ q @ inverse
    moved = np.conj(((turned - one) @ inverse).T)
    return _solve_continuous_lyapunov(trace, moved, -middle)


@lowers_in("scipy.linalg", "solve_toeplitz")
def _solve_toeplitz(
    trace: Trace, c_or_cr: Any, b: Any, check_finite: bool = True
) -> Any:
    """By the matrix itself, where SciPy recurs."""
    both = c_or_cr if isinstance(c_or_cr, tuple) else (c_or_cr,)
    right = trace.wrap(wide(trace, b))
    return np.linalg.solve(toeplitz(trace, *both), right)


@lowers_scipy("solve_circulant", arrays=2)
def _solve_circulant(
    trace: Trace,
    c: Any,
    b: Any,
    singular: str = "raise",
    tol: Any = None,
    caxis: int = -1,
    baxis: int = 0,
    outaxis: int = 0,
) -> Any:
    """A quotient of Fourier transforms; of a singular matrix infinities."""
    axes = {"caxis": caxis != -1, "baxis": baxis != 0, "outaxis": outaxis != 0}
    flags = {"singular": singular != "raise", "tol": tol is not None, **axes}
    reject({name: flag or None for name, flag in flags.items()})
    c, b = trace.array(c), trace.array(b)
    if np.ndim(c) != 1 or np.shape(b)[:1] != np.shape(c):
        raise ShapeError(
            f"solve_circulant: c of shape {np.shape(c)} does not fit b of shape "
            f"{np.shape(b)}"
        )
    shares = np.reshape(np.fft.fft(c), (-1, *(1 for _ in np.shape(b)[1:])))
    made = np.fft.ifft(np.fft.fft(b, axis=0) / shares, axis=0)
    return made if "c" in (c.dtype.kind, b.dtype.kind) else made.real


@lowers_in("scipy.linalg", "khatri_rao")
def _khatri_rao(trace: Trace, a: Any, b: Any) -> Any:
    """The products of Kronecker of the columns."""
    a, b = trace.array(a), trace.array(b)
    if np.ndim(a) != 2 or np.ndim(b) != 2 or np.shape(a)[1] != np.shape(b)[1]:
        raise ShapeError(
            f"khatri_rao: a of shape {np.shape(a)} and b of shape {np.shape(b)} are no "
            "matrices of as many columns"
        )
    made = a[:, None, :] * b[None, :, :]
    return np.reshape(made, (-1, np.shape(a)[1]))


@lowers_in("scipy.linalg", "convolution_matrix")
def _convolution_matrix(trace: Trace, a: Any, n: int, mode: str = "full") -> Any:
    """Whose product with a vector of n entries is the convolution with ``a``."""
    a, n = trace.array(a), operator.index(n)
    if np.ndim(a) != 1 or not np.size(a) or n <= 0:
        raise ValueError("convolution_matrix expects a one-dimensional array a, n >= 1")
    if mode not in ("full", "valid", "same"):
        raise ValueError("'mode' argument must be one of ('full', 'valid', 'same')")
    taps = np.shape(a)[0]
    down, across = np.ogrid[: taps + n - 1, :n]
    places = down - across
    inside = (places >= 0) & (places < taps)
    made = np.take(a, np.clip(places, 0, taps - 1)) * inside
    count = {"full": taps + n - 1, "same": max(taps, n), "valid": abs(taps - n) + 1}
    start = (taps + n - 1 - count[mode]) // 2
    return made[start : start + count[mode]]
