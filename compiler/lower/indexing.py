"""``x[...]``: slices become slices, index arrays become one gather.

As in NumPy, the axes that index arrays replace stay in place when they stand together
and move to the front when they do not. All of them are merged into one axis first, so
that the gather is along a single axis with a single array of flat indices.
"""

from __future__ import annotations

import math
import operator
from typing import Any, cast

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ...ir.errors import BoundsError, DTypeError, ShapeError, TraceError
from ...ir.graph import Node
from ..trace import Trace, is_traced, lowers
from ..tracer import GETITEM, SETITEM
from .ufuncs import broadcast_nodes


def _is_advanced(item: Any) -> bool:
    return is_traced(item) or isinstance(item, (list, np.ndarray, np.bool_, bool))


def _is_bool(item: Any) -> bool:
    return np.dtype(getattr(item, "dtype", None) or np.asarray(item).dtype) == bool


def _expanded(index: Any, rank: int) -> list[Any]:
    """The index as a list with one item per axis, and ``None`` for new ones."""
    items = list(cast("tuple[Any, ...]", index)) if isinstance(index, tuple) else [index]
    items = [np.asarray(i) if isinstance(i, (list, bool, np.bool_)) else i for i in items]
    plain: list[Any] = []
    for item in items:
        if isinstance(item, np.ndarray) and item.dtype == bool:
            plain.extend(np.nonzero(item) if item.ndim else [None, np.flatnonzero(item)])
        elif isinstance(item, np.ndarray) and item.size == 0 and item.dtype.kind == "f":
            plain.append(item.astype(np.intp))
        else:
            plain.append(item)
    used = sum(1 for item in plain if item is not None and item is not Ellipsis)
    dots = [i for i, item in enumerate(plain) if item is Ellipsis]
    if len(dots) > 1:
        raise BoundsError("an index can only have a single ellipsis ('...')")
    if used > rank:
        raise BoundsError(f"too many indices for an array of {rank} dimensions")
    at = dots[0] if dots else len(plain)
    fill = [slice(None)] * (rank - used)
    return plain[:at] + fill + plain[at + 1 :]


def _check_masks(index: Any, shape: tuple[int, ...]) -> None:
    """A mask in an index must have the shape of the axes it stands for."""
    items = index if isinstance(index, tuple) else (index,)
    axis = 0
    for item in items:
        if item is None or item is Ellipsis:
            axis = axis if item is None else -1
            continue
        mask = _is_advanced(item) and _is_bool(item)
        ndim = np.ndim(item) if mask else 1
        if mask and axis >= 0 and tuple(np.shape(item)) != shape[axis : axis + ndim]:
            raise BoundsError(f"a mask of {np.shape(item)} does not fit {shape}")
        axis = axis + ndim if axis >= 0 else axis


@lowers(GETITEM)
def _getitem(trace: Trace, x: Any, index: Any) -> Any:
    base = x
    items = index if isinstance(index, tuple) else (index,)
    if any(is_traced(item) and _is_bool(item) for item in items):
        raise TraceError(
            "indexing with a traced mask has a result of unknown shape",
            hint="choose with np.where(mask, x, 0), or multiply by the mask",
        )
    _check_masks(index, x.shape)
    plain = _expanded(index, x.ndim)
    if not any(_is_advanced(item) for item in plain):
        view = trace.wrap(_basic(trace, trace.node(x), plain))
        if view.ndim or any(isinstance(i, slice) for i in plain):
            view.memory, view.seen = base.memory, base.memory.version
        return view
    return trace.wrap(_advanced(trace, trace.node(x), plain))


def _basic(trace: Trace, x: Node, items: list[Any]) -> Node:
    """Integers, slices and new axes: one slice and one reshape."""
    start: list[int] = []
    count: list[int] = []
    step: list[int] = []
    shape: list[int] = []
    axis = 0
    for item in items:
        if item is None:
            shape.append(1)
            continue
        size = x.type.sizes[axis]
        if isinstance(item, slice):
            first, stop, by = item.indices(size)
            length = len(range(first, stop, by))
            start.append(first if length else 0)
            shape.append(length)
        else:
            position = _integer(item)
            if not -size <= position < size:
                raise BoundsError(
                    f"index {position} is out of bounds for axis {axis} of size {size}"
                )
            start.append(position % size)
            length, by = 1, 1
        count.append(length)
        step.append(by)
        axis += 1
    b = trace.builder
    whole = tuple(count) == x.type.sizes and all(by == 1 for by in step)
    sliced = (
        x
        if whole
        else b.slice(x, start=tuple(start), shape=tuple(count), step=tuple(step))
    )
    return b.reshape(sliced, shape)


def _integer(item: Any) -> int:
    try:
        return operator.index(item)
    except TypeError:
        raise BoundsError(
            "an index is an integer, a slice, '...', None or an array of integers, "
            f"not {type(item).__name__}"
        ) from None


def _advanced(trace: Trace, x: Node, items: list[Any]) -> Node:
    arrays = [
        i for i, item in enumerate(items) if _is_advanced(item) or _is_integer(item)
    ]
    together = arrays == list(range(arrays[0], arrays[-1] + 1))
    slices = [slice(None) if i in arrays else item for i, item in enumerate(items)]
    sliced = _basic(trace, x, slices)
    indices = [items[i] for i in arrays]
    b = trace.builder
    rest = [axis for axis in range(sliced.type.rank) if axis not in arrays]
    front = arrays[0] if together else 0
    perm = (*rest[:front], *arrays, *rest[front:])
    moved = b.transpose(sliced, perm)
    sizes = moved.type.sizes[front : front + len(arrays)]
    flat = _flat_index(trace, indices, sizes)
    merged = b.reshape(
        moved,
        (
            *moved.type.sizes[:front],
            math.prod(sizes),
            *moved.type.sizes[front + len(arrays) :],
        ),
    )
    return b.take(merged, flat, axis=front)


