"""What goes along one axis: positions of extrema, running sums, differences."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ...ir.errors import DomainError, DTypeError, ShapeError
from ...ir.graph import Node
from ...ir.types import dtype_name
from ..tracing.lowerings import lowers
from ..tracing.trace import Trace
from .reductions import along_first, given, wide
from .ufuncs import UNSET


def _flat_or_axis(trace: Trace, x: Node, axis: Any) -> tuple[Node, int]:
    """``x`` and the axis to go along; ``x`` is flat where no axis is given."""
    if isinstance(axis, bool):
        raise DTypeError("an axis is an integer, not a bool")
    if axis is None or (x.type.rank == 0 and axis in (0, -1)):
        return trace.builder.reshape(x, (x.type.size,)), 0
    return x, normalize_axis_index(axis, x.type.rank)


def _position(op: str) -> Any:
    def lower(trace: Trace, a: Any, axis: Any = None, keepdims: Any = False) -> Any:
        b = trace.builder
        x = trace.node(trace.array(a))
        flat, along = _flat_or_axis(trace, x, axis)
        found = b.add_node(op, flat, axis=along)
        if not given(keepdims):
            return trace.wrap(found)
        whole = axis is None
        kept = [1 if whole or i == along else d for i, d in enumerate(x.type.shape)]
        return trace.wrap(b.reshape(found, kept))

    return lower


lowers(np.argmax)(_position("argmax"))
lowers(np.argmin)(_position("argmin"))


def _running(build: Any) -> Any:
    """``cumsum`` or ``cumprod``; of bools they are taken in integers."""

    def lower(trace: Trace, a: Any, axis: Any = None, dtype: Any = None) -> Any:
        a = trace.array(a)
        to = dtype_name(dtype) if dtype is not None else wide(a.dtype)
        if to == "bool":
            return np.not_equal(lower(trace, np.astype(a, bool), axis), 0)
        x, along = _flat_or_axis(trace, trace.node(a, to), axis)
        return trace.wrap(build(trace, x, along))

    return lower


def _accumulate(lower: Any) -> Any:
    """The method of a ufunc, which has to know its axis."""

    def method(trace: Trace, a: Any, axis: Any, *rest: Any, **named: Any) -> Any:
        if axis is None and np.ndim(a) > 1:
            raise ShapeError("accumulate: an array of several axes needs axis=")
        return lower(trace, a, axis, *rest, **named)

    return along_first(method)


def _sums(trace: Trace, x: Node, axis: int) -> Node:
    return trace.builder.cumsum(x, axis=axis, reverse=False)


def _products(trace: Trace, x: Node, axis: int) -> Node:
    """``p[k] = x[k] p[k-1]`` from ``p[0] = x[0]``, as a recurrence.

    A recurrence adds something in each step: -0.0, which changes no number.
    """
    b = trace.builder
    ramp = b.iota(shape=x.type.shape, axis=axis, dtype="i64")
    neutral = complex(-0.0, -0.0) if x.type.is_complex else -0.0
    nothing = b.like(x, neutral if x.type.has_gradient else 0)
    seeds = b.select(b.eq(ramp, b.like(ramp, 0)), x, nothing)
    return b.recurrence(x, seeds, axis=axis, reverse=False)


_cumsum, _cumprod = _running(_sums), _running(_products)
lowers(np.cumsum)(_cumsum)
lowers(np.cumprod)(_cumprod)
lowers((np.add, "accumulate"))(_accumulate(_cumsum))
lowers((np.multiply, "accumulate"))(_accumulate(_cumprod))


def _cumulative(function: Any, first: int) -> Any:
    """The array API's forms: one axis, and the neutral element in front if asked."""

    def lower(
        trace: Trace,
        x: Any,
        *,
        axis: Any = None,
        dtype: Any = None,
        include_initial: bool = False,
    ) -> Any:
        x = np.atleast_1d(trace.array(x))
        if axis is None and x.ndim > 1:
            raise ShapeError("an array of several axes needs axis=")
        along = normalize_axis_index(axis or 0, x.ndim)
        made = function(x, axis=along, dtype=dtype)
        if not include_initial:
            return made
        lead = [1 if k == along else n for k, n in enumerate(x.shape)]
        return np.concatenate((np.full(lead, first, made.dtype), made), axis=along)

    return lower


lowers(np.cumulative_sum)(_cumulative(np.cumsum, 0))
lowers(np.cumulative_prod)(_cumulative(np.cumprod, 1))


@lowers(np.diff)
def _diff(
    trace: Trace,
    a: Any,
    n: int = 1,
    axis: int = -1,
    prepend: Any = UNSET,
    append: Any = UNSET,
) -> Any:
    if n < 0:
        raise DomainError(f"diff: the order must not be negative, not {n}")
    a = trace.array(a)
    if n == 0:
        return np.copy(a)
    along = normalize_axis_index(axis, a.ndim)
    edge = tuple(1 if i == along else dim for i, dim in enumerate(a.shape))
    ends = [
        np.broadcast_to(part, edge) if np.ndim(part) == 0 else part
        for part in (prepend, append)
        if part is not UNSET
    ]
    if ends:
        before = ends[:1] if prepend is not UNSET else []
        a = np.concatenate([*before, a, *ends[len(before) :]], along)
    lead = (slice(None),) * along
    op = np.not_equal if a.dtype == bool else np.subtract
    for _ in range(n):
        a = op(a[(*lead, slice(1, None))], a[(*lead, slice(None, -1))])
    return a
