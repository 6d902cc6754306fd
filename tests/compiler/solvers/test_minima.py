"""`minimize`: SciPy's minima, and derivatives of where the gradient is zero."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.optimize

import anabranch
from anabranch import ArgumentError, DomainError, TraceError

A = np.array([0.3, 1.2, 0.5])


def rosenbrock(x: Any) -> Any:
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def bowl(x: Any, a: Any) -> Any:
    return np.sum(np.cosh(x - a)) + 0.5 * np.sum(x**2 * a[::-1]) + x[0] * x[1] * a[2]


@pytest.mark.parametrize("method", ["bfgs", "newton-cg"])
def test_the_valley_of_rosenbrock(method: str) -> None:
    start = np.full(4, -1.2)
    made = anabranch.minimize(rosenbrock, start, method=method)
    wanted = scipy.optimize.minimize(
        scipy.optimize.rosen, start, jac=scipy.optimize.rosen_der, tol=1e-8
    )
    np.testing.assert_allclose(made.x, wanted.x, rtol=1e-7)
    np.testing.assert_allclose(made.fun, wanted.fun, atol=1e-12)
    assert made.iterations <= 2 * wanted.nit
    assert made.residual <= 1e-8


@pytest.mark.parametrize("method", ["bfgs", "newton-cg"])
def test_derivatives_of_two_orders(method: str) -> None:
    def loss(a: Any) -> Any:
        made = anabranch.minimize(bowl, np.zeros(3), a, method=method, tol=1e-11)
        return np.sum(np.sin(made.x)) + made.fun

    bar, steps = anabranch.grad(loss), 1e-5 * np.eye(3)
    for f, made in (
        (loss, bar(A)),
        (
            lambda a: np.sum(bar(a) ** 2),
            anabranch.grad(lambda a: np.sum(bar(a) ** 2))(A),
        ),
    ):
        wanted = [(f(A + e) - f(A - e)) / 2e-5 for e in steps]
        np.testing.assert_allclose(made, wanted, rtol=1e-6)


def test_backends_and_forward_mode(backend: str) -> None:
    def whole(x: Any, a: Any) -> Any:
        return bowl(np.concatenate([np.reshape(x["u"], (1,)), x["v"]]), a)

    def found(a: Any) -> Any:
        start = {"u": 0.0, "v": np.zeros(2)}
        return anabranch.minimize(whole, start, a).x["v"]

    made = anabranch.jit(found, backend=backend)(A)
    wanted = scipy.optimize.minimize(bowl, np.zeros(3), args=(A,), tol=1e-9).x
    np.testing.assert_allclose(made, wanted[1:], rtol=1e-5)
    _, dot = anabranch.jvp(found, (A,), (A,))
    near = (found(A * (1 + 1e-6)) - found(A * (1 - 1e-6))) / 2e-6
    np.testing.assert_allclose(dot, near, rtol=1e-4)


def test_forward_mode_where_the_function_has_a_loop() -> None:
    def power(k: Any) -> Any:
        return anabranch.fori_loop(0, 3, lambda i, y: y * k, 1.0)

    def found(a: Any) -> Any:  # the cube root
        return anabranch.minimize(lambda k: (power(k) - a) ** 2, 1.5, tol=1e-12).x

    _, dot = anabranch.jvp(found, (8.0,), (1.0,))
    np.testing.assert_allclose(dot, 1 / 12, rtol=1e-9)
    np.testing.assert_allclose(anabranch.hessian(found)(8.0), -1 / 144, rtol=1e-9)


def test_what_has_no_minimum_is_an_error_at_the_users_line() -> None:
    with pytest.raises(DomainError, match="no minimum within 500 steps of bfgs") as e:
        anabranch.minimize(lambda x: np.sum(x**3), np.ones(2))
    assert e.value.source is not None
    assert e.value.source.file == __file__
    made = anabranch.minimize(lambda x: -np.sum(x * x), np.ones(2), throw=False)
    assert not made.success


def test_what_is_refused() -> None:
    with pytest.raises(ArgumentError, match="minimize: no method 'powell'"):
        anabranch.minimize(rosenbrock, A, method="powell")
    with pytest.raises(
        TraceError, match=r"value of shape \(3,\) and kind 'f', not one real number"
    ):
        anabranch.minimize(lambda x: x * x, A)
