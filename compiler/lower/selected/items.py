"""Indices into what a traced mask chose, and the places where one is true."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ...tracing.lowerings import lowers
from ...tracing.running import is_traced
from ...tracing.trace import Trace
from .rules import here, stands_for
from .selected import Selected, holds

__all__: list[str] = []


@stands_for(Selected.__getitem__)
def _item(x: Selected, index: Any) -> Any:
    """Elements, slices, and what a mask of the same places chooses further."""
    parts = index if isinstance(index, tuple) else (index,)
    if not parts:
        return x
    first, *rest = parts
    if rest:
        if first != slice(None) or any(is_traced(part) for part in rest):
            x.refuse_here()
        lead = (slice(None),) * x.mask.ndim
        return Selected(here(x), x.full[(*lead, *rest)], x.mask)
    if first is Ellipsis:
        return x
    if isinstance(first, Selected) and first.dtype == bool and first.ndim == 1:
        x.plain(first)  # which asks whether the places are the same
        return x.like(x.full, x.mask & first.full)
    if isinstance(first, slice):
        return _slice(x, first)
    if is_traced(first) and not first.ndim and first.dtype.kind in "iu":
        return _element(x, first)
    return _element(x, operator.index(first)) if _is_index(first) else x.refuse_here()


def _is_index(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def _element(x: Selected, k: Any) -> Any:
    """The element number ``k``, which there has to be."""
    rest = x.full.shape[x.mask.ndim :]
    full, mask = np.reshape(x.full, (-1, *rest)), np.reshape(x.mask, -1)
    k = np.where(k < 0, k + x.rows, k)
    message = "an index is out of bounds for what a mask chose"
    inside = holds(here(x), (k >= 0) & (k < x.rows), "index", message)
    before = np.cumsum(mask) <= np.where(inside, k, -1)
    return np.take(full, np.minimum(np.sum(before), mask.shape[0] - 1), axis=0)


def _slice(x: Selected, part: slice[Any, Any, Any]) -> Any:
    """The places whose number among those that were chosen is in the slice."""
    step = 1 if part.step is None else operator.index(part.step)
    if step == -1 and part.start is None and part.stop is None and x.mask.ndim == 1:
        return x.like(x.full[::-1], x.mask[::-1])
    if step < 1:
        x.refuse_here()
    count = x.rows

    def bound(value: Any, default: Any) -> Any:
        value = default if value is None else value
        return np.where(value < 0, np.maximum(value + count, 0), value)

    number = np.reshape(np.cumsum(np.reshape(x.mask, -1)) - 1, x.mask.shape)
    start, stop = bound(part.start, 0), bound(part.stop, count)
    kept = x.mask & (number >= start) & (number < stop)
    kept = kept & ((number - start) % step == 0) if step > 1 else kept
    return x.like(x.full, kept)


@lowers(np.nonzero)
def _nonzero(trace: Trace, a: Any) -> Any:
    """The numbers of the places that are not 0, along each axis."""
    mask = trace.array(a) != 0
    grid = np.indices(mask.shape)
    return tuple(Selected(trace, row, mask, k) for k, row in enumerate(grid))


@lowers(np.flatnonzero)
def _flatnonzero(trace: Trace, a: Any) -> Any:
    return np.nonzero(np.reshape(trace.array(a), -1))[0]
