"""Which products with a common operand are one, and which wait for each other."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from anabranch import jit, make_ir
from anabranch.backends.reference.interpreter import interpret
from anabranch.compiler.passes.batch import batch
from anabranch.compiler.passes.contract import LIMIT
from anabranch.compiler.pipeline import optimise
from anabranch.ir import Graph

RNG = np.random.default_rng(23)
W = RNG.normal(size=(3, 3))
V = RNG.normal(size=(3, 3))
XS = RNG.normal(size=(5, 2, 3))


def products(function: Any, *point: Any) -> int:
    """How many products are left, after the results were held against the original."""
    graph = make_ir(function)(*point)
    made = batch(graph).verify()
    assert batch(made) is made
    results = zip(interpret(made, point), interpret(graph, point), strict=True)
    for one, other in results:
        np.testing.assert_allclose(one, other, rtol=1e-13, atol=1e-13)
    return Counter(node.op for node in made)["matmul"]


def test_rows_by_one_matrix_are_one_product() -> None:
    assert products(lambda xs, w: sum(np.tanh(x @ w) for x in xs), XS, W) == 1


def test_one_matrix_by_vectors_is_one_product() -> None:
    assert products(lambda xs, w: sum(np.tanh(w @ x) for x in xs), XS[:, 0], W) == 1


def test_a_recurrence_stays_a_recurrence() -> None:
    def power(x: Any, w: Any) -> Any:
        for _ in range(4):
            x = np.tanh(x @ w)
        return x

    assert products(power, XS[0], W) == 4


def test_a_product_of_a_product_is_no_batch() -> None:
    assert products(lambda x, w: np.tanh((x @ w) @ w), XS[0], W) == 2


def test_what_feeds_a_recurrence_and_what_it_feeds_are_batched() -> None:
    def network(xs: Any, wx: Any, wh: Any, wo: Any) -> Any:
        h, total = xs[0], xs[0]
        for x in xs:
            h = np.tanh(x @ wx + h @ wh)
            total = total + np.tanh(h @ wo)
        return total

    assert products(network, XS, W, V, W + V) == 1 + len(XS) + 1


def test_a_layer_between_two_recurrences_is_batched() -> None:
    def network(xs: Any, wx: Any, wh: Any, ux: Any, uh: Any) -> Any:
        g = h = xs[0]
        for x in xs:
            h = np.tanh(x @ wx + h @ wh)
            g = np.tanh(h @ ux + g @ uh)
        return g

    assert products(network, XS, W, V, W + V, W - V) == 2 + 2 * len(XS)


def test_groups_that_wait_for_each_other_stay() -> None:
    """Each pair is independent, but both pairs at once would be a cycle."""

    def crossed(x: Any, y: Any, w: Any, v: Any) -> Any:
        a = np.tanh(x @ w)
        b = np.tanh(y @ v)
        return np.tanh(a @ v) + np.tanh(b @ w)

    assert products(crossed, XS[0], XS[1], W, V) == 4


def test_many_rows_are_a_product_of_their_own() -> None:
    few, many = (RNG.normal(size=(2, rows, 3)) for rows in (LIMIT - 1, LIMIT))
    assert products(lambda xs, w: np.tanh(xs[0] @ w) - xs[1] @ w + 1, few, W) == 1
    assert products(lambda xs, w: np.tanh(xs[0] @ w) - xs[1] @ w + 1, many, W) == 2


def test_results_have_memory_of_their_own() -> None:
    assert products(lambda xs, w: [x @ w for x in xs], XS, W) == len(XS)


def test_rows_of_different_numbers_are_batched() -> None:
    def uneven(x: Any, y: Any, w: Any) -> Any:
        return np.sum(np.tanh(x @ w)) + np.sum(np.cos(y @ w))

    assert products(uneven, XS[0], XS[1][:1], W) == 1


def test_slices_of_an_array_are_batched_without_copies() -> None:
    made = jit(lambda xs, w: np.tanh(xs[0] @ w) + sum(np.sin(x @ w) for x in xs))
    made(XS, W)
    assert "copy" not in made.inspect_ir("plan")


@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_other_dtypes_are_batched(dtype: Any) -> None:
    xs, w = (np.round(9 * array).astype(dtype) for array in (XS, W))
    assert products(lambda xs, w: abs(xs[0] @ w) + abs(xs[1] @ w), xs, w) == 1


def test_later_slices_come_before_the_product() -> None:
    """A slice that stands behind its group's first product is moved in front."""
    graph = make_ir(lambda xs, w: np.tanh(xs[0] @ w) + np.sin(xs[1] @ w))(XS, W)
    order = [node.name for node in batch(graph)]
    assert sorted(order) != sorted(graph.nodes)
    assert isinstance(optimise(graph), Graph)
