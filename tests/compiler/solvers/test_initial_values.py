"""`solve_ivp` and `odeint`: SciPy's solutions, exact ones, and their derivatives."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
import scipy.integrate
import scipy.optimize

import anabranch
from anabranch import ArgumentError, DomainError, TraceError
from anabranch.compiler.solvers.refused import REFUSED

A = np.array([1.1, 0.4, 0.4, 0.1])
START = np.array([10.0, 5.0])
TIMES = np.linspace(0.0, 6.0, 5)
TIGHT: Any = {"rtol": 1e-10, "atol": 1e-12}


def hunters(t: Any, y: Any, a: Any) -> Any:
    """A list, as SciPy takes it."""
    return [y[0] * (a[0] - a[1] * y[1]), y[1] * (-a[2] + a[3] * y[0])]


@pytest.fixture(scope="module")
def truth() -> Any:
    span = 0, TIMES[-1]
    exact: Any = {"rtol": 1e-12, "atol": 1e-12, "method": "DOP853"}
    made = scipy.integrate.solve_ivp(
        hunters, span, START, t_eval=TIMES, args=(A,), **exact
    )
    return made.y


@pytest.mark.parametrize(
    ("method", "error"), [("RK45", 1e-8), ("Rodas4", 1e-8), ("RK4", 1e-6)]
)
def test_the_solution_is_that_of_scipy(method: str, error: float, truth: Any) -> None:
    made = anabranch.solve_ivp(
        hunters, (0, 6), START, t_eval=TIMES, args=(A,), method=method, **TIGHT
    )
    np.testing.assert_allclose(made.y, truth, rtol=error)
    np.testing.assert_array_equal(made.t, TIMES)
    assert made.success


def test_backends_agree(backend: str, truth: Any) -> None:
    made = anabranch.jit(
        lambda a: anabranch.odeint(lambda y, t: hunters(t, y, a), START, TIMES),
        backend=backend,
    )(A)
    np.testing.assert_allclose(made, truth.T, rtol=1e-6)


def test_steps_are_as_many_as_those_of_scipy() -> None:
    options: Any = {"rtol": 1e-8, "atol": 1e-10}
    made = anabranch.solve_ivp(hunters, (0, 6), START, args=(A,), **options)
    theirs = scipy.integrate.solve_ivp(hunters, (0, 6), START, args=(A,), **options)
    assert abs(made.steps - len(theirs.t)) <= 0.2 * len(theirs.t)
    np.testing.assert_allclose(made.y[:, -1], theirs.y[:, -1], rtol=1e-6)


@pytest.mark.parametrize(
    ("method", "gradient"),
    [("RK45", "steps"), ("RK45", "adjoint"), ("Rodas4", "steps"), ("RK4", "steps")],
)
def test_derivatives_by_what_there_is(method: str, gradient: str) -> None:
    """By a, the start and both times, of y' = -a y², where y = y0 / (1 + a y0 t)."""

    def end(a: Any, y0: Any, first: Any, last: Any) -> Any:
        span, options = (first, last), {"method": method, "gradient": gradient}
        return anabranch.solve_ivp(
            lambda t, y: -a * y * y, span, y0, **options, **TIGHT
        ).y[-1]

    a, y0, first, last = 2.0, 1.5, 0.25, 1.25
    below = 1 + a * y0 * (last - first)
    made = anabranch.grad(end, (0, 1, 2, 3))(a, y0, first, last)
    by_a, by_time = -((y0 / below) ** 2) * (last - first), a * (y0 / below) ** 2
    np.testing.assert_allclose(made, [by_a, 1 / below**2, by_time, -by_time], rtol=1e-7)


@pytest.mark.parametrize(
    "method", ["RK4", pytest.param("RK45", marks=pytest.mark.fuzz)]
)
def test_second_order_and_forward_mode(method: str) -> None:
    """Of y = 1 / (1 + a t)."""

    def end(a: Any) -> Any:
        return anabranch.solve_ivp(
            lambda t, y: -a * y * y, (0, 1), 1.0, method=method, **TIGHT
        ).y[-1]

    value, dot = anabranch.jvp(end, (2.0,), (1.0,))
    np.testing.assert_allclose([value, dot], [1 / 3, -1 / 9], rtol=1e-8)
    np.testing.assert_allclose(anabranch.hvp(end)(2.0, 1.0), 2 / 27, rtol=1e-8)


