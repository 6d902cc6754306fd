"""Spectra of `scipy.signal`: of segments times a window, averaged or one by one.

Welch 1967, "The use of fast Fourier transform for the estimation of power spectra".
Windows are known while tracing, so SciPy itself makes them.
"""

from __future__ import annotations

import operator
from typing import Any, NamedTuple

import numpy as np

from ....ir.errors import ShapeError, UnsupportedError
from ...tracing.lowerings import lowers_in
from ...tracing.running import as_array, is_traced
from ...tracing.trace import Trace
from ..ufuncs import reject
from .filters import SIGNAL, scipy_signal
from .signals import detrend as detrended

__all__ = ["Segments", "known_window", "rows_of", "segments"]


class Segments(NamedTuple):
    """How a signal is cut, weighted and transformed."""

    window: Any
    length: int
    step: int
    size: int
    fs: float
    trend: Any
    one_sided: bool

    @property
    def frequencies(self) -> Any:
        make = np.fft.rfftfreq if self.one_sided else np.fft.fftfreq
        return make(self.size, 1 / self.fs)

    def scale(self, scaling: str) -> float:
        """What the squares of a spectrum are multiplied with."""
        if scaling == "density":
            return 1.0 / (self.fs * float(np.sum(self.window * self.window)))
        if scaling == "spectrum":
            return 1.0 / float(np.sum(self.window)) ** 2
        raise ValueError(f"Unknown scaling: {scaling!r}")

    def transformed(self, trace: Trace, rows: Any) -> Any:
        """The spectra of the segments of each row: the last axis has frequencies."""
        starts = np.arange(0, np.shape(rows)[-1] - self.length + 1, self.step)
        parts = np.take(rows, starts[:, None] + np.arange(self.length), axis=-1)
        if self.trend:
            parts = detrended(trace, parts, -1, self.trend)
        parts = parts * self.window.astype(parts.dtype)
        make: Any = np.fft.rfft if self.one_sided else np.fft.fft
        return make(parts, self.size)

    def doubled(self, power: Any) -> Any:
        """With the power of negative frequencies, where these are left out."""
        if not self.one_sided:
            return power
        factors = np.full(self.size // 2 + 1, 2.0, power.real.dtype)
        factors[0] = 1.0
        if self.size % 2 == 0:
            factors[-1] = 1.0
        return power * factors

    def times(self, length: int) -> Any:
        middles = np.arange(self.length / 2, length - self.length / 2 + 1, self.step)
        return middles / self.fs


def known_window(window: Any, size: int) -> Any:
    """The weights of a window by its name, or those given."""
    if is_traced(window):
        raise UnsupportedError(
            "a spectrum by a traced window is not supported",
            hint="write it with np.fft.rfft of the segments times the window",
        )
    if isinstance(window, (str, tuple)):
        return scipy_signal().get_window(window, size)
    return np.asarray(window, np.float64)


def segments(
    length: int,
    is_real: bool,
    fs: float,
    window: Any,
    nperseg: Any,
    noverlap: Any,
    nfft: Any,
    detrend: Any,
    one_sided: bool,
) -> Segments:
    """SciPy's defaults, and its errors."""
    if callable(detrend) or detrend not in ("constant", "linear", False):
        reject({"detrend": detrend})
    if isinstance(window, (str, tuple)):
        size = min(256 if nperseg is None else operator.index(nperseg), length)
        weights = known_window(window, size)
    else:
        weights = known_window(window, length)
        size = len(weights)
        if nperseg is not None and operator.index(nperseg) != size:
            raise ValueError(
                "value specified for nperseg is different from length of window"
            )
        if size > length:
            raise ValueError("window is longer than input signal")
    points = size if nfft is None else operator.index(nfft)
    if points < size:
        raise ValueError("nfft must be greater than or equal to nperseg.")
    overlap = size // 2 if noverlap is None else operator.index(noverlap)
    if overlap >= size:
        raise ValueError("noverlap must be less than nperseg.")
    one_sided = bool(one_sided and is_real)
    return Segments(weights, size, size - overlap, points, fs, detrend, one_sided)


def rows_of(trace: Trace, x: Any, axis: int) -> Any:
    """A signal along the last axis."""
    x = as_array(trace.array(x))
    if x.dtype.kind not in "fc":
        x = x.astype(np.float64)
    return np.moveaxis(x, axis, -1)


def _cross_power(
    trace: Trace, x: Any, y: Any, axis: int, scaling: str, *how: Any
) -> tuple[Any, Any, Segments]:
    """``conj(X) Y`` of each segment, with the axis of segments last."""
    rows = rows_of(trace, x, axis)
    others = rows if y is x else rows_of(trace, y, axis)
    length = max(np.shape(rows)[-1], np.shape(others)[-1])
    is_real = rows.dtype.kind == others.dtype.kind == "f"
    plan = segments(length, is_real, *how)
    if y is x:
        spectra = plan.transformed(trace, rows)
        power: Any = spectra.real**2 + spectra.imag**2
    else:
        if np.shape(rows) != np.shape(others):
            raise ShapeError(
                f"the signals {np.shape(x)} and {np.shape(y)} differ in shape"
            )
        left, right = (plan.transformed(trace, part) for part in (rows, others))
        power = np.conj(left) * right
    scale = power.real.dtype.type(plan.scale(scaling))
    power = np.moveaxis(plan.doubled(power * scale), -1, -2)
    return plan.frequencies, power, plan


def _averaged(power: Any, axis: int, average: str) -> Any:
    """Over segments, which are the last axis."""
    if average not in ("mean", "median"):
        raise ValueError(f"average must be 'median' or 'mean', got {average}")
    if average == "mean":
        made = np.mean(power, axis=-1)
    else:
        count = np.shape(power)[-1]
        even = 2 * np.arange(1.0, (count - 1) // 2 + 1)
        bias = 1 + float(np.sum(1.0 / (even + 1) - 1.0 / even))
        made = np.median(power.real, axis=-1)
        if power.dtype.kind == "c":
            made = made + 1j * np.median(power.imag, axis=-1)
        made = made / bias
    return np.moveaxis(made, -1, axis)


def _csd(
    trace: Trace,
    x: Any,
    y: Any,
    fs: float = 1.0,
    window: Any = "hann",
    nperseg: Any = None,
    noverlap: Any = None,
    nfft: Any = None,
    detrend: Any = "constant",
    return_onesided: bool = True,
    scaling: str = "density",
    axis: int = -1,
    average: str = "mean",
) -> Any:
    how = fs, window, nperseg, noverlap, nfft, detrend, return_onesided
    frequencies, power, _ = _cross_power(trace, x, y, axis, scaling, *how)
    return frequencies, _averaged(power, axis, average)


lowers_in(SIGNAL, "csd")(_csd)


@lowers_in(SIGNAL, "welch")
def _welch(trace: Trace, x: Any, *args: Any, **named: Any) -> Any:
    return _csd(trace, x, x, *args, **named)


@lowers_in(SIGNAL, "periodogram")
def _periodogram(
    trace: Trace,
    x: Any,
    fs: float = 1.0,
    window: Any = "boxcar",
    nfft: Any = None,
    detrend: Any = "constant",
    return_onesided: bool = True,
    scaling: str = "density",
    axis: int = -1,
) -> Any:
    """One segment of all that there is."""
    x = trace.array(x)
    have = np.shape(x)[axis]
    size = have if nfft is None else operator.index(nfft)
    x = np.moveaxis(np.moveaxis(x, axis, -1)[..., : min(size, have)], -1, axis)
    if not isinstance(window, (str, tuple)) and np.shape(window) != (min(size, have),):
        raise ValueError(
            "the size of the window must be the same size of the input on the "
            "specified axis"
        )
    length = None if not isinstance(window, (str, tuple)) else min(size, have)
    how = fs, window, length, 0, size, detrend, return_onesided, scaling, axis
    return _csd(trace, x, x, *how)


@lowers_in(SIGNAL, "coherence")
def _coherence(trace: Trace, x: Any, y: Any, *args: Any, **named: Any) -> Any:
    frequencies, of_x = _csd(trace, x, x, *args, **named)
    _, of_y = _csd(trace, y, y, *args, **named)
    _, both = _csd(trace, x, y, *args, **named)
    return frequencies, (both.real**2 + both.imag**2) / of_x / of_y


@lowers_in(SIGNAL, "spectrogram")
def _spectrogram(
    trace: Trace,
    x: Any,
    fs: float = 1.0,
    window: Any = ("tukey", 0.25),
    nperseg: Any = None,
    noverlap: Any = None,
    nfft: Any = None,
    detrend: Any = "constant",
    return_onesided: bool = True,
    scaling: str = "density",
    axis: int = -1,
    mode: str = "psd",
) -> Any:
    if mode != "psd":
        raise UnsupportedError(
            f"spectrogram: mode={mode!r} is not supported",
            hint="scipy.signal.stft gives the complex numbers",
        )
    x = trace.array(x)
    length = np.shape(x)[axis]
    if noverlap is None:
        size = 256 if nperseg is None else operator.index(nperseg)
        whole = min(size, length) if isinstance(window, (str, tuple)) else len(window)
        noverlap = whole // 8
    how = fs, window, nperseg, noverlap, nfft, detrend, return_onesided
    frequencies, power, plan = _cross_power(trace, x, x, axis, scaling, *how)
    axis = axis % np.ndim(x)
    return frequencies, plan.times(length), np.moveaxis(power, -2, axis)
