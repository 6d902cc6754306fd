"""`solve_ivp` and `odeint`: ordinary differential equations from a start."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ...ir.errors import ArgumentError, TraceError
from ..frontend.calls import takes_functions
from ..functions import stop_gradient
from ..loop import fori_loop, scan
from ..loop import map as loops_map
from ..tree import flatten, unflatten
from .backwards import with_continuous_adjoint
from .closed import Closed, Layout, array, unknown
from .entry import require, solver
from .events import Event, first_event
from .rosenbrock import rodas
from .runge_kutta import dormand_prince, rk4
from .stepping import Steps, along, first_state

__all__ = ["OdeResult", "odeint", "solve_ivp"]

_METHODS = "RK45", "Rodas4", "RK4"
_GRADIENTS = "steps", "adjoint"


class OdeResult(NamedTuple):
    """What `solve_ivp` found.

    ``t`` are the times, and ``y`` what is there, with the times along its last axis.
    ``success`` is whether the end or an event was reached, ``steps`` how many steps
    were tried. ``t_event`` and ``y_event`` are those of the first event, or of the end
    without one, and ``event`` its place among the events, -1 without one. They are None
    where no events were asked for.
    """

    t: Any
    y: Any
    success: Any
    steps: Any
    t_event: Any = None
    y_event: Any = None
    event: Any = None


@takes_functions
def solve_ivp(
    f: Callable[..., Any],
    t_span: tuple[Any, Any],
    y0: Any,
    *,
    method: str = "RK45",
    t_eval: Any = None,
    events: Any = None,
    args: tuple[Any, ...] = (),
    rtol: float = 1e-6,
    atol: Any = 1e-9,
    max_steps: int = 100_000,
    steps: int = 100,
    gradient: str = "steps",
    throw: bool = True,
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
        events: A function of t, y and ``args``, or several, that return one number. The
            first change of sign ends the integration; a ``direction`` of the function
            above 0 has it end only where the sign becomes positive, below 0 negative.
            At the times behind the event the results are those of the event, in ``t``
            as in ``y``.
            A sign that changes twice within a step is not seen.
        args: What ``f`` and the events take behind t and y.
        rtol: The error of a step may be this part of y,
        atol: and this beside it: a number, or one for each of y.
        max_steps: The most steps that are tried.
        steps: How many steps of ``RK4`` there are from one time to the next.
        gradient: ``steps`` differentiates what was computed, for which it runs parts
            of it again; ``adjoint`` solves the adjoint equation from the end to the
            beginning, which keeps nothing, has an error of its own, and is for reverse
            mode alone.
        throw: Whether it is a `DomainError` when running if the end is not reached.
            Else ``success`` says so.

    Returns:
        An `OdeResult`.

    Raises:
        ArgumentError: For another method or gradient, a negative tolerance, no
            ``steps``, or what does not go together: events with ``RK4`` or ``adjoint``.
        TraceError: Where ``f`` returns another structure or other shapes.
        DomainError: When running, as ``throw`` says, and where ``t_eval`` is not in the
            order of ``t_span``, or leaves it.

    >>> import numpy as np, anabranch
    >>> made = anabranch.solve_ivp(lambda t, y, k: -k * y, (0, 1), [1.0], args=(2.0,))
    >>> made.y[0].round(6)
    array([1.      , 0.135335])
    """
    _check_tolerances("solve_ivp", rtol, atol)
    options = {
        "method": method,
        "events": tuple(events) if isinstance(events, list) else events,
        "rtol": rtol,
        "max_steps": max_steps,
        "steps": steps,
        "gradient": gradient,
        "throw": throw,
    }
    named = {"t_eval": t_eval, "args": args, "atol": atol}
    return solver(solve_ivp, _solve_ivp, f, (t_span, y0), options, **named)


