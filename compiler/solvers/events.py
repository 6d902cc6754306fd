"""Events: the first time at which a function of time and state changes its sign."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..loop import fori_loop
from .closed import Closed
from .constants import full, here
from .implicit import implicit
from .stepping import State, between, part_of

__all__ = ["Event", "first_event"]

_HALVES = 60  # of a step, of which a float has less digits


class Event(NamedTuple):
    """When the first event was, the state then, and which it was: -1 for none."""

    t: Any
    y: Any
    index: Any


def first_event(
    watches: Sequence[Callable[[Any, Any], Any]], state: State, end: Any
) -> Event:
    """The first event in the last step; without one the end, and the state there.

    The part of the step at which a function is zero is a root, and has the derivatives
    of one.
    """
    parts = np.stack(
        [_part(watch, state, state.hit[i]) for i, watch in enumerate(watches)]
    )
    hit, part = np.any(state.hit), np.min(parts)
    t = np.where(hit, state.t_before + part * state.last, end)
    y = between(state, np.where(hit, part, part_of(state, end)))
    return Event(t, y, np.where(hit, np.argmin(parts), -1))


def _part(watch: Callable[[Any, Any], Any], state: State, hit: Any) -> Any:
    """The part of the last step at which a function is zero; 1 where it is not."""

    def value(part: Any) -> Any:
        t = state.t_before + part[0] * state.last
        found = watch(t, between(state, part[0]))
        return np.reshape(np.where(hit, found, part[0] - 1), (1,))

    type_ = here().node(np.reshape(state.last, (1,))).type
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
