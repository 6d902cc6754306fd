"""Elements that the body of a loop reads at the counter: rows of stacked operands.

``x[t]`` in turn t, or ``x[n - 1 - t]``, is an input of its own where x is an array of
the function around the loop that nothing in the loop has written. So its gradient costs
a row, and not an array in each turn.
"""

from __future__ import annotations

from typing import Any, TypeGuard, cast
from weakref import WeakKeyDictionary

import numpy as np

from ...ir.graph import Node
from ..lower.indices import path_of_row
from ..tracing.forms import form_of
from ..tracing.running import is_traced
from ..tracing.trace import Trace
from ..tracing.tracer import Tracer

__all__ = ["Rows", "element", "is_integer"]


class Rows:
    """The stacked operands of a loop that is being traced, with the inputs for rows."""

    def __init__(self, outer: Trace, trips: int) -> None:
        self.outer, self.trips = outer, trips
        self.counter: Node | None = None
        self.found: dict[tuple[str, int, int], tuple[Node, Node]] = {}

    @classmethod
    def of(cls, trace: Trace, outer: Trace, trips: int) -> Rows:
        """New ones, for the trace of a body."""
        _rows[trace] = made = cls(outer, trips)
        return made

    def row(self, trace: Trace, x: Node, start: int, step: int) -> Node:
        """The input for the element that is ``step`` times the counter from a start."""
        key = x.name, start, step
        if key not in self.found:
            count, *rest = x.type.shape
            b = self.outer.builder
            if (start, step, count) == (0, 1, self.trips):
                whole = x
            else:
                whole = b.slice(
                    x,
                    start=(start, *(0 for _ in rest)),
                    shape=(self.trips, *rest),
                    step=(step, *(1 for _ in rest)),
                )
            row = trace.builder.input("row", x.type.with_shape(tuple(rest)))
            self.found[key] = whole, row
        return self.found[key][1]

    def index(self, trace: Trace, start: int, step: int) -> Tracer:
        """The number of a row, as a value of the body that has the counter."""
        assert self.counter is not None, "the body is being traced"
        b = trace.builder
        moved = b.mul(self.counter, b.const(step, "i64"))
        return trace.wrap(b.add(moved, b.const(start, "i64")))


_rows: WeakKeyDictionary[Trace, Rows] = WeakKeyDictionary()


def element(x: Any, index: Any) -> Any:
    """``x[index]`` as the row of a stacked operand, None where it is none."""
    parts = cast("tuple[Any, ...]", index if type(index) is tuple else (index,))
    first: Any = parts[0] if parts else None
    rest = parts[1:]
    if not is_integer(first) or not isinstance(x, (Tracer, np.ndarray)):
        return None
    if not x.shape or any(map(_is_array, rest)):
        return None
    form = form_of(first.reader, first.unchecked_node)
    if len(form.terms) != 1:
        return None
    ((root, step),) = form.terms.values()
    trace, rows = root.trace, _rows.get(root.trace)
    if rows is None or root.node is not rows.counter:
        return None
    if isinstance(x, Tracer) and (x.memory.known is not None or _is_inner(x, trace)):
        return None
    start, size = form.constant, x.shape[0]
    ends = start, start + step * (rows.trips - 1)
    if -size <= min(ends) and max(ends) < 0:
        start += size
    elif min(ends) < 0 or max(ends) >= size:
        return None
    node = rows.row(trace, rows.outer.node(x), start, step)
    row: Any = trace.wrap(node)
    if not isinstance(x, Tracer):
        row.path = row.path._replace(frozen=True)  # its elements are the caller's
    elif node.type.shape:
        index = first if first.reader is trace else rows.index(trace, start, step)
        row.become_view(x, path_of_row(trace, x, index))
    return row[rest] if rest else row


def _is_inner(x: Tracer, trace: Trace) -> bool:
    """Whether what an array is now was made in the body of a loop."""
    return x.reader.level >= trace.level


def is_integer(value: Any) -> TypeGuard[Tracer]:
    """Whether a value is one traced integer that is not known."""
    if not is_traced(value) or value.shape or value.bound is not None:
        return False
    return value.known is None and value.dtype.kind in "iu"


def _is_array(part: Any) -> bool:
    if isinstance(part, (list, bool, np.bool_)):
        return True
    return (is_traced(part) or isinstance(part, np.ndarray)) and np.ndim(part) > 0
