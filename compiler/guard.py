"""Checks of indices, for graphs that the tracer did not make.

Ops that take indices or positions trust them: outside of the axis they would read or
write other memory. The tracer puts a `check` in front of them; the text of a graph may
lack it, and may come with any array.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ..ir.builder import Builder
from ..ir.graph import Graph, Node
from ..ir.ops.at import limits
from .intervals import Interval, Intervals, region_intervals

__all__ = ["guard"]

_INDICES = {"take": 1, "scatter_add": 1, "put": 2}  # the slot of each op
_POSITIONS = {"slice_at": 1, "update_at": 2, "add_at": 2}  # the first slot


def guard(graph: Graph) -> Graph:
    """Put a check in front of every index that may be outside of its axis.

    Indices that are checked already, or that are inside by their intervals, stay; so do
    sections with their law, since an index has no cotangent.
    """
    return _guarded(graph, {})


def _guarded(graph: Graph, known: Mapping[str, Interval]) -> Graph:
    """The graph with checks, given the intervals of its inputs."""
    indexed = {*_INDICES, *_POSITIONS}
    if graph.depth == 1 and indexed.isdisjoint([node.op for node in graph]):
        return graph
    intervals = Intervals(graph.nodes, known)
    b = Builder(graph.name, reserved=graph.nodes)
    checked: dict[tuple[_Index, str], Node] = {}
    changed = False
    for node in graph:
        operands = list(node.operands)
        for index in _indices(graph, node):
            place = operands[index.slot]
            found = intervals.of(graph[place])
            if found is not None and found.within(index.low, index.high):
                continue
            b.section, b.source = node.section, node.source
            key = index._replace(slot=0), place
            if key not in checked:
                checked[key] = _check(b, graph[place], index)
            operands[index.slot] = checked[key].name
        regions = [
            _guarded(region, region_intervals(node, region, graph, intervals))
            for region in node.regions
        ]
        made = node
        if operands != list(node.operands):
            made = node.reading(tuple(operands))
        if not all(map(operator.is_, regions, node.regions)):
            made = made._replace(regions=tuple(regions))
        changed = changed or made is not node
        b.append(made)
    made = Graph(graph.name, list(b.nodes), graph.outputs, graph.sections)
    return made if changed else graph


class _Index(NamedTuple):
    """A slot with indices or a position, from ``low`` to ``high`` if it is inside."""

    slot: int
    low: int
    high: int
    size: int


def _indices(graph: Graph, node: Node) -> Iterator[_Index]:
    attrs: Any = node.attrs
    if node.op in _INDICES:
        size = attrs.get("size")
        if size is None:
            size = graph[node.operands[0]].type.shape[attrs["axis"]]
        yield _Index(_INDICES[node.op], 0, size - 1, size)
    if node.op in _POSITIONS:
        first = _POSITIONS[node.op]
        sizes = graph[node.operands[0]].type.shape
        shape = attrs.get("shape") or graph[node.operands[1]].type.shape
        axes = attrs["axes"]
        if 0 in shape:
            return
        places = limits(sizes, axes, attrs["start"], shape, attrs["step"])
        for slot, (axis, place) in enumerate(zip(axes, places, strict=True), first):
            yield _Index(slot, *place, sizes[axis])


def _check(b: Builder, node: Node, index: _Index) -> Node:
    message = f"an index is out of bounds for an axis of size {index.size}"
    return b.check(
        node, low=index.low, high=index.high + 1, error="index", message=message
    )
