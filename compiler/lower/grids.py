"""`RegularGridInterpolator`: values on a grid of known places, read between them."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from ...ir.errors import ShapeError, UnsupportedError
from ..tracing.lowerings import lowers_in
from ..tracing.running import is_traced
from ..tracing.trace import Trace

__all__: list[str] = []

MODULE = "scipy.interpolate"
_METHODS = ("linear", "nearest")


def _check_method(method: str) -> None:
    if method not in _METHODS:
        raise UnsupportedError(
            f"RegularGridInterpolator with method={method!r} is not supported",
            hint=f"there are {' and '.join(_METHODS)}",
        )


def _points(trace: Trace, points: Any, values: Any) -> tuple[list[Any], Any]:
    """Rising places along each axis, and the values there."""
    if any(is_traced(trace.array(row)) for row in points):
        raise UnsupportedError(
            "interpolation on a grid of traced places is not supported",
            hint="pass them as a static argument, or scale what is asked for",
        )
    rows = [np.asarray(row, np.float64) for row in points]
    values = trace.array(values)
    if values.dtype.kind not in "fc":
        values = values.astype(np.float64)
    sizes = tuple(len(row) for row in rows)
    if sizes != np.shape(values)[: len(sizes)]:
        raise ShapeError(f"{list(sizes)} places for values {list(np.shape(values))}")
    for axis, row in enumerate(rows):
        steps = np.diff(row)
        if np.all(steps < 0):
            rows[axis], values = row[::-1], np.flip(values, axis)
        elif not np.all(steps > 0):
            raise ValueError(
                f"The points in dimension {axis} must be strictly ascending or "
                "descending"
            )
    return rows, values


def _evaluated(
    trace: Trace, rows: list[Any], values: Any, xi: Any, method: str, fill: Any
) -> Any:
    """Lines along each axis; outside the fill value, or lines where that is None."""
    _check_method(method)
    rank = len(rows)
    if isinstance(xi, tuple):
        xi = np.stack(np.broadcast_arrays(*map(trace.array, xi)), axis=-1)
    elif np.ndim(xi) == 1:
        xi = np.reshape(trace.array(xi), (-1, 1) if rank == 1 else (1, -1))
    xi = trace.array(xi)
    if np.shape(xi)[-1] != rank:
        raise ShapeError(
            f"the places have {np.shape(xi)[-1]} numbers each, the grid {rank} axes"
        )
    xi = xi.astype(float) if is_traced(xi) else np.asarray(xi, float)
    lead = np.shape(xi)[:-1]
    flat = np.reshape(values, (-1, *np.shape(values)[rank:]))
    sides: list[list[tuple[Any, Any]]] = []
    outside: Any = False
    for axis, row in enumerate(rows):
        x = xi[..., axis]
        outside = outside | (x < row[0]) | (x > row[-1])
        place = np.clip(np.searchsorted(row, x, "right") - 1, 0, max(len(row) - 2, 0))
        if len(row) == 1:
            sides.append([(place, 1.0 + 0.0 * x)])
            continue
        low, step = (trace.apply(np.take, (r, place), {}) for r in (row, np.diff(row)))
        part = (x - low) / step
        if method == "nearest":
            sides.append([(np.where(part <= 0.5, place, place + 1), 1.0)])
        else:
            sides.append([(place, 1.0 - part), (place + 1, part)])
    behind = (*lead, *(1,) * (np.ndim(flat) - 1))
    total: Any = 0.0
    for corner in itertools.product(*sides):
        at: Any = 0
        for (place, _), row in zip(corner, rows, strict=True):
            at = at * len(row) + place
        value = trace.apply(np.take, (flat, at), {"axis": 0})
        for _, weight in corner:
            if np.ndim(weight) or is_traced(weight):
                value = value * np.reshape(weight, behind)
        total = total + value
    missing = np.any(np.isnan(xi), axis=-1)
    if fill is not None:
        total = np.where(np.reshape(outside, behind), fill, total)
    return np.where(np.reshape(missing, behind), np.nan, total)


class Grid:
    """`RegularGridInterpolator` of traced values."""

    def __init__(
        self, trace: Trace, given: tuple[list[Any], Any], method: str, fill: Any
    ) -> None:
        self._trace, self._given, self._how = trace, given, (method, fill)

    def __call__(self, xi: Any, method: str | None = None) -> Any:
        """The values at ``xi``, whose last axis has a number for each of the grid's."""
        own, fill = self._how
        trace = self._trace.innermost
        return _evaluated(
            trace, *self._given, xi, own if method is None else method, fill
        )


def _fill(bounds_error: bool, fill_value: Any) -> Any:
    """What stands outside: NaN where SciPy raises."""
    return np.nan if bounds_error else fill_value


@lowers_in(MODULE, "RegularGridInterpolator")
def _regular_grid(
    trace: Trace,
    points: Any,
    values: Any,
    method: str = "linear",
    bounds_error: bool = True,
    fill_value: Any = np.nan,
    **named: Any,
) -> Any:
    _check_method(method)
    given = _points(trace, points, values)
    return Grid(trace, given, method, _fill(bounds_error, fill_value))


@lowers_in(MODULE, "RegularGridInterpolator.__call__")
def _regular_grid_at(
    trace: Trace, self: Any, xi: Any, method: str | None = None, **named: Any
) -> Any:
    given = _points(trace, self.grid, self.values)
    fill = _fill(self.bounds_error, self.fill_value)
    how = self.method if method is None else method
    return _evaluated(trace, *given, xi, how, fill)


@lowers_in(MODULE, "interpn")
def _interpn(
    trace: Trace,
    points: Any,
    values: Any,
    xi: Any,
    method: str = "linear",
    bounds_error: bool = True,
    fill_value: Any = np.nan,
) -> Any:
    _check_method(method)
    fill = _fill(bounds_error, fill_value)
    return _evaluated(trace, *_points(trace, points, values), xi, method, fill)
