"""Sorts of what a traced mask chose, quantiles, and other statistics.

What a sort makes stands in front, and the mask of that says how many there are.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..quantiles import quantiles_of_first
from ..reductions import root
from .rules import (
    along_mask,
    flat_of,
    here,
    largest,
    mean_of,
    refuse,
    smallest,
    stands_for,
    sum_of,
)
from .selected import FUNCTIONS, Selected, holds

__all__: list[str] = []


def _order(x: Selected) -> tuple[Any, Any]:
    """The positions of the elements in order, and where such a position counts."""
    full, mask = flat_of(x)
    order = np.lexsort((full, np.logical_not(mask)))
    return order, np.arange(mask.shape[0]) < x.rows


@stands_for(np.sort)
def _sort(x: Selected, axis: Any = -1, kind: Any = None) -> Any:
    order, some = _order(x)
    return x.like(np.take(np.reshape(x.full, -1), order), some)


@stands_for(np.argsort)
def _argsort(x: Selected, axis: Any = -1, kind: Any = None) -> Any:
    order, some = _order(x)
    number = np.cumsum(np.reshape(x.mask, -1)) - 1
    return x.like(np.take(number, order), some)


def _quantile(function: Any) -> None:
    @stands_for(function)
    def lower(x: Any, *args: Any, axis: Any = None, **named: Any) -> Any:
        if not isinstance(x, Selected) or {*named} - {"q", "method"}:
            refuse(x, args, named)
        along_mask(x, axis)
        made = _sort(x)
        rows = made.full
        if x.dtype.kind == "f":
            missing = np.isnan(x.where(0)).any()
            rows = np.where(missing, np.asarray(np.nan, x.dtype), rows)
        if function is np.median:
            rows = np.where(x.rows > 0, rows, np.asarray(np.nan, rows.dtype))
        else:
            message = "a quantile of what a mask chose needs an element"
            some = holds(here(x), x.rows > 0, "index", message)
            rows = np.where(some, rows, np.zeros((), rows.dtype))
        return quantiles_of_first(here(x), function, rows, x.rows, *args, **named)


for _function in (np.median, np.quantile, np.percentile):
    _quantile(_function)


# Statistics.


@stands_for(np.var)
def _var(x: Selected, axis: Any = None, *, ddof: int = 0, **options: Any) -> Any:
    if options or axis not in (None, 0, -x.ndim) or x.ndim > 1:
        x.refuse_here()
    return sum_of(_squares(x - mean_of(x, None)), None) / (x.size - ddof)


def _squares(x: Selected) -> Any:
    """``|x|^2``, smooth at 0."""
    return np.real(x * np.conjugate(x)) if x.dtype.kind == "c" else x * x


@stands_for(np.std)
def _std(x: Selected, *args: Any, **options: Any) -> Any:
    return root(here(x), _var(x, *args, **options))


@stands_for(np.average)
def _average(x: Selected, axis: Any = None, weights: Any = None) -> Any:
    if weights is None:
        return mean_of(x, axis)
    along_mask(x, axis)
    return _dot(x, weights) / sum_of(weights, None)


@stands_for(np.dot, np.inner, np.matmul)
def _dot(x: Any, y: Any) -> Any:
    if not isinstance(x, Selected) or not isinstance(y, Selected) or x.ndim > 1:
        refuse(x, y)
    return sum_of(x * y, None)


@stands_for(np.vdot)
def _vdot(x: Any, y: Any) -> Any:
    return _dot(np.conjugate(x), y)


@stands_for(np.linalg.norm)
def _norm(x: Selected, ord: Any = None, axis: Any = None) -> Any:
    flat_of(x)
    along_mask(x, axis)
    if isinstance(ord, str):
        raise ValueError(f"Invalid norm order '{ord}' for vectors")
    x = x if x.dtype.kind in "fc" else x * 1.0
    if ord is None or ord == 2:
        return root(here(x), sum_of(_squares(x), None))
    sizes: Any = np.abs(x)
    if ord == 1:
        return sum_of(sizes, None)
    if math.isinf(ord):
        return largest(sizes, None) if ord > 0 else smallest(sizes, None)
    if ord == 0:
        return sum_of(sizes != 0, None).astype(sizes.dtype)
    return _power_norm(sizes, ord)


def _power_norm(sizes: Selected, ord: float) -> Any:
    return sum_of(sizes**ord, None) ** (1 / ord)


@stands_for(np.cov)
def _cov(m: Selected, y: Any = None, *, bias: bool = False, ddof: Any = None) -> Any:
    rows: list[Any] = [m] if y is None else [m, y]
    to = np.result_type(*(row.dtype for row in rows), np.float64)
    rows = [np.astype(row, to) for row in rows]
    ddof = (0 if bias else 1) if ddof is None else ddof
    apart = [row - mean_of(row, None) for row in rows]
    made = [[_dot(a, b) / (m.size - ddof) for b in apart] for a in apart]
    return made[0][0] if y is None else np.stack([np.stack(row) for row in made])


@stands_for(np.corrcoef)
def _corrcoef(x: Selected, y: Any) -> Any:
    made = _cov(x, y)
    scale = np.sqrt(np.diagonal(made))
    return np.clip(made / scale[:, None] / scale, -1, 1)


@stands_for(np.bincount)
def _bincount(x: Selected, weights: Any = None, minlength: int = 0) -> Any:
    counted = _as_weights(x, weights)
    made = np.bincount(x.where(0), weights=counted, minlength=minlength)
    return made if weights is not None else made.astype(np.int64)


@stands_for(np.histogram)
def _histogram(
    x: Selected, bins: Any, range: Any = None, density: Any = None, weights: Any = None
) -> Any:
    if np.ndim(bins) == 0 and range is None:
        x.refuse_here()
    low = range[0] if range is not None and np.ndim(bins) == 0 else bins[0]
    counted = _as_weights(x, weights)
    made, edges = np.histogram(x.where(low), bins, range, density, counted)
    whole = weights is None and not density
    return made.astype(np.int64) if whole else made, edges


def _as_weights(x: Selected, weights: Any) -> Any:
    """What each place counts for."""
    flat_of(x)
    weights = 1.0 if weights is None else x.plain(weights)
    return np.where(x.mask, weights, 0)


def _without_missing(function: Any, plain: Any) -> None:
    @stands_for(function)
    def lower(x: Selected, *args: Any, **named: Any) -> Any:
        flat_of(x)
        return FUNCTIONS[plain](
            x.like(x.full, x.mask & ~np.isnan(x.full)), *args, **named
        )


for _name in ("sum", "prod", "mean", "var", "std", "median"):
    _without_missing(getattr(np, f"nan{_name}"), getattr(np, _name))
