"""Events: the times at which functions of time and state change their sign."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...ir.errors import ArgumentError, TraceError
from ..counts import check_counts
from ..loop import fori_loop
from ..loop import map as loops_map
from .closed import Closed, Layout, array
from .constants import full, here, positions
from .implicit import implicit
from .stepping import State, Steps, between, part_of

__all__ = ["Event", "Watched", "all_events", "last_event", "watched"]

_HALVES = 60  # of a step, of which a float has less digits


class Event(NamedTuple):
    """When the event was that ended it, the state then, and which: -1 for none."""

    t: Any
    y: Any
    index: Any


class Watched(NamedTuple):
    """Events as functions of a number and a vector, and what SciPy reads off them.

    ``terminal`` has how many of them end the integration, 0 for none; ``kept`` of each
    are results.
    """

    functions: Sequence[Callable[[Any, Any], Any]]
    directions: np.ndarray[Any, Any]
    terminal: np.ndarray[Any, Any]
    kept: int

    def options(self) -> dict[str, Any]:
        """What the steps have to know."""

        def watch(t: Any, y: Any) -> Any:
            return np.stack([function(t, y) for function in self.functions])

        return {
            "watch": watch,
            "directions": self.directions,
            "terminal": self.terminal,
            "kept": self.kept,
        }


def watched(
    events: Sequence[Callable[..., Any]], lay: Layout, args: Sequence[Any], most: int
) -> Watched:
    """The events of a call, of which ``most`` of each are kept."""
    check_counts("solve_ivp", 0, max_events=most)
    ends = [getattr(event, "terminal", 0) for event in events]
    for terminal in ends:
        if not isinstance(terminal, (bool, int, np.integer)) or terminal < 0:
            raise ArgumentError(
                f"solve_ivp: the terminal of an event is {terminal!r}",
                hint="True, or how many of it end the integration",
            )
    terminal = np.array([int(one) for one in ends])
    if terminal.all():
        most = min(most, int(terminal.max()))
    directions = np.array([float(getattr(one, "direction", 0)) for one in events])
    functions = [_watch(event, lay, args) for event in events]
    return Watched(functions, directions, terminal, most)


def _watch(event: Callable[..., Any], lay: Layout, args: Sequence[Any]) -> Any:
    """An event as a function of a number and a vector."""

    def value(t: Any, y: Any) -> Any:
        found = event(t, lay.unravel(y), *args)
        if np.size(found) != 1:
            raise TraceError(
                f"an event returns a value of shape {np.shape(found)}, not one number"
            )
        return np.reshape(array(found, lay.dtype), ())

    return value


def last_event(given: Watched, state: State, end: Any) -> Event:
    """The first event in the last step that ends it; without one the end.

    The part of the step at which a function is zero is a root, and has the derivatives
    of one.
    """
    step = state.t_before, state.last, state.y_before, state.rows
    parts = np.stack(
        [
            _part(function, *step, state.hit[i])
            for i, function in enumerate(given.functions)
        ]
    )
    hit, part = np.any(state.hit), np.min(parts)
    t = np.where(hit, state.t_before + part * state.last, end)
    y = between(state.y_before, state.rows, np.where(hit, part, part_of(state, end)))
    return Event(t, y, np.where(hit, np.argmin(parts), -1))


def all_events(
    given: Watched, steps: Steps, state: State, last: Event, way: Any
) -> list[tuple[Any, Any]]:
    """The times and the states of each event, up to the last one; NaN behind them."""
    size = last.y.shape[0]
    slots = positions(given.kept)
    made: list[tuple[Any, Any]] = []
    for i, function in enumerate(given.functions):
        there = slots < state.found.counts[i]
        noted = state.found.steps[i * given.kept : (i + 1) * given.kept]

        def found(row: Any, function: Any = function) -> tuple[Any, Any]:
            step, there = row
            step = np.where(there, step, step.dtype.type(1))
            t, h, y = step[0], step[1], step[2 : 2 + size]
            rows = np.reshape(step[2 + size :], (steps.rows, size))
            part = _part(function, t, h, y, rows, there)
            return t + part * h, between(y, rows, part)

        t, y = loops_map(found, (noted, there))
        there = there & ((t - last.t) * way <= 0)
        made.append(
            (
                np.where(there, t, t.dtype.type(np.nan)),
                np.where(np.reshape(there, (-1, 1)), y, y.dtype.type(np.nan)),
            )
        )
    return made


def _part(
    watch: Callable[[Any, Any], Any], t: Any, h: Any, y: Any, rows: Any, hit: Any
) -> Any:
    """The part of a step at which a function is zero; 1 where it is not."""

    def value(part: Any) -> Any:
        found = watch(t + part[0] * h, between(y, rows, part[0]))
        return np.reshape(np.where(hit, found, part[0] - 1), (1,))

    type_ = here().node(np.reshape(h, (1,))).type
    closed = Closed.of("an event", value, [type_], watch)
    start = full((1,), 1.0, type_.numpy)
    return implicit(closed, _halved, start, dense=True)[0][0]


def _halved(f: Any, start: Any, reads: Any) -> Any:
    """The zero between 0 and 1, by halving."""
    zero = start - start
    below = f(zero) < 0

    def step(_: Any, ends: Any) -> Any:
        low, high = ends
        middle = (low + high) / 2
        before = (f(middle) < 0) == below
        return np.where(before, middle, low), np.where(before, high, middle)

    return (fori_loop(0, _HALVES, step, (zero, start))[1],)
