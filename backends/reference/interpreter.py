"""The reference backend: NumPy evaluates the graph node by node.

It is the oracle for every other backend, so it does nothing clever: each node is
computed by its op's NumPy reference, and the result is checked against its type.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ...ir.errors import AnabranchError
from ...ir.graph import Graph, Node
from ...ir.ops import OPS
from ...ir.text import format_node
from ..base import Array, Executable, Report

__all__ = ["evaluate", "interpret", "prepare"]


def evaluate(graph: Graph, arrays: Sequence[Array]) -> Iterator[tuple[Node, Array]]:
    """Every node of ``graph`` with its value, in program order."""
    values: dict[str, Any] = {}
    inputs = iter(arrays)
    for node in graph:
        if node.op == "input":
            value: Any = next(inputs)
        else:
            with np.errstate(all="ignore"):
                value = _apply(node, [values[name] for name in node.operands])
        values[node.name] = value
        yield node, value


def _apply(node: Node, operands: list[Any]) -> Array:
    try:
        value = np.asarray(OPS[node.op].reference(*operands, **node.attrs))
    except AnabranchError as error:
        raise error.at(node.source, format_node(node)) from None
    if value.dtype != node.type.numpy or value.shape != node.type.shape:
        raise AssertionError(
            f"{format_node(node)}: the reference made {value.dtype}{value.shape}"
        )
    return value


def interpret(graph: Graph, arrays: Sequence[Array]) -> list[Array]:
    """The outputs of ``graph``: fresh, contiguous arrays."""
    values = {node.name: value for node, value in evaluate(graph, arrays)}
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
