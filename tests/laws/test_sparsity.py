"""The law of structures: no element of a Jacobian is other than zero outside of its.

It holds on each op and on random graphs with loops, branches and stores, whether the
integers among the inputs are known or not, and however few turns loops may be followed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from anabranch import sparse_jacobian
from anabranch.backends.reference.interpreter import interpret
from anabranch.compiler.passes.prune import prune
from anabranch.compiler.sparse import structure as module
from anabranch.compiler.sparse.structure import Structure, structure
from anabranch.compiler.transforms.adjoint import adjoint
from anabranch.ir import OPS, Graph, TensorType
from anabranch.ir.ops import NONDIFFERENTIABLE
from tests.branching import CHOICES, branching
from tests.laws.op_graphs import one_op
from tests.laws.op_samples import SAMPLES
from tests.looping import looping
from tests.storing import storing
from tests.strategies import random_sample

DIFFERENTIABLE = [op for op in SAMPLES if OPS[op].adjoint is not NONDIFFERENTIABLE]
PER_OP = 3  # samples
ROWS = 4  # of a Jacobian that are looked at


def real(graph: Graph, names: Sequence[str]) -> list[str]:
    return [name for name in names if graph[name].type.has_gradient]


def of_graph(graph: Graph, arrays: Sequence[Any], *, known: bool) -> Structure:
    """The structure of all results of floats by all inputs of floats."""
    inputs = [node.name for node in graph.inputs]
    values = dict(zip(inputs, arrays, strict=True))
    integers = {n: x for n, x in values.items() if x.dtype.kind in "iub" and known}
    return structure(
        graph, real(graph, inputs), real(graph, graph.results), integers, {}
    )


def as_matrix(found: Structure, width: int) -> Any:
    rows = np.repeat(np.arange(len(found.ends) - 1), np.diff(found.ends))
    made = np.zeros((len(found.ends) - 1, width), bool)
    made[rows, found.columns] = True
    assert made.sum() == found.columns.size, "an element twice"
    return made


def seeds_of(types: Sequence[TensorType], row: int) -> Iterator[list[Any]]:
    """The cotangents that give a row, of a complex number the two of its parts."""
    for which, type_ in enumerate(types):
        if 0 <= row < type_.size:
            for unit in (1, 1j) if type_.is_complex else (1,):
                made = [np.zeros(t.shape, t.numpy) for t in types]
                made[which].reshape(-1)[row] = unit
                yield made
        row -= type_.size


def support(graph: Graph, arrays: Sequence[Any], rows: Sequence[int]) -> Any:
    """Where some rows of the Jacobian are not zero at a point, by the adjoint."""
    inputs = real(graph, [node.name for node in graph.inputs])
    results = real(graph, graph.results)
    types = [graph[name].type for name in results]
    made = adjoint(graph, wrt=inputs, of=results, seeded=True)
    made = prune(made.returning(made.outputs[len(graph.outputs) :]))
    found = np.zeros((len(rows), sum(graph[name].type.size for name in inputs)), bool)
    for place, row in enumerate(rows):
        for seeds in seeds_of(types, row):
            bars = interpret(made, [*arrays, *seeds])
            found[place] |= np.concatenate([bar.reshape(-1) != 0 for bar in bars])
    return found


def assert_covers(graph: Graph, arrays: Sequence[Any]) -> None:
    results = real(graph, graph.results)
    if not results or not real(graph, [node.name for node in graph.inputs]):
        return
    height = sum(graph[name].type.size for name in results)
    chosen = np.random.default_rng(height).permutation(height)[:ROWS].tolist()
    wanted = support(graph, arrays, chosen)
    for known in (True, False):
        found = as_matrix(of_graph(graph, arrays, known=known), wanted.shape[1])
        missing = np.argwhere(wanted & ~found[chosen])
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


@seeds(15, 500)
def test_random_graphs(seeds: range):
    for seed in seeds:
        sample = random_sample(seed, mixed=True)
        assert_covers(sample.graph, sample.point)


@seeds(5, 200)
def test_random_graphs_of_complex_numbers(seeds: range):
    for seed in seeds:
        sample = random_sample(seed, complexes=True)
        assert_covers(sample.graph, sample.point)


@seeds(3, 150)
def test_branches(seeds: range):
    for seed in seeds:
        made = branching(seed)
        for choice in CHOICES:
            assert_covers(made.graph, made.arrays(choice))


@pytest.mark.parametrize("visits", [0, 40, 10**6])
@pytest.mark.parametrize("grow", [looping, storing])
@seeds(6, 250)
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


@pytest.mark.parametrize("grow", [looping, storing])
@seeds(3, 120)
def test_gradients_of_loops(grow: Callable[[int], Any], seeds: range):
    """Structures of Hessians are those of gradients, with loops that run backwards."""
    for seed in seeds:
        made = grow(seed)
        rng = np.random.default_rng(seed)
        graph = made.graph
        inputs = real(graph, [node.name for node in graph.inputs])
        results = real(graph, graph.results)
        bars = adjoint(graph, wrt=inputs, of=results, seeded=True)
        bars = prune(bars.returning(bars.outputs[len(graph.outputs) :]))
        types = [graph[name].type for name in results]
        cotangents = [rng.uniform(-1, 1, t.shape).astype(t.numpy) for t in types]
        assert_covers(bars, [*made.point, *cotangents])


@pytest.mark.parametrize("grow", [random_sample, looping, storing])
@seeds(3, 100)
def test_sparse_equals_dense(grow: Callable[[int], Any], seeds: range):
    """All elements are taken from where they are in the products."""
    for seed in seeds:
        made = grow(seed)
        graph, point = made.graph, made.point
        results = real(graph, graph.results)
        graph = graph.returning([x for x in graph.outputs if x.value in results])
        height = sum(graph[name].type.size for name in graph.results)
        wrt = tuple(k for k, x in enumerate(point) if x.dtype.kind == "f")
        everywhere = np.ones((height, sum(point[k].size for k in wrt)))
        sparse, dense = (
            sparse_jacobian(graph, wrt, backend="reference", pattern=pattern)(*point)
            for pattern in (None, everywhere)
        )
        np.testing.assert_allclose(
            sparse.toarray(), dense.toarray(), rtol=1e-12, atol=1e-14
        )
