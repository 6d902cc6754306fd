"""Sums of few terms."""

from __future__ import annotations

from ...ir.builder import Builder
from ...ir.graph import Graph, Node
from .rewrite import rewrite

__all__ = ["MAX_TERMS", "split"]

MAX_TERMS = 8


def split(graph: Graph) -> Graph:
    """Cut each sum node of more than `MAX_TERMS` terms into a chain of sum nodes.

    before:
        graph f(%x: f64[4], %y: f64[4]) {
          %s = add_n(%x, %x, %x, %x, %x, %x, %x, %x, %y) : f64[4]
          return %s
        }
    after:
        graph f(%x: f64[4], %y: f64[4]) {
          %add_n.0 = add_n(%x, %x, %x, %x, %x, %x, %x, %x) : f64[4]
          %s       = add_n(%add_n.0, %y)                   : f64[4]
          return %s
        }

    A value that is read ten thousand times is then computed by a few kernels called
    many times, not by one with ten thousand operands. The terms are added in the same
    order, so the bits are the same; the labels of the reads are dropped.
    """

    def rule(b: Builder, node: Node, *terms: Node) -> Node | None:
        if len(terms) <= MAX_TERMS:
            return None
        total = b.add_n(*terms[:MAX_TERMS])
        rest = terms[MAX_TERMS:]
        while len(rest) >= MAX_TERMS:
            total = b.add_n(total, *rest[: MAX_TERMS - 1])
            rest = rest[MAX_TERMS - 1 :]
        operands = (total.name, *(term.name for term in rest))
        return b.append(node._replace(operands=operands, reads=()))

    return rewrite(graph, {"add_n": rule})
