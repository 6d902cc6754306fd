"""The first and last turns of a loop, where these are unlike the others.

A condition on the counter, as ``i > 0``, and an index that wraps, as ``x[i - 1]`` and
``x[(i + 1) % n]``, are often the same in all turns but the first or the last. Whoever
asks for one notes here what a loop without these turns would know.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from ..ir.graph import Node
from ..ir.ops import OPS
from .tracing.forms import Form, form_of

if TYPE_CHECKING:
    from .tracing.trace import Trace

__all__ = ["Ends", "is_of_counters", "note_condition", "note_index"]

MOST_TURNS = 100_000  # that are looked at
MOST_ENDS = 2  # turns that are peeled off an end

_CHOICES = sorted(np.ndindex(MOST_ENDS + 1, MOST_ENDS + 1), key=sum)


class Ends:
    """How many turns at the ends of a loop are unlike the others."""

    def __init__(self, counter: Node, trips: int | None) -> None:
        self.counter, self.trips = counter, trips or 0
        self._found: list[tuple[int, int, bool]] = []

    @classmethod
    def of(cls, trace: Trace, counter: Node, trips: int | None) -> Ends:
        """Those of the loop whose body is being traced."""
        _ends[trace] = made = cls(counter, trips)
        return made

    def turns(self, indices: bool) -> tuple[int, int]:
        """The first and the last ones, with those of ``indices`` if asked for."""
        found = [ends for *ends, is_index in self._found if indices or not is_index]
        first, last = zip((0, 0), *found, strict=True)
        return max(first), max(last)

    def note(self, holds: np.ndarray[Any, Any], is_index: bool) -> None:
        """Something that ``holds`` in some turns: no more turns than it takes."""
        for first, last in _CHOICES:
            inner = holds[first : self.trips - last]
            if inner.size and (inner == inner[0]).all():
                self._found.append((first, last, is_index))
                return


_ends: WeakKeyDictionary[Trace, Ends] = WeakKeyDictionary()


def is_of_counters(trace: Trace, node: Node) -> bool:
    """Whether an integer follows from counters of loops alone."""
    roots = [root for root, _ in form_of(trace, node).terms.values()]
    known = [_ends.get(root.trace) for root in roots]
    pairs = zip(roots, known, strict=True)
    return bool(roots) and all(
        ends and ends.counter is root.node for root, ends in pairs
    )


def _note(form: Form, holds: Callable[[Any], Any], is_index: bool = False) -> None:
    """Note what holds for a number that follows from one counter."""
    if len(form.terms) != 1:
        return
    ((root, step),) = form.terms.values()
    ends = _ends.get(root.trace)
    if ends is None or root.node is not ends.counter:
        return
    if not 0 < ends.trips <= MOST_TURNS:
        return
    turns = np.arange(ends.trips)
    ends.note(holds(form.constant + step * turns), is_index)


def note_index(trace: Trace, node: Node, size: int) -> None:
    """Note in which turns an index is below ``size``, and not negative."""
    if not node.type.shape and node.type.dtype == "i64":
        _note(form_of(trace, node), lambda x: (x >= 0) & (x < size), True)


def note_condition(trace: Trace, node: Node) -> None:
    """Note in which turns a comparison holds."""
    if node.op not in ("eq", "ne", "lt", "le", "gt", "ge"):
        return
    one, other = (trace.builder[name] for name in node.operands)
    if one.type.dtype == "i64" and not one.type.shape:
        difference = form_of(trace, one).minus(form_of(trace, other))
        _note(difference, lambda x: OPS[node.op].reference(x, 0))