def _is_integer(item: Any) -> bool:
    return isinstance(item, (int, np.integer))


def _flat_index(trace: Trace, indices: list[Any], sizes: tuple[int, ...]) -> Node:
    """One array of positions in the merged axes."""
    if not any(is_traced(index) for index in indices):
        known = [_wrapped(np.asarray(i), n) for i, n in zip(indices, sizes, strict=True)]
        known = np.broadcast_arrays(*known)
        strides = [math.prod(sizes[k + 1 :]) for k in range(len(sizes))]
        flat = sum(i * s for i, s in zip(known, strides, strict=True))
        return trace.node(np.asarray(flat, np.int64))
    b = trace.builder
    nodes = [checked(trace, i, n) for i, n in zip(indices, sizes, strict=True)]
    nodes = broadcast_nodes(trace, *nodes)
    flat = nodes[0]
    for node, size in zip(nodes[1:], sizes[1:], strict=True):
        flat = b.add(b.mul(flat, b.like(flat, size)), node)
    return flat


def _wrapped(index: np.ndarray[Any, Any], size: int) -> np.ndarray[Any, Any]:
    """Non-negative indices, after a check of those that are known while tracing."""
    if index.dtype.kind not in "iu":
        raise BoundsError(f"arrays used as indices must be of integers, not {index.dtype}")
    bad = index[(index < -size) | (index >= size)]
    if bad.size:
        raise BoundsError(f"index {bad.flat[0]} is out of bounds for an axis of size {size}")
    return np.where(index < 0, index + size, index).astype(np.int64)


def checked(trace: Trace, index: Any, size: int) -> Node:
    """Non-negative indices, with a check of those that are known when running."""
    if not is_traced(index):
        return trace.node(_wrapped(np.asarray(index), size))
    if index.dtype.kind not in "iu":
        raise BoundsError(f"arrays used as indices must be of integers, not {index.dtype}")
    b = trace.builder
    message = f"an index is out of bounds for an axis of size {size}"
    node = b.check(
        trace.node(index, "i64"), low=-size, high=size, error="index", message=message
    )
    negative = b.lt(node, b.like(node, 0))
    return b.select(negative, b.add(node, b.like(node, size)), node)


@lowers(np.take)
def _take(
    trace: Trace, a: Any, indices: Any, axis: Any = None, mode: str = "raise"
) -> Any:
    a = trace.array(a)
    if axis is None:
        a, axis = np.reshape(a, -1), 0
    along = normalize_axis_index(axis, np.ndim(a))
    x = trace.node(a)
    size = x.type.sizes[along]
    indices = trace.array(indices)
    if mode == "clip":
        indices = np.clip(indices, 0, size - 1)
    elif mode == "wrap":
        indices = np.remainder(indices, size)
    return trace.wrap(
        trace.builder.take(x, checked(trace, indices, size), axis=along)
    )


@lowers(np.take_along_axis)
def _take_along_axis(trace: Trace, arr: Any, indices: Any, axis: Any = -1) -> Any:
    if axis is None:
        return np.take_along_axis(np.reshape(arr, -1), np.reshape(indices, -1), 0)
    along = normalize_axis_index(axis, np.ndim(arr))
    if np.ndim(indices) != np.ndim(arr):
        raise ShapeError("take_along_axis: indices and array need the same rank")
    grid = np.ogrid[tuple(slice(n) for n in np.shape(indices))]
    where = [
        indices
        if i == along
        else np.minimum(g, np.shape(arr)[i] - 1)
        for i, g in enumerate(grid)
    ]
    return trace.apply(GETITEM, (arr, tuple(where)), {})


@lowers(SETITEM)
def _setitem(trace: Trace, x: Any, index: Any, value: Any) -> Any:
    """``x`` with ``value`` written at ``index``."""
    if is_traced(index) and _is_bool(index) and np.ndim(value) == 0:
        return np.where(index, trace.wrap(trace.node(value, x.node.type.dtype)), x)
    items = index if isinstance(index, tuple) else (index,)
    if any(is_traced(item) for item in items):
        raise TraceError(
            "writing at traced positions is not supported",
            hint="a mask with a scalar works, x[mask] = 0, and so do np.where and "
            "one_hot",
        )
    where = np.arange(x.size).reshape(x.shape)[index]
    value = trace.array(value)
    if is_traced(value) and value.dtype.kind == "f" and x.dtype.kind != "f":
        raise DTypeError(f"cannot write {value.dtype} into an array of {x.dtype}")
    b = trace.builder
    source = trace.node(value, x.node.type.dtype)
    extra = source.type.rank - np.ndim(where)
    if extra > 0:
        source = b.reshape(source, source.type.shape[extra:])
    source = b.broadcast(source, source.type.with_shape(np.shape(where)))
    flat, last = _last_writes(where)
    rows = b.reshape(source, (source.type.size,))
    if last is not None:
        rows = b.take(rows, trace.node(last), axis=0)
    written = b.scatter_add(rows, trace.node(flat), axis=0, size=x.size)
    keep = np.ones(x.size, bool)
    keep[flat] = False
    kept = b.select(trace.node(keep), b.reshape(trace.node(x), (x.size,)), written)
    return trace.wrap(b.reshape(kept, x.shape))


def _last_writes(where: Any) -> tuple[Any, Any]:
    """Flat positions without repeats, and which write of each is the last one."""
    flat = np.asarray(where, np.int64).reshape(-1)
    unique, first = np.unique(flat[::-1], return_index=True)
    if len(unique) == len(flat):
        return np.array(flat), None
    return unique, (len(flat) - 1 - first).astype(np.int64)



