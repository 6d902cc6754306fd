"""Functions that only a gradient asks about, as the nodes that they compute."""

from __future__ import annotations

from ...ir.graph import Graph
from ...ir.inlining import inlined

__all__ = ["expand"]


def expand(graph: Graph) -> Graph:
    """Put what functions with a rule compute in their place.

    before:
        graph f(%x: f64[4]) {
          %y = custom_vjp(%x) {arguments=1} : f64[4]:
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
    no one asks for it afterwards. That goes for `custom_vjp`, `custom_jvp`,
    `checkpoint` and `linear_solve`. What a checkpoint computes again on the way back is
    in a `recompute`, which stays.
    """
    return inlined(graph, ("custom_vjp", "custom_jvp", "checkpoint", "linear_solve"))
