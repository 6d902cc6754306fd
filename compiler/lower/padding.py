"""`np.pad`: what is put around an array, one axis after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...ir.errors import DTypeError, ShapeError, UnsupportedError
from ...ir.ops.elementwise import CAST
from ..tracing.lowerings import lowers
from ..tracing.running import find_trace
from ..tracing.trace import Trace
from .ufuncs import reject

__all__: list[str] = []

_Ends = Callable[[Any, int, tuple[int, int], tuple[Any, Any]], tuple[Any, Any]]
_PLACES = ("edge", "reflect", "symmetric", "wrap")
_OPTIONS = {
    "constant": {"constant_values": 0},
    "linear_ramp": {"end_values": 0},
    **{
        mode: {"stat_length": None} for mode in ("maximum", "minimum", "mean", "median")
    },
    **{mode: {"reflect_type": "even"} for mode in ("reflect", "symmetric")},
}


@lowers(np.pad)
def _pad(
    trace: Trace, array: Any, pad_width: Any, mode: Any = "constant", **rest: Any
) -> Any:
    if isinstance(pad_width, dict):
        widths = np.zeros((array.ndim, 2), int)
        for axis, width in pad_width.items():
            widths[axis] = width
    else:
        widths = np.broadcast_to(np.asarray(pad_width), (array.ndim, 2))
    if widths.dtype.kind not in "iu":
        raise DTypeError(f"pad widths are integers, not {widths.dtype}")
    if np.any(widths < 0):
        raise ShapeError("pad widths are not negative")
    known = _OPTIONS.get(mode, {}) if isinstance(mode, str) else {}
    reject({name: value for name, value in rest.items() if name not in known})
    option = next((rest.get(name, value) for name, value in known.items()), None)
    pairs: list[tuple[int, int]] = list(map(tuple, widths.tolist()))
    if mode == "constant" and find_trace(option) is None:
        return _pad_constant(trace, array, pairs, option)
    if mode not in ("constant", "empty"):
        _check_entries(array.shape, pairs)
    if mode in _PLACES:
        return _pad_places(array, pairs, mode, odd=option == "odd")
    if mode not in _MODES:
        raise UnsupportedError(
            f"np.pad with mode={mode!r} is not supported",
            hint=f"the modes are {', '.join((*_PLACES, *_MODES))}",
        )
    for axis, width in enumerate(pairs):
        if not any(width):
            continue
        of_axis = _of_axis(trace, option, axis, array.ndim)
        before, after = _MODES[mode](array, axis, width, of_axis)
        kind = array.dtype
        array = np.concatenate((before.astype(kind), array, after.astype(kind)), axis)
    return array


def _check_entries(shape: Any, pairs: list[tuple[int, int]]) -> None:
    """Raise what NumPy raises where there is nothing to go on from."""
    for axis, (size, width) in enumerate(zip(shape, pairs, strict=True)):
        if not size and any(width):
            raise ValueError(
                f"can't extend empty axis {axis} using modes other than 'constant' or "
                "'empty'"
            )


def _of_axis(trace: Trace, option: Any, axis: int, rank: int) -> tuple[Any, Any]:
    """What an option says of the two ends of an axis."""
    if option is None:
        return None, None
    pair = np.broadcast_to(trace.array(option), (rank, 2))[axis]
    return pair[0], pair[1]


def _spread(x: Any, axis: int, count: int) -> Any:
    """An entry along an axis as often as is wanted."""
    return np.broadcast_to(x, (*x.shape[:axis], count, *x.shape[axis + 1 :]))


def _edge(x: Any, axis: int, place: int) -> Any:
    return np.take(x, [place], axis=axis)


def _constant(x: Any, axis: int, width: Any, values: Any) -> Any:
    made: list[Any] = []
    for count, value in zip(width, values, strict=True):
        shape = (*x.shape[:axis], count, *x.shape[axis + 1 :])
        made.append(np.broadcast_to(np.zeros((), x.dtype) + value, shape))
    return tuple(made)


def _ramp(x: Any, axis: int, width: Any, values: Any) -> Any:
    """Steps from a value at the end to the edge, which is not among them."""

    def steps(place: int, count: int, value: Any) -> Any:
        edge = np.take(x, place, axis=axis)
        return np.linspace(value, edge, count, endpoint=False, dtype=x.dtype, axis=axis)

    before = steps(0, width[0], values[0])
    after = np.flip(steps(x.shape[axis] - 1, width[1], values[1]), axis)
    return before, after


def _statistic(function: Any) -> _Ends:
    """The maximum, say, of as many entries from an edge on as ``stat_length`` says."""

    def ends(x: Any, axis: int, width: Any, lengths: Any) -> Any:
        size = x.shape[axis]
        made: list[Any] = []
        for side, (count, length) in enumerate(zip(width, lengths, strict=True)):
            length = size if length is None else min(int(length), size)
            first = 0 if side == 0 else size - length
            chosen = np.take(x, range(first, first + length), axis=axis)
            found = function(chosen, axis=axis, keepdims=True)
            whole = x.dtype.kind in "iu" and found.dtype.kind == "f"
            made.append(_spread(np.rint(found) if whole else found, axis, count))
        return made[0], made[1]

    return ends


_MODES: dict[str, _Ends] = {
    "constant": _constant,
    "empty": lambda x, axis, width, _: _constant(x, axis, width, (0, 0)),
    "linear_ramp": _ramp,
    "maximum": _statistic(np.max),
    "minimum": _statistic(np.min),
    "mean": _statistic(np.mean),
    "median": _statistic(np.median),
}


def _pad_places(array: Any, widths: Any, mode: str, odd: bool) -> Any:
    """What stands at other places; an odd reflection goes on at the edge's slope."""
    pad: Any = np.pad  # its stubs want a literal for the mode
    for axis, width in enumerate(widths):
        size = array.shape[axis]
        if not any(width):
            continue
        chosen = np.take(array, pad(np.arange(size), width, mode=mode), axis=axis)
        if odd:
            if max(width) > size - (mode == "reflect"):
                raise UnsupportedError(
                    "np.pad: an odd reflection that is wider than the array",
                    hint="pad twice, each time by less",
                )
            ends = width[0], width[0] + size
            parts = np.split(chosen, ends, axis=axis)
            parts[0] = 2 * _edge(array, axis, 0) - parts[0]
            parts[2] = 2 * _edge(array, axis, size - 1) - parts[2]
            chosen = np.concatenate(parts, axis=axis)
        array = chosen
    return array


def _pad_constant(trace: Trace, array: Any, widths: Any, constant: Any) -> Any:
    x = trace.node(array)
    stored = CAST.reference(constant, dtype=x.type.dtype)
    values = np.broadcast_to(stored, (len(widths), 2)).tolist()
    flat = {value for pair in values for value in pair} or {x.type.numpy.type(0).item()}
    if len(flat) == 1:
        value = flat.pop()
        low, high = ([width[side] for width in widths] for side in (0, 1))
        none = (0,) * x.type.rank
        b = trace.builder
        padded = b.pad(x, low=tuple(low), high=tuple(high), interior=none, value=value)
        return trace.wrap(padded)
    for axis, ((low, high), (first, last)) in enumerate(
        zip(widths, values, strict=True)
    ):
        before, after = list(array.shape), list(array.shape)
        before[axis], after[axis] = low, high
        ends = (
            np.full(before, first, array.dtype),
            np.full(after, last, array.dtype),
        )
        array = np.concatenate([ends[0], array, ends[1]], axis=axis)
    return array
