"""Functions that move elements without computing."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from ...ir.errors import DTypeError, ShapeError, UnsupportedError
from ...ir.graph import Node
from ...ir.ops.shape import flip
from ...ir.types import dtype_name
from ..trace import Trace, lowers
from .ufuncs import broadcast_nodes, reject, resolve


def _ints(values: Any) -> tuple[int, ...]:
    items = values if isinstance(values, (tuple, list, np.ndarray)) else (values,)
    return tuple(operator.index(item) for item in items)


@lowers(np.reshape, view=True)
def _reshape(
    trace: Trace, a: Any, /, shape: Any = None, order: str = "C", **rest: Any
) -> Any:
    reject({"order": None if order in ("C", "K", "A") else order})
    rest.pop("copy", None)
    reject(rest)
    x = trace.node(a)
    wanted = list(_ints(shape))
    if wanted.count(-1) == 1:
        known = math.prod(dim for dim in wanted if dim != -1)
        fits = known != 0 and x.type.size % known == 0
        if fits:
            wanted[wanted.index(-1)] = x.type.size // known
    if any(dim < 0 for dim in wanted) or math.prod(wanted) != x.type.size:
        raise ShapeError(f"cannot reshape {x.type} to {tuple(_ints(shape))}")
    return trace.wrap(trace.builder.reshape(x, wanted))


@lowers(np.ravel, view=True)
def _ravel(trace: Trace, a: Any, order: str = "C") -> Any:
    return np.reshape(a, -1, order=order)  # type: ignore[call-overload]


@lowers(np.copy)
def _copy(trace: Trace, a: Any, *args: Any, **kwargs: Any) -> Any:
    return trace.wrap(trace.builder.identity(trace.node(a)))


@lowers(np.astype)
def _astype(trace: Trace, x: Any, dtype: Any, /, **rest: Any) -> Any:
    b = trace.builder
    node = trace.node(x)
    to = dtype_name(dtype)
    return trace.wrap(b.cast(node, to) if to != node.type.dtype else b.identity(node))


def transpose_node(trace: Trace, x: Node, perm: Sequence[int]) -> Any:
    return trace.wrap(trace.builder.transpose(x, perm))


@lowers(np.transpose, np.permute_dims, view=True)
def _transpose(trace: Trace, a: Any, axes: Any = None) -> Any:
    x = trace.node(a)
    rank = x.type.rank
    if axes is None:
        perm = tuple(reversed(range(rank)))
    else:
        perm = normalize_axis_tuple(_ints(axes), rank)
        if len(perm) != rank:
            raise ShapeError(f"axes {axes} do not permute the axes of {x.type}")
    return transpose_node(trace, x, perm)


@lowers(np.matrix_transpose, view=True)
def _matrix_transpose(trace: Trace, x: Any, /) -> Any:
    return np.swapaxes(x, -1, -2)


@lowers(np.swapaxes, view=True)
def _swapaxes(trace: Trace, a: Any, axis1: int, axis2: int) -> Any:
    x = trace.node(a)
    perm = list(range(x.type.rank))
    i = normalize_axis_index(axis1, x.type.rank)
    j = normalize_axis_index(axis2, x.type.rank)
    perm[i], perm[j] = perm[j], perm[i]
    return transpose_node(trace, x, perm)


@lowers(np.moveaxis, view=True)
def _moveaxis(trace: Trace, a: Any, source: Any, destination: Any) -> Any:
    x = trace.node(a)
    start = normalize_axis_tuple(source, x.type.rank, "source")
    end = normalize_axis_tuple(destination, x.type.rank, "destination")
    if len(start) != len(end):
        raise ShapeError("source and destination have different numbers of axes")
    perm = [axis for axis in range(x.type.rank) if axis not in start]
    for to, axis in sorted(zip(end, start, strict=True)):
        perm.insert(to, axis)
    return transpose_node(trace, x, perm)


@lowers(np.rollaxis, view=True)
def _rollaxis(trace: Trace, a: Any, axis: int, start: int = 0) -> Any:
    along = normalize_axis_index(axis, a.ndim)
    start = start + a.ndim if start < 0 else start
    return np.moveaxis(a, along, start - 1 if along < start else start)


@lowers(np.expand_dims, view=True)
def _expand_dims(trace: Trace, a: Any, axis: Any) -> Any:
    x = trace.node(a)
    count = len(axis) if isinstance(axis, (tuple, list)) else 1
    new = normalize_axis_tuple(axis, x.type.rank + count)
    dims = iter(x.type.shape)
    shape = [1 if i in new else next(dims) for i in range(x.type.rank + count)]
    return trace.wrap(trace.builder.reshape(x, shape))


@lowers(np.squeeze, view=True)
def _squeeze(trace: Trace, a: Any, axis: Any = None) -> Any:
    x = trace.node(a)
    if axis is None:
        gone = tuple(i for i, dim in enumerate(x.type.shape) if dim == 1)
    else:
        gone = normalize_axis_tuple(axis, x.type.rank)
        if any(x.type.shape[i] != 1 for i in gone):
            raise ShapeError(f"cannot squeeze axes {axis} of {x.type}: not of size 1")
    shape = [dim for i, dim in enumerate(x.type.shape) if i not in gone]
    return trace.wrap(trace.builder.reshape(x, shape))


@lowers(np.broadcast_to, view=True)
def _broadcast_to(trace: Trace, array: Any, shape: Any, subok: bool = False) -> Any:
    x = trace.node(array)
    return trace.wrap(trace.builder.broadcast(x, x.type.with_shape(_ints(shape))))


@lowers(np.broadcast_arrays)
def _broadcast_arrays(trace: Trace, *arrays: Any, subok: bool = False) -> Any:
    nodes = [trace.node(trace.array(array)) for array in arrays]
    return tuple(trace.wrap(node) for node in broadcast_nodes(trace, *nodes))


@lowers(np.atleast_1d, view=True)
def _atleast_1d(trace: Trace, x: Any) -> Any:
    return x if x.ndim >= 1 else np.reshape(x, (1,))


@lowers(np.atleast_2d, view=True)
def _atleast_2d(trace: Trace, x: Any) -> Any:
    return x if x.ndim >= 2 else np.reshape(x, (1, x.size))


def _common(trace: Trace, arrays: Any, dtype: Any = None) -> list[Node]:
    """The arrays as nodes of their common dtype."""
    values = [trace.array(array) for array in arrays]
    if not values:
        raise ShapeError("need at least one array")
    to = dtype_name(dtype) if dtype is not None else _promoted(values)
    return [trace.node(value, to) for value in values]


def _promoted(values: list[Any]) -> str:
    dtypes = [np.dtype(getattr(value, "dtype", type(value))) for value in values]
    return dtype_name(np.result_type(*dtypes))


@lowers(np.concatenate)
def _concatenate(
    trace: Trace, arrays: Any, /, axis: Any = 0, dtype: Any = None, **rest: Any
) -> Any:
    rest.pop("casting", None)
    reject(rest)
    b = trace.builder
    nodes = _common(trace, arrays, dtype)
    if axis is None:
        nodes = [b.reshape(node, (node.type.size,)) for node in nodes]
        axis = 0
    along = normalize_axis_index(axis, nodes[0].type.rank)
    if len(nodes) == 1:
        return trace.wrap(b.identity(nodes[0]))
    return trace.wrap(b.concatenate(*nodes, axis=along))


@lowers(np.stack)
def _stack(trace: Trace, arrays: Any, axis: int = 0, **rest: Any) -> Any:
    nodes = _common(trace, arrays, rest.pop("dtype", None))
    if any(node.type.shape != nodes[0].type.shape for node in nodes):
        shapes = sorted({str(node.type) for node in nodes})
        raise ShapeError(f"all input arrays must have one shape, not {shapes}")
    along = normalize_axis_index(axis, nodes[0].type.rank + 1)
    parts = [np.expand_dims(trace.wrap(node), along) for node in nodes]
    return np.concatenate(parts, axis=along)


@lowers(np.vstack)
def _vstack(trace: Trace, tup: Any, **rest: Any) -> Any:
    parts = [np.atleast_2d(trace.array(part)) for part in tup]
    return np.concatenate(parts, 0, **rest)


@lowers(np.hstack)
def _hstack(trace: Trace, tup: Any, **rest: Any) -> Any:
    parts = [np.atleast_1d(trace.array(part)) for part in tup]
    return np.concatenate(parts, 0 if np.ndim(parts[0]) == 1 else 1, **rest)


@lowers(np.column_stack)
def _column_stack(trace: Trace, tup: Any) -> Any:
    parts = [trace.array(part) for part in tup]
    columns = [p if np.ndim(p) >= 2 else np.reshape(p, (-1, 1)) for p in parts]
    return np.concatenate(columns, 1)


def _splitting(function: Any) -> None:
    @lowers(function, view=True)
    def _split(trace: Trace, ary: Any, indices_or_sections: Any, axis: int = 0) -> Any:
        along = normalize_axis_index(axis, ary.ndim)
        parts = function(np.arange(ary.shape[along]), indices_or_sections)
        ends = np.cumsum([0, *(len(part) for part in parts)]).tolist()
        lead = (slice(None),) * along
        return [
            ary[(*lead, slice(start, end))]
            for start, end in zip(ends, ends[1:], strict=False)
        ]


_splitting(np.split)
_splitting(np.array_split)


@lowers(np.unstack)
def _unstack(trace: Trace, x: Any, /, *, axis: int = 0) -> Any:
    return tuple(np.moveaxis(x, axis, 0))


@lowers(np.flip, view=True)
def _flip(trace: Trace, m: Any, axis: Any = None) -> Any:
    x = trace.node(m)
    axes = range(x.type.rank) if axis is None else normalize_axis_tuple(axis, x.type.rank)
    return trace.wrap(flip(trace.builder, x, list(axes)))


@lowers(np.fliplr, view=True)
def _fliplr(trace: Trace, m: Any) -> Any:
    return np.flip(m, 1)


@lowers(np.flipud, view=True)
def _flipud(trace: Trace, m: Any) -> Any:
    return np.flip(m, 0)


@lowers(np.roll)
def _roll(trace: Trace, a: Any, shift: Any, axis: Any = None) -> Any:
    if axis is None:
        return np.reshape(np.roll(np.ravel(a), shift, 0), a.shape)
    shifts, axes = np.broadcast_arrays(shift, axis)
    for by, along in zip(np.ravel(shifts).tolist(), np.ravel(axes).tolist(), strict=True):
        length = a.shape[along]
        if length == 0:
            continue
        lead = (slice(None),) * normalize_axis_index(along, a.ndim)
        cut = -by % length
        parts = [a[(*lead, slice(cut, None))], a[(*lead, slice(None, cut))]]
        a = np.concatenate(parts, axis=along)
    return a


@lowers(np.tile)
def _tile(trace: Trace, A: Any, reps: Any) -> Any:
    counts = _ints(reps)
    rank = max(A.ndim, len(counts))
    counts = (1,) * (rank - len(counts)) + counts
    shape = (1,) * (rank - A.ndim) + A.shape
    doubled = [size for dim in shape for size in (1, dim)]
    wanted = [size for pair in zip(counts, shape, strict=True) for size in pair]
    spread = np.broadcast_to(np.reshape(A, doubled), wanted)
    merged = [count * dim for count, dim in zip(counts, shape, strict=True)]
    return np.reshape(spread, merged)


@lowers(np.repeat)
def _repeat(trace: Trace, a: Any, repeats: Any, axis: Any = None) -> Any:
    if axis is None:
        return np.repeat(np.ravel(a), repeats, axis=0)
    along = normalize_axis_index(axis, a.ndim)
    if np.ndim(repeats):
        where = np.repeat(np.arange(a.shape[along]), repeats)
        return np.take(a, where, axis=along)
    shape = list(a.shape)
    shape.insert(along + 1, operator.index(repeats))
    spread = np.broadcast_to(np.expand_dims(a, along + 1), shape)
    merged = list(a.shape)
    merged[along] *= operator.index(repeats)
    return np.reshape(spread, merged)


@lowers(np.pad)
def _pad(trace: Trace, array: Any, pad_width: Any, mode: Any = "constant", **rest: Any) -> Any:
    constant: Any = rest.pop("constant_values", 0)
    reject({name: value for name, value in rest.items() if value != "even"})
    if isinstance(pad_width, dict):
        widths = np.zeros((array.ndim, 2), int)
        for axis, width in pad_width.items():
            widths[axis] = width
    else:
        widths = np.broadcast_to(np.asarray(pad_width), (array.ndim, 2))
    if widths.dtype.kind not in "iu" or np.any(widths < 0):
        raise ShapeError("pad widths are non-negative integers")
    if mode == "constant":
        return _pad_constant(trace, array, widths.tolist(), constant)
    if mode not in ("edge", "reflect", "symmetric", "wrap"):
        raise UnsupportedError(f"np.pad with mode={mode!r} is not supported")
    for axis, width in enumerate(widths.tolist()):
        if any(width):
            ramp = np.pad(np.arange(array.shape[axis]), width, mode=mode)  # type: ignore[call-overload]
            array = np.take(array, ramp, axis=axis)
    return array


def _pad_constant(trace: Trace, array: Any, widths: Any, constant: Any) -> Any:
    x = trace.node(array)
    values = np.broadcast_to(np.asarray(constant), (len(widths), 2)).tolist()
    flat = {value for pair in values for value in pair} or {0}
    if len(flat) == 1:
        value = x.type.numpy.type(flat.pop()).item()
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


@lowers(np.where)
def _where(trace: Trace, condition: Any, x: Any = None, y: Any = None) -> Any:
    if x is None or y is None:
        raise DTypeError(
            "np.where with a condition alone has a result of unknown shape",
            hint="give the two values to choose from: np.where(c, x, y)",
        )
    dtype = resolve(np.add, x, y)[-1] if _not_bool(x, y) else "bool"
    b = trace.builder
    mask = trace.node(trace.array(condition), "bool")
    values = [trace.node(trace.array(value), dtype) for value in (x, y)]
    return trace.wrap(b.select(*broadcast_nodes(trace, mask, *values)))


def _not_bool(*values: Any) -> bool:
    return any(np.dtype(getattr(v, "dtype", type(v))) != bool for v in values)


@lowers(np.clip)
def _clip(trace: Trace, a: Any, a_min: Any = None, a_max: Any = None, **rest: Any) -> Any:
    low, high = rest.pop("min", a_min), rest.pop("max", a_max)
    reject(rest)
    low = None if low is np._NoValue else low
    high = None if high is np._NoValue else high
    result = a if low is None else np.maximum(a, low)
    result = result if high is None else np.minimum(result, high)
    return np.copy(a) if low is None and high is None else result


def _like(value: Any) -> Any:
    def lower(trace: Trace, a: Any, dtype: Any = None, **rest: Any) -> Any:
        return np.full_like(a, value, dtype=dtype, shape=rest.get("shape"))

    return lower


lowers(np.zeros_like, np.empty_like)(_like(0))
lowers(np.ones_like)(_like(1))


@lowers(np.full_like)
def _full_like(
    trace: Trace, a: Any, fill_value: Any, dtype: Any = None, **rest: Any
) -> Any:
    b = trace.builder
    type_ = trace.node(a).type
    if dtype is not None:
        type_ = type_.with_dtype(dtype_name(dtype))
    if rest.get("shape") is not None:
        type_ = type_.with_shape(_ints(rest["shape"]))
    if isinstance(fill_value, (bool, int, float)):
        kind = {"f": float, "b": bool}.get(type_.numpy.kind, int)
        return trace.wrap(b.full(type_, kind(fill_value)))
    return trace.wrap(b.broadcast(trace.node(fill_value, type_.dtype), type_))


@lowers(np.shape)
def _shape(trace: Trace, a: Any) -> Any:
    return trace.array(a).shape


@lowers(np.ndim)
def _ndim(trace: Trace, a: Any) -> Any:
    return trace.array(a).ndim


@lowers(np.size)
def _size(trace: Trace, a: Any, axis: Any = None) -> Any:
    return a.size if axis is None else a.shape[axis]


@lowers(np.result_type)
def _result_type(trace: Trace, *values: Any) -> Any:
    return np.result_type(*(getattr(value, "dtype", value) for value in values))


@lowers(np.nan_to_num)
def _nan_to_num(
    trace: Trace,
    x: Any,
    copy: bool = True,
    nan: Any = 0.0,
    posinf: Any = None,
    neginf: Any = None,
) -> Any:
    x = trace.array(x)
    if x.dtype.kind != "f":
        return np.copy(x)
    info = np.finfo(x.dtype)
    top = info.max if posinf is None else posinf
    bottom = info.min if neginf is None else neginf
    finite = np.where(np.isnan(x), x.dtype.type(nan), x)
    capped = np.where(np.equal(finite, np.inf), x.dtype.type(top), finite)
    return np.where(np.equal(capped, -np.inf), x.dtype.type(bottom), capped)


@lowers(np.sinc)
def _sinc(trace: Trace, x: Any) -> Any:
    """``sin(pi x) / (pi x)``, 1 at 0."""
    zero = np.equal(x, 0)
    angle = np.pi * np.where(zero, x.dtype.type(1), x)
    return np.where(zero, x.dtype.type(1), np.sin(angle) / angle)


@lowers(np.round, np.around)
def _round(trace: Trace, a: Any, decimals: int = 0) -> Any:
    """Scaled by a power of ten, rounded half to even, scaled back, as NumPy does."""
    a = trace.array(a)
    if a.dtype.kind in "iu":
        return np.copy(a) if decimals >= 0 else _round_integers(a, decimals)
    if decimals == 0:
        return np.rint(a)
    scale = a.dtype.type(10.0 ** abs(decimals))
    return np.rint(a * scale) / scale if decimals > 0 else np.rint(a / scale) * scale


def _round_integers(a: Any, decimals: int) -> Any:
    return np.round(a.astype(np.float64), decimals).astype(a.dtype)


lowers(np.fix)(lambda trace, x: np.trunc(x))
