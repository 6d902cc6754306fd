"""Reductions and products of arrays whose sizes are known only when running."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np

from ....ir.errors import ShapeError
from ...tracing.ragged import Axis, Ragged
from ...tracing.running import is_traced
from ...tracing.trace import Trace
from ..reductions import axes_of as axes_named
from ..reductions import given, root
from ..ufuncs import UNSET
from .elements import (
    axes_of,
    common,
    computed,
    copied,
    each,
    elements,
    is_ragged,
    refuse,
)
from .nests import Places, Reduction, finished, reduced
from .views import part_of, transposed

__all__ = ["RULES"]


def _with_kept(
    trace: Trace, x: Ragged, over: Sequence[int], keepdims: Any, made: Any
) -> Any:
    """What a reduction leaves, with axes of size 1 for those that are gone."""
    if not given(keepdims):
        return made
    index = tuple(None if axis in over else slice(None) for axis in range(x.ndim))
    return made[index] if len(over) < x.ndim else np.reshape(made, (1,) * x.ndim)


def _reduction(combine: Any, start: Any, at_least: Any) -> Callable[..., Any]:
    """A reduction by a function with a neutral element; no dtype is below another."""

    def rule(trace: Trace, x: Ragged, axis: Any = None, keepdims: Any = UNSET) -> Any:
        over = axes_named(x.ndim, axis)
        dtype = at_least(x.dtype)
        how = Reduction(
            x.axes,
            frozenset(over),
            range(x.ndim),
            combine,
            lambda places: dtype.type(start),
            dtype,
        )
        box = reduced(trace, how, elements(trace, x))
        left = [x.axes[i] for i in range(x.ndim) if i not in over]
        return _with_kept(trace, x, over, keepdims, finished(trace, left, box))

    return rule


def _wide(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """What sums and products of integers are accumulated in."""
    return np.add.reduce(np.ones(1, dtype)).dtype


def _bool(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.dtype(bool)


_sum = _reduction(np.add, 0, _wide)
_prod = _reduction(np.multiply, 1, _wide)
_any = _reduction(np.logical_or, False, _bool)
_all = _reduction(np.logical_and, True, _bool)


def _extreme(combine: Any) -> Callable[..., Any]:
    """The largest or smallest element, of which there has to be one."""

    def rule(trace: Trace, x: Ragged, axis: Any = None, keepdims: Any = UNSET) -> Any:
        over = axes_named(x.ndim, axis)
        axes = [
            _not_empty(trace, one) if i in over else one for i, one in enumerate(x.axes)
        ]
        kept = [i for i in range(x.ndim) if i not in over]
        element = elements(trace, x)

        def first(places: Places) -> Any:
            return element([places.get(i, 0) for i in range(x.ndim)])

        how = Reduction(axes, frozenset(over), [*kept, *over], combine, first, x.dtype)
        made = finished(trace, [axes[i] for i in kept], reduced(trace, how, element))
        return _with_kept(trace, x, over, keepdims, made)

    return rule


def _not_empty(trace: Trace, axis: Axis) -> Axis:
    message = "a slice without elements has no largest and no smallest one"
    if axis.is_known:
        if axis.length == 0:
            raise ShapeError(message)
        return axis
    node = trace.node(axis.length, "i64")
    high = max(axis.most, 1) + 1
    node = trace.builder.check(node, low=1, high=high, error="value", message=message)
    return axis._replace(length=trace.wrap(node, weak=True))


def _mean(trace: Trace, x: Ragged, axis: Any = None, keepdims: Any = UNSET) -> Any:
    total = _sum(trace, x, axis, keepdims)
    lengths = [x.axes[i].length for i in axes_named(x.ndim, axis)]
    return total / reduce(lambda one, other: one * other, lengths, 1)


def _var(
    trace: Trace, x: Ragged, axis: Any = None, ddof: Any = 0, keepdims: Any = UNSET
) -> Any:
    away = x - _mean(trace, x, axis, True)
    total = np.sum(away * away, axis=axis, keepdims=bool(given(keepdims)))
    lengths = [x.axes[i].length for i in axes_named(x.ndim, axis)]
    count = reduce(lambda one, other: one * other, lengths, 1)
    return total / (count if ddof == 0 else np.maximum(count - ddof, 0))


def _std(trace: Trace, x: Ragged, *args: Any, **rest: Any) -> Any:
    return _rooted(trace, _var(trace, x, *args, **rest))


def _norm(trace: Trace, x: Ragged, *, axis: Any = None, keepdims: Any = False) -> Any:
    return _rooted(trace, np.sum(x * x, axis=axis, keepdims=keepdims))


def _rooted(trace: Trace, x: Any) -> Any:
    """The square roots of sums of squares, as `root` makes them."""

    def one(value: Any) -> Any:
        return root(value.owner.innermost, value) if is_traced(value) else value**0.5

    return each(trace, one, (x,)) if is_ragged(x) else root(trace, x)


# Products.


def _matmul(trace: Trace, x: Any, y: Any) -> Any:
    """``x @ y`` of vectors and matrices."""
    ours, theirs = axes_of(x), axes_of(y)
    if not (1 <= len(ours) <= 2 and 1 <= len(theirs) <= 2):
        refuse((x, y))
    rows, columns = ours[:-1], theirs[1:]
    if ours[-1].is_known and theirs[0].is_known and ours[-1] != theirs[0]:
        raise ShapeError(
            f"matmul: inner sizes differ, {ours[-1][0]} and {theirs[0][0]}"
        )
    inner = common(trace, [ours[-1], theirs[0]], (x, y))
    if rows or columns:
        x, y = computed(x), computed(y)
    axes = [*rows, inner, *columns]
    middle, end = len(rows), len(axes)
    left, right = elements(trace, x), elements(trace, y)

    def element(ks: Sequence[Any]) -> Any:
        return left(ks[: middle + 1]) * right(ks[middle:])

    dtype = np.multiply(np.ones(1, x.dtype), np.ones(1, y.dtype)).dtype
    how = Reduction(
        axes,
        frozenset({middle}),
        _order(x, y, middle, end),
        np.add,
        lambda places: dtype.type(0),
        dtype,
    )
    return finished(trace, [*rows, *columns], reduced(trace, how, element))


def _order(x: Any, y: Any, middle: int, end: int) -> list[int]:
    """The order of the loops: the innermost goes along the memory of the matrix."""
    last = _runs_along(y) + middle if end > middle + 1 else _runs_along(x)
    return [*(axis for axis in range(end) if axis != last), last]


def _runs_along(x: Any) -> int:
    """The axis whose elements are beside each other."""
    found = x.view.runs_along if is_ragged(x) and x.view is not None else None
    return np.ndim(x) - 1 if found is None else found


def _outer(trace: Trace, x: Any, y: Any) -> Any:
    if np.ndim(x) != 1 or np.ndim(y) != 1:
        refuse((x, y))
    return np.multiply(x[:, None], y[None, :])


def _vector_product(trace: Trace, x: Any, y: Any) -> Any:
    if np.ndim(x) != 1 or np.ndim(y) != 1:
        refuse((x, y))
    return _matmul(trace, x, y)


def _dot(trace: Trace, x: Any, y: Any) -> Any:
    if not np.ndim(x) or not np.ndim(y):
        return np.multiply(x, y)
    return _matmul(trace, x, y)


# All else.


def _flip(trace: Trace, x: Ragged, axis: Any = None) -> Any:
    over = axes_named(x.ndim, axis)
    back, whole = slice(None, None, -1), slice(None)
    return part_of(trace, x, tuple(back if i in over else whole for i in range(x.ndim)))


def _where(trace: Trace, *args: Any) -> Any:
    if len(args) != 3:
        refuse(args)
    return each(trace, np.where, args)


def _size(trace: Trace, x: Ragged, axis: Any = None) -> Any:
    return x.size if axis is None else x.shape[axis]


def _astype(trace: Trace, x: Ragged, dtype: Any, copy: Any = True) -> Any:
    return each(trace, lambda one: one.astype(dtype), (x,), cheap=True)


def _clip(
    trace: Trace,
    x: Any,
    a_min: Any = None,
    a_max: Any = None,
    *,
    min: Any = None,
    max: Any = None,
) -> Any:
    low, high = a_min if min is None else min, a_max if max is None else max
    made = x if low is None else np.maximum(x, low)
    return made if high is None else np.minimum(made, high)


RULES: dict[Any, Callable[..., Any]] = {
    **dict.fromkeys((np.sum, (np.add, "reduce")), _sum),
    **dict.fromkeys((np.prod, (np.multiply, "reduce")), _prod),
    **dict.fromkeys((np.max, (np.maximum, "reduce")), _extreme(np.maximum)),
    **dict.fromkeys((np.min, (np.minimum, "reduce")), _extreme(np.minimum)),
    **dict.fromkeys((np.inner, np.vdot), _vector_product),
    np.matmul: _matmul,
    np.dot: _dot,
    np.outer: _outer,
    np.any: _any,
    np.all: _all,
    np.mean: _mean,
    np.var: _var,
    np.std: _std,
    np.linalg.norm: _norm,
    np.copy: copied,
    np.flip: _flip,
    np.transpose: transposed,
    np.where: _where,
    np.clip: _clip,
    np.astype: _astype,
    np.shape: lambda trace, x: x.shape,
    np.ndim: lambda trace, x: x.ndim,
    np.size: _size,
}
