"""Filters of `scipy.signal` and `scipy.ndimage`: sums of neighbours, recurrences."""

from __future__ import annotations

import importlib
import operator
from typing import Any

import numpy as np

from ....ir.errors import ShapeError, UnsupportedError
from ... import functions, loop
from ...tracing.lowerings import lowers_in
from ...tracing.running import as_array, is_traced
from ...tracing.trace import Trace
from ..ufuncs import reject

__all__ = [
    "NDIMAGE",
    "SIGNAL",
    "along_axis",
    "both_float",
    "each_axis",
    "gaussian_filter",
    "lfilter",
    "padded",
    "scipy_signal",
]

SIGNAL, NDIMAGE = "scipy.signal", "scipy.ndimage"
# What `numpy.pad` calls the modes of `scipy.ndimage`.
_MODES = {
    "reflect": "symmetric",
    "grid-mirror": "symmetric",
    "constant": "constant",
    "grid-constant": "constant",
    "nearest": "edge",
    "mirror": "reflect",
    "wrap": "wrap",
    "grid-wrap": "wrap",
}


def scipy_signal() -> Any:
    """The module, which is imported when a known filter is asked for."""
    return importlib.import_module(SIGNAL)


def both_float(trace: Trace, *values: Any) -> list[Any]:
    """Arrays of one float dtype."""
    arrays = [trace.array(as_array(v)) for v in values]
    dtype = np.result_type(*(array.dtype for array in arrays))
    dtype = dtype if dtype.kind == "f" else np.dtype(np.float64)
    return [array.astype(dtype) for array in arrays]


def _inner_products(x: Any, w: Any) -> Any:
    """``sum over k of x[p + k] w[k]`` for each place p, over one or two axes."""
    if np.ndim(x) != np.ndim(w) or np.ndim(x) not in (1, 2):
        raise UnsupportedError(
            f"a filter of arrays of {np.ndim(x)} and {np.ndim(w)} dimensions is not "
            "supported",
            hint="it takes one or two, the same for both",
        )
    return functions.conv(x[None, None], w[None, None])[0, 0]


def _flipped(x: Any) -> Any:
    return x[(slice(None, None, -1),) * np.ndim(x)]


def _convolve(trace: Trace, in1: Any, in2: Any, mode: str) -> Any:
    x, w = both_float(trace, in1, in2)
    if np.ndim(x) != np.ndim(w):
        raise ShapeError("in1 and in2 should have the same dimensionality")
    pairs = list(zip(np.shape(x), np.shape(w), strict=True))
    if mode == "valid":
        if all(n <= k for n, k in pairs) and np.shape(x) != np.shape(w):
            x, w = w, x
        elif not all(n >= k for n, k in pairs):
            raise ShapeError(f"'valid': neither of {pairs} is at least as large")
        return _inner_products(x, _flipped(w))
    full = _inner_products(np.pad(x, [(k - 1, k - 1) for _, k in pairs]), _flipped(w))
    return _of_mode(full, x, w, mode)


