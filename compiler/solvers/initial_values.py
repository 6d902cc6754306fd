"""`solve_ivp` and `odeint`: ordinary differential equations from a start."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ...ir.errors import ArgumentError
from ..calls.tracebacks import shows_users_frames
from ..counts import check_counts
from ..frontend.calls import takes_functions
from ..loop import map as loops_map
from ..regions import check_functions
from ..tree import flatten, unflatten
from .closed import Closed, Layout, unknown
from .entry import require, solver
from .events import watched
from .integration import How, run, until_event
from .options import (
    behind,
    check_gradient,
    check_lengths,
    check_limits,
    ends,
    for_each,
    in_order,
    times_of,
)
from .refused import refuse_options

__all__ = ["OdeResult", "odeint", "solve_ivp"]

_METHODS = "RK45", "Rodas4", "RK4"


class OdeResult(NamedTuple):
    """What `solve_ivp` found.

    ``t`` are the times, and ``y`` what is there, with the times along its last axis.
    ``success`` is whether the end or an event was reached, ``steps`` how many steps
    were tried. ``t_event`` and ``y_event`` are those of the event that ended it, or of
    the end without one, and ``event`` its place among the events, -1 without one.
    ``t_events`` and ``y_events`` have an array for each of the events: the times, and
    the states along its first axis, NaN behind the last. All of these are None where no
    events were asked for.
    """

    t: Any
    y: Any
    success: Any
    steps: Any
    t_event: Any = None
    y_event: Any = None
    event: Any = None
    t_events: Any = None
    y_events: Any = None


@takes_functions
@shows_users_frames
def solve_ivp(
    f: Callable[..., Any],
    t_span: tuple[Any, Any],
    y0: Any,
    *,
    method: str = "RK45",
    t_eval: Any = None,
    events: Any = None,
    max_events: int = 10,
    args: tuple[Any, ...] = (),
    rtol: float = 1e-6,
    atol: Any = 1e-9,
    first_step: Any = None,
    max_step: Any = None,
    max_steps: int = 100_000,
    steps: int = 100,
    gradient: str = "steps",
    throw: bool = True,
    **others: Any,
) -> OdeResult:
    """Solve dy/dt = ``f(t, y, *args)`` from y0 at the beginning of ``t_span``.

    The derivatives are by ``y0``, the times, ``args`` and all else that ``f`` reads.

    Args:
        f: A function of the time and of a pytree like ``y0``, which returns one of the
            same structure and shapes. For an array it may return a list or a tuple of
            numbers.
        t_span: Where to begin and where to end; the end may come first.
        y0: A pytree of real numbers.
        method: ``RK45``, the method of Dormand and Prince of order 5; ``Rodas4``, a
            method of Rosenbrock of order 4 for stiff systems, with a matrix of
            derivatives in each step; both choose their steps. ``RK4`` makes ``steps``
            equal ones.
        t_eval: The times of the results, from the first to the last; without it those
            of ``t_span``. They do not change the steps of an adaptive method.
        events: A function of t, y and ``args``, or several, that return one number.
            The times are found at which it changes its sign; with a ``direction`` of
            the function above 0 where it becomes positive, below 0 negative. Its
            ``terminal``, True or a number, says whether such an event, or the so many
            first, ends the integration. At the times behind the end the results are
            those of the end, in ``t`` as in ``y``.
            A sign that changes twice within a step is not seen; ``max_step`` helps.
        max_events: How many of each event are results, in ``t_events``.
        args: What ``f`` and the events take behind t and y.
        rtol: The error of a step may be this part of y,
        atol: and this beside it: a number, or one for each of y.
        first_step: How long the first step is tried.
        max_step: How long steps are at most.
        max_steps: The most steps that are tried.
        steps: How many steps of ``RK4`` there are from one time to the next.
        gradient: ``steps`` differentiates what was computed, for which it runs parts
            of it again; ``adjoint`` solves the adjoint equation from the end to the
            beginning, which keeps nothing, and has an error of its own. Forward mode
            differentiates what was computed in either case.
        throw: Whether it is a `DomainError` when running if the end is not reached.
            Else ``success`` says so. So it is with more events than ``max_events``, of
            which else the first are kept.
        others: Options of SciPy's, each of which is refused with what to do instead.

    Returns:
        An `OdeResult`.

    Raises:
        ArgumentError: For another method or gradient, tolerances that are no numbers
            of at least 0 or too many, ``steps`` or ``max_steps`` below 1, a ``t_span``
            that is not two times, another ``terminal``, or what does not go together:
            events with ``RK4`` or ``adjoint``, ``first_step`` or ``max_step`` with
            ``RK4``.
        TraceError: Where ``f`` returns another structure or other shapes.
        DomainError: When running, as ``throw`` says, and where ``t_eval`` is not in the
            order of ``t_span``, or leaves it.

    >>> import numpy as np, anabranch
    >>> made = anabranch.solve_ivp(lambda t, y, k: -k * y, (0, 1), [1.0], args=(2.0,))
    >>> made.y[0].round(6)
    array([1.      , 0.135335])
    """
    refuse_options("solve_ivp", others)
    check_functions("solve_ivp", f)
    check_limits("solve_ivp", rtol=rtol, atol=atol)
    check_counts("solve_ivp", 1, max_steps=max_steps, steps=steps)
    check_lengths("solve_ivp", first_step=first_step, max_step=max_step)
    options = {
        "method": method,
        "events": tuple(events) if isinstance(events, list) else events,
        "max_events": max_events,
        "rtol": rtol,
        "max_steps": max_steps,
        "steps": steps,
        "gradient": gradient,
        "throw": throw,
    }
    named = {
        "t_eval": t_eval,
        "args": args,
        "atol": atol,
        "first_step": first_step,
        "max_step": max_step,
    }
    return solver(solve_ivp, _solve_ivp, f, (t_span, y0), options, **named)


@takes_functions
@shows_users_frames
def odeint(
    f: Callable[..., Any],
    y0: Any,
    t: Any,
    *args: Any,
    rtol: float = 1.4e-8,
    atol: Any = 1.4e-8,
    max_steps: int = 100_000,
    gradient: str = "steps",
    **others: Any,
) -> Any:
    """Solve dy/dt = ``f(y, t, *args)`` from y0 at the first of the times ``t``.

    `solve_ivp` by the method of Dormand and Prince, in the form of SciPy's and JAX's
    function of this name.

    Args:
        f: A function of a pytree like ``y0`` and of the time, which returns one of the
            same structure and shapes.
        y0: A pytree of real numbers.
        t: The times of the results, an array that goes up or down.
        args: What ``f`` takes behind y and t.
        rtol: As in `solve_ivp`.
        atol: As in `solve_ivp`.
        max_steps: As in `solve_ivp`.
        gradient: As in `solve_ivp`.
        others: As in `solve_ivp`.

    Returns:
        y at the times, which are the first axis of each array.

    Raises:
        DomainError: When running, where the last time is not reached, or the times do
            not go one way.

    >>> import numpy as np, anabranch
    >>> t = np.linspace(0, 1, 3)
    >>> anabranch.odeint(lambda y, t: -y, 1.0, t).round(6)
    array([1.      , 0.606531, 0.367879])
    """
    refuse_options("odeint", others)
    check_functions("odeint", f)
    check_limits("odeint", rtol=rtol, atol=atol)
    check_counts("odeint", 1, max_steps=max_steps)
    options = {"rtol": rtol, "max_steps": max_steps, "gradient": gradient}
    return solver(odeint, _odeint, f, (y0, t, *args), options, atol=atol)


def _odeint(
    f: Callable[..., Any],
    y0: Any,
    t: Any,
    *args: Any,
    rtol: float,
    atol: Any,
    max_steps: int,
    gradient: str,
) -> Any:
    check_gradient("odeint", gradient)
    start, lay = unknown("the y0 of odeint", y0)
    times = times_of("odeint", "t", t, lay.dtype)
    times = in_order("odeint", times[0], times, times[-1])
    slope = _slope(lambda t, y: f(y, t, *args), "odeint", lay, f)
    atol = for_each("odeint", atol, lay.size, lay.dtype)
    how = How("RK45", rtol, atol, max_steps, 0)
    made = run(how, gradient, slope, start, times[0], times)
    rows = require(made[0], made[1], _FAILED.format("odeint"))
    return _along_first(lay, rows)


_FAILED = (
    "{}: the end is not reached: max_steps is too small, or a step became too short"
)


def _along_first(lay: Layout, rows: Any) -> Any:
    """Vectors in rows as a pytree whose arrays have a first axis more."""
    return loops_map(lay.unravel, rows)


def _slope(
    f: Callable[[Any, Any], Any], what: str, lay: Layout, user: Callable[..., Any]
) -> Closed:
    """A function of time and state as one of a number and a vector."""

    def value(t: Any, y: Any) -> Any:
        return lay.ravel(f"the function of {what}", f(t, lay.unravel(y)))

    types = [lay.type.with_shape(()), lay.type]
    return Closed.of(f"the function of {what}", value, types, user)


def _solve_ivp(
    f: Callable[..., Any],
    t_span: tuple[Any, Any],
    y0: Any,
    *,
    method: str,
    t_eval: Any,
    events: Any,
    max_events: int,
    args: tuple[Any, ...],
    rtol: float,
    atol: Any,
    first_step: Any,
    max_step: Any,
    max_steps: int,
    steps: int,
    gradient: str,
    throw: bool,
) -> OdeResult:
    if method not in _METHODS:
        raise ArgumentError(
            f"solve_ivp: no method {method!r}", hint=f"one of {', '.join(_METHODS)}"
        )
    check_gradient("solve_ivp", gradient)
    args = behind("solve_ivp", args)
    start, lay = unknown("the y0 of solve_ivp", y0)
    t, end = ends("solve_ivp", t_span, lay.dtype)
    times = np.stack([t, end]) if t_eval is None else t_eval
    times = times_of("solve_ivp", "t_eval", times, lay.dtype)
    times = in_order("solve_ivp", t, times, end)
    slope = _slope(lambda t, y: f(t, y, *args), "solve_ivp", lay, f)
    if method == "RK4" and not (first_step is None and max_step is None):
        raise ArgumentError(
            "solve_ivp: RK4 makes equal steps, and has no first_step nor max_step",
            hint="say how many there are with steps",
        )
    atol = for_each("solve_ivp", atol, lay.size, lay.dtype)
    how = How(method, rtol, atol, max_steps, steps, first_step, max_step)
    event: tuple[Any, ...] = ()
    several = list(events) if isinstance(events, (list, tuple)) else [events]
    several = [] if several == [None] else several
    check_functions("an event of solve_ivp", *several)
    if not several:
        rows, done, count = run(how, gradient, slope, start, t, times)
    elif method == "RK4" or gradient == "adjoint":
        raise ArgumentError(
            "solve_ivp: events need a method that chooses its steps, and gradient="
            "'steps'",
            hint="leave out events, or take method='RK45' or 'Rodas4'",
        )
    else:
        given = watched(several, lay, args, max_events)
        (times, rows, done, count), last, found = until_event(
            how, slope, given, start, t, times, end, throw=throw
        )
        whens, states = zip(*found, strict=True)
        states = tuple([_along_first(lay, state) for state in states])
        event = last.t, lay.unravel(last.y), last.index, whens, states
    if throw:
        rows = require(rows, done, _FAILED.format("solve_ivp"))
    last, tree = flatten(_along_first(lay, rows))
    y = unflatten(tree, [np.moveaxis(leaf, 0, -1) for leaf in last])
    return OdeResult(times, y, done, count, *event)
