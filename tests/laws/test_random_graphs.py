"""The laws that hold for the adjoint of any graph, on random graphs that share values.

A run judges `COUNT` graphs; the same laws hold on 2,000 under the marker ``fuzz``.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from anabranch.backends import find_backend
from anabranch.backends.reference.interpreter import evaluate, interpret
from anabranch.compiler.pipeline import optimise, run_passes
from anabranch.compiler.transforms.adjoint import adjoint
from anabranch.compiler.transforms.residuals import split
from anabranch.ir import OPS, Graph, Output, parse
from tests.growth import DOMAINS
from tests.laws.complex_samples import COMPLEX_SAMPLES
from tests.laws.op_cases import MATRICES
from tests.laws.op_samples import SAMPLES
from tests.oracles.bits import assert_same_bits
from tests.oracles.forward_mode import TANGENTS, push_forward, pushed_slots
from tests.strategies import STEP, Sample, random_sample, samples, shared_share

COUNT = 150
MANY = 2_000

sample_of = cache(random_sample)
ranges = pytest.mark.parametrize(
    "seeds",
    [
        pytest.param(range(COUNT), id="default"),
        pytest.param(range(COUNT, MANY), id="fuzz", marks=pytest.mark.fuzz),
    ],
)


def seeded(sample: Sample, seed: int) -> tuple[Graph, list[Any]]:
    """The adjoint of the sample's graph, and a random cotangent for each output."""
    rng = np.random.default_rng(seed)
    graph = sample.graph
    types = [graph[name].type for name in float_results(graph)]
    cotangents = [rng.uniform(-1, 1, t.shape).astype(t.numpy) for t in types]
    return adjoint(graph, wrt=sample.floats, seeded=True), cotangents


def float_results(graph: Graph) -> list[str]:
    return [name for name in graph.results if graph[name].type.is_float]


def weighed(graph: Graph, cotangents: list[Any], results: list[Any]) -> float:
    """Σ cotangent · result over the results that are floats."""
    floats = [
        value
        for name, value in zip(graph.results, results, strict=True)
        if graph[name].type.is_float
    ]
    pairs = zip(cotangents, floats, strict=True)
    return sum(float(np.sum(u * value)) for u, value in pairs)


def pulled_back(sample: Sample, seed: int) -> tuple[list[Any], float, float]:
    """The cotangents of the outputs, Σ cotangent · direction, and its scale."""
    made, cotangents = seeded(sample, seed)
    results = interpret(made, [*sample.point, *cotangents])
    bars = results[len(sample.graph.outputs) :]
    moves = [move for move in sample.direction if move is not None]
    terms = np.concatenate([np.ravel(b * v) for b, v in zip(bars, moves, strict=True)])
    return cotangents, float(terms.sum()), float(np.abs(terms).sum())


def contributing(graph: Graph, wrt: list[str]) -> dict[str, list[tuple[str, int]]]:
    """Who sends a contribution to whom, counted from the forward graph."""
    moving = set(wrt)
    for node in graph:
        if any(node.operands[slot] in moving for slot in pushed_slots(graph, node)):
            moving.add(node.name)
    useful = set(float_results(graph))
    for node in reversed(list(graph)):
        if node.name in useful:
            useful.update(node.operands[slot] for slot in pushed_slots(graph, node))
    found: dict[str, list[tuple[str, int]]] = {}
    for node in graph:
        for slot in pushed_slots(graph, node):
            if node.operands[slot] in moving and node.name in useful:
                found.setdefault(node.operands[slot], []).append((node.name, slot))
    for slot, name in enumerate(float_results(graph)):
        if name in moving:
            found.setdefault(name, []).append(("return", slot))
    return found


def check_sum_nodes(sample: Sample, made: Graph) -> int:
    """One sum node per shared value; returns how many there are."""
    shared = {
        name: reads
        for name, reads in contributing(sample.graph, sample.floats).items()
        if len(reads) > 1
    }
    sums = {node.name: node for node in made if node.reads}
    assert sums.keys() == {f"{name}.bar" for name in shared}
    for name, reads in shared.items():
        node = sums[f"{name}.bar"]
        assert node.op == "add_n"
        assert node.reads == tuple(reads)
        assert node.operands == tuple(f"{name}.bar.{k}" for k in range(len(reads)))
    return len(sums)


def untied(graph: Graph, name: str) -> tuple[Graph, list[str]]:
    """The graph with one copy of input ``name`` for each of its reads."""
    copies: list[str] = []

    def copy() -> str:
        copies.append(f"copy{len(copies)}")
        return copies[-1]

    nodes = [
        node._replace(operands=tuple(copy() if x == name else x for x in node.operands))
        for node in graph
    ]
    outputs = [Output(copy() if v == name else v) for v in graph.results]
    inputs = [graph[name]._replace(name=made) for made in copies]
    return Graph("untied", [*inputs, *nodes], outputs).verify(), copies


