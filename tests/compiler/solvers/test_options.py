"""What solvers are given: wrong times, tolerances, counts and functions are refused."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import anabranch
from anabranch import ArgumentError, TraceError, jit

START = np.array([1.0, 2.0])
TIMES = np.array([0.0, 0.5, 1.0])
A = np.eye(2)


def fall(t: Any, y: Any) -> Any:
    return -y


def back(y: Any, t: Any) -> Any:
    return -y


def half(x: Any) -> Any:
    return x / 2


def square(x: Any) -> Any:
    return np.sum(x * x)


def ivp(span: Any = (0, 1), f: Any = fall, **options: Any) -> Callable[[Any], Any]:
    return lambda y: anabranch.solve_ivp(f, span, y, **options)


def ode(t: Any = TIMES, f: Any = back, **options: Any) -> Callable[[Any], Any]:
    return lambda y: anabranch.odeint(f, y, t, **options)


def solve(operator: Any = A, **options: Any) -> Callable[[Any], Any]:
    return lambda b: anabranch.linear_solve(operator, b, **options)


def twice(t: Any, y: Any) -> Any:
    return y[0]


twice.terminal = "twice"  # type: ignore[attr-defined]

_SPAN = "solve_ivp: t_span is not two times"
_EVAL = "solve_ivp: t_eval is an array of times, of one axis"
_TIMES = "odeint: t is an array of times, of one axis"
_ARGS = "solve_ivp: args is no tuple"
_LIMIT = "is no number of at least 0"
_COUNT = "is no whole number of at least 1"

CASES: list[tuple[Callable[[Any], Any], str]] = [
    *((ivp(span), _SPAN) for span in (1.0, None, "ab", (0,), (0, 1, 2), A, [A, A])),
    *((ivp(t_eval=times), _EVAL) for times in (0.5, [], A)),
    (ivp(t_eval="now"), "a str cannot take part in a traced expression"),
    (ivp(t_eval={"a": 0.5}), "a dict cannot take part in a traced expression"),
    *((ode(times), _TIMES) for times in (1.0, [], A)),
    (ode(None), "a NoneType cannot take part in a traced expression"),
    *((ivp(args=given), _ARGS) for given in (2.0, None, "ab", {"k": 1.0})),
    (ivp(rtol=-1), f"solve_ivp: rtol=-1 {_LIMIT}"),
    (ivp(rtol=np.nan), f"solve_ivp: rtol=nan {_LIMIT}"),
    (ivp(rtol=None), f"solve_ivp: rtol=None {_LIMIT}"),
    (ivp(atol="small"), f"solve_ivp: atol='small' {_LIMIT}"),
    (ivp(atol=1j), f"solve_ivp: atol=1j {_LIMIT}"),
    (ivp(atol=[1e-3, -1.0]), f"solve_ivp: atol=[0.001, -1.0] {_LIMIT}"),
    (ode(atol=np.array([-1.0, 1.0])), f"odeint: atol=array([-1.,  1.]) {_LIMIT}"),
    (ode(rtol=-1.0), f"odeint: rtol=-1.0 {_LIMIT}"),
    (ivp(atol=np.ones(3)), "solve_ivp: atol has 3 numbers, and y 2"),
    (ode(atol=[1.0, 1.0, 1.0]), "odeint: atol has 3 numbers, and y 2"),
    (ivp(max_steps=0), f"solve_ivp: max_steps=0 {_COUNT}"),
    (ivp(max_steps="many"), f"solve_ivp: max_steps='many' {_COUNT}"),
    (ode(max_steps=True), f"odeint: max_steps=True {_COUNT}"),
    (ode(max_steps=1.5), f"odeint: max_steps=1.5 {_COUNT}"),
    (ivp(method="RK4", steps=0), f"solve_ivp: steps=0 {_COUNT}"),
    (ivp(method="RK4", steps=2.0), f"solve_ivp: steps=2.0 {_COUNT}"),
    (ivp(events=3), "an event of solve_ivp: not a function: 3"),
    (ivp(f=None), "solve_ivp: not a function: None"),
    (ode(f=A), "odeint: not a function: array([[1., 0.],"),
    (lambda x: anabranch.root(2.0, x), "root: not a function: 2.0"),
    (lambda x: anabranch.root(half, x, tol=-1), f"root: tol=-1 {_LIMIT}"),
    (
        lambda x: anabranch.root(half, x, max_iterations=-1),
        "root: max_iterations=-1 is no whole number of at least 0",
    ),
    (
        lambda x: anabranch.minimize(square, x, max_iterations=1.5),
        "minimize: max_iterations=1.5 is no whole number of at least 0",
    ),
    (lambda x: anabranch.minimize(square, x, tol="s"), f"minimize: tol='s' {_LIMIT}"),
    (
        lambda x: anabranch.minimize(lambda x: [x[0], x[1]], x),
        "the function of minimize returns [*, *], not one number",
    ),
    (
        lambda x: anabranch.fixed_point(half, x, memory=-1),
        "fixed_point: memory=-1 is no whole number of at least 0",
    ),
    (ivp(events=twice), "solve_ivp: the terminal of an event is 'twice'"),
    (ode(hurry=True), "odeint() got an unexpected keyword argument 'hurry'"),
    (solve(tol=None), f"linear_solve: tol=None {_LIMIT}"),
    (solve(max_iterations=-1), "linear_solve: max_iterations=-1 is no whole number"),
    (
        solve(preconditioner=A),
        "preconditioner of linear_solve: not a function: array(",
    ),
    (solve(None), "linear_solve: None is neither a matrix nor a function"),
]


@pytest.mark.parametrize(("call", "message"), CASES, ids=[said for _, said in CASES])
def test_refused(
    call: Callable[[Any], Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Called as it is, it is the innermost line; in a traced function it is named."""
    monkeypatch.delenv("ANABRANCH_TRACEBACK", raising=False)
    with pytest.raises((ArgumentError, TraceError, TypeError)) as raised:
        call(START)
    assert message in str(raised.value)
    assert traceback.extract_tb(raised.value.__traceback__)[-1].filename == __file__
    with pytest.raises((ArgumentError, TraceError, TypeError)) as raised:
        jit(call)(START)
    assert message in str(raised.value)
    last = traceback.extract_tb(raised.value.__traceback__)[-1].filename
    assert last == __file__ or f"{__file__}:" in str(raised.value)


def test_hints() -> None:
    for call, hint in (
        (ivp(1.0), "t_span=(begin, end)"),
        (ivp(args=2.0), "args=(a,)"),
        (ivp(atol=np.ones(3)), "one number, or one for each of y"),
    ):
        with pytest.raises(ArgumentError) as raised:
            call(START)
        assert hint in str(raised.value.hint)


def test_lists_are_as_good_as_arrays() -> None:
    wanted = ode(atol=1e-9)(START)
    np.testing.assert_array_equal(ode([0.0, 0.5, 1.0], atol=1e-9)(START), wanted)
    np.testing.assert_array_equal(ode(atol=[1e-9, 1e-9])(START), wanted)
    both = jit(lambda y, t: anabranch.odeint(back, y, [0.0, t, 2 * t], atol=1e-9))
    np.testing.assert_array_equal(both(START, 0.5), wanted)


def test_a_tolerance_for_each_element_of_a_matrix() -> None:
    start = np.array([[1.0, 2.0], [3.0, 4.0]])
    each = np.full((2, 2), 1e-9)
    np.testing.assert_array_equal(ode(atol=each)(start), ode(atol=1e-9)(start))
