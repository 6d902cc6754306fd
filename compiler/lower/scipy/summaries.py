"""Summaries of samples of `scipy.stats`: moments, means, scores, correlation, kernels.

NaN goes through them, as ``nan_policy="propagate"`` says.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ...tracing.lowerings import lowers_in
from ...tracing.running import as_array
from ...tracing.trace import Trace
from ..ufuncs import reject
from .distributions import DISTRIBUTIONS, sp
from .linalg import triangular
from .stats import MODULE, evaluate

__all__: list[str] = []


def _sample(trace: Trace, a: Any, axis: Any, policy: str) -> tuple[Any, int]:
    """Floats, and the axis to go along; all of them as one where it is None."""
    reject({"nan_policy": None if policy == "propagate" else policy})
    x = as_array(trace.array(a))
    x = x if x.dtype.kind == "f" else x.astype(np.float64)
    return (np.ravel(x), 0) if axis is None else (x, axis)


def _central(x: Any, axis: int, order: int, center: Any = None) -> Any:
    """The mean of a power of the distances from the mean, kept as an axis."""
    middle = np.mean(x, axis=axis, keepdims=True) if center is None else center
    away = x - middle
    power = away
    for _ in range(order - 1):
        power = power * away
    return np.mean(power, axis=axis, keepdims=True)


def _size(x: Any, axis: Any) -> int:
    """How many numbers there are along an axis, or several."""
    return math.prod(np.shape(x)[place] for place in np.ravel(axis))


def _result(x: Any, axis: int, keepdims: bool) -> Any:
    return x if keepdims else np.squeeze(x, axis=axis)


@lowers_in(MODULE, "zscore")
def _zscore(
    trace: Trace, a: Any, axis: Any = 0, ddof: int = 0, nan_policy: str = "propagate"
) -> Any:
    x, along = _sample(trace, a, axis, nan_policy)
    mean = np.mean(x, axis=along, keepdims=True)
    made = (x - mean) / np.std(x, axis=along, ddof=ddof, keepdims=True)
    return np.reshape(made, np.shape(a))


@lowers_in(MODULE, "moment")
def _moment(
    trace: Trace,
    a: Any,
    order: Any = 1,
    axis: Any = 0,
    nan_policy: str = "propagate",
    *,
    center: Any = None,
    keepdims: bool = False,
) -> Any:
    x, along = _sample(trace, a, axis, nan_policy)
    if order in (0, 1) and center is None:
        made = np.full_like(x, 1.0 - order).mean(axis=along, keepdims=True)
        return _result(made, along, keepdims)
    return _result(_central(x, along, order, center), along, keepdims)


@lowers_in(MODULE, "skew")
def _skew(
    trace: Trace,
    a: Any,
    axis: Any = 0,
    bias: bool = True,
    nan_policy: str = "propagate",
    *,
    keepdims: bool = False,
) -> Any:
    x, along = _sample(trace, a, axis, nan_policy)
    size = _size(x, along)
    made = _central(x, along, 3) / _central(x, along, 2) ** 1.5
    if not bias and size > 2:
        made = made * (math.sqrt((size - 1.0) * size) / (size - 2.0))
    return _result(made, along, keepdims)


@lowers_in(MODULE, "kurtosis")
def _kurtosis(
    trace: Trace,
    a: Any,
    axis: Any = 0,
    fisher: bool = True,
    bias: bool = True,
    nan_policy: str = "propagate",
    *,
    keepdims: bool = False,
) -> Any:
    x, along = _sample(trace, a, axis, nan_policy)
    n = _size(x, along)
    made = _central(x, along, 4) / _central(x, along, 2) ** 2
    if not bias and n > 3:
        made = ((n * n - 1.0) * made - 3 * (n - 1.0) ** 2) / ((n - 2) * (n - 3)) + 3
    return _result(made - 3.0 if fisher else made, along, keepdims)


@lowers_in(MODULE, "sem")
def _sem(
    trace: Trace,
    a: Any,
    axis: Any = 0,
    ddof: int = 1,
    nan_policy: str = "propagate",
    *,
    keepdims: bool = False,
) -> Any:
    x, along = _sample(trace, a, axis, nan_policy)
    made = np.std(x, axis=along, ddof=ddof, keepdims=True)
    return _result(made / math.sqrt(_size(x, along)), along, keepdims)


def _weighted(x: Any, axis: int, weights: Any) -> Any:
    """The mean along an axis, which stays."""
    if weights is None:
        return np.mean(x, axis=axis, keepdims=True)
    if np.ndim(weights) == 1:
        shape = [1] * np.ndim(x)
        shape[axis] = -1
        weights = np.reshape(weights, shape)
    total = np.sum(weights * np.ones_like(x), axis=axis, keepdims=True)
    return np.sum(weights * x, axis=axis, keepdims=True) / total


@lowers_in(MODULE, "gmean")
def _gmean(
    trace: Trace,
    a: Any,
    axis: Any = 0,
    dtype: Any = None,
    weights: Any = None,
    *,
    nan_policy: str = "propagate",
    keepdims: bool = False,
) -> Any:
    reject({"dtype": dtype})
    x, along = _sample(trace, a, axis, nan_policy)
    return _result(np.exp(_weighted(np.log(x), along, weights)), along, keepdims)


@lowers_in(MODULE, "hmean")
def _hmean(
    trace: Trace,
    a: Any,
    axis: Any = 0,
    dtype: Any = None,
    *,
    weights: Any = None,
    nan_policy: str = "propagate",
    keepdims: bool = False,
) -> Any:
    reject({"dtype": dtype})
    x, along = _sample(trace, a, axis, nan_policy)
    return _result(1.0 / _weighted(1.0 / x, along, weights), along, keepdims)


@lowers_in(MODULE, "entropy")
def _entropy(
    trace: Trace,
    pk: Any,
    qk: Any = None,
    base: Any = None,
    axis: Any = 0,
    *,
    nan_policy: str = "propagate",
    keepdims: bool = False,
) -> Any:
    """Of probabilities in any unit; with ``qk`` relative to these."""
    p, along = _sample(trace, pk, axis, nan_policy)
    p = p / np.sum(p, axis=along, keepdims=True)
    if qk is None:
        terms = sp.entr(p)
    else:
        q, _ = _sample(trace, qk, axis, nan_policy)
        terms = sp.rel_entr(p, q / np.sum(q, axis=along, keepdims=True))
    made = np.sum(terms, axis=along, keepdims=True)
    made = made if base is None else made / np.log(base)
    return _result(made, along, keepdims)


class Correlation(NamedTuple):
    """What `scipy.stats.pearsonr` returns, of traced numbers."""

    statistic: Any
    pvalue: Any


@lowers_in(MODULE, "pearsonr")
def _pearsonr(
    trace: Trace,
    x: Any,
    y: Any,
    *,
    alternative: str = "two-sided",
    method: Any = None,
    axis: Any = 0,
) -> Any:
    """The p-value is that of a beta distribution, of normal samples."""
    reject(
        {"alternative": None if alternative == "two-sided" else alternative}
        | {"method": method}
    )
    (x, along), (y, _) = (_sample(trace, v, axis, "propagate") for v in (x, y))
    x, y = (v - np.mean(v, axis=along, keepdims=True) for v in (x, y))
    x, y = (v / np.linalg.norm(v, axis=along, keepdims=True) for v in (x, y))
    r = np.clip(np.sum(x * y, axis=along), -1.0, 1.0)
    half = [np.shape(x)[along] / 2 - 1] * 2
    beta = DISTRIBUTIONS["beta"]
    tail = evaluate(trace, beta, "sf", np.abs(r), half, -1.0, 2.0)
    return Correlation(r, (2 * tail).astype(r.dtype))


def _kernels(trace: Trace, self: Any, points: Any) -> Any:
    """The logarithms of the weighted kernels, of samples in rows."""
    x = trace.array(points).astype(np.float64)
    x = np.reshape(x, (1, -1)) if np.ndim(x) < 2 else x
    if np.shape(x)[0] != self.d and np.shape(x) == (1, self.d):
        x = np.reshape(x, (self.d, 1))
    if np.shape(x)[0] != self.d:
        raise ValueError(f"points have dimension {np.shape(x)[0]}, not {self.d}")
    factor = np.asarray(self.cho_cov)  # lower, of the covariance
    samples = np.linalg.solve(factor, self.dataset)
    white = triangular(trace, factor, x, lower=True)
    away = white[:, None, :] - samples[:, :, None]
    norm = self.d / 2 * math.log(2 * math.pi) + np.sum(np.log(np.diag(factor)))
    logs = np.log(np.asarray(self.weights))[:, None] - norm
    return logs - 0.5 * np.sum(away * away, axis=0)


def _density(trace: Trace, self: Any, points: Any) -> Any:
    return np.sum(np.exp(_kernels(trace, self, points)), axis=0)


@lowers_in(MODULE, "gaussian_kde.evaluate")
def _evaluate(trace: Trace, self: Any, points: Any) -> Any:
    return _density(trace, self, points)


@lowers_in(MODULE, "gaussian_kde.pdf")
def _pdf(trace: Trace, self: Any, x: Any) -> Any:
    return _density(trace, self, x)


@lowers_in(MODULE, "gaussian_kde.logpdf")
def _logpdf(trace: Trace, self: Any, x: Any) -> Any:
    return np.logaddexp.reduce(_kernels(trace, self, x), axis=0)
