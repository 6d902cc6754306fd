"""Graphs of one op, and their adjoints."""

from __future__ import annotations

from collections.abc import Sequence

from anabranch.backends import DEFAULT, find_backend
from anabranch.compiler.calls.entry import input_array
from anabranch.compiler.pipeline import optimise
from anabranch.compiler.transforms.adjoint import adjoint
from anabranch.ir import OPS, Builder, Graph, TensorType
from anabranch.ir.graph import Output
from anabranch.ir.types import dtype_name
from tests.laws.op_samples import Array, Sample

__all__ = [
    "compiled",
    "float_results",
    "one_op",
    "pulled_back",
    "pulled_back_twice",
    "type_of",
]


def type_of(array: Array) -> TensorType:
    """The type of an array."""
    return TensorType(dtype_name(array.dtype), array.shape)


def one_op(op: str, sample: Sample) -> Graph:
    """The graph of one op, of all its values; its inputs are called x0, x1, ..."""
    b = Builder("f")
    inputs = [
        b.input(f"x{slot}", type_of(array))
        for slot, array in enumerate(sample.operands)
    ]
    node = b.add_node(op, *inputs, **sample.attrs)
    return b.build([Output(value.name) for value in node.values])


def float_results(graph: Graph) -> list[str]:
    """The results that gradients start from."""
    return [name for name in graph.results if graph[name].type.has_gradient]


def pulled_back(op: str, sample: Sample) -> tuple[Graph, list[str]]:
    """The seeded adjoint of one op, and the inputs that have a cotangent in it."""
    graph = one_op(op, sample)
    wrt = [
        node.name
        for slot, node in enumerate(graph.inputs)
        if node.type.has_gradient
        and OPS[op].is_differentiable(slot)
        and slot not in OPS[op].refused
    ]
    starts = float_results(graph)
    if not wrt or not starts:
        return graph, []
    return adjoint(graph, wrt=wrt, of=starts, seeded=True), wrt


def pulled_back_twice(op: str, sample: Sample) -> tuple[Graph, list[str]]:
    """The adjoint of those cotangents, for the same inputs and for the seeds."""
    first, wrt = pulled_back(op, sample)
    if not wrt:
        return first, []
    bars = first.results[-len(wrt) :]
    seeds = [node.name for node in first.inputs[len(sample.operands) :]]
    return adjoint(first, wrt=[*wrt, *seeds], of=bars, seeded=True), [*wrt, *seeds]


def compiled(graph: Graph, arrays: Sequence[Array]) -> list[Array]:
    """What the default backend makes of the optimised graph."""
    inputs = zip(arrays, graph.inputs, strict=True)
    return find_backend(DEFAULT).prepare(optimise(graph))(
        [input_array(array, node.type) for array, node in inputs]
    )
