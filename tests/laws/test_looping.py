"""The laws that hold for loops, on random graphs with loops and choices in loops.

What a loop is must be what the graph is in which its body is written out: values, and
cotangents of two orders, to rounding.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from anabranch.backends import find_backend
from anabranch.backends.reference.interpreter import interpret
from anabranch.compiler.pipeline import PASSES, optimise, run_passes
from anabranch.compiler.transforms.adjoint import adjoint
from anabranch.ir import Graph, parse
from anabranch.ir.law import contributing_reads
from anabranch.ir.literals import Attrs
from anabranch.ir.ops import loop_segments
from tests.looping import Looping, looping, written_out

SEEDS = range(30)
STEP = 1e-4

made_of = cache(looping)
straight_of = cache(lambda seed: written_out(made_of(seed).graph).verify())
back_of = cache(lambda seed: pulled_back(made_of(seed).graph))


def pulled_back(graph: Graph, orders: int = 1) -> Graph:
    """The adjoint of the graph, of that its own cotangents', and so on."""
    wrt = [node.name for node in graph.inputs if node.type.is_float]
    of = [name for name in graph.results if graph[name].type.is_float]
    for _ in range(orders):
        before = len(graph.outputs)
        graph = adjoint(graph, wrt=wrt, of=of, seeded=True)
        of = list(graph.results[before:])
    return graph


def point_of(made: Looping, graph: Graph, seed: int) -> list[Any]:
    """The point of the sample, and random values for the seeds behind it."""
    rng = np.random.default_rng(seed)
    rest = graph.inputs[len(made.point) :]
    return made.point + [
        rng.uniform(-1, 1, node.type.shape).astype(node.type.numpy) for node in rest
    ]


def assert_near(found: list[Any], expected: list[Any], tolerance: float) -> None:
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype
        assert one.shape == other.shape
        largest = max(1.0, float(np.max(np.abs(other), initial=0.0)))
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance * largest)


def kinds(graph: Graph) -> set[str]:
    """What kinds of loops and choices are in a graph and its regions."""
    found = {node.op for node in graph if node.regions}
    for node in graph:
        if node.op == "loop":
            found |= {key for key in node.attrs if node.attrs[key] is True}
            found |= {f"{node.attrs.get('trips', 'any')} trips"}
        for region in node.regions:
            found |= {f"{kind} inside" for kind in kinds(region)}
    return found


def test_all_kinds_of_loops_are_judged() -> None:
    found: set[str] = set()
    for seed in SEEDS:
        found |= kinds(made_of(seed).graph)
    wanted = {"loop", "cond", "limit", "test", "reverse"}
    wanted |= {"0 trips", "1 trips", "any trips"}
    assert wanted | {"loop inside", "cond inside", "limit inside"} <= found


def test_a_loop_has_the_values_of_its_iterations() -> None:
    for seed in SEEDS:
        made = made_of(seed)
        found = interpret(made.graph, made.point)
        assert_near(found, interpret(straight_of(seed), made.point), 0.0)


@pytest.mark.parametrize("orders", [1, 2])
def test_a_loop_has_the_cotangents_of_its_iterations(orders: int) -> None:
    for seed in SEEDS[:: 3 * orders - 2]:
        made = made_of(seed)
        straight = pulled_back(straight_of(seed), orders)
        graph = pulled_back(made.graph, orders).verify()
        point = point_of(made, straight, seed)
        assert_near(interpret(graph, point), interpret(straight, point), 1e-11)