@ranges
def test_many_values_are_shared(seeds: range) -> None:
    counts = [shared_share(sample_of(seed).graph) for seed in seeds]
    assert all(shared >= 0.4 * read for shared, read in counts)
    assert sum(s for s, _ in counts) > 0.5 * sum(read for _, read in counts)


@ranges
def test_the_samples_use_every_differentiable_op(seeds: range) -> None:
    """Those of matrices have the same law in `test_matrices`, sorts in `test_ops`."""
    found = {node.op for seed in seeds for node in sample_of(seed).graph}
    apart = {"cast", "sort", "ranked", *MATRICES}
    differentiable = {op for op in TANGENTS if op not in apart}
    assert differentiable <= found
    assert found >= set(DOMAINS)


def test_the_oracle_knows_every_differentiable_op() -> None:
    """Those with regions are in `test_branching`, SciPy's in `test_special`.

    Ops of complex numbers alone are in `test_complex_ops`; a callback is a function of
    the user's.
    """
    from anabranch.ir.ops import NONDIFFERENTIABLE

    expected = {
        name
        for name, op in OPS.items()
        if op.adjoint is not NONDIFFERENTIABLE and not op.regions and not op.ufunc
    }
    elsewhere = {
        "callback",
        "trigamma",
        "i2e",
        *COMPLEX_SAMPLES.keys() - SAMPLES.keys(),
    }
    assert expected - elsewhere == TANGENTS.keys()


@ranges
def test_adjoint_agrees_with_the_forward_mode(seeds: range) -> None:
    """u·(Jv) = (Jᵀu)·v to 1e-12 of the sum of the terms' sizes."""
    for seed in seeds:
        sample = sample_of(seed)
        cotangents, backward, scale = pulled_back(sample, seed)
        _, tangents = push_forward(sample.graph, sample.point, sample.direction)
        forward = weighed(sample.graph, cotangents, tangents)
        assert abs(forward - backward) <= 1e-12 * scale, f"seed {seed}"


@ranges
def test_adjoint_agrees_with_differences(seeds: range) -> None:
    for seed in seeds:
        sample = sample_of(seed)
        if any(node.op == "stop_gradient" for node in sample.graph):
            continue
        cotangents, backward, scale = pulled_back(sample, seed)

        def loss(steps: int, sample: Sample = sample, us: Any = cotangents) -> float:
            results = interpret(sample.graph, sample.moved(steps * STEP))
            return weighed(sample.graph, us, results)

        numeric = (loss(-2) - 8 * loss(-1) + 8 * loss(1) - loss(2)) / (12 * STEP)
        assert abs(numeric - backward) <= 1e-6 * max(1.0, scale), f"seed {seed}"


@ranges
def test_every_shared_value_has_one_sum_node(seeds: range) -> None:
    total = 0
    for seed in seeds:
        sample = sample_of(seed)
        total += check_sum_nodes(sample, seeded(sample, seed)[0].verify())
    assert total > 5 * len(seeds)


@ranges
def test_an_operand_of_a_sum_node_is_what_its_read_contributes(seeds: range) -> None:
    """It is the gradient of that read when each read has a copy of the input."""
    for seed in seeds:
        sample = sample_of(seed)
        made, cotangents = seeded(sample, seed)
        values = {
            node.name: value
            for node, value in evaluate(made, [*sample.point, *cotangents])
        }
        for position, name in enumerate(node.name for node in sample.graph.inputs):
            found = made.nodes.get(f"{name}.bar")
            if found is None or not found.reads:
                continue
            graph, copies = untied(sample.graph, name)
            point = [sample.point[position]] * len(copies) + sample.point
            parts = adjoint(graph, wrt=copies, of=float_results(graph), seeded=True)
            bars = interpret(parts, [*point, *cotangents])[len(graph.outputs) :]
            labels: Any = found.reads
            by_read = dict(zip(contributions_of(graph, copies), bars, strict=True))
            for operand, label in zip(found.operands, labels, strict=True):
                np.testing.assert_array_equal(values[operand], by_read[label])


def contributions_of(graph: Graph, copies: list[str]) -> list[tuple[str, int]]:
    """The one read of each copy of an input, counting results that are floats."""
    reads = {
        operand: (node.name, slot)
        for node in graph
        for slot, operand in enumerate(node.operands)
    }
    results = {name: ("return", k) for k, name in enumerate(float_results(graph))}
    return [reads[name] if name in reads else results[name] for name in copies]