def test_many_starts_have_their_own_steps() -> None:
    """Of y' = -a y² from several starts, one of which is at rest."""

    def end(y0: Any) -> Any:
        return anabranch.solve_ivp(lambda t, y: -2 * y * y, (0, 1), y0, **TIGHT).y[-1]

    starts = np.array([0.0, 0.5, 30.0])
    below = 1 + 2 * starts
    np.testing.assert_allclose(anabranch.vmap(end)(starts), starts / below, rtol=1e-8)


@pytest.mark.parametrize("gradient", ["steps", "adjoint"])
def test_each_of_the_state_may_have_its_own_tolerance(gradient: str) -> None:
    def end(a: Any) -> Any:
        y0, tolerances = np.array([1.0, 1e-6]), np.array([1e-10, 1e-16])
        return anabranch.odeint(
            lambda y, t: -a * y,
            y0,
            np.array([0.0, 1.0]),
            rtol=1e-10,
            atol=tolerances,
            gradient=gradient,
        )[-1, 1]

    value, bar = anabranch.value_and_grad(end)(2.0)
    np.testing.assert_allclose(value, 1e-6 * np.exp(-2), rtol=1e-8)
    np.testing.assert_allclose(bar, -1e-6 * np.exp(-2), rtol=1e-6)


def test_with_the_adjoint_equation_forward_mode_goes_through_the_steps() -> None:
    def end(a: Any) -> Any:
        return anabranch.odeint(
            lambda y, t: -a * y, 1.0, np.array([0.0, 1.0]), gradient="adjoint"
        )[-1]

    _, dot = anabranch.jvp(end, (2.0,), (3.0,))
    np.testing.assert_allclose(dot, -3 * np.exp(-2), rtol=1e-6)
    curved = anabranch.hessian(end)(2.0)
    np.testing.assert_allclose(curved, np.exp(-2), rtol=1e-6)


def test_stiff_systems_take_few_steps() -> None:
    """Robertson's reaction, whose rates differ by nine powers of ten."""

    def rates(t: Any, y: Any) -> Any:
        slow, fast, faster = 0.04 * y[0], 1e4 * y[1] * y[2], 3e7 * y[1] ** 2
        return [fast - slow, slow - fast - faster, faster]

    times = np.array([0.4, 40.0, 4000.0])
    made = anabranch.solve_ivp(
        rates,
        (0, 4000),
        [1.0, 0.0, 0.0],
        method="Rodas4",
        t_eval=times,
        rtol=1e-7,
        atol=1e-11,
    )
    wanted = [
        [9.85172e-1, 3.38640e-5, 1.47940e-2],
        [7.15827e-1, 9.18554e-6, 2.84164e-1],
    ]
    np.testing.assert_allclose(made.y.T[:2], wanted, rtol=1e-5)
    assert made.steps < 400


def test_the_order_of_rodas_where_time_has_a_say() -> None:
    """Of y' = -2 t y + cos t: ten times as many steps make it 10⁴ times as exact."""

    def f(t: Any, y: Any) -> Any:
        return -2 * t * y + np.cos(t)

    exact: Any = {"rtol": 1e-12, "atol": 1e-12, "method": "DOP853"}
    wanted = scipy.integrate.solve_ivp(f, (0, 2), [1.0], **exact).y[0, -1]
    found: list[tuple[float, int]] = []
    for tol in (1e-5, 1e-9):
        made = anabranch.solve_ivp(f, (0, 2), 1.0, method="Rodas4", rtol=tol, atol=tol)
        found.append((abs(made.y[-1] - wanted), int(made.steps)))
    (rough, few), (fine, many) = found
    assert np.log(rough / fine) / np.log(many / few) > 3.5


