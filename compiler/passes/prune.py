"""Dead code."""

from __future__ import annotations

from ...ir.graph import Graph

__all__ = ["prune"]


def prune(graph: Graph) -> Graph:
    """Drop the nodes that no output depends on; inputs stay.

    before:
        graph f(%x: f64[4]) {
          %a = exp(%x)      : f64[4]
          %b = mul(%x, %x)  : f64[4]
          return %b
        }
    after:
        graph f(%x: f64[4]) {
          %b = mul(%x, %x)  : f64[4]
          return %b
        }

    A check whose value is not used goes as well.
    """
    read = set(graph.results)
    for node in reversed(list(graph)):
        if node.name in read:
            read.update(node.operands)
    kept = [node for node in graph if node.name in read or node.op == "input"]
    return graph if len(kept) == len(graph) else graph.with_nodes(kept)
