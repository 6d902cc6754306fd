"""Distances between points, as `scipy.spatial.distance` has them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ....ir.errors import ShapeError, UnsupportedError
from ...tracing.lowerings import lowers_in
from ...tracing.trace import Trace
from ..ufuncs import reject

MODULE = "scipy.spatial.distance"


def _unit(x: Any) -> Any:
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def _centred(x: Any) -> Any:
    return x - np.mean(x, axis=-1, keepdims=True)


def _cosine(u: Any, v: Any) -> Any:
    return 1 - np.sum(_unit(u) * _unit(v), axis=-1)


def _canberra(u: Any, v: Any) -> Any:
    """0 where both are 0."""
    sizes = np.abs(u) + np.abs(v)
    return np.sum(np.abs(u - v) / np.where(sizes == 0, 1.0, sizes), axis=-1)


def _minkowski(u: Any, v: Any, p: Any = 2) -> Any:
    return np.linalg.norm(u - v, ord=p, axis=-1)


def _braycurtis(u: Any, v: Any) -> Any:
    return np.sum(np.abs(u - v), axis=-1) / np.sum(np.abs(u + v), axis=-1)


# Along the last axis; that of Euclid has the slope 0 where points coincide.
_METRICS: dict[str, Callable[..., Any]] = {
    "euclidean": lambda u, v: np.linalg.norm(u - v, axis=-1),
    "sqeuclidean": lambda u, v: np.sum((u - v) * (u - v), axis=-1),
    "cityblock": lambda u, v: np.sum(np.abs(u - v), axis=-1),
    "chebyshev": lambda u, v: np.max(np.abs(u - v), axis=-1),
    "minkowski": _minkowski,
    "cosine": _cosine,
    "correlation": lambda u, v: _cosine(_centred(u), _centred(v)),
    "canberra": _canberra,
    "braycurtis": _braycurtis,
}


_WIDE = "euclidean", "canberra", "braycurtis"


def _distance(u: Any, v: Any, metric: Any, more: dict[str, Any]) -> Any:
    known = isinstance(metric, str) and metric in _METRICS
    if not known:
        raise UnsupportedError(
            f"the metric {metric!r} is not supported",
            hint=f"there are {', '.join(map(repr, _METRICS))}",
        )
    power = {"p": more.pop("p")} if metric == "minkowski" and "p" in more else {}
    reject(more)
    return _METRICS[metric](u, v, **power)


def _pair(trace: Trace, u: Any, v: Any, *, is_wide: bool) -> list[Any]:
    """Two points, in float64 where SciPy's metric is in that."""
    points = [np.ravel(trace.array(x)) + 0.0 for x in (u, v)]
    if not is_wide:
        return points
    return [x.astype(np.result_type(x.dtype, np.float64)) for x in points]


def _register(name: str) -> None:
    """The function of two points of the name of a metric."""

    def of_two(trace: Trace, u: Any, v: Any, w: Any = None) -> Any:
        reject({"w": w})
        u, v = _pair(trace, u, v, is_wide=name in _WIDE)
        return _METRICS[name](u, v)

    lowers_in(MODULE, name)(of_two)


for _name in _METRICS:
    if _name != "minkowski":
        _register(_name)


@lowers_in(MODULE, "minkowski")
def _minkowski_of_two(trace: Trace, u: Any, v: Any, p: Any = 2, w: Any = None) -> Any:
    reject({"w": w})
    u, v = _pair(trace, u, v, is_wide=True)
    return _minkowski(u, v, p)


def _points(trace: Trace, values: Any) -> Any:
    """Rows of f64, as SciPy makes them."""
    array = trace.array(values)
    if np.ndim(array) != 2:
        raise ShapeError(f"points are rows of a matrix, not {np.shape(array)}")
    return array.astype(np.float64)


@lowers_in(MODULE, "cdist")
def _cdist(
    trace: Trace, XA: Any, XB: Any, metric: Any = "euclidean", **unknown: Any
) -> Any:
    a, b = _points(trace, XA), _points(trace, XB)
    return _distance(a[:, None], b[None], metric, unknown)


@lowers_in(MODULE, "pdist")
def _pdist(trace: Trace, X: Any, metric: Any = "euclidean", **unknown: Any) -> Any:
    x = _points(trace, X)
    pairs = np.triu_indices(np.shape(x)[0], 1)
    u, v = (np.take(x, places, axis=0) for places in pairs)
    return _distance(u, v, metric, unknown)


@lowers_in(MODULE, "squareform")
def _squareform(trace: Trace, X: Any, force: str = "no", checks: bool = True) -> Any:
    """A vector of distances as a matrix, or back; nothing is checked of a matrix."""
    x = trace.array(X)
    rank = np.ndim(x)
    if rank == 1 and force != "tovector":
        count = np.shape(x)[0]
        size = math.isqrt(2 * count) + 1
        if size * (size - 1) // 2 != count:
            raise ValueError(f"{count} is no number of pairs")
        places = np.full((size, size), count)
        rows = np.triu_indices(size, 1)
        places[rows] = places.T[rows] = np.arange(count)
        return np.take(np.concatenate([x, np.zeros(1, x.dtype)]), places)
    if rank == 2 and force != "tomatrix":
        size = np.shape(x)[0]
        first, second = np.triu_indices(size, 1)
        return np.take(np.reshape(x, (-1,)), first * size + second)
    raise ShapeError(f"squareform takes a vector or a matrix, not {np.shape(x)}")
