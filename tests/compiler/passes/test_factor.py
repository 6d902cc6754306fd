"""`factor`: sums over products are taken apart where factors lack axes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import anabranch
from anabranch.backends.reference.interpreter import interpret
from anabranch.compiler.passes import factor as module
from anabranch.compiler.passes.factor import factor
from anabranch.compiler.passes.prune import prune
from anabranch.ir import Graph

RNG = np.random.default_rng(0)
N = 40
X, Y, C = RNG.normal(size=(N, 3)), RNG.normal(size=(N, 5)), RNG.normal(size=N)
A, B = X[:, :, None], Y[:, None, :]
S = C[:, None, None]


@pytest.fixture(autouse=True)
def small_products(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIMIT", 16)


def taken_apart(function: Any, *arrays: Any) -> Graph:
    """The graph after the pass, which has the values of the graph before it."""
    graph = anabranch.make_ir(function)(*arrays)
    made = prune(factor(graph).verify())
    found, wanted = interpret(made, arrays), interpret(graph, arrays)
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)
    return made


def ops(graph: Graph) -> list[str]:
    return [node.op for node in graph]


def largest(graph: Graph) -> int:
    return max(node.type.size for node in graph)


@pytest.mark.parametrize(
    ("function", "arrays"),
    [
        (lambda a, b: np.sum(a * b, axis=0), (A, B)),
        (lambda a, b, c: np.sum(a * b * c, axis=0), (A, B, S)),
        (lambda a, b, c: np.sum(c * (b * a), axis=0), (A, B, S)),
        (lambda a, b, c: np.sum((a * c) * (b * b), axis=0), (A, B, S)),
        (
            lambda a, b: np.sum(b * a, axis=1),  # axes of the first on either side
            (RNG.normal(size=(3, N, 1, 2)), RNG.normal(size=(1, N, 5, 1))),
        ),
    ],
)
def test_a_sum_of_outer_products_is_a_product(function: Any, arrays: Any) -> None:
    made = taken_apart(function, *arrays)
    assert ops(made).count("matmul") == 1
    assert largest(made) < A.size * 5


def test_random_products_of_many_factors() -> None:
    """Of any axes, summed over any others."""
    rng = np.random.default_rng(4)
    sizes = (4, 5, 1, 6, 3)
    fired = 0
    for _ in range(60):
        shapes = [np.where(rng.random(5) < 0.5, sizes, 1) for _ in range(4)]
        arrays = [rng.normal(size=shape) for shape in shapes]
        axes = tuple(int(axis) for axis in np.flatnonzero(rng.random(5) < 0.5))

        def total(a: Any, b: Any, c: Any, d: Any, axes: Any = axes) -> Any:
            return np.sum((a * b) * (c * d), axis=axes)

        graph = anabranch.make_ir(total)(*arrays)
        made = factor(graph).verify()
        fired += made is not graph
        (found,), (wanted,) = interpret(made, arrays), interpret(graph, arrays)
        np.testing.assert_allclose(found, wanted, rtol=1e-10, atol=1e-11)
    assert fired > 20


def test_axes_of_one_factor_are_summed_first() -> None:
    x, y = RNG.normal(size=(7, 4, 6, 1)), RNG.normal(size=(7, 1, 1, 5))
    made = taken_apart(lambda x, y: np.sum(x * y, axis=(0, 1)), x, y)
    assert ops(made).count("matmul") == 1
    assert largest(made) == x.size


@pytest.mark.parametrize("axes", [(1, 2), (0, 1, 2), (1,), (2,)])
def test_the_norm_of_each_outer_product(axes: Any) -> None:
    made = taken_apart(lambda a, b: np.sum((a * b) ** 2, axis=axes), A, B)
    assert largest(made) <= N * 5


def test_what_has_all_axes_stays() -> None:
    d, w = RNG.normal(size=(N, 3, 5)), RNG.normal(size=(3, 5))
    for function in (
        lambda a, b, d: np.sum(a * d, axis=0),
        lambda a, b, d: np.sum(a * d * b, axis=1),
        lambda a, b, d: np.sum(S * d, axis=(1, 2)),
        lambda a, b, d: np.sum(np.exp(a * b), axis=0),
        lambda a, b, d: np.sum(d * w, axis=(1, 2)),
    ):
        graph = anabranch.make_ir(function)(A, B, d)
        assert factor(graph) is graph


def test_integers_and_few_elements_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    def total(a: Any, b: Any) -> Any:
        return np.sum(a * b, axis=0)

    whole = anabranch.make_ir(total)(A.astype(int), B.astype(int))
    assert factor(whole) is whole
    monkeypatch.setattr(module, "LIMIT", A.size * 5 + 1)
    few = anabranch.make_ir(total)(A, B)
    assert factor(few) is few


def test_clipped_gradients_of_examples_have_no_array_of_all() -> None:
    """As differentially private training has them."""
    w, x, y = RNG.normal(size=(20, 30)), RNG.normal(size=(N, 20)), RNG.normal(size=30)

    def loss(w: Any, x: Any) -> Any:
        return np.sum((np.tanh(x @ w) - y) ** 2)

    def clipped(w: Any, x: Any) -> Any:
        g = anabranch.grad(loss)(w, x)
        return g * np.minimum(1.0, 1.0 / np.sqrt(np.sum(g * g)))

    def total(w: Any, x: Any) -> Any:
        return np.sum(anabranch.vmap(clipped, (None, 0))(w, x), axis=0)

    found = anabranch.jit(total)
    expected = sum(anabranch.jit(clipped)(w, one) for one in x)
    np.testing.assert_allclose(found(w, x), expected, rtol=1e-11)
    graph = anabranch.parse(found.inspect_ir("optimised"))
    assert largest(graph) < N * 20 * 30