@pytest.mark.parametrize(("rows", "orders"), [(2, 1), (3, 1), (2, 2)])
def test_segments_of_a_loop_have_the_cotangents_of_its_iterations(
    rows: int, orders: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With so many rows a level, two or three levels of segments."""
    for name, value in {"LEAST_ROWS": 1, "MOST_ROWS": rows, "ENOUGH": 7}.items():
        monkeypatch.setattr(loop_segments, name, value)
    for seed in SEEDS[rows % 2 :: 12 * orders - 10]:
        made = made_of(seed)
        straight = pulled_back(straight_of(seed), orders)
        graph = pulled_back(made.graph, orders).verify()
        point = point_of(made, straight, seed)
        assert_near(interpret(graph, point), interpret(straight, point), 1e-11)
        run = find_backend("llvm").prepare(optimise(graph, "llvm").verify())
        assert_near(run(point), interpret(straight, point), 1e-10)


def holding(graph: Graph, states: int) -> Graph:
    """The graph whose loops hold so many states on their way back."""
    graph = graph.map_regions(lambda region: holding(region, states))
    nodes = [
        node._replace(attrs=Attrs({**node.attrs, "held": states}))
        if node.op == "loop"
        else node
        for node in graph
    ]
    return Graph(graph.name, nodes, graph.outputs, graph.sections)


@pytest.mark.parametrize(("states", "orders"), [(1, 1), (2, 1), (1, 2), (2, 2)])
def test_loops_that_hold_few_states_have_the_same_cotangents(
    states: int, orders: int
) -> None:
    for seed in SEEDS[states - 1 :: 15 * orders - 9]:
        made = made_of(seed)
        straight = pulled_back(straight_of(seed), orders)
        graph = pulled_back(holding(made.graph, states), orders).verify()
        point = point_of(made, straight, seed)
        assert_near(interpret(graph, point), interpret(straight, point), 1e-11)
        run = find_backend("llvm").prepare(optimise(graph, "llvm").verify())
        assert_near(run(point), interpret(straight, point), 1e-10)


def test_cotangents_agree_with_differences() -> None:
    for seed in SEEDS:
        made, graph = made_of(seed), back_of(seed)
        count = len(made.graph.outputs)
        point = point_of(made, graph, seed)
        weights = iter(point[len(made.point) :])
        results = [made.graph[name].type for name in made.graph.results]
        us = [next(weights) if type_.is_float else None for type_ in results]

        def loss(steps: int, made: Looping = made, us: Any = us) -> float:
            found = interpret(made.graph, made.moved(steps * STEP))
            pairs = zip(us, found, strict=True)
            return sum(float(np.sum(u * v)) for u, v in pairs if u is not None)

        numeric = (loss(-2) - 8 * loss(-1) + 8 * loss(1) - loss(2)) / (12 * STEP)
        bars = interpret(graph, point)[count:]
        terms = [b * v for b, v in zip(bars, made.direction, strict=True)]
        scale = sum(float(np.sum(np.abs(term))) for term in terms)
        backward = sum(float(np.sum(term)) for term in terms)
        assert abs(numeric - backward) <= 1e-6 * max(1.0, scale), f"seed {seed}"


def test_the_way_back_has_a_law_of_its_own() -> None:
    """In its body, for the values of an iteration: sum nodes in the order of reads."""
    sums = 0
    for seed in SEEDS:
        graph = back_of(seed)
        for node in graph:
            if node.op == "loop" and any(r.sections for r in node.regions):
                (body,) = node.regions
                assert [section.lawful for section in body.sections] == [True]
                reads = contributing_reads(body, 1)
                sums += sum(len(found) > 1 for found in reads.values())
    assert sums > 20


def test_text_round_trip() -> None:
    for seed in SEEDS[::3]:
        graph = made_of(seed).graph
        first = back_of(seed)
        for one in (graph, first, pulled_back(graph, 2), optimise(first)):
            text = one.as_text()
            again = parse(text)
            assert again == one
            assert again.as_text() == text
            assert again.structural_hash() == one.structural_hash()
            assert parse(one.as_text(annotate=True)) == one


@pytest.mark.parametrize("name", PASSES)
def test_a_pass_keeps_what_loops_compute(name: str) -> None:
    for seed in SEEDS[::2]:
        made, graph = made_of(seed), back_of(seed)
        text = graph.as_text()
        passed = run_passes(graph, (name,), after_each=Graph.verify)
        assert graph.as_text() == text
        point = point_of(made, graph, seed)
        assert_near(interpret(passed, point), interpret(graph, point), 1e-11)


@pytest.mark.parametrize("dtype", ["f64", "f32"])
def test_the_compiled_graph_does_what_the_interpreted_does(dtype: str) -> None:
    tolerance = 256 * np.finfo(np.float32).eps if dtype == "f32" else 1e-11
    for seed in SEEDS[dtype == "f32" :: 2]:
        made = made_of(seed, dtype)
        graph = pulled_back(made.graph)
        point = point_of(made, graph, seed)
        run = find_backend("llvm").prepare(optimise(graph, "llvm").verify())
        expected = interpret(graph, point)
        for _ in range(2):
            assert_near(run(point), expected, float(tolerance))


@pytest.mark.parametrize("seed", [0, 4])
def test_numba_does_what_the_interpreted_does(seed: int) -> None:
    made = made_of(seed)
    graph = pulled_back(made.graph)
    point = point_of(made, graph, seed)
    run = find_backend("numba").prepare(optimise(graph, "numba"))
    assert_near(run(point), interpret(graph, point), 1e-11)
