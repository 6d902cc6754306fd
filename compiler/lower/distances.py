"""Distances between points, and polynomials in pieces, as SciPy has them."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from ...ir.errors import ShapeError, UnsupportedError
from ..lowerings import lowers_in
from ..trace import Trace
from .ufuncs import reject

MODULE = "scipy.spatial.distance"


def _distance(difference: Any, metric: Any) -> Any:
    """Along the last axis; that of Euclid has the slope 0 where points coincide."""
    if metric == "euclidean":
        return np.linalg.norm(difference, axis=-1)
    if metric == "sqeuclidean":
        return np.sum(difference * difference, axis=-1)
    if metric == "cityblock":
        return np.sum(np.abs(difference), axis=-1)
    raise UnsupportedError(
        f"the metric {metric!r} is not supported",
        hint="there are 'euclidean', 'sqeuclidean' and 'cityblock'",
    )


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
    reject(unknown)
    a, b = _points(trace, XA), _points(trace, XB)
    return _distance(a[:, None] - b[None], metric)


@lowers_in(MODULE, "pdist")
def _pdist(trace: Trace, X: Any, metric: Any = "euclidean", **unknown: Any) -> Any:
    reject(unknown)
    x = _points(trace, X)
    first, second = np.triu_indices(np.shape(x)[0], 1)
    return _distance(np.take(x, first, axis=0) - np.take(x, second, axis=0), metric)


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


@lowers_in("scipy.interpolate", "PPoly.__call__")
def _polynomials(
    trace: Trace, self: Any, x: Any, nu: int = 0, extrapolate: Any = None
) -> Any:
    """Pieces of known coefficients, as `CubicSpline` and its kin are, at traced places.

    Horner's rule in the piece where x is, so all derivatives are those of the pieces.
    """
    beyond = self.extrapolate if extrapolate is None else extrapolate
    pieces = self.derivative(nu) if nu else self
    axis = int(getattr(self, "axis", 0))
    if axis != 0:
        raise UnsupportedError("a spline along another axis than the first")
    knots, c = np.asarray(pieces.x), np.asarray(pieces.c)
    if c.dtype != np.float64:
        raise UnsupportedError("a spline of complex numbers is not supported")
    if knots[0] > knots[-1]:
        raise UnsupportedError("a spline of falling knots is not supported")
    x = trace.array(x).astype(np.float64)
    inside = (x >= knots[0]) & (x <= knots[-1])
    if beyond == "periodic":
        x = knots[0] + (x - knots[0]) % (knots[-1] - knots[0])
    place = np.clip(np.searchsorted(knots, x, "right") - 1, 0, len(knots) - 2)
    take: Any = partial(trace.apply, np.take, kwargs={"axis": 0})  # of real arrays
    along = x - take((knots, place))
    along = np.reshape(along, (*np.shape(along), *(1,) * (c.ndim - 2)))
    made = take((c[0], place)) + 0.0 * along
    for coefficients in c[1:]:
        made = made * along + take((coefficients, place))
    if beyond:
        return made
    inside = np.reshape(inside, np.shape(along))
    return np.where(inside, made, np.nan)
