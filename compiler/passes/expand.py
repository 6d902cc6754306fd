"""Values without what only their derivatives are for."""

from __future__ import annotations

from ...ir.builder import Builder
from ...ir.graph import Graph, Node, Output
from .rewrite import rewrite

__all__ = ["expand"]

_LIKE_FIRST = "stop_gradient straight_through with_slope share log_share".split()


def expand(graph: Graph) -> Graph:
    """Put what a `custom_vjp` computes in its place, and x for ``stop_gradient(x)``.

    before:
        graph f(%x: f64[4]) {
          %z = stop_gradient(%x) : f64[4]
          %y = custom_vjp(%z) {arguments=1} : f64[4]:
            value(%v: f64[4]) {
              %s = sin(%v) : f64[4]
              return %s
            }
            forward(%v: f64[4], %s: f64[4]) {
              %c = cos(%v) : f64[4]
              return %c
            }
            backward(%c: f64[4], %g: f64[4]) {
              %b = mul(%c, %g) : f64[4]
              return %b
            }
          return %y
        }
    after:
        graph f(%x: f64[4]) {
          %s = sin(%x) : f64[4]
          return %s
        }

    Keeps results bit for bit. A rule is asked for when a graph is differentiated, and
    no one asks for it afterwards: this is no pass for graphs that a trace may take in.
    """
    graph = rewrite(graph, dict.fromkeys(_LIKE_FIRST, _first))
    if all(node.op != "custom_vjp" for node in graph):
        return graph
    b = Builder(graph.name, reserved=graph.nodes)
    names: dict[str, str] = {}
    for node in graph:
        kept = node.reading(tuple([names.get(name, name) for name in node.operands]))
        if node.op != "custom_vjp":
            b.append(kept)
            continue
        b.section, b.source = node.section, node.source
        made = b.embed(node.regions[0], [b[name] for name in kept.operands])
        for name, value in zip(node.names, made, strict=True):
            names[name] = value.name
    outputs = [Output(names.get(o.value, o.value), o.label) for o in graph.outputs]
    return graph.with_nodes(list(b.nodes), outputs)


def _first(b: Builder, n: Node, x: Node, *_: Node) -> Node:
    return x