def test_pytrees_backwards_in_time_and_in_float32() -> None:
    start = {"x": np.ones((2, 1), np.float32), "v": np.zeros((2, 1), np.float32)}
    made = anabranch.solve_ivp(
        lambda t, y: {"x": y["v"], "v": -y["x"]}, (1.0, 0.0), start
    )
    assert made.y["x"].dtype == np.float32
    assert made.y["x"].shape == (2, 1, 2)
    np.testing.assert_allclose(made.y["x"][..., -1], np.cos(1), rtol=1e-4)
    np.testing.assert_allclose(made.y["v"][..., -1], np.sin(1), rtol=1e-4)


def fall(t: Any, y: Any, g: Any) -> Any:
    return [y[1], -g]


def ground(t: Any, y: Any, g: Any) -> Any:
    return y[0]


ground.direction = -1  # type: ignore[attr-defined]
ground.terminal = True  # type: ignore[attr-defined]


def test_the_first_event_ends_it_and_has_derivatives() -> None:
    made = anabranch.solve_ivp(
        fall,
        (0, 4),
        [10.0, 0.0],
        t_eval=np.arange(4.0),
        events=[lambda t, y, g: t - 3.0, ground],
        args=(9.81,),
    )
    when = np.sqrt(20 / 9.81)
    np.testing.assert_allclose(made.t, [0, 1, when, when], rtol=1e-12)
    np.testing.assert_allclose(made.y[0], [10, 10 - 9.81 / 2, 0, 0], atol=1e-12)
    np.testing.assert_allclose(made.y_event, [0, -9.81 * when], atol=1e-12)
    assert made.event == 1

    def time(g: Any) -> Any:
        start = np.array([10.0, 0.0])
        return anabranch.solve_ivp(
            fall, (0, 4), start, events=ground, args=(g,)
        ).t_event

    np.testing.assert_allclose(anabranch.grad(time)(9.81), -when / 2 / 9.81)
    np.testing.assert_allclose(anabranch.jvp(time, (9.81,), (2.0,))[1], -when / 9.81)


def swing(t: Any, y: Any, w: Any) -> Any:
    return [y[1], -w * w * y[0]]


def middle(t: Any, y: Any, w: Any) -> Any:
    return y[0]


def down(t: Any, y: Any, w: Any) -> Any:
    return y[0] - 0.5


def late(t: Any, y: Any, w: Any) -> Any:
    return t - 4.0


down.direction = -1  # type: ignore[attr-defined]
late.terminal = True  # type: ignore[attr-defined]


def test_events_that_end_nothing_are_noted_as_by_scipy() -> None:
    given: Any = {"events": [middle, down, late], "args": (2.0,), **TIGHT}
    made = anabranch.solve_ivp(swing, (0, 9), [1.0, 0.0], max_events=4, **given)
    theirs = scipy.integrate.solve_ivp(swing, (0, 9), [1.0, 0.0], **given)
    for t, y, t_wanted, y_wanted in zip(
        made.t_events, made.y_events, theirs.t_events, theirs.y_events, strict=True
    ):
        count = len(t_wanted)
        assert t.shape == (4,)
        assert np.isnan(t[count:]).all()
        assert np.isnan(y[count:]).all()
        np.testing.assert_allclose(t[:count], t_wanted, rtol=1e-8)
        np.testing.assert_allclose(y[:count], y_wanted, atol=1e-8)
    assert [np.isfinite(t).sum() for t in made.t_events] == [3, 2, 1]
    assert made.event == 2
    assert made.t_event == made.t_events[2][0]


def test_times_and_states_of_events_have_derivatives(backend: str) -> None:
    """Of y = cos(w t), which is 0 where w t = (k + 1/2) π, with y' = -w sin(w t)."""

    def found(w: Any) -> Any:
        made = anabranch.solve_ivp(
            swing, (0, 4), [1.0, 0.0], events=middle, max_events=3, args=(w,), **TIGHT
        )
        return made.t_events[0][:2], made.y_events[0][:2, 1]

    (t, y), (t_dot, y_dot) = anabranch.jvp(found, (2.0,), (1.0,), backend=backend)
    wanted = np.array([0.25, 0.75]) * np.pi
    np.testing.assert_allclose(t, wanted, rtol=1e-8)
    np.testing.assert_allclose(t_dot, -wanted / 2, rtol=1e-7)
    np.testing.assert_allclose(y, [-2, 2], rtol=1e-8)
    np.testing.assert_allclose(y_dot, [-1, 1], rtol=1e-6)
    bar = anabranch.grad(lambda w: found(w)[0] @ np.array([1.0, 10.0]))(2.0)
    np.testing.assert_allclose(bar, -wanted @ [1, 10] / 2, rtol=1e-7)


