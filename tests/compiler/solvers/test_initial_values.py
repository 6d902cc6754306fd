"""`solve_ivp` and `odeint`: SciPy's solutions, exact ones, and their derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.integrate

import anabranch
from anabranch import ArgumentError, DomainError, GradientError, TraceError

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


def test_the_adjoint_equation_has_no_forward_mode() -> None:
    def end(a: Any) -> Any:
        return anabranch.odeint(
            lambda y, t: -a * y, 1.0, np.array([0.0, 1.0]), gradient="adjoint"
        )[-1]

    with pytest.raises(GradientError, match="not linear in its cotangent"):
        anabranch.jvp(end, (2.0,), (1.0,))


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


def test_what_is_refused() -> None:
    run = anabranch.solve_ivp
    with pytest.raises(ArgumentError, match="no method 'BDF'"):
        run(fall, (0, 1), START, method="BDF", args=(1.0,))
    with pytest.raises(ArgumentError, match="no gradient 'forward'"):
        run(fall, (0, 1), START, gradient="forward", args=(1.0,))
    with pytest.raises(ArgumentError, match="events need a method that chooses"):
        run(fall, (0, 1), START, method="RK4", events=ground, args=(1.0,))
    for times in (0.5, []):
        with pytest.raises(ArgumentError, match="t_eval is an array of times"):
            run(fall, (0, 1), START, t_eval=times, args=(1.0,))
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
    with pytest.raises(ArgumentError, match="steps=0, and RK4 makes at least one"):
        run(fall, (0, 1), START, method="RK4", steps=0, args=(1.0,))
    with pytest.raises(
        ArgumentError, match=r"solve_ivp: atol=\[ 1\. -1\.\] is negative"
    ):
        run(fall, (0, 1), START, atol=np.array([1.0, -1.0]), args=(1.0,))
    with pytest.raises(ArgumentError, match=r"odeint: rtol=-1\.0 is negative"):
        anabranch.odeint(lambda y, t: y, START, np.ones(2), rtol=-1.0)
    with pytest.raises(ArgumentError, match="t is an array of times"):
        anabranch.odeint(lambda y, t: y, START, 1.0)
