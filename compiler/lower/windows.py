"""Slices whose bounds are known only when running, and their size all the same."""

from __future__ import annotations

import operator
from typing import Any, NamedTuple, TypeGuard, cast

from ...ir.errors import ConcretizationError, TraceError
from ...ir.graph import Node
from ..tracing.asked import ask
from ..tracing.forms import Form, form_of
from ..tracing.running import is_traced
from ..tracing.trace import Trace

__all__ = ["Window", "ask_bounds", "has_known_size", "is_moved", "window_of"]


class Window(NamedTuple):
    """``size`` places along an axis, ``step`` apart, from ``first`` on."""

    first: Node
    size: int
    step: int


def is_moved(item: Any) -> TypeGuard[slice[Any, Any, Any]]:
    """Whether a part of an index is a slice with a traced bound."""
    if not isinstance(item, slice):
        return False
    parts = cast("slice[Any, Any, Any]", item)
    return any(map(is_traced, (parts.start, parts.stop, parts.step)))


def window_of(trace: Trace, item: slice[Any, Any, Any], size: int) -> Window:
    """The places of a slice of an axis whose bounds are a number apart."""
    if not has_known_size(trace, item, size):
        ask_bounds(item)
        raise _unknown_size()
    step = 1 if item.step is None else operator.index(item.step)
    first = _bound(trace, item.start, 0, size)
    apart = _apart(trace, item, size)
    count = len(range(0, apart.constant, step))
    bounds = trace.intervals.of(first)
    assert bounds is not None, "it is an integer"
    if not bounds.within(*_limits(apart, size, step)):
        ask_bounds(item)  # Python cuts a slice that reaches over an end
    return Window(_inside(trace, first, apart, size, step), count, step)


def ask_bounds(item: slice[Any, Any, Any]) -> None:
    """Ask for the bounds of a slice, if they are of arguments alone."""
    for part in (item.start, item.stop, item.step):
        if is_traced(part):
            ask(part)


def _limits(apart: Form, size: int, step: int) -> tuple[int, int]:
    """From where to where the first place of a slice is inside."""
    length = apart.constant
    return max(0, -length), size - max(length, 0) - (step < 0)


def has_known_size(trace: Trace, item: slice[Any, Any, Any], size: int) -> bool:
    """Whether the bounds of a slice are a number apart, and none is missing."""
    if is_traced(item.step):
        return False
    back = item.step is not None and operator.index(item.step) < 0
    if back and (item.start is None or item.stop is None):
        return False
    return not _apart(trace, item, size).terms


def _apart(trace: Trace, item: slice[Any, Any, Any], size: int) -> Form:
    first = _bound(trace, item.start, 0, size)
    last = _bound(trace, item.stop, size, size)
    return form_of(trace, last).minus(form_of(trace, first))


def _bound(trace: Trace, value: Any, default: int, size: int) -> Node:
    """A bound of a slice, which does not count from the end if it is known."""
    if is_traced(value):
        return trace.node(value, "i64")
    number = default if value is None else operator.index(value)
    number = min(number, size) if number >= 0 else max(number + size, 0)
    return trace.builder.const(number, "i64")


def _inside(trace: Trace, first: Node, apart: Form, size: int, step: int) -> Node:
    """The first place, with a check where nothing says that the slice is inside.

    Bounds that reach over an end are no error in Python, which cuts the slice; here
    they are one.
    """
    b, length = trace.builder, apart.constant
    low, high = _limits(apart, size, step)
    found = trace.intervals.of(first)
    assert found is not None, "it is an integer"
    if found.within(low - size, high - size):
        return b.add(first, b.const(size, "i64"))
    if found.within(low, high):
        return first
    if found.within(-(2**40), 2**40):
        raise TraceError(
            "a slice at a traced position may reach over an end of its array, where "
            "Python makes it shorter",
            hint="begin the loop later, or end it earlier",
        )
    message = f"a slice of {abs(length)} places reaches over an axis of size {size}"
    return b.check(first, low=low, high=high + 1, error="index", message=message)


def _unknown_size() -> TraceError:
    return ConcretizationError(
        "the size of a slice depends on a traced value",
        hint="slice with bounds that are a number apart, x[i:i + 3], multiply by a "
        "mask, (np.arange(n) < i) * x, or make the argument static (jit(f, "
        "static_argnames=...))",
    )