def test_so_many_events_end_it_and_no_more_are_kept() -> None:
    start: Any = {"x": 1.0, "v": 0.0}
    given: Any = {"args": (2.0,), "t_eval": [0.0, 9.0]}

    def f(t: Any, y: Any, w: Any) -> Any:
        return {"x": y["v"], "v": -w * w * y["x"]}

    def zero(t: Any, y: Any, w: Any) -> Any:
        return y["x"]

    zero.terminal = 3  # type: ignore[attr-defined]
    made = anabranch.solve_ivp(f, (0, 9), start, events=[zero], **given)
    np.testing.assert_allclose(made.t_event, 1.25 * np.pi, rtol=1e-5)
    assert made.t_events[0].shape == (3,)
    assert made.y_events[0]["v"].shape == (3,)
    np.testing.assert_allclose(made.t[1], made.t_event)
    many: Any = {"events": middle, "max_events": 2, "args": (2.0,)}
    with pytest.raises(DomainError, match="more events than max_events"):
        anabranch.solve_ivp(swing, (0, 9), [1.0, 0.0], **many)
    made = anabranch.solve_ivp(swing, (0, 9), [1.0, 0.0], throw=False, **many)
    np.testing.assert_allclose(made.t_events[0], [0.25 * np.pi, 0.75 * np.pi], 1e-5)
    made = anabranch.solve_ivp(
        swing, (9, 0), [1.0, 0.0], events=middle, args=(2.0,), rtol=1e-8
    )
    wanted = 9 - (np.arange(10) + 0.5) * np.pi / 2  # backwards in time
    np.testing.assert_allclose(made.t_events[0][:5], wanted[:5], rtol=1e-6)


def test_many_examples_have_their_own_events() -> None:
    def times(w: Any) -> Any:
        made = anabranch.solve_ivp(
            swing, (0, 2), [1.0, 0.0], events=middle, max_events=3, args=(w,)
        )
        return made.t_events[0]

    made = anabranch.vmap(times)(np.array([1.0, 3.0]))
    wanted = np.array([[0.5, 9, 9], [0.5 / 3, 1.5 / 3, 9]]) * np.pi
    np.testing.assert_array_equal(np.isnan(made), wanted > 5)
    np.testing.assert_allclose(made[wanted < 5], wanted[wanted < 5], rtol=1e-5)


def test_no_events_in_a_list_are_none() -> None:
    made = anabranch.solve_ivp(fall, (0, 1), START, events=[], args=(1.0,))
    assert made.t_event is None


def test_an_event_of_the_other_direction_is_none() -> None:
    made = anabranch.solve_ivp(
        fall, (0, 2), [-1.0, 10.0], events=ground, args=(1.0,), t_eval=[0.0, 2.0]
    )
    assert made.event == -1
    assert made.t_event == 2
    np.testing.assert_allclose(made.y_event, [17.0, 8.0])


def test_without_an_event_the_state_at_the_end_moves_with_both_ends() -> None:
    def last(span: Any) -> Any:
        made = anabranch.solve_ivp(
            lambda t, y: -t * y, span, 1.0, events=lambda t, y: y - 2.0, rtol=1e-9
        )
        return made.y_event

    span = np.array([0.5, 1.5])
    wanted = np.exp(-1.0) * span * [1, -1]  # of exp((t₀² - t₁²) / 2)
    np.testing.assert_allclose(anabranch.grad(last)(span), wanted, rtol=1e-6)


