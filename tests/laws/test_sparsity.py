"""The law of structures: no element of a Jacobian is other than zero outside of its.

It holds on each op and on random graphs with loops, branches and stores, whether the
integers among the inputs are known or not, and however few turns loops may be followed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from anabranch.backends.reference.interpreter import interpret
from anabranch.compiler.adjoint import adjoint
from anabranch.compiler.sparse import structure as module
from anabranch.compiler.sparse.structure import Structure, structure
from anabranch.ir import OPS, Graph
from anabranch.ir.ops import NONDIFFERENTIABLE
from tests.branching import CHOICES, branching
from tests.laws.op_graphs import one_op
from tests.laws.op_samples import SAMPLES
from tests.looping import looping
from tests.storing import storing
from tests.strategies import random_sample

DIFFERENTIABLE = [op for op in SAMPLES if OPS[op].adjoint is not NONDIFFERENTIABLE]
PER_OP = 4


def real(graph: Graph, names: Sequence[str]) -> list[str]:
    return [name for name in names if graph[name].type.has_gradient]


def of_graph(graph: Graph, arrays: Sequence[Any], *, known: bool) -> Structure:
    """The structure of all results of floats by all inputs of floats."""
    inputs = [node.name for node in graph.inputs]
    values = dict(zip(inputs, arrays, strict=True))
    integers = {n: x for n, x in values.items() if x.dtype.kind in "iub" and known}
    return structure(graph, real(graph, inputs), real(graph, graph.results), integers, {})


def as_matrix(found: Structure, width: int) -> Any:
    rows = np.repeat(np.arange(len(found.ends) - 1), np.diff(found.ends))
    made = np.zeros((len(found.ends) - 1, width), bool)
    made[rows, found.columns] = True
    assert made.sum() == found.columns.size, "an element twice"
    return made


def nonzeros(graph: Graph, arrays: Sequence[Any]) -> Any:
    """Where the Jacobian is not zero at a point, row by row by the adjoint."""
    inputs = real(graph, [node.name for node in graph.inputs])
    results = real(graph, graph.results)
    made = adjoint(graph, wrt=inputs, of=results, seeded=True)
    made = made.returning(made.outputs[len(graph.outputs) :])
    types = [graph[name].type for name in results]
    rows: list[Any] = []
    for which, type_ in enumerate(types):
        for place in range(type_.size):
            for unit in (1, 1j) if type_.is_complex else (1,):
                seeds = [np.zeros(t.shape, t.numpy) for t in types]
                seeds[which].reshape(-1)[place] = unit
                bars = interpret(made, [*arrays, *seeds])
                rows.append(np.concatenate([bar.reshape(-1) != 0 for bar in bars]))
    return rows, [t.size for t in types for _ in (t.is_complex,) * 1], types


def support(graph: Graph, arrays: Sequence[Any]) -> Any:
    """Where the Jacobian is not zero, a row for each element also of complex values."""
    rows, _, types = nonzeros(graph, arrays)
    height = sum(type_.size for type_ in types)
    width = sum(n.type.size for n in graph.inputs if n.type.has_gradient)
    made = np.zeros((height, width), bool)
    found = iter(rows)
    row = 0
    for type_ in types:
        for _ in range(type_.size):
            for _ in range(2 if type_.is_complex else 1):
                made[row] |= next(found)
            row += 1
    return made


def assert_covers(graph: Graph, arrays: Sequence[Any]) -> None:
    if not real(graph, graph.results) or not real(graph, [n.name for n in graph.inputs]):
        return
    wanted = support(graph, arrays)
    for known in (True, False):
        found = as_matrix(of_graph(graph, arrays, known=known), wanted.shape[1])
        missing = np.argwhere(wanted & ~found)
        assert not len(missing), f"{known=}: {missing[:5]}\n{graph}"


@pytest.mark.parametrize("op", DIFFERENTIABLE)
def test_each_op(op: str):
    small = [s for s in SAMPLES[op] if sum(np.size(x) for x in s.operands) < 80]
    for sample in small[:PER_OP]:
        graph = one_op(op, sample)
        refused = OPS[op].refused
        if refused or OPS[op].regions:
            continue
        assert_covers(graph, [np.asarray(x) for x in sample.operands])


def seeds(count: int, many: int) -> Any:
    return pytest.mark.parametrize(
        "seeds",
        [
            pytest.param(range(count), id="default"),
            pytest.param(range(count, many), id="fuzz", marks=pytest.mark.fuzz),
        ],
    )


@seeds(25, 600)
def test_random_graphs(seeds: range):
    for seed in seeds:
        sample = random_sample(seed, mixed=True)
        assert_covers(sample.graph, sample.point)


@seeds(8, 200)
def test_random_graphs_of_complex_numbers(seeds: range):
    for seed in seeds:
        sample = random_sample(seed, complexes=True)
        assert_covers(sample.graph, sample.point)


@seeds(8, 200)
def test_branches(seeds: range):
    for seed in seeds:
        made = branching(seed)
        for choice in CHOICES:
            assert_covers(made.graph, made.arrays(choice))


@pytest.mark.parametrize("visits", [0, 40, 10**6])
@pytest.mark.parametrize("grow", [looping, storing])
@seeds(12, 300)
def test_loops(
    grow: Callable[[int], Any],
    visits: int,
    seeds: range,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(module, "MAX_VISITS", visits)
    for seed in seeds:
        made = grow(seed)
        assert_covers(made.graph, made.point)
