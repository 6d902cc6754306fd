"""Python's `sum`, `min` and `max`, of arrays and of lists that a loop filled."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

from ..lower.selected.selected import Selected
from ..tracing.running import is_traced
from ..tracing.stacked import stacked_value
from ..tracing.tracer import Tracer
from .noted import for_
from .ordering import by, first, is_unknown, keys_of

__all__ = ["extreme", "total"]

Better = Callable[[Any, Any], Any]


def total(values: Any, /, start: Any = 0) -> Any:
    """``sum(values, start)``; of rows that are at hand as one array NumPy's sum."""
    if isinstance(values, Selected):
        return start + np.sum(values)
    rows = _rows(values)
    if rows is None:
        return sum(values, start)
    return start + _weak_as(np.sum(rows, axis=0), values)


def extreme(function: Any, is_better: Better) -> Callable[..., Any]:
    """Python's `min` or `max`: the first of those that none is better than."""

    def better(best: Any, item: Any) -> Any:
        return np.where(is_better(item, best), item, best)

    def choose(*args: Any, key: Any = None, **rest: Any) -> Any:
        (items,) = args if len(args) == 1 else (args,)
        rows = None if rest or key is not None else _rows(items)
        if rows is not None and rows.ndim == 1:
            return _weak_as(_folded(better, rows), items)
        items = list(items)
        keys = keys_of(items, key)
        if not any(map(is_unknown, keys)):
            return function(items, key=by(keys), **rest)
        if key is None and all(map(_is_scalar, items)):
            return reduce(better, items)
        return first(items, keys, is_better)

    return choose


def _folded(step: Callable[[Any, Any], Any], rows: Tracer) -> Any:
    """What is left of the rows, one after the other."""
    made = rows[0]

    def body(row: Any) -> None:
        nonlocal made
        made = step(made, row)

    for_(rows[1:], body, ["made"])
    return made


def _rows(values: Any) -> Tracer | None:
    """Many values as one array, where they are one; none of no values."""
    if is_traced(values):
        known = values.known is not None or not values.shape
        return None if known or not len(values) else values
    return stacked_value(values)


def _weak_as(made: Any, values: Any) -> Any:
    """A result with the dtype of a Python number, if the items of a list have it."""
    if is_traced(values) or not values[0].weak:
        return made
    return made.owner.wrap(made.node, weak=True)


def _is_scalar(value: Any) -> bool:
    return np.ndim(value) == 0 if is_traced(value) else np.isscalar(value)
