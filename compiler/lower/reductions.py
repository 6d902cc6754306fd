"""Reductions over axes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from ...ir.errors import DomainError, DTypeError, ShapeError
from ...ir.graph import Node
from ...ir.types import dtype_name
from ..tracing.lowerings import lowers
from ..tracing.trace import Trace
from .complex import square_of_size
from .integers import fitted
from .ufuncs import UNSET, reject


def axes_of(rank: int, axis: Any) -> tuple[int, ...]:
    """An ``axis`` argument as sorted non-negative axes; None is all of them."""
    if axis is None:
        return tuple(range(rank))
    if isinstance(axis, (bool, list)):
        raise DTypeError(f"an axis is an integer or a tuple of integers, not {axis!r}")
    if rank == 0 and axis in (0, -1):
        return ()
    return tuple(sorted(normalize_axis_tuple(axis, rank)))


def given(value: Any) -> Any:
    """The value of an argument, None where it was left out."""
    return None if value is UNSET else value


def reduce(trace: Trace, op: str, x: Node, axis: Any, keepdims: Any = False) -> Node:
    """``x`` reduced by ``op`` over ``axis``; kept axes have size 1."""
    b = trace.builder
    axes = axes_of(x.type.rank, axis)
    return b.reshape(b.add_node(op, x, axes=axes), _left(x, axes, keepdims))


def _left(x: Node, axes: tuple[int, ...], keepdims: Any) -> tuple[Any, ...]:
    """The shape that a reduction of ``x`` has."""
    if given(keepdims):
        return tuple(1 if i in axes else d for i, d in enumerate(x.type.shape))
    return tuple(d for i, d in enumerate(x.type.shape) if i not in axes)


def along_first(lower: Any) -> Any:
    """The method of a ufunc: like the function, but along axis 0 by default."""

    def method(trace: Trace, a: Any, axis: Any = 0, *rest: Any, **named: Any) -> Any:
        return lower(trace, a, axis, *rest, **named)

    return method


def _masked(trace: Trace, x: Node, where: Any, neutral: Node | int) -> Node:
    """``x`` with ``neutral`` where the mask of a reduction is false."""
    if where is True or where is UNSET:
        return x
    b = trace.builder
    mask = trace.node(trace.array(where), "bool")
    start = b.const(neutral, x.type.dtype) if isinstance(neutral, int) else neutral
    return b.select(b.broadcast(mask, x.type), x, b.broadcast(start, x.type))


def wide(dtype: np.dtype[Any]) -> str:
    """The dtype that sums and products of integers accumulate in, as in NumPy."""
    return dtype_name(np.add.reduce(np.ones(1, dtype)).dtype)


_OF_BOOLS = {"reduce_sum": "reduce_any", "reduce_prod": "reduce_all"}


def _sum_like(op: str, combine: Any, neutral: int) -> Any:
    def lower(
        trace: Trace,
        a: Any,
        axis: Any = None,
        dtype: Any = None,
        keepdims: Any = False,
        initial: Any = UNSET,
        where: Any = True,
    ) -> Any:
        a = trace.array(a)
        to = dtype_name(dtype) if dtype is not None else wide(a.dtype)
        x = trace.node(a, to)
        x = _masked(trace, x, where, neutral)
        name = _OF_BOOLS[op] if to == "bool" else op
        result = trace.wrap(reduce(trace, name, x, axis, keepdims))
        if given(initial) is None:
            return result
        return combine(result, trace.wrap(fitted(trace, initial, to)))

    return lower


_sum = _sum_like("reduce_sum", np.add, 0)
_prod = _sum_like("reduce_prod", np.multiply, 1)
lowers(np.sum)(_sum)
lowers(np.prod)(_prod)
lowers((np.add, "reduce"))(along_first(_sum))
lowers((np.multiply, "reduce"))(along_first(_prod))


def _extremum(op: str, combine: Any) -> Any:
    def lower(
        trace: Trace,
        a: Any,
        axis: Any = None,
        keepdims: Any = False,
        initial: Any = UNSET,
        where: Any = True,
        **rest: Any,
    ) -> Any:
        reject(rest)
        b = trace.builder
        x = trace.node(trace.array(a))
        if given(initial) is None:
            if where is not True and where is not UNSET:
                raise DomainError("the extremum of a mask of values needs initial=")
            return trace.wrap(reduce(trace, op, x, axis, keepdims))
        start = fitted(trace, initial, x.type.dtype)
        x = _masked(trace, x, where, start)
        axes = axes_of(x.type.rank, axis)
        if any(x.type.shape[i] == 0 for i in axes):
            left = x.type.with_shape(_left(x, axes, keepdims))
            return trace.wrap(b.broadcast(start, left))
        reduced = reduce(trace, op, x, axis, keepdims)
        return combine(trace.wrap(reduced), trace.wrap(start))

    return lower


_max = _extremum("reduce_max", np.maximum)
_min = _extremum("reduce_min", np.minimum)
lowers(np.max, np.amax)(_max)
lowers(np.min, np.amin)(_min)
lowers((np.maximum, "reduce"))(along_first(_max))
lowers((np.minimum, "reduce"))(along_first(_min))


def _logic(op: str) -> Any:
    def lower(
        trace: Trace, a: Any, axis: Any = None, keepdims: Any = False, **rest: Any
    ) -> Any:
        reject(rest)
        x = trace.node(trace.array(a), "bool")
        return trace.wrap(reduce(trace, op, x, axis, keepdims))

    return lower


lowers(np.any)(_logic("reduce_any"))
lowers(np.all)(_logic("reduce_all"))
lowers((np.logical_or, "reduce"))(along_first(_logic("reduce_any")))
lowers((np.logical_and, "reduce"))(along_first(_logic("reduce_all")))


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
    to = dtype or (a.dtype if a.dtype.kind in "fc" else np.dtype(np.float64))
    x = trace.node(a, dtype_name(to))
    if where is not True and where is not UNSET:
        total = np.sum(a, axis=axis, dtype=to, keepdims=keepdims, where=where)
        mask = np.broadcast_to(trace.wrap(trace.node(where, "bool")), a.shape)
        return total / np.sum(mask, axis=axis, dtype=to, keepdims=keepdims)
    total = reduce(trace, "reduce_sum", x, axis, keepdims)
    count = math.prod(a.shape[i] for i in axes_of(a.ndim, axis))
    b = trace.builder
    return trace.wrap(b.div(total, b.like(total, float(count))))


@lowers(np.average)
def _average(
    trace: Trace,
    a: Any,
    axis: Any = None,
    weights: Any = None,
    returned: bool = False,
    *,
    keepdims: Any = UNSET,
) -> Any:
    keepdims = bool(given(keepdims))
    if weights is None:
        made = np.mean(a, axis=axis, keepdims=keepdims)
        count = np.size(a) // max(np.size(made), 1)
        return (made, np.full_like(made, count)) if returned else made
    a, weights = trace.array(a), trace.array(weights)
    axes = axes_of(a.ndim, axis)
    if np.shape(weights) != a.shape:
        if axis is None or np.shape(weights) != tuple(a.shape[i] for i in axes):
            raise ShapeError(
                f"average: weights of {np.shape(weights)} do not fit {a.shape} "
                f"along axis {axis}"
            )
        weights = np.reshape(
            weights, [dim if i in axes else 1 for i, dim in enumerate(a.shape)]
        )
    to = np.result_type(a.dtype, weights.dtype, "f8" if a.dtype.kind in "iub" else "f4")
    weights = np.broadcast_to(weights, a.shape)
    scale = np.sum(weights, axis=axis, dtype=to, keepdims=keepdims)
    total = np.sum(np.multiply(a, weights, dtype=to), axis=axis, keepdims=keepdims)
    return (total / scale, scale) if returned else total / scale


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
    mean = given(rest.pop("mean", None))
    correction = given(rest.pop("correction", None))
    where = given(rest.pop("where", True))
    where = True if where is None else where
    reject(rest)
    a = trace.array(a)
    if dtype is None and a.dtype.kind not in "fc":
        dtype = np.float64
    if mean is None:
        mean = np.mean(a, axis=axis, dtype=dtype, keepdims=True, where=where)
    deviation = np.subtract(a, mean)
    keep = bool(given(keepdims))
    sizes = squares(trace, deviation)
    to = dtype if sizes.dtype == deviation.dtype else None
    total = np.sum(sizes, axis=axis, dtype=to, keepdims=keep, where=where)
    ddof = correction if correction is not None else ddof
    if where is True:
        count = math.prod(a.shape[i] for i in axes_of(a.ndim, axis))
        return total / total.dtype.type(max(count - ddof, 0))
    mask = np.broadcast_to(trace.wrap(trace.node(where, "bool")), a.shape)
    count = np.sum(mask, axis=axis, keepdims=keep)
    return total / np.maximum(count - ddof, 0).astype(total.dtype)


def squares(trace: Trace, x: Any) -> Any:
    """``|x|^2``, a float of complex numbers too."""
    if x.dtype.kind != "c":
        return x * x
    return trace.wrap(square_of_size(trace.builder, trace.node(x)))


def root(trace: Trace, x: Any) -> Any:
    """The square root of a sum of squares, whose derivative at 0 is taken as 0.

    The root has an infinite slope at 0, and sums of squares a zero gradient there:
    their product would be NaN.
    """
    return trace.wrap(trace.builder.root(trace.node(x)))


@lowers(np.std)
def _std(trace: Trace, a: Any, *args: Any, **kwargs: Any) -> Any:
    return root(trace, np.var(a, *args, **kwargs))


@lowers(np.ptp)
def _ptp(trace: Trace, a: Any, axis: Any = None, keepdims: Any = False) -> Any:
    keep = bool(given(keepdims))
    return np.max(a, axis, keepdims=keep) - np.min(a, axis, keepdims=keep)


@lowers(np.count_nonzero)
def _count(trace: Trace, a: Any, axis: Any = None, *, keepdims: Any = False) -> Any:
    return np.sum(np.not_equal(a, 0), axis=axis, keepdims=keepdims)
