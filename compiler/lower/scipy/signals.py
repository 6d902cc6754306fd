"""`scipy.signal`: filters in sections and both ways, fits in windows, trends."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ....ir.errors import UnsupportedError
from ...tracing.lowerings import lowers_in
from ...tracing.running import is_traced
from ...tracing.trace import Trace
from .filters import SIGNAL, along_axis, both_float, lfilter, scipy_signal

__all__ = ["detrend", "extended", "sosfilt", "sosfiltfilt"]


# Filters.


@lowers_in(SIGNAL, "sosfilt")
def sosfilt(trace: Trace, sos: Any, x: Any, axis: int = -1, zi: Any = None) -> Any:
    """One section after the other, each a filter of the second order."""
    sos, made = both_float(trace, sos, x)
    sections = _sections(sos)
    last: list[Any] = []
    for k in range(sections):
        state = None if zi is None else trace.array(zi)[k]
        made = lfilter(trace, sos[k, :3], sos[k, 3:], made, axis, state)
        if zi is not None:
            made, state = made
            last.append(state)
    return made if zi is None else (made, np.stack(last))


def _sections(sos: Any) -> int:
    if np.ndim(sos) != 2 or np.shape(sos)[1] != 6:
        raise ValueError("sos array must be shape (n_sections, 6)")
    return np.shape(sos)[0]


@lowers_in(SIGNAL, "lfilter_zi")
def _lfilter_zi(trace: Trace, b: Any, a: Any) -> Any:
    """The state in which a step of height 1 has been filtered for ever."""
    b, a = map(np.atleast_1d, both_float(trace, b, a))
    while not is_traced(a) and np.size(a) > 1 and a[0] == 0:
        a = a[1:]
    b, a = b / a[0], a / a[0]
    size = max(np.shape(a)[0], np.shape(b)[0])
    b, a = (np.pad(c, (0, size - np.shape(c)[0])) for c in (b, a))
    rest = b[1:] - a[1:] * b[0]
    first = np.sum(rest) / np.sum(a)
    before = np.concatenate([np.zeros_like(rest[:1]), np.cumsum(rest[:-1])])
    return np.cumsum(a[:-1]) * first - before


@lowers_in(SIGNAL, "sosfilt_zi")
def _sosfilt_zi(trace: Trace, sos: Any) -> Any:
    (sos,) = both_float(trace, sos)
    scale: Any = 1.0
    made: list[Any] = []
    for k in range(_sections(sos)):
        b, a = sos[k, :3], sos[k, 3:]
        made.append(scale * _lfilter_zi(trace, b, a))
        scale = scale * (np.sum(b) / np.sum(a))
    return np.stack(made)


def extended(x: Any, kind: Any, count: int) -> Any:
    """``x`` with more entries at both ends of the last axis."""
    if kind not in ("odd", "even", "constant", None):
        raise ValueError(
            f"Unknown value '{kind}' given to padtype. padtype must be 'even', 'odd', "
            "'constant', or None."
        )
    if kind is None or count == 0:
        return x
    if np.shape(x)[-1] <= count:
        raise ValueError(
            f"The length of the input vector x must be greater than padlen, "
            f"which is {count}."
        )
    start, end = x[..., :1], x[..., -1:]
    left, right = x[..., count:0:-1], x[..., -2 : -2 - count : -1]
    if kind == "odd":
        left, right = 2 * start - left, 2 * end - right
    elif kind == "constant":
        left, right = (np.broadcast_to(v, np.shape(left)) for v in (start, end))
    return np.concatenate([left, x, right], axis=-1)


def _both_ways(x: Any, kind: Any, count: int, run: Any, axis: int) -> Any:
    """Filtered forwards and backwards, from states that fit to the ends."""
    count = 0 if kind is None else max(count, 0)
    rows = np.moveaxis(x, axis, -1)
    made = extended(rows, kind, count)
    for _ in range(2):
        made = np.flip(run(made, made[..., :1]), -1)
    made = made[..., count : np.shape(made)[-1] - count]
    return np.moveaxis(made, -1, axis)


@lowers_in(SIGNAL, "filtfilt")
def _filtfilt(
    trace: Trace,
    b: Any,
    a: Any,
    x: Any,
    axis: int = -1,
    padtype: Any = "odd",
    padlen: Any = None,
    method: str = "pad",
    irlen: Any = None,
) -> Any:
    if method != "pad":
        raise UnsupportedError(f"filtfilt: method={method!r} is not supported")
    b, a, x = both_float(trace, b, a, x)
    b, a = np.atleast_1d(b), np.atleast_1d(a)
    taps = max(np.shape(a)[0], np.shape(b)[0])
    state = _lfilter_zi(trace, b, a)

    def run(rows: Any, first: Any) -> Any:
        return lfilter(trace, b, a, rows, -1, first * state)[0]

    count = 3 * taps if padlen is None else operator.index(padlen)
    return _both_ways(x, padtype, count, run, axis)


@lowers_in(SIGNAL, "sosfiltfilt")
def sosfiltfilt(
    trace: Trace,
    sos: Any,
    x: Any,
    axis: int = -1,
    padtype: Any = "odd",
    padlen: Any = None,
) -> Any:
    """Forwards and backwards, so that no phase is moved."""
    sos, x = both_float(trace, sos, x)
    taps = 2 * _sections(sos) + 1
    if padlen is None and is_traced(sos):
        raise UnsupportedError(
            "sosfiltfilt of traced sections pads by what only their values tell",
            hint="say how much: padlen=",
        )
    if padlen is None:
        taps -= min(int(np.sum(sos[:, 2] == 0)), int(np.sum(sos[:, 5] == 0)))
    state = _sosfilt_zi(trace, sos)

    def run(rows: Any, first: Any) -> Any:
        start = np.reshape(state, (np.shape(state)[0], *(1,) * (np.ndim(rows) - 1), 2))
        return sosfilt(trace, sos, rows, -1, first * start)[0]

    count = 3 * taps if padlen is None else operator.index(padlen)
    return _both_ways(x, padtype, count, run, axis)


@lowers_in(SIGNAL, "savgol_filter")
def _savgol_filter(
    trace: Trace,
    x: Any,
    window_length: int,
    polyorder: int,
    deriv: int = 0,
    delta: float = 1.0,
    axis: int = -1,
    mode: str = "interp",
    cval: float = 0.0,
) -> Any:
    """Fits of polynomials; at the ends by SciPy's own of unit vectors."""
    (x,) = both_float(trace, x)
    given = window_length, polyorder, deriv, delta
    weights = scipy_signal().savgol_coeffs(*given).astype(x.dtype)
    inner = "constant" if mode == "interp" else mode
    made = along_axis(trace, (x, weights), axis, inner, cval, 0, turned=True)
    if mode != "interp":
        return made
    rows, made = np.moveaxis(x, axis, -1), np.moveaxis(made, axis, -1)
    length, half = np.shape(rows)[-1], window_length // 2
    if window_length > length:
        raise ValueError(
            "If mode is 'interp', window_length must be less than or equal to the size "
            "of x."
        )
    units = scipy_signal().savgol_filter(np.eye(window_length), *given, axis=0)
    units = units.astype(x.dtype)
    first = rows[..., :window_length] @ units[:half].T
    last = rows[..., length - window_length :] @ units[window_length - half :].T
    parts = [first, made[..., half : length - half], last]
    return np.moveaxis(np.concatenate(parts, axis=-1), -1, axis)