@takes_functions
def odeint(
    f: Callable[..., Any],
    y0: Any,
    t: Any,
    *args: Any,
    rtol: float = 1.4e-8,
    atol: Any = 1.4e-8,
    max_steps: int = 100_000,
    gradient: str = "steps",
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
    _check_tolerances("odeint", rtol, atol)
    options = {"rtol": rtol, "max_steps": max_steps, "gradient": gradient}
    return solver(odeint, _odeint, f, (y0, t, *args), options, atol=atol)


class _How(NamedTuple):
    """The options of an integration."""

    method: str
    rtol: float
    atol: Any
    max_steps: int
    steps: int


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
    if np.ndim(t) != 1 or not np.shape(t)[0]:
        raise ArgumentError("odeint: t is an array of times, of one axis")
    check_gradient("odeint", gradient)
    start, lay = unknown("the y0 of odeint", y0)
    times = array(t, lay.dtype)
    times = _in_order("odeint", times[0], times, times[-1])
    slope = _slope(lambda t, y: f(y, t, *args), "odeint", lay, f)
    how = _How("RK45", rtol, atol, max_steps, 0)
    made = _run(how, gradient, slope, start, times[0], times)
    rows = require(made[0], made[1], _FAILED.format("odeint"))
    return _along_first(lay, rows)


_UNORDERED = "{}: the times do not go from the beginning to the end"
_FAILED = (
    "{}: the end is not reached: max_steps is too small, or a step became too short"
)


def _in_order(what: str, t: Any, times: Any, end: Any) -> Any:
    """The times, but an error when running where one is in front of the one before."""
    way = np.sign(stop_gradient(end - t))
    whole = np.concatenate([np.reshape(t, (1,)), times, np.reshape(end, (1,))])
    apart = stop_gradient(whole[1:] - whole[:-1])
    return require(times, np.all(apart * way >= 0), _UNORDERED.format(what))


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


def check_gradient(what: str, gradient: str) -> None:
    if gradient not in _GRADIENTS:
        raise ArgumentError(
            f"{what}: no gradient {gradient!r}", hint=f"one of {', '.join(_GRADIENTS)}"
        )


def _check_tolerances(what: str, rtol: float, atol: Any) -> None:
    for name, given in {"rtol": rtol, "atol": atol}.items():
        if isinstance(given, (int, float, np.ndarray)) and np.any(np.less(given, 0)):
            raise ArgumentError(f"{what}: {name}={given} is negative")


def _run(
    how: _How, gradient: str, slope: Closed, y: Any, t: Any, times: Any
) -> tuple[Any, ...]:
    """The states at the times, whether the last is reached, and how many steps."""
    if gradient == "adjoint":
        least = np.min(how.atol) if np.ndim(how.atol) else how.atol
        ways = partial(integrated, how), partial(integrated, how._replace(atol=least))
        return with_continuous_adjoint(*ways, slope, y, t, times)
    return integrated(how, slope, slope.reads, y, t, times)


def integrated(
    how: _How, slope: Closed, reads: Sequence[Any], y: Any, t: Any, times: Any
) -> tuple[Any, ...]:
    """What `_run` makes, by plain steps."""
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


def _steps(how: _How, slope: Closed, reads: Sequence[Any], **watch: Any) -> Steps:
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
    return Steps(*adaptive[how.method], how.rtol, how.atol, how.max_steps, **watch)


def _solve_ivp(
    f: Callable[..., Any],
    t_span: tuple[Any, Any],
    y0: Any,
    *,
    method: str,
    t_eval: Any,
    events: Any,
    args: tuple[Any, ...],
    rtol: float,
    atol: Any,
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
    if steps < 1:
        raise ArgumentError(f"solve_ivp: steps={steps}, and RK4 makes at least one")
    start, lay = unknown("the y0 of solve_ivp", y0)
    t, end = [array(time, lay.dtype) for time in t_span]
    times = np.stack([t, end]) if t_eval is None else array(t_eval, lay.dtype)
    if np.ndim(times) != 1 or not np.shape(times)[0]:
        raise ArgumentError("solve_ivp: t_eval is an array of times, of one axis")
    times = _in_order("solve_ivp", t, times, end)
    slope = _slope(lambda t, y: f(t, y, *args), "solve_ivp", lay, f)
    how = _How(method, rtol, atol, max_steps, steps)
    event: tuple[Any, ...] = ()
    several = list(events) if isinstance(events, (list, tuple)) else [events]
    if several in ([], [None]):
        rows, done, count = _run(how, gradient, slope, start, t, times)
    elif method == "RK4" or gradient == "adjoint":
        raise ArgumentError(
            "solve_ivp: events need a method that chooses its steps, and gradient="
            "'steps'",
            hint="leave out events, or take method='RK45' or 'Rodas4'",
        )
    else:
        ways = np.array([getattr(one, "direction", 0) for one in several])
        watches = [_watch(one, lay, args) for one in several]
        (times, rows, done, count), found = _until_event(
            how, slope, watches, ways, start, t, times, end
        )
        event = found.t, lay.unravel(found.y), found.index
    if throw:
        rows = require(rows, done, _FAILED.format("solve_ivp"))
    last, tree = flatten(_along_first(lay, rows))
    y = unflatten(tree, [np.moveaxis(leaf, 0, -1) for leaf in last])
    return OdeResult(times, y, done, count, *event)


def _until_event(
    how: _How,
    slope: Closed,
    watches: Sequence[Any],
    directions: Any,
    y: Any,
    t: Any,
    times: Any,
    end: Any,
) -> tuple[tuple[Any, ...], Event]:
    """The times up to the first event, and what `_run` makes, and that event."""

    def watch(t: Any, y: Any) -> Any:
        return np.stack([watch(t, y) for watch in watches])

    reads = slope.reads
    steps = _steps(how, slope, reads, watch=watch, directions=directions)
    state = first_state(steps, lambda t, y: slope(t, y, *reads), t, y, end)
    way = np.sign(stop_gradient(end - t))
    targets = np.concatenate([times, np.reshape(end, (1,))])
    state, rows = along(steps, state, targets, end)
    event = first_event(watches, state, end)
    behind = (times - event.t) * way > 0
    reached = np.where(behind, event.t, times)
    rows = np.where(np.reshape(behind, (-1, 1)), event.y, rows[:-1])
    return (reached, rows, ~state.failed, state.count), event


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
