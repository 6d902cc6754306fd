"""Adaptive steps from one time to the next, in a loop of unknown length.

The length of a step is chosen by what it does to the error, and has no derivative: the
result depends on it as little as on the error. All else of a step is differentiated, in
segments that a gradient runs again (`ir.ops.loop_segments`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..functions import stop_gradient
from ..loop import scan, while_loop
from .closed import array
from .constants import full
from .runge_kutta import Made, Slope

__all__ = ["Found", "State", "Steps", "along", "between", "first_state", "part_of"]

_SAFETY, _SHRINK, _GROW = 0.9, 0.2, 10.0


class Steps(NamedTuple):
    """How steps are made.

    ``attempt(t, y, slope, h)`` makes one; ``rows`` are those of its polynomial and
    ``order`` is one more than that of its error. The first one may be given, and how
    long they are at most. ``watch(t, y)`` are the values whose signs are watched, each
    in one direction or in both; there may be none. So many changes of a sign end the
    integration as ``terminal`` says, 0 for none, and the first ``kept`` are kept.
    """

    attempt: Callable[..., Made]
    order: int
    rows: int
    rtol: Any
    atol: Any
    most: int
    first: Any = None
    longest: Any = None
    watch: Callable[[Any, Any], Any] | None = None
    directions: Any = None
    terminal: Any = None
    kept: int = 0


class Found(NamedTuple):
    """How often each sign changed, and the steps in which it did.

    A row of ``steps`` has the time and the state before a step, its length, and the
    rows of its polynomial; there are as many for each sign as are kept.
    """

    counts: Any
    steps: Any


class State(NamedTuple):
    """Where the integration is, and the last step that led there.

    ``h`` is the step to try next, ``last`` the one that was made, from ``y_before`` at
    ``t_before``. ``hit`` says which signs end the integration in it. ``failed`` is set
    where there were too many steps, or one too short to make a difference.
    """

    t: Any
    y: Any
    slope: Any
    h: Any
    t_before: Any
    y_before: Any
    last: Any
    rows: Any
    watched: Any
    hit: Any
    found: Any
    failed: Any
    count: Any


def first_state(steps: Steps, slope: Slope, t: Any, y: Any, end: Any) -> State:
    """The beginning, and how long the first step is.

    Hairer, Nørsett and Wanner, Solving Ordinary Differential Equations I, 2nd edition,
    section II.4.
    """
    k = slope(t, y)
    h = steps.first if steps.first is not None else _first(steps, slope, t, y, k, end)
    h = stop_gradient(array(h, y.dtype))
    h = _limited(steps, np.where(end >= t, h, -h))
    watched, hit, found = None, None, None
    if steps.watch:
        watched = steps.watch(t, y)
        hit = full(watched.shape, False, bool)
        size = 2 + (1 + steps.rows) * y.shape[0]
        rows = full((watched.shape[0] * steps.kept, size), np.nan, y.dtype)
        found = Found(full(watched.shape, 0, np.int64), rows)
    before = t, y, y.dtype.type(0), full((steps.rows, y.shape[0]), 0.0, y.dtype)
    failed, count = np.bool_(False), np.int64(0)
    return State(t, y, k, h, *before, watched, hit, found, failed, count)


def _first(steps: Steps, slope: Slope, t: Any, y: Any, k: Any, end: Any) -> Any:
    d, f, start = stop_gradient(y), stop_gradient(k), stop_gradient(t)
    scale = steps.atol + steps.rtol * np.abs(d)
    way = np.where(end >= t, 1, -1).astype(y.dtype)
    size, speed = _mean(d / scale), _mean(f / scale)
    tiny = (size < 1e-5) | (speed < 1e-5)
    h = np.where(tiny, 1e-6, 0.01 * size / np.where(tiny, 1, speed)).astype(y.dtype)
    h = np.minimum(h, np.abs(stop_gradient(end) - start))
    changed = stop_gradient(slope(start + way * h, d + way * h * f))
    bend = _mean((changed - f) / scale) / np.where(h > 0, h, 1)
    most = np.maximum(speed, bend)
    flat = most <= 1e-15
    power = np.where(flat, 1, 0.01 / np.where(flat, 1, most)) ** (1 / steps.order)
    longer = np.where(flat, np.maximum(1e-6, h * 1e-3), power)
    return np.minimum(100 * h, longer)


def _limited(steps: Steps, h: Any) -> Any:
    if steps.longest is None:
        return h
    longest = stop_gradient(array(steps.longest, h.dtype))
    return np.clip(h, -longest, longest)


def _mean(x: Any) -> Any:
    """The root of the mean of squares."""
    return np.sqrt(np.mean(x * x))


def along(steps: Steps, state: State, targets: Any, end: Any) -> tuple[State, Any]:
    """The state at the last of the ``targets``, and y at each of them.

    ``end`` is the time that no step goes beyond.
    """
    end = stop_gradient(end)
    kind = state.y.dtype.type
    way = np.sign(end - stop_gradient(state.t))

    def goes_on(state: State, target: Any) -> Any:
        short = (target - state.t) * way > 0
        going = short & ~state.failed
        return going if state.hit is None else going & ~np.any(state.hit)

    def step(state: State) -> State:
        left = end - stop_gradient(state.t)
        reaches = np.abs(state.h) >= np.abs(left) * kind(1 - 1e-10)
        h = stop_gradient(np.where(reaches, left, state.h))
        made = steps.attempt(state.t, state.y, state.slope, h)
        largest = np.maximum(np.abs(state.y), np.abs(made.y))
        scale = steps.atol + steps.rtol * largest
        error = stop_gradient(_mean(made.error / scale))
        fine = error <= 1  # and not where it is NaN
        safe = np.where(error > 1e-10, error, kind(1e-10))
        factor = np.clip(_SAFETY * safe ** kind(-1 / steps.order), _SHRINK, _GROW)
        factor = np.where(fine, factor, np.minimum(factor, kind(1)))
        factor = np.where(np.isfinite(error), factor, kind(_SHRINK))
        t = np.where(reaches, end, state.t + h)
        least = 10 * np.finfo(state.y.dtype).eps * np.abs(state.t)
        tiny = ~(np.abs(h) > least)  # or NaN
        count = state.count + 1
        watched, hit, found = state.watched, state.hit, state.found
        if steps.watch:
            watched = steps.watch(t, made.y)
            crossed = fine & _crossed(steps, state.watched, watched)
            found = _noted(steps, state, h, made.rows, crossed)
            ends = steps.terminal > 0
            hit = crossed & ends & (found.counts >= steps.terminal)
        there = fine & reaches if hit is None else (fine & reaches) | np.any(hit)

        def kept(new: Any, old: Any) -> Any:
            return np.where(fine, new, old)

        return State(
            kept(t, state.t),
            kept(made.y, state.y),
            kept(made.slope, state.slope),
            _limited(steps, stop_gradient(h * factor)),
            kept(state.t, state.t_before),
            kept(state.y, state.y_before),
            kept(h, state.last),
            kept(made.rows, state.rows),
            None if watched is None else kept(watched, state.watched),
            hit,
            found,
            (~fine & tiny) | (~there & (count >= steps.most)),
            count,
        )

    def to(state: State, target: Any) -> tuple[State, Any]:
        state = while_loop(lambda state: goes_on(state, target), step, state)
        y = between(state.y_before, state.rows, part_of(state, target))
        beyond = state.failed & ((target - state.t) * way > 0)
        return state, np.where(beyond, kind(np.nan), y)

    return scan(to, state, targets)


def _crossed(steps: Steps, before: Any, after: Any) -> Any:
    up, down = (before < 0) & (after >= 0), (before > 0) & (after <= 0)
    return (up & (steps.directions >= 0)) | (down & (steps.directions <= 0))


def _noted(steps: Steps, state: State, h: Any, rows: Any, crossed: Any) -> Found:
    """What was found, with a step in which signs change."""
    counts, kept = state.found.counts, steps.kept
    if not kept:
        return Found(counts + crossed, state.found.steps)
    step = np.concatenate([np.stack([state.t, h]), state.y, np.reshape(rows, (-1,))])
    noted = state.found.steps.copy()
    for i in range(counts.shape[0]):
        place = i * kept + np.minimum(counts[i], kept - 1)
        new = crossed[i] & (counts[i] < kept)
        noted[place] = np.where(new, step, noted[place])
    return Found(counts + crossed, noted)


def part_of(state: State, target: Any) -> Any:
    """Which part of the last step leads to a time."""
    made = state.last != 0
    return np.where(
        made, (target - state.t_before) / np.where(made, state.last, 1), state.last
    )


def between(before: Any, rows: Any, part: Any) -> Any:
    """The y at a part of a step, from the rows of its polynomial."""
    y = rows[-1]
    for row in range(rows.shape[0] - 2, -1, -1):
        y = rows[row] + part * y
    return before + part * y
