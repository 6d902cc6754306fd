"""Choosing among arrays, comparing them, and functions of rows of them."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ...ir.errors import DomainError
from ..tracing.lowerings import lowers
from ..tracing.running import as_array, find_trace
from ..tracing.trace import Trace
from ..tracing.tracer import GETITEM
from .searching import at_places, places_in
from .ufuncs import resolve

__all__: list[str] = []


@lowers(np.choose)
def _choose(trace: Trace, a: Any, choices: Any, mode: str = "raise") -> Any:
    a = trace.array(a)
    parts = np.broadcast_arrays(a, *map(as_array, map(trace.array, choices)))
    a, stacked = parts[0], np.stack(parts[1:])
    count = stacked.shape[0]
    if mode == "clip":
        a = np.clip(a, 0, count - 1)
    elif mode == "wrap":
        a = np.remainder(a, count)
    elif mode != "raise":
        raise DomainError(f"choose: mode={mode!r} is none of raise, clip, wrap")
    else:
        a = np.where(np.less(a, 0), count, a)  # which is as much outside
    return np.take_along_axis(stacked, a[None], 0)[0]


@lowers(np.compress)
def _compress(trace: Trace, condition: Any, a: Any, axis: Any = None) -> Any:
    a = trace.array(a)
    a, along = (np.reshape(a, -1), 0) if axis is None else (a, axis)
    along = normalize_axis_index(along, np.ndim(a))
    condition = trace.array(condition)
    if np.ndim(condition) != 1:
        raise ValueError("condition must be a 1-d array")
    if find_trace(condition) is None:
        return np.take(a, np.flatnonzero(condition), along)
    if along:
        a = np.moveaxis(a, along, 0)
    return trace.apply(GETITEM, (a, np.not_equal(condition, 0)), {})


@lowers(np.extract)
def _extract(trace: Trace, condition: Any, arr: Any) -> Any:
    flat = np.reshape(trace.array(condition), -1)
    return np.compress(flat, np.reshape(trace.array(arr), -1))


def _called(function: Any, *args: Any, **named: Any) -> Any:
    """A function of the user's, rewritten as others are."""
    from ..frontend.operators import call  # which imports this package

    return call(function, *args, **named)


@lowers(np.piecewise)
def _piecewise(
    trace: Trace, x: Any, condlist: Any, funclist: Any, *args: Any, **kw: Any
) -> Any:
    """Each function of all of x: what is chosen, and its gradient, is the same."""
    x = trace.array(x)
    many = isinstance(condlist, (list, tuple)) or np.ndim(condlist) > np.ndim(x)
    masks = [trace.array(mask) for mask in condlist] if many else [condlist]
    if len(funclist) not in (len(masks), len(masks) + 1):
        raise ValueError(
            f"with {len(masks)} condition(s), either {len(masks)} or {len(masks) + 1} "
            "functions are expected"
        )
    made: Any = np.zeros((), as_array(x).dtype)
    pairs = list(zip(masks, funclist, strict=False))
    if len(funclist) > len(masks):
        pairs.insert(0, (True, funclist[-1]))
    for mask, function in pairs:
        value = _called(function, x, *args, **kw) if callable(function) else function
        value = as_array(trace.array(value)).astype(as_array(x).dtype)
        made = np.where(mask, value, made)
    return np.broadcast_to(made, np.shape(x))


@lowers(np.apply_along_axis)
def _apply_along(
    trace: Trace, func1d: Any, axis: Any, arr: Any, *args: Any, **kwargs: Any
) -> Any:
    """The function of each row: traced once, and one loop over all rows."""
    from ..loop import map as loop_map  # which imports this package

    arr = trace.array(arr)
    along = normalize_axis_index(axis, np.ndim(arr))
    moved = np.moveaxis(arr, along, -1)
    outer = moved.shape[:-1]
    rows = np.reshape(moved, (-1, moved.shape[-1]))

    def of_row(row: Any) -> Any:
        return as_array(trace.innermost.array(_called(func1d, row, *args, **kwargs)))

    if rows.shape[0] == 0:
        raise ValueError("Cannot apply_along_axis when any iteration dimensions are 0")
    made = loop_map(of_row, rows)
    made = np.reshape(made, (*outer, *made.shape[1:]))
    new = range(len(outer), made.ndim)
    return np.moveaxis(made, new, range(along, along + len(new)))


@lowers(np.apply_over_axes)
def _apply_over(trace: Trace, func: Callable[..., Any], a: Any, axes: Any) -> Any:
    made = trace.array(a)
    for axis in np.atleast_1d(axes):
        along = normalize_axis_index(operator.index(axis), np.ndim(a))
        found = _called(func, made, along)
        if np.ndim(found) == np.ndim(made) - 1:
            found = np.expand_dims(found, along)
        if np.ndim(found) != np.ndim(made):
            raise ValueError("function is not returning an array of the correct shape")
        made = found
    return made


