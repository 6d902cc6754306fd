"""Nodes with a region, as the nodes of it."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

from .builder import Builder
from .graph import Graph, Output

__all__ = ["inlined"]


def inlined(graph: Graph, ops: Collection[str]) -> Graph:
    """The graph with the first region of each node of these ops in its place.

    In regions as well. A region takes the first operands of its node.
    """
    graph = graph.map_regions(partial(inlined, ops=ops))
    if all(node.op not in ops for node in graph):
        return graph
    b = Builder(graph.name, reserved=graph.nodes)
    names: dict[str, str] = {}
    for node in graph:
        kept = node.reading(tuple([names.get(name, name) for name in node.operands]))
        if node.op not in ops:
            b.append(kept)
            continue
        b.section, b.source = node.section, node.source
        region = node.regions[0]
        taken = kept.operands[: len(region.inputs)]
        made = b.embed(region, [b[name] for name in taken])
        for name, value in zip(node.names, made, strict=True):
            names[name] = value.name
    outputs = [Output(names.get(o.value, o.value), o.label) for o in graph.outputs]
    return graph.with_nodes(list(b.nodes), outputs)
