"""Gradients with known numbers: shared reads, reductions, indexing, far ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import anabranch
from anabranch.ir.errors import ArgumentError, GradientError

X = np.array([1.0, 2.0, 3.0])
# Sums and products of numbers of about 1 may cancel: relative to their terms.
CLOSE: dict[str, Any] = {"rtol": 1e-13, "atol": 1e-13}


def grad(
    function: Callable[..., Any], backend: str, *args: Any, argnums: Any = 0
) -> Any:
    return anabranch.grad(function, argnums, backend=backend)(*args)


def test_weight_read_twice_by_products(backend: str) -> None:
    x, w = np.array([[1.1, -0.7]]), np.array([[0.4, -0.2], [0.7, 0.3]])
    dx, dw = grad(lambda x, w: np.sum(x @ w @ w), backend, x, w, argnums=(0, 1))
    np.testing.assert_allclose(dw, [[0.17, 1.05], [-0.57, -1.13]], **CLOSE)
    np.testing.assert_allclose(dx, [[-0.12, 0.44]], **CLOSE)


def test_value_read_many_times(backend: str) -> None:
    def f(x: Any, a: Any) -> Any:
        return x * (x * a) + (x * x) * a + x * (x * a)

    assert grad(f, backend, 1.0, 1.0) == 6.0


def test_weight_of_two_layers_and_a_penalty(backend: str) -> None:
    """Its sum node has three operands; their sum is that of three untied copies."""
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((5, 4)), rng.standard_normal((4, 4))

    def untied(a: Any, b: Any, c: Any, x: Any) -> Any:
        return np.sum(np.tanh(np.tanh(x @ a) @ b)) + np.sum(np.cosh(c))

    def tied(w: Any, x: Any) -> Any:
        return untied(w, w, w, x)

    parts = grad(untied, backend, w, w, w, x, argnums=(0, 1, 2))
    np.testing.assert_allclose(grad(tied, backend, w, x), sum(parts), **CLOSE)
    graph = anabranch.make_ir(anabranch.grad(tied))(w, x)
    assert len(graph.contributions("w")) == 3


def test_one_array_in_two_positions(backend: str) -> None:
    x = np.float64(3.0)
    assert grad(lambda a, b: a * b, backend, x, x, argnums=(0, 1)) == (3.0, 3.0)
    assert grad(lambda x: (lambda a, b: a * b)(x, x), backend, x) == 6.0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_unused_input(backend: str, dtype: Any) -> None:
    made = grad(lambda x, y: y * 2, backend, np.ones((2, 3), dtype), 1.0)
    assert made.dtype == dtype
    np.testing.assert_array_equal(made, np.zeros((2, 3)))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: np.sum(x > 0) * 1.0,
        lambda x: np.argmax(x) * 1.0,
        lambda x: np.sum(x.astype(np.int64)) * 2.0,
        lambda x: np.sum(np.floor(x) + np.sign(x) + np.round(x) + np.ceil(x)),
    ],
)
def test_input_under_steps_only(backend: str, function: Callable[..., Any]) -> None:
    np.testing.assert_array_equal(grad(function, backend, X), np.zeros(3))


def test_output_is_the_input(backend: str) -> None:
    assert grad(lambda x: x, backend, 2.0) == 1.0


def test_output_is_constant(backend: str) -> None:
    assert grad(lambda x: np.float64(3.0), backend, 2.0) == 0.0


@pytest.mark.parametrize(
    ("cotangent", "expected"),
    [([1, 2, 3, 4], [-1.5, -0.5, 0.5, 1.5]), ([1, 1, 1, 1], [0, 0, 0, 0])],
)
def test_pullback_of_centring(backend: str, cotangent: Any, expected: Any) -> None:
    _, pullback = anabranch.vjp(lambda x: x - np.mean(x), np.ones(4), backend=backend)
    [made] = pullback(np.array(cotangent, float))
    np.testing.assert_allclose(made, expected, **CLOSE)


def test_variance(backend: str) -> None:
    made = grad(np.var, backend, np.array([1.0, 2.0, 4.0]))
    np.testing.assert_allclose(made, [-8 / 9, -2 / 9, 10 / 9], **CLOSE)


def test_maximum_along_an_axis(backend: str) -> None:
    x = np.array([[1.0, 1.0], [2.0, 3.0]])
    made = grad(lambda x: np.sum(np.max(x, axis=1)), backend, x)
    np.testing.assert_array_equal(made, [[0.5, 0.5], [0, 1]])


# The function of x = [1, 2, 3], and its gradient.
AT_X: list[tuple[str, Callable[[Any], Any], list[float]]] = [
    (
        "take with repeated indices",
        lambda x: np.take(x, [2, 0, 2, 2]) @ np.array([1.0, 10.0, 100.0, 1000.0]),
        [10, 0, 1101],
    ),
    (
        "the same by indexing",
        lambda x: x[np.array([2, 0, 2, 2])] @ np.array([1.0, 10.0, 100.0, 1000.0]),
        [10, 0, 1101],
    ),
    ("one element by two names", lambda x: x[-1] * x[2], [0, 0, 6]),
    (
        "cumsum",
        lambda x: np.cumsum(x) @ np.array([1.0, 10.0, 100.0]),
        [111, 110, 100],
    ),
    ("cumprod", lambda x: np.sum(np.cumprod(x)), [9, 4, 2]),
    ("prod", np.prod, [6, 3, 2]),
    ("prod of negatives", lambda x: np.prod(-x), [-6, -3, -2]),
    ("slice with a step", lambda x: np.sum(x[::2] * x[::-2]), [6, 0, 2]),
    ("logsumexp far out", lambda x: anabranch.logsumexp(0 * x + 1000.0), [0, 0, 0]),
]


@pytest.mark.parametrize(("name", "function", "expected"), AT_X)
def test_gradient_at_one_two_three(
    backend: str, name: str, function: Callable[[Any], Any], expected: list[float]
) -> None:
    made = grad(function, backend, X)
    np.testing.assert_allclose(made, expected, **CLOSE, err_msg=name)


def test_concatenation_with_itself(backend: str) -> None:
    weights = np.array([1.0, 2.0, 3.0, 4.0])
    made = grad(lambda x: np.concatenate([x, x]) @ weights, backend, np.ones(2))
    np.testing.assert_array_equal(made, [4, 6])


def test_transpose_of_a_reshape(backend: str) -> None:
    weights = np.arange(6.0).reshape(3, 2)
    made = grad(lambda x: np.sum(x.reshape(2, 3).T * weights), backend, np.ones(6))
    np.testing.assert_array_equal(made, [0, 2, 4, 1, 3, 5])


def test_trace_of_a_square(backend: str) -> None:
    made = grad(lambda a: np.trace(a @ a), backend, np.array([[1.0, 2.0], [3.0, 4.0]]))
    np.testing.assert_array_equal(made, [[2, 6], [4, 8]])


# Value and gradient at +-1000, where the plain formulas overflow.
FAR: list[tuple[str, Callable[[Any], Any], float, float, float]] = [
    ("sigmoid", anabranch.sigmoid, -1000.0, 0.0, 0.0),
    ("sigmoid", anabranch.sigmoid, 1000.0, 1.0, 0.0),
    ("tanh", np.tanh, -1000.0, -1.0, 0.0),
    ("tanh", np.tanh, 1000.0, 1.0, 0.0),
    ("softplus", lambda x: np.logaddexp(x, 0), -1000.0, 0.0, 0.0),
    ("softplus", lambda x: np.logaddexp(x, 0), 1000.0, 1000.0, 1.0),
    ("gelu", anabranch.gelu, 1000.0, 1000.0, 1.0),
    ("gelu", anabranch.gelu, -1000.0, 0.0, 0.0),
]


@pytest.mark.parametrize(("name", "function", "x", "value", "slope"), FAR)
def test_stable_functions_far_out(
    backend: str,
    name: str,
    function: Callable[[Any], Any],
    x: float,
    value: float,
    slope: float,
) -> None:
    made = anabranch.value_and_grad(function, backend=backend)(x)
    assert made == (value, slope), name


def test_logsumexp_far_out(backend: str) -> None:
    for x in (1000.0, -1000.0):
        value, made = anabranch.value_and_grad(anabranch.logsumexp, backend=backend)(
            np.array([x, x])
        )
        np.testing.assert_allclose(value, x + np.log(2), rtol=1e-14)
        np.testing.assert_array_equal(made, [0.5, 0.5])


def test_log_softmax_far_out(backend: str) -> None:
    x = np.array([1000.0, 0.0, -1000.0])
    value, made = anabranch.value_and_grad(
        lambda x: np.sum(anabranch.log_softmax(x) * np.array([1.0, 2.0, 3.0])),
        backend=backend,
    )(x)
    assert value == -1000.0 * 2 - 2000.0 * 3
    np.testing.assert_array_equal(made, [1 - 6, 2, 3])


def test_root_of_a_clamped_value(backend: str) -> None:
    """The infinite slope of the root stays behind the maximum that cuts it off."""
    assert grad(lambda x: np.sqrt(np.maximum(x, 0)), backend, -10.0) == 0.0


@pytest.mark.parametrize(
    "argument", [np.arange(3), np.array([True]), np.array([1j]), object(), 3]
)
def test_argument_that_has_no_gradient(backend: str, argument: Any) -> None:
    """A Python integer is an integer: its gradient would have to be one."""
    with pytest.raises(TypeError, match="weight"):
        grad(lambda weight: np.sum(weight * 2.0), backend, argument)


def test_loss_that_is_no_scalar(backend: str) -> None:
    with pytest.raises(TypeError, match="vjp"):
        grad(lambda x: x * 2, backend, X)


def test_gradient_has_the_dtype_of_its_argument(backend: str) -> None:
    rng = np.random.default_rng(1)
    w = rng.standard_normal(50).astype(np.float32)
    x = rng.standard_normal(50)

    def f(w: Any, x: Any) -> Any:
        return np.sum(np.sin(w * x) * w)

    made = grad(f, backend, w, x)
    assert made.dtype == np.float32
    exact = grad(f, backend, w.astype(np.float64), x).astype(np.float32)
    np.testing.assert_array_max_ulp(made, exact, 2)


def test_loss_in_float32(backend: str) -> None:
    made = grad(lambda x: np.sum(x * x), backend, X.astype(np.float32))
    assert made.dtype == np.float32
    np.testing.assert_array_equal(made, [2, 4, 6])


def test_argument_errors_are_ours(backend: str) -> None:
    with pytest.raises(ArgumentError, match="weight"):
        grad(lambda weight: weight, backend, object())
    with pytest.raises(GradientError, match="weight is static"):
        grad(lambda weight: np.sum(X), backend, "text")
