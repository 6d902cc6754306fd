"""Distributions of vectors of `scipy.stats`: normal, Student's t, Dirichlet, counts.

Where SciPy raises for parameters that are none, the result is NaN; a covariance that is
not positive definite raises, as it does there.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from ....ir.errors import ShapeError, UnsupportedError
from ...tracing.lowerings import lowers_in
from ...tracing.running import is_traced
from ...tracing.trace import Trace
from ..ufuncs import reject
from .distributions import sp
from .linalg import triangular
from .stats import DRAWS, MODULE

__all__: list[str] = []


def _float(trace: Trace, value: Any) -> Any:
    array = trace.array(value)
    return array.astype(np.float64) if is_traced(array) else np.asarray(array, float)


def _squeezed(x: Any) -> Any:
    return np.squeeze(x) if np.ndim(x) else x


# Normal, and Student's t: by a factor of Cholesky's.


def _moments(trace: Trace, mean: Any, cov: Any) -> tuple[Any, Any, int]:
    """The mean, the matrix, and the dimension, as SciPy reads them."""
    cov = _float(trace, 1.0 if cov is None else cov)
    rank = np.ndim(cov)
    if mean is None:
        mean = np.zeros(cov.shape[0] if rank == 2 else 1)
    mean = _float(trace, mean)
    size = int(np.size(mean))
    mean = np.reshape(mean, (size,)) if size == 1 else mean
    if size == 1:
        cov = np.reshape(cov, (1, 1))
    elif rank == 0:
        cov = cov * np.eye(size)
    elif rank == 1:
        cov = np.diag(cov)
    if np.shape(mean) != (size,) or np.shape(cov) != (size, size):
        raise ShapeError(
            f"a mean {list(np.shape(mean))} and a covariance {list(np.shape(cov))}: "
            "one vector and one square matrix of its size are wanted"
        )
    return mean, cov, size


def _distances(trace: Trace, x: Any, mean: Any, cov: Any, size: int) -> tuple[Any, Any]:
    """The squared distances of Mahalanobis, and the logarithm of the determinant."""
    x = _float(trace, x)
    if np.ndim(x) == 0:
        x = np.reshape(x, (1,))
    if np.ndim(x) == 1:
        x = np.reshape(x, (-1, 1) if size == 1 else (1, -1))
    if np.shape(x)[-1] != size:
        raise ShapeError(f"points {list(np.shape(x))} have no {size} components")
    away = np.reshape(x - mean, (-1, size)).T
    factor = np.linalg.cholesky(cov)
    white = triangular(trace, factor, away, lower=True)
    logdet = 2 * np.sum(np.log(np.diagonal(factor)))
    return np.reshape(np.sum(white * white, axis=0), np.shape(x)[:-1]), logdet


def _normal(
    trace: Trace,
    x: Any,
    mean: Any = None,
    cov: Any = 1,
    allow_singular: bool = False,
) -> Any:
    _refuse_singular(allow_singular)
    mean, cov, size = _moments(trace, mean, cov)
    square, logdet = _distances(trace, x, mean, cov, size)
    return _squeezed(-0.5 * (size * math.log(2 * math.pi) + logdet + square))


def _refuse_singular(allow_singular: Any) -> None:
    reject({"allow_singular": allow_singular or None})


def _student(
    trace: Trace,
    x: Any,
    loc: Any = None,
    shape: Any = 1,
    df: Any = 1,
    allow_singular: bool = False,
) -> Any:
    _refuse_singular(allow_singular)
    loc, shape, size = _moments(trace, loc, shape)
    square, logdet = _distances(trace, x, loc, shape, size)
    df = _float(trace, df)
    half = (df + size) / 2
    norm = sp.gammaln(half) - sp.gammaln(df / 2) - size / 2 * np.log(df * math.pi)
    made = norm - 0.5 * logdet - half * np.log1p(square / df)
    return _squeezed(np.where(df > 0, made, np.nan))


# Dirichlet and multinomial.


def _dirichlet(trace: Trace, x: Any, alpha: Any) -> Any:
    """Components along the first axis; without the last it is what is left of 1."""
    x, alpha = _float(trace, x), _float(trace, alpha)
    size = np.shape(alpha)[0]
    if np.shape(x)[0] + 1 == size:
        x = np.concatenate([x, 1 - np.sum(x, axis=0, keepdims=True)], axis=0)
    if np.ndim(alpha) != 1 or np.shape(x)[0] != size:
        raise ShapeError(
            f"dirichlet: x of shape {np.shape(x)} does not fit alpha of shape "
            f"{np.shape(alpha)}"
        )
    column = np.reshape(alpha, (size, *(1,) * (np.ndim(x) - 1)))
    norm = np.sum(sp.gammaln(alpha)) - sp.gammaln(np.sum(alpha))
    made = np.sum(sp.xlogy(column - 1, x), axis=0) - norm
    known = np.all((x > 0) | ((x == 0) & (column >= 1)), axis=0) & np.all(alpha > 0)
    whole = np.abs(np.sum(x, axis=0) - 1) <= 1e-9
    return _squeezed(np.where(known & whole, made, np.nan))


def _multinomial(trace: Trace, x: Any, n: Any, p: Any) -> Any:
    """Probabilities that do not sum to 1 give NaN; no last one is adjusted."""
    x, n, p = _float(trace, x), _float(trace, n), _float(trace, p)
    ways = sp.gammaln(n + 1) - np.sum(sp.gammaln(x + 1), axis=-1)
    made = ways + np.sum(sp.xlogy(x, p), axis=-1)
    counts = np.all((x >= 0) & (x == np.floor(x)), axis=-1) & (np.sum(x, axis=-1) == n)
    known = (n >= 0) & np.all((p >= 0) & (p <= 1), axis=-1)
    whole = np.abs(np.sum(p, axis=-1) - 1) <= 1e-9
    return np.where(known & whole, np.where(counts, made, -np.inf), np.nan)


class Frozen:
    """A distribution of vectors with its parameters, some of them traced."""

    def __init__(self, trace: Trace, name: str, args: Any, kwargs: Any) -> None:
        self._trace, self._name = trace, name
        self._given = args, kwargs

    def __getattr__(self, method: str) -> Any:
        logarithm, *names = DENSITIES[self._name]
        if method not in names:
            raise UnsupportedError(
                f"scipy.stats.{self._name} of traced parameters has no {method}",
                hint=DRAWS if method == "rvs" else f"it has {', '.join(names)}",
            )
        trace = self._trace.innermost
        args, kwargs = self._given

        def density(x: Any) -> Any:
            made = logarithm(trace, x, *args, **kwargs)
            return made if method.startswith("log") else np.exp(made)

        return density


DENSITIES: dict[str, tuple[Any, str, str]] = {
    "multivariate_normal": (_normal, "pdf", "logpdf"),
    "multivariate_t": (_student, "pdf", "logpdf"),
    "dirichlet": (_dirichlet, "pdf", "logpdf"),
    "multinomial": (_multinomial, "pmf", "logpmf"),
}


def _exponential(logarithm: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(logarithm)
    def density(*args: Any, **kwargs: Any) -> Any:
        return np.exp(logarithm(*args, **kwargs))

    return density


def _register(name: str, logarithm: Callable[..., Any], plain: str, log: str) -> None:
    lowers_in(MODULE, f"{name}.{log}")(logarithm)
    lowers_in(MODULE, f"{name}.{plain}")(_exponential(logarithm))

    @lowers_in(MODULE, name)
    def freeze(trace: Trace, *args: Any, **kwargs: Any) -> Any:
        return Frozen(trace, name, args, kwargs)


for _name, (_logarithm, _plain, _log) in DENSITIES.items():
    _register(_name, _logarithm, _plain, _log)
