"""The laws that hold for graphs with regions, on random ones with `cond` in `cond`.

What a choice is must be what the graph without it is: values, and cotangents of three
orders. Both choices of each condition are judged.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from anabranch.backends import DEFAULT, find_backend
from anabranch.backends.reference.interpreter import interpret
from anabranch.compiler.pipeline import PASSES, optimise, run_passes
from anabranch.compiler.transforms.adjoint import adjoint
from anabranch.compiler.transforms.residuals import split
from anabranch.ir import Graph, parse
from anabranch.ir.law import contributing_reads
from tests.branching import CHOICES, Branching, branching
from tests.strategies import STEP

SEEDS = range(12)

made_of = cache(branching)
back_of = cache(lambda seed: pulled_back(made_of(seed).graph))
choices = pytest.mark.parametrize("choice", CHOICES)


def floats(graph: Graph) -> list[str]:
    """The inputs that have a gradient."""
    return [node.name for node in graph.inputs if node.type.is_float]


def pulled_back(graph: Graph, orders: int = 1) -> Graph:
    """The adjoint of the graph, of that its own cotangents', and so on."""
    wrt, of = floats(graph), None
    for _ in range(orders):
        before = len(graph.outputs)
        graph = adjoint(graph, wrt=wrt, of=of, seeded=True)
        of = graph.results[before:]
    return graph


def point_of(made: Branching, graph: Graph, seed: int) -> list[Any]:
    """The point of the sample, and random values for the seeds behind it."""
    rng = np.random.default_rng(seed)
    rest = graph.inputs[len(made.straight[CHOICES[0]].inputs) :]
    return made.sample.point + [
        rng.uniform(-1, 1, node.type.shape).astype(node.type.numpy) for node in rest
    ]


def assert_near(found: list[Any], expected: list[Any], tolerance: float) -> None:
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype
        assert one.shape == other.shape
        largest = max(1.0, float(np.max(np.abs(other), initial=0.0)))
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance * largest)


@choices
def test_a_choice_has_the_values_of_its_region(choice: tuple[bool, bool]) -> None:
    for seed in SEEDS:
        made = made_of(seed)
        found = interpret(made.graph, made.arrays(choice))
        expected = interpret(made.straight[choice], made.sample.point)
        assert_near(found, expected, 0.0)


@pytest.mark.parametrize("orders", [1, 2, 3])
@choices
def test_a_choice_has_the_cotangents_of_its_region(
    choice: tuple[bool, bool], orders: int
) -> None:
    for seed in SEEDS[:: 3 * orders - 2]:
        made = made_of(seed)
        straight = pulled_back(made.straight[choice], orders).verify()
        graph = pulled_back(made.graph, orders).verify()
        point = point_of(made, straight, seed)
        conditions = list(map(np.asarray, choice))
        expected = interpret(straight, point)
        found = interpret(graph, [*conditions, *point])
        assert_near(found, expected, 1e-11)


@choices
def test_cotangents_agree_with_differences(choice: tuple[bool, bool]) -> None:
    for seed in SEEDS:
        made = made_of(seed)
        if any(node.op == "stop_gradient" for node in made.straight[choice]):
            continue
        graph = pulled_back(made.graph)
        count = len(made.graph.outputs)
        point = point_of(made, pulled_back(made.straight[choice]), seed)
        weights = iter(point[len(made.sample.point) :])
        results = [made.graph[name].type for name in made.graph.results]
        us = [next(weights) if type_.is_float else None for type_ in results]
        conditions = list(map(np.asarray, choice))

        def loss(steps: int, made: Branching = made, us: Any = us) -> float:
            moved = made.sample.moved(steps * STEP)
            found = interpret(made.graph, [*conditions, *moved])  # noqa: B023
            pairs = zip(us, found, strict=True)
            return sum(float(np.sum(u * v)) for u, v in pairs if u is not None)

        numeric = (loss(-2) - 8 * loss(-1) + 8 * loss(1) - loss(2)) / (12 * STEP)
        bars = interpret(graph, [*conditions, *point])[count:]
        moves = [v for v in made.sample.direction if v is not None]
        terms = [b * v for b, v in zip(bars, moves, strict=True)]
        scale = sum(float(np.sum(np.abs(term))) for term in terms)
        backward = sum(float(np.sum(term)) for term in terms)
        assert abs(numeric - backward) <= 1e-6 * max(1.0, scale), f"seed {seed}"


