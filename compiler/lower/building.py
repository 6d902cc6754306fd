"""Arrays that are built of others: grids, ranges, what is put in, left out, joined.

Where the places are known, NumPy itself says which entries go where: it is asked to do
the same to the numbers of the entries, and one gather does the rest.
"""

from __future__ import annotations

import operator
from typing import Any, cast

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from ...ir.errors import ShapeError, TraceError
from ..tracing.lowerings import lowers
from ..tracing.running import as_array, find_trace, is_traced
from ..tracing.trace import Trace
from .shapes import as_ints

__all__: list[str] = []


@lowers(np.linspace)
def _linspace(
    trace: Trace,
    start: Any,
    stop: Any,
    num: Any = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: Any = 0,
    device: Any = None,
) -> Any:
    num = operator.index(num)
    if num < 0:
        raise ValueError(f"Number of samples, {num}, must be non-negative.")
    start, stop = trace.array(start), trace.array(stop)
    to = np.result_type(_weak(start), _weak(stop), float(num))
    start, stop = as_array(start).astype(to), as_array(stop).astype(to)
    steps = num - 1 if endpoint else num
    apart = stop - start
    ramp = np.reshape(np.arange(num, dtype=to), (-1,) + (1,) * np.ndim(apart))
    step = apart / to.type(steps) if steps > 0 else apart * to.type(np.nan)
    made = start + ramp * (step if steps > 0 else apart)
    if endpoint and num > 1:
        last = np.broadcast_to(stop, np.shape(apart))[None]
        made = np.concatenate((made[:-1], last))
    made = np.moveaxis(made, 0, axis) if axis != 0 else made
    if dtype is not None:
        whole = np.dtype(dtype).kind in "iu"
        made = (np.floor(made) if whole else made).astype(dtype)
    return (made, step) if retstep else made


def _weak(x: Any) -> Any:
    """What has the place of a value in NumPy's promotion."""
    if is_traced(x):
        return x.dtype.type(0).item() if x.weak else x.dtype
    return x if type(x) in (bool, int, float) else np.asarray(x).dtype


@lowers(np.logspace)
def _logspace(
    trace: Trace,
    start: Any,
    stop: Any,
    num: Any = 50,
    endpoint: bool = True,
    base: Any = 10.0,
    dtype: Any = None,
    axis: Any = 0,
) -> Any:
    if np.ndim(base):
        rank = max(np.ndim(start), np.ndim(stop), np.ndim(base))
        start, stop, base = (
            np.reshape(v, (1,) * (rank - np.ndim(v)) + np.shape(v))
            for v in map(as_array, (start, stop, base))
        )
        base = np.expand_dims(base, axis)
    made = np.power(base, np.linspace(start, stop, num, endpoint, axis=axis))
    return made if dtype is None else made.astype(dtype)


@lowers(np.geomspace)
def _geomspace(
    trace: Trace,
    start: Any,
    stop: Any,
    num: Any = 50,
    endpoint: bool = True,
    dtype: Any = None,
    axis: Any = 0,
) -> Any:
    """Powers between two ends of one sign; the ends are exact."""
    num = operator.index(num)
    start, stop = trace.array(start), trace.array(stop)
    to = np.result_type(_weak(start), _weak(stop), float(num), np.zeros((), dtype))
    start, stop = as_array(start).astype(to), as_array(stop).astype(to)
    shape = np.broadcast_shapes(np.shape(start), np.shape(stop))
    first, last = (np.broadcast_to(end, shape)[None] for end in (start, stop))
    sign = np.sign(start)
    low, high = np.log10(start / sign), np.log10(stop / sign)
    made = sign * np.power(10.0, np.linspace(low, high, num, endpoint))
    if num > 0:
        made = np.concatenate((first, made[1:]))
    if num > 1 and endpoint:
        made = np.concatenate((made[:-1], last))
    made = np.moveaxis(made, 0, axis) if axis != 0 else made
    return made if dtype is None else made.astype(dtype)


