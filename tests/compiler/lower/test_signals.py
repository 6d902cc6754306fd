"""Filters, spectra and images of SciPy: values are SciPy's, gradients differences'."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from scipy import ndimage, signal

import anabranch
from anabranch.ir.errors import ShapeError, UnsupportedError
from tests.compiler.everyday import check_refused

RNG = np.random.default_rng(0)
X = RNG.standard_normal(40)
ROWS = RNG.standard_normal((2, 40))
IMAGE = RNG.standard_normal((5, 6))
SOLID = RNG.standard_normal((3, 4, 3))
s: Any = signal
n: Any = ndimage
B, A = s.butter(3, 0.3)
SOS = s.butter(4, 0.3, output="sos")
PLACES = RNG.uniform(-7, 12, (2, 4, 3))
PLACES[:, 0] = [[0, 4, 2], [0, 5, 3]]
TURN = np.array([[0.9, 0.2], [-0.1, 1.1]])

SIGNALS: list[Any] = [
    (lambda x: s.sosfilt(SOS, x), ROWS),
    (lambda x: s.sosfilt(SOS, x.T, axis=0), ROWS),
    (lambda x: s.sosfilt(SOS, x, zi=s.sosfilt_zi(SOS) * x[0]), X),
    (lambda p: s.lfilter_zi(p[:3], p[3:]), np.array([1.0, 2, 3, 1.5, 0.2, 0.3, 0.1])),
    (lambda p: s.sosfilt_zi(p * SOS), np.ones(6)),
    *((lambda x, k=k: s.filtfilt(B, A, x, padtype=k), X) for k in ("odd", None)),
    (lambda x: s.filtfilt(B, A, x.T, axis=0, padtype="even", padlen=5), ROWS),
    (lambda b: s.filtfilt(b, A, X), B),
    (lambda x: s.sosfiltfilt(SOS, x, padtype="constant"), ROWS),
    (lambda x: s.savgol_filter(x, 7, 3), ROWS),
    (lambda x: s.savgol_filter(x.T, 6, 3, deriv=1, delta=0.5, axis=0), ROWS),
    (lambda x: s.savgol_filter(x, 7, 2, mode="mirror"), X),
    (lambda x: s.medfilt(x, (3, 5)), IMAGE),
    (lambda x: s.detrend(x, bp=[10, 25]), ROWS),
    (lambda x: s.detrend(x, axis=0, type="constant"), ROWS),
    (lambda x: s.hilbert(x), ROWS),
    (lambda x: s.hilbert(x, 7, axis=0), ROWS),
    *((lambda x, m=m: s.correlate(x, x[:7], m), X) for m in ("full", "same")),
    (lambda x: s.correlate(x[:6], x, "valid"), X),
    (lambda x: s.correlate(x, x[:4, :3], "valid"), IMAGE),
    (lambda x: s.periodogram(x, 2.0), ROWS),
    (lambda x: s.periodogram(x, nfft=64, scaling="spectrum"), X),
    (lambda x: s.periodogram(x, nfft=30, window="hann", detrend="linear"), X),
    (lambda x: s.periodogram(x.T, return_onesided=False, axis=0), ROWS),
    (lambda x: s.welch(x, nperseg=15, noverlap=4, nfft=17), ROWS),
    (lambda x: s.welch(x.T, window=np.hamming(12), detrend=False, axis=0), ROWS),
    (lambda x: s.csd(x[0], x[1], nperseg=8, average="median"), ROWS),
    (lambda x: s.coherence(x[0], x[1], nperseg=16), ROWS),
    (lambda x: s.spectrogram(x, nperseg=16), ROWS),
    *(
        (lambda x, b=b: s.stft(x, 2.0, nperseg=12, boundary=b), X)
        for b in ("odd", None)
    ),
    (lambda x: s.stft(x.T, nperseg=12, padded=False, scaling="psd", axis=0), ROWS),
    (lambda x: s.stft(x * 1j + x[::-1], nperseg=12, return_onesided=False), X),
]
SEGMENTS = s.stft(ROWS, nperseg=8)[2]
RATES: list[Any] = [
    (lambda x: s.upfirdn(X[:7], x, 3, 2), ROWS),
    (lambda h: s.upfirdn(h, ROWS[:, :4], 1, 4, mode="reflect", axis=0), X[:9]),
    *(
        (lambda x, m=m: s.upfirdn(X[:4], x, 2, 5, mode=m, cval=0.7), X[:6])
        for m in ("constant", "symmetric", "edge", "wrap", "antireflect")
    ),
    (lambda x: s.resample_poly(x, 4, 6, axis=1, padtype="median"), ROWS),
    (lambda x: s.resample_poly(x, 3, 2, window=X[:6], cval=0.3), X),
    (lambda x: s.resample_poly(x, 5, 5), X),
    (lambda x: s.decimate(x, 4), ROWS),
    (lambda x: s.decimate(x, 4, n=3, zero_phase=False), X),
    (lambda x: s.decimate(x, 4, ftype="fir"), ROWS),
    (lambda x: s.decimate(x, 3, ftype="fir", zero_phase=False), X),
    *((lambda x, m=m: s.resample(x, m), X) for m in (1, 8, 13, 40, 41, 60)),
    *((lambda x, m=m: s.resample(x * 1j + 1, m), X[:20]) for m in (2, 8, 13, 40)),
    (lambda x: s.resample(x, 13, axis=1, window="hamming"), ROWS),
    (lambda x: s.resample(x, 13, t=np.arange(40) / 2), X),
    (lambda x: s.resample(x, 7, window=lambda f: np.exp(-f * f), domain="freq"), X),
    (lambda x: s.istft(x), SEGMENTS),
    (lambda x: s.istft(x[0], nfft=8, nperseg=6, window=np.hamming(6)), SEGMENTS),
    (
        lambda x: s.istft(x, nperseg=9, noverlap=5, time_axis=0, scaling="psd"),
        SEGMENTS.T,
    ),
    (
        lambda x: s.istft(x, 1, "hamming", input_onesided=False, boundary=False),
        SEGMENTS,
    ),
    *(
        (lambda x, f=f, m=m, b=b: f(x, ROWS[:, :3], m, b, 0.5), IMAGE)
        for f in (s.convolve2d, s.correlate2d)
        for m, b in (("full", "fill"), ("same", "wrap"), ("valid", "symm"))
    ),
    (lambda x: s.oaconvolve(x, X[:3]), X),
]
IMAGES: list[Any] = [
    (lambda x: n.uniform_filter(x, (3, 2), mode="mirror", origin=(1, 0)), IMAGE),
    (lambda x: n.uniform_filter1d(x, 4, mode="constant", cval=0.3), IMAGE),
    (lambda x: n.uniform_filter(x), SOLID),
    (lambda x: n.sobel(x, 1), SOLID),
    (lambda x: n.prewitt(x, mode="nearest"), IMAGE),
    (lambda x: n.laplace(x, mode="wrap"), IMAGE),
    (lambda x: n.gaussian_laplace(x, 1.2), IMAGE),
    (lambda x: n.gaussian_gradient_magnitude(x, 1.2, truncate=3.0), IMAGE),
    (lambda x: n.maximum_filter(x, 3), IMAGE),
    (lambda x: n.minimum_filter(x, (2, 3), mode="mirror"), IMAGE),
    (lambda x: n.median_filter(x, (2, 3), mode="constant"), IMAGE),
    (lambda x: n.shift(x, (1.3, -0.7), order=1, mode="mirror"), IMAGE),
    (lambda t: n.shift(IMAGE, t, order=1, mode="nearest"), np.array([1.3, -0.7])),
    (lambda x: n.zoom(x, (1.6, 2), order=1), IMAGE),
    (lambda x: n.zoom(x, 2, order=1, grid_mode=True, mode="grid-constant"), IMAGE),
    (lambda x: n.rotate(x, -50, order=1), IMAGE),
    (lambda x: n.rotate(x, 90, order=1), IMAGE),
    (lambda x: n.rotate(x, 20, axes=(0, 2), order=0, reshape=False), SOLID),
    (
        lambda t: n.rotate(IMAGE, t, order=1, reshape=False, mode="nearest"),
        np.array(33.0),
    ),
    (lambda x: n.affine_transform(x, TURN, (0.3, -0.2), (4, 7), order=1), IMAGE),
    (lambda x: n.affine_transform(x, np.c_[TURN, [0.1, 0.4]], order=1), IMAGE),
    (lambda m: n.affine_transform(IMAGE, m, order=1, mode="mirror"), TURN),
    (lambda d: n.affine_transform(IMAGE, d, order=1), np.array([0.9, 0.7])),
]
MODES = (
    "reflect constant nearest mirror wrap grid-wrap grid-constant grid-mirror".split()
)


@pytest.mark.parametrize("case", SIGNALS + RATES + IMAGES)
def test_values(same, case):
    same(*case, rtol=1e-9)


def parts(made: Any) -> Any:
    """What is traced of one result, or of a tuple in which frequencies are known."""
    made = made if isinstance(made, tuple) else (made,)
    return [np.sin(np.abs(x)) for x in made if not isinstance(x, np.ndarray)]


@pytest.mark.parametrize("case", SIGNALS[::2] + RATES[1::3] + IMAGES[1::2])
def test_gradients(case):
    function, x = case
    anabranch.check_grads(lambda x: parts(function(x)), (x,))


def test_second_derivatives():
    for function in (
        lambda x: s.welch(x, nperseg=8)[1],
        lambda x: s.filtfilt(x[:3], [1.0, 0.3], x),
        lambda x: s.resample_poly(x, 3, 2, window=x[:6]),
        lambda x: s.istft(s.stft(x, nperseg=4)[2] ** 2)[1],
        lambda x: n.rotate(n.sobel(np.outer(x[:4], x[:4])), 30, order=1),
    ):
        anabranch.check_grads(lambda x, f=function: f(x) ** 2, (X[:16],), order=2)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("order", [2, 3, 4, 5])
def test_splines_through_pixels(same, order, mode):
    def read(x, places, prefilter=True):
        named = {"mode": mode, "cval": 0.3, "prefilter": prefilter}
        return n.map_coordinates(x, places, order=order, **named)

    same(read, IMAGE, PLACES, rtol=1e-11)
    same(lambda x: n.spline_filter1d(x, order, axis=0, mode=mode), IMAGE, rtol=1e-12)
    if order > 3:
        same(partial(read, prefilter=False), IMAGE, PLACES, rtol=1e-11)
        same(read, (20 * IMAGE).astype(int), PLACES)


SPLINES: list[Any] = [
    (lambda x: n.zoom(x, (1.6, 2)), IMAGE),
    (lambda x: n.zoom(x, (1, 0.5), order=4, mode="nearest"), ROWS[:, :130]),
    (lambda x: n.zoom(np.tile(x, 4), (1, 0.9), order=5, mode="reflect"), ROWS),
    (lambda x: n.shift(x, (1.3, -0.7), order=2, mode="wrap"), IMAGE),
    (lambda x: n.shift(x + 1j * x[::-1], (0.3, 0.4), cval=1 - 2j), IMAGE),
    (lambda x: n.rotate(x, 20, axes=(0, 2), mode="reflect"), SOLID),
    (lambda x: n.rotate(x, 20, axes=(2, 1), mode="grid-constant", cval=2.0), SOLID),
    (lambda m: n.affine_transform(IMAGE, m, order=3, mode="grid-wrap"), TURN),
    (lambda x: n.spline_filter(x, 4, mode="grid-wrap"), IMAGE),
    (lambda x: n.map_coordinates(x, PLACES[:1] / 2, order=3), X[:1]),
]


@pytest.mark.parametrize("case", SPLINES)
def test_images_by_splines(same, case):
    same(*case, rtol=1e-9)


@pytest.mark.parametrize("case", SPLINES[2::3])
def test_gradients_of_splines(case):
    function, x = case
    anabranch.check_grads(lambda x: parts(function(x)), (x,))


def test_second_derivatives_of_splines():
    """By the image and by the places, which are between knots here."""

    def read(x, places):
        return n.map_coordinates(x, places, order=3, mode="mirror") ** 2

    places = np.floor(PLACES[:, 1]) + 0.4
    anabranch.check_grads(read, (IMAGE[:3, :3], places), order=2)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("order", [0, 1])
def test_images_between_their_pixels(same, order, mode):
    def read(x, places):
        return n.map_coordinates(x, places, order=order, mode=mode, cval=0.5)

    same(read, IMAGE, PLACES, rtol=1e-12)
    same(read, (20 * IMAGE).astype(int), PLACES)
    same(read, IMAGE, np.full((2, 1), -0.5), rtol=1e-12)  # turned, and then rounded
    anabranch.check_grads(read, (IMAGE, np.floor(PLACES) + 0.3))


def test_float32_stays(same):
    x = ROWS.astype("f4")
    same(lambda x: s.sosfilt(SOS.astype("f4"), x), x, rtol=1e-4)
    same(lambda x: s.welch(x, nperseg=16), x, rtol=1e-4)
    same(lambda x: s.hilbert(x), x, rtol=1e-5)
    same(lambda x: s.savgol_filter(x, 7, 2), x, rtol=1e-5)
    same(lambda x: n.zoom(x[:, :4], 2, order=1), x, rtol=1e-5)
    same(lambda x: n.uniform_filter((9 * x).astype(int)), x)


def test_products_of_integers_are_integers(same):
    same(s.correlate, np.arange(5), np.arange(3))
    same(s.convolve, np.eye(4, dtype=np.int32), np.ones((2, 2), np.int32))


def test_what_is_refused():
    refused = partial(check_refused, (X,))
    no = UnsupportedError
    refused(lambda x: s.upfirdn(x, x, mode="line"), no, "mode='line' is not supported")
    refused(lambda x: s.upfirdn(x, x, 0), ValueError, "must be >= 1")
    refused(lambda x: s.decimate(x, 2, ftype="x"), no, "ftype='x' is not supported")
    refused(lambda x: s.resample(x, 9, window=x), no, "by a traced window")
    refused(lambda x: s.resample(x, 9, window=np.ones(3)), ShapeError, "40 frequencies")
    refused(lambda x: s.istft(x), ValueError, "must be at least 2d")
    refused(lambda x: s.convolve2d(x, x), ValueError, "must both be 2-D")
    refused(lambda x: n.shift(x, 0.5, order=6), RuntimeError, "order not supported")
    refused(lambda x: n.spline_filter(x, 1), RuntimeError, "order not supported")
    refused(lambda x: n.spline_filter(x, output=x), no, "into an array, output=")
    refused(lambda x: n.spline_filter(x * 1j), no, "filter x.real and x.imag")
    refused(lambda x: n.spline_filter(x, mode="odd"), ValueError, "is one of const")
    refused(
        lambda x: n.shift(x, 0.5, order=1, mode="odd"), ValueError, "is one of refl"
    )
    refused(lambda x: n.zoom(x, x[0], order=1), no, "a size that only it tells")
    refused(lambda x: n.rotate(IMAGE, x[0], order=1), no, "rotate by a traced number")
    refused(lambda x: n.affine_transform(SOLID * x[0], TURN), ShapeError, "of 3 axes")
    refused(lambda x: n.map_coordinates(x, PLACES), RuntimeError, "coordinate array")
    refused(lambda x: n.uniform_filter1d(x, 0), RuntimeError, "incorrect filter size")
    refused(lambda x: n.maximum_filter(x), no, "maximum_filter without size")
    refused(
        lambda x: n.median_filter(x, footprint=[1, 1]), no, "the argument footprint="
    )
    refused(lambda x: n.median_filter(x * 1j, 3), TypeError, "real numbers are wanted")
    refused(lambda x: s.medfilt(x, 4), ValueError, "should be odd")
    refused(lambda x: s.sosfilt(np.ones((2, 5)), x), ValueError, "n_sections, 6")
    refused(lambda x: s.filtfilt(B, A, x, method="gust"), no, "method='gust'")
    refused(lambda x: s.filtfilt(B, A, x[:9]), ValueError, "greater than padlen")
    refused(
        lambda x: s.filtfilt(B, A, x, padtype="no"), ValueError, "Unknown value 'no'"
    )
    refused(lambda x: s.sosfiltfilt(SOS * x[0], X), no, "traced sections pads by what")
    refused(lambda x: s.savgol_filter(x[:5], 7, 2), ValueError, "window_length must be")
    refused(lambda x: s.detrend(x, type="bent"), ValueError, "'linear' or 'constant'")
    refused(lambda x: s.detrend(x, bp=50), ValueError, "Breakpoints must be less than")
    refused(lambda x: s.hilbert(x * 1j), ValueError, "x must be real")
    refused(lambda x: s.hilbert(x, 0), ValueError, "N must be positive")
    refused(lambda x: s.welch(x, window=x), no, "a spectrum by a traced window")
    refused(lambda x: s.welch(x, detrend=np.sin), no, "the argument detrend=")
    refused(lambda x: s.welch(x, window=np.ones(50)), ValueError, "longer than input")
    refused(lambda x: s.welch(x, window=np.ones(5), nperseg=6), ValueError, "different")
    refused(lambda x: s.welch(x, nperseg=8, nfft=6), ValueError, "or equal to nperseg")
    refused(
        lambda x: s.welch(x, nperseg=8, noverlap=8), ValueError, "be less than nperseg"
    )
    refused(lambda x: s.welch(x, scaling="no"), ValueError, "Unknown scaling: 'no'")
    refused(lambda x: s.welch(x, average="no"), ValueError, "average must be")
    refused(lambda x: s.csd(x, x[:20], nperseg=8), ShapeError, "differ in shape")
    refused(
        lambda x: s.periodogram(x, window=np.ones(9)), ValueError, "the same size of"
    )
    refused(lambda x: s.spectrogram(x, mode="angle"), no, "mode='angle'")
    refused(lambda x: s.stft(x, scaling="density"), ValueError, "not in")
