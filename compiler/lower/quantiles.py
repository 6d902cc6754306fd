"""Quantiles: entries of sorted rows, and what lies between two of them.

`_METHODS` has where a quantile lies in a row of n sorted entries: a whole number is an
entry, what is between two is on the line through both. The formulas are those that
NumPy names after Hyndman and Fan, "Sample Quantiles in Statistical Packages" (1996).
Where n and q are known, so are the places. Of the nan-functions n is the number of
entries that are no NaN, which a sort puts in front.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ...ir.errors import BoundsError, DomainError, ShapeError, UnsupportedError
from ..tracing.lowerings import lowers
from ..tracing.running import dtype_of, find_trace, is_traced
from ..tracing.trace import Trace
from .reductions import axes_of, given
from .sorting import gathered, sorted_rows

__all__ = ["quantiles_of_first", "rows_over"]


def _line(alpha: float, beta: float) -> Callable[[Any, Any], Any]:
    return lambda n, q: n * q + (alpha + q * (1 - alpha - beta)) - 1


def _step(shift: float, keeps: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    """The entry above ``n q - 1 - shift``, but where that is a whole one to keep."""

    def place(n: Any, q: Any) -> Any:
        at = n * q - 1 - shift
        below = np.floor(at)
        return np.where((at == below) & keeps(below), below, below + 1)

    return place


def _averaged(n: Any, q: Any) -> Any:
    at = n * q - 1
    below = np.floor(at)
    return np.where(at == below, below + 0.5, below + 1)


_METHODS: dict[str, Callable[[Any, Any], Any]] = {
    "inverted_cdf": _step(0.0, lambda below: True),
    "averaged_inverted_cdf": _averaged,
    "closest_observation": _step(0.5, lambda below: np.remainder(below, 2) == 1),
    "interpolated_inverted_cdf": _line(0, 1),
    "hazen": _line(0.5, 0.5),
    "weibull": _line(0, 0),
    "linear": lambda n, q: (n - 1) * q,
    "median_unbiased": _line(1 / 3, 1 / 3),
    "normal_unbiased": _line(3 / 8, 3 / 8),
    "lower": lambda n, q: np.floor((n - 1) * q),
    "higher": lambda n, q: np.ceil((n - 1) * q),
    "midpoint": lambda n, q: 0.5 * (np.floor((n - 1) * q) + np.ceil((n - 1) * q)),
    "nearest": lambda n, q: np.rint((n - 1) * q),
}
_MEDIAN = "median"
_METHODS[_MEDIAN] = _METHODS["midpoint"]
_FEW = 8  # quantiles: the way back goes twice through the row for each place
_EXACT = ("inverted_cdf", "closest_observation", "lower", "higher", "nearest")


def rows_over(trace: Trace, a: Any, axis: Any) -> tuple[Any, tuple[int, ...]]:
    """``a`` with all ``axis`` merged into a last one, and these axes."""
    a = trace.array(a)
    axes = axes_of(a.ndim, axis)
    kept = [k for k in range(a.ndim) if k not in axes]
    moved = np.transpose(a, (*kept, *axes))
    length = int(np.prod([a.shape[k] for k in axes], dtype=np.int64))
    return np.reshape(moved, (*(a.shape[k] for k in kept), length)), axes


def _with_axes(x: Any, rank: int, axes: tuple[int, ...], lead: int) -> Any:
    """The reduced axes back with size 1, behind ``lead`` axes of quantiles."""
    sizes = iter(x.shape[lead:])
    back = [1 if k in axes else next(sizes) for k in range(rank)]
    return np.reshape(x, (*x.shape[:lead], *back))


def _checked(trace: Trace, q: Any, most: float, what: str) -> Any:
    """``q / most``, which has to be from 0 to 1."""
    message = f"{what} must be in the range [0, {most:g}]"
    if find_trace(q) is None:
        q = np.asarray(q)
        if not np.all((q >= 0) & (q <= most)):
            raise DomainError(message)
        return q / most if most != 1 else q
    q = trace.array(q)
    b = trace.builder
    inside = trace.node(np.all((q >= 0) & (q <= most)), "i64")
    inside = b.check(inside, low=1, high=2, error="value", message=message)
    q = np.where(trace.wrap(b.cast(inside, "bool")), q, 0.0)
    return q / most if most != 1 else q


def _quantile(
    trace: Trace,
    a: Any,
    q: Any,
    axis: Any,
    method: str,
    to: np.dtype[Any],
    *,
    keepdims: bool,
    skips: bool,
) -> Any:
    """The quantiles ``q`` over ``axis``; with ``skips`` of what is no NaN."""
    rows, axes = rows_over(trace, a, axis)
    *outer, length = rows.shape
    lead = np.shape(q)
    if length == 0 and method != _MEDIAN and not skips:
        raise BoundsError("a quantile of no elements")
    if length == 0 or (skips and a.size == 0):
        lead = ()  # of no elements NumPy makes one mean, whatever q is
        made: Any = np.full_like(rows, np.nan, dtype=to, shape=(*lead, *outer))
        return _with_axes(made, a.ndim, axes, len(lead)) if keepdims else made
    q = np.reshape(q, -1)
    if skips and a.dtype.kind in "fc":
        ordered = sorted_rows(trace, rows)
        missing = np.isnan(rows)
        n = np.sum(np.logical_not(missing), axis=-1, keepdims=True).astype(np.float64)
        made = _between(trace, ordered, n, q, method, to)
        empty = np.isnan(ordered[..., :1])
        made = np.where(empty, ordered[..., :1].astype(to), made)
    else:
        ends = _ends(float(length), q, method)
        low, high, last = _read(trace, rows, ends)
        made = _inside(low, high, ends, method, to)
        if a.dtype.kind in "fc":  # a NaN is last, and all there is to say
            made = np.where(np.isnan(last), last.astype(to), made)
    made = np.reshape(np.moveaxis(made, -1, 0), (*lead, *outer))
    return _with_axes(made, a.ndim, axes, len(lead)) if keepdims else made


def quantiles_of_first(
    trace: Trace,
    function: Any,
    rows: Any,
    count: Any,
    q: Any = 0.5,
    method: str = "linear",
) -> Any:
    """What `np.median`, `np.quantile` or `np.percentile` say of the first entries.

    There are ``count`` of them, traced, and they are in order.
    """
    n = np.reshape(count, 1).astype(np.float64)
    if function is np.median:
        to = np.mean(np.zeros(1, rows.dtype)).dtype
        return np.reshape(_between(trace, rows, n, np.full(1, q), _MEDIAN, to), ())
    if method not in _METHODS or method == _MEDIAN:
        raise DomainError(f"{method!r} is none of {', '.join(_METHODS)}")
    scale, what = (
        (100, "Percentiles") if function is np.percentile else (1, "Quantiles")
    )
    q = trace.array(q)
    to = _dtype(function, rows, q, method)
    q = _checked(trace, _in_floats(q, rows.dtype), scale, what)
    made = _between(trace, rows, n, np.reshape(q, -1), method, to)
    return np.reshape(made, np.shape(q))


def _is_weak(q: Any) -> bool:
    return q.weak if is_traced(q) else type(q) in (int, float)


def _in_floats(q: Any, dtype: np.dtype[Any]) -> Any:
    """``q`` in the precision that places are computed in; a number in that of a."""
    if _is_weak(q) and dtype.kind == "f":
        return q.astype(dtype) if is_traced(q) else np.asarray(q, dtype)
    to = dtype_of(q) if dtype_of(q).kind == "f" else np.dtype(np.float64)
    return q.astype(to) if is_traced(q) else np.asarray(q, to)


def _dtype(function: Any, a: Any, q: Any, method: str) -> np.dtype[Any]:
    """What the result of NumPy's function has, by NumPy itself."""
    kind = dtype_of(q)
    stand_in: Any = np.asarray(0 if kind.kind in "iub" else 0.5, kind)
    if _is_weak(q):
        stand_in = stand_in.item()
    return np.asarray(function(np.zeros(3, a.dtype), stand_in, method=method)).dtype


