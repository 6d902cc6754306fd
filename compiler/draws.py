"""Random numbers from a key by other laws, most of them by their quantiles.

What is drawn is a function of uniform or normal numbers, so derivatives by parameters
are those of that function: ``loc``, ``scale``, bounds and matrices have them. The
shapes of gamma, beta and what is made of them do not (`ir.ops.special`): a gradient
that asks for one is refused. Counts have none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..ir.errors import ArgumentError
from ..ir.ops.special import ufunc_of
from .lower.scipy.more_distributions import truncated_quantile
from .random import normal, uniform
from .tracing.running import is_traced

__all__ = [
    "beta",
    "cauchy",
    "dirichlet",
    "gamma",
    "laplace",
    "logistic",
    "multivariate_normal",
    "poisson",
    "truncated_normal",
]

Shape = int | Sequence[int]

MANY = 1e6  # events, from which on their number is as good as normal


def _inside(key: Any, shape: Any, *parameters: Any) -> Any:
    """Uniform numbers between 0 and 1, of which neither is drawn.

    The shape is that of the parameters where none is given.
    """
    if shape is None:
        shape = np.broadcast_shapes(*(np.shape(p) for p in parameters))
    return uniform(key, shape) + 2.0**-54


def laplace(key: Any, shape: Shape = (), loc: Any = 0.0, scale: Any = 1.0) -> Any:
    """``loc + scale * z``, z with the density exp(-|z|) / 2."""
    u = _inside(key, shape)
    z = np.where(u < 0.5, np.log(2 * u), -np.log(2 * (1 - u)))
    return loc + scale * z


def logistic(key: Any, shape: Shape = (), loc: Any = 0.0, scale: Any = 1.0) -> Any:
    """``loc + scale * z``, z the logarithm of the odds of a uniform number."""
    u = _inside(key, shape)
    return loc + scale * (np.log(u) - np.log1p(-u))


def cauchy(key: Any, shape: Shape = (), loc: Any = 0.0, scale: Any = 1.0) -> Any:
    """``loc + scale * z``, z the tangent of a uniform angle."""
    return loc + scale * np.tan(math.pi * (_inside(key, shape) - 0.5))


def truncated_normal(key: Any, low: Any, high: Any, shape: Shape | None = None) -> Any:
    """Standard normal numbers from ``low`` to ``high``, which have derivatives.

    By the tail that is nearer, so there are digits far out.
    """
    u = _inside(key, shape, low, high)
    with np.errstate(all="ignore"):  # in the half that is not taken
        return truncated_quantile(1 - u, u, low, high)


def multivariate_normal(key: Any, mean: Any, cov: Any, shape: Shape = ()) -> Any:
    """``mean + L z``, ``L`` the factor of Cholesky's of ``cov``.

    Args:
        key: What they are drawn by.
        mean: A vector, of n numbers.
        cov: A matrix of n x n numbers, symmetric and positive definite.
        shape: Of the draws; their vectors are the last axis.

    Raises:
        ArgumentError: Where the sizes do not fit.
        LinAlgError: Where ``cov`` is not positive definite.
    """
    size = np.shape(mean)[-1] if np.ndim(mean) else 0
    if np.shape(mean) != (size,) or np.shape(cov) != (size, size):
        raise ArgumentError(
            f"a mean {list(np.shape(mean))} and a covariance {list(np.shape(cov))}: "
            "one vector and one square matrix of its size are wanted"
        )
    sizes = tuple(shape) if isinstance(shape, Sequence) else (shape,)
    z = normal(key, (*sizes, size))
    return mean + np.matmul(z, np.linalg.cholesky(cov).T)


def gamma(key: Any, a: Any, shape: Shape | None = None, scale: Any = 1.0) -> Any:
    """``scale * g``, g with the density ``g^(a-1) exp(-g) / Γ(a)``."""
    return scale * ufunc_of("gammaincinv")(a, _inside(key, shape, a))


def beta(key: Any, a: Any, b: Any, shape: Shape | None = None) -> Any:
    """Shares with the density ``x^(a-1) (1-x)^(b-1) / B(a, b)``."""
    return ufunc_of("betaincinv")(a, b, _inside(key, shape, a, b))


def dirichlet(key: Any, alpha: Any, shape: Shape = ()) -> Any:
    """Shares that sum to 1, of the vector ``alpha``; they are the last axis."""
    sizes = tuple(shape) if isinstance(shape, Sequence) else (shape,)
    parts = gamma(key, alpha, (*sizes, *np.shape(alpha)))
    return parts / np.sum(parts, axis=-1, keepdims=True)


def poisson(key: Any, mean: Any, shape: Shape | None = None) -> Any:
    """Counts, ``int64``, of events of which there are ``mean`` on average.

    From a million on it is a normal number of this mean and variance, rounded.
    """
    u = _inside(key, shape, mean)
    few = np.less(mean, MANY)
    made = np.ceil(ufunc_of("pdtrik")(u, np.where(few, mean, 1.0)))
    made = np.where(few, made, np.rint(mean + np.sqrt(mean) * ufunc_of("ndtri")(u)))
    less = np.maximum(made - 1, 0.0)
    known = np.logical_and(few, ufunc_of("gammaincc")(less + 1, mean) >= u)
    count = np.where(known, less, made)
    return count.astype(np.int64) if is_traced(count) else np.int64(count)
