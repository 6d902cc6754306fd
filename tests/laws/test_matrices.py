"""The laws of ops on matrices that random graphs do not have.

Their adjoints agree with the forward mode, and so do the adjoints of these. An op that
computes with factors is differentiated as a function of the matrix: whatever is made of
both agrees with differences.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from anabranch.backends.reference.interpreter import interpret
from anabranch.compiler.transforms.adjoint import adjoint
from anabranch.ir import Builder, Graph, Node
from anabranch.ir.graph import Output
from anabranch.ir.ops.linalg import transposed
from tests.laws.op_cases import MATRICES
from tests.laws.op_graphs import float_results, one_op, pulled_back, type_of
from tests.laws.op_samples import Array, smooth
from tests.laws.test_ops import assert_adjoint
from tests.oracles.forward_mode import push_forward


@pytest.mark.parametrize("op", MATRICES)
def test_adjoint_agrees_with_the_forward_mode(op: str) -> None:
    """u·(Jv) = (Jᵀu)·v, to 1e-11 of the sizes of the terms."""
    for number, sample in enumerate(smooth(op)):
        graph, wrt = pulled_back(op, sample)
        rng = np.random.default_rng(number)
        forward = one_op(op, sample)
        starts = float_results(forward)
        moves = [
            np.asarray(rng.standard_normal(node.type.shape))
            if node.name in wrt
            else None
            for node in forward.inputs
        ]
        seeds = [np.asarray(rng.standard_normal(forward[n].type.shape)) for n in starts]
        forward = forward.returning([Output(name) for name in starts])
        _, tangents = push_forward(forward, sample.operands, moves)
        bars = interpret(graph, [*sample.operands, *seeds])[-len(wrt) :]
        pushed = [np.vdot(u, t) for u, t in zip(seeds, tangents, strict=True)]
        given = [move for move in moves if move is not None]
        pulled = [np.vdot(bar, v) for bar, v in zip(bars, given, strict=True)]
        size = sum(np.abs(bar).sum() for bar in bars) + sum(map(abs, pushed))
        assert abs(sum(pushed) - sum(pulled)) <= 1e-11 * max(size, 1), sample.label


def _of_factors(op: str) -> Callable[..., Node]:
    def made(b: Builder, a: Node, *more: Node, **attrs: Any) -> Node:
        factors, order, _ = b.lu(a).values
        return b.add_node(op, a, factors, order, *more, **attrs)

    return made


def _pivots(b: Builder, a: Node) -> Node:
    """The diagonals of the factors."""
    factors, _, _ = b.lu(a).values
    *lead, n, _ = a.type.shape
    flat = b.reshape(factors, (*lead, n * n))
    start, step = (0,) * len(lead), (1,) * len(lead)
    return b.slice(flat, start=(*start, 0), shape=(*lead, n), step=(*step, n + 1))


def _det(b: Builder, a: Node) -> Node:
    *lead, _, _ = a.type.shape
    _, _, sign = b.lu(a).values
    product = b.reduce_prod(_pivots(b, a), axes=(len(lead),))
    value = b.mul(b.cast(sign, "f64"), product)
    return _of_factors("det")(b, a, value)


def _logdet(b: Builder, a: Node) -> Node:
    *lead, _, _ = a.type.shape
    value = b.reduce_sum(b.log(b.abs(_pivots(b, a))), axes=(len(lead),))
    return _of_factors("logdet")(b, a, value)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("op", ["cholesky", "solve_lu", "det", "logdet"])
def test_what_is_made_of_factors_agrees_with_differences(op: str, order: int) -> None:
    for number, sample in enumerate(smooth(op)):
        if 0 in sample.operands[0].shape:
            continue
        b = Builder("f")
        arrays = [sample.operands[0]]
        a = b.input("a", type_of(arrays[0]))
        if op == "solve_lu":
            arrays.append(sample.operands[3])
            x = b.input("x", type_of(arrays[1]))
            made = _of_factors(op)(b, a, x, **sample.attrs)
        elif op == "cholesky":
            both = b.add(a, transposed(b, a))
            made = b.cholesky(b.mul(both, b.like(both, 0.5)))
        else:
            made = (_det if op == "det" else _logdet)(b, a)
        graph = b.build([Output(made.name)])
        check(graph, arrays, order, number, f"{op} {sample.label}")


def check(
    graph: Graph, arrays: list[Array], order: int, number: int, what: str
) -> None:
    """The gradient of a graph, or the gradient of that."""
    rng = np.random.default_rng(number)
    wrt = [node.name for node in graph.inputs]
    for _ in range(order - 1):
        first = adjoint(graph, wrt=wrt, seeded=True)
        arrays = [*arrays, np.asarray(rng.standard_normal(first.inputs[-1].type.shape))]
        graph = first.returning(first.outputs[-len(wrt) :])
        wrt = [node.name for node in first.inputs]
    whole = adjoint(graph, wrt=wrt, of=graph.results, seeded=True)
    seeds = [
        np.asarray(rng.standard_normal(graph[name].type.shape))
        for name in graph.results
    ]
    bars = interpret(whole, [*arrays, *seeds])[-len(wrt) :]
    assert_adjoint(
        lambda moved: interpret(graph, moved),
        bars,
        arrays,
        range(len(wrt)),
        seeds,
        what,
    )
