"""``x[...]``: slices become slices, index arrays one gather.

NumPy itself says whether an index fits, on an array without memory. As in NumPy, the
axes that index arrays replace stay in place when they stand together and move to the
front when they do not. All of them are merged into one axis first, so that the gather
is along a single axis with a single array of flat indices. Integers that are traced are
positions: they choose a slice, as other integers do.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ...ir.errors import DomainError, ShapeError, TraceError
from ...ir.extent import Extent
from ...ir.graph import Node
from ..tracing.lowerings import lowers
from ..tracing.paths import Move, path_to
from ..tracing.running import is_traced
from ..tracing.trace import Trace, origin_of, share
from ..tracing.tracer import GETITEM
from ..tracing.views import Memory
from .indices import (
    as_int64,
    check_index,
    extent_of,
    flat_index,
    inside,
    is_array,
    is_mask,
    moves_of,
    one_per_axis,
    parts_of,
    positions,
    with_windows,
)
from .selected.selected import Selected

__all__ = ["ragged_at"]


@lowers(GETITEM)
def _getitem(trace: Trace, x: Any, index: Any) -> Any:
    items = parts_of(trace, index)
    if any(is_traced(item) and is_mask(item) for item in items):
        return _selected(trace, x, items)
    if 0 in x.shape and any(map(is_traced, items)):
        x, items = _with_elements(trace, x, items)
    check_index(x.shape, items)
    if any(is_mask(item) and item.ndim == 0 for item in items):
        return _by_position(trace, x, items)
    plain = one_per_axis(items, x.ndim)
    if (found := ragged_at(trace, x, plain)) is not None:
        return found
    plain = with_windows(trace, x.shape, plain)
    if any(is_array(item) and item.ndim for item in plain):
        return trace.wrap(_gather(trace, trace.node(x), plain))
    return _view(trace, x, plain, any(item is Ellipsis for item in items))


def _with_elements(trace: Trace, x: Any, items: list[Any]) -> tuple[Any, list[Any]]:
    """One element along each empty axis that has a traced position, and the index.

    The position is no error before it is known to be asked for: its check fails when
    running.
    """
    check_index(tuple([max(size, 1) for size in x.shape]), items)
    made, node = one_per_axis(items, x.ndim), trace.node(x)
    places = [place for place, item in enumerate(made) if item is not None]
    for axis, place in enumerate(places):
        item = made[place]
        if not node.type.shape[axis] and is_traced(item) and item.size:
            made[place] = trace.wrap(inside(trace, item, 0))
            node = _of_one(trace, node, axis, trace.node(made[place]))
    return (x, items) if node is trace.node(x) else (trace.wrap(node), made)


def _of_one(trace: Trace, x: Node, axis: int, places: Node) -> Node:
    """``x`` with one element along an empty axis, which needs the checked places."""
    b = trace.builder
    shape = list(x.type.shape)
    shape[axis] = 1
    axes = tuple(range(places.type.rank))
    some = b.reduce_max(places, axes=axes) if axes else places
    return b.broadcast(b.cast(some, x.type.dtype), x.type.with_shape(tuple(shape)))


def _selected(trace: Trace, x: Any, items: list[Any]) -> Selected:
    """What a mask over the leading axes chooses; the other axes are indexed first."""
    mask, *others = items
    plain = is_mask(mask) and mask.ndim and not any(map(is_array, others))
    if not plain:
        raise TraceError(
            "indexing with a traced mask and something in front of it, or with arrays "
            "beside it, is not supported",
            hint="move the axes of the mask to the front: x.T[mask] for x[:, mask]",
        )
    check_index(x.shape, items)
    if others:
        x = trace.apply(GETITEM, (x, ((slice(None),) * mask.ndim + (*others,))), {})
    return Selected(trace, x, mask)


def _view(trace: Trace, x: Any, plain: list[Any], dots: bool) -> Any:
    """Integers and slices; an element is a number of its own, but not with dots.

    At a position that is an array of the caller NumPy makes a copy, and a view at one
    that is a number, which look alike here.
    """
    x = x if is_traced(x) else trace.wrap(trace.node(x))
    extent, shape = extent_of(x.shape, plain)
    moves = moves_of(trace, x, plain)
    path = x.path.sliced(extent, moves).reshaped(shape)
    if x.path.through is not None:
        view = trace.wrap(x.read_in(trace, path))
    elif not x.is_known and x.owner is trace:
        view = trace.wrap(x.read(path))
    elif moves:
        view = trace.wrap(_slice_at(trace, trace.node(x), extent, shape, moves))
    else:
        view = trace.wrap(_slice(trace, trace.node(x), extent, shape))
    if not shape and not dots:
        return view
    if any(is_traced(item) and item.memory.argument for item in plain):
        view.memory = Memory(view.node, origin=origin_of(x))
        view.memory.copied = path
    elif moves or x.owner is trace:
        view.become_view(x, path)
    else:
        share(view, x)
    return view


def ragged_at(trace: Trace, x: Any, plain: list[Any]) -> Any:
    """The part of an array whose size follows from a counter; None for others."""
    from .ragged.views import ragged_slice  # which knows of positions

    return ragged_slice(trace, x, plain)


def _by_position(trace: Trace, x: Any, items: list[Any]) -> Any:
    """One gather from the flat array: for any index that is known while tracing."""
    if any(is_traced(item) for item in items):
        raise TraceError(
            "a bool and traced positions in one index are not supported",
            hint="write x[None, i] for x[True, i]",
        )
    return np.take(np.reshape(x, -1), positions(x.shape, items))


def _slice(trace: Trace, x: Node, extent: Extent, shape: tuple[int, ...]) -> Node:
    """The elements of an extent: one slice and one reshape."""
    b = trace.builder
    if extent.covers(x.type.shape):
        return b.reshape(x, shape)
    sliced = b.slice(x, start=extent.start, shape=extent.shape, step=extent.step)
    return b.reshape(sliced, shape)


def _slice_at(
    trace: Trace, x: Node, extent: Extent, shape: tuple[int, ...], moves: list[Move]
) -> Node:
    """The elements of an extent that is moved: by the path that a view would have."""
    path = path_to(x.type.shape).sliced(extent, moves)
    return trace.builder.reshape(path.read(trace, x), shape)


def _gather(trace: Trace, x: Node, items: list[Any]) -> Node:
    """Index arrays, and integers beside them, with slices and new axes around."""
    arrays = [
        i
        for i, item in enumerate(items)
        if item is not None and not isinstance(item, slice)
    ]
    together = arrays == list(range(arrays[0], arrays[-1] + 1))
    rest = [slice(None) if i in arrays else item for i, item in enumerate(items)]
    sliced = _slice(trace, x, *extent_of(x.type.shape, rest))
    kept = [axis for axis in range(sliced.type.rank) if axis not in arrays]
    front = arrays[0] if together else 0
    b = trace.builder
    moved = b.transpose(sliced, (*kept[:front], *arrays, *kept[front:]))
    lead, end = moved.type.shape[:front], front + len(arrays)
    sizes = moved.type.shape[front:end]
    merged = b.reshape(moved, (*lead, math.prod(sizes), *moved.type.shape[end:]))
    flat = flat_index(trace, [items[i] for i in arrays], sizes)
    return b.take(merged, flat, axis=front)


@lowers(np.take)
def _take(
    trace: Trace, a: Any, indices: Any, axis: Any = None, mode: str = "raise"
) -> Any:
    if axis is None:
        a, axis = np.reshape(trace.array(a), -1), 0
    x = trace.node(np.atleast_1d(a))
    along = normalize_axis_index(axis, x.type.rank)
    size = x.type.shape[along]
    indices = parts_of(trace, indices)[0] if isinstance(indices, list) else indices
    if mode not in ("raise", "clip", "wrap"):
        raise DomainError(f"take: mode={mode!r} is none of raise, clip, wrap")
    if mode == "clip":
        indices = np.clip(as_int64(indices), 0, size - 1)
    elif mode == "wrap":
        indices = np.remainder(as_int64(indices), size)
    places = inside(trace, indices, size)
    if not size and places.type.size:
        x = _of_one(trace, x, along, places)
    return trace.wrap(trace.builder.take(x, places, axis=along))


@lowers(np.take_along_axis)
def _take_along_axis(trace: Trace, arr: Any, indices: Any, axis: Any = -1) -> Any:
    if axis is None:
        if np.ndim(indices) != 1:
            raise ShapeError("take_along_axis: without an axis the indices are flat")
        return np.take_along_axis(np.reshape(arr, -1), np.reshape(indices, -1), 0)
    along = normalize_axis_index(axis, np.ndim(arr))
    if np.ndim(indices) != np.ndim(arr):
        raise ShapeError("take_along_axis: indices and array need the same rank")
    where: list[Any] = list(np.ogrid[tuple(slice(n) for n in np.shape(arr))])
    where[along] = indices
    return trace.apply(GETITEM, (arr, tuple(where)), {})
