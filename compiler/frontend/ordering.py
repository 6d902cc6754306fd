"""The order of things with traced numbers, as Python's `min` and `sorted` have it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np

from ...ir.errors import TraceError
from ..tracing.running import is_traced
from ..tracing.tracer import Tracer
from ..tree import flatten, unflatten
from .calls import call
from .control import choose
from .endings import type_of

__all__ = ["by", "first", "is_unknown", "keys_of", "ordered"]

Precedes = Callable[[Any, Any], Any]


def keys_of(items: Sequence[Any], key: Any) -> list[Any]:
    """What the items are compared by."""
    return list(items) if key is None else [call(key, item) for item in items]


def by(keys: Sequence[Any]) -> Callable[[Any], Any]:
    """A key for a function of Python's that asks for those of its items in order."""
    found = iter(keys)
    return lambda item: next(found)


def is_unknown(value: Any) -> bool:
    """Whether there is a traced number in a value that nobody knows."""
    return any(is_traced(x) and x.known is None for x in flatten(value)[0])


def first(items: Sequence[Any], keys: Sequence[Any], precedes: Precedes) -> Any:
    """The first item of those whose keys no other one's precedes."""

    def better(best: Any, pair: Any) -> Any:
        test = _before(pair[0], best[0], precedes)
        return choose(test, lambda: pair, lambda: best)

    return reduce(better, zip(keys, items, strict=True))[1]


def _before(one: Any, other: Any, precedes: Precedes) -> Any:
    """Whether a key precedes another: of tuples by the first numbers that differ."""
    if not (isinstance(one, (tuple, list)) and isinstance(other, (tuple, list))):
        return precedes(one, other)
    made: Any = precedes(len(one), len(other))
    for a, b in reversed([*zip(one, other, strict=False)]):
        made = np.logical_or(_before(a, b, precedes), np.logical_and(a == b, made))
    return made


def ordered(values: Any, /, *, key: Any = None, reverse: Any = False) -> list[Any]:
    """``sorted(values)``; items with traced keys are arrays or numbers of one kind."""
    items = list(values)
    keys = keys_of(items, key)
    if not any(map(is_unknown, keys)):
        return sorted(items, key=by(keys), reverse=reverse)
    order = _order(keys[::-1] if reverse else keys)
    if reverse:
        order = len(items) - 1 - order[::-1]
    leaves, trees = zip(*map(flatten, items), strict=True)
    kinds = [list(map(type_of, each)) for each in leaves]
    numbers = not any(None in each for each in kinds)
    if not numbers or len(set(trees)) > 1 or len(set(map(_shapes, kinds))) > 1:
        raise TraceError(
            "sorted: items with traced keys are no arrays or numbers of one shape",
            hint="sort an array of keys with np.argsort, and index with the order",
        )
    stacks = map(np.stack, zip(*leaves, strict=True))
    columns = [call(np.take, stack, order, axis=0) for stack in stacks]
    weak = [all(weak for _, weak in column) for column in zip(*kinds, strict=True)]
    return [
        unflatten(trees[0], [_row(c, i, w) for c, w in zip(columns, weak, strict=True)])
        for i in range(len(items))
    ]


def _shapes(kinds: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(type_.shape for type_, _ in kinds)


def _order(keys: Sequence[Any]) -> Any:
    """The places of keys in their order; equal ones stay as they are."""
    tuples = [key if isinstance(key, (tuple, list)) else (key,) for key in keys]
    sizes = {len(one) for one in tuples}
    if len(sizes) > 1 or any(np.ndim(x) for one in tuples for x in one):
        raise TraceError(
            "sorted: traced keys are numbers, or tuples of as many numbers",
            hint="sort an array of keys with np.argsort, and index with the order",
        )
    columns = [np.stack(column) for column in zip(*tuples, strict=True)]
    return np.lexsort(tuple(columns[::-1]))


def _row(column: Tracer, index: int, weak: bool) -> Any:
    row = column[index]
    return row.owner.wrap(row.unchecked_node, weak=True) if weak else row
