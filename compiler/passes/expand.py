"""Values without what only their derivatives are for."""

from __future__ import annotations

from ...ir.builder import Builder
from ...ir.graph import Graph, Node
from ...ir.inlining import inlined
from .rewrite import rewrite

__all__ = ["expand"]

_LIKE_FIRST = "stop_gradient straight_through with_slope share log_share".split()


def expand(graph: Graph) -> Graph:
    """Put what functions with a rule compute in their place; x for `stop_gradient`.

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
    no one asks for it afterwards, so this is no pass for graphs that a trace may take
    in. That goes for `custom_vjp`, `custom_jvp`, `checkpoint` and `linear_solve`. What
    a checkpoint computes again on the way back is in a `recompute`, which stays.
    """
    graph = rewrite(graph, dict.fromkeys(_LIKE_FIRST, _first))
    return inlined(graph, ("custom_vjp", "custom_jvp", "checkpoint", "linear_solve"))


def _first(b: Builder, n: Node, x: Node, *_: Node) -> Node:
    return x
