"""Ops are linear where their records say so, and derivatives are seen to be linear."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from anabranch.compiler.transforms.adjoint import adjoint
from anabranch.compiler.transforms.tangent import tangent
from anabranch.ir import OPS, Graph
from anabranch.ir.ops.linearity import require_linear
from anabranch.ir.ops.spec import EVERY
from tests.laws.op_graphs import one_op
from tests.laws.op_samples import Array, Sample
from tests.laws.test_tangents import EVERY_SAMPLE, graph_of, regions

NOT_SEEN = ("eigh", "svd", "expm", "logm")
"""Their rules mask by cotangents, or put them into a matrix."""


def other(x: Array) -> Array:
    """Something else of the same type."""
    return np.cos(x.real).astype(x.dtype)


def changed(
    op: str, sample: Sample, slots: Sequence[int], by: Callable[[Array], Array]
) -> list[Array]:
    """The values with the operands in some slots changed."""
    operands = [by(x) if k in slots else x for k, x in enumerate(sample.operands)]
    with np.errstate(all="ignore"):
        made = OPS[op].reference(*operands, **sample.attrs)
    return [*made] if isinstance(made, tuple) else [made]


@pytest.mark.parametrize("op", [op for op in EVERY_SAMPLE if OPS[op].linear])
def test_an_op_is_linear_in_its_groups(op: str) -> None:
    judged = 0
    for sample in EVERY_SAMPLE[op][:4]:
        for group in OPS[op].linear:
            slots = range(len(sample.operands)) if group is EVERY else group
            if any(sample.operands[slot].dtype.kind not in "fc" for slot in slots):
                continue
            one, two, both = (
                changed(op, sample, slots, by)
                for by in (lambda x: x, other, lambda x: 3 * x - other(x))
            )
            for a, b, c in zip(one, two, both, strict=True):
                if a.dtype.kind in "fc" and np.isfinite(3 * a - b).all():
                    np.testing.assert_allclose(c, 3 * a - b, rtol=1e-6, atol=1e-6)
                    judged += 1
    assert judged


def assert_linear(graph: Graph, wrt: list[str], of: list[str], what: str) -> None:
    """The tangent and the adjoint of a graph are seen to be linear."""
    for made in (
        tangent(graph, wrt=wrt, of=of),
        adjoint(graph, wrt=wrt, of=of, seeded=True),
    ):
        seeds = [node.name for node in made.inputs[len(graph.inputs) :]]
        rule = made.returning(made.outputs[len(graph.outputs) :])
        require_linear(rule, seeds, what, "", None)


@pytest.mark.parametrize("op", [op for op in EVERY_SAMPLE if op not in NOT_SEEN])
def test_derivatives_are_seen_to_be_linear(op: str) -> None:
    for sample in EVERY_SAMPLE[op][:4]:
        graph = one_op(op, sample)
        wrt = [
            node.name
            for slot, node in enumerate(graph.inputs)
            if node.type.has_gradient
            and OPS[op].is_differentiable(slot)
            and slot not in OPS[op].refused
        ]
        of = [name for name in graph.results if graph[name].type.has_gradient]
        if wrt and of:
            assert_linear(graph, wrt, of, op)


def test_random_graphs() -> None:
    graphs = [(f"{seed}", graph_of(seed).graph) for seed in range(30)]
    for what, graph in [*graphs, *((name, graph) for name, graph, _ in regions())]:
        wrt = [node.name for node in graph.inputs if node.type.is_float]
        of = [name for name in graph.results if graph[name].type.is_float]
        assert_linear(graph, wrt, of, what)
