"""Reductions and elementwise functions of what a traced mask chose.

Each works on the full array, with something neutral where the mask is false.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from ...tracing.running import as_array
from ...tracing.trace import Trace
from .selected import FUNCTIONS, Selected, holds

__all__ = [
    "along_mask",
    "flat_of",
    "here",
    "largest",
    "mean_of",
    "refuse",
    "smallest",
    "some_of",
    "stands_for",
    "sum_of",
]


def stands_for(*functions: Any) -> Callable[[Any], Any]:
    """Have a function stand for NumPy's where an argument is a `Selected`."""

    def add(lower: Callable[..., Any]) -> Callable[..., Any]:
        FUNCTIONS.update(dict.fromkeys(functions, lower))
        return lower

    return add


def _selected(*values: Any) -> Selected:
    """The first `Selected` in nested arguments."""
    waiting = [*values]
    while waiting:
        value = waiting.pop(0)
        if isinstance(value, Selected):
            return value
        if isinstance(value, (list, tuple, dict)):
            waiting += value.values() if isinstance(value, dict) else value
    raise AssertionError("nothing here was chosen by a mask")


def refuse(*values: Any) -> NoReturn:
    """Refuse a call with these arguments, at the user's line."""
    _selected(*values).refuse_here()


def here(x: Selected) -> Trace:
    """The trace that what happens now belongs to."""
    return x.owner.innermost


def flat_of(x: Selected) -> tuple[Any, Any]:
    """The elements and the mask along one axis, of a selection of one axis."""
    if x.ndim > 1:
        x.refuse_here()
    return np.reshape(x.full, -1), np.reshape(x.mask, -1)


def some_of(x: Selected, message: str) -> Any:
    """True, after a check that the mask chose anything; else a `ValueError`."""
    return holds(here(x), x.rows > 0, "value", message)


# Reductions.


def along_mask(x: Selected, axis: Any) -> tuple[int, ...] | None:
    """The axes of the full array for all axes of the selection, or for its first."""
    if axis is None:
        return None
    if axis not in (0, -x.ndim):
        x.refuse_here()
    return tuple(range(x.mask.ndim))


def _is_along_rows(x: Selected, axis: Any) -> bool:
    """Whether an axis is one that the mask does not choose from."""
    return isinstance(axis, int) and -x.ndim <= axis < x.ndim and axis % x.ndim > 0


def _reduction(*functions: Any, takes: str = "") -> Any:
    """Have a reduction stand for NumPy's, with these options beside ``axis``."""

    def add(lower: Callable[..., Any]) -> Callable[..., Any]:
        def reduce(x: Any, axis: Any = None, **options: Any) -> Any:
            keepdims = options.pop("keepdims", False)
            if {*options} - {*takes.split()}:
                refuse(x, options)
            if _is_along_rows(x, axis):
                along = axis % x.ndim + x.mask.ndim - 1
                more = {"keepdims": True} if keepdims else {}
                return x.like(functions[0](x.full, axis=along, **more, **options))
            made = lower(x, axis, **options)
            if not keepdims:
                return made
            rest = (1,) * (x.ndim - 1) if axis is None else np.shape(made)
            return np.reshape(made, (1, *rest))

        stands_for(*functions)(reduce)
        return lower

    return add


@_reduction(np.sum, takes="dtype initial")
def sum_of(x: Selected, axis: Any, **options: Any) -> Any:
    """The sum over all axes of a selection, or over its first."""
    return np.sum(x.where(0), axis=along_mask(x, axis), **options)


@_reduction(np.prod, takes="dtype initial")
def _prod(x: Selected, axis: Any, **options: Any) -> Any:
    return np.prod(x.where(1), axis=along_mask(x, axis), **options)


@_reduction(np.any)
def _any(x: Selected, axis: Any) -> Any:
    return np.any(x.where(0), axis=along_mask(x, axis))


@_reduction(np.all)
def _all(x: Selected, axis: Any) -> Any:
    return np.all(x.where(1), axis=along_mask(x, axis))


@_reduction(np.count_nonzero)
def _count_nonzero(x: Selected, axis: Any) -> Any:
    return np.count_nonzero(x.where(0), axis=along_mask(x, axis))


