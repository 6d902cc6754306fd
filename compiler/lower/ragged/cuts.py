"""Where the elements of slices are whose lengths are known only when running.

Python cuts the bounds of a slice at the ends of its axis. Where forms and intervals say
what is cut, nothing is left of it in the graph.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from ...intervals import MANY, Interval
from ...tracing.asked import ask
from ...tracing.forms import Form, form_of
from ...tracing.ragged import Axis, Place
from ...tracing.running import is_traced
from ...tracing.trace import Trace
from ..indices import position
from ..windows import ask_bounds, has_known_size, is_moved, window_of

__all__ = ["axis_of_size", "between", "cut", "is_integer", "key_of"]

MAX_DEPTH = 8  # of limits that follow from other counters


def is_integer(item: Any) -> bool:
    """Whether a part of an index is an integer, traced or not."""
    if is_traced(item):
        return item.ndim == 0 and item.dtype.kind in "iu"
    return isinstance(item, (int, np.integer)) and not isinstance(item, bool)


def key_of(trace: Trace, number: Any) -> Any:
    """What tells integers apart, traced or not."""
    form = _form(trace, number)
    return form.constant, tuple(sorted((k, n) for k, (_, n) in form.terms.items()))


def between(trace: Trace, number: Any) -> Interval:
    """Between which numbers an integer is, traced or not."""
    form = _form(trace, number)
    low, high = _least(form, MAX_DEPTH), -_least(form.times(-1), MAX_DEPTH)
    if is_traced(number):
        found = trace.intervals.of(trace.node(number))
        if found is not None:
            return Interval(max(low, found.low), min(high, found.high))
    return Interval(low, high)


def _form(trace: Trace, number: Any) -> Form:
    if not is_traced(number):
        return Form(operator.index(number), {})
    return form_of(trace, trace.node(number, "i64"))


def _least(form: Form, depth: int) -> int:
    """A number that a form is not below.

    A counter that is taken away is below the limit of its loop.
    """
    found = form.constant
    for key, (root, times) in form.terms.items():
        limit = root.trace.limits.get(root.node.name)
        if times < 0 and limit is not None and depth:
            rest = {k: term for k, term in form.terms.items() if k != key}
            last = form_of(limit.here, limit.unchecked_node).plus(Form(-1, {}))
            return _least(Form(form.constant, rest).plus(last.times(times)), depth - 1)
        ends = root.trace.intervals.of(root.node)
        assert ends is not None, "it is an integer"
        found += min(ends.low * times, ends.high * times)
    return found


def axis_of_size(trace: Trace, size: Any) -> Axis:
    """The axis of an array that is made with a size, a number or traced.

    Raises `ConcretizationError` if nothing says how large it may get.
    """
    if not is_traced(size) or size.known is not None:
        number = operator.index(size)
        return Axis(number, number)
    ask(size)
    found = between(trace, size) if is_integer(size) else None
    if found is None or found.high >= MANY:
        operator.index(size)  # which says what needs the number
    assert found is not None, "the index of what is traced is refused"
    if found.low < 0:
        b = trace.builder
        message = "negative dimensions are not allowed"
        node = trace.node(size, "i64")
        high = max(found.high, 0) + 1
        node = b.check(node, low=0, high=high, error="value", message=message)
        size = trace.wrap(node, weak=True)
    return _axis(trace, size, max(found.high, 0))


def _axis(trace: Trace, length: Any, most: int) -> Axis:
    """An axis of a length from 0 to ``most``; it is a number if its form is one."""
    form = _form(trace, length)
    if not form.terms:
        return Axis(form.constant, form.constant)
    node = trace.node(length, "i64")
    trace.intervals.note(node, Interval(max(0, between(trace, length).low), most))
    return Axis(trace.wrap(node, weak=True), most)


def cut(
    trace: Trace, axes: Sequence[Axis], items: Sequence[Any]
) -> tuple[tuple[Axis, ...], tuple[Place, ...]]:
    """What is left of axes after ``x[items]``, and the place for each axis of x.

    There is an item for each axis, an integer or a slice, and None for new ones.
    """
    left: list[Axis] = []
    places: list[Place] = []
    rest = iter(axes)
    for item in items:
        if item is None:
            left.append(Axis(1, 1))
            continue
        axis = next(rest)
        if not isinstance(item, slice):
            places.append(Place(_position(trace, axis, item)))
            continue
        start, step, found = _slice(trace, axis, cast("slice[Any, Any, Any]", item))
        places.append(Place(start, step, len(left)))
        left.append(found)
    return tuple(left), tuple(places)


def _slice(
    trace: Trace, axis: Axis, item: slice[Any, Any, Any]
) -> tuple[Any, int, Axis]:
    """Where a slice of an axis begins, its step, and the axis that it is."""
    if item.start is None and item.stop is None and item.step is None:
        return 0, 1, axis
    ask_bounds(item)
    step = 1 if item.step is None else operator.index(item.step)
    if axis.is_known and not is_moved(item):
        start, stop, step = item.indices(axis.length)
        count = len(range(start, stop, step))
        return start if count else 0, step, Axis(count, count)
    if axis.is_known and has_known_size(trace, item, axis.length):
        window = window_of(trace, item, axis.length)
        return trace.wrap(window.first, weak=True), step, Axis(window.size, window.size)
    if step == 0:
        raise ValueError("slice step cannot be zero")
    length = axis.length
    first, last = (0, length) if step > 0 else (length - 1, -1)
    start = first if item.start is None else _clamped(trace, item.start, length, step)
    stop = last if item.stop is None else _clamped(trace, item.stop, length, step)
    apart = stop - start if step > 0 else start - stop
    by = abs(step)
    count = apart if by == 1 else (apart + (by - 1)) // by
    found = between(trace, count)
    if found.low < 0:
        count = np.maximum(count, 0) if is_traced(count) else max(count, 0)
    most = min(max(found.high, 0), -(-axis.most // by))
    return start, step, _axis(trace, count, most)


def _clamped(trace: Trace, bound: Any, length: Any, step: int) -> Any:
    """A bound as Python cuts it: from 0 to the length, from -1 on for a step back."""
    bound = _from_the_start(trace, bound, length)
    low, high = (0, length) if step > 0 else (-1, length - 1)
    if between(trace, bound).low < low:
        bound = np.maximum(bound, low) if is_traced(bound) else max(bound, low)
    if between(trace, high - bound).low < 0:
        traced = is_traced(high) or is_traced(bound)
        bound = np.minimum(bound, high) if traced else min(bound, high)
    return bound


def _from_the_start(trace: Trace, bound: Any, length: Any) -> Any:
    """A bound or a position that counts from the end if it is negative."""
    if not is_traced(bound):
        bound = operator.index(bound)
    found = between(trace, bound)
    if found.high < 0:
        return bound + length
    return bound if found.low >= 0 else np.where(bound < 0, bound + length, bound)


def _position(trace: Trace, axis: Axis, index: Any) -> Any:
    """A position along an axis, with a check where nothing says that it is inside."""
    if axis.is_known:
        if is_traced(index):
            return trace.wrap(position(trace, index, axis.length), weak=True)
        number = operator.index(index)
        if not -axis.length <= number < axis.length:
            raise IndexError(f"index {number} is out of bounds for size {axis.length}")
        return number % axis.length
    found = _from_the_start(trace, index, axis.length)
    b, most = trace.builder, max(axis.most, 1)
    message = "an index is out of bounds for a slice"
    if between(trace, found).low < 0:
        node = trace.node(found, "i64")
        node = b.check(node, low=0, high=most, error="index", message=message)
        found = trace.wrap(node, weak=True)
    if between(trace, axis.length - 1 - found).low < 0:
        rest = trace.node(axis.length - found, "i64")
        rest = b.check(rest, low=1, high=most + 1, error="index", message=message)
        found = axis.length - trace.wrap(rest, weak=True)
    if is_traced(found):
        node = trace.node(found, "i64")
        trace.intervals.note(node, Interval(0, most - 1))
        found = trace.wrap(node, weak=True)
    return found
