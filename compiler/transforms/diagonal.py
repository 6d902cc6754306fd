"""Products with a diagonal matrix, whose rows are the seeds of a Jacobian."""

from __future__ import annotations

from ...ir.builder import Builder
from ...ir.graph import Graph, Node
from ..passes.rewrite import rewrite

__all__ = ["with_identity"]


def with_identity(graph: Graph, seed: str) -> Graph:
    """The graph without those products that an identity for ``seed`` spares.

    before:
        graph f(%seed: f64[3,3], %s: f64[3], %w: f64[3,5]) {
          %rows = broadcast_to(%s) {shape=(3, 3)} : f64[3,3]
          %d    = mul(%seed, %rows)               : f64[3,3]
          %y    = matmul(%d, %w)                  : f64[3,5]
          return %y
        }
    after:
        graph f(%seed: f64[3,3], %s: f64[3], %w: f64[3,5]) {
          %reshape.0      = reshape(%s) {shape=(3, 1)}              : f64[3,1]
          %broadcast_to.1 = broadcast_to(%reshape.0) {shape=(3, 5)} : f64[3,5]
          %mul.1          = mul(%broadcast_to.1, %w)                : f64[3,5]
          return %mul.1
        }

    This is after `simplify` and `prune`. The input ``seed`` is an identity once its
    axes behind the first are one. What is made of it elementwise with equal rows is
    diagonal, and so are its reshapes that keep the first axis.
    """
    return rewrite(graph, _Diagonals(graph[seed]).rules)


class _Diagonals:
    """The values that are diagonal matrices, with their diagonals; None is of ones."""

    def __init__(self, seed: Node) -> None:
        self.known: dict[str, Node | None] = {seed.name: None}
        self.rules = {
            "reshape": self._moved,
            "transpose": self._moved,
            **dict.fromkeys(("mul", "div", "chain"), self._scaled),
            "matmul": self._product,
        }
        self.size = seed.type.shape[0]

    def _moved(self, b: Builder, n: Node, x: Node) -> None:
        """The same numbers in the same rows."""
        rest = [size for size in n.type.shape[1:] if size != 1]
        if x.name in self.known and [n.type.shape[0], *rest] == [self.size] * 2:
            self.known[n.name] = self.known[x.name]

    def _scaled(self, b: Builder, n: Node, x: Node, y: Node) -> None:
        """A diagonal matrix, multiplied or divided by equal rows."""
        if y.name in self.known and n.op == "mul":
            x, y = y, x
        if x.name not in self.known or y.op != "broadcast_to":
            return
        row = b[y.operands[0]]
        if row.type.rank == y.type.rank:
            return
        row = b.broadcast(row, y.type.with_shape(y.type.shape[1:]))
        row = b.reshape(row, (self.size,))
        diagonal = self.known[x.name] or b.like(row, 1.0)
        self.known[n.name] = b.add_node(n.op, diagonal, row)

    def _product(self, b: Builder, n: Node, x: Node, y: Node) -> Node | None:
        """``diag(d) @ y => d[:, None] * y``"""
        if x.name not in self.known or (x.type.rank, y.type.rank) != (2, 2):
            return None
        diagonal = self.known[x.name]
        if diagonal is None:
            return y
        column = b.reshape(diagonal, (self.size, 1))
        return b.mul(b.broadcast(column, y.type), y)
