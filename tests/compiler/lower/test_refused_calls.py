"""Calls that lowerings refuse: the message, the user's line, and NumPy's class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from scipy import integrate, interpolate, linalg, ndimage, signal, special, stats
from scipy.spatial import distance

import anabranch
from tests.compiler.everyday import check_said

M = np.arange(6.0).reshape(2, 3) + 0.5
f: Any = np
la: Any = np.linalg
sl: Any = linalg
ip: Any = interpolate
sg: Any = signal
st: Any = stats
strided: Any = np.lib.stride_tricks.as_strided
windows: Any = np.lib.stride_tricks.sliding_window_view

CASES: list[tuple[Callable[[Any], Any], str]] = [
    # Building.
    (lambda m: f.linspace(m[0], 2.0, -1), "must be non-negative"),
    (lambda m: f.meshgrid(m[0], m[1], indexing="ji"), "`indexing` are 'xy' and 'ij'"),
    (lambda m: f.resize(m, (2, -1)), "`new_shape` must be non-negative"),
    (lambda m: f.block([m, [m]]), "block: lists of one depth"),
    (lambda m: f.dsplit(m, 2), "only works on arrays of 3 or more dimensions"),
    (lambda m: windows(m, 2), "window_shape and axis need an entry for each other"),
    (lambda m: windows(m, (3, 1)), "cannot be larger than input array shape"),
    (lambda m: f.pad(m, 1.5), "pad widths are integers, not float64"),
    (lambda m: f.pad(m, -1), "pad widths are not negative"),
    (lambda m: f.where(m > 1, m), "either both or neither of x and y"),
    (lambda m: f.moveaxis(m, [0, 1], [0]), "different numbers of axes"),
    (lambda m: f.diag(m[None]), "diag: a vector or a matrix, not (1, 2, 3)"),
    (lambda m: f.stack([m, m[0]]), "all input arrays must have one shape"),
    # Calculus.
    (lambda m: f.gradient(m, 1.0, 1.0, 1.0), "invalid number of arguments"),
    (lambda m: f.gradient(m[0], m[0, :2]), "the places along an axis are as many"),
    (lambda m: f.gradient(m[:, :1]), "too small to calculate a numerical gradient"),
    (lambda m: f.convolve(m[0], m[0, :0]), "v cannot be empty"),
    (lambda m: f.diff(m, -1), "diff: the order must not be negative, not -1"),
    (lambda m: integrate.trapezoid(m, m.ravel()), "x has 6 places, y 3"),
    # Choosing.
    (lambda m: f.piecewise(m, [m > 1], [1, 2, 3]), "functions are expected"),
    (
        lambda m: f.apply_along_axis(f.sum, 0, m[:, :0]),
        "when any iteration dimensions are 0",
    ),
    (
        lambda m: f.apply_over_axes(lambda a, _: a[0, 0], m, [0]),
        "not returning an array of the correct shape",
    ),
    (lambda m: f.select([m > 1], []), "select: as many conditions as choices"),
    # Indices.
    (lambda m: f.take_along_axis(m, np.ones((1, 1), int), None), "indices are flat"),
    (lambda m: f.add.reduceat(m[0], [0, 3]), "reduceat is out of bounds for 3"),
    # Linear algebra.
    (lambda m: la.solve(m[:, :2], m.T), "do not have as many rows"),
    (lambda m: la.solve(m[:, :2], 1.0), "solve: the right side has no dimensions"),
    (
        lambda m: la.solve(f.ones((3, 2, 2)) * m[0, 0], f.ones((2, 2, 2))),
        "the stacks of f64[3,2,2] and f64[2,2,2] do not broadcast",
    ),
    (
        lambda m: la.norm(m[None], axis=(0, 1, 2)),
        "Improper number of dimensions to norm",
    ),
    (lambda m: la.norm(m[None], 2), "Improper number of dimensions to norm"),
    (lambda m: la.lstsq(m[None], m), "lstsq: takes one matrix, no stack"),
    (lambda m: la.matrix_power(m, 2), "Last 2 dimensions of the array must be square"),
    (lambda m: la.multi_dot([m]), "Expecting at least two arrays"),
    (lambda m: la.cross(m[:, :2], m[:, :2]), "both vectors have three numbers"),
    (lambda m: f.matvec(m[0], m[0]), "matvec: no matrix and vector"),
    (lambda m: f.vecmat(m[0], m[0]), "vecmat: no vector and matrix"),
    (lambda m: la.qr(m, "wide"), "Unrecognized mode 'wide'"),
    # Polynomials.
    (lambda m: f.polyder(m[0], -1), "Order of derivative must be positive"),
    (lambda m: f.polyint(m[0], -1), "Order of integral must be positive"),
    (
        lambda m: f.polyfit(m[0], m[1], 2, cov=True),
        "the number of data points must exceed order",
    ),
    (lambda m: f.roots(m), "Input must be a rank-1 array."),
    # Products.
    (lambda m: f.einsum("...i->i", m), "lacks the '...'"),
    (lambda m: f.einsum("ij->ik", m), "does not follow from its inputs"),
    # Transforms and filters.
    (lambda m: f.fft.fft(m, 0), "a Fourier transform of 0 numbers has no meaning"),
    (
        lambda m: sg.convolve2d(m, m, boundary="far"),
        "the boundary is one of ",
    ),
    (lambda m: sg.upfirdn(m[0, :0], m), "h must be 1-D with non-zero length"),
    (
        lambda m: sg.resample_poly(m, 2, 1, padtype="line", cval=1.0),
        "cval has no effect when padtype is line",
    ),
    (
        lambda m: sg.resample(m, 4, domain="space"),
        "Parameter domain='space' not in ('time', 'freq')!",
    ),
    (
        lambda m: sg.istft(m, time_axis=0, freq_axis=0),
        "Must specify differing time and frequency axes!",
    ),
    (lambda m: sg.istft(m, window=np.ones(9)), "window must have length of 2"),
    (
        lambda m: sl.convolution_matrix(m[0], 0),
        "convolution_matrix expects a one-dimensional array a, n >= 1",
    ),
    (
        lambda m: sl.convolution_matrix(m[0], 2, "half"),
        "'mode' argument must be one of ('full', 'valid', 'same')",
    ),
    (
        lambda m: sl.khatri_rao(m, m[:, :2]),
        "khatri_rao: a of shape (2, 3) and b of shape (2, 2) are no ",
    ),
    (
        lambda m: sg.stft(m, scaling="none"),
        "Parameter scaling='none' not in ['spectrum', 'psd']!",
    ),
    (
        lambda m: sg.welch(m, window=np.ones(2), nperseg=3),
        "value specified for nperseg is different from length of window",
    ),
    # Reductions and statistics.
    (
        lambda m: f.sum(m, axis=[0, 1]),
        "an axis is an integer or a tuple of integers, not [0, 1]",
    ),
    (
        lambda m: f.interp(m, m[0], m[1, :2]),
        "interp: xp and fp are rows of one size, not (3,) and (2,)",
    ),
    (lambda m: f.i0(m * 1j), "i0 not supported for complex values"),
    (
        lambda m: st.dirichlet.logpdf(m[:, 0] / 3, m.ravel()),
        "dirichlet: x of shape (2,) does not fit alpha of shape (6,)",
    ),
    (lambda m: f.average(m, 0, weights=m[0]), "do not fit (2, 3) along axis 0"),
    (lambda m: f.max(m, where=m > 1), "the extremum of a mask of values needs initial"),
    (lambda m: f.cumsum(m, True), "an axis is an integer, not a bool"),
    (lambda m: f.add.accumulate(m, None), "an array of several axes needs axis="),
    (lambda m: f.hypot.accumulate(m, None), "accumulate: an array of several axes"),
    (lambda m: f.digitize(m, [0.0, 2.0, 1.0]), "monotonically increasing or decr"),
    (lambda m: f.interp(m, [], []), "array of sample points is empty"),
    (lambda m: f.bincount([0, 1], m[0]), "list don't have the same length"),
    (lambda m: f.bincount([0, 1, -1], m[0]), "must have no negative elements"),
    (lambda m: f.histogram(m, 0), "`bins` must be positive, when an integer"),
    (lambda m: f.histogram(m, weights=m[0]), "should have the same shape as a"),
    (lambda m: f.histogramdd(m, [2, 2]), "bins and range need an entry for each axis"),
    (lambda m: f.ldexp(m, 1.5), "ldexp: the exponent is an integer"),
    # Distances.
    (lambda m: distance.cdist(m[0], m), "points are rows of a matrix, not (3,)"),
    (lambda m: distance.squareform(m.ravel()[:5]), "5 is no number of pairs"),
    (
        lambda m: distance.squareform(m[None]),
        "squareform takes a vector or a matrix, not (1, 2, 3)",
    ),
    # Interpolation.
    (lambda m: ip.CubicSpline([0.0, 1.0], m[0]), "[2] places for values [3]"),
]


@pytest.mark.parametrize(("call", "message"), CASES, ids=[said for _, said in CASES])
def test_refused_as_numpy_refuses(call: Callable[[Any], Any], message: str) -> None:
    """NumPy, or SciPy, raises an error of the same kind for the same call."""
    kinds: Any = IndexError, np.linalg.LinAlgError, ValueError, TypeError
    with pytest.raises(kinds) as theirs:
        call(M)
    kind = next(kind for kind in kinds if isinstance(theirs.value, kind))
    check_said(call, M, kind, message)


Unsupported = anabranch.UnsupportedError
TraceError = anabranch.TraceError

OURS: list[tuple[Callable[[Any], Any], type[Exception], str, str]] = [
    (
        lambda m: f.arange(m[0, 0], 5),
        TraceError,
        "np.arange of traced floats has a size that only its values tell",
        "np.linspace(start, stop, n)",
    ),
    (
        lambda m: windows(m, (1, 2), writeable=True),
        TraceError,
        "windows that are written into are not supported",
        "",
    ),
    (
        lambda m: ip.CubicSpline([0.0, 1.0, 2.0], m[0], bc_type="periodic"),
        Unsupported,
        "bc_type='periodic' is not supported",
        "not-a-knot",
    ),
    (
        lambda m: la.pinv(m[None], rcond=np.ones(2)),
        Unsupported,
        "pinv: rcond is one number of the program",
        "",
    ),
    (
        lambda m: la.qr(m, "raw"),
        Unsupported,
        "qr: mode='raw' is not supported",
        "'reduced' or 'complete'",
    ),
    (
        lambda m: m[True, m[0].astype(int)],
        TraceError,
        "a bool and traced positions in one index are not supported",
        "x[None, i]",
    ),
    (
        lambda m: f.polyfit(m[0], m.T, 1, cov=True),
        Unsupported,
        "polyfit: cov= of several columns is not supported",
        "",
    ),
    (
        lambda m: sl.solve(m[:, :2], m, assume_a="banded"),
        Unsupported,
        "solve: assume_a='banded' is not supported",
        "",
    ),
    (
        lambda m: ip.CubicSpline([0.0, 1.0, 2.0], [0, 1j, 2])(m),
        Unsupported,
        "a spline of complex numbers is not supported",
        "",
    ),
    (
        lambda m: ip.PPoly(np.ones((2, 2)), [2.0, 1.0, 0.0])(m),
        Unsupported,
        "a spline of falling knots is not supported",
        "",
    ),
    (
        lambda m: ip.interp1d([0.0, 9.0], [0.0, 1.0], kind="next")(m),
        Unsupported,
        "interp1d next is not supported",
        "",
    ),
    (
        lambda m: sp.csr_array.dot(m, np.ones(3)),
        Unsupported,
        "a sparse matrix with traced entries is not supported",
        "",
    ),
    (
        lambda m: f.delete(m, m[0].astype(int)),
        TraceError,
        "np.delete at traced places has a shape, or an order, that only they tell",
        "so does np.where",
    ),
    (
        lambda m: m[:, m[0] > 1].sum(),
        TraceError,
        "indexing with a traced mask and something in front of it, or with arrays "
        "beside it, is not supported",
        "x.T[mask] for x[:, mask]",
    ),
    (
        lambda m: sl.toeplitz(m),
        anabranch.ShapeError,
        "the first column is a vector, not (2, 3)",
        "",
    ),
    (
        lambda m: sg.convolve(m[None], m[None]),
        Unsupported,
        "a filter of arrays of 3 and 3 dimensions is not supported",
        "it takes one or two",
    ),
    (
        lambda m: ip.interpn((np.arange(3.0), np.arange(3.0)), np.eye(3), m),
        anabranch.ShapeError,
        "the places have 3 numbers each, the grid 2 axes",
        "",
    ),
    (
        lambda m: ndimage.affine_transform(m, np.eye(4)),
        anabranch.ShapeError,
        "affine_transform: the matrix of shape (4, 4) does not fit an image of 2 axes",
        "",
    ),
    (
        lambda m: ndimage.spline_filter(m * 1j),
        Unsupported,
        "a spline filter of complex numbers is not supported",
        "filter x.real and x.imag",
    ),
    (
        lambda m: f.poly(m[:, :2]),
        Unsupported,
        "np.poly of a matrix is not supported",
        "",
    ),
    (
        lambda m: f.polyfit(m[0], m[1], 1, full=True),
        Unsupported,
        "polyfit: full= is not supported",
        "",
    ),
    (
        lambda m: f.quantile(m, 0.5, method="inverted_cdf", weights=m),
        Unsupported,
        "quantiles with weights are not supported",
        "",
    ),
    (
        lambda m: ndimage.maximum_filter(m, footprint=None),
        Unsupported,
        "maximum_filter without size= is not supported",
        "",
    ),
    (
        lambda m: special.polygamma(1.5, m),
        TraceError,
        "is one whole number that is known while tracing, not 1.5",
        "pass a Python integer",
    ),
    (
        lambda m: f.bincount(m[0].astype(int)),
        TraceError,
        "np.bincount of traced integers has a size that only they tell",
        "minlength",
    ),
    (
        lambda m: f.histogram(m, "auto"),
        TraceError,
        "np.histogram with bins='auto' has a size that only the values tell",
        "say how many bins there are",
    ),
    (
        lambda m: strided(m.copy(), (2, 2), (8,)),
        anabranch.ShapeError,
        "as_strided: 1 strides for the shape (2, 2)",
        "",
    ),
    (
        lambda m: strided(m.copy(), (2, 2), (8, 4)),
        Unsupported,
        "as_strided: strides (8, 4) are no multiples of 8 bytes, the size of",
        "",
    ),
    (
        lambda m: m == "text",
        TraceError,
        "a traced array is compared with a str",
        "x is None",
    ),
    (
        lambda m: f.take(m, m[0]),
        anabranch.BoundsError,
        "arrays used as indices must be of integers, not float64",
        "",
    ),
    (
        lambda m: f.take(m, [0.5]),
        anabranch.BoundsError,
        "arrays used as indices must be of integers, not float64",
        "",
    ),
    (
        lambda m: m[0, :: m[0, 0].astype(int)],
        anabranch.ConcretizationError,
        "the size of a slice depends on a traced value",
        "slice with bounds that are a number apart",
    ),
    (
        lambda m: m[[0, 1], : m[0, 0].astype(int)],
        anabranch.ConcretizationError,
        "the size of a slice depends on a traced value",
        "make the argument static",
    ),
    (
        lambda m: f.split(m, m[0].astype(int)),
        anabranch.ConcretizationError,
        "needs the value of a traced array",
        "",
    ),
]


@pytest.mark.parametrize(
    ("call", "kind", "message", "hint"), OURS, ids=[row[2] for row in OURS]
)
def test_refused_where_numpy_would_not(
    call: Callable[[Any], Any], kind: type[Exception], message: str, hint: str
) -> None:
    assert hint in (check_said(call, M, kind, message) or "")
