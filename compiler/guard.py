"""Checks of indices, for graphs that the tracer did not make.

``take``, ``scatter_add`` and ``put`` trust their indices: outside of the axis they
would read or write other memory. The tracer puts a ``check`` in front of them; the text
of a graph may lack it, and may come with any array.
"""

from __future__ import annotations

from typing import Any

from ..ir.builder import Builder
from ..ir.graph import Graph, Node

__all__ = ["guard"]

_INDICES = {"take": 1, "scatter_add": 1, "put": 2}  # the slot of each op
_MOVES = ("broadcast_to", "identity", "reshape", "slice", "transpose")
MAX_MOVES = 8  # that are followed from an index to where it comes from


def guard(graph: Graph) -> Graph:
    """Put a check in front of every index that may be outside of its axis.

    Indices that are checked already, or constant, stay; so do sections with their law,
    since an index has no cotangent.
    """
    graph = graph.map_regions(guard)
    if _INDICES.keys().isdisjoint([node.op for node in graph]):
        return graph
    b = Builder(graph.name, reserved=graph.nodes)
    checked: dict[tuple[str, int], Node] = {}
    for node in graph:
        slot = _INDICES.get(node.op)
        if slot is None:
            b.append(node)
            continue
        name, size = node.operands[slot], _size(graph, node)
        if _is_inside(graph, graph[name], size):
            b.append(node)
            continue
        b.section, b.source = node.section, node.source
        known = checked.get((name, size))
        if known is None:
            known = checked[name, size] = b.check(
                graph[name],
                low=0,
                high=size,
                error="index",
                message=f"an index is out of bounds for an axis of size {size}",
            )
        operands = list(node.operands)
        operands[slot] = known.name
        b.append(node.reading(tuple(operands)))
    made = Graph(graph.name, list(b.nodes), graph.outputs, graph.sections)
    return made if checked else graph


def _size(graph: Graph, node: Node) -> int:
    """The size of the axis that a node has indices of."""
    attrs: Any = node.attrs
    if node.op == "scatter_add":
        return attrs["size"]
    return graph[node.operands[0]].type.shape[attrs["axis"]]


def _is_inside(graph: Graph, node: Node, size: int) -> bool:
    """Whether it is plain to see that all elements are indices of an axis."""
    for _ in range(MAX_MOVES):
        if node.op not in _MOVES:
            break
        node = graph[node.operands[0]]
    attrs: Any = node.attrs
    if node.op == "check":
        return attrs["low"] >= 0 and attrs["high"] <= size
    if node.op == "const":
        return 0 <= attrs["value"] < size
    if node.op == "iota":
        return node.type.shape[attrs["axis"]] <= size
    return node.op == "select" and _is_wrapped(graph, node, size)


def _is_wrapped(graph: Graph, node: Node, size: int) -> bool:
    """Whether this is ``select(i < 0, i + size, i)`` of a checked i, as traced."""
    negative, moved, index = graph.operands(node)
    attrs: Any = index.attrs
    return (
        index.op == "check"
        and attrs["low"] >= -size
        and attrs["high"] <= size
        and (negative.op, negative.operands[:1]) == ("lt", (index.name,))
        and _number(graph, graph[negative.operands[1]]) == 0
        and (moved.op, moved.operands[:1]) == ("add", (index.name,))
        and _number(graph, graph[moved.operands[1]]) == size
    )


def _number(graph: Graph, node: Node) -> Any:
    """The number that a value is everywhere, None where that is not plain to see."""
    if node.op == "broadcast_to":
        node = graph[node.operands[0]]
    return node.attrs["value"] if node.op == "const" else None
