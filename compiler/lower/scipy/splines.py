"""Interpolation of `scipy.interpolate`: polynomials in pieces, at traced places too.

The coefficients are a linear function of the values, for places that are known: SciPy's
own constructor, asked for the unit vectors, gives its matrix. Those of
`PchipInterpolator` follow from its formula.
"""

from __future__ import annotations

import importlib
import math
from typing import Any

import numpy as np

from ....ir.errors import ShapeError, UnsupportedError
from ...tracing.lowerings import lowers_in
from ...tracing.running import is_traced
from ...tracing.trace import Trace
from ..ufuncs import reject

__all__: list[str] = []

MODULE = "scipy.interpolate"
_ENDS = ("not-a-knot", "natural", "clamped")


def _scipys() -> Any:
    return importlib.import_module(MODULE)


def _take(trace: Trace, x: Any, places: Any) -> Any:
    """Entries along the first axis; either may be traced, or none."""
    return trace.apply(np.take, (x, places), {"axis": 0})


def _float(trace: Trace, x: Any) -> Any:
    x = trace.array(x)
    return x.astype(np.float64) if is_traced(x) else np.asarray(x, np.float64)


def _placed(made: Any, count: int, axis: int) -> Any:
    """With the axes of the places, which come first, where the knots' axis was."""
    if axis == 0:
        return made
    return np.moveaxis(made, range(count), range(axis, axis + count))


def _evaluated(
    trace: Trace, knots: Any, c: Any, x: Any, nu: int, beyond: Any, axis: int
) -> Any:
    """Horner's rule in the piece where x is, so all derivatives are those of pieces."""
    degree = np.shape(c)[0] - 1
    rows = [
        c[k] * float(np.prod(np.arange(degree - k, degree - k - nu, -1.0)))
        for k in range(degree + 1 - nu)
    ] or [c[0] * 0.0]
    x = _float(trace, x)
    inside = (x >= knots[0]) & (x <= knots[-1])
    if beyond == "periodic":
        x = knots[0] + (x - knots[0]) % (knots[-1] - knots[0])
    place = np.clip(np.searchsorted(knots, x, "right") - 1, 0, len(knots) - 2)
    along = x - _take(trace, knots, place)
    along = np.reshape(along, (*np.shape(along), *(1,) * (np.ndim(c) - 2)))
    made = _take(trace, rows[0], place) + 0.0 * along
    for row in rows[1:]:
        made = made * along + _take(trace, row, place)
    if not beyond:
        made = np.where(np.reshape(inside, np.shape(along)), made, np.nan)
    return _placed(made, np.ndim(x), axis)


@lowers_in(MODULE, "PPoly.__call__")
def _polynomials(
    trace: Trace, self: Any, x: Any, nu: int = 0, extrapolate: Any = None
) -> Any:
    """Pieces of known coefficients, as `CubicSpline` and its kin are."""
    beyond = self.extrapolate if extrapolate is None else extrapolate
    knots, c = np.asarray(self.x), np.asarray(self.c)
    if c.dtype != np.float64:
        raise UnsupportedError("a spline of complex numbers is not supported")
    if knots[0] > knots[-1]:
        raise UnsupportedError("a spline of falling knots is not supported")
    return _evaluated(trace, knots, c, x, nu, beyond, int(getattr(self, "axis", 0)))


@lowers_in(MODULE, "BSpline.__call__")
def _bspline(
    trace: Trace, self: Any, x: Any, nu: int = 0, extrapolate: Any = None
) -> Any:
    beyond = self.extrapolate if extrapolate is None else extrapolate
    knots, c = _pieces(self)
    return _evaluated(trace, knots, c, x, nu, beyond, int(self.axis))


def _pieces(spline: Any) -> tuple[Any, Any]:
    """The polynomials of a sum of B-splines: their Taylor series at each knot."""
    k = spline.k
    plain = _scipys().BSpline.construct_fast(spline.t, spline.c, k)
    knots = np.unique(spline.t[k : len(spline.t) - k])
    orders = range(k, -1, -1)
    series = [plain(knots[:-1], nu=m) / math.factorial(m) for m in orders]
    return knots, np.stack(series)


