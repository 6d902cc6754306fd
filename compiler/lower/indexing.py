"""``x[...]`` and ``x[...] = v``: slices become slices, index arrays one gather.

NumPy itself says whether an index fits, on an array without memory. As in NumPy, the
axes that index arrays replace stay in place when they stand together and move to the
front when they do not. All of them are merged into one axis first, so that the gather
is along a single axis with a single array of flat indices. Integers that are traced are
positions: they choose a slice, as other integers do.
"""

from __future__ import annotations

import math
import operator
from typing import Any, cast

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ...ir.errors import BoundsError, DomainError, ShapeError, TraceError
from ...ir.extent import Extent
from ...ir.graph import Node
from ..lowerings import lowers
from ..paths import Move, Path, path_to
from ..peel import note_index
from ..ragged import Ragged
from ..running import is_traced
from ..trace import Trace, origin_of, share
from ..tracer import GETITEM, SETITEM
from ..views import Memory
from .integers import fitted
from .selected import Selected
from .ufuncs import broadcast_nodes
from .windows import Window, is_moved, window_of


def _items(trace: Trace, index: Any) -> list[Any]:
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


def _is_array(item: Any) -> bool:
    return is_traced(item) or isinstance(item, np.ndarray)


def _is_mask(item: Any) -> bool:
    return _is_array(item) and item.dtype == bool


def _stand_in(item: Any) -> Any:
    """A part of an index of the same kind that is known."""
    if is_traced(item):
        return np.zeros(item.shape, item.dtype)
    return slice(None) if is_moved(item) else item


def _check(shape: tuple[int, ...], items: list[Any]) -> None:
    """Raise what NumPy raises where an index does not fit a shape."""
    known = tuple(map(_stand_in, items))
    try:
        np.broadcast_to(np.False_, shape)[known]
    except IndexError as error:
        raise BoundsError(str(error)) from None


def _one_per_axis(items: list[Any], rank: int) -> list[Any]:
    """One item for each axis, and None for new ones; a mask is its positions."""
    plain: list[Any] = []
    for item in items:
        plain.extend(np.nonzero(item) if _is_mask(item) else [item])
    used = sum(1 for item in plain if item is not None and item is not Ellipsis)
    dots = [i for i, item in enumerate(plain) if item is Ellipsis]
    at = dots[0] if dots else len(plain)
    return plain[:at] + [slice(None)] * (rank - used) + plain[at + 1 :]


@lowers(GETITEM)
def _getitem(trace: Trace, x: Any, index: Any) -> Any:
    items = _items(trace, index)
    _check(x.shape, items)
    if any(is_traced(item) and _is_mask(item) for item in items):
        return _selected(trace, x, items)
    if any(_is_mask(item) and item.ndim == 0 for item in items):
        return _by_position(trace, x, items)
    plain = _one_per_axis(items, x.ndim)
    if (found := _ragged(trace, x, plain)) is not None:
        return found
    plain = _with_windows(trace, x.shape, plain)
    if any(_is_array(item) and item.ndim for item in plain):
        return trace.wrap(_gather(trace, trace.node(x), plain))
    return _view(trace, x, plain, any(item is Ellipsis for item in items))


def _selected(trace: Trace, x: Any, items: list[Any]) -> Selected:
    """What a mask over the leading axes chooses."""
    found = Selected(trace, x, items[0]) if _is_mask(items[0]) else None
    if found is None or len(items) > 1 or not items[0].ndim:
        raise TraceError(
            "indexing with a traced mask and something else is not supported",
            hint="choose with np.where(mask, x, 0), or multiply by the mask",
        )
    return found


def _view(trace: Trace, x: Any, plain: list[Any], dots: bool) -> Any:
    """Integers and slices; an element is a number of its own, but not with dots.

    At a position that is an array of the caller NumPy makes a copy, and a view at one
    that is a number, which look alike here.
    """
    x = x if is_traced(x) else trace.wrap(trace.node(x))
    extent, shape = _extent(x.shape, plain)
    moves = _moves(trace, x, plain)
    path = x.path.sliced(extent, moves).reshaped(shape)
    if not x.is_known and x.owner is trace:
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


def _ragged(trace: Trace, x: Any, plain: list[Any]) -> Any:
    from .ragged_views import ragged_slice  # which knows of positions

    return ragged_slice(trace, x, plain)


