"""Signals of `scipy.signal` at other rates: by filters, and by Fourier transforms.

Filters between zeros: Vaidyanathan 1993, "Multirate Systems and Filter Banks", 4.3.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from ....ir.errors import ShapeError, UnsupportedError
from ... import functions
from ...tracing.lowerings import lowers_in
from ...tracing.running import is_traced
from ...tracing.trace import Trace
from .filters import SIGNAL, both_float, scipy_signal
from .signals import sosfilt, sosfiltfilt

__all__: list[str] = []

_EDGES = {
    "constant": {},
    "symmetric": {},
    "reflect": {},
    "edge": {},
    "wrap": {},
    "antireflect": {"mode": "reflect", "reflect_type": "odd"},
}
_BACKGROUNDS: dict[str, Callable[..., Any]] = {
    "mean": np.mean,
    "median": np.median,
    "minimum": np.min,
    "maximum": np.max,
}


def _rates(*rates: Any) -> list[int]:
    if any(rate != int(rate) or rate < 1 for rate in rates):
        raise ValueError("Both up and down must be >= 1")
    return [int(rate) for rate in rates]


def _filtered(
    h: Any,
    x: Any,
    rates: tuple[int, int],
    axis: int,
    start: int,
    count: int | None = None,
    mode: str = "constant",
    cval: Any = 0.0,
) -> Any:
    """``y[i] = sum over k of x[k] h[start + i down - k up]`` along an axis.

    ``mode`` tells what x is beyond its ends.
    """
    if mode not in _EDGES:
        raise UnsupportedError(
            f"a filter with mode={mode!r} is not supported",
            hint=f"there are {', '.join(_EDGES)}",
        )
    up, down = rates
    rows = np.moveaxis(x, axis, -1)
    *lead, length = np.shape(rows)
    taps = np.shape(h)[0]
    whole = ((length - 1) * up + taps - 1) // down + 1
    size = whole if count is None else count
    first, last = start - taps + 1, start + (size - 1) * down
    left = max(0, -(first // up))
    right = max(0, -(-last // up) - (length - 1))
    named = {"mode": mode, **_EDGES[mode]}
    if mode == "constant":
        named["constant_values"] = cval
    pad: Any = np.pad
    rows = pad(rows, [*((0, 0) for _ in lead), (left, right)], **named)
    apart = np.pad(rows[..., None], [*((0, 0) for _ in np.shape(rows)), (0, up - 1)])
    apart = np.reshape(apart, (-1, 1, np.shape(rows)[-1] * up))
    begin = first + left * up
    apart = apart[..., begin : begin + last - first + 1]
    made = functions.conv(apart, h[None, None, ::-1], stride=down)
    return np.moveaxis(np.reshape(made, (*lead, size)), -1, axis)


@lowers_in(SIGNAL, "upfirdn")
def _upfirdn(
    trace: Trace,
    h: Any,
    x: Any,
    up: int = 1,
    down: int = 1,
    axis: int = -1,
    mode: str = "constant",
    cval: Any = 0,
) -> Any:
    h, x = both_float(trace, h, x)
    if np.ndim(h) != 1 or not np.size(h):
        raise ValueError("h must be 1-D with non-zero length")
    up, down = _rates(up, down)
    return _filtered(h, x, (up, down), axis, 0, None, mode, cval)


@lowers_in(SIGNAL, "resample_poly")
def _resample_poly(
    trace: Trace,
    x: Any,
    up: int,
    down: int,
    axis: int = 0,
    window: Any = ("kaiser", 5.0),
    padtype: str = "constant",
    cval: Any = None,
) -> Any:
    if cval is not None and padtype != "constant":
        raise ValueError(f"cval has no effect when padtype is {padtype}")
    (x,) = both_float(trace, x)
    up, down = _rates(up, down)
    shared = math.gcd(up, down)
    up, down = up // shared, down // shared
    if up == down == 1:
        return x
    if isinstance(window, (str, tuple)):
        most = max(up, down)
        taps = scipy_signal().firwin(20 * most + 1, 1.0 / most, window=window)
    else:
        taps = trace.array(window)
    (h,) = both_float(trace, taps)
    h = h.astype(x.dtype) * up
    count = -(-np.shape(x)[axis] * up // down)
    half = (np.shape(h)[0] - 1) // 2
    if padtype not in _BACKGROUNDS:
        more = (padtype, 0.0 if cval is None else cval)
        return _filtered(h, x, (up, down), axis, half, count, *more)
    ground = _BACKGROUNDS[padtype](x, axis=axis, keepdims=True)
    return _filtered(h, x - ground, (up, down), axis, half, count) + ground


@lowers_in(SIGNAL, "decimate")
def _decimate(
    trace: Trace,
    x: Any,
    q: int,
    n: Any = None,
    ftype: Any = "iir",
    axis: int = -1,
    zero_phase: bool = True,
) -> Any:
    q = operator.index(q)
    (x,) = both_float(trace, x)
    if ftype == "fir":
        count = 20 * q if n is None else operator.index(n)
        taps = (
            scipy_signal().firwin(count + 1, 1.0 / q, window="hamming").astype(x.dtype)
        )
        if zero_phase:
            return _resample_poly(trace, x, 1, q, axis, taps)
        kept = -(-np.shape(x)[axis] // q)
        return _filtered(taps, x, (1, q), axis, 0, kept)
    if ftype != "iir":
        raise UnsupportedError(
            f"decimate with ftype={ftype!r} is not supported", hint="'iir' or 'fir'"
        )
    order = 8 if n is None else operator.index(n)
    sos = scipy_signal().cheby1(order, 0.05, 0.8 / q, output="sos").astype(x.dtype)
    run = sosfiltfilt if zero_phase else sosfilt
    rows = np.moveaxis(run(trace, sos, x, axis), axis, -1)
    return np.moveaxis(rows[..., ::q], -1, axis)


# By Fourier transforms.


@lowers_in(SIGNAL, "resample")
def _resample(
    trace: Trace,
    x: Any,
    num: int,
    t: Any = None,
    axis: int = 0,
    window: Any = None,
    domain: str = "time",
) -> Any:
    """Frequencies cut off or zeros put between; one of half the rate stands for two."""
    if domain not in ("time", "freq"):
        raise ValueError(f"Parameter {domain=} not in ('time', 'freq')!")
    rows = np.moveaxis(trace.array(x), axis, -1)
    length, num = np.shape(rows)[-1], operator.index(num)
    weights = _spectral_weights(window, length)
    if domain == "time" and rows.dtype.kind != "c":
        made = _real_resampled(rows, num, weights)
    else:
        spectrum = np.fft.fft(rows) if domain == "time" else rows
        made = _resampled(spectrum if weights is None else spectrum * weights, num)
    made = np.moveaxis(made * (num / length), -1, axis)
    if t is None:
        return made
    return made, t[0] + (t[1] - t[0]) * (length / num) * np.arange(num)


def _spectral_weights(window: Any, length: int) -> Any:
    if window is None:
        return None
    if is_traced(window):
        raise UnsupportedError(
            "resampling by a traced window is not supported",
            hint="multiply the transform with it, and pass domain='freq'",
        )
    if callable(window):
        return window(np.fft.fftfreq(length))
    if isinstance(window, np.ndarray):
        if window.shape != (length,):
            raise ShapeError(
                f"resample: a window of shape {window.shape} does not fit {length} "
                "frequencies"
            )
        return window
    return np.fft.fftshift(scipy_signal().get_window(window, length))


def _real_resampled(rows: Any, num: int, weights: Any) -> Any:
    length = np.shape(rows)[-1]
    kept = min(num, length)
    spectrum = np.fft.rfft(rows)
    if weights is not None:
        both = (weights + np.roll(weights[::-1], 1)) / 2
        spectrum = spectrum * both[: length // 2 + 1]
    factors = np.ones(kept // 2 + 1)
    if kept % 2 == 0 and num != length:
        factors[-1] = 2.0 if num < length else 0.5
    return np.fft.irfft(spectrum[..., : kept // 2 + 1] * factors, num)


def _resampled(spectrum: Any, num: int) -> Any:
    length = np.shape(spectrum)[-1]
    kept = min(num, length)
    half = kept // 2
    low = spectrum[..., : half + 1]
    high = spectrum[..., length - max(kept - half - 1, 0) :]
    inner, middle = low[..., :half], low[..., half:]
    more: list[Any] = []
    if kept % 2 == 0 and num < length:
        middle = middle + spectrum[..., length - half : length - half + 1]
    if kept % 2 == 0 and num > length:
        middle = middle / 2
        more = [middle]
    zeros = np.zeros((*np.shape(spectrum)[:-1], num - kept - len(more)))
    return np.fft.ifft(np.concatenate([inner, middle, zeros, *more, high], axis=-1))