def test_what_never_arrives_is_an_error_at_the_users_line() -> None:
    def pole(t: Any, y: Any) -> Any:
        return y * y

    with pytest.raises(DomainError, match="solve_ivp: the end is not reached") as e:
        anabranch.solve_ivp(pole, (0, 2), 1.0)
    assert e.value.source is not None
    assert e.value.source.file == __file__
    made = anabranch.solve_ivp(pole, (0, 2), 1.0, t_eval=[0.0, 0.5, 2.0], throw=False)
    assert not made.success
    np.testing.assert_allclose(made.y, [1.0, 2.0, np.nan], rtol=1e-5)
    enough = int(anabranch.solve_ivp(pole, (0, 0.5), 1.0).steps)
    for most in (enough, enough - 1):
        made = anabranch.solve_ivp(pole, (0, 0.5), 1.0, max_steps=most, throw=False)
        assert made.success == (most == enough)
        assert made.steps == most


def test_times_are_in_order_and_within_the_span() -> None:
    def run(span: Any, times: Any) -> Any:
        return anabranch.solve_ivp(lambda t, y: -y, span, 1.0, t_eval=times).y

    assert run((0, 1), [0.25, 0.5, 0.5]).shape == (3,)
    assert run((1, 0), [1.0, 0.5]).shape == (2,)
    for span, times in (
        ((0, 1), [0.5, 0.25]),
        ((0, 1), [0.5, 1.5]),
        ((1, 0), [0.25, 0.5]),
        ((0, np.nan), None),
    ):
        with pytest.raises(DomainError, match="do not go from the beginning to"):
            run(span, times)
    with pytest.raises(DomainError, match="odeint: the times do not go"):
        anabranch.odeint(lambda y, t: -y, 1.0, np.array([0.0, 1.0, 0.5, 2.0]))


def test_a_slope_that_is_no_number_fails_at_once() -> None:
    made = anabranch.solve_ivp(lambda t, y: y * np.nan, (0, 1), 1.0, throw=False)
    assert not made.success
    assert made.steps < 10


def test_steps_are_as_long_as_they_may_be() -> None:
    def bump(t: Any, y: Any) -> Any:
        return np.exp(-(((t - 50.0) / 0.05) ** 2))

    area = 0.05 * np.sqrt(np.pi)
    for method in ("RK45", "Rodas4"):
        given: Any = {"method": method, "rtol": 1e-8}
        missed = anabranch.solve_ivp(bump, (0, 100), 0.0, **given)
        assert abs(missed.y[-1]) < area / 2
        found = anabranch.solve_ivp(bump, (0, 100), 0.0, max_step=0.1, **given)
        np.testing.assert_allclose(found.y[-1], area, rtol=1e-6)
        assert found.steps >= 1000
    one = anabranch.solve_ivp(lambda t, y: -y, (0, 1e-3), 1.0, first_step=1e-3)
    assert one.steps == 1
    back = anabranch.solve_ivp(lambda t, y: -y, (1, 0), 1.0, max_step=np.float64(0.125))
    assert back.steps == 8 + 1  # the first is shorter


def test_sensitivities_that_steps_do_not_see() -> None:
    """At rest steps grow without bounds; the adjoint equation has steps of its own.

    So has a system of which the sensitivity is a part.
    """
    t, k = np.array([0.0, 8.0]), -1.0

    def end(y0: Any, **how: Any) -> Any:
        return anabranch.odeint(lambda y, t: k * y, y0, t, **how)[-1]

    def shorter(y0: Any) -> Any:
        return anabranch.solve_ivp(lambda t, y: k * y, (0, 8), y0, max_step=0.1).y[-1]

    exact = np.exp(8 * k)
    assert abs(anabranch.grad(end)(0.0) / exact - 1) > 1e-3
    by_adjoint = anabranch.grad(lambda y0: end(y0, gradient="adjoint"))(0.0)
    np.testing.assert_allclose(by_adjoint, exact, rtol=1e-4)
    np.testing.assert_allclose(anabranch.grad(shorter)(0.0), exact, rtol=1e-5)
    both = anabranch.odeint(
        lambda y, t: anabranch.jvp(lambda y: k * y, (y[0],), (y[1],)), (0.0, 1.0), t
    )
    np.testing.assert_allclose(both[1][-1], exact, rtol=1e-4)


