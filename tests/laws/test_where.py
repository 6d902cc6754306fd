"""The branch that ``where`` does not take never reaches the gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import anabranch

inf = np.inf

# A function, and a point where its value, its slope or both are NaN or infinite.
POISON: dict[str, tuple[Callable[[Any], Any], float]] = {
    "sqrt(-x) at 1": (lambda x: np.sqrt(-x), 1.0),
    "sqrt(x) at 0": (np.sqrt, 0.0),
    "log(x) at -1": (np.log, -1.0),
    "log(x) at 0": (np.log, 0.0),
    "log1p(x) at -1": (np.log1p, -1.0),
    "1 / x at 0": (lambda x: 1 / x, 0.0),
    "x / (x - 1) at 1": (lambda x: x / (x - 1), 1.0),
    "x**-1.0 at 0": (lambda x: x**-1.0, 0.0),
    "x**0.5 at -1": (lambda x: x**0.5, -1.0),
    "(-1)**x at 0.5": (lambda x: np.power(-1.0, x), 0.5),
    "exp(1000 x) at 1": (lambda x: np.exp(1000 * x), 1.0),
    "expm1(1000 x) at 1": (lambda x: np.expm1(1000 * x), 1.0),
    "sinh(1000 x) at 1": (lambda x: np.sinh(1000 * x), 1.0),
    "arctan2(x, x) at 0": (lambda x: np.arctan2(x, x), 0.0),
    "x * inf at 1": (lambda x: x * inf, 1.0),
    "arcsin(x) at 2": (np.arcsin, 2.0),
    "arccosh(x) at 0.5": (np.arccosh, 0.5),
    "arctanh(x) at 1": (np.arctanh, 1.0),
    "cbrt(x) at 0": (np.cbrt, 0.0),
    "x % 0 at 1": (lambda x: x % (x - x), 1.0),
    "log(sum(exp(-1000 x))) at 1": (
        lambda x: np.log(np.sum(np.exp(np.full(2, -1000.0) * x))),
        1.0,
    ),
    "sqrt(sum(x * x)) at 0": (lambda x: np.sqrt(np.sum(np.ones(2) * x * x)), 0.0),
    "maximum(log(x), 0) at -1": (lambda x: np.maximum(np.log(x), 0.0), -1.0),
    "fmax(log(x), 0) at -1": (lambda x: np.fmax(np.log(x), 0.0), -1.0),
    "max(log(x) ones) at -1": (lambda x: np.max(np.log(x) * np.ones(2)), -1.0),
    "prod(ones / x) at 0": (lambda x: np.prod(np.ones(3) / x), 0.0),
    "clip(log(x), 0, 1) at -1": (lambda x: np.clip(np.log(x), 0, 1), -1.0),
    "logaddexp(-x, -x) at inf": (lambda x: np.logaddexp(-x, -x), inf),
    "abs(log(x)) at -1": (lambda x: np.abs(np.log(x)), -1.0),
    "tanh(log(x)) at -1": (lambda x: np.tanh(np.log(x)), -1.0),
    "logsumexp at -inf": (lambda x: anabranch.logsumexp(np.log(np.zeros(2) * x)), 1.0),
}


# The second derivative of a product runs a recurrence, which multiplies as IEEE says;
# and at infinity the branch taken is infinite itself.
FIRST_ORDER_ONLY = ("prod(ones / x) at 0", "logaddexp(-x, -x) at inf")


def near(x: Any, point: float) -> Any:
    return x == point


@pytest.mark.parametrize("name", POISON)
def test_untaken_branch(backend: str, name: str) -> None:
    poison, point = POISON[name]

    def f(x: Any) -> Any:
        return np.where(near(x, point), 2 * x, poison(x))

    assert anabranch.grad(f, backend=backend)(point) == 2.0


@pytest.mark.parametrize("name", POISON)
def test_untaken_branch_two_deep(backend: str, name: str) -> None:
    """The poison in a branch of a branch, and behind a function of both."""
    poison, point = POISON[name]

    def f(x: Any) -> Any:
        inner = np.where(near(x, point), 3 * x, poison(x))
        outer = np.where(near(x, point), inner, poison(poison(x)))
        return np.where(near(x, point), 2 * outer, np.exp(outer) * poison(x))

    assert anabranch.grad(f, backend=backend)(point) == 6.0


@pytest.mark.parametrize("name", [n for n in POISON if n not in FIRST_ORDER_ONLY])
def test_untaken_branch_in_the_second_derivative(name: str) -> None:
    poison, point = POISON[name]

    def f(x: Any) -> Any:
        return np.where(near(x, point), 2 * x * x, poison(x))

    second = anabranch.grad(anabranch.grad(f, backend="reference"), backend="reference")
    assert second(point) == 4.0


def test_element_by_element(backend: str) -> None:
    """sqrt where it is real, elsewhere a line: each element has its own branch."""
    x = np.array([4.0, -1.0, 0.25, 0.0])

    def f(x: Any) -> Any:
        return np.sum(np.where(x > 0, np.sqrt(x), -3 * x))

    made = anabranch.grad(f, backend=backend)(x)
    np.testing.assert_array_equal(made, [0.25, -3, 1, -3])
