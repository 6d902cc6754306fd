"""Loops that hold some states on their way back, as the way back runs them forwards."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from ...ir.builder import Builder
from ...ir.graph import Graph, Node
from ...ir.ops.loop_binomial import has_pieces, in_pieces, pieces_of
from ...ir.ops.parts import split_operands
from .dedupe import dedupe
from .rewrite import rewrite

__all__ = ["in_equal_pieces"]


def in_equal_pieces(graph: Graph) -> Graph:
    """Cut loops into pieces where the way back has cut them too.

    A loop with ``held`` runs for its value, and once more in the pieces that its way
    back begins with. Then the two are loops of which one does all that the other does,
    and `merge` makes them one. Keeps results bit for bit.
    """
    graph = graph.map_regions(in_equal_pieces)
    loops = [node for node in graph if node.op == "loop"]
    if not any(has_pieces(node.attrs) for node in loops):
        return graph
    made = rewrite(graph, {"loop": partial(_cut, loops)})
    return graph if made is graph else dedupe(made)


def _cut(
    loops: Sequence[Node], b: Builder, n: Node, *operands: Node
) -> list[Node] | None:
    if not has_pieces(n.attrs):
        return None
    parts = split_operands(n.attrs, operands)
    taken = {x.name for x in parts.taken}
    alike = (
        other.attrs.get("trips") == n.attrs["held"] and taken.issubset(other.operands)
        for other in loops
    )
    if not any(alike):
        return None
    made = in_pieces(b, pieces_of(b, n.regions[0], parts, n.attrs))
    return list(made.values[: len(n.names)])
