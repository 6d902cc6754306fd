"""Functions that join arrays, split them, repeat them and pad them."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ...ir.errors import ShapeError
from ...ir.graph import Node
from ...ir.types import dtype_name
from ..tracing.lowerings import lowers
from ..tracing.running import is_traced
from ..tracing.stacked import stacked_value
from ..tracing.trace import Trace
from .selected.selected import FUNCTIONS, Selected
from .shapes import as_ints
from .ufuncs import reject


def _common(trace: Trace, arrays: Any, dtype: Any = None) -> list[Node]:
    """The arrays as nodes of their common dtype."""
    values = [trace.array(array) for array in arrays]
    to = dtype_name(dtype) if dtype is not None else _promoted(values)
    return [trace.node(value, to) for value in values]


def _promoted(values: list[Any]) -> str:
    dtypes = [np.dtype(getattr(value, "dtype", type(value))) for value in values]
    return dtype_name(np.result_type(*dtypes))


@lowers(np.concatenate)
def _concatenate(
    trace: Trace, arrays: Any, /, axis: Any = 0, dtype: Any = None, **rest: Any
) -> Any:
    if any(isinstance(part, Selected) for part in arrays):
        return FUNCTIONS[np.concatenate](arrays, axis, dtype, **rest)
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
    if not rest and axis == 0 and (whole := stacked_value(arrays)) is not None:
        return trace.wrap(trace.node(whole))
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


@lowers(np.dstack)
def _dstack(trace: Trace, tup: Any) -> Any:
    return np.concatenate([np.atleast_3d(trace.array(part)) for part in tup], 2)


@lowers(np.append)
def _append(trace: Trace, arr: Any, values: Any, axis: Any = None) -> Any:
    return np.concatenate([trace.array(arr), trace.array(values)], axis)


def _splitting(function: Any) -> None:
    @lowers(function)
    def _split(trace: Trace, ary: Any, indices_or_sections: Any, axis: int = 0) -> Any:
        along = normalize_axis_index(axis, ary.ndim)
        where = indices_or_sections
        if is_traced(where):  # a number is asked for, an array refused
            where = np.asarray(where) if where.ndim else operator.index(where)
        parts = function(np.arange(ary.shape[along]), where)
        lead = (slice(None),) * along
        return [ary[(*lead, _span(part))] for part in parts]


def _span(part: Any) -> slice:
    """The slice that takes consecutive positions."""
    return slice(part[0], part[-1] + 1) if len(part) else slice(0)


_splitting(np.split)
_splitting(np.array_split)


@lowers(np.vsplit)
def _vsplit(trace: Trace, ary: Any, indices_or_sections: Any) -> Any:
    if ary.ndim < 2:
        raise ShapeError("vsplit: an array of two or more dimensions is needed")
    return np.split(ary, indices_or_sections, 0)


@lowers(np.hsplit)
def _hsplit(trace: Trace, ary: Any, indices_or_sections: Any) -> Any:
    return np.split(ary, indices_or_sections, 0 if ary.ndim == 1 else 1)


@lowers(np.unstack)
def _unstack(trace: Trace, x: Any, /, *, axis: int = 0) -> Any:
    return tuple(np.moveaxis(x, axis, 0))


@lowers(np.tile)
def _tile(trace: Trace, A: Any, reps: Any) -> Any:
    counts = as_ints(reps)
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
    a = np.atleast_1d(a)
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