@_reduction(np.mean)
def mean_of(x: Selected, axis: Any) -> Any:
    """The mean in the same way."""
    return sum_of(x, axis) / (x.size if axis is None else x.rows)


def _extreme(function: Any, ufunc: str, neutral: Callable[[Any], Any]) -> Any:
    """The largest or the smallest element, of which there has to be one."""

    def lower(x: Selected, axis: Any, **options: Any) -> Any:
        full, axes = x.where(neutral(x.dtype)), along_mask(x, axis)
        if options:
            return function(full, axis=axes, **options)
        message = (
            f"zero-size array to reduction operation {ufunc} which has no identity"
        )
        some = some_of(x, message)
        return function(np.where(some, full, np.zeros((), x.dtype)), axis=axes)

    return lower


def _lowest(dtype: np.dtype[Any]) -> Any:
    if dtype.kind == "f":
        return -np.inf
    return False if dtype.kind == "b" else np.iinfo(dtype).min


def _highest(dtype: np.dtype[Any]) -> Any:
    if dtype.kind == "f":
        return np.inf
    return True if dtype.kind == "b" else np.iinfo(dtype).max


largest = _extreme(np.max, "maximum", _lowest)
smallest = _extreme(np.min, "minimum", _highest)
_reduction(np.max, np.amax, takes="initial")(largest)
_reduction(np.min, np.amin, takes="initial")(smallest)


@_reduction(np.ptp)
def _ptp(x: Selected, axis: Any) -> Any:
    return largest(x, axis) - smallest(x, axis)


def _place_of(best: Any, function: str) -> Any:
    """Which of the elements is the extreme, or the first that is NaN."""

    def lower(x: Selected, axis: Any = None) -> Any:
        full, mask = flat_of(x)
        along_mask(x, axis)
        mask = mask & some_of(x, f"attempt to get {function} of an empty sequence")
        found = best(x, None)
        hits = full == found
        if x.dtype.kind == "f":
            hits = hits | (np.isnan(found) & np.isnan(full))
        hits = hits & mask
        return np.sum(mask & (np.cumsum(hits) == 0))

    return lower


stands_for(np.argmax)(_place_of(np.max, "argmax"))
stands_for(np.argmin)(_place_of(np.min, "argmin"))


# Elementwise functions.


def _elementwise(*functions: Any) -> None:
    """Functions whose arguments are of the same places, or numbers."""
    for function in functions:

        @stands_for(function)
        def lower(*args: Any, f: Any = function, **named: Any) -> Any:
            x = _selected(args, named)
            plain = {key: x.plain(value) for key, value in named.items()}
            return x.like(f(*map(x.plain, args), **plain))


_elementwise(np.clip, np.round, np.around, np.nan_to_num, np.sinc, np.i0, np.angle)
_elementwise(np.where, np.isclose, np.iscomplex, np.isreal, np.isposinf, np.isneginf)
_elementwise(np.real, np.imag, np.copy, np.conj)


@stands_for(np.astype)
def _astype(x: Selected, dtype: Any, **named: Any) -> Any:
    return x.like(x.full.astype(dtype))


@stands_for(np.ravel, np.reshape)
def _ravel(x: Selected, shape: Any = -1) -> Any:
    if x.ndim > 1 or shape not in (-1, (-1,)):
        x.refuse_here()
    return x


@stands_for(np.cumsum)
def _cumsum(x: Selected, axis: Any = None) -> Any:
    full, mask = flat_of(x)
    return x.like(np.cumsum(np.where(mask, full, np.zeros((), x.dtype))), mask)


@stands_for(np.concatenate)
def _concatenate(parts: Any, axis: int = 0, dtype: Any = None) -> Any:
    """One after the other; of an array all elements count."""
    x = _selected(parts)
    rows = [
        flat_of(part) if isinstance(part, Selected) else _whole(part) for part in parts
    ]
    full, mask = (np.concatenate(row) for row in zip(*rows, strict=True))
    return x.like(full if dtype is None else full.astype(dtype), mask)


def _whole(part: Any) -> tuple[Any, Any]:
    array = as_array(part)
    if array.ndim != 1:
        raise ValueError("all the input array dimensions must match")
    return array, np.ones(array.shape, bool)


stands_for(np.size)(lambda x: x.size)
stands_for(np.ndim)(lambda x: x.ndim)
stands_for(np.shape)(lambda x: x.shape)
