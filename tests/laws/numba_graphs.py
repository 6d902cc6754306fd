"""Many ops in one graph, for Numba takes a second to compile any function at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from anabranch.backends import find_backend
from anabranch.backends.reference.interpreter import interpret
from anabranch.compiler.calls.entry import input_array
from anabranch.compiler.pipeline import optimise
from anabranch.ir import Builder, Graph
from anabranch.ir.graph import Output
from tests.laws.op_graphs import type_of
from tests.laws.op_samples import SAMPLES, Array, Sample

__all__ = ["Case", "distinct", "in_groups", "side_by_side", "values"]

Case = tuple[str, Sample]


def in_groups(ops: Sequence[str], size: int) -> list[list[str]]:
    """The ops, so many at a time."""
    return [list(ops[first : first + size]) for first in range(0, len(ops), size)]


def distinct(
    op: str, count: int, samples_of: Mapping[str, Sequence[Sample]] = SAMPLES
) -> list[Case]:
    """The largest samples that differ in dtypes, in rank or in being empty."""
    found: dict[object, Sample] = {}
    samples = sorted(samples_of[op], key=lambda s: -sum(x.size for x in s.operands))
    for sample in samples:
        kinds = [(x.dtype, x.ndim, x.size == 0) for x in sample.operands]
        found.setdefault(tuple(kinds), sample)
    return [(op, sample) for sample in list(found.values())[:count]]


def side_by_side(cases: Sequence[Case]) -> tuple[Graph, list[Array]]:
    """A graph with the op of each case, and its inputs."""
    b = Builder("f")
    outputs: list[Output] = []
    arrays: list[Array] = []
    for number, (op, sample) in enumerate(cases):
        inputs = [
            b.input(f"x{number}_{slot}", type_of(array))
            for slot, array in enumerate(sample.operands)
        ]
        arrays += sample.operands
        node = b.add_node(op, *inputs, **sample.attrs)
        outputs += [Output(value.name) for value in node.values]
    return b.build(outputs), arrays


def values(graph: Graph, arrays: Sequence[Array]) -> Iterator[tuple[str, Array, Array]]:
    """Each result by its name: what numba makes of it, and what the reference does."""
    run = find_backend("numba").prepare(optimise(graph, "numba"))
    inputs = zip(arrays, graph.inputs, strict=True)
    made = run([input_array(array, node.type) for array, node in inputs])
    expected = interpret(graph, arrays)
    yield from zip(graph.results, made, expected, strict=True)
