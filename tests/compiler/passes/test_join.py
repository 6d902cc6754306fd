"""Padded values that do not overlap lie side by side."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from anabranch import grad, hessian, make_ir
from anabranch.backends.reference.interpreter import interpret
from anabranch.compiler.passes.join import join
from anabranch.compiler.pipeline import optimise
from anabranch.ir import Builder, Graph, Output, TensorType

SIZE = 12


def ops(graph: Graph) -> Counter[str]:
    return Counter(node.op for node in graph)


def padded(
    pieces: list[tuple[int, int]],
    axis: int = 0,
    dtype: str = "f64",
    op: str = "add_n",
) -> Graph:
    """The sum of pieces from start to stop, each padded to `SIZE` along an axis."""
    b = Builder("f")
    terms: list[Any] = []
    for number, (start, stop) in enumerate(pieces):
        shape = (stop - start, 2) if axis == 0 else (2, stop - start)
        x = b.input(f"x{number}", TensorType(dtype, shape))
        low, high = [0, 0], [0, 0]
        low[axis], high[axis] = start, SIZE - stop
        around: Any = {"low": tuple(low), "high": tuple(high), "interior": (0, 0)}
        value = 0 if dtype[0] == "i" else 0.0
        terms.append(b.pad(x, **around, value=value))
    return b.build([Output(b.add_node(op, *terms).name)])


def check(graph: Graph) -> Graph:
    made = join(graph).verify()
    rng = np.random.default_rng(3)
    point = [
        rng.integers(-9, 9, node.type.shape).astype(node.type.numpy)
        for node in graph.inputs
    ]
    for one, other in zip(interpret(made, point), interpret(graph, point), strict=True):
        assert one.dtype == other.dtype
        assert np.array_equal(one, other)
    return made


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("dtype", ["f64", "f32", "i32"])
@pytest.mark.parametrize(
    "pieces",
    [
        [(0, 5), (5, 12)],
        [(5, 12), (0, 5)],
        [(1, 3), (9, 11)],
        [(3, 4), (4, 4), (0, 3)],
    ],
)
def test_pieces_apart_are_one_concatenation(
    pieces: list[tuple[int, int]], axis: int, dtype: str
) -> None:
    made = check(padded(pieces, axis, dtype))
    assert ops(made)["concatenate"] == 1
    assert ops(made)["add_n"] == 0


def test_pieces_that_overlap_are_added() -> None:
    made = check(padded([(0, 11), (1, 12)]))
    assert ops(made)["concatenate"] == 0


def test_pieces_that_are_padded_alike_are_added_before() -> None:
    pieces = [(k, k + 2) for k in range(0, SIZE, 2)] * 2
    made = check(padded(pieces))
    assert ops(made)["concatenate"] == 1
    assert ops(made)["add_n"] == len(pieces) // 2


def test_two_sets_of_pieces_are_two_rows() -> None:
    made = check(padded([(0, 6), (6, 12), (0, 4), (4, 12)]))
    assert ops(made)["concatenate"] == 2
    assert ops(made)["add_n"] == 1


def test_random_pieces_keep_their_sum() -> None:
    rng = np.random.default_rng(1)
    for _ in range(200):
        cuts = rng.integers(0, SIZE + 1, (int(rng.integers(2, 9)), 2))
        pieces = [(int(min(cut)), int(max(cut))) for cut in cuts]
        made = check(padded(pieces, int(rng.integers(2))))
        assert join(made) is made


def test_other_paddings_stay() -> None:
    b = Builder("f")
    x = b.input("x", TensorType("f64", (2,)))
    one = b.pad(x, low=(0,), high=(2,), interior=(0,), value=1.0)
    spread = b.pad(x, low=(0,), high=(1,), interior=(1,), value=0.0)
    graph = b.build([Output(b.add_n(one, spread).name)])
    assert join(graph) is graph


def test_the_gates_of_a_cell_send_back_one_value() -> None:
    def cell(x: Any, w: Any) -> Any:
        z = x @ w
        return np.sum(np.tanh(z[:, :4]) * z[:, 4:8] + z[:, 8:])

    x, w = np.ones((2, 3)), np.ones((3, 12))
    made = optimise(make_ir(grad(cell))(x, w))
    assert ops(made)["pad"] == 0
    assert ops(made)["concatenate"] == 1


def test_the_gradient_of_time_steps_takes_one_copy() -> None:
    def loss(xs: Any) -> Any:
        return sum(np.sum(np.tanh(xs[t]) * t) for t in range(20))

    made = optimise(make_ir(grad(loss))(np.ones((20, 3))))
    assert ops(made)["pad"] == ops(made)["add_n"] == 0


def test_slices_of_shared_weights_meet_before_they_are_joined() -> None:
    def loss(w: Any, xs: Any) -> Any:
        return sum(np.sum(np.tanh(x @ w[k]) * k) for x in xs for k in range(3))

    made = optimise(make_ir(grad(loss))(np.ones((3, 4, 4)), np.ones((5, 2, 4))))
    assert ops(made)["concatenate"] - 1 <= 4, "the joined weights; xs and their factors"
    assert ops(made)["matmul"] == 6, "three forward, three backward"


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("dtype", ["f64", "i32"])
@pytest.mark.parametrize(
    ("pieces", "count"),
    [
        ([(0, 5), (5, 12)], 1),
        ([(5, 12), (0, 5)], 1),
        ([(1, 3), (9, 11)], 1),
        ([(2, 4), (2, 4)], 1),
        ([(0, 5), (4, 12)], 0),
    ],
)
def test_sums_of_two_that_are_no_sum_nodes(
    pieces: list[tuple[int, int]], count: int, axis: int, dtype: str
) -> None:
    graph = padded(pieces, axis, dtype, "add")
    assert ops(check(graph))["concatenate"] == count


def test_a_hessian_of_a_loop_pads_nothing() -> None:
    """Its tangents of sum nodes are sums, so each turn stays a row of numbers."""

    def swing(k: Any) -> Any:
        q, v = 1.0, 0.0
        for _ in range(400):
            v = v - 0.01 * (k[0] * q + k[1] * v + k[2])
            q = q + 0.01 * v
        return q

    graph = optimise(make_ir(hessian(swing))(np.array([2.0, 0.1, 0.3])))
    bodies = [body for node in graph for body in node.regions]
    assert len(bodies) == 2
    assert all(not ops(body)["pad"] for body in bodies)
