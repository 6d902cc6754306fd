"""Functions of NumPy and SciPy, each in a loss that is written once for every library.

Their floor is value and gradient by hand, with calls of NumPy, SciPy and LAPACK: the
formulas of a paper, no triangle computed twice, no factorization that can be shared.
All numbers are float64.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np

from .model import Loss, Model

__all__ = ["FUNCTIONS", "functions"]

Arguments = Callable[[np.random.Generator], list[Any]]


# A Gaussian process: theta is log amplitude, log inverse square length, log noise.


def _process(rng: np.random.Generator, n: int) -> list[Any]:
    """Points so near that no covariance is subnormal: those take LAPACK four times."""
    x = np.sort(rng.uniform(0.0, 5.0, n))
    squares = (x[:, None] - x) ** 2
    return [np.array([0.1, -0.7, -2.0]), squares, rng.normal(size=n)]


def _covariance(xp: Any, theta: Any, squares: Any) -> Any:
    noise = xp.exp(theta[2]) * xp.eye(len(squares))
    return xp.exp(theta[0] - xp.exp(theta[1]) * squares) + noise


def _by_cholesky(xp: Any) -> Loss:
    def loss(theta: Any, squares: Any, y: Any) -> Any:
        factor = xp.linalg.cholesky(_covariance(xp, theta, squares))
        z = xp.solve_triangular(factor, y)
        return 0.5 * xp.sum(z * z) + xp.sum(xp.log(xp.diag(factor)))

    return loss


def _by_slogdet(xp: Any) -> Loss:
    def loss(theta: Any, squares: Any, y: Any) -> Any:
        k = _covariance(xp, theta, squares)
        _, logdet = xp.linalg.slogdet(k)
        return 0.5 * xp.sum(y * xp.linalg.solve(k, y)) + 0.5 * logdet

    return loss


def _process_by_hand(inverse: Callable[..., Any]) -> Callable[..., Any]:
    """``K.bar = (K⁻¹ - a aᵀ) / 2`` with ``K a = y``: Rasmussen, Williams 2006, 5.9."""

    def by_hand(theta: Any, squares: Any, y: Any) -> Any:
        amplitude, scale, noise = theta[0], np.exp(theta[1]), np.exp(theta[2])
        smooth = np.multiply(squares, -scale)
        smooth += amplitude
        np.exp(smooth, out=smooth)
        k = smooth.copy()
        k.ravel()[:: len(k) + 1] += noise
        a, logdet, bar = inverse(k, y)
        bar -= np.outer(a, a)
        trace = np.trace(bar)
        bar *= smooth
        slope = -scale * np.vdot(bar, squares)
        gradient = 0.5 * np.array([np.sum(bar), slope, noise * trace])
        return 0.5 * (y @ a + logdet), (gradient,)

    return by_hand


def _definite(k: Any, y: Any) -> tuple[Any, Any, Any]:
    """By potrf, potrs and potri."""
    lapack: Any = import_module("scipy.linalg.lapack")
    factor, _ = lapack.dpotrf(k.T, lower=0, overwrite_a=1)
    a, _ = lapack.dpotrs(factor, y, lower=0)
    logdet = 2.0 * np.sum(np.log(np.diag(factor)))
    half, _ = lapack.dpotri(factor, lower=0, overwrite_c=1)
    half = np.triu(half)
    whole = half + half.T
    whole.ravel()[:: len(k) + 1] *= 0.5
    return a, logdet, whole


def _general(k: Any, y: Any) -> tuple[Any, Any, Any]:
    """By getrf, getrs and getri."""
    lapack: Any = import_module("scipy.linalg.lapack")
    factors, order, _ = lapack.dgetrf(k.T, overwrite_a=1)
    a, _ = lapack.dgetrs(factors, order, y, trans=1)
    logdet = np.sum(np.log(np.abs(np.diag(factors))))
    work = 64 * len(k)
    found, _ = lapack.dgetri(factors, order, lwork=work, overwrite_lu=1)
    return a, logdet, found.T


# Stacks of small matrices.


def _stack(rng: np.random.Generator, count: int, n: int) -> list[Any]:
    """Matrices, and weights that are matrices as well."""
    shape = (count, n, n)
    return [rng.normal(size=shape) + 3.0 * np.eye(n), rng.normal(size=shape)]


def _systems(rng: np.random.Generator, count: int, n: int) -> list[Any]:
    """Matrices, and right sides."""
    a, _ = _stack(rng, count, n)
    return [a, rng.normal(size=(count, n, 1))]


def _inverses(xp: Any) -> Loss:
    return lambda a, w: xp.sum(w * xp.linalg.inv(a))


def _inverses_by_hand(a: Any, w: Any) -> Any:
    inverse = np.linalg.inv(a)
    turned = inverse.mT
    return np.vdot(w, inverse), (-(turned @ w @ turned),)


def _determinants(xp: Any) -> Loss:
    return lambda a, w: xp.sum(w[:, 0, 0] * xp.linalg.det(a))


def _determinants_by_hand(a: Any, w: Any) -> Any:
    w = w[:, 0, 0]
    found = np.linalg.det(a)
    return np.vdot(w, found), (np.linalg.inv(a).mT * (w * found)[:, None, None],)


def _solutions(xp: Any) -> Loss:
    def loss(a: Any, b: Any) -> Any:
        x = xp.linalg.solve(a, b)
        return xp.sum(x * x)

    return loss


def _solutions_by_hand(a: Any, b: Any) -> Any:
    x = np.linalg.solve(a, b)
    bar = np.linalg.solve(a.mT, 2.0 * x)
    return np.vdot(x, x), (-bar * x.mT, bar)


# Eigenvalues and singular values, in losses that do not depend on the vectors' signs.


def _matrix(rng: np.random.Generator, m: int, n: int) -> list[Any]:
    return [rng.normal(size=(m, n)), rng.normal(size=(m, n))]


def _eigen(xp: Any) -> Loss:
    def loss(a: Any, w: Any) -> Any:
        values, vectors = xp.linalg.eigh(0.5 * (a + a.T) / len(a) ** 0.5)
        return xp.sum(w * ((vectors * xp.exp(values)) @ vectors.T))

    return loss


def _eigen_by_hand(a: Any, w: Any) -> Any:
    """Divided differences: Higham 2008, "Functions of matrices", theorem 3.11."""
    root = len(a) ** 0.5
    values, v = np.linalg.eigh(0.5 * (a + a.T) / root)
    powers = np.exp(values)
    inner = v.T @ w @ v
    distance = values[:, None] - values
    np.fill_diagonal(distance, 1.0)
    quotient = (powers[:, None] - powers) / distance
    np.fill_diagonal(quotient, powers)
    inner *= quotient
    bar = v @ (inner + inner.T) @ v.T
    return powers @ np.diag(v.T @ w @ v), (bar * (0.5 / root),)


def _singular(xp: Any) -> Loss:
    def loss(a: Any, w: Any) -> Any:
        u, s, vt = xp.linalg.svd(a, full_matrices=False)
        return xp.sum(w * ((u * (s / (1.0 + s))) @ vt))

    return loss


def _singular_by_hand(a: Any, w: Any) -> Any:
    """Noferini 2017, "The Fréchet derivative of a generalized matrix function"."""
    u, s, vt = np.linalg.svd(a, full_matrices=False)
    f = s / (1.0 + s)
    across = w @ vt.T
    inner = u.T @ across
    distance = s[:, None] - s
    np.fill_diagonal(distance, 1.0)
    quotient = (f[:, None] - f) / distance
    np.fill_diagonal(quotient, 1.0 / (1.0 + s) ** 2)
    even = 0.5 * (inner + inner.T) * quotient
    odd = 0.5 * (inner - inner.T) * (f[:, None] + f) / (s[:, None] + s)
    ratio = f / s
    bar = (u @ (even + odd - inner * ratio) + across * ratio) @ vt
    return f @ np.diag(inner), (bar,)


# Vectors.


def _vector(rng: np.random.Generator, n: int) -> list[Any]:
    return [rng.normal(size=n), rng.normal(size=n)]


def _spectrum_arguments(rng: np.random.Generator, n: int) -> list[Any]:
    return [rng.normal(size=n), rng.uniform(size=n // 2 + 1)]


def _spectrum(xp: Any) -> Loss:
    return lambda x, w: xp.sum(w * xp.abs(xp.fft.rfft(x)) ** 2) / len(x)


def _spectrum_by_hand(x: Any, w: Any) -> Any:
    y = np.fft.rfft(x)
    power = w * (y.real**2 + y.imag**2)
    y *= w
    y[0] *= 2.0
    y[-1] *= 2.0  # of an even length
    return np.sum(power) / len(x), (np.fft.irfft(y),)


def _sorted(xp: Any) -> Loss:
    return lambda x, w: xp.sum(w * xp.sort(x))


def _sorted_by_hand(x: Any, w: Any) -> Any:
    order = np.argsort(x)
    bar = np.empty_like(x)
    bar[order] = w
    return np.vdot(w, x[order]), (bar,)


def _logsumexp(xp: Any) -> Loss:
    return lambda x: xp.logsumexp(x, axis=0)


def _logsumexp_by_hand(x: Any) -> Any:
    largest = np.max(x)
    powers = x - largest
    np.exp(powers, out=powers)
    total = np.sum(powers)
    powers /= total
    return largest + np.log(total), (powers,)


def _logsumexps(xp: Any) -> Loss:
    return lambda x, w: xp.sum(w * xp.logsumexp(x, axis=1))


def _logsumexps_by_hand(x: Any, w: Any) -> Any:
    largest = np.max(x, axis=1)
    powers = x - largest[:, None]
    np.exp(powers, out=powers)
    total = np.sum(powers, axis=1)
    powers *= (w / total)[:, None]
    return w @ (largest + np.log(total)), (powers,)


def _gamma(xp: Any) -> Loss:
    return lambda x, w: xp.sum(w * xp.gammaln(x))


def _gamma_by_hand(x: Any, w: Any) -> Any:
    special: Any = import_module("scipy.special")
    return np.vdot(w, special.gammaln(x)), (w * special.psi(x),)


def _table(rng: np.random.Generator, n: int, knots: int) -> list[Any]:
    """Places, values at the knots, the knots, and weights."""
    at = np.sort(rng.uniform(0.0, 1.0, knots))
    x = rng.uniform(-0.1, 1.1, n)
    return [x, rng.normal(size=knots), at, rng.normal(size=n)]


def _interpolated(xp: Any) -> Loss:
    return lambda x, f, at, w: xp.sum(w * xp.interp(x, at, f))


def _interpolated_by_hand(x: Any, f: Any, at: Any, w: Any) -> Any:
    i = np.clip(np.searchsorted(at, x, side="right") - 1, 0, len(at) - 2)
    steps = np.diff(at)
    slope = (np.diff(f) / steps)[i]
    inside = (x >= at[0]) & (x < at[-1])
    share = np.clip((x - at[i]) / steps[i], 0.0, 1.0) * w
    bar = np.bincount(i, w - share, len(at)) + np.bincount(i + 1, share, len(at))
    return np.vdot(w, np.interp(x, at, f)), (np.where(inside, w * slope, 0.0), bar)


def _row(
    name: str,
    make: Callable[[Any], Loss],
    by_hand: Callable[..., Any],
    arguments: Arguments,
    wrt: int = 1,
) -> Model:
    return Model(name, make, arguments, wrt, by_hand=by_hand)


def _processes(n: int) -> list[Model]:
    given = partial(_process, n=n)
    definite, general = _process_by_hand(_definite), _process_by_hand(_general)
    return [
        _row(f"Gaussian process {n}, cholesky", _by_cholesky, definite, given),
        _row(f"Gaussian process {n}, slogdet", _by_slogdet, general, given),
    ]


def _stacks(count: int, n: int) -> list[Model]:
    of, given = f"{n}x{n}, {count:,} of them", partial(_stack, count=count, n=n)
    systems = partial(_systems, count=count, n=n)
    return [
        _row(f"inv {of}", _inverses, _inverses_by_hand, given),
        _row(f"det {of}", _determinants, _determinants_by_hand, given),
        _row(f"solve {of}", _solutions, _solutions_by_hand, systems, 2),
    ]


def _spectra(n: int) -> Model:
    given = partial(_spectrum_arguments, n=n)
    return _row(f"rfft {n}", _spectrum, _spectrum_by_hand, given)


def _positive(rng: np.random.Generator, n: int) -> list[Any]:
    return [rng.uniform(0.1, 20.0, n), rng.normal(size=n)]


def _rows(rng: np.random.Generator, m: int, n: int) -> list[Any]:
    return [rng.normal(size=(m, n)), rng.normal(size=m)]


def functions(
    *,
    processes: tuple[int, ...] = (50, 500, 2000),
    count: int = 100_000,
    side: int = 200,
    spectra: tuple[int, ...] = (2**10, 2**14, 2**16, 2**20),
    length: int = 10**6,
) -> tuple[Model, ...]:
    """Every row; with other sizes for the tests."""
    vector = partial(_vector, n=length)
    tall = partial(_matrix, m=side, n=side // 4)
    rows = round(length**0.5)
    return (
        *(row for n in processes for row in _processes(n)),
        *(row for n in (3, 4) for row in _stacks(count, n)),
        _row(f"eigh {side}", _eigen, _eigen_by_hand, partial(_matrix, m=side, n=side)),
        _row(f"svd {side}x{side // 4}", _singular, _singular_by_hand, tall),
        *map(_spectra, spectra),
        _row(f"sort {length:,}", _sorted, _sorted_by_hand, vector),
        _row(
            f"logsumexp {length:,}",
            _logsumexp,
            _logsumexp_by_hand,
            lambda rng: [rng.normal(size=length)],
        ),
        _row(
            f"logsumexp of rows, {rows}x{rows}",
            _logsumexps,
            _logsumexps_by_hand,
            partial(_rows, m=rows, n=rows),
        ),
        _row(
            f"gammaln {length:,}", _gamma, _gamma_by_hand, partial(_positive, n=length)
        ),
        _row(
            f"interp {length // 10:,} among 1000",
            _interpolated,
            _interpolated_by_hand,
            partial(_table, n=length // 10, knots=1000),
            2,
        ),
    )


FUNCTIONS = functions()