class Spline:
    """Polynomials in pieces whose coefficients are traced."""

    def __init__(
        self, trace: Trace, knots: Any, c: Any, beyond: Any, axis: int
    ) -> None:
        self._trace, self._given = trace, (knots, c)
        self._beyond, self._axis = beyond, axis

    def __call__(self, x: Any, nu: int = 0, extrapolate: Any = None) -> Any:
        """The value, or the derivative of order ``nu``, at ``x``."""
        beyond = self._beyond if extrapolate is None else extrapolate
        trace = self._trace.innermost
        return _evaluated(trace, *self._given, x, nu, beyond, self._axis)

    def derivative(self, nu: int = 1) -> Spline:
        """The spline of the derivatives of order ``nu``."""
        knots, c = self._given
        for _ in range(nu):
            degree = np.shape(c)[0] - 1
            c = np.stack([c[k] * (degree - k) for k in range(degree)] or [c[0] * 0.0])
        return Spline(self._trace, knots, c, self._beyond, self._axis)

    def antiderivative(self, nu: int = 1) -> Spline:
        """The spline whose derivative it is, from 0 at the first knot."""
        knots, c = self._given
        for _ in range(nu):
            count = np.shape(c)[0]
            h = np.reshape(np.diff(knots), (-1, *(1,) * (np.ndim(c) - 2)))
            rows = [c[k] / (count - k) for k in range(count)]
            areas = sum(row * h ** (count - k) for k, row in enumerate(rows))
            before = np.cumsum(areas, axis=0) - areas
            c = np.stack([*rows, before])
        return Spline(self._trace, knots, c, self._beyond, self._axis)

    def integrate(self, a: Any, b: Any, extrapolate: Any = None) -> Any:
        """The integral from ``a`` to ``b``."""
        if extrapolate == "periodic" or self._beyond == "periodic":
            reject({"extrapolate": "periodic"})
        whole = self.antiderivative()
        return whole(b, 0, extrapolate) - whole(a, 0, extrapolate)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        raise UnsupportedError(
            f"a spline of traced values has no {name}",
            hint="it has derivative, antiderivative and integrate, and can be called",
        )


def _points(trace: Trace, x: Any, y: Any, axis: int) -> tuple[Any, Any, int]:
    """Known places, and values along the first axis."""
    if is_traced(trace.array(x)):
        raise UnsupportedError(
            "interpolation between traced places is not supported",
            hint="np.interp takes them; or pass them as a static argument",
        )
    x, y = np.asarray(x, np.float64), _float(trace, y)
    axis = axis % np.ndim(y)
    if x.ndim != 1 or np.shape(y)[axis] != len(x):
        raise ShapeError(f"{list(x.shape)} places for values {list(np.shape(y))}")
    if np.any(np.diff(x) <= 0):
        raise ValueError("`x` must be strictly increasing sequence.")
    return x, np.moveaxis(y, axis, 0), axis


def _combined(matrix: Any, y: Any) -> Any:
    """The coefficients of values: ``matrix`` has those of the unit vectors."""
    return np.tensordot(matrix, y, axes=(2, 0))


@lowers_in(MODULE, "CubicSpline")
def _cubic_spline(
    trace: Trace,
    x: Any,
    y: Any,
    axis: int = 0,
    bc_type: Any = "not-a-knot",
    extrapolate: Any = None,
) -> Any:
    knots, values, axis = _points(trace, x, y, axis)
    ends = (bc_type,) if isinstance(bc_type, str) else tuple(bc_type)
    if not all(isinstance(end, str) and end in _ENDS for end in ends):
        raise UnsupportedError(
            f"CubicSpline of traced values with bc_type={bc_type!r} is not supported",
            hint=f"there are {', '.join(_ENDS)}",
        )
    units = _scipys().CubicSpline(knots, np.eye(len(knots)), bc_type=bc_type)
    beyond = True if extrapolate is None else extrapolate
    return Spline(trace, knots, _combined(units.c, values), beyond, axis)


@lowers_in(MODULE, "make_interp_spline")
def _make_interp_spline(
    trace: Trace,
    x: Any,
    y: Any,
    k: int = 3,
    t: Any = None,
    bc_type: Any = None,
    axis: int = 0,
    check_finite: bool = True,
) -> Any:
    places, values, axis = _points(trace, x, y, axis)
    if not (bc_type is None or bc_type in _ENDS):
        reject({"bc_type": bc_type})
    make = _scipys().make_interp_spline
    units = make(places, np.eye(len(places)), k, t, bc_type)
    knots, matrix = _pieces(units)
    return Spline(trace, knots, _combined(matrix, values), True, axis)


# pchip: Fritsch and Butland, "A method for constructing local monotone piecewise cubic
# interpolants", SIAM Journal on Scientific and Statistical Computing 5, 1984.


def _end_slope(h0: Any, h1: Any, m0: Any, m1: Any) -> Any:
    """By three points, and no steeper than keeps the shape."""
    slope = ((2 * h0 + h1) * m0 - h0 * m1) / (h0 + h1)
    steep = (np.sign(m0) != np.sign(m1)) & (np.abs(slope) > 3 * np.abs(m0))
    kept = np.where(steep, 3 * m0, slope)
    return np.where(np.sign(slope) == np.sign(m0), kept, 0.0)


def _monotone_slopes(h: Any, m: Any) -> Any:
    """Weighted harmonic means of the slopes around, 0 where these differ in sign."""
    if len(h) == 1:
        return np.concatenate([m, m], axis=0)
    first, second = 2 * h[1:] + h[:-1], h[1:] + 2 * h[:-1]
    turns = m[1:] * m[:-1] <= 0
    left, right = (np.where(turns, 1.0, side) for side in (m[:-1], m[1:]))
    inner = (first + second) / (first / left + second / right)
    inner = np.where(turns, 0.0, inner)
    start = _end_slope(h[:1], h[1:2], m[:1], m[1:2])
    end = _end_slope(h[-1:], h[-2:-1], m[-1:], m[-2:-1])
    return np.concatenate([start, inner, end], axis=0)


