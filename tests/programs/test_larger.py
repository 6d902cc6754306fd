"""The graph of a looped program does not grow with the number of turns."""

from __future__ import annotations

import numpy as np
import pytest

import anabranch
from anabranch.compiler.pipeline import optimise
from anabranch.ir import Graph
from tests.programs.larger import LARGER
from tests.programs.record import every_program, loss_of

# From where the loops of a body of few nodes are nodes, and nests keep no less.
TURNS = {"elman_network": 700, "k_means": 500, "floyd_warshall": 100}
PROGRAMS = every_program()


def size(graph: Graph) -> int:
    """How many nodes there are in a graph and its regions."""
    return sum(1 + sum(map(size, node.regions)) for node in graph)


@pytest.mark.parametrize("name", LARGER)
def test_twice_the_turns_take_as_many_nodes(name: str) -> None:
    turns, sizes = TURNS.get(name, 200), set[tuple[int, int]]()
    program = PROGRAMS[name]
    for n in (turns, 2 * turns):
        arguments = LARGER[name](np.random.default_rng(0), n)
        gradient = anabranch.value_and_grad(loss_of(program.function), program.wrt)
        graph = anabranch.make_ir(gradient)(*arguments)
        sizes.add((size(graph), size(optimise(graph))))
    assert len(sizes) == 1
