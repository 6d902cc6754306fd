"""The laws that hold for loops, on random loops that store into what they carry."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from anabranch.backends import find_backend
from anabranch.backends.reference.interpreter import interpret
from anabranch.compiler.pipeline import PASSES, optimise, run_passes
from anabranch.ir import Graph, parse
from tests.laws.test_looping import assert_near, point_of, pulled_back
from tests.looping import written_out
from tests.storing import storing

SEEDS = range(40)

made_of = cache(storing)
straight_of = cache(lambda seed: written_out(made_of(seed).graph).verify())
pulled = cache(lambda seed: pulled_back(made_of(seed).graph))


def ops(graph: Graph, inside: bool = False) -> set[str]:
    found = {f"{node.op} inside" if inside else node.op for node in graph}
    return found.union(*(ops(r, True) for node in graph for r in node.regions))


def test_all_kinds_of_stores_are_judged() -> None:
    found = set[str]().union(*(ops(made_of(seed).graph) for seed in SEEDS))
    wanted = "slice_at update_at add_at update slice loop cond".split()
    assert {f"{op} inside" for op in wanted} <= found


def test_a_loop_has_the_values_of_its_iterations() -> None:
    for seed in SEEDS:
        made = made_of(seed)
        found = interpret(made.graph, made.point)
        assert_near(found, interpret(straight_of(seed), made.point), 0.0)


def test_a_loop_has_the_cotangents_of_its_iterations() -> None:
    for seed in SEEDS:
        made = made_of(seed)
        straight = pulled_back(straight_of(seed))
        graph = pulled(seed).verify()
        point = point_of(made, straight, seed)
        assert_near(interpret(graph, point), interpret(straight, point), 1e-11)


def test_text_round_trip() -> None:
    for seed in SEEDS[::4]:
        for one in (made_of(seed).graph, pulled(seed), optimise(pulled(seed))):
            assert parse(one.as_text()) == one


@pytest.mark.parametrize("name", PASSES)
def test_a_pass_keeps_what_loops_compute(name: str) -> None:
    for seed in SEEDS[::2]:
        made, graph = made_of(seed), pulled(seed)
        text = graph.as_text()
        passed = run_passes(graph, (name,), after_each=Graph.verify)
        assert graph.as_text() == text
        point = point_of(made, graph, seed)
        assert_near(interpret(passed, point), interpret(graph, point), 1e-11)


@pytest.mark.parametrize("backwards", [False, True])
def test_the_compiled_graph_does_what_the_interpreted_does(backwards: bool) -> None:
    for seed in SEEDS:
        made = made_of(seed)
        graph = pulled(seed) if backwards else made.graph
        point = point_of(made, graph, seed)
        run = find_backend("llvm").prepare(optimise(graph, "llvm").verify())
        expected = interpret(graph, point)
        for _ in range(2):
            assert_near(run(point), expected, 1e-11)


def test_unoptimised_graphs_do_too() -> None:
    for seed in SEEDS:
        made = made_of(seed)
        run = find_backend("llvm").prepare(run_passes(made.graph, ("fuse",)))
        expected = interpret(made.graph, made.point)
        for _ in range(2):
            assert_near(run(made.point), expected, 1e-12)


@pytest.mark.parametrize("seed", [0, 3])
def test_numba_does_what_the_interpreted_does(seed: int) -> None:
    made, graph = made_of(seed), pulled(seed)
    point = point_of(made, graph, seed)
    run = find_backend("numba").prepare(optimise(graph, "numba"))
    assert_near(run([np.array(x) for x in point]), interpret(graph, point), 1e-11)
