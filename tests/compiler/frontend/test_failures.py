"""`raise` and `assert` under a traced condition: errors when the function runs.

PYTEST_DONT_REWRITE: the code of the functions here has to be that of their source.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import anabranch
from anabranch import grad, jit

X = np.array([0.5, 1.5, -2.0])

Program = Callable[..., Any]


class NotPossible(ValueError):
    """An error of the user's own."""


def raising(x):
    if x[0] > 100:
        raise ValueError("too large")
    return np.sum(x * 2)


def asserting(x):
    assert x[0] < 100, "large"
    return np.sum(x)


def in_a_loop(x):
    s = 0.0
    for i in range(3):
        if x[i] > 100:
            raise NotPossible("an element is too large")
        s = s + x[i]
        assert s < 90
    return s


def until_it_fails(x):
    s, n = x[0], 0
    while s < 10:
        s = s * 2 + 1
        n += 1
        if n > 5:
            raise RuntimeError("no convergence")
    return s + 0 * np.sum(x)


def in_branches(x):
    if x[0] > 0:
        if x[1] > 100:
            raise KeyError("inner")
        y = x
    elif x[0] < -50:
        raise ZeroDivisionError("outer")
    else:
        y = -x
    return np.sum(y)


def by_a_helper(x):
    def root(v):
        if v < -5:
            raise ArithmeticError("no root")
        return np.sqrt(v + 5)

    y = np.zeros(3)
    for i in range(3):
        y[i] = root(x[i])
    return np.sum(y)


def only_written(x):
    y = x.copy()
    if y[2] > 0:
        raise IndexError("it has another sign")
    y[0] = 5
    return y


TABLE = {"there": 2.0}


def what_is_not_there(x):
    """The places that no branch goes to are no errors."""
    s, y = np.sum(x), [1.0]
    if x[0] > 50:
        s = x[7]
    if x[1] > 50:
        s = s * TABLE["missing"]
    if x[2] > 50:
        s = y[len(y)]
    elif x[2] < -5:
        s = s + 1 / len(())
    return s * TABLE["there"]


NO_ASSERTS = pytest.mark.skipif(not __debug__, reason="Python has dropped asserts")
CASES = [
    (raising, [200.0, 0, 0], ValueError, "too large", 'raise ValueError("too'),
    (asserting, [200.0, 0, 0], AssertionError, "large", "assert x[0] < 100"),
    (
        in_a_loop,
        [0, 0, 200.0],
        ValueError,
        "NotPossible: an element",
        "raise NotPossible(",
    ),
    (in_a_loop, [80.0, 20.0, 0], AssertionError, "not hold", "assert s < 90"),
    (
        until_it_fails,
        [-1.5, 0, 0],
        RuntimeError,
        "no convergence",
        "raise RuntimeError",
    ),
    (in_branches, [1.0, 200.0, 0], KeyError, "inner", 'raise KeyError("inner")'),
    (in_branches, [-60.0, 0, 0], ZeroDivisionError, "outer", "raise ZeroDivisionError"),
    (by_a_helper, [0, -6.0, 0], ArithmeticError, "no root", "raise ArithmeticError"),
    (only_written, [0, 0, 1.0], IndexError, "another sign", "raise IndexError"),
    (what_is_not_there, [60.0, 0, 0], IndexError, "index 7 is out of", "s = x[7]"),
    (what_is_not_there, [0, 60.0, 0], KeyError, "missing", 'TABLE["missing"]'),
    (what_is_not_there, [0, 0, 60.0], IndexError, "range", "y[len(y)]"),
    (what_is_not_there, [0, 0, -9.0], ZeroDivisionError, "by zero", "1 / len(())"),
]


@pytest.mark.parametrize("nodes", [False, True], ids=["unrolled", "nodes"])
@pytest.mark.parametrize(
    ("function", "bad", "error", "message", "line"),
    [
        pytest.param(*case, marks=NO_ASSERTS if case[2] is AssertionError else ())
        for case in CASES
    ],
    ids=[f"{c[0].__name__}-{c[2].__name__}" for c in CASES],
)
def test_raised_when_it_runs(
    backend, request, nodes, function, bad, error, message, line
):
    if nodes:
        request.getfixturevalue("forced")
    compiled = jit(function, backend=backend)
    np.testing.assert_allclose(compiled(X), function(X), rtol=1e-14)
    with pytest.raises(error):
        function(np.array(bad))
    with pytest.raises(error, match=message) as raised:
        compiled(np.array(bad))
    assert isinstance(raised.value, anabranch.AnabranchError)
    assert line in str(raised.value)
    assert compiled.compile_count == 1


@pytest.mark.parametrize(
    "function",
    [raising, pytest.param(asserting, marks=NO_ASSERTS), in_a_loop, in_branches],
)
def test_raised_by_a_gradient_too(backend: str, function: Program) -> None:
    slope = grad(function, backend=backend)
    step = 1e-6 * np.cos(X)
    change = (function(X + step) - function(X - step)) / 2
    np.testing.assert_allclose(slope(X) @ step, change, rtol=1e-8)
    bad = next(np.array(case[1]) for case in CASES if case[0] is function)
    with pytest.raises(anabranch.AnabranchError, match=r"large|inner"):
        slope(bad)


def test_raised_through_another_function(backend: str) -> None:
    inner = jit(raising, backend=backend)
    outer = jit(lambda x: inner(x * 2) + 1, backend=backend)
    assert outer(X) == raising(X * 2) + 1
    with pytest.raises(ValueError, match="too large"):
        outer(X + 100)


def test_an_error_on_both_ways_is_one_of_the_trace() -> None:
    def always(x):
        if x[0] > 0:
            raise ValueError("above")
        raise KeyError("below")

    with pytest.raises(KeyError, match="below"):
        jit(always)(X)


def test_explicit_branches_do_not_raise() -> None:
    def function(x):
        return anabranch.cond(x[0] > 0, raising, lambda x: np.sum(x), x)

    with pytest.raises(anabranch.TraceError, match="a branch of cond"):
        jit(function)(X)


def test_a_handler_would_not_meet_what_is_not_there():
    def program(x):
        try:
            if x > 0:
                x = x * TABLE["missing"]
        except KeyError:
            x = x * 0
        return x

    with pytest.raises(anabranch.TraceError, match="in a 'try' or 'with'"):
        jit(program)(1.0)
