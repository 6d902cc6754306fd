"""What becomes one kernel, and that kernels can be put in an order."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

import anabranch
from anabranch.backends.reference.interpreter import interpret
from anabranch.compiler.passes.fuse import MAX_CODE, fuse
from anabranch.compiler.passes.pieces import (
    LARGE,
    LARGE_WEIGHT,
    MAX_WEIGHT,
    form,
    weight,
)
from anabranch.compiler.pipeline import optimise
from anabranch.compiler.transforms.adjoint import adjoint
from anabranch.ir import Builder, Graph, Node, Output, TensorType, parse
from tests.laws.test_passes import check_kernels

MATRIX = TensorType("f64", (3, 4))


def kernels(graph: Graph) -> dict[str, int | None]:
    return {node.name: node.kernel for node in fuse(graph)}


def test_a_chain_is_one_kernel() -> None:
    b = Builder("f")
    x = b.input("x", MATRIX)
    y = b.exp(b.sin(b.mul(x, x)))
    assert set(kernels(b.build([Output(y.name)])).values()) == {None, 0}


def test_a_product_cuts_a_chain() -> None:
    b = Builder("f")
    x = b.input("x", TensorType("f64", (3, 3)))
    before = b.exp(x)
    after = b.sin(b.matmul(before, before))
    found = kernels(b.build([Output(after.name)]))
    assert found[before.name] != found[after.name]
    assert found["matmul.0"] is None


def test_a_path_through_a_foreign_node_keeps_two_kernels_apart() -> None:
    """%a and %s share a space, but %s waits for the product of %a."""
    graph = parse("""
        graph f(%x: f64[3,3]) {
          %a = exp(%x)         : f64[3,3]
          %p = matmul(%a, %a)  : f64[3,3]
          %s = add(%a, %p)     : f64[3,3]
          return %s
        }""")
    found = kernels(graph)
    assert found["a"] != found["s"]


def test_a_reduction_joins_the_kernel_that_it_reduces() -> None:
    b = Builder("f")
    x = b.input("x", MATRIX)
    total = b.reduce_sum(b.exp(x), axes=(0, 1))
    found = kernels(b.build([Output(total.name)]))
    assert found["exp.0"] == found[total.name] == 0


def test_reductions_over_other_axes_are_kernels_of_their_own() -> None:
    b = Builder("f")
    y = b.exp(b.input("x", MATRIX))
    sums = [b.reduce_sum(y, axes=axes) for axes in ((0,), (1,), (0,))]
    found = kernels(b.build([Output(node.name) for node in sums]))
    assert found[sums[0].name] == found[sums[2].name] == found[y.name]
    assert found[sums[1].name] not in (None, found[y.name])


def test_the_most_reductions_of_a_kernel_stay_in_it() -> None:
    """The others come in kernels by their axes, whatever their order."""
    b = Builder("f")
    y = b.exp(b.input("x", MATRIX))
    several = ((0, 1), (1,), (0,), (1,), (0,), (1,))
    sums = [b.reduce_sum(y, axes=axes) for axes in several]
    graph = b.build([Output(node.name) for node in sums])
    check_kernels(fuse(graph))
    whole, *rows = (kernels(graph)[node.name] for node in sums)
    assert rows[0] == rows[2] == rows[4] == kernels(graph)[y.name]
    assert rows[1] == rows[3]
    assert len({whole, *rows}) == 3


SOFT = {
    "softmax": (lambda x, g: np.sum(anabranch.softmax(x) * g), 6),
    "log_softmax": (lambda x, g: np.sum(anabranch.log_softmax(x) * g), 8),
    "logsumexp": (lambda x, g: np.sum(anabranch.logsumexp(x, -1) * g[:, 0]), 6),
}


@pytest.mark.parametrize("name", SOFT)
def test_kernels_of_the_gradient_of_softmax_and_its_kin(name: str) -> None:
    """As many as the textbook formulas give, or fewer, right at every order or not."""
    function, most = SOFT[name]
    gradient = anabranch.value_and_grad(function)
    gradient(np.ones((8, 8)), np.ones((8, 8)))
    graph = parse(gradient.inspect_ir())
    assert len({node.kernel for node in graph} - {None}) <= most


def test_what_reads_a_reduction_comes_after_it() -> None:
    """Softmax over the last axis: a maximum, a sum, a quotient."""
    b = Builder("f")
    x = b.input("x", MATRIX)
    top = b.broadcast(b.reshape(b.reduce_max(x, axes=(1,)), (3, 1)), MATRIX)
    weights = b.exp(b.sub(x, top))
    total = b.broadcast(b.reshape(b.reduce_sum(weights, axes=(1,)), (3, 1)), MATRIX)
    graph = b.build([Output(b.div(weights, total).name)])
    made = fuse(graph)
    check_kernels(made)
    assert len({node.kernel for node in made} - {None}) == 3


def test_a_second_fusion_returns_the_same_object() -> None:
    b = Builder("f")
    graph = fuse(b.build([Output(b.exp(b.input("x", MATRIX)).name)]))
    assert fuse(graph) is graph


def test_a_long_chain_is_cut_into_equal_pieces() -> None:
    b = Builder("f")
    node = b.input("x", MATRIX)
    for _ in range(3 * MAX_WEIGHT):
        node = b.sin(node)
    made = fuse(b.build([Output(node.name)]))
    sizes = Counter(n.kernel for n in made if n.kernel is not None)
    assert set(sizes.values()) == {MAX_WEIGHT // weight(node)}
    check_kernels(made)


def forms(graph: Graph) -> set[tuple[object, ...]]:
    """The distinct kernels of a fused graph, by what their nodes compute."""
    members: dict[int, list[Node]] = {}
    for node in graph:
        if node.kernel is not None:
            members.setdefault(node.kernel, []).append(node)
    return {form(nodes) for nodes in members.values()}


def repeated(steps: int, period: int, seed: int) -> Graph:
    """The gradient of ``steps`` equal steps of ``period`` nodes each."""
    rng = np.random.default_rng(seed)
    kinds = rng.integers(4, size=period)
    b = Builder("repeated")
    node, w = b.input("x", MATRIX), b.input("w", MATRIX)
    for _ in range(steps):
        for kind in kinds:
            if kind == 0:
                node = b.sin(node)
            else:
                node = b.add_node(("add", "mul", "maximum")[kind - 1], node, w)
    loss = b.reduce_sum(node, axes=(0, 1))
    return adjoint(b.build([Output(loss.name)]), wrt=("x", "w"))


@pytest.mark.parametrize("period", [1, 2, 3, 5, 7, 11, 31, 50])
def test_distinct_kernels_do_not_grow_with_the_steps(period: int) -> None:
    """A few times the steps change nothing but the ends of the graph."""
    some, more = (
        forms(optimise(repeated(count // period, period, period)))
        for count in (1_500, 4_500)
    )
    assert len(more) <= len(some) + 3
    assert len(more) <= 12 + period // 2


@pytest.mark.parametrize("seed", range(3))
def test_an_irregular_graph_has_a_bounded_amount_of_code(seed: int) -> None:
    made = fuse(tangle(seed, 6_000))
    check_kernels(made)
    single = sum(len(nodes) for nodes in forms(made) if len(nodes) == 1)
    assert sum(len(nodes) for nodes in forms(made)) <= MAX_CODE + single


def tangle(seed: int, count: int = 220) -> Graph:
    """Many nodes of few shapes: kernels get large, and are cut."""
    rng = np.random.default_rng(seed)
    b = Builder("tangle")
    pool: list[Node] = [b.input(f"x{i}", MATRIX) for i in range(2)]
    for _ in range(count):
        x, y = (pool[i] for i in rng.integers(max(0, len(pool) - 30), len(pool), 2))
        kind = rng.random()
        if kind < 0.12:
            axes = ((0,), (1,), (0, 1))[int(rng.integers(3))]
            kept = [1 if axis in axes else n for axis, n in enumerate(MATRIX.shape)]
            reduced = b.reduce_max(x, axes=axes)
            pool.append(b.broadcast(b.reshape(reduced, kept), MATRIX))
        elif kind < 0.18:
            turned = b.transpose(b.sin(b.transpose(x, (1, 0))), (1, 0))
            pool.append(turned)
        elif kind < 0.22:
            pool.append(b.cumsum(x, axis=0, reverse=False))
        elif kind < 0.5:
            pool.append(b.sin(x))
        else:
            pool.append(b.maximum(x, y))
    return b.build([Output(node.name) for node in pool[-4:]])


@pytest.mark.parametrize("seed", range(25))
def test_large_tangled_graphs_have_kernels_in_an_order(seed: int) -> None:
    graph = tangle(seed)
    made = fuse(graph).verify()
    check_kernels(made)
    sizes = Counter(n.kernel for n in made if n.kernel is not None)
    assert max(sizes.values()) > 5
    check_kernels(optimise(graph))
    point = [np.linspace(-1, 1, 12).reshape(3, 4)] * 2
    for one, other in zip(interpret(made, point), interpret(graph, point), strict=True):
        np.testing.assert_array_equal(one, other)


def test_large_arrays_get_large_kernels() -> None:
    counts: list[int] = []
    for size in (100, LARGE):
        b = Builder("f")
        x = b.input("x", TensorType("f64", (size,)))
        for _ in range(LARGE_WEIGHT):
            x = b.add(x, x)
        graph = fuse(b.build([Output(x.name, "r")]))
        counts.append(len({node.kernel for node in graph} - {None}))
    assert counts == [-(-LARGE_WEIGHT // MAX_WEIGHT), 1]
