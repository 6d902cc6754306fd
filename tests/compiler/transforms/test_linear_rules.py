"""Which rules of the user count as linear, so that they may be transposed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import anabranch as ab
from anabranch.ir.errors import DomainError, GradientError

N = 5
X = np.array([0.3, -0.7, 1.1, 0.2, -1.6])
A = np.random.default_rng(0).normal(size=(N, N)) + 3 * np.eye(N)
ZEROS = np.zeros(N)
Rule = Callable[[Any, Any], Any]


def stored(g: Any, x: Any) -> Any:
    out = np.zeros(N)
    out[1:] = x[1:] * g[:-1]
    out[0] += g @ x
    return out


def carried(g: Any, x: Any) -> Any:
    total, rows = 0 * g, []
    for i in range(40):
        total = total * x + g[::-1] * i
        rows.append(total[0])
    return total + np.array(rows)[:N]


def counted(g: Any, x: Any) -> Any:
    left = 4.0
    while left > np.abs(x[0]):
        g, left = A @ g, left - 1.0
    return g


def chosen(g: Any, x: Any) -> Any:
    return g * x if x[0] > 0 else -g


def mapped(g: Any, x: Any) -> Any:
    return ab.vmap(lambda a, b: a * np.sin(b))(g, x)


LINEAR: dict[str, Rule] = {
    "scaled": lambda g, x: -g * x / (x + 2.0) - np.float64(2.0) * g,
    "zero": lambda g, x: 0 * g,
    "differences": lambda g, x: np.append(np.diff(g), g[0]) - g.mean(),
    "picked": lambda g, x: np.where(x > 0, g, 2 * g)[np.argsort(x)],
    "masked": lambda g, x: np.where(x > 0, g, 0.0),
    "stored": stored,
    "carried": carried,
    "counted": counted,
    "chosen": chosen,
    "mapped": mapped,
    "product": lambda g, x: np.einsum("i,j,ij->j", x, g, A),
    "solved": lambda g, x: np.linalg.solve(A + np.diag(x), np.cumsum(g)),
    "sylvester": lambda g, x: np.diag(sylvester(A, A.T, np.diag(g))),
    "convolved": lambda g, x: np.convolve(g, x, "same"),
    "padded": lambda g, x: np.pad(g, 2)[1 : N + 1],
    "spectrum": lambda g, x: np.fft.ifft(np.conj(np.fft.fft(g)) * x).real,
    "pulled": lambda g, x: ab.vjp(lambda y: np.tanh(A @ y) * np.max(y), x)[1](g)[0],
    "pushed": lambda g, x: ab.jvp(lambda y: np.sort(y) / y.sum(), (x,), (g,))[1],
    "checkpoint": lambda g, x: ab.checkpoint(lambda h: h * np.exp(x))(g),
    "again": lambda g, x: g**1.0 + np.zeros(N),
}


def sylvester(a: Any, b: Any, q: Any) -> Any:
    import scipy.linalg

    return scipy.linalg.solve_sylvester(a, b, q)


def ruled_back(rule: Rule) -> Any:
    """A function whose cotangents a rule makes."""
    f = ab.custom_vjp(lambda x: x + 0.0)
    f.defvjp(lambda x: (f(x), x), lambda x, g: (rule(g, x),))
    return f


def ruled_forth(rule: Rule) -> Any:
    """A function whose tangents a rule makes."""
    f = ab.custom_jvp(lambda x: x + 0.0)
    f.defjvp(lambda xs, dots: (f(*xs), rule(dots[0], xs[0])))
    return f


@pytest.mark.parametrize("name", LINEAR)
def test_linear_rules_are_transposed(name: str) -> None:
    rule = LINEAR[name]
    v, u = np.cos(np.arange(N)), np.sin(np.arange(1.0, N + 1))
    expected = u @ ab.jit(rule)(v, X)
    by_tangents = ab.vjp(ruled_forth(rule), X)[1](u)
    np.testing.assert_allclose(by_tangents @ v, expected, rtol=1e-10, atol=1e-13)
    by_cotangents = ab.jvp(ruled_back(rule), (X,), (u,))[1]
    np.testing.assert_allclose(by_cotangents @ v, expected, rtol=1e-10, atol=1e-13)


def affine_in_a_loop(g: Any, x: Any) -> Any:
    for _ in range(30):
        g = g * x + 1.0
    return g


def as_long_as_it_is_large(g: Any, x: Any) -> Any:
    while np.sum(np.abs(g)) > 1.0:
        g = 0.5 * g
    return g


def affine_branch(g: Any, x: Any) -> Any:
    return g if x[0] > 0 else x


NOT_LINEAR: dict[str, Rule] = {
    "one more": lambda g, x: g + 1.0,
    "x more": lambda g, x: g * x + x,
    "filled": lambda g, x: np.where(x > 0, g, 1.0),
    "edge": lambda g, x: np.pad(g, 1, constant_values=1.0)[:N],
    "affine_in_a_loop": affine_in_a_loop,
    "affine_branch": affine_branch,
    "as_long_as_it_is_large": as_long_as_it_is_large,
    "square": lambda g, x: g * g,
    "quotient": lambda g, x: x / g,
    "unit": lambda g, x: g / np.sqrt(g @ g),
    "size": lambda g, x: np.abs(g),
    "clipped": lambda g, x: np.clip(g, -1.0, 1.0),
    "slopes": lambda g, x: np.where(g > 0, g, 2 * g),
    "sorted": lambda g, x: np.sort(g),
    "picked": lambda g, x: x[np.argsort(g)],
    "steps": lambda g, x: np.floor(g),
    "whole": lambda g, x: g.astype(int).astype(float),
    "stopped": lambda g, x: ab.stop_gradient(g) * x,
    "steered": lambda g, x: ab.grad_clip(g, -1.0, 1.0),
}


@pytest.mark.parametrize("name", NOT_LINEAR)
def test_other_rules_are_refused_at_the_line(name: str) -> None:
    rule = NOT_LINEAR[name]
    with pytest.raises(GradientError, match="not linear in its tangents") as caught:
        ab.grad(lambda x: np.sum(ruled_forth(rule)(x)))(X)
    assert "test_linear_rules.py" in str(caught.value).splitlines()[0]
    assert "hint: give the function a rule for cotangents" in str(caught.value)
    with pytest.raises(GradientError, match="not linear in its cotangent") as caught:
        ab.jvp(ruled_back(rule), (X,), (X,))
    assert "test_linear_rules.py" in str(caught.value).splitlines()[0]
    assert "hint: give the function a rule for tangents" in str(caught.value)


def test_a_rule_that_does_not_read_its_cotangent_is_refused() -> None:
    with pytest.raises(GradientError, match="not linear in its cotangent"):
        ab.jvp(ruled_back(lambda g, x: np.ones_like(g)), (X,), (X,))


def test_no_rule_is_judged_by_what_an_array_holds() -> None:
    """Zeros that the rule captures may be others at the next call; a number may not."""
    held, number = np.zeros(N), 0.0

    def arrays(x: Any) -> Any:
        return ruled_back(lambda g, x: np.where(x > 0, g, held))(x)

    def numbers(x: Any) -> Any:
        return ruled_back(lambda g, x: g * x + number)(x)

    for change in (0.0, 1.0):
        held[:] = change
        with pytest.raises(GradientError, match="not linear in its cotangent"):
            ab.jvp(arrays, (X,), (X,))
    _, pushed = ab.jvp(numbers, (X,), (X,))
    np.testing.assert_allclose(pushed, X * X)
    number = 1.0
    with pytest.raises(GradientError, match="not linear in its cotangent"):
        ab.jvp(numbers, (X,), (X,))


def test_an_operator_that_adds_something_is_an_error() -> None:
    made = ab.linear_solve(lambda v: A @ v + ZEROS, X)
    np.testing.assert_allclose(made.x, np.linalg.solve(A, X), rtol=1e-9)
    with pytest.raises(DomainError, match="the operator is not linear"):
        ab.linear_solve(lambda v: A @ v + X, X, throw=False)