# Trends and transforms.


@lowers_in(SIGNAL, "detrend")
def detrend(
    trace: Trace,
    data: Any,
    axis: int = -1,
    type: str = "linear",
    bp: Any = 0,
    overwrite_data: bool = False,
) -> Any:
    """Without the mean, or without the lines of least squares between breaks."""
    if type not in ("linear", "l", "constant", "c"):
        raise ValueError("Trend type must be 'linear' or 'constant'.")
    (x,) = both_float(trace, data)
    if type in ("constant", "c"):
        return x - np.mean(x, axis, keepdims=True)
    rows = np.moveaxis(x, axis, -1)
    length = np.shape(rows)[-1]
    breaks = np.sort(np.unique(np.concatenate(np.atleast_1d(0, bp, length))))
    if np.any(breaks > length):
        raise ValueError(
            "Breakpoints must be less than length of data along given axis"
        )
    parts: list[Any] = []
    for first, last in zip(breaks[:-1].tolist(), breaks[1:].tolist(), strict=True):
        size = last - first
        line = np.stack([np.arange(1, size + 1) / size, np.ones(size)], axis=1)
        part = rows[..., first:last]
        ends = part @ np.linalg.pinv(line).T.astype(x.dtype)
        parts.append(part - ends @ line.T.astype(x.dtype))
    return np.moveaxis(np.concatenate(parts, axis=-1), -1, axis)


@lowers_in(SIGNAL, "hilbert")
def _hilbert(trace: Trace, x: Any, N: Any = None, axis: int = -1) -> Any:
    """The analytic signal: without negative frequencies."""
    x = trace.array(x)
    if x.dtype.kind == "c":
        raise ValueError("x must be real.")
    size = np.shape(x)[axis] if N is None else operator.index(N)
    if size <= 0:
        raise ValueError("N must be positive.")
    keep = np.zeros(size, np.float32 if x.dtype == np.float32 else np.float64)
    keep[0] = 1
    keep[1 : (size + 1) // 2] = 2
    if size % 2 == 0:
        keep[size // 2] = 1
    shape = [1] * np.ndim(x)
    shape[axis] = size
    return np.fft.ifft(np.fft.fft(x, size, axis) * keep.reshape(shape), axis=axis)
