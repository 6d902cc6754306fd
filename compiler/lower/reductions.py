"""Reductions, positions of extrema, running sums."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from ...ir.graph import Node
from ...ir.types import dtype_name
from ..trace import Trace, lowers
from .ufuncs import reject

_UNSET = np._NoValue


def axes_of(rank: int, axis: Any) -> tuple[int, ...]:
    """An ``axis`` argument as sorted non-negative axes; None is all of them."""
    if axis is None:
        return tuple(range(rank))
    return tuple(sorted(normalize_axis_tuple(axis, rank)))


def _given(value: Any) -> Any:
    return None if value is _UNSET else value


def reduce(
    trace: Trace, op: str, x: Node, axis: Any, keepdims: Any = False
) -> Node:
    """``x`` reduced by ``op`` over ``axis``; kept axes have size 1."""
    b = trace.builder
    axes = axes_of(x.type.rank, axis)
    reduced = b.add_node(op, x, axes=axes)
    if _given(keepdims):
        kept = [1 if i in axes else dim for i, dim in enumerate(x.type.shape)]
        return b.reshape(reduced, kept)
    return reduced


def _wide(dtype: np.dtype[Any]) -> str:
    """The dtype that sums and products of integers accumulate in, as in NumPy."""
    return dtype_name(np.add.reduce(np.ones(1, dtype)).dtype)


def _sum_like(op: str) -> Any:
    def lower(
        trace: Trace,
        a: Any,
        axis: Any = None,
        dtype: Any = None,
        keepdims: Any = False,
        initial: Any = _UNSET,
        where: Any = True,
    ) -> Any:
        a = trace.array(a)
        to = dtype_name(dtype) if dtype is not None else _wide(a.dtype)
        x = trace.node(a, to)
        if where is not True and where is not _UNSET:
            b = trace.builder
            neutral = b.like(x, 0 if op == "reduce_sum" else 1)
            mask = b.broadcast(trace.node(where, "bool"), x.type)
            x = b.select(mask, x, neutral)
        result = trace.wrap(reduce(trace, op, x, axis, keepdims))
        if _given(initial) is None:
            return result
        combine = np.add if op == "reduce_sum" else np.multiply
        return combine(result, result.dtype.type(initial))

    return lower


lowers(np.sum, (np.add, "reduce"))(_sum_like("reduce_sum"))
lowers(np.prod, (np.multiply, "reduce"))(_sum_like("reduce_prod"))


def _extremum(op: str, combine: Any) -> Any:
    def lower(
        trace: Trace, a: Any, axis: Any = None, keepdims: Any = False, **rest: Any
    ) -> Any:
        initial = _given(rest.pop("initial", None))
        reject(rest)
        x = trace.node(trace.array(a))
        if initial is None:
            return trace.wrap(reduce(trace, op, x, axis, keepdims))
        b = trace.builder
        axes = axes_of(x.type.rank, axis)
        if any(x.type.sizes[i] == 0 for i in axes):
            kept = [d for i, d in enumerate(x.type.sizes) if i not in axes]
            empty = b.full(x.type.with_shape(tuple(kept)), initial)
            return trace.wrap(empty)
        return combine(trace.wrap(reduce(trace, op, x, axis, keepdims)), initial)

    return lower


lowers(np.max, np.amax, (np.maximum, "reduce"))(_extremum("reduce_max", np.maximum))
lowers(np.min, np.amin, (np.minimum, "reduce"))(_extremum("reduce_min", np.minimum))


def _logic(op: str) -> Any:
    def lower(
        trace: Trace, a: Any, axis: Any = None, keepdims: Any = False, **rest: Any
    ) -> Any:
        reject(rest)
        x = trace.node(trace.array(a), "bool")
        return trace.wrap(reduce(trace, op, x, axis, keepdims))

    return lower


lowers(np.any, (np.logical_or, "reduce"))(_logic("reduce_any"))
lowers(np.all, (np.logical_and, "reduce"))(_logic("reduce_all"))


@lowers(np.mean)
def _mean(
    trace: Trace,
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    keepdims: Any = False,
    where: Any = True,
) -> Any:
    a = trace.array(a)
    to = dtype or (a.dtype if a.dtype.kind == "f" else np.dtype(np.float64))
    x = trace.node(a, dtype_name(to))
    if where is not True and where is not _UNSET:
        total = np.sum(a, axis=axis, dtype=to, keepdims=keepdims, where=where)
        mask = np.broadcast_to(trace.wrap(trace.node(where, "bool")), a.shape)
        return total / np.sum(mask, axis=axis, dtype=to, keepdims=keepdims)
    total = reduce(trace, "reduce_sum", x, axis, keepdims)
    count = math.prod(a.shape[i] for i in axes_of(a.ndim, axis))
    b = trace.builder
    return trace.wrap(b.div(total, b.like(total, float(count))))


@lowers(np.average)
def _average(
    trace: Trace, a: Any, axis: Any = None, weights: Any = None, **rest: Any
) -> Any:
    keepdims = _given(rest.pop("keepdims", None))
    reject({name: value or None for name, value in rest.items()})
    if weights is None:
        return np.mean(a, axis=axis, keepdims=bool(keepdims))
    total = np.sum(a * weights, axis=axis, keepdims=bool(keepdims))
    weights = np.broadcast_to(weights, np.shape(a))
    return total / np.sum(weights, axis=axis, keepdims=bool(keepdims))


@lowers(np.var)
def _var(
    trace: Trace,
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    ddof: Any = 0,
    keepdims: Any = False,
    **rest: Any,
) -> Any:
    mean = _given(rest.pop("mean", None))
    correction = _given(rest.pop("correction", None))
    reject(rest)
    a = trace.array(a)
    if mean is None:
        mean = np.mean(a, axis=axis, dtype=dtype, keepdims=True)
    deviation = np.subtract(a, mean)
    total = np.sum(deviation * deviation, axis=axis, keepdims=bool(_given(keepdims)))
    count = math.prod(a.shape[i] for i in axes_of(a.ndim, axis))
    ddof = correction if correction is not None else ddof
    return total / total.dtype.type(max(count - ddof, 0))


@lowers(np.std)
def _std(trace: Trace, a: Any, *args: Any, **kwargs: Any) -> Any:
    """The root of the variance, whose derivative at variance 0 is taken as 0.

    ``sqrt(v)`` has an infinite slope at 0 and the variance a zero gradient there:
    their product would be NaN for a constant array.
    """
    variance = np.var(a, *args, **kwargs)
    positive = np.greater(variance, 0)
    safe = np.sqrt(np.where(positive, variance, variance.dtype.type(1)))
    flat = np.sqrt(_stopped(trace, variance))
    return np.where(positive, safe, flat)


def _stopped(trace: Trace, x: Any) -> Any:
    return trace.wrap(trace.builder.stop_gradient(trace.node(x)))


def _position(op: str) -> Any:
    def lower(
        trace: Trace, a: Any, axis: Any = None, keepdims: Any = False
    ) -> Any:
        b = trace.builder
        x = trace.node(trace.array(a))
        if axis is None:
            found = b.add_node(op, b.reshape(x, (x.type.size,)), axis=0)
            kept: list[Any] = [1] * x.type.rank
        else:
            along = normalize_axis_index(axis, x.type.rank)
            found = b.add_node(op, x, axis=along)
            kept = [1 if i == along else d for i, d in enumerate(x.type.shape)]
        return trace.wrap(b.reshape(found, kept) if _given(keepdims) else found)

    return lower


lowers(np.argmax)(_position("argmax"))
lowers(np.argmin)(_position("argmin"))


def _flat_or_axis(x: Node, axis: Any) -> tuple[tuple[Any, ...], int]:
    if axis is None:
        return (x.type.size,), 0
    return x.type.shape, normalize_axis_index(axis, x.type.rank)


@lowers(np.cumsum, (np.add, "accumulate"))
def _cumsum(trace: Trace, a: Any, axis: Any = None, dtype: Any = None) -> Any:
    a = trace.array(a)
    to = dtype_name(dtype) if dtype is not None else _wide(a.dtype)
    x = trace.node(a, to)
    shape, along = _flat_or_axis(x, axis)
    b = trace.builder
    return trace.wrap(b.cumsum(b.reshape(x, shape), axis=along, reverse=False))


@lowers(np.cumprod, (np.multiply, "accumulate"))
def _cumprod(trace: Trace, a: Any, axis: Any = None, dtype: Any = None) -> Any:
    """``p[k] = x[k] p[k-1]`` from ``p[0] = x[0]``, as a recurrence."""
    a = trace.array(a)
    to = dtype_name(dtype) if dtype is not None else _wide(a.dtype)
    b = trace.builder
    shape, along = _flat_or_axis(x := trace.node(a, to), axis)
    x = b.reshape(x, shape)
    first = b.eq(*_ramp_and_zero(trace, x, along))
    seeds = b.select(first, x, b.like(x, 0))
    return trace.wrap(b.recurrence(x, seeds, axis=along, reverse=False))


def _ramp_and_zero(trace: Trace, x: Node, axis: int) -> tuple[Node, Node]:
    b = trace.builder
    ramp = b.iota(shape=x.type.shape, axis=axis, dtype="i64")
    return ramp, b.like(ramp, 0)


@lowers(np.diff)
def _diff(trace: Trace, a: Any, n: int = 1, axis: int = -1, **rest: Any) -> Any:
    reject(rest)
    for _ in range(n):
        along = normalize_axis_index(axis, np.ndim(a))
        lead = (slice(None),) * along
        op = np.not_equal if a.dtype == bool else np.subtract
        a = op(a[(*lead, slice(1, None))], a[(*lead, slice(None, -1))])
    return a


@lowers(np.ptp)
def _ptp(trace: Trace, a: Any, axis: Any = None, keepdims: Any = False) -> Any:
    keep = bool(_given(keepdims))
    return np.max(a, axis, keepdims=keep) - np.min(a, axis, keepdims=keep)


@lowers(np.count_nonzero)
def _count(trace: Trace, a: Any, axis: Any = None, *, keepdims: Any = False) -> Any:
    return np.sum(np.not_equal(a, 0), axis=axis, keepdims=keepdims)
