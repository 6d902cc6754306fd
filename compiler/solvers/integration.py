"""Integrations: the states at given times, by steps of one method or of another."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ..functions import stop_gradient
from ..loop import fori_loop, scan
from .backwards import with_continuous_adjoint
from .closed import Closed
from .entry import require
from .events import Event, Watched, all_events, last_event
from .rosenbrock import rodas
from .runge_kutta import dormand_prince, rk4
from .stepping import Steps, along, first_state

__all__ = ["How", "run", "until_event"]

_MANY = "solve_ivp: there are more events than max_events"


class How(NamedTuple):
    """The options of an integration."""

    method: str
    rtol: float
    atol: Any
    max_steps: int
    steps: int
    first: Any = None
    longest: Any = None


def run(
    how: How, gradient: str, slope: Closed, y: Any, t: Any, times: Any
) -> tuple[Any, ...]:
    """The states at the times, whether the last is reached, and how many steps."""
    if gradient == "adjoint":
        least = np.min(how.atol) if np.ndim(how.atol) else how.atol
        ways = partial(integrated, how), partial(integrated, how._replace(atol=least))
        return with_continuous_adjoint(*ways, slope, y, t, times)
    return integrated(how, slope, slope.reads, y, t, times)


def integrated(
    how: How, slope: Closed, reads: Sequence[Any], y: Any, t: Any, times: Any
) -> tuple[Any, ...]:
    """What `run` makes, by plain steps."""
    if how.method == "RK4":
        return _fixed(how.steps, lambda t, y: slope(t, y, *reads), y, t, times)
    steps = _steps(how, slope, reads)
    state = first_state(steps, lambda t, y: slope(t, y, *reads), t, y, times[-1])
    state, rows = along(steps, state, times, times[-1])
    return rows, ~state.failed, state.count


def _fixed(steps: int, slope: Any, y: Any, t: Any, times: Any) -> tuple[Any, ...]:
    """As many equal steps of RK4 from each time to the next."""

    def to(state: Any, target: Any) -> Any:
        t, y = state
        h = (target - t) / steps
        y = fori_loop(0, steps, lambda i, y: rk4(slope, t + i * h, y, h), y)
        return (target, y), y

    _, rows = scan(to, (t, y), times)
    done = np.all(np.isfinite(stop_gradient(rows)))
    return rows, done, np.int64(steps * np.shape(times)[0])


def _steps(how: How, slope: Closed, reads: Sequence[Any], **watch: Any) -> Steps:
    """How an adaptive method makes its steps."""

    def value(t: Any, y: Any) -> Any:
        return slope(t, y, *reads)

    def derivatives(t: Any, y: Any) -> Any:
        one = y.dtype.type(1)
        by_t = slope.push(t, y, *reads, one, by=0)
        return by_t, slope.jacobian(t, y, *reads, by=1)

    adaptive = {
        "RK45": (partial(dormand_prince, value), 5, 4),
        "Rodas4": (partial(rodas, value, derivatives), 4, 3),
    }
    made = Steps(*adaptive[how.method], how.rtol, how.atol, how.max_steps)
    return made._replace(first=how.first, longest=how.longest, **watch)


def until_event(
    how: How,
    slope: Closed,
    given: Watched,
    y: Any,
    t: Any,
    times: Any,
    end: Any,
    *,
    throw: bool,
) -> tuple[tuple[Any, ...], Event, list[tuple[Any, Any]]]:
    """The times up to the last event and what `run` makes, that event, and all events.

    With ``throw`` it is an error when running if some of these are not kept.
    """
    reads = slope.reads
    steps = _steps(how, slope, reads, **given.options())
    state = first_state(steps, lambda t, y: slope(t, y, *reads), t, y, end)
    way = np.sign(stop_gradient(end - t))
    targets = np.concatenate([times, np.reshape(end, (1,))])
    state, rows = along(steps, state, targets, end)
    last = last_event(given, state, end)
    behind = (times - last.t) * way > 0
    reached = np.where(behind, last.t, times)
    rows = np.where(np.reshape(behind, (-1, 1)), last.y, rows[:-1])
    if throw and given.kept:
        rows = require(rows, np.all(state.found.counts <= given.kept), _MANY)
    found = all_events(given, steps, state, last, way)
    return (reached, rows, ~state.failed, state.count), last, found
