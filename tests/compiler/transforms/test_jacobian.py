"""Jacobians, Hessians and their traces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.special

import anabranch as ab
from anabranch.ir.errors import ArgumentError, GradientError
from tests.strategies import random_sample

A = np.array([[2.0, 0.3, -0.1], [0.1, 1.5, 0.4], [0.2, -0.3, 1.2]])
X = np.array([0.3, -0.7, 1.1])


def looped(x: Any) -> Any:
    y = np.zeros(4)
    y[0] = x[0]
    for t in range(3):
        y[t + 1] = np.sin(y[t]) * x[t] + x[0]
    return y


def until(x: Any) -> Any:
    total = x
    while np.sum(total) < 20.0:
        total = total * 1.5 + x**2
    return total


def branching(x: Any) -> Any:
    if x[0] > 0:
        return x**3
    return np.sin(x)


FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "elementwise": lambda x: np.exp(np.sin(x)) * x,
    "products": lambda x: np.tanh(A @ x) @ A,
    "outer": lambda x: np.outer(x, np.cos(x)),
    "reduction": lambda x: np.prod(x) + np.max(x),
    "scan": looped,
    "while": lambda x: until(np.abs(x)),
    "branch": branching,
    "solve": lambda x: np.linalg.solve(A + np.outer(x, x), x),
    "eigenvalues": lambda x: np.linalg.eigvalsh(A @ A.T + np.diag(x)),
    "vectors": lambda x: np.linalg.eigh(A @ A.T + np.diag(x))[1] ** 2,
    "singular values": lambda x: np.linalg.svd(A * x)[1],
    "sorted": lambda x: np.cumsum(np.sort(x)),
    "gather": lambda x: x[np.array([2, 0, 2])] ** 2,
    "transform": lambda x: np.abs(np.fft.rfft(x)) ** 2,
    "special": lambda x: scipy.special.gammaln(x**2 + 1.0),
    "softmax": lambda x: ab.softmax(3.0 * x),
}
JACOBIANS = [ab.jacfwd, ab.jacrev, ab.jacobian]


def by_differences(f: Callable[[Any], Any], x: Any) -> Any:
    step = 1e-3
    columns = []
    for k in range(x.size):
        e = np.zeros(x.size)
        e[k] = step
        e = e.reshape(x.shape)
        near, far = f(x + e) - f(x - e), f(x + 2 * e) - f(x - 2 * e)
        columns.append((8 * near - far) / (12 * step))
    return np.stack(columns, -1).reshape(*np.shape(f(x)), *x.shape)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_both_modes_agree_with_differences(name: str) -> None:
    f = FUNCTIONS[name]
    expected = by_differences(f, X)
    forward, reverse = ab.jacfwd(f)(X), ab.jacrev(f)(X)
    np.testing.assert_allclose(forward, expected, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(forward, reverse, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_hessians_are_symmetric_and_right(name: str) -> None:
    f = FUNCTIONS[name]

    def loss(x: Any) -> Any:
        return np.sum(np.sin(f(x)))

    made = ab.hessian(loss)(X)
    np.testing.assert_allclose(made, made.T, rtol=1e-9, atol=1e-10)
    expected = by_differences(ab.grad(loss), X)
    np.testing.assert_allclose(made, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(ab.laplacian(loss)(X), np.trace(made), rtol=1e-9)


def test_third_derivatives_in_every_order_of_modes() -> None:
    def f(x: Any) -> Any:
        return np.sum(np.sin(x) * x[0]) + np.prod(x)

    first = ab.grad(f)
    made = [
        outer(inner(first))(X)
        for outer in (ab.jacfwd, ab.jacrev)
        for inner in (ab.jacfwd, ab.jacrev)
    ]
    expected = by_differences(ab.hessian(f), X)
    for one in made:
        np.testing.assert_allclose(one, expected, rtol=1e-6, atol=1e-7)


def test_random_graphs_have_one_jacobian() -> None:
    for seed in range(4):
        sample = random_sample(seed)
        graph = sample.graph
        kept = [out for out in graph.outputs if graph[out.value].type.is_float]
        numbers = [
            k for k, node in enumerate(graph.inputs) if node.name in sample.floats
        ]
        some = graph.returning(kept)
        forward = ab.jacfwd(some, tuple(numbers))(*sample.point)
        reverse = ab.jacrev(some, tuple(numbers))(*sample.point)
        for one, two in zip(leaves(forward), leaves(reverse), strict=True):
            scale = max(1.0, float(np.max(np.abs(two), initial=0.0)))
            np.testing.assert_allclose(one, two, rtol=0, atol=1e-9 * scale)


def leaves(tree: Any) -> list[Any]:
    if isinstance(tree, dict):
        return [leaf for value in tree.values() for leaf in leaves(value)]
    if isinstance(tree, tuple):
        return [leaf for value in tree for leaf in leaves(value)]
    return [tree]


@pytest.mark.parametrize("make", JACOBIANS)
def test_trees_in_and_out(make: Any) -> None:
    def f(weights: Any, b: Any) -> Any:
        return {"u": weights["x"] * b, "v": np.sum(np.sin(b))}

    x, b = np.ones(2), np.array([0.5, 2.0])
    made = make(f, (0, "b"))({"x": x}, b)
    of_x, of_b = made["u"]
    np.testing.assert_allclose(of_x["x"], np.diag(b))
    np.testing.assert_allclose(of_b, np.diag(x))
    of_x, of_b = made["v"]
    np.testing.assert_allclose(of_x["x"], np.zeros(2))
    np.testing.assert_allclose(of_b, np.cos(b))


@pytest.mark.parametrize("make", JACOBIANS)
def test_what_stands_beside(make: Any) -> None:
    made, aux = make(lambda x: (x**2, x.sum()), has_aux=True)(X)
    np.testing.assert_allclose(made, np.diag(2 * X))
    np.testing.assert_allclose(aux, X.sum())
    with pytest.raises(GradientError, match=r"should return \(result, aux\)"):
        make(lambda x: x, has_aux=True)(X)


def test_values_beside_jacobians_and_gradients() -> None:
    value, made = ab.value_and_jacobian(np.cumsum)(X)
    np.testing.assert_array_equal(value, np.cumsum(X))
    np.testing.assert_array_equal(made, np.tril(np.ones((3, 3))))
    gradient, aux = ab.grad_and_aux(lambda x: (np.sum(x**2), x))(X)
    np.testing.assert_allclose(gradient, 2 * X)
    np.testing.assert_array_equal(aux, X)
    np.testing.assert_allclose(ab.elementwise_grad(np.sin)(X), np.cos(X))
    twice = ab.elementwise_grad(ab.elementwise_grad(np.sin))(X)
    np.testing.assert_allclose(twice, -np.sin(X))


@pytest.mark.parametrize("make", JACOBIANS)
def test_complex_jacobians(make: Any) -> None:
    z = np.array([1 + 1j, 2.0 - 0.5j])
    made = make(lambda z: np.exp(z) * z[0], holomorphic=True)(z)
    expected = np.diag(np.exp(z) * z[0]) + np.outer(np.exp(z), [1, 0])
    np.testing.assert_allclose(made, expected, rtol=1e-14)
    with pytest.raises(GradientError, match="no Jacobian of a complex"):
        make(lambda z: z * z)(z)
    with pytest.raises(GradientError, match=r"holomorphic=True, but %mul\.0"):
        make(lambda x: x * x, holomorphic=True)(X)


@pytest.mark.parametrize("make", JACOBIANS)
def test_no_arguments_make_no_blocks(make: Any) -> None:
    assert make(lambda p: (X, X[0]))({}) == ({}, {})
    assert make(lambda x: np.sum(x), ())(X) == ()
    assert ab.hessian(lambda x: np.sum(x), ())(X) == ()


def test_the_mode_follows_what_is_complex() -> None:
    wave = ab.jacobian(lambda x: np.exp(1j * np.sum(x)))(X)
    np.testing.assert_allclose(wave, 1j * np.exp(1j * np.sum(X)) * np.ones(X.size))
    z = np.array([3 + 4j])
    sizes = ab.jacobian(lambda z: np.abs(np.concatenate([z, 2 * z])))(z)
    np.testing.assert_allclose(sizes, [[0.6 + 0.8j], [1.2 + 1.6j]])


def test_a_complex_hessian() -> None:
    z = np.array([1 + 1j, 2.0 - 0.5j])
    made = ab.hessian(lambda z: np.sum(z**3) + z[0] * z[1], holomorphic=True)(z)
    np.testing.assert_allclose(made, np.diag(6 * z) + np.eye(2)[::-1], rtol=1e-14)
    with pytest.raises(GradientError, match="no Jacobian of a complex argument"):
        ab.hessian(lambda z: np.sum(np.abs(z) ** 2))(z)


@pytest.mark.parametrize("make", [ab.jacfwd, ab.jacrev, ab.hessian, ab.grad])
@pytest.mark.parametrize("argnums", [(0, 0), (0, -1), (0, "x")])
def test_an_argument_that_is_named_twice_is_refused(make: Any, argnums: Any) -> None:
    with pytest.raises(ArgumentError, match="argnums names x twice"):
        make(lambda x: np.sum(x**2), argnums)(X)


def test_results_of_size_one_count_as_scalars() -> None:
    x = np.array([3.0])
    value, gradient = ab.value_and_grad(lambda x: x**2)(x)
    np.testing.assert_array_equal(value, [9.0])
    np.testing.assert_array_equal(gradient, [6.0])
    np.testing.assert_array_equal(ab.hessian(lambda x: np.sum(x**3))(x), [[18.0]])
    with pytest.raises(GradientError, match=r"but %x is f64\[2\]"):
        ab.grad(lambda x: x)(np.ones(2))


def test_divergences() -> None:
    field = lambda x: A @ x**2  # noqa: E731
    np.testing.assert_allclose(ab.divergence(field)(X), 2 * np.sum(np.diag(A) * X))
    grid = np.arange(6.0).reshape(2, 3)
    np.testing.assert_allclose(ab.divergence(lambda x: x**2)(grid), 2 * grid.sum())
    with pytest.raises(GradientError, match=r"takes f64\[3\] and returns f64\[2\]"):
        ab.divergence(lambda x: x[:2])(X)


def test_the_mode_is_chosen_by_shapes_and_told() -> None:
    wide, tall = (
        ab.jacobian(lambda x: x[:1] ** 2),
        ab.jacobian(lambda x: np.outer(x, x)),
    )
    wide(X)
    tall(X)
    assert "made by reverse mode: 1 results, 3 inputs" in str(wide.report())
    assert "made by forward mode: 9 results, 3 inputs" in str(tall.report())


def test_a_jacobian_is_one_graph_that_does_not_grow_with_its_rows() -> None:
    sizes = [len(ab.make_ir(ab.jacfwd(looped))(np.ones(n))) for n in (4, 40)]
    assert sizes[0] == sizes[1]


def test_empty_arguments_and_results() -> None:
    assert ab.jacfwd(np.sin)(np.zeros(0)).shape == (0, 0)
    assert ab.jacrev(lambda x: x[:0])(X).shape == (0, 3)


@pytest.mark.parametrize("make", [*JACOBIANS, ab.hessian, ab.grad, ab.hvp])
def test_argnum_is_another_name(make: Any) -> None:
    f = lambda a, b: np.sum(a * b**2)  # noqa: E731
    more = (X,) if make is ab.hvp else ()
    one, two = make(f, argnum=1)(X, X, *more), make(f, 1)(X, X, *more)
    np.testing.assert_array_equal(one, two)
    with pytest.raises(ArgumentError, match="two names of one option"):
        make(f, 1, argnum=1)


@pytest.mark.parametrize("make", JACOBIANS)
def test_what_has_no_jacobian(make: Any) -> None:
    with pytest.raises(GradientError, match=r"no Jacobian of %.*: it is i64") as caught:
        make(lambda x: np.argsort(x))(X)
    assert "has_aux=True" in str(caught.value)
    with pytest.raises(GradientError, match="static"):
        make(lambda x, name: x, 1)(X, "name")


def test_vectors_of_trees() -> None:
    tree = {"w": np.arange(4.0).reshape(2, 2), "b": np.float32(2.0), "n": 3}
    vector, unravel = ab.ravel_pytree(tree)
    np.testing.assert_array_equal(vector, [0.0, 1.0, 2.0, 3.0, 2.0, 3.0])
    again = unravel(vector.tolist())
    np.testing.assert_array_equal(again["w"], tree["w"])
    assert again["b"].dtype == np.float32
    assert again["n"] == 3
    with pytest.raises(ArgumentError, match=r"shape \(5,\), the tree has 6 elements"):
        unravel(vector[1:])

    def loss(vector: Any) -> Any:
        tree = unravel(vector)
        return np.sum(tree["w"] ** 2) * tree["b"]

    gradient = ab.grad(loss)(vector)
    np.testing.assert_allclose(gradient, [0.0, 4.0, 8.0, 12.0, 14.0, 0.0])
    flat = ab.jit(lambda tree: ab.ravel_pytree(tree)[0])(tree)
    np.testing.assert_array_equal(flat, vector)
    assert ab.ravel_pytree(())[0].shape == (0,)
