"""Images of `scipy.ndimage` between their pixels: moved, turned, scaled.

There an image is that of the nearest pixel (order 0), or a spline through all pixels.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from functools import reduce
from importlib import import_module
from typing import Any

import numpy as np

from ....ir.errors import ShapeError, UnsupportedError
from ...tracing.lowerings import lowers_in
from ...tracing.running import is_traced
from ...tracing.trace import Trace
from ..ufuncs import reject
from .filters import NDIMAGE
from .image_splines import coefficients, spline_weights

__all__: list[str] = []

_Places = Callable[[Any, int], Any]


def _folded(place: Any, period: int, size: int, last: int) -> Any:
    """Places on a strip that runs forth and back."""
    place = np.remainder(place, period)
    return np.where(place >= size, last - place, place)


_BEYOND: dict[str, _Places] = {
    **dict.fromkeys(
        ("reflect", "grid-mirror"),
        lambda k, n: _folded(k, 2 * n, n, 2 * n - 1),
    ),
    **dict.fromkeys(
        ("mirror", "constant", "wrap"),
        lambda k, n: _folded(k, max(2 * n - 2, 1), n, 2 * n - 2),
    ),
    "grid-wrap": np.remainder,
    **dict.fromkeys(("nearest", "grid-constant"), lambda k, n: np.clip(k, 0, n - 1)),
}
"""Which pixel stands at a place, of so many."""
_MORE = {"nearest": "edge", "grid-constant": "constant"}
_WIDTH = 12  # of what SciPy puts around an image of these modes before it is filtered
_TURNED = "reflect", "grid-mirror", "mirror"


def _wrapped(place: Any, size: int) -> Any:
    """Places in the period of `wrap`, in which the first pixel is the last one too."""
    last = max(size - 1, 1)
    below = place + last * (np.trunc(-place / last) + 1)
    above = place - last * np.trunc(place / last)
    return np.where(place < 0, below, np.where(place > size - 1, above, place))


def _read(
    trace: Trace,
    x: Any,
    places: Sequence[Any],
    order: int,
    mode: str,
    cval: Any,
    prefilter: bool,
) -> Any:
    """The image at places, given for its first axes, of the dtype of the image."""
    if order not in range(6):
        raise RuntimeError("spline order not supported")
    if mode not in _BEYOND:
        raise ValueError(f"the mode is one of {', '.join(_BEYOND)}, not {mode!r}")
    if x.dtype.kind == "c":
        real, imag = (
            _read(trace, part, places, order, mode, value, prefilter)
            for part, value in ((x.real, np.real(cval)), (x.imag, np.imag(cval)))
        )
        return (real + 1j * imag).astype(x.dtype)
    wide = x if x.dtype.kind == "f" else x.astype(np.float64)
    rank = len(places)
    if order > 1 and prefilter:
        if mode in _MORE:
            named = {"constant_values": cval} if mode == "grid-constant" else {}
            widths = [(_WIDTH, _WIDTH)] * rank + [(0, 0)] * (np.ndim(x) - rank)
            pad: Any = np.pad
            wide = pad(wide, widths, _MORE[mode], **named)
            places = [place + _WIDTH for place in places]
        wide = coefficients(trace, wide, order, mode, range(rank))
    shape, rest = np.shape(wide)[:rank], np.shape(wide)[rank:]
    index: Any = 0
    inside: Any = True
    seen: list[Any] = []
    weights: list[Any] = []
    for axis, (place, size) in enumerate(zip(places, shape, strict=True)):
        if mode == "constant":
            inside = inside & (place >= 0) & (place <= size - 1)
        low, offset = _cell(place, size, order, mode)
        near = np.stack([low + j for j in range(order + 1)], -1)
        if mode == "grid-constant":
            seen.append(_among((near >= 0) & (near < size), axis, rank, len(rest)))
        near = _among(_BEYOND[mode](near, size), axis, rank)
        index = index * size + near
        weight = np.stack(spline_weights(offset, order), -1)
        weights.append(_among(weight, axis, rank, len(rest)))
    made = trace.apply(np.take, (np.reshape(wide, (-1, *rest)), index), {"axis": 0})
    if seen:
        made = np.where(reduce(np.logical_and, seen), made, cval)
    made = reduce(operator.mul, weights, made)
    first = np.ndim(index) - rank
    made = np.sum(made, tuple(range(first, first + rank)))
    if mode == "constant":
        inside = np.reshape(inside, (*np.shape(inside), *(1 for _ in rest)))
        made = np.where(inside, made, cval)
    return _as_pixels(made, x.dtype)


def _cell(place: Any, size: int, order: int, mode: str) -> tuple[Any, Any]:
    """The first of the pixels that count at a place, and how far in its cell it is."""
    if mode == "wrap":
        place = _wrapped(place, size)
    if order == 0 and mode in _TURNED:  # then halves are rounded as SciPy's
        place = _BEYOND[mode](place, size)
    place = place + 0.5 if order % 2 == 0 else place
    low = np.floor(place)
    return low.astype(np.int64) - order // 2, place - low


def _among(x: Any, axis: int, count: int, more: int = 0) -> Any:
    """The last axis as number ``axis`` of so many, with more behind them."""
    *lead, size = np.shape(x)
    sizes = (*(1,) * axis, size, *(1,) * (count - 1 - axis + more))
    return np.reshape(x, (*lead, *sizes))


def _as_pixels(made: Any, dtype: Any) -> Any:
    """Integers are rounded, halves away from 0."""
    if dtype.kind in "iu":
        made = np.trunc(made + np.where(made > 0, 0.5, -0.5))
    return made.astype(dtype)


@lowers_in(NDIMAGE, "map_coordinates")
def _map_coordinates(
    trace: Trace,
    input: Any,
    coordinates: Any,
    output: Any = None,
    order: int = 3,
    mode: str = "constant",
    cval: float = 0.0,
    prefilter: bool = True,
) -> Any:
    reject({"output": output})
    x, places = trace.array(input), trace.array(coordinates)
    if np.shape(places)[:1] != (np.ndim(x),):
        raise RuntimeError("invalid shape for coordinate array")
    places = places.astype(np.float64)
    return _read(trace, x, [*places], order, mode, cval, prefilter)


def _grid(shape: Sequence[int]) -> list[Any]:
    """The places of the pixels of an image, axis by axis."""
    return [np.asarray(g, np.float64) for g in np.ogrid[tuple(map(slice, shape))]]


@lowers_in(NDIMAGE, "shift")
def _shift(
    trace: Trace,
    input: Any,
    shift: Any,
    output: Any = None,
    order: int = 3,
    mode: str = "constant",
    cval: float = 0.0,
    prefilter: bool = True,
) -> Any:
    reject({"output": output})
    x, by = trace.array(input), trace.array(shift)
    by = np.broadcast_to(by, (np.ndim(x),))
    places = [grid - by[axis] for axis, grid in enumerate(_grid(np.shape(x)))]
    return _read(trace, x, places, order, mode, cval, prefilter)


@lowers_in(NDIMAGE, "zoom")
def _zoom(
    trace: Trace,
    input: Any,
    zoom: Any,
    output: Any = None,
    order: int = 3,
    mode: str = "constant",
    cval: float = 0.0,
    prefilter: bool = True,
    *,
    grid_mode: bool = False,
) -> Any:
    """The corners stay, or with ``grid_mode`` the edges of the pixels there."""
    reject({"output": output})
    _known_size("zoom", zoom)
    x = trace.array(input)
    factors = np.broadcast_to(np.asarray(zoom, np.float64), (np.ndim(x),))
    shape = [round(n * z) for n, z in zip(np.shape(x), factors.tolist(), strict=True)]
    places: list[Any] = []
    for grid, size, wanted in zip(_grid(shape), np.shape(x), shape, strict=True):
        if grid_mode:
            places.append((grid + 0.5) * (size / max(wanted, 1)) - 0.5)
        else:
            places.append(grid * ((size - 1) / (wanted - 1) if wanted > 1 else 1.0))
    return _read(trace, x, places, order, mode, cval, prefilter)


def _known_size(name: str, value: Any) -> None:
    if is_traced(value):
        raise UnsupportedError(
            f"{name} by a traced number makes an image of a size that only it tells",
            hint="make the argument static, or call affine_transform with output_shape",
        )


@lowers_in(NDIMAGE, "affine_transform")
def _affine_transform(
    trace: Trace,
    input: Any,
    matrix: Any,
    offset: Any = 0.0,
    output_shape: Any = None,
    output: Any = None,
    order: int = 3,
    mode: str = "constant",
    cval: float = 0.0,
    prefilter: bool = True,
) -> Any:
    reject({"output": output})
    x, m, start = (trace.array(value) for value in (input, matrix, offset))
    rank = np.ndim(x)
    if np.ndim(m) == 2 and np.shape(m)[1] == rank + 1:
        m, start = m[:rank, :rank], m[:rank, rank]
    if np.shape(m) not in ((rank,), (rank, rank)):
        raise ShapeError(
            f"affine_transform: the matrix of shape {np.shape(m)} does not fit an "
            f"image of {rank} axes"
        )
    start = np.broadcast_to(start, (rank,))
    grids = _grid(np.shape(x) if output_shape is None else output_shape)
    places: list[Any] = []
    for axis in range(rank):
        if np.ndim(m) == 1:
            places.append(start[axis] + m[axis] * grids[axis])
            continue
        place = start[axis]
        for grid, factor in zip(grids, [m[axis, k] for k in range(rank)], strict=True):
            place = place + grid * factor
        places.append(place)
    return _read(trace, x, places, order, mode, cval, prefilter)


@lowers_in(NDIMAGE, "rotate")
def _rotate(
    trace: Trace,
    input: Any,
    angle: Any,
    axes: Any = (1, 0),
    reshape: bool = True,
    output: Any = None,
    order: int = 3,
    mode: str = "constant",
    cval: float = 0.0,
    prefilter: bool = True,
) -> Any:
    """Around the middle of a plane, in degrees."""
    reject({"output": output})
    if reshape:
        _known_size("rotate", angle)
    x, turn = trace.array(input), trace.array(angle)
    first, second = sorted(axis % np.ndim(x) for axis in axes)
    shape, size = [*np.shape(x)], [np.shape(x)[first], np.shape(x)[second]]
    if is_traced(turn):
        c, s = np.cos(np.deg2rad(turn)), np.sin(np.deg2rad(turn))
    else:
        c, s = _cosine_and_sine(float(turn))
    if reshape:
        wide = np.array([[c, s], [-s, c]]) @ [
            [0, 0, *[size[0]] * 2],
            [0, size[1]] * 2,
        ]
        shape[first], shape[second] = (np.ptp(wide, axis=1) + 0.5).astype(int).tolist()
    made = (shape[first] - 1) / 2, (shape[second] - 1) / 2
    middle = (size[0] - 1) / 2, (size[1] - 1) / 2
    down, across = _grid((shape[first], shape[second]))
    places = [
        middle[0] - (c * made[0] + s * made[1]) + down * c + across * s,
        middle[1] - (-s * made[0] + c * made[1]) + down * -s + across * c,
    ]
    plane = np.moveaxis(x, (first, second), (0, 1))
    turned = _read(trace, plane, places, order, mode, cval, prefilter)
    return np.moveaxis(turned, (0, 1), (first, second))


def _cosine_and_sine(angle: float) -> tuple[float, float]:
    """Of degrees; exact at right angles, as SciPy has them."""
    special = import_module("scipy.special")
    return float(special.cosdg(angle)), float(special.sindg(angle))
