"""Searching sorted rows: places, bins, and the values of lines between knots."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...ir.errors import DomainError, ShapeError
from ...ir.graph import Node
from ..tracing.lost_parts import complex_refused
from ..tracing.lowerings import lowers
from ..tracing.running import find_trace, is_traced
from ..tracing.trace import Trace
from .ufuncs import resolve

__all__ = ["at_places", "places_in"]


def places_in(trace: Trace, row: Any, values: Any, side: str) -> Any:
    """How many entries of a sorted row come before each value."""
    if side not in ("left", "right"):
        raise DomainError(f"searchsorted: side={side!r} is neither left nor right")
    if np.ndim(row) != 1:
        raise ShapeError(f"searchsorted: the sorted array has {np.ndim(row)} axes")
    row, values = _strong(trace, row), _strong(trace, values)
    bools = _is_bool(row) and _is_bool(values)
    to = "bool" if bools else resolve(np.add, row, values)[-1]
    a, v = trace.node(row, to), trace.node(values, to)
    return trace.wrap(trace.builder.searchsorted(a, v, right=side == "right"))


def _strong(trace: Trace, x: Any) -> Any:
    """Python numbers as the arrays that `np.searchsorted` makes of them."""
    x = trace.array(x)
    if is_traced(x):
        return x.astype(x.dtype) if x.weak else x
    return np.asarray(x)


def _is_bool(x: Any) -> bool:
    return np.dtype(getattr(x, "dtype", type(x))) == bool


def at_places(trace: Trace, row: Any, places: Node) -> Any:
    """Entries of a row, at places that are known to be inside of it."""
    return trace.wrap(trace.builder.take(trace.node(row), places, axis=0))


@lowers(np.searchsorted)
def _searchsorted(
    trace: Trace, a: Any, v: Any, side: str = "left", sorter: Any = None
) -> Any:
    a = trace.array(a)
    return places_in(trace, a if sorter is None else np.take(a, sorter), v, side)


@lowers(np.digitize)
def _digitize(trace: Trace, x: Any, bins: Any, right: bool = False) -> Any:
    """The bin of each value; bins may rise or fall, which is checked."""
    bins = trace.array(bins)
    if np.ndim(bins) != 1:
        raise ShapeError("digitize: bins is a row")
    side = "left" if right else "right"
    message = "bins must be monotonically increasing or decreasing"
    rises, falls = _directions(bins)
    if find_trace(bins) is None:
        if not (rises or falls):
            raise ValueError(message)
        if rises:
            return places_in(trace, bins, x, side)
        return len(bins) - places_in(trace, bins[::-1], x, side)
    b = trace.builder
    known = b.cast(trace.node(np.logical_or(rises, falls)), "i64")
    up = places_in(trace, bins, x, side)
    down = bins.shape[0] - places_in(trace, bins[::-1], x, side)
    checked = b.check(known, low=1, high=2, error="ValueError", message=message)
    return np.where(
        np.logical_and(rises, trace.wrap(b.cast(checked, "bool"))), up, down
    )


def _directions(bins: Any) -> tuple[Any, Any]:
    """Whether bins rise, or fall, by the first two that differ as a NaN does."""
    if np.shape(bins)[0] < 2:
        return np.True_, np.False_
    low, high = bins[:-1], bins[1:]
    up = (low <= high)[np.argmax(low != high)]
    rises = np.logical_and(up, np.logical_not(np.any(low > high)))
    falls = np.logical_and(np.logical_not(up), np.logical_not(np.any(low < high)))
    return rises, falls


@lowers(np.interp)
def _interp(
    trace: Trace,
    x: Any,
    xp: Any,
    fp: Any,
    left: Any = None,
    right: Any = None,
    period: Any = None,
) -> Any:
    """The line through two knots; at a knot its slope is that of the right one."""
    if trace.node(fp).type.is_complex:
        raise complex_refused(trace.node(fp))
    x, xp, fp = (
        np.asarray(v, np.float64) if find_trace(v) is None else v.astype("f8")
        for v in map(trace.array, (x, xp, fp))
    )
    if np.ndim(xp) != 1 or np.shape(xp) != np.shape(fp):
        raise ShapeError(
            f"interp: xp and fp are rows of one size, not {np.shape(xp)} and "
            f"{np.shape(fp)}"
        )
    if np.shape(xp)[0] == 0:
        raise ValueError("array of sample points is empty")
    if period is not None:
        x, xp, fp = _periodic(x, xp, fp, period)
        left = right = None
    first, last = fp[0], fp[-1]
    left = first if left is None else left
    right = last if right is None else right
    lines = np.shape(xp)[0] > 1
    inside = _between(trace, x, xp, fp) if lines else first
    made = np.where(np.less(x, xp[0]), left, inside)
    return np.where(np.greater(x, xp[-1]), right, made)


def _between(trace: Trace, x: Any, xp: Any, fp: Any) -> Any:
    """The value of the line between the knots around each x."""
    count = np.shape(xp)[0]
    slopes = np.diff(fp) / np.diff(xp)
    found = places_in(trace, xp, x, "right") - 1
    place = trace.node(np.clip(found, 0, count - 2))
    start = at_places(trace, xp, place)
    line = at_places(trace, slopes, place) * (x - start) + at_places(trace, fp, place)
    at_end = fp[-1] + slopes[-1] * (x - xp[-1])
    line = np.where(np.equal(x, xp[-1]), at_end, line)
    return np.where(np.isnan(x), x, line)


def _periodic(x: Any, xp: Any, fp: Any, period: Any) -> tuple[Any, Any, Any]:
    """All in one period, with a knot of the next one at either end."""
    if find_trace(period) is None and period == 0:
        raise ValueError("period must be a non-zero value")
    period = np.abs(period)
    x, xp = np.remainder(x, period), np.remainder(xp, period)
    order = np.argsort(xp)
    xp, fp = np.take(xp, order), np.take(fp, order)
    xp = np.concatenate((xp[-1:] - period, xp, xp[:1] + period))
    return x, xp, np.concatenate((fp[-1:], fp, fp[:1]))
