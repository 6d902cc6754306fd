"""``raise`` and ``assert`` under traced conditions: Python's exception, at run time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import anabranch
from tests.compiler.frontend.asserting import (
    asserted,
    asserted_without_a_text,
    several,
)

GOOD = np.array([0.5, 1.5, -2.0])
CASES: list[tuple[Callable[..., Any], type[Exception], list[Any]]] = []


def case(error: type[Exception], *bad: Any) -> Callable[[Any], Any]:
    """A function, and arguments at which it raises."""

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        CASES.append((function, error, [np.array(x) for x in bad]))
        return function

    return add


@case(anabranch.DomainError, [200.0, 0.0, 0.0])
def at_the_top(x):
    if x[0] > 100:
        raise ValueError("too large")
    return x * 2


case(anabranch.FailedAssertion, [2.0, 0.0, 0.0])(asserted)
case(anabranch.FailedAssertion, [np.nan, 0.0, 0.0])(asserted_without_a_text)


@case(anabranch.RaisedError, [0.5, -3.0, 0.0])
def in_the_other_branch(x):
    if x[1] > -1:
        y = x[1] * 2
    else:
        raise RuntimeError("small")
    return y


@case(anabranch.BoundsError, [-1.0, 5.0, 0.0], [-1.0, 3.0, 7.0])
def in_branches_of_branches(x):
    if x[0] > 0:
        y = x * 2
    elif x[1] > 4:
        raise IndexError("second")
    else:
        if x[2] > 6:
            raise IndexError("third")
        y = -x
    return y


@case(anabranch.RangeError, [3.0, 3.0, 9.0])
def in_a_helper_in_a_loop(x):
    def checked(v):
        if v > 8:
            raise OverflowError
        return v * v

    total = 0.0
    for v in x:
        total += checked(v)
    return total


@case(anabranch.DomainError, [-4.0, 1.0, 1.0])
def before_what_would_fail(x):
    if x[0] < 0:
        raise ValueError("negative")
    y = np.zeros(3)
    y[0] = np.sqrt(x[0])
    return y[0] / x[0], {"y": y}


@case(anabranch.DomainError, [-4.0, 1.0, 1.0])
def in_a_comparison(x):
    def inverse(v):
        return 1 / v if v > 0 else fail(v)

    def fail(v):
        raise ValueError("negative")

    return inverse(x[0]) * x


NAMES = [function.__name__ for function, _, _ in CASES]


@pytest.mark.parametrize(("function", "error", "bad"), CASES, ids=NAMES)
def test_as_python(backend, function, error, bad):
    compiled = anabranch.jit(function, backend=backend)
    np.testing.assert_allclose(leaves(compiled(GOOD)), leaves(function(GOOD)))
    for x in bad:
        plain = exception_of(function, x)
        assert issubclass(error, type(plain))
        with pytest.raises(error) as raised:
            compiled(x)
        assert raised.value.args[0] == (str(plain) or type(plain).__name__)
        line = plain.__traceback__
        while line.tb_next is not None:
            line = line.tb_next
        file = line.tb_frame.f_code.co_filename
        assert raised.value.source == (file, line.tb_lineno)
    np.testing.assert_allclose(leaves(compiled(GOOD)), leaves(function(GOOD)))
    assert compiled.compile_count == 1


def leaves(result: Any) -> Any:
    return result[0] if isinstance(result, tuple) else result


def exception_of(function: Callable[..., Any], x: Any) -> Any:
    """What the NumPy function raises."""
    with pytest.raises(Exception) as raised:  # noqa: PT011  # each kind in turn
        function(x)
    return raised.value


@pytest.mark.parametrize(("function", "error", "bad"), CASES, ids=NAMES)
def test_gradients_raise_too(backend, function, error, bad):
    def loss(x):
        return np.sum(leaves(function(x)))

    made = anabranch.grad(loss, backend=backend)
    for x in bad:
        with pytest.raises(error):
            made(x)
    anabranch.check_grads(loss, (GOOD,), order=2, backend=backend)


def test_the_first_that_fails_is_raised(backend):
    compiled = anabranch.jit(several, backend=backend)
    for x, text in (([2, 2, 1], "first"), ([0, 2, 1], "second"), ([0, 0, 1], "bounds")):
        with pytest.raises(anabranch.AnabranchError, match=text):
            compiled(np.array(x, float))
    assert compiled(np.array([0.5, 0.0, 0.0])) == 0.5


def test_arguments_stay_as_they_were(backend):
    def function(x):
        x += 1
        if x[0] > 100:
            raise ValueError("too large")

    compiled = anabranch.jit(function, backend=backend)
    x = np.array([1.0, 100.0])
    compiled(x)
    np.testing.assert_array_equal(x, [2.0, 101.0])
    x[0] = 100.0
    with pytest.raises(anabranch.DomainError):
        compiled(x)
    np.testing.assert_array_equal(x, [100.0, 101.0])


def test_a_loop_that_raises_unrolls():
    def function(x):
        for i in range(120):
            x = np.sin(x) + 0.001 * i
            if x[0] > 0.99:
                raise ValueError("too large")
        return x

    compiled = anabranch.jit(function)
    np.testing.assert_allclose(compiled(0 * GOOD - 9), function(0 * GOOD - 9))
    with pytest.raises(anabranch.DomainError, match="too large"):
        compiled(GOOD + 1)
    with pytest.raises(ValueError, match="too large"):
        function(GOOD + 1)
