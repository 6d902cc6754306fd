"""Merging of equal nodes."""

from __future__ import annotations

from ...ir.builder import Builder
from ...ir.graph import Graph, Node
from ...ir.ops import OPS
from .rewrite import rewrite

__all__ = ["dedupe"]


def dedupe(graph: Graph) -> Graph:
    """Merge nodes that compute the same value; inputs are never merged.

    before:
        graph f(%x: f64[4], %y: f64[4]) {
          %a = mul(%x, %y) : f64[4]
          %b = mul(%x, %y) : f64[4]
          %c = add(%a, %b) : f64[4]
          return %c
        }
    after:
        graph f(%x: f64[4], %y: f64[4]) {
          %a = mul(%x, %y) : f64[4]
          %c = add(%a, %a) : f64[4]
          return %c
        }

    Keeps results bit for bit: the surviving node is the first in program order, and
    constants are compared by their text, so 0.0 and -0.0 stay apart. The labels of sum
    nodes do not count.
    """
    seen: dict[tuple[object, ...], list[Node]] = {}

    def rule(b: Builder, node: Node, *operands: Node) -> Node | None:
        type_ = node.type
        key = (node.op, node.operands, node.attrs.text, type_.dtype, type_.shape)
        alike = seen.setdefault(key, [])  # but for their regions
        for first in alike:
            if all(map(Graph.same_structure, first.regions, node.regions)):
                return first
        alike.append(node)
        return None

    return rewrite(graph, {op: rule for op in OPS if op != "input"})
