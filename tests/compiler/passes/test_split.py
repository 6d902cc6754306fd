"""Long sums are cut, and add the same terms in the same order."""

from __future__ import annotations

import numpy as np
import pytest

from anabranch.backends.reference.interpreter import interpret
from anabranch.compiler.passes.split import MAX_TERMS, split
from anabranch.ir import Builder, Graph, Output, TensorType

VECTOR = TensorType("f32", (3,))


def total(count: int) -> Graph:
    b = Builder("total")
    terms = [b.input(f"x{number}", VECTOR) for number in range(count)]
    return b.build([Output(b.add_n(*terms).name)])


@pytest.mark.parametrize("count", [*range(2, 3 * MAX_TERMS + 2), 1_000])
def test_no_sum_is_long_and_the_bits_stay(count: int) -> None:
    graph = total(count)
    made = split(graph).verify()
    lengths = [len(node.operands) for node in made if node.op == "add_n"]
    assert all(2 <= length <= MAX_TERMS for length in lengths)
    assert sum(lengths) - (len(lengths) - 1) == count
    rng = np.random.default_rng(count)
    point = [rng.normal(size=3).astype(np.float32) for _ in range(count)]
    (one,), (other,) = interpret(graph, point), interpret(made, point)
    assert one.tobytes() == other.tobytes()


def test_the_sum_keeps_its_name() -> None:
    graph = total(50)
    assert split(graph).results == graph.results


def test_short_sums_stay() -> None:
    graph = total(MAX_TERMS)
    assert split(graph) is graph