def _between(
    trace: Trace, rows: Any, n: Any, q: Any, method: str, to: np.dtype[Any]
) -> Any:
    """For each row in order the values at the quantiles of its first ``n``."""
    ends = _ends(n, q, method)
    low, high = (_entries(trace, rows, at) for at in (ends.below, ends.above))
    return _inside(low, high, ends, method, to)


class _Ends(NamedTuple):
    """Places of quantiles in rows in order, and those of the entries around each."""

    place: Any
    below: Any
    above: Any


def _ends(n: Any, q: Any, method: str) -> _Ends:
    """Of the quantiles of ``n`` entries."""
    place = _METHODS[method](n, q)
    last = np.maximum(n - 1, 0.0)
    place = np.minimum(np.maximum(place, 0.0), last)
    below = np.floor(place)
    if method == "averaged_inverted_cdf":  # an entry ends a line
        ends = (place == below) & (place > 0) & (place < last)
        below = np.where(ends, below - 1, below)
    above = below if method in _EXACT else np.minimum(below + 1, last)
    return _Ends(place, below, above)


def _inside(low: Any, high: Any, ends: _Ends, method: str, to: np.dtype[Any]) -> Any:
    """The values at the quantiles, of the entries around each."""
    place, below, _ = ends
    if method in _EXACT:
        return low.astype(to)
    if method == _MEDIAN:
        return np.where(place == below, low, low.astype(to) / 2 + high.astype(to) / 2)
    part = (place - below).astype(to)
    apart = (high - low).astype(to)
    rising, falling = low + apart * part, high - apart * (1 - part)
    return np.where(part >= 0.5, falling, rising).astype(to)