@lowers(np.meshgrid)
def _meshgrid(
    trace: Trace,
    *xi: Any,
    copy: bool = True,
    sparse: bool = False,
    indexing: str = "xy",
) -> Any:
    if indexing not in ("xy", "ij"):
        raise ValueError("Valid values for `indexing` are 'xy' and 'ij'.")
    rank = len(xi)
    places = list(range(rank))
    if indexing == "xy" and rank > 1:
        places[:2] = 1, 0
    made = [
        np.reshape(trace.array(x), [-1 if k == place else 1 for k in range(rank)])
        for x, place in zip(xi, places, strict=True)
    ]
    return tuple(made if sparse else np.broadcast_arrays(*made))


@lowers(np.ix_)
def _ix(trace: Trace, *args: Any) -> Any:
    made: list[Any] = []
    for place, arg in enumerate(args):
        row = as_array(trace.array(arg))
        if row.ndim != 1:
            raise ValueError("Cross index must be 1 dimensional")
        if row.dtype == bool:
            row = np.nonzero(row)[0]
        made.append(
            np.reshape(row, [-1 if k == place else 1 for k in range(len(args))])
        )
    return tuple(made)


def _static(what: str, value: Any) -> Any:
    """Places that are known; `TraceError` where they are traced."""
    if find_trace(value) is not None:
        raise TraceError(
            f"{what} at traced places has a shape, or an order, that only they tell",
            hint="places that do not depend on an argument work; so does np.where",
        )
    return value


def _flat_or(trace: Trace, arr: Any, axis: Any) -> tuple[Any, int]:
    arr = as_array(trace.array(arr))
    if axis is None:
        return np.reshape(arr, -1), 0
    return arr, normalize_axis_index(axis, arr.ndim)


@lowers(np.insert)
def _insert(trace: Trace, arr: Any, obj: Any, values: Any, axis: Any = None) -> Any:
    arr, along = _flat_or(trace, arr, axis)
    _static("np.insert", obj)
    length = arr.shape[along]
    values = as_array(trace.array(values))
    values = np.reshape(values, (1,) * (arr.ndim - values.ndim) + np.shape(values))
    if isinstance(obj, slice):
        places = np.arange(*cast("slice[Any, Any, Any]", obj).indices(length))
    else:
        places = np.asarray(obj)
        if places.dtype == bool:
            places = np.flatnonzero(places)
    if places.size == 1:
        if places.ndim == 0:
            values = np.moveaxis(values, 0, along)
        count = values.shape[along]
        obj = int(places.reshape(()) if places.ndim == 0 else places[0])
    else:
        count, obj = places.size, places
    order = np.insert(np.arange(length), obj, np.arange(length, length + count))
    shape = (*arr.shape[:along], count, *arr.shape[along + 1 :])
    added = np.broadcast_to(values, shape).astype(arr.dtype)
    return np.take(np.concatenate((arr, added), along), order, along)


@lowers(np.delete)
def _delete(trace: Trace, arr: Any, obj: Any, axis: Any = None) -> Any:
    arr, along = _flat_or(trace, arr, axis)
    _static("np.delete", obj)
    return np.take(arr, np.delete(np.arange(arr.shape[along]), obj), along)


@lowers(np.resize)
def _resize(trace: Trace, a: Any, new_shape: Any) -> Any:
    flat = np.reshape(trace.array(a), -1)
    shape = as_ints(new_shape)
    size = int(np.prod(shape, dtype=np.int64))
    if min(shape, default=0) < 0:
        raise ValueError("all elements of `new_shape` must be non-negative")
    if flat.shape[0] == 0:
        return np.zeros_like(flat, shape=shape)
    return np.reshape(np.take(flat, np.arange(size) % flat.shape[0]), shape)


