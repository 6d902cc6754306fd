"""The reference backend: NumPy evaluates the graph node by node.

It is the oracle for every other backend, so it does nothing clever: each node is
computed by its op's NumPy reference, and the result is checked against its type.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...ir.errors import AnabranchError
from ...ir.graph import Graph, Node
from ...ir.ops import OPS
from ...ir.text import format_node
from ...ir.types import TensorType
from ..base import Array, Executable, Report

__all__ = ["evaluate", "interpret", "prepare"]


def evaluate(graph: Graph, arrays: Sequence[Array]) -> Iterator[tuple[Node, Array]]:
    """Every value of ``graph``, as `Node.values` has it, with what it is, in order."""
    made = _values(graph, arrays)
    for node in graph:
        for value in node.values:
            yield value, made[value.name]


def _values(graph: Graph, arrays: Sequence[Array]) -> dict[str, Array]:
    """Every value of ``graph`` by its name."""
    values: dict[str, Array] = {}
    inputs = iter(arrays)
    with np.errstate(all="ignore"):
        for node in graph:
            if node.op == "input":
                values[node.name] = next(inputs)
            else:
                values.update(_apply(node, [values[name] for name in node.operands]))
    return values


def _apply(node: Node, operands: list[Any]) -> Iterator[tuple[str, Array]]:
    """The values of a node by name; those of a region that runs are made in turn."""
    more: dict[str, Any] = {}
    if node.regions:
        more = {"regions": [Region(region) for region in node.regions]}
    try:
        found = OPS[node.op].reference(*operands, **more, **node.attrs)
    except AnabranchError as error:
        raise error.at(node.source, format_node(node)) from None
    results = found if isinstance(found, tuple) else (found,)
    for value, result in zip(node.values, results, strict=True):
        array = np.asarray(result)
        if array.dtype != value.type.numpy or array.shape != value.type.shape:
            raise AssertionError(
                f"{format_node(node)}: the reference made {array.dtype}{array.shape}"
            )
        yield value.name, array


class Region(NamedTuple):
    """A region as a function from arrays to a list of arrays, which have ``types``."""

    graph: Graph

    @property
    def types(self) -> list[TensorType]:
        return [self.graph[name].type for name in self.graph.results]

    def __call__(self, arrays: Sequence[Array]) -> list[Array]:
        return interpret(self.graph, arrays)


def interpret(graph: Graph, arrays: Sequence[Array]) -> list[Array]:
    """The outputs of ``graph``: fresh, contiguous arrays."""
    values = _values(graph, arrays)
    return [np.array(values[name], order="C") for name in graph.results]


class Interpreter:
    """A graph that is evaluated anew at each call."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def __call__(self, arrays: Sequence[Array]) -> list[Array]:
        return interpret(self.graph, arrays)

    def plan_text(self) -> str:
        return self.graph.as_text()

    def source_text(self) -> str:
        return ""

    def report(self) -> Report:
        """Every node is a step, and nothing is compiled."""
        return Report(self.graph.name, len(self.graph), len(self.graph))


def prepare(graph: Graph) -> Executable:
    """``graph`` as a function of its input arrays."""
    return Interpreter(graph)