@lowers_in(MODULE, "PchipInterpolator")
def _pchip(trace: Trace, x: Any, y: Any, axis: int = 0, extrapolate: Any = None) -> Any:
    knots, y, axis = _points(trace, x, y, axis)
    h = np.reshape(np.diff(knots), (-1, *(1,) * (np.ndim(y) - 1)))
    m = (y[1:] - y[:-1]) / h
    c = _with_slopes(h, y, _monotone_slopes(h, m))
    return Spline(trace, knots, c, True if extrapolate is None else extrapolate, axis)


def _with_slopes(h: Any, y: Any, d: Any) -> Any:
    """The cubics of values and slopes at knots that are ``h`` apart."""
    m = (y[1:] - y[:-1]) / h
    bend = (d[:-1] + d[1:] - 2 * m) / h
    return np.stack([bend / h, (m - d[:-1]) / h - bend, d[:-1], y[:-1]])


@lowers_in(MODULE, "CubicHermiteSpline")
def _hermite(
    trace: Trace, x: Any, y: Any, dydx: Any, axis: int = 0, extrapolate: Any = None
) -> Any:
    knots, y, axis = _points(trace, x, y, axis)
    d = np.moveaxis(_float(trace, dydx), axis, 0)
    if np.shape(d) != np.shape(y):
        raise ShapeError(
            f"CubicHermiteSpline: dydx of shape {np.shape(d)} does not fit y of shape "
            f"{np.shape(y)}"
        )
    h = np.reshape(np.diff(knots), (-1, *(1,) * (np.ndim(y) - 1)))
    c = _with_slopes(h, y, d)
    return Spline(trace, knots, c, True if extrapolate is None else extrapolate, axis)


# interp1d: NaN beyond the ends where SciPy raises.

_DEGREES = {"zero": 0, "slinear": 1, "linear": 1, "quadratic": 2, "cubic": 3}


def _through(kind: str, knots: Any, values: Any) -> tuple[Any, Any]:
    """The knots and the coefficients of the pieces through some values."""
    degree = _DEGREES[kind]
    if degree == 1:
        h = np.reshape(np.diff(knots), (-1, *(1,) * (np.ndim(values) - 1)))
        return knots, np.stack([(values[1:] - values[:-1]) / h, values[:-1]])
    make = _scipys().make_interp_spline
    if not is_traced(values):
        return _pieces(make(knots, values, degree))
    pieces, matrix = _pieces(make(knots, np.eye(len(knots)), degree))
    return pieces, _combined(matrix, values)


class Line:
    """`interp1d` of traced values, or of known ones."""

    def __init__(self, trace: Trace, x: Any, y: Any, kind: Any, fill: Any) -> None:
        self._trace, self._x, self._y, self._fill = trace, x, y, fill
        self._pieces = None if kind == "nearest" else _through(kind, x, y[0])

    def __call__(self, x: Any) -> Any:
        """The values at ``x``."""
        trace, knots = self._trace.innermost, self._x
        values, axis = self._y
        x = _float(trace, x)
        if self._pieces is None:
            middles = knots[:-1] / 2 + knots[1:] / 2
            made = _take(trace, values, np.searchsorted(middles, x, "left"))
        else:
            made = _evaluated(trace, *self._pieces, x, 0, True, 0)
        if not isinstance(self._fill, str):
            wide = np.reshape(x, (*np.shape(x), *(1,) * (np.ndim(values) - 1)))
            below, above = self._fill
            made = np.where(wide < knots[0], below, made)
            made = np.where(wide > knots[-1], above, made)
        return _placed(made, np.ndim(x), axis)


def _fill(value: Any) -> Any:
    if isinstance(value, str):
        return value
    return value if isinstance(value, tuple) else (value, value)


@lowers_in(MODULE, "interp1d")
def _interp1d(
    trace: Trace,
    x: Any,
    y: Any,
    kind: Any = "linear",
    axis: int = -1,
    copy: bool = True,
    bounds_error: Any = None,
    fill_value: Any = np.nan,
    assume_sorted: bool = False,
) -> Any:
    if kind not in (*_DEGREES, "nearest"):
        reject({"kind": kind})
    places, values, axis = _points(trace, x, y, axis)
    return Line(trace, places, (values, axis), kind, _fill(fill_value))


@lowers_in(MODULE, "interp1d.__call__")
def _interp1d_at(trace: Trace, self: Any, x: Any) -> Any:
    kind = str(getattr(self, "_kind", ""))
    if kind not in (*_DEGREES, "nearest"):
        raise UnsupportedError(f"{type(self).__name__} {kind} is not supported")
    values = np.moveaxis(np.asarray(self.y, np.float64), self.axis, 0)
    fill = "extrapolate" if self._extrapolate else _fill(self.fill_value)
    return Line(trace, np.asarray(self.x), (values, self.axis), kind, fill)(x)