SCIPYS = {
    "solve_ivp": lambda **o: anabranch.solve_ivp(fall, (0, 1), START, **o),
    "odeint": lambda **o: anabranch.odeint(fall, START, TIMES, **o),
    "root": lambda **o: anabranch.root(np.cos, 1.0, **o),
    "fixed_point": lambda **o: anabranch.fixed_point(np.cos, 1.0, **o),
    "minimize": lambda **o: anabranch.minimize(np.cos, 1.0, **o),
}
OF_SCIPY = {
    "solve_ivp": scipy.integrate.solve_ivp,
    "odeint": scipy.integrate.odeint,
    "root": scipy.optimize.root,
    "fixed_point": scipy.optimize.fixed_point,
    "minimize": scipy.optimize.minimize,
}


@pytest.mark.parametrize("name", list(SCIPYS))
def test_each_option_of_scipy_is_one_of_ours_or_says_what_to_do(name: str) -> None:
    """What is new in SciPy fails here."""
    theirs = set(list(inspect.signature(OF_SCIPY[name]).parameters)[2:])
    if name == "solve_ivp":
        solvers = scipy.integrate.RK45, scipy.integrate.Radau, scipy.integrate.LSODA
        for one in solvers:
            theirs |= set(inspect.signature(one).parameters)
        theirs -= {"options", "extraneous", "fun", "t0", "y0", "t_bound", "f"}
    ours = set(inspect.signature(getattr(anabranch, name)).parameters)
    refused = REFUSED[name]
    if name != "solve_ivp":
        ours -= {"args"}
    assert theirs - ours - {"t", "x0"} <= set(refused)
    assert not ours & set(refused)
    for option, hint in refused.items():
        with pytest.raises(ArgumentError) as caught:
            SCIPYS[name](**{option: None})
        assert str(caught.value).startswith(f"{name} has no option {option}")
        assert caught.value.hint == hint
    with pytest.raises(
        TypeError, match=rf"{name}\(\) got an unexpected .* 'tolerance'"
    ):
        SCIPYS[name](tolerance=1.0)


def _ending(terminal: Any) -> Any:
    def event(t: Any, y: Any, g: Any) -> Any:
        return y[0]

    event.terminal = terminal  # type: ignore[attr-defined]
    return event


def test_what_is_refused() -> None:
    run = anabranch.solve_ivp
    with pytest.raises(ArgumentError, match="solve_ivp: no method 'BDF'"):
        run(fall, (0, 1), START, method="BDF", args=(1.0,))
    with pytest.raises(ArgumentError, match="solve_ivp: no gradient 'forward'"):
        run(fall, (0, 1), START, gradient="forward", args=(1.0,))
    with pytest.raises(ArgumentError, match="events need a method that chooses"):
        run(fall, (0, 1), START, method="RK4", events=ground, args=(1.0,))
    for terminal in (-1, 1.5):
        with pytest.raises(ArgumentError, match=f"terminal of an event is {terminal}"):
            run(fall, (0, 1), START, events=_ending(terminal), args=(1.0,))
    with pytest.raises(ArgumentError, match="max_events=-1 is no whole number"):
        run(fall, (0, 1), START, events=ground, max_events=-1, args=(1.0,))
    with pytest.raises(ArgumentError, match="RK4 makes equal steps"):
        run(fall, (0, 1), START, method="RK4", max_step=0.1, args=(1.0,))
    for name in ("first_step", "max_step"):
        for length in (0.0, np.nan, [1.0], "short"):
            with pytest.raises(ArgumentError, match=f"{name}=.* is no positive number"):
                run(fall, (0, 1), START, args=(1.0,), **{name: length})
    with pytest.raises(TraceError, match=r"function of solve_ivp returns .* \(1,\)"):
        run(lambda t, y: y[:1], (0, 1), START)
    with pytest.raises(TraceError, match=r"an event returns a value of shape \(2,\)"):
        run(fall, (0, 1), START, events=lambda t, y, g: y, args=(1.0,))
    with pytest.raises(ArgumentError, match="the function reads complex numbers"):
        anabranch.grad(
            lambda z: run(
                lambda t, y: y * np.abs(z), (0, 1), 1.0, gradient="adjoint"
            ).y[-1]
        )(1.0 + 1.0j)
