"""The nan-functions: NaN is missing, and what is left out changes nothing.

A reduction has its neutral element in the place of a NaN, which no gradient passes.
Where all are missing the result is what NumPy gives: NaN, 0 for a sum, 1 for a product.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..tracing.lowerings import lowers
from ..tracing.trace import Trace
from .reductions import given, root
from .ufuncs import UNSET

__all__: list[str] = []


def _filled(trace: Trace, a: Any, value: float) -> Any:
    """``a`` with a value for each NaN; what has none as it is."""
    a = trace.array(a)
    if a.dtype.kind != "f":
        return a
    return np.where(np.isnan(a), a.dtype.type(value), a)


def _neutral(function: Any, value: float) -> Any:
    def lower(
        trace: Trace,
        a: Any,
        axis: Any = None,
        dtype: Any = None,
        keepdims: Any = UNSET,
        initial: Any = UNSET,
        where: Any = UNSET,
    ) -> Any:
        filled = _filled(trace, a, value)
        options: Any = {"keepdims": keepdims, "initial": initial, "where": where}
        return function(filled, axis=axis, dtype=dtype, **options)

    return lower


lowers(np.nansum)(_neutral(np.sum, 0))
lowers(np.nanprod)(_neutral(np.prod, 1))


def _running(function: Any, value: float) -> Any:
    def lower(trace: Trace, a: Any, axis: Any = None, dtype: Any = None) -> Any:
        return function(_filled(trace, a, value), axis=axis, dtype=dtype)

    return lower


lowers(np.nancumsum)(_running(np.cumsum, 0))
lowers(np.nancumprod)(_running(np.cumprod, 1))


def _extremum(function: Any, neutral: float) -> Any:
    def lower(
        trace: Trace,
        a: Any,
        axis: Any = None,
        keepdims: Any = UNSET,
        initial: Any = UNSET,
        where: Any = UNSET,
    ) -> Any:
        a = trace.array(a)
        options: Any = {"axis": axis, "keepdims": bool(given(keepdims))}
        chosen: Any = {"initial": initial, "where": where}
        made = function(_filled(trace, a, neutral), **options, **chosen)
        if a.dtype.kind != "f" or given(initial) is not None:
            return made
        return np.where(np.all(np.isnan(a), **options), a.dtype.type(np.nan), made)

    return lower


lowers(np.nanmax)(_extremum(np.max, -np.inf))
lowers(np.nanmin)(_extremum(np.min, np.inf))


def _position(function: Any, neutral: float) -> Any:
    def lower(trace: Trace, a: Any, axis: Any = None, *, keepdims: Any = UNSET) -> Any:
        a = trace.array(a)
        options: Any = {"axis": axis, "keepdims": bool(given(keepdims))}
        made = function(_filled(trace, a, neutral), **options)
        if a.dtype.kind != "f":
            return made
        b = trace.builder
        some = np.logical_not(np.all(np.isnan(a), **options))
        message = "All-NaN slice encountered"
        node = b.cast(trace.node(some), "i64")
        found = b.check(node, low=1, high=2, error="ValueError", message=message)
        return made * trace.wrap(found)

    return lower


lowers(np.nanargmax)(_position(np.argmax, -np.inf))
lowers(np.nanargmin)(_position(np.argmin, np.inf))


def _counted(a: Any, where: Any) -> tuple[Any, Any]:
    """Which entries count, and the floats that they are computed in."""
    there = np.logical_not(np.isnan(a))
    if given(where) is not None and where is not True:
        there = np.logical_and(there, where)
    return there, a if a.dtype.kind == "f" else a.astype(np.float64)


@lowers(np.nanmean)
def _nanmean(
    trace: Trace,
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    keepdims: Any = UNSET,
    *,
    where: Any = UNSET,
) -> Any:
    a = trace.array(a)
    there, a = _counted(a, where)
    a = a if dtype is None else a.astype(dtype)
    options: Any = {"axis": axis, "keepdims": bool(given(keepdims))}
    total = np.sum(np.where(there, a, a.dtype.type(0)), **options)
    return total / np.sum(there, **options).astype(total.dtype)


@lowers(np.nanvar)
def _nanvar(
    trace: Trace,
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    ddof: Any = 0,
    keepdims: Any = UNSET,
    *,
    where: Any = UNSET,
    mean: Any = UNSET,
    correction: Any = UNSET,
) -> Any:
    ddof = ddof if given(correction) is None else correction
    a = trace.array(a)
    if given(mean) is None:
        mean = np.nanmean(a, axis, dtype=dtype, keepdims=True, where=where)
    there, a = _counted(a, where)
    a = a if dtype is None else a.astype(dtype)
    options: Any = {"axis": axis, "keepdims": bool(given(keepdims))}
    apart = np.where(there, a - mean, a.dtype.type(0))
    total = np.sum(apart * apart, **options)
    free = np.sum(there, **options).astype(total.dtype) - total.dtype.type(ddof)
    return np.where(free > 0, total / free, total.dtype.type(np.nan))


@lowers(np.nanstd)
def _nanstd(trace: Trace, a: Any, *args: Any, **named: Any) -> Any:
    return root(trace, np.nanvar(a, *args, **named))