@ranges
def test_second_order_agrees_with_the_forward_mode(seeds: range) -> None:
    """(Hw)·v = w·(Hv): the adjoint of the adjoint against a tangent through it."""
    for seed in seeds[::3]:
        sample = sample_of(seed)
        first, cotangents = seeded(sample, seed)
        bars = first.results[len(sample.graph.outputs) :]
        second = adjoint(first, wrt=sample.floats, of=bars, seeded=True).verify()
        point = [*sample.point, *cotangents]
        still = [np.zeros_like(u) for u in cotangents]
        _, tangents = push_forward(first, point, [*sample.direction, *still])
        rng = np.random.default_rng(seed)
        weights = [rng.uniform(-1, 1, first[name].type.shape) for name in bars]
        count = len(first.outputs)
        products = interpret(second, [*point, *weights])[count:]
        moves = [move for move in sample.direction if move is not None]
        backward = [p * v for p, v in zip(products, moves, strict=True)]
        forward = [w * t for w, t in zip(weights, tangents[-len(bars) :], strict=True)]
        scale = sum(float(np.sum(np.abs(term))) for term in [*backward, *forward])
        difference = sum(map(np.sum, backward)) - sum(map(np.sum, forward))
        assert abs(difference) <= 1e-12 * max(scale, 1.0), f"seed {seed}"


@pytest.mark.parametrize("mixed", [False, True])
@ranges
def test_text_round_trip_of_graphs_and_their_adjoints(
    seeds: range, mixed: bool
) -> None:
    for seed in seeds[::3]:
        sample = sample_of(seed, mixed=mixed)
        first = adjoint(sample.graph, wrt=sample.floats, seeded=True)
        for graph in (sample.graph, first, optimise(first)):
            text = graph.as_text()
            again = parse(text)
            assert again == graph
            assert again.as_text() == text
            assert again.same_structure(graph)
            assert again.structural_hash() == graph.structural_hash()


@given(samples(mixed=True))
@settings(max_examples=25)
def test_a_mixed_graph_has_a_sound_adjoint(sample: Sample) -> None:
    made = adjoint(sample.graph, wrt=sample.floats, seeded=True).verify()
    check_sum_nodes(sample, made)


@ranges
def test_the_two_halves_give_what_the_whole_gives(seeds: range) -> None:
    """Cut into forward and backward, with residuals between them.

    A residual is contiguous where the value was a view, so products may round anew.
    """
    for seed in seeds:
        sample = sample_of(seed)
        count = len(sample.graph.outputs)
        if len(float_results(sample.graph)) < count:
            continue
        made, cotangents = seeded(sample, seed)
        tidy = run_passes(made, ("prune", "fold", "simplify", "dedupe", "prune"))
        forward, backward, names = split(tidy, count, count)
        results = interpret(forward.verify(), sample.point)
        assert len(results) == count + len(names)
        bars = interpret(backward.verify(), [*results[count:], *cotangents])
        expected = interpret(made, [*sample.point, *cotangents])
        assert_same_bits(results[:count], expected[:count], f"seed {seed}")
        for one, other in zip(bars, expected[count:], strict=True):
            largest = max(1.0, float(np.max(np.abs(other), initial=0.0)))
            np.testing.assert_allclose(one, other, rtol=0, atol=1e-14 * largest)


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize(
    "seeds",
    [
        pytest.param(range(40), id="default"),
        pytest.param(range(40, MANY), id="fuzz", marks=pytest.mark.fuzz),
    ],
)
def test_llvm_agrees_with_the_reference(seeds: range, mixed: bool) -> None:
    """Gradients too: to 1e-12 of the largest entry, to f32's where f32 is mixed in."""
    tolerance = 64 * np.finfo(np.float32).eps if mixed else 1e-12
    for seed in seeds:
        sample = sample_of(seed, mixed=mixed)
        made, cotangents = seeded(sample, seed)
        arrays = [*sample.point, *cotangents]
        expected = interpret(made, arrays)
        results = find_backend("llvm").prepare(optimise(made))(arrays)
        for name, one, other in zip(made.results, results, expected, strict=True):
            assert one.dtype == other.dtype
            assert one.shape == other.shape
            if one.dtype.kind != "f":
                assert np.array_equal(one, other), f"seed {seed}, %{name}"
                continue
            largest = max(1.0, float(np.max(np.abs(other), initial=0.0)))
            error = float(np.max(np.abs(one - other), initial=0.0))
            assert error <= tolerance * largest, f"seed {seed}, %{name}"
