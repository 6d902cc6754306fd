"""Operators that note what became of a statement; `control` and `items` do the work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any, cast

from ...ir.builder import Builder
from ...ir.errors import SourceLine
from ...ir.graph import Node
from ..tracing.notes import Note, Notes, note, notes_here
from ..tracing.running import active_trace, is_traced
from ..tracing.source import calling_frame, user_line
from ..tracing.tracer import Tracer
from . import control, items
from .loops import MIN_TRIPS
from .turns import turns_of

__all__ = ["augment", "choose", "for_", "if_", "set_item", "while_"]


def for_(
    iterable: Iterable[Any],
    body: Callable[[Any], None],
    names: Sequence[str],
    goes_on: Callable[[], Any] | None = None,
) -> None:
    """`control.for_`, noted."""
    notes = notes_here()
    if notes is None:
        control.for_(iterable, body, names, goes_on)
        return
    turns = _count(iterable)
    with notes.of_loop(_why(iterable)):
        loop = _Loop(notes)
        control.for_(iterable, body, names, goes_on)
        loop.end(turns, ", or until it ends before" if goes_on is not None else "")


def while_(
    test: Callable[[], Any],
    body: Callable[[], None],
    names: Sequence[str],
    goes_on: Callable[[], Any] | None = None,
) -> None:
    """`control.while_`, noted."""
    notes = notes_here()
    if notes is None:
        control.while_(test, body, names, goes_on)
        return
    asked = 0

    def counted() -> Any:
        nonlocal asked
        asked += 1
        return test()

    with notes.of_loop("its condition is known"):
        loop = _Loop(notes)
        control.while_(counted, body, names, goes_on)
        if loop.is_node:
            loop.end(None, " that runs as long as its condition holds")
        else:
            loop.end(max(asked - 1, 0))


def _why(iterable: Any) -> str:
    """Why a ``for`` unrolls that was not tried as one node."""
    if turns_of(iterable) is None:
        kind = type(iterable).__name__
        return f"it is over a {kind}, and not over a range or an array"
    return f"loops of fewer than {MIN_TRIPS} turns do"


def _count(iterable: Any) -> int | None:
    """How many turns a ``for`` has, as far as that is known."""
    turns = turns_of(iterable)
    if turns is not None:
        return None if is_traced(turns.count) else turns.count
    return len(iterable) if isinstance(iterable, (list, tuple)) else None  # type: ignore[arg-type]


class _Loop:
    """What the graph was like before a loop, and is after it."""

    def __init__(self, notes: Notes) -> None:
        trace = active_trace()
        self._notes = notes
        self._builder = trace.innermost.builder if trace else Builder("")
        self._before = len(self._builder)

    @property
    def is_node(self) -> bool:
        """Whether it is one node; those of loops inside of it are of other lines."""
        line, values = _line(), cast("dict[str, Node]", self._builder.values)
        new = islice(reversed(values), len(values) - self._before)
        return any((n := values[x]).op == "loop" and n.source == line for x in new)

    def end(self, turns: int | None, rest: str = "") -> None:
        """Note what became of it."""
        nodes = len(self._builder) - self._before
        if nodes and self.is_node:
            self._notes.succeeded()
            self._notes.add(Note(_line(), "loop", rest, turns))
        elif nodes:
            why = self._notes.reason
            self._notes.add(Note(_line(), "unrolled", why, turns, nodes))
        else:
            note("plain", "plain Python: nothing is traced")


def if_(
    test: Any, then: Callable[[], None], other: Callable[[], None], names: Sequence[str]
) -> None:
    """`control.if_`, noted."""
    _note_branch(test)
    control.if_(test, then, other, names)


def choose(test: Any, then: Callable[[], Any], other: Callable[[], Any]) -> Any:
    """`control.choose`, noted."""
    _note_branch(test)
    return control.choose(test, then, other)


def set_item(value: Any, x: Any, index: Any) -> None:
    """`items.set_item`, noted."""
    items.set_item(value, x, index)
    if is_traced(x):
        _note_store(x)


def augment(kind: str, value: Any, other: Any) -> Any:
    """`items.augment`, noted."""
    made = items.augment(kind, value, other)
    if made is value and is_traced(made):
        _note_store(made)
    return made


def _note_store(array: Tracer) -> None:
    if array.known is None:
        note("store", "store: the array has a new value after it")
    else:
        note("plain", "plain Python: a store of known values")


def _note_branch(test: Any) -> None:
    if is_traced(test) and test.known is None:
        note("branch", "branch: both ways are traced, and one runs")
    else:
        note("plain", "plain Python: the condition is known")


def _line() -> SourceLine:
    line = user_line(calling_frame())
    assert line is not None, "an operator is called by the user's code"
    return line