def _with_windows(trace: Trace, sizes: tuple[int, ...], plain: list[Any]) -> list[Any]:
    """The items of an index with a `Window` for each slice with traced bounds."""
    rest = iter(sizes)
    made: list[Any] = []
    for item in plain:
        size = next(rest) if item is not None else 1
        made.append(window_of(trace, item, size) if is_moved(item) else item)
    return made


def _moves(trace: Trace, x: Any, plain: list[Any]) -> list[Move]:
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
    plain = _one_per_axis([index], x.ndim)
    extent, shape = _extent(x.shape, plain)
    path = x.path.sliced(extent, _moves(trace, x, plain)).reshaped(shape)
    assert path is not None, "only an axis of size 1 goes"
    return path


def _by_position(trace: Trace, x: Any, items: list[Any]) -> Any:
    """One gather from the flat array: for any index that is known while tracing."""
    if any(is_traced(item) for item in items):
        raise TraceError("a bool and traced positions in one index are not supported")
    return np.take(np.reshape(x, -1), _positions(x.shape, items))


def _positions(shape: tuple[int, ...], items: list[Any]) -> np.ndarray[Any, Any]:
    """Where in the flat array the elements of ``x[items]`` stand."""
    places = np.zeros((), np.int64)
    for axis, size in enumerate(shape):
        along = np.arange(size, dtype=np.int64) * math.prod(shape[axis + 1 :])
        along = along.reshape(-1, *(1,) * (len(shape) - axis - 1))
        places = places + np.broadcast_to(along, shape)[tuple(items)]
    return np.asarray(places)


def _extent(sizes: tuple[int, ...], items: list[Any]) -> tuple[Extent, tuple[int, ...]]:
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
    sliced = _slice(trace, x, *_extent(x.type.shape, rest))
    kept = [axis for axis in range(sliced.type.rank) if axis not in arrays]
    front = arrays[0] if together else 0
    b = trace.builder
    moved = b.transpose(sliced, (*kept[:front], *arrays, *kept[front:]))
    lead, end = moved.type.shape[:front], front + len(arrays)
    sizes = moved.type.shape[front:end]
    merged = b.reshape(moved, (*lead, math.prod(sizes), *moved.type.shape[end:]))
    flat = _flat_index(trace, [items[i] for i in arrays], sizes)
    return b.take(merged, flat, axis=front)


def _flat_index(trace: Trace, indices: list[Any], sizes: tuple[int, ...]) -> Node:
    """One array of positions in the merged axes."""
    if not any(is_traced(index) for index in indices):
        wrapped = [_wrapped(index, n) for index, n in zip(indices, sizes, strict=True)]
        strides = [math.prod(sizes[k + 1 :]) for k in range(len(sizes))]
        flat = sum(
            i * s for i, s in zip(np.broadcast_arrays(*wrapped), strides, strict=True)
        )
        return trace.constant(np.asarray(flat, np.int64))
    b = trace.builder
    nodes = [inside(trace, index, n) for index, n in zip(indices, sizes, strict=True)]
    flat, *others = broadcast_nodes(trace, *nodes)
    for node, size in zip(others, sizes[1:], strict=True):
        flat = b.add(b.mul(flat, b.like(flat, size)), node)
    return flat


def _wrapped(index: Any, size: int) -> np.ndarray[Any, Any]:
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
        return trace.node(_wrapped(index, size))
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


def _as_int64(indices: Any) -> Any:
    """Integers as NumPy takes them for indices, in a dtype that holds any size."""
    array = indices if is_traced(indices) else np.asarray(indices)
    return array.astype(np.int64) if array.dtype.kind in "iu" else array


@lowers(np.take)
def _take(
    trace: Trace, a: Any, indices: Any, axis: Any = None, mode: str = "raise"
) -> Any:
    if axis is None:
        a, axis = np.reshape(trace.array(a), -1), 0
    x = trace.node(np.atleast_1d(a))
    along = normalize_axis_index(axis, x.type.rank)
    size = x.type.shape[along]
    indices = _items(trace, indices)[0] if isinstance(indices, list) else indices
    if mode not in ("raise", "clip", "wrap"):
        raise DomainError(f"take: mode={mode!r} is none of raise, clip, wrap")
    if mode == "clip":
        indices = np.clip(_as_int64(indices), 0, size - 1)
    elif mode == "wrap":
        indices = np.remainder(_as_int64(indices), size)
    return trace.wrap(trace.builder.take(x, inside(trace, indices, size), axis=along))


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


