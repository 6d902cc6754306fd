"""Functions that rearrange one array: shapes, axes, orders."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from ...ir.errors import ShapeError, UnsupportedError
from ...ir.graph import Node
from ...ir.ops.elementwise import REALS
from ...ir.ops.shape import flip
from ...ir.types import dtype_name
from ..tracing.layout import is_contiguous, is_view
from ..tracing.lost_parts import complex_refused, warn_of_lost_parts
from ..tracing.lowerings import lowers
from ..tracing.running import is_traced
from ..tracing.trace import Trace
from .reductions import axes_of
from .ufuncs import broadcast_nodes


def as_ints(values: Any) -> tuple[int, ...]:
    """A number or a sequence of numbers as integers, as shapes and axes are given."""
    items = values if isinstance(values, (tuple, list, np.ndarray)) else (values,)
    return tuple(operator.index(item) for item in items)


@lowers(np.reshape, view=True)
def _reshape(
    trace: Trace,
    a: Any,
    /,
    shape: Any = None,
    order: str = "C",
    *,
    copy: bool | None = None,
) -> Any:
    if order == "F":
        return np.transpose(np.reshape(np.transpose(a), as_ints(shape)[::-1]))
    _check_order(a, order)
    x = trace.node(a)
    wanted = list(as_ints(shape))
    if wanted.count(-1) == 1:
        known = math.prod(dim for dim in wanted if dim != -1)
        fits = known != 0 and x.type.size % known == 0
        if fits:
            wanted[wanted.index(-1)] = x.type.size // known
    if any(dim < 0 for dim in wanted) or math.prod(wanted) != x.type.size:
        raise ShapeError(f"cannot reshape {x.type} to {tuple(as_ints(shape))}")
    made = trace.wrap(trace.builder.reshape(x, wanted))
    if copy or _is_copy(a, wanted):
        made.memory.ordered = True
    return made


def _check_order(a: Any, order: str) -> None:
    """Raise `UnsupportedError` for an order that a layout decides which is unknown."""
    known = np.ndim(a) < 2 or (is_traced(a) and is_contiguous(a.path, a.memory))
    if order != "C" and not known:
        raise UnsupportedError(
            f"order={order!r} follows the layout of the array, which is not known",
            hint="say order='C' or order='F'",
        )


def _is_copy(a: Any, shape: list[int]) -> bool:
    """Whether NumPy makes a copy for another shape, as the strides tell."""
    if not is_traced(a) or not a.memory.is_ordered:
        return False
    return not is_view(a.path, a.memory, shape)


@lowers(np.ravel, view=True)
def _ravel(trace: Trace, a: Any, order: str = "C") -> Any:
    reshape: Any = np.reshape  # its stubs want a literal for the order
    apart = is_traced(a) and is_contiguous(a.path, a.memory) is False
    return reshape(a, -1, order=order, copy=True if apart else None)


@lowers(np.copy)
def _copy(trace: Trace, a: Any, *args: Any, **kwargs: Any) -> Any:
    return trace.wrap(trace.builder.identity(trace.node(a)))


@lowers(np.astype)
def _astype(trace: Trace, x: Any, dtype: Any, /, **rest: Any) -> Any:
    b = trace.builder
    node = trace.node(x)
    to = dtype_name(dtype)
    if to == node.type.dtype and not rest.get("copy", True):
        return x
    if node.type.is_complex and to in REALS:
        if trace.is_nested:  # of the function that was called, not of its real parts
            raise complex_refused(node)
        warn_of_lost_parts(trace.builder.source)
    return trace.wrap(b.cast(node, to) if to != node.type.dtype else b.identity(node))


def _permuted(trace: Trace, x: Node, perm: Sequence[int]) -> Any:
    return trace.wrap(trace.builder.transpose(x, perm))


@lowers(np.transpose, np.permute_dims, view=True)
def _transpose(trace: Trace, a: Any, axes: Any = None) -> Any:
    x = trace.node(a)
    rank = x.type.rank
    if axes is None:
        perm = tuple(reversed(range(rank)))
    else:
        perm = normalize_axis_tuple(as_ints(axes), rank)
        if len(perm) != rank:
            raise ShapeError(f"axes {axes} do not permute the axes of {x.type}")
    return _permuted(trace, x, perm)


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
    return _permuted(trace, x, perm)


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
    return _permuted(trace, x, perm)


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
        gone = axes_of(x.type.rank, axis)
        if any(x.type.shape[i] != 1 for i in gone):
            raise ShapeError(f"cannot squeeze axes {axis} of {x.type}: not of size 1")
    shape = [dim for i, dim in enumerate(x.type.shape) if i not in gone]
    return trace.wrap(trace.builder.reshape(x, shape))


@lowers(np.broadcast_to, view=True)
def _broadcast_to(trace: Trace, array: Any, shape: Any, subok: bool = False) -> Any:
    x = trace.node(array)
    return trace.wrap(trace.builder.broadcast(x, x.type.with_shape(as_ints(shape))))


@lowers(np.broadcast_arrays)
def _broadcast_arrays(trace: Trace, *arrays: Any, subok: bool = False) -> Any:
    """What does not depend on an argument stays so: a mask can choose elements."""
    values = [trace.array(array) for array in arrays]
    first, *_ = broadcast_nodes(trace, *(trace.node(value) for value in values))
    return tuple(np.broadcast_to(value, first.type.shape) for value in values)


def _at_least(function: Any, rank: int) -> None:
    @lowers(function)
    def _widened(trace: Trace, *arys: Any) -> Any:
        if len(arys) != 1:
            return tuple(function(trace.array(ary)) for ary in arys)
        (x,) = arys
        if x.ndim >= rank:
            return x
        shape = function(np.empty(x.shape)).shape
        return np.reshape(x, shape)


for _function, _rank in ((np.atleast_1d, 1), (np.atleast_2d, 2), (np.atleast_3d, 3)):
    _at_least(_function, _rank)


@lowers(np.flip, view=True)
def _flip(trace: Trace, m: Any, axis: Any = None) -> Any:
    x = trace.node(m)
    axes = (
        range(x.type.rank) if axis is None else normalize_axis_tuple(axis, x.type.rank)
    )
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
    for by, along in zip(np.ravel(shifts), np.ravel(axes).tolist(), strict=True):
        along = normalize_axis_index(along, a.ndim)
        length = a.shape[along]
        if length == 0:
            continue
        if is_traced(by):
            places = (np.arange(length) - by.astype(np.int64)) % length
            a = np.take(a, places, axis=along)
            continue
        lead = (slice(None),) * along
        cut = -int(by) % length
        parts = [a[(*lead, slice(cut, None))], a[(*lead, slice(None, cut))]]
        a = np.concatenate(parts, axis=along)
    return a


@lowers(np.rot90)
def _rot90(trace: Trace, m: Any, k: int = 1, axes: Any = (0, 1)) -> Any:
    first, second = normalize_axis_tuple(axes, m.ndim)
    turns = k % 4
    if turns in (2, 3):
        m = np.flip(m, first)
    if turns in (1, 2):
        m = np.flip(m, second)
    return np.swapaxes(m, first, second) if turns % 2 else m[...]


@lowers(np.triu)
def _triu(trace: Trace, m: Any, k: int = 0) -> Any:
    return np.where(~np.tri(*m.shape[-2:], k=k - 1, dtype=bool), m, m.dtype.type(0))


@lowers(np.tril)
def _tril(trace: Trace, m: Any, k: int = 0) -> Any:
    return np.where(np.tri(*m.shape[-2:], k=k, dtype=bool), m, m.dtype.type(0))


@lowers(np.diag)
def _diag(trace: Trace, v: Any, k: int = 0) -> Any:
    """The diagonal of a matrix, or the matrix with ``v`` on its diagonal."""
    if v.ndim not in (1, 2):
        raise ShapeError(f"diag: a vector or a matrix, not {v.shape}")
    if v.ndim == 2:
        return np.diagonal(v, k)
    size = v.size + abs(k)
    row = np.pad(v, (max(k, 0), max(-k, 0)))
    return np.where(np.eye(size, k=k, dtype=bool), row, v.dtype.type(0))
