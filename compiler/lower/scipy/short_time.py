"""Short-time Fourier transforms of `scipy.signal`, and their inverses.

Griffin, Lim 1984, "Signal estimation from modified short-time Fourier transform".
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ...tracing.lowerings import lowers_in
from ...tracing.trace import Trace
from .filters import SIGNAL
from .signals import extended
from .spectra import known_window, rows_of, segments

__all__: list[str] = []


@lowers_in(SIGNAL, "stft")
def _stft(
    trace: Trace,
    x: Any,
    fs: float = 1.0,
    window: Any = "hann",
    nperseg: Any = 256,
    noverlap: Any = None,
    nfft: Any = None,
    detrend: Any = False,
    return_onesided: bool = True,
    boundary: Any = "zeros",
    padded: bool = True,
    axis: int = -1,
    scaling: str = "spectrum",
) -> Any:
    if scaling not in ("spectrum", "psd"):
        raise ValueError(f"Parameter {scaling=} not in ['spectrum', 'psd']!")
    rows = rows_of(trace, x, axis)
    how = fs, window, nperseg, noverlap, nfft, detrend, return_onesided
    plan = segments(np.shape(rows)[-1], rows.dtype.kind == "f", *how)
    half = plan.length // 2
    still = [(0, 0)] * (np.ndim(rows) - 1)
    if boundary == "zeros":
        rows = np.pad(rows, [*still, (half, half)])
    elif boundary is not None:
        rows = extended(rows, boundary, half)
    if padded:
        more = (-(np.shape(rows)[-1] - plan.length) % plan.step) % plan.length
        rows = np.pad(rows, [*still, (0, more)])
    spectra = plan.transformed(trace, rows)
    scale = plan.scale("density" if scaling == "psd" else "spectrum") ** 0.5
    made = np.moveaxis(spectra * spectra.real.dtype.type(scale), -1, -2)
    times = plan.times(np.shape(rows)[-1])
    if boundary is not None:
        times = times - plan.length / 2 / plan.fs
    axis = axis % (np.ndim(made) - 1)
    return plan.frequencies, times, np.moveaxis(made, -2, axis)


@lowers_in(SIGNAL, "istft")
def _istft(
    trace: Trace,
    Zxx: Any,
    fs: float = 1.0,
    window: Any = "hann",
    nperseg: Any = None,
    noverlap: Any = None,
    nfft: Any = None,
    input_onesided: bool = True,
    boundary: bool = True,
    time_axis: int = -1,
    freq_axis: int = -2,
    scaling: str = "spectrum",
) -> Any:
    """The signal whose segments are nearest to these, by least squares."""
    z = trace.array(Zxx)
    rank = np.ndim(z)
    if rank < 2:
        raise ValueError("Input stft must be at least 2d!")
    time_axis, freq_axis = time_axis % rank, freq_axis % rank
    if freq_axis == time_axis:
        raise ValueError("Must specify differing time and frequency axes!")
    if scaling not in ("spectrum", "psd"):
        raise ValueError(f"Parameter {scaling=} not in ['spectrum', 'psd']!")
    spectra = np.moveaxis(z, (time_axis, freq_axis), (0, -1))
    count, frequencies = np.shape(spectra)[0], np.shape(spectra)[-1]
    usual = 2 * (frequencies - 1) if input_onesided else frequencies
    size = usual if nperseg is None else operator.index(nperseg)
    is_odd = input_onesided and size == usual + 1
    points = nfft if nfft is not None else size if is_odd else usual
    if points < size:
        raise ValueError("nfft must be greater than or equal to nperseg.")
    overlap = size // 2 if noverlap is None else operator.index(noverlap)
    if overlap >= size:
        raise ValueError("noverlap must be less than nperseg.")
    weights = known_window(window, size)
    if weights.shape != (size,):
        raise ValueError(f"window must have length of {size}")
    scale = (
        np.sum(weights) if scaling == "spectrum" else (fs * weights @ weights) ** 0.5
    )
    make: Any = np.fft.irfft if input_onesided else np.fft.ifft
    parts = make(spectra, points)[..., :size]
    dtype = parts.real.dtype
    parts = parts * (weights * scale).astype(dtype)
    places = np.arange(count)[:, None] * (size - overlap) + np.arange(size)
    length = int(places.max()) + 1
    total = np.bincount(places.ravel(), np.tile(weights**2, count))
    inner = slice(size // 2, length - size // 2) if boundary else slice(None)
    total = total[inner]
    made = _added_up(trace, parts, places.ravel(), length)[inner]
    norm = np.where(total > 1e-10, total, 1.0).astype(dtype)
    made = made / np.reshape(norm, (-1, *(1 for _ in np.shape(made)[1:])))
    made = np.moveaxis(made, 0, time_axis - (freq_axis < time_axis))
    return np.arange(np.shape(made)[0]) / fs, made


def _added_up(trace: Trace, parts: Any, places: Any, length: int) -> Any:
    """Segments, the first axis, with their numbers, the last, at places in a row."""
    rows = np.moveaxis(parts, -1, 1)
    rows = np.reshape(rows, (-1, *np.shape(rows)[2:]))
    b = trace.builder
    nodes = trace.node(rows), trace.node(places)
    return trace.wrap(b.scatter_add(*nodes, axis=0, size=length))
