"""What an index is: its parts, one for each axis, and the places that they choose."""

from __future__ import annotations

import math
import operator
from typing import Any, cast

import numpy as np

from ...ir.errors import BoundsError
from ...ir.extent import Extent
from ...ir.graph import Node
from ..peel import note_index
from ..tracing.paths import Move, Path
from ..tracing.running import as_array, is_traced
from ..tracing.trace import Trace
from .ufuncs import broadcast_nodes
from .windows import Window, is_moved, window_of

__all__ = [
    "as_int64",
    "check_index",
    "extent_of",
    "flat_index",
    "inside",
    "is_array",
    "is_mask",
    "moves_of",
    "one_per_axis",
    "parts_of",
    "path_of_row",
    "position",
    "positions",
    "with_windows",
    "wrapped",
]


def parts_of(trace: Trace, index: Any) -> list[Any]:
    """The parts of an index; lists are arrays."""
    parts = cast("tuple[Any, ...]", index) if isinstance(index, tuple) else (index,)
    items: list[Any] = []
    for part in parts:
        if isinstance(part, (bool, np.bool_)):
            items.append(np.asarray(part))
        elif isinstance(part, list):
            array = trace.array(part)
            items.append(array if np.size(array) else np.asarray(array, np.intp))
        else:
            items.append(part)
    return items


def is_array(item: Any) -> bool:
    """Whether a part is an array, traced or not."""
    return is_traced(item) or isinstance(item, np.ndarray)


def is_mask(item: Any) -> bool:
    """Whether a part is an array of bools."""
    return is_array(item) and item.dtype == bool


def _stand_in(item: Any) -> Any:
    """A part of an index of the same kind that is known."""
    if is_traced(item):
        return np.zeros(item.shape, item.dtype)
    return slice(None) if is_moved(item) else item


def check_index(shape: tuple[int, ...], items: list[Any]) -> None:
    """Raise what NumPy raises where an index does not fit a shape."""
    known = tuple(map(_stand_in, items))
    try:
        np.broadcast_to(np.False_, shape)[known]
    except IndexError as error:
        raise BoundsError(str(error)) from None


def one_per_axis(items: list[Any], rank: int) -> list[Any]:
    """One item for each axis, and None for new ones; a mask is its positions."""
    plain: list[Any] = []
    for item in items:
        plain.extend(np.nonzero(item) if is_mask(item) else [item])
    used = sum(1 for item in plain if item is not None and item is not Ellipsis)
    dots = [i for i, item in enumerate(plain) if item is Ellipsis]
    at = dots[0] if dots else len(plain)
    return plain[:at] + [slice(None)] * (rank - used) + plain[at + 1 :]


def with_windows(trace: Trace, sizes: tuple[int, ...], plain: list[Any]) -> list[Any]:
    """The items of an index with a `Window` for each slice with traced bounds."""
    rest = iter(sizes)
    made: list[Any] = []
    for item in plain:
        size = next(rest) if item is not None else 1
        made.append(window_of(trace, item, size) if is_moved(item) else item)
    return made


def moves_of(trace: Trace, x: Any, plain: list[Any]) -> list[Move]:
    """The axes of ``x`` with traced positions, which are checked to be inside."""
    given = [item for item in plain if item is not None]
    moves: list[Move] = []
    for axis, item in enumerate(given):
        if isinstance(item, Window):
            moves.append(Move(axis, trace, item.first))
        elif is_traced(item):
            moves.append(Move(axis, trace, position(trace, item, x.shape[axis])))
    return moves


def path_of_row(trace: Trace, x: Any, index: Any) -> Path:
    """The path to ``x[index]``, for a traced integer."""
    plain = one_per_axis([index], x.ndim)
    extent, shape = extent_of(x.shape, plain)
    path = x.path.sliced(extent, moves_of(trace, x, plain)).reshaped(shape)
    assert path is not None, "only an axis of size 1 goes"
    return path