def _of_mode(full: Any, x: Any, w: Any, mode: str, *, turned: bool = False) -> Any:
    """All of a convolution, or its middle of the size of ``x``."""
    if mode == "full":
        return full
    if mode != "same":
        raise ValueError(f"the mode is full, valid or same, not {mode!r}")
    starts = [k // 2 if turned else (k - 1) // 2 for k in np.shape(w)]
    pairs = zip(starts, np.shape(x), strict=True)
    return full[tuple(slice(start, start + n) for start, n in pairs)]


def _as_given(trace: Trace, in1: Any, in2: Any, made: Any) -> Any:
    """Integers, where both are."""
    dtype = np.result_type(*(trace.array(x).dtype for x in (in1, in2)))
    return made.astype(dtype) if dtype.kind in "iu" else made


@lowers_in(SIGNAL, "convolve")
def _signal_convolve(
    trace: Trace, in1: Any, in2: Any, mode: str = "full", method: str = "auto"
) -> Any:
    return _as_given(trace, in1, in2, _convolve(trace, in1, in2, mode))


@lowers_in(SIGNAL, "fftconvolve", "oaconvolve")
def _fftconvolve(
    trace: Trace, in1: Any, in2: Any, mode: str = "full", axes: Any = None
) -> Any:
    """Summed directly, which is exact where the transforms round."""
    reject({"axes": axes})
    return _convolve(trace, in1, in2, mode)


@lowers_in(SIGNAL, "correlate")
def _signal_correlate(
    trace: Trace, in1: Any, in2: Any, mode: str = "full", method: str = "auto"
) -> Any:
    """A convolution with the second turned around."""
    x, w = both_float(trace, in1, in2)
    pairs = list(zip(np.shape(x), np.shape(w), strict=False))
    if mode == "valid" and any(n < k for n, k in pairs):
        made = _flipped(_convolve(trace, w, _flipped(x), mode))
    else:
        made = _convolve(trace, x, _flipped(w), mode)
    return _as_given(trace, in1, in2, made)


_BOUNDARIES = {
    **dict.fromkeys(("fill", "pad"), "constant"),
    **dict.fromkeys(("wrap", "circular"), "wrap"),
    **dict.fromkeys(("symm", "symmetric"), "symmetric"),
}


def _in_two(name: str, *, turned: bool) -> None:
    @lowers_in(SIGNAL, name)
    def lower(
        trace: Trace,
        in1: Any,
        in2: Any,
        mode: str = "full",
        boundary: str = "fill",
        fillvalue: Any = 0,
    ) -> Any:
        """Of images, with what is around them."""
        x, w = both_float(trace, in1, in2)
        if not np.ndim(x) == np.ndim(w) == 2:
            raise ValueError(f"{name} inputs must both be 2-D arrays")
        if boundary not in _BOUNDARIES:
            names = ", ".join(_BOUNDARIES)
            raise ValueError(f"the boundary is one of {names}, not {boundary!r}")
        if mode == "valid":
            run = _signal_correlate if turned else _signal_convolve
            return run(trace, in1, in2, mode)
        if turned:
            w = _flipped(w)
        kind = _BOUNDARIES[boundary]
        named = {"constant_values": fillvalue} if kind == "constant" else {}
        pad: Any = np.pad
        around = pad(x, [(k - 1, k - 1) for k in np.shape(w)], mode=kind, **named)
        full = _inner_products(around, _flipped(w))
        made = _of_mode(full, x, w, mode, turned=turned)
        return _as_given(trace, in1, in2, made)


_in_two("convolve2d", turned=False)
_in_two("correlate2d", turned=True)


@lowers_in(SIGNAL, "lfilter")
def lfilter(
    trace: Trace, b: Any, a: Any, x: Any, axis: int = -1, zi: Any = None
) -> Any:
    """The direct form II transposed: a loop over time that carries the state.

    Oppenheim and Schafer, Discrete-Time Signal Processing, section 6.3.
    """
    b, a, x, *given = both_float(trace, b, a, x, *([] if zi is None else [zi]))
    b, a = np.atleast_1d(b), np.atleast_1d(a)
    b, a = b / a[0], a / a[0]
    size = max(np.shape(a)[0], np.shape(b)[0])
    b, a = np.pad(b, (0, size - np.shape(b)[0])), np.pad(a, (0, size - np.shape(a)[0]))
    rows = np.moveaxis(x, axis, 0)
    shape = (size - 1, *np.shape(rows)[1:])
    state = np.zeros(shape, x.dtype) if zi is None else np.moveaxis(given[0], axis, 0)
    state = np.broadcast_to(state, shape)
    column = (slice(1, None), *(None,) * (np.ndim(rows) - 1))
    ahead, back = b[column], a[column]

    def step(z: Any, value: Any) -> tuple[Any, Any]:
        if size == 1:
            return z, b[0] * value
        made = b[0] * value + z[0]
        moved = np.concatenate([z[1:], np.zeros_like(z[:1])], axis=0)
        return moved + ahead * value - back * made, made

    last, made = loop.scan(step, state, rows)
    made = np.moveaxis(made, 0, axis)
    return made if zi is None else (made, np.moveaxis(last, 0, axis))


def padded(x: Any, sizes: Any, origin: Any, mode: str, cval: float) -> Any:
    """With what a window of these sizes sees beyond the edges."""
    if mode not in _MODES:
        raise ValueError(f"the mode is one of {', '.join(_MODES)}, not {mode!r}")
    widths: list[tuple[int, int]] = []
    for size, shift in zip(sizes, origin, strict=True):
        left = size // 2 + shift
        if not 0 <= left < max(size, 1):
            raise ValueError("invalid origin")
        widths.append((left, size - 1 - left))
    named = {"constant_values": cval} if _MODES[mode] == "constant" else {}
    pad: Any = np.pad
    return pad(x, widths, mode=_MODES[mode], **named)


def _correlate(
    trace: Trace,
    given: tuple[Any, Any],
    mode: str,
    cval: float,
    origin: Any,
    *,
    turned: bool,
) -> Any:
    """Of the dtype of the input, as SciPy's."""
    x = trace.array(given[0])
    wide, w = both_float(trace, x, given[1])
    shifts = [origin] * np.ndim(w) if np.ndim(origin) == 0 else list(origin)
    if turned:
        w = _flipped(w)
        shifts = [-o - (n % 2 == 0) for o, n in zip(shifts, np.shape(w), strict=True)]
    made = _inner_products(padded(wide, np.shape(w), shifts, mode, cval), w)
    return made.astype(x.dtype)


def along_axis(
    trace: Trace,
    given: tuple[Any, Any],
    axis: int,
    mode: str,
    cval: float,
    origin: int,
    *,
    turned: bool,
) -> Any:
    """The same along one axis; each row is an image of its own."""
    x = trace.array(given[0])
    wide, w = both_float(trace, x, given[1])
    size = np.shape(w)[0]
    if turned:
        w, origin = w[::-1], -origin - (size % 2 == 0)
    rows = np.moveaxis(wide, axis, -1)
    still = [1] * (np.ndim(rows) - 1)
    around = padded(rows, (*still, size), (*(0 for _ in still), origin), mode, cval)
    flat = np.reshape(around, (-1, 1, np.shape(around)[-1]))
    made = np.reshape(functions.conv(flat, w[None, None]), np.shape(rows))
    return np.moveaxis(made, -1, axis).astype(x.dtype)


def _register(name: str, turned: bool) -> None:
    @lowers_in(NDIMAGE, name)
    def of_images(
        trace: Trace,
        input: Any,
        weights: Any,
        output: Any = None,
        mode: str = "reflect",
        cval: float = 0.0,
        origin: Any = 0,
        *,
        axes: Any = None,
    ) -> Any:
        reject({"output": output, "axes": axes})
        return _correlate(trace, (input, weights), mode, cval, origin, turned=turned)

    @lowers_in(NDIMAGE, f"{name}1d")
    def along(
        trace: Trace,
        input: Any,
        weights: Any,
        axis: int = -1,
        output: Any = None,
        mode: str = "reflect",
        cval: float = 0.0,
        origin: int = 0,
    ) -> Any:
        reject({"output": output})
        given = input, weights
        return along_axis(trace, given, axis, mode, cval, origin, turned=turned)


_register("correlate", turned=False)
_register("convolve", turned=True)


def _gaussian(sigma: Any, order: Any, truncate: float, radius: Any) -> Any:
    """The weights: what SciPy's own filter makes of an impulse."""
    if is_traced(sigma):
        raise UnsupportedError(
            "a traced width of gaussian_filter is not supported",
            hint="make the weights of it, and call scipy.ndimage.convolve1d",
        )
    reach = int(truncate * float(sigma) + 0.5) if radius is None else radius
    impulse = np.zeros(2 * operator.index(reach) + 1)
    impulse[len(impulse) // 2] = 1.0
    smooth = importlib.import_module(NDIMAGE).gaussian_filter1d
    return smooth(
        impulse, sigma, order=order, mode="constant", truncate=truncate, radius=radius
    )


@lowers_in(NDIMAGE, "gaussian_filter1d")
def _gaussian_filter1d(
    trace: Trace,
    input: Any,
    sigma: Any,
    axis: int = -1,
    order: int = 0,
    output: Any = None,
    mode: str = "reflect",
    cval: float = 0.0,
    truncate: float = 4.0,
    *,
    radius: Any = None,
) -> Any:
    reject({"output": output})
    given = input, _gaussian(sigma, order, truncate, radius)
    return along_axis(trace, given, axis, mode, cval, 0, turned=True)


def each_axis(rank: int, *settings: Any) -> list[tuple[Any, ...]]:
    """What is said of each axis; one value is for all."""
    columns = [
        [*value] if isinstance(value, (list, tuple, np.ndarray)) else [value] * rank
        for value in settings
    ]
    return list(zip(*columns, strict=True))


@lowers_in(NDIMAGE, "gaussian_filter")
def gaussian_filter(
    trace: Trace,
    input: Any,
    sigma: Any,
    order: Any = 0,
    output: Any = None,
    mode: Any = "reflect",
    cval: float = 0.0,
    truncate: float = 4.0,
    *,
    radius: Any = None,
    axes: Any = None,
) -> Any:
    """One axis after the other, those of width 0 left out."""
    reject({"output": output, "axes": axes})
    made = trace.array(input)
    rank = np.ndim(made)

    settings = each_axis(rank, sigma, order, mode, radius)
    for axis, (width, number, edge, reach) in enumerate(settings):
        if is_traced(width) or width > 1e-15:
            given = made, _gaussian(width, number, truncate, reach)
            made = along_axis(trace, given, axis, edge, cval, 0, turned=True)
    return made