def test_every_value_of_a_node_has_its_own_sum_node() -> None:
    """The results of the choice are each read by `sin` and twice by `mul`."""
    several = 0
    for seed in SEEDS:
        graph = made_of(seed).graph
        (node,) = (node for node in graph if node.regions)
        made = pulled_back(graph)
        reads = contributing_reads(made, 1)
        for value in node.values:
            if value.type.is_float:
                assert len(reads[value.name]) == 3
                assert made[f"{value.name}.bar"].reads == reads[value.name]
        several += len(node.several) > 1
    assert several > 3


def test_regions_of_the_adjoint_have_laws_of_their_own() -> None:
    for seed in SEEDS:
        graph = pulled_back(made_of(seed).graph)
        (back,) = (node for node in graph if node.regions and node.section)
        for region in back.regions:
            assert [section.lawful for section in region.sections] == [True]
            assert contributing_reads(region, 1)


@pytest.mark.parametrize("mixed", [False, True])
def test_text_round_trip(mixed: bool) -> None:
    for seed in SEEDS[::3]:
        graph = made_of(seed, mixed=mixed).graph
        first = pulled_back(graph)
        for one in (graph, first, pulled_back(graph, 2), optimise(first)):
            text = one.as_text()
            again = parse(text)
            assert again == one
            assert again.as_text() == text
            assert again.structural_hash() == one.structural_hash()
            assert parse(one.as_text(annotate=True)) == one


@pytest.mark.parametrize("name", PASSES)
def test_a_pass_keeps_what_regions_compute(name: str) -> None:
    for seed in SEEDS[::2]:
        graph = back_of(seed)
        text = graph.as_text()
        passed = run_passes(graph, (name,), after_each=Graph.verify)
        assert graph.as_text() == text
        for choice in CHOICES:
            arrays, expected = interpreted(seed, choice)
            assert_near(interpret(passed, arrays), expected, 1e-11)


@cache
def interpreted(seed: int, choice: tuple[bool, bool]) -> tuple[list[Any], list[Any]]:
    """The arguments of the adjoint of a sample, and its results."""
    made = made_of(seed)
    point = point_of(made, pulled_back(made.straight[choice]), seed)
    arrays = [*map(np.asarray, choice), *point]
    return arrays, interpret(back_of(seed), arrays)


@pytest.mark.parametrize("mixed", [False, True])
@choices
def test_the_compiled_graph_does_what_the_interpreted_does(
    choice: tuple[bool, bool], mixed: bool
) -> None:
    tolerance = 64 * np.finfo(np.float32).eps if mixed else 1e-11
    for seed in SEEDS[::3]:
        made = made_of(seed, mixed=mixed)
        graph = pulled_back(made.graph)
        point = point_of(made, pulled_back(made.straight[choice]), seed)
        arrays = [*map(np.asarray, choice), *point]
        run = find_backend(DEFAULT).prepare(optimise(graph))
        assert_near(run(arrays), interpret(graph, arrays), float(tolerance))


@choices
def test_the_two_halves_give_what_the_whole_gives(choice: tuple[bool, bool]) -> None:
    for seed in SEEDS:
        made = made_of(seed)
        count = len(made.graph.outputs)
        if not all(made.graph[x].type.is_float for x in made.graph.results):
            continue
        graph = pulled_back(made.graph)
        tidy = run_passes(graph, ("prune", "fold", "simplify", "dedupe", "prune"))
        forward, backward, _ = split(tidy, count, count)
        arrays = made.arrays(choice)
        point = point_of(made, pulled_back(made.straight[choice]), seed)
        seeds = point[len(made.sample.point) :]
        results = interpret(forward.verify(), arrays)
        bars = interpret(backward.verify(), [*results[count:], *seeds])
        expected = interpret(graph, [*arrays, *seeds])
        assert_near([*results[:count], *bars], expected, 1e-13)