def positions(shape: tuple[int, ...], items: list[Any]) -> np.ndarray[Any, Any]:
    """Where in the flat array the elements of ``x[items]`` stand."""
    places = np.broadcast_to(np.int64(0), shape)[tuple(items)]
    for axis, size in enumerate(shape):
        along = np.arange(size, dtype=np.int64) * math.prod(shape[axis + 1 :])
        along = along.reshape(-1, *(1,) * (len(shape) - axis - 1))
        places = places + np.broadcast_to(along, shape)[tuple(items)]
    return np.asarray(places)


def extent_of(
    sizes: tuple[int, ...], items: list[Any]
) -> tuple[Extent, tuple[int, ...]]:
    """What integers, slices and new axes choose, and the shape of the result."""
    axes: list[tuple[int, int, int]] = []
    shape: list[int] = []
    for item in items:
        if item is None:
            shape.append(1)
            continue
        size = sizes[len(axes)]
        if isinstance(item, Window):
            axes.append((0, item.size, item.step))
            shape.append(item.size)
        elif isinstance(item, slice):
            first, stop, step = cast("slice[Any, Any, Any]", item).indices(size)
            count = len(range(first, stop, step))
            axes.append((first if count else 0, count, step))
            shape.append(count)
        else:
            first = 0 if is_traced(item) else operator.index(item) % size
            axes.append((first, 1, 1))
    start, count, step = ([axis[k] for axis in axes] for k in range(3))
    return Extent(tuple(start), tuple(count), tuple(step)), tuple(shape)


def flat_index(trace: Trace, indices: list[Any], sizes: tuple[int, ...]) -> Node:
    """One array of positions in the merged axes."""
    if not any(is_traced(index) for index in indices):
        rows = [wrapped(index, n) for index, n in zip(indices, sizes, strict=True)]
        strides = [math.prod(sizes[k + 1 :]) for k in range(len(sizes))]
        flat = sum(
            i * s for i, s in zip(np.broadcast_arrays(*rows), strides, strict=True)
        )
        return trace.constant(np.asarray(flat, np.int64))
    b = trace.builder
    nodes = [inside(trace, index, n) for index, n in zip(indices, sizes, strict=True)]
    flat, *others = broadcast_nodes(trace, *nodes)
    for node, size in zip(others, sizes[1:], strict=True):
        flat = b.add(b.mul(flat, b.like(flat, size)), node)
    return flat


def wrapped(index: Any, size: int) -> np.ndarray[Any, Any]:
    """Non-negative indices, after a check of those that are known while tracing."""
    index = np.asarray(index)
    if index.dtype.kind not in "iub":
        raise BoundsError(
            f"arrays used as indices must be of integers, not {index.dtype}"
        )
    bad = index[(index < -size) | (index >= size)]
    if bad.size:
        raise BoundsError(f"index {bad[0]} is out of bounds for an axis of size {size}")
    index = index.astype(np.int64)
    return np.where(index < 0, index + size, index)


def inside(trace: Trace, index: Any, size: int) -> Node:
    """Non-negative indices, with a check of those that are known when running."""
    if not is_traced(index):
        return trace.node(wrapped(index, size))
    if index.dtype.kind not in "iub":
        raise BoundsError(
            f"arrays used as indices must be of integers, not {index.dtype}"
        )
    b = trace.builder
    node = trace.node(index, "i64")
    low = -size if index.dtype.kind == "i" else 0
    interval = trace.intervals.of(node)
    if interval is None or not interval.within(0, size - 1):
        note_index(trace, node, size)
    if interval is None or not interval.within(low, size - 1):
        message = f"an index is out of bounds for an axis of size {size}"
        node = b.check(node, low=low, high=size, error="index", message=message)
        interval = trace.intervals.of(node)
    if interval is not None and interval.low >= 0:
        return node
    negative = b.lt(node, b.like(node, 0))
    return b.select(negative, b.add(node, b.like(node, size)), node)


def position(trace: Trace, index: Any, size: int) -> Node:
    """A position along an axis, as `inside` has it; the same at each use."""
    key = trace.node(index).name, size
    if key not in trace.positions:
        trace.positions[key] = inside(trace, index, size)
    return trace.positions[key]


def as_int64(indices: Any) -> Any:
    """Integers as NumPy takes them for indices, in a dtype that holds any size."""
    array = as_array(indices)
    return array.astype(np.int64) if array.dtype.kind in "iu" else array