@lowers(SETITEM)
def _setitem(trace: Trace, x: Any, index: Any, value: Any) -> None:
    """Write ``value`` to the memory that ``x`` shows, at ``index``."""
    x.owner.check_write()
    items = _items(trace, index)
    _check(x.shape, items)
    value = value if isinstance(value, Ragged) else trace.array(value)
    if any(is_traced(item) and (item.ndim or _is_mask(item)) for item in items):
        x.write(_write_under_mask(trace, x, items, value))
        return
    plain: list[Any] = []
    if not any(_is_mask(item) and item.ndim == 0 for item in items):
        plain = _one_per_axis(items, x.ndim)
        if (found := _ragged(trace, x, plain)) is not None:
            from .ragged_views import store_ragged

            store_ragged(trace, found, value)
            return
        if isinstance(value, Ragged):
            value.refuse()
        plain = _with_windows(trace, x.shape, plain)
        if not any(_is_array(item) and item.ndim for item in plain):
            _write_extent(trace, x, plain, value)
            return
        if any(is_traced(item) for item in plain):
            raise TraceError(
                "writing at traced positions and at arrays of positions in one index "
                "is not supported",
                hint="write into a row first: row = x[i]; row[places] = v",
            )
    source = fitted(trace, value, x.type.dtype)
    rows = [axis for axis, item in enumerate(plain) if _is_array(item)]
    if len(rows) == 1 and all(_is_array(item) or item == slice(None) for item in plain):
        (axis,) = rows
        where = _wrapped(plain[axis], x.shape[axis])
        made = _put(trace, trace.node(x), source, where, axis)
    else:
        where, flat = _positions(x.shape, items), (x.size,)
        flat_x = trace.builder.reshape(trace.node(x), flat)
        made = _put(trace, flat_x, source, where, 0)
        made = trace.builder.reshape(made, x.shape)
    x.write(trace.wrap(made))


def _write_under_mask(trace: Trace, x: Any, items: list[Any], value: Any) -> Any:
    """One traced mask over the leading axes, and one value for all that it chooses."""
    (mask, *others) = items
    if isinstance(value, Selected) and not others and _is_mask(mask):
        return value.stored(x, mask)
    if others or not _is_mask(mask) or np.ndim(value) > x.ndim - mask.ndim:
        raise TraceError(
            "writing at traced positions is not supported",
            hint="a mask with one value works, x[mask] = 0, and so do np.where and "
            "one_hot",
        )
    mask = np.reshape(mask, (*mask.shape, *(1,) * (x.ndim - mask.ndim)))
    return np.where(mask, trace.wrap(fitted(trace, value, x.type.dtype)), x)


def _fitted(trace: Trace, source: Node, shape: tuple[int, ...]) -> Node:
    """``source`` broadcast to the shape of what it is written to."""
    b = trace.builder
    extra = max(source.type.rank - len(shape), 0)
    dims = source.type.shape
    pairs = zip(dims[::-1], shape[::-1], strict=False)
    if any(dim != 1 for dim in dims[:extra]) or any(d not in (1, n) for d, n in pairs):
        raise ShapeError(f"cannot broadcast {source.type} into the shape {shape}")
    return b.broadcast(b.reshape(source, dims[extra:]), source.type.with_shape(shape))


def _write_extent(trace: Trace, x: Any, plain: list[Any], value: Any) -> None:
    """A store through the path to ``x[index]``.

    After the write of ``x[i] += v`` the view that it made is stored where it lies.
    """
    extent, shape = _extent(x.shape, plain)
    path = x.path.sliced(extent, _moves(trace, x, plain)).reshaped(shape)
    if is_traced(value) and value.memory is x.memory and value.path == path:
        return
    if is_traced(value) and value.memory.is_copy_of(x.memory, path):
        x.memory.settle(value.memory)
    source = fitted(trace, value, x.type.dtype)
    x.store(path, trace.wrap(_fitted(trace, source, shape)))


def _put(trace: Trace, x: Node, source: Node, where: Any, axis: int) -> Node:
    """Rows written at positions along an axis; the last of several writes stays."""
    b = trace.builder
    sizes = x.type.shape
    after = sizes[axis + 1 :]
    source = _fitted(trace, source, (*sizes[:axis], *where.shape, *after))
    flat = where.reshape(-1)
    rows = b.reshape(source, (*sizes[:axis], flat.size, *after))
    if flat.size == 0:
        return x
    last = flat.size - 1 - np.unique(flat[::-1], return_index=True)[1]
    if last.size < flat.size:
        rows, flat = b.take(rows, trace.constant(last), axis=axis), flat[last]
    return b.put(x, rows, trace.constant(flat), axis=axis)
