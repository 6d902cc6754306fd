"""The laws of every pass, alone and in any order: same values, sound, pure, stable."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import networkx as nx
import numpy as np
import pytest

from anabranch.backends import DEFAULT, find_backend
from anabranch.backends.reference.interpreter import interpret
from anabranch.compiler.pipeline import PASSES, ROUNDING, run_passes
from anabranch.compiler.transforms.adjoint import adjoint
from anabranch.ir import Graph, TensorType
from tests.oracles.bits import EDGES, assert_same_bits
from tests.strategies import Sample, random_sample

COUNT = 120
OPTIMISE = find_backend(DEFAULT).passes
MANY = 2_000

ranges = pytest.mark.parametrize(
    "seeds",
    [
        pytest.param(range(COUNT), id="default"),
        pytest.param(range(COUNT, MANY), id="fuzz", marks=pytest.mark.fuzz),
    ],
)


def _orders() -> list[tuple[str, ...]]:
    rng = np.random.default_rng(7)
    names = list(PASSES)
    return [tuple(rng.choice(names, rng.integers(2, 8))) for _ in range(20)]


ORDERS: list[tuple[str, ...]] = [
    *((name,) for name in PASSES),
    *(OPTIMISE[:count] for count in range(1, len(OPTIMISE) + 1)),
    *_orders(),
]


@cache
def graph_of(seed: int) -> tuple[Graph, list[Any]]:
    """A random graph, its adjoint for odd seeds, and a point for it."""
    sample = random_sample(seed, mixed=seed % 4 > 1, complexes=seed % 3 == 2)
    if seed % 2 == 0:
        return sample.graph, sample.point
    made = adjoint(sample.graph, wrt=sample.floats, seeded=True)
    return made, [*sample.point, *_cotangents(sample, seed)]


def _cotangents(sample: Sample, seed: int) -> list[Any]:
    rng = np.random.default_rng(seed)
    types = [sample.graph[name].type for name in sample.graph.results]
    return [_normal(rng, type_) for type_ in types if type_.has_gradient]


def _normal(rng: np.random.Generator, type_: TensorType) -> Any:
    made: Any = rng.normal(size=type_.shape)
    if type_.is_complex:
        made = made + 1j * rng.normal(size=type_.shape)
    return np.asarray(made, type_.numpy)


def edge_point(graph: Graph, point: list[Any], seed: int) -> list[Any]:
    """Every float replaced by one of zeros, ones, infinities and NaN."""
    rng = np.random.default_rng(seed)
    with np.errstate(over="ignore"):
        return [
            rng.choice(EDGES, x.shape).astype(x.dtype) if x.dtype.kind == "f" else x
            for x in point
        ]


def orders_for(seed: int) -> Iterator[tuple[str, ...]]:
    """Four of `ORDERS`, so that neighbouring seeds go through all of them."""
    for k in range(4):
        yield ORDERS[(4 * seed + k) % len(ORDERS)]


@ranges
def test_passes_keep_every_result(seeds: range) -> None:
    for seed in seeds:
        graph, point = graph_of(seed)
        points = [point, edge_point(graph, point, seed)]
        expected = [interpret(graph, arrays) for arrays in points]
        for order in orders_for(seed):
            made = run_passes(graph, order * 2, Graph.verify)
            note = f"seed {seed}, {order}"
            if not ROUNDING.isdisjoint(order):
                eps = coarsest(graph)
                assert_rounded(interpret(made, point), expected[0], eps, note)
                continue
            for arrays, results in zip(points, expected, strict=True):
                assert_same_bits(interpret(made, arrays), results, note)


def coarsest(graph: Graph) -> float:
    """The unit of rounding of the floats of which a graph is made."""
    narrow = any(node.type.dtype in ("f32", "c64") for node in graph)
    return float(np.finfo(np.float32 if narrow else np.float64).eps)


def assert_rounded(made: list[Any], expected: list[Any], eps: float, note: str) -> None:
    """Equal types and shapes, and values to rounding of the largest."""
    for one, other in zip(made, expected, strict=True):
        assert (one.dtype, one.shape) == (other.dtype, other.shape), note
        if one.dtype.kind not in "fc":
            assert np.array_equal(one, other), note
            continue
        largest = max(1.0, float(np.max(np.abs(other), initial=0)))
        bound = 64 * eps * largest
        np.testing.assert_allclose(one, other, rtol=0, atol=bound, err_msg=note)


@ranges
def test_passes_leave_their_graph_as_it_was(seeds: range) -> None:
    for seed in seeds:
        graph, _ = graph_of(seed)
        before = graph.as_text(annotate=True)
        for name in PASSES:
            made = PASSES[name](graph)
            assert made.name == graph.name
            assert [n.name for n in made.inputs] == [n.name for n in graph.inputs]
            assert [o.label for o in made.outputs] == [o.label for o in graph.outputs]
        assert graph.as_text(annotate=True) == before


@ranges
@pytest.mark.parametrize("name", PASSES)
def test_a_second_application_returns_the_same_object(name: str, seeds: range) -> None:
    for seed in seeds:
        once = PASSES[name](graph_of(seed)[0])
        assert PASSES[name](once) is once, f"seed {seed}"


@ranges
def test_passes_are_deterministic(seeds: range) -> None:
    for seed in seeds:
        graph, _ = graph_of(seed)
        twin = Graph(graph.name, list(graph), graph.outputs, graph.sections)
        assert run_passes(graph, OPTIMISE) == run_passes(twin, OPTIMISE)


@ranges
def test_inputs_and_results_survive_every_pass(seeds: range) -> None:
    for seed in seeds:
        graph, _ = graph_of(seed)
        made = run_passes(graph, OPTIMISE)
        assert [n.type for n in made.inputs] == [n.type for n in graph.inputs]
        assert len(made.outputs) == len(graph.outputs)


@ranges
def test_kernels_do_not_depend_on_themselves(seeds: range) -> None:
    for seed in seeds:
        check_kernels(run_passes(graph_of(seed)[0], OPTIMISE))


def check_kernels(graph: Graph) -> None:
    """One index space and one set of reduction axes each; acyclic when condensed."""
    place = {
        name: node.name if node.kernel is None else node.kernel
        for node in graph
        for name in node.names
    }
    condensed: Any = nx.DiGraph()
    condensed.add_edges_from(
        (place[operand], place[node.name])
        for node in graph
        for operand in node.operands
        if place[operand] != place[node.name]
    )
    assert nx.is_directed_acyclic_graph(condensed)
    spaces: dict[int, set[Any]] = {}
    axes: dict[int, set[Any]] = {}
    for node in graph:
        if node.kernel is None:
            continue
        reduces = node.op.startswith("reduce_")
        space = graph[node.operands[0]].type.shape if reduces else node.type.shape
        spaces.setdefault(node.kernel, set()).add(space)
        if reduces:
            axes.setdefault(node.kernel, set()).add(node.attrs["axes"])
    assert all(len(found) == 1 for found in (*spaces.values(), *axes.values()))
    assert sorted(spaces) == list(range(len(spaces)))
    readers_of_reductions(graph)


def readers_of_reductions(graph: Graph) -> None:
    """Within a kernel nothing reads a reduction: it is complete at the end only."""
    for node in graph:
        for operand in graph.operands(node):
            if operand.op.startswith("reduce_") and operand.kernel is not None:
                assert operand.kernel != node.kernel


def test_the_orders_hold_every_pass_and_every_prefix() -> None:
    assert {name for order in ORDERS for name in order} == set(PASSES)
    assert len(ORDERS) == len(PASSES) + len(OPTIMISE) + 20


def blocks(pass_name: str) -> Sequence[str]:
    """The texts under ``before:`` and ``after:`` in a pass's docstring."""
    doc = inspect.getdoc(PASSES[pass_name]) or ""  # without the indentation
    assert doc.count("before:") == 1
    assert doc.count("after:") == 1
    before, after = doc.split("before:")[1].split("after:")
    return before, after[: after.index("\n    }") + len("\n    }")]


@pytest.mark.skipif(sys.flags.optimize > 1, reason="Python has dropped docstrings")
@pytest.mark.parametrize("name", PASSES)
def test_the_before_and_after_of_a_docstring_hold(name: str) -> None:
    from anabranch.ir import parse

    before, after = (parse(text.strip()) for text in blocks(name))
    made = PASSES[name](before)
    assert made.as_text() == after.as_text()
    assert made is not before
