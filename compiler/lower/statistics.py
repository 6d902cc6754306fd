"""Covariances, and counts in bins with weights that have gradients.

How often a value stands in a bin has no derivative, so gradients are those of weights.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ...ir.errors import DTypeError, ShapeError, TraceError
from ..tracing.lowerings import lowers
from ..tracing.running import as_array, dtype_of, find_trace
from ..tracing.trace import Trace
from .searching import places_in

__all__: list[str] = []


@lowers(np.cov)
def _cov(
    trace: Trace,
    m: Any,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: Any = None,
    fweights: Any = None,
    aweights: Any = None,
    *,
    dtype: Any = None,
) -> Any:
    m, y = trace.array(m), trace.array(y)
    if np.ndim(m) > 2 or np.ndim(y) > 2:
        raise ShapeError("cov: variables have at most two axes")
    if dtype is None:
        kinds = [dtype_of(part) for part in (m, y) if part is not None]
        dtype = np.result_type(*kinds, np.float64)
    x = _variables(trace, m, rowvar, dtype, np.ndim(m) != 1)
    if y is not None:
        y = _variables(trace, y, rowvar, dtype, np.ndim(y) != 1)
        x = np.concatenate((x, y), axis=0)
    if ddof is None:
        ddof = 0 if bias else 1
    weights = [
        trace.array(w).astype(np.float64) for w in (fweights, aweights) if w is not None
    ]
    if not weights:
        free: Any = float(max(x.shape[1] - ddof, 0))
        mean, weighted = np.mean(x, axis=1, keepdims=True), None
    else:
        w = weights[0] if len(weights) == 1 else weights[0] * weights[1]
        total = np.sum(w)
        free = total if ddof == 0 else total - ddof
        if ddof and aweights is not None:
            free = total - ddof * (np.sum(w * weights[-1]) / total)
        weighted = w
        mean = np.sum(x * w, axis=1, keepdims=True) / total
    x = x - mean
    other = x if weighted is None else x * weighted
    with np.errstate(divide="ignore"):
        scale = np.true_divide(1.0, free)
    return np.squeeze((np.dot(x, np.conj(other.T)) * scale).astype(x.dtype))


def _variables(trace: Trace, x: Any, rowvar: bool, dtype: Any, turns: bool) -> Any:
    """A row for each variable."""
    rows = np.atleast_2d(as_array(x)).astype(dtype)
    return rows.T if turns and not rowvar else rows


@lowers(np.corrcoef)
def _corrcoef(
    trace: Trace, x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None
) -> Any:
    c = np.cov(x, y, rowvar, dtype=dtype)
    if c.ndim == 0:
        return c / c
    spread = np.sqrt(np.real(np.diagonal(c)))
    made = c / spread[:, None] / spread[None, :]
    if made.dtype.kind != "c":
        return np.clip(made, -1, 1)
    return np.clip(made.real, -1, 1) + np.clip(made.imag, -1, 1) * 1j


def _totals(trace: Trace, places: Any, weights: Any, size: int) -> Any:
    """The sum of the weights at each of ``size`` places, which are inside."""
    b = trace.builder
    flat = trace.node(np.reshape(places, -1), "i64")
    dtype = "i64" if weights is None else None
    rows = 1 if weights is None else np.reshape(weights, -1)
    node = trace.node(rows, dtype)
    node = b.broadcast(node, node.type.with_shape(flat.type.shape))
    return trace.wrap(b.scatter_add(node, flat, axis=0, size=size))


@lowers(np.bincount)
def _bincount(trace: Trace, x: Any, weights: Any = None, minlength: Any = 0) -> Any:
    """With traced places ``minlength`` is the size, which is checked to be enough."""
    x, size = trace.array(x), operator.index(minlength)
    if np.ndim(x) != 1 or dtype_of(x).kind not in "iub":
        raise DTypeError("bincount: takes one row of integers")
    if weights is not None:
        weights = trace.array(weights).astype(np.float64)
        if np.shape(weights) != np.shape(x):
            raise ValueError("The weights and list don't have the same length.")
    if find_trace(x) is None:
        x = np.asarray(x, np.int64)
        if x.size and x.min() < 0:
            raise ValueError("'list' argument must have no negative elements")
        size = max(size, int(x.max(initial=-1)) + 1)
        return _totals(trace, x, weights, size)
    if size == 0:
        raise TraceError(
            "np.bincount of traced integers has a size that only they tell",
            hint="say how many there are: np.bincount(x, minlength=n); a larger "
            "entry is an error then",
        )
    message = f"an entry of np.bincount is not from 0 to {size - 1}, as minlength says"
    node = trace.node(x, "i64")
    b = trace.builder
    inside = b.check(node, low=0, high=size, error="index", message=message)
    return _totals(trace, trace.wrap(inside), weights, size)


def _edges(trace: Trace, a: Any, bins: Any, limits: Any) -> Any:
    """The edges of bins: given, or so many of one width."""
    if isinstance(bins, str):
        raise TraceError(
            f"np.histogram with bins={bins!r} has a size that only the values tell",
            hint="say how many bins there are, or give their edges",
        )
    if np.ndim(bins) == 1:
        bins = trace.array(bins)
        if find_trace(bins) is None and np.any(np.diff(bins) < 0):
            raise ValueError("`bins` must increase monotonically, when an array")
        return bins
    count = operator.index(bins)
    if count < 1:
        raise ValueError("`bins` must be positive, when an integer")
    if limits is not None:
        low, high = limits
        if find_trace(limits) is None and low > high:
            raise ValueError("max must be larger than min in range parameter.")
    elif np.size(a) == 0:
        low, high = 0.0, 1.0
    else:
        low, high = np.min(a), np.max(a)
    same = np.equal(low, high)
    low, high = np.where(same, low - 0.5, low), np.where(same, high + 0.5, high)
    to = np.result_type(dtype_of(low), dtype_of(high), dtype_of(a))
    return np.linspace(low, high, count + 1).astype(to if to.kind == "f" else "f8")


def _bins(trace: Trace, edges: Any, a: Any) -> tuple[Any, Any]:
    """The bin of each value and whether it is in one; the last bin has both edges."""
    count = np.shape(edges)[0] - 1
    found = places_in(trace, edges, a, "right") - 1
    found = np.where(np.equal(a, edges[-1]), count - 1, found)
    return np.clip(found, 0, count - 1), np.logical_and(found >= 0, found < count)


def _weighted(a: Any, inside: Any, weights: Any) -> Any:
    """What each value adds: nothing outside of all bins."""
    if weights is None:
        return inside.astype(np.int64)
    if np.shape(weights) != np.shape(a):
        raise ValueError("weights should have the same shape as a.")
    return np.where(inside, weights, np.zeros((), dtype_of(weights)))


@lowers(np.histogram_bin_edges)
def _bin_edges(
    trace: Trace, a: Any, bins: Any = 10, range: Any = None, weights: Any = None
) -> Any:
    return _edges(trace, trace.array(a), bins, range)


@lowers(np.histogram)
def _histogram(
    trace: Trace,
    a: Any,
    bins: Any = 10,
    range: Any = None,
    density: Any = None,
    weights: Any = None,
) -> Any:
    a = np.reshape(trace.array(a), -1)
    weights = None if weights is None else np.reshape(trace.array(weights), -1)
    edges = _edges(trace, a, bins, range)
    found, inside = _bins(trace, edges, a)
    count = np.shape(edges)[0] - 1
    made = _totals(trace, found, _weighted(a, inside, weights), count)
    if density:
        made = made / np.diff(edges).astype(np.float64) / np.sum(made)
    return made, edges


@lowers(np.histogramdd)
def _histogramdd(
    trace: Trace,
    sample: Any,
    bins: Any = 10,
    range: Any = None,
    density: Any = None,
    weights: Any = None,
) -> Any:
    """One row of values for each axis, whose bins are counted through."""
    if isinstance(sample, (list, tuple)):
        columns = [trace.array(column) for column in sample]
    else:
        table = trace.array(sample)
        table = np.reshape(table, (-1, 1)) if np.ndim(table) < 2 else table
        columns = list(np.moveaxis(table, -1, 0))
    rank = len(columns)
    many = isinstance(bins, (list, tuple)) or np.ndim(bins)
    each = list(bins) if many else [bins] * rank
    ranges = [None] * rank if range is None else list(range)
    if len(each) != rank or len(ranges) != rank:
        raise ValueError("bins and range need an entry for each axis")
    edges = [_edges(trace, *one) for one in zip(columns, each, ranges, strict=True)]
    shape = tuple(np.shape(edge)[0] - 1 for edge in edges)
    places: Any = 0
    inside: Any = True
    for column, edge, size in zip(columns, edges, shape, strict=True):
        found, here = _bins(trace, edge, column)
        places = places * size + found
        inside = np.logical_and(inside, here)
    weights = None if weights is None else trace.array(weights)
    added = _weighted(columns[0], inside, weights).astype(np.float64)
    size = int(np.prod(shape))
    made = np.reshape(_totals(trace, places, added, size), shape)
    if density:
        volume: Any = 1.0
        for axis, edge in enumerate(edges):
            width = np.diff(edge)
            volume = volume * np.reshape(width, (-1,) + (1,) * (rank - axis - 1))
        made = made / volume / np.sum(made)
    return made, edges


@lowers(np.histogram2d)
def _histogram2d(
    trace: Trace,
    x: Any,
    y: Any,
    bins: Any = 10,
    range: Any = None,
    density: Any = None,
    weights: Any = None,
) -> Any:
    many = isinstance(bins, (list, tuple)) or np.ndim(bins) == 1
    if many and len(bins) not in (1, 2):
        bins = [bins, bins]
    elif many and len(bins) == 1:
        bins = bins[0]
    made, (xs, ys) = np.histogramdd([x, y], bins, range, density, weights)
    return made, xs, ys