@lowers(np.isclose)
def _isclose(
    trace: Trace,
    a: Any,
    b: Any,
    rtol: Any = 1e-5,
    atol: Any = 1e-8,
    equal_nan: bool = False,
) -> Any:
    a, b = trace.array(a), trace.array(b)
    a, b = (
        x.astype("f8") if as_array(x).dtype.kind in "iub" else x
        for x in map(as_array, (a, b))
    )
    near = np.abs(a - b) <= atol + rtol * np.abs(b)
    made = np.logical_or(np.logical_and(near, np.isfinite(b)), np.equal(a, b))
    if equal_nan:
        made = np.logical_or(made, np.logical_and(np.isnan(a), np.isnan(b)))
    return made


@lowers(np.allclose)
def _allclose(
    trace: Trace,
    a: Any,
    b: Any,
    rtol: Any = 1e-5,
    atol: Any = 1e-8,
    equal_nan: bool = False,
) -> Any:
    return np.all(np.isclose(a, b, rtol, atol, equal_nan))


@lowers(np.array_equal)
def _array_equal(trace: Trace, a1: Any, a2: Any, equal_nan: bool = False) -> Any:
    a1, a2 = as_array(trace.array(a1)), as_array(trace.array(a2))
    if a1.shape != a2.shape:
        return False
    same = np.equal(a1, a2)
    if equal_nan:
        same = np.logical_or(same, np.logical_and(np.isnan(a1), np.isnan(a2)))
    return np.all(same)


@lowers(np.array_equiv)
def _array_equiv(trace: Trace, a1: Any, a2: Any) -> Any:
    a1, a2 = as_array(trace.array(a1)), as_array(trace.array(a2))
    try:
        np.broadcast_shapes(a1.shape, a2.shape)
    except ValueError:
        return False
    return np.all(np.equal(a1, a2))


@lowers(np.isin)
def _isin(
    trace: Trace,
    element: Any,
    test_elements: Any,
    assume_unique: bool = False,
    invert: bool = False,
    *,
    kind: Any = None,
) -> Any:
    """By a search in the sorted elements; NaN is in nothing."""
    element, tests = (
        as_array(trace.array(element)),
        as_array(trace.array(test_elements)),
    )
    if tests.size == 0:
        made: Any = np.zeros_like(element, dtype=bool)
        return np.logical_not(made) if invert else made
    bools = element.dtype == bool and tests.dtype == bool
    to = np.dtype(bool) if bools else np.result_type(element.dtype, tests.dtype)
    if not bools:
        resolve(np.add, element, tests)  # refuses what has no common dtype
    element, row = element.astype(to), np.sort(np.reshape(tests, -1).astype(to))
    place = np.minimum(places_in(trace, row, element, "left"), row.shape[0] - 1)
    found = at_places(trace, row, trace.node(place))
    return np.not_equal(found, element) if invert else np.equal(found, element)


@lowers(np.isposinf)
def _isposinf(trace: Trace, x: Any) -> Any:
    return np.equal(x, np.inf)


@lowers(np.isneginf)
def _isneginf(trace: Trace, x: Any) -> Any:
    return np.equal(x, -np.inf)


@lowers(np.ravel_multi_index)
def _ravel_multi(
    trace: Trace, multi_index: Any, dims: Any, mode: Any = "raise", order: str = "C"
) -> Any:
    """Places in the flat array; they are checked where they are used."""
    modes = (mode,) * len(dims) if isinstance(mode, str) else mode
    sizes = [operator.index(size) for size in dims]
    strides = np.cumprod([1, *sizes[:0:-1]])[::-1]
    if order == "F":
        strides = np.cumprod([1, *sizes[:-1]])
    flat: Any = 0
    from .indexing import inside

    for index, size, stride, how in zip(
        multi_index, sizes, strides, modes, strict=True
    ):
        index = trace.array(index)
        if how == "clip":
            index = np.clip(index, 0, size - 1)
        elif how == "wrap":
            index = np.remainder(index, size)
        place = trace.wrap(inside(trace, index, size))
        flat = flat + place * int(stride)
    return flat


@lowers(np.unravel_index)
def _unravel(trace: Trace, indices: Any, shape: Any, order: str = "C") -> Any:
    sizes = [operator.index(size) for size in np.atleast_1d(shape)]
    from .indexing import inside

    rest: Any = trace.wrap(inside(trace, trace.array(indices), int(np.prod(sizes))))
    made: list[Any] = []
    for size in sizes if order == "F" else sizes[::-1]:
        made.append(np.remainder(rest, size))
        rest = np.floor_divide(rest, size)
    return tuple(made if order == "F" else made[::-1])
