"""Integrals, filters, splines and distances of SciPy: its values, and gradients."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from scipy import integrate, interpolate, ndimage, signal
from scipy.spatial import distance

import anabranch
from anabranch.ir.errors import ConcretizationError, ShapeError, UnsupportedError
from tests.compiler.everyday import check_loss, check_refused

lines: Any = interpolate
METRICS: list[Any] = (
    "euclidean sqeuclidean cityblock chebyshev minkowski cosine correlation canberra "
    "braycurtis"
).split()
X = np.array([0.5, -1.0, 2.0, 0.25, 1.5, -0.75, 0.1])
GRID = np.array([0.0, 0.5, 0.7, 1.5, 2.0, 2.2, 3.0])
TABLE = np.outer(X, np.array([1.0, -0.5, 2.0, 0.3])) + 0.1
W = np.array([0.25, 1.0, -0.5])
SQUARE = np.array([[0.5, 1.0, -0.25], [0.0, 2.0, 1.0], [1.0, -1.0, 0.5]])
SPLINE = interpolate.CubicSpline(GRID, np.stack([X, X**2], 1))
NATURAL = interpolate.CubicSpline(GRID, X, bc_type="natural", extrapolate=False)

CASES: dict[str, Any] = {
    "trapezoid": lambda x: integrate.trapezoid(x, dx=0.3),
    "trapezoid with places": lambda x: integrate.trapezoid(x, GRID),
    "trapezoid of columns": lambda x: integrate.trapezoid(
        np.outer(x, x + 1), GRID, axis=0
    ),
    "trapezoid of traced places": lambda x: integrate.trapezoid(np.cos(x), x**2),
    "cumulative_trapezoid": lambda x: integrate.cumulative_trapezoid(x, GRID),
    "cumulative_trapezoid from 0": lambda x: integrate.cumulative_trapezoid(
        np.outer(x, x), axis=0, initial=0
    ),
    "simpson": lambda x: integrate.simpson(x, dx=0.3),
    "simpson with places": lambda x: integrate.simpson(x, GRID),
    "simpson of an even number": lambda x: integrate.simpson(x[:6], dx=0.3),
    "simpson of an even number of places": lambda x: integrate.simpson(x[:6], GRID[:6]),
    "simpson of two": lambda x: integrate.simpson(x[:2], GRID[:2]),
    "simpson of columns": lambda x: integrate.simpson(np.outer(x, x), GRID, axis=0),
    "cumulative_simpson": lambda x: integrate.cumulative_simpson(x, dx=0.5),
    "cumulative_simpson with places": lambda x: integrate.cumulative_simpson(
        x[:6], x=GRID[:6], initial=0.5
    ),
    "cumulative_simpson of columns": lambda x: integrate.cumulative_simpson(
        np.outer(x, x), x=GRID, axis=0
    ),
    **{
        f"signal.convolve {mode}": lambda x, mode=mode: signal.convolve(x, W, mode)
        for mode in ("full", "same", "valid")
    },
    "signal.convolve of the shorter": lambda x: signal.convolve(W, x, "valid"),
    "signal.convolve of images": lambda x: signal.convolve(
        np.outer(x, x), SQUARE[:2], mode="same"
    ),
    "signal.convolve of two": lambda x: signal.convolve(x, x),
    "signal.fftconvolve": lambda x: signal.fftconvolve(x, W, mode="same"),
    "lfilter without recurrence": lambda x: signal.lfilter(W, [2.0], x),
    "lfilter by a gain": lambda x: signal.lfilter([0.5], [2.0], x),
    "lfilter": lambda x: signal.lfilter([0.2, 0.1], [1.0, -0.7, 0.2], x),
    "lfilter of columns": lambda x: signal.lfilter(
        [0.2, 0.1], [2.0, -0.7], np.outer(x, x), axis=0
    ),
    "lfilter with a state": lambda x: signal.lfilter(
        [0.2, 0.1], [1.0, -0.7, 0.2], x, zi=x[:2]
    )[1],
    "lfilter of traced weights": lambda x: signal.lfilter(
        x[:3], np.stack([x[0] + 2, 0.2 * x[1]]), X
    ),
    **{
        f"ndimage.{name} {mode}": lambda x, name=name, mode=mode: getattr(
            ndimage, name
        )(np.outer(x, x), SQUARE[:, :2], mode=mode, cval=0.5)
        for name in ("convolve", "correlate")
        for mode in ("reflect", "constant", "nearest", "mirror", "wrap")
    },
    **{
        f"ndimage.{name} from {origin}": lambda x, name=name, origin=origin: getattr(
            ndimage, name
        )(x, W, axis=0, origin=origin)
        for name in ("convolve1d", "correlate1d")
        for origin in (-1, 0, 1)
    },
    "ndimage.convolve1d of columns": lambda x: ndimage.convolve1d(
        np.outer(x, x), [1.0, 2.0], axis=0
    ),
    "ndimage.convolve1d of traced weights": lambda x: ndimage.convolve1d(X, x[:3]),
    "gaussian_filter": lambda x: ndimage.gaussian_filter(np.outer(x, x), 0.8),
    "gaussian_filter of two widths": lambda x: ndimage.gaussian_filter(
        np.outer(x, x), (0.0, 0.7), mode="nearest"
    ),
    "gaussian_filter1d": lambda x: ndimage.gaussian_filter1d(x, 0.7, mode="wrap"),
    "gaussian_filter1d of a derivative": lambda x: ndimage.gaussian_filter1d(
        x, 0.6, order=1
    ),
    "a spline": lambda x: SPLINE(x),
    "a slope of a spline": lambda x: SPLINE(x[:, None], 1),
    "a spline with ends": lambda x: NATURAL(x),
    "a spline made inside": lambda x: interpolate.CubicSpline(GRID, X)(x + 0.25),
    "a pchip": lambda x: interpolate.PchipInterpolator(GRID, X)(x),
    **{
        f"a {ends} spline of traced values": lambda x, ends=ends: (
            interpolate.CubicSpline(GRID, x, bc_type=ends)(GRID + 0.13)
        )
        for ends in ("not-a-knot", "natural", "clamped")
    },
    "a spline of traced values at traced places": lambda x: interpolate.CubicSpline(
        GRID, np.outer(x, x[:2])
    )(np.abs(x) + 0.01, 1),
    "a spline along the last axis": lambda x: interpolate.CubicSpline(
        GRID, np.outer(x[:2], x), axis=1
    )(GRID[:3] + 0.1),
    "a known spline along the last axis": lambda x: interpolate.CubicSpline(
        GRID, TABLE.T, axis=1
    )(x[:3] + 0.01),
    "a spline with NaN beyond": lambda x: interpolate.CubicSpline(
        GRID, x, extrapolate=False
    )(GRID[:3] + 0.1),
    "derivatives of a spline of traced values": lambda x: interpolate.CubicSpline(
        GRID, np.outer(x, x[:2])
    ).derivative(2)(GRID[:3] + 0.1),
    "integrals of a spline of traced values": lambda x: interpolate.CubicSpline(
        GRID, x
    ).integrate(GRID[0] + 0.1, x[0]),
    "antiderivatives": lambda x: interpolate.CubicSpline(
        GRID, np.outer(x[:2], x), axis=1
    ).antiderivative(2)(GRID + 0.2),
    "values and slopes": lambda x: interpolate.CubicHermiteSpline(
        GRID, np.outer(x, x[:2]), np.outer(x, x[1:3])
    )(GRID + 0.13),
    **{
        f"make_interp_spline of degree {k}": lambda x, k=k: (
            interpolate.make_interp_spline(GRID, x, k)(GRID + 0.13)
        )
        for k in (1, 2, 3, 5)
    },
    "a B-spline": lambda x: interpolate.make_interp_spline(GRID, X)(x + 0.03),
    "a pchip of traced values": lambda x: interpolate.PchipInterpolator(GRID, x)(
        GRID + 0.13
    ),
    "a pchip of two values": lambda x: interpolate.PchipInterpolator(GRID[:2], x[:2])(
        0.2
    ),
    **{
        f"interp1d {kind}": lambda x, kind=kind: lines.interp1d(
            GRID, x, kind, fill_value=(-1.0, 2.0), bounds_error=False
        )(np.linspace(-0.5, 3.5, 9))
        for kind in ("linear", "nearest", "quadratic", "cubic")
    },
    "interp1d beyond": lambda x: lines.interp1d(
        GRID, np.outer(x, x[:2]), axis=0, fill_value="extrapolate"
    )(np.array([-1.0, 0.3, 4.0])),
    "interp1d at traced places": lambda x: lines.interp1d(
        GRID, TABLE.T, fill_value=0.0, bounds_error=False
    )(x + 0.03),
    **{
        f"cdist {metric}": lambda x, metric=metric: distance.cdist(
            np.stack([x, x * x, 1 / (2 + x)], 1), TABLE[:, :3], metric
        )
        for metric in METRICS
    },
    **{
        metric: lambda x, metric=metric: getattr(distance, metric)(x, TABLE[:, 2])
        for metric in METRICS
    },
    "cdist of another power": lambda x: distance.cdist(
        np.stack([x, x * x], 1), TABLE[:, :2], METRICS[4], p=3
    ),
    "minkowski of another power": lambda x: distance.minkowski(x, X + 1, 3),
    "pdist": lambda x: distance.pdist(np.stack([x, x * x], 1)),
    "pdist cityblock": lambda x: distance.pdist(x[:, None], metric=METRICS[2]),
    "squareform": lambda x: distance.squareform(x[:6]),
    "squareform back": lambda x: distance.squareform(np.outer(x, x), checks=False),
}


@pytest.mark.parametrize("name", CASES)
def test_values_are_scipys(name: str, backend: str) -> None:
    made, expected = anabranch.jit(CASES[name], backend=backend)(X), CASES[name](X)
    assert np.asarray(made).dtype == np.asarray(expected).dtype
    np.testing.assert_allclose(made, expected, 1e-11, 1e-13)


@pytest.mark.parametrize("name", CASES)
def test_gradients(name: str) -> None:
    """Weighted sums, away from the ends of splines, to order two."""
    x = np.array([0.55, 1.1, 2.05, 0.3, 1.63, 0.75, 0.1])
    weights = np.random.default_rng(0).standard_normal(100)

    def loss(x: Any) -> Any:
        made = np.ravel(CASES[name](x))
        return np.sum(np.sin(0.3 * made) * weights[: made.size])

    check_loss(loss, (x,))


def test_floats_of_32_bits_stay() -> None:
    x = X.astype(np.float32)
    for name in (
        *("simpson", "ndimage.correlate reflect", "gaussian_filter1d"),
        *METRICS,
    ):
        made, expected = anabranch.jit(CASES[name])(x), CASES[name](x)
        assert np.asarray(made).dtype == np.asarray(expected).dtype, name
        np.testing.assert_allclose(made, expected, 1e-5, 1e-6)


def test_points_that_coincide_have_slope_zero() -> None:
    slope = anabranch.grad(lambda x: np.sum(distance.pdist(x)))
    np.testing.assert_array_equal(slope(np.ones((2, 3))), np.zeros((2, 3)))


def test_what_is_refused() -> None:
    refused = partial(check_refused, (X,))
    x = UnsupportedError
    refused(lambda x: distance.pdist(x[:, None], "jaccard"), x, "metric 'jaccard'")
    refused(lambda x: ndimage.gaussian_filter1d(X, x[0]), x, "a traced width")
    refused(lambda x: signal.convolve(*[x.reshape(7, 1, 1)] * 2), x, "3 dimensions")
    refused(lambda x: ndimage.convolve1d(x, W, output=np.float32), x, "output=")
    refused(lambda x: signal.convolve(x, W, "some"), ValueError, "full, valid or same")
    refused(lambda x: interpolate.CubicSpline(x, x), x, "between traced places")
    refused(lambda x: interpolate.CubicSpline(GRID, x).roots(), x, "has no roots")
    slopes = interpolate.CubicHermiteSpline
    refused(lambda x: slopes(GRID, x, x[:2]), ShapeError, "dydx of shape")
    known = interpolate.Akima1DInterpolator
    refused(lambda x: known(GRID, x), ConcretizationError, "Akima1DInterpolator")


def test_objects_of_the_users_are_none_of_scipys() -> None:
    """Whatever their classes and attributes are called."""

    class dirichlet:  # as SciPy calls its own
        kwds: tuple[Any, ...] = ()
        dist = None

        def pdf(self, x: Any) -> Any:
            return 2.0 * x

    law, x = dirichlet(), np.ones(2)
    np.testing.assert_array_equal(anabranch.jit(lambda x: law.pdf(x))(x), 2 * x)


def test_lines_through_many_points() -> None:
    """What they need grows with the number of points."""
    places = np.arange(20_000.0)
    line = interpolate.interp1d(places, np.sin(places))
    x = np.array([0.3, 7.5, 19_998.9])
    np.testing.assert_allclose(anabranch.jit(lambda x: line(x))(x), line(x), 1e-12)
