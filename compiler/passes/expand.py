"""Values without what only their derivatives are for."""

from __future__ import annotations

from typing import Any

from ...ir.builder import Builder
from ...ir.graph import Graph, Node
from ...ir.inlining import inlined
from .equal_pieces import in_equal_pieces
from .rewrite import rewrite

__all__ = ["expand"]

_LIKE_FIRST = "stop_gradient straight_through with_slope share log_share".split()
_RULED = ("custom_vjp", "custom_jvp", "checkpoint", "linear_solve")


def expand(graph: Graph) -> Graph:
    """Put what functions with a rule compute in their place, and x for some f(x).

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
    That goes for `custom_vjp`, `custom_jvp`, `checkpoint` and `linear_solve`, and for
    ops that hand on their first operand. Values at places of a row in order, `ranked`,
    are a sort and slices. What a checkpoint computes again on the way back is in a
    `recompute`, which stays. A loop of whose turns the way back holds some is cut into
    the pieces that this begins with.
    """
    return rewrite(inlined(in_equal_pieces(graph), _RULED), _RULES)


def _first(b: Builder, n: Node, x: Node, *_: Node) -> Node:
    return x


def _ranked(b: Builder, n: Node, x: Node) -> Node:
    """One sort serves all places, and other readers of it."""
    places: Any = n.attrs["places"]
    *outer, _ = x.type.shape
    ordered, axis, step = b.sort(x), len(outer), (1,) * x.type.rank
    parts = [
        b.slice(ordered, start=(*[0] * axis, k), shape=(*outer, 1), step=step)
        for k in places
    ]
    return parts[0] if len(parts) == 1 else b.concatenate(*parts, axis=axis)


_RULES = {**dict.fromkeys(_LIKE_FIRST, _first), "ranked": _ranked}