@lowers(np.block)
def _block(trace: Trace, arrays: Any) -> Any:
    """Innermost lists are joined along the last axis, those around along others."""
    depth = _depth(arrays)
    leaves = list(_leaves(arrays))
    rank = max([depth, *(np.ndim(leaf) for leaf in leaves)])
    return _joined(trace, arrays, rank, depth)


def _depth(value: Any) -> int:
    if not isinstance(value, list):
        return 0
    depths = {_depth(item) for item in cast("list[Any]", value)}
    if len(depths) != 1:
        raise ShapeError("block: lists of one depth, with something in each")
    return 1 + depths.pop()


def _leaves(value: Any) -> Any:
    if isinstance(value, list):
        for item in cast("list[Any]", value):
            yield from _leaves(item)
    else:
        yield value


def _joined(trace: Trace, value: Any, rank: int, depth: int) -> Any:
    if not isinstance(value, list):
        part = trace.array(value)
        return np.reshape(part, (1,) * (rank - np.ndim(part)) + np.shape(part))
    parts = [_joined(trace, item, rank, depth - 1) for item in cast("list[Any]", value)]
    return np.concatenate(parts, axis=-depth)


@lowers(np.diagflat)
def _diagflat(trace: Trace, v: Any, k: int = 0) -> Any:
    return np.diag(np.reshape(trace.array(v), -1), k)


@lowers(np.vander)
def _vander(trace: Trace, x: Any, N: Any = None, increasing: bool = False) -> Any:
    x = as_array(trace.array(x))
    if x.ndim != 1:
        raise ValueError("x must be a one-dimensional array or sequence.")
    count = x.shape[0] if N is None else operator.index(N)
    to = np.promote_types(x.dtype, int)
    columns = [np.ones_like(x, dtype=to)]
    while len(columns) < count:
        columns.append(columns[-1] * x)
    if count == 0:
        return np.zeros_like(x, dtype=to, shape=(x.shape[0], 0))
    return np.stack(columns if increasing else columns[::-1], axis=-1)


@lowers(np.tril_indices_from)
def _tril_from(trace: Trace, arr: Any, k: int = 0) -> Any:
    return np.tril_indices(arr.shape[-2], k=k, m=arr.shape[-1])


@lowers(np.triu_indices_from)
def _triu_from(trace: Trace, arr: Any, k: int = 0) -> Any:
    return np.triu_indices(arr.shape[-2], k=k, m=arr.shape[-1])


@lowers(np.diag_indices_from)
def _diag_from(trace: Trace, arr: Any) -> Any:
    return np.diag_indices_from(np.broadcast_to(np.False_, arr.shape))


@lowers(np.dsplit)
def _dsplit(trace: Trace, ary: Any, indices_or_sections: Any) -> Any:
    if np.ndim(ary) < 3:
        raise ValueError("dsplit only works on arrays of 3 or more dimensions")
    return np.split(ary, indices_or_sections, 2)


@lowers(np.lib.stride_tricks.sliding_window_view)
def _sliding(
    trace: Trace,
    x: Any,
    window_shape: Any,
    axis: Any = None,
    *,
    subok: bool = False,
    writeable: bool = False,
) -> Any:
    """Not a view: what is written to ``x`` later is not seen."""
    if writeable:
        raise TraceError("windows that are written into are not supported")
    x = as_array(trace.array(x))
    sizes = as_ints(window_shape)
    axes = (
        tuple(range(x.ndim))
        if axis is None
        else normalize_axis_tuple(axis, x.ndim, allow_duplicate=True)
    )
    if len(axes) != len(sizes):
        raise ValueError("window_shape and axis need an entry for each other")
    if min(sizes, default=0) < 0:
        raise ValueError("`window_shape` cannot contain negative values")
    for along, size in zip(axes, sizes, strict=True):
        count = x.shape[along] - size + 1
        if count < 1:
            raise ValueError("window shape cannot be larger than input array shape")
        places = np.arange(count)[:, None] + np.arange(size)
        x = np.moveaxis(np.take(x, places, along), along + 1, -1)
    return x