def _read(trace: Trace, rows: Any, ends: _Ends) -> tuple[Any, Any, Any]:
    """The entries below and above each quantile of rows in any order, and the last."""
    last = rows.shape[-1] - 1
    count = np.shape(ends.below)[-1]
    known = find_trace(ends.below) is None and rows.dtype.kind != "c"
    if not (known and 0 < count <= _FEW):
        rows = sorted_rows(trace, rows)
        low, high = (_entries(trace, rows, at) for at in (ends.below, ends.above))
        return low, high, rows[..., last:]
    places = [*ends.below, *ends.above, last]
    node = trace.node(rows)
    read = trace.builder.ranked(node, places=tuple(int(k) for k in places))
    made = trace.wrap(read)
    return made[..., :count], made[..., count:-1], made[..., -1:]


def _entries(trace: Trace, rows: Any, places: Any) -> Any:
    """The entries of each row at places, the same for all rows or some for each."""
    if find_trace(places) is None and np.ndim(places) < 2:
        return rows[..., np.asarray(places).astype(np.int64)]
    places = np.broadcast_to(places, (*rows.shape[:-1], np.shape(places)[-1]))
    node = trace.node(trace.array(places), "i64")
    return trace.wrap(gathered(trace, trace.node(rows), node))


def _lower(function: Any, scale: float, skips: bool, what: str) -> Any:
    def lower(
        trace: Trace,
        a: Any,
        q: Any,
        axis: Any = None,
        overwrite_input: bool = False,
        method: str = "linear",
        keepdims: Any = False,
        weights: Any = None,
    ) -> Any:
        if weights is not None:
            raise UnsupportedError("quantiles with weights are not supported")
        if method not in _METHODS or method == _MEDIAN:
            raise DomainError(f"{method!r} is none of {', '.join(_METHODS)}")
        if np.ndim(q) > 2:
            raise ShapeError("q has at most two axes")
        a, q = trace.array(a), trace.array(q)
        to = _dtype(function, a, q, method)
        if method == "linear" and scale == 1 and dtype_of(q).kind in "iub":
            method = "lower"  # an entry itself, beside an infinity too
        q = _in_floats(q, a.dtype)
        q, keep = _checked(trace, q, scale, what), bool(given(keepdims))
        return _quantile(trace, a, q, axis, method, to, keepdims=keep, skips=skips)

    return lower


lowers(np.quantile)(_lower(np.quantile, 1, False, "Quantiles"))
lowers(np.percentile)(_lower(np.percentile, 100, False, "Percentiles"))
lowers(np.nanquantile)(_lower(np.quantile, 1, True, "Quantiles"))
lowers(np.nanpercentile)(_lower(np.percentile, 100, True, "Percentiles"))


def _median(skips: bool) -> Any:
    def lower(
        trace: Trace,
        a: Any,
        axis: Any = None,
        overwrite_input: bool = False,
        keepdims: Any = False,
    ) -> Any:
        """The mean of the two entries in the middle, or the one."""
        a = trace.array(a)
        to = np.mean(np.zeros(1, a.dtype)).dtype
        keep = bool(given(keepdims))
        return _quantile(trace, a, 0.5, axis, _MEDIAN, to, keepdims=keep, skips=skips)

    return lower


lowers(np.median)(_median(False))
lowers(np.nanmedian)(_median(True))
