"""What every iteration of a loop would compute, computed in front of it."""

from __future__ import annotations

from typing import Any

from ...ir.builder import Builder
from ...ir.graph import Graph, Node
from ...ir.iterations import is_static
from .bodies import is_costly, lifted, parts_of, with_taken
from .rewrite import rewrite

__all__ = ["hoist"]


def hoist(graph: Graph) -> Graph:
    """Compute products of rows with invariants as one, and what depends on no row once.

    before:
        graph f(%xs: f64[9,2,3], %w: f64[3,4], %h: f64[2,4]) {
          %y = loop(%w, %h, %xs) {trips=9, carried=1, stacked=1} : f64[2,4]:
            body(%t: i64[], %w: f64[3,4], %h: f64[2,4], %x: f64[2,3]) {
              %p = matmul(%x, %w) : f64[2,4]
              %q = add(%p, %h)    : f64[2,4]
              return %q
            }
          return %y
        }
    after:
        graph f(%xs: f64[9,2,3], %w: f64[3,4], %h: f64[2,4]) {
          %reshape.0 = reshape(%xs) {shape=(18, 3)}          : f64[18,3]
          %matmul.0  = matmul(%reshape.0, %w)                : f64[18,4]
          %reshape.1 = reshape(%matmul.0) {shape=(9, 2, 4)}  : f64[9,2,4]
          %y = loop(%w, %h, %xs, %reshape.1) {trips=9, carried=1, stacked=2} : f64[2,4]:
            body(%t: i64[], %w: f64[3,4], %h: f64[2,4], %x: f64[2,3], \
%p.taken: f64[2,4]) {
              %p = matmul(%x, %w)    : f64[2,4]
              %q = add(%p.taken, %h) : f64[2,4]
              return %q
            }
          return %y
        }

    A loop that may end early is left alone. Keeps results up to rounding; `prune` drops
    what is left over.
    """

    def rule(b: Builder, node: Node, *operands: Node) -> Node | None:
        if not is_static(node):
            return None
        found = _Outside(b, node, operands)
        for inner in node.regions[0]:
            found.visit(inner)
        if not found.rows and not found.invariants:
            return None
        return b.append(with_taken(node, found.rows, found.invariants))

    return rewrite(graph, {"loop": rule})


class _Outside:
    """The values of a body that can be had in front of its loop."""

    def __init__(self, b: Builder, loop: Node, operands: tuple[Node, ...]) -> None:
        self.b = b
        self.body = loop.regions[0]
        self.trips: Any = loop.attrs["trips"]
        self._segments = loop.attrs.get("segments")  # which are to keep no rows
        self.rows: list[tuple[str, str]] = []
        self.invariants: list[tuple[str, str]] = []
        parts = parts_of(loop)
        first, last = 1 + len(parts.invariants), 1 + parts.total - len(parts.stacked)
        inputs = self.body.inputs
        self._whole = {x.name: operands[i] for i, x in enumerate(inputs[1:first])}
        self._stacked = {
            x.name: operands[i] for i, x in enumerate(inputs[last:], last - 1)
        }
        self._fixed = set(self._whole)  # or made of these and constants
        for node in self.body:
            made = node.op != "input" and self._fixed.issuperset(node.operands)
            if made or node.op == "const":
                self._fixed.update(node.names)

    def visit(self, node: Node) -> None:
        """Take note of a value to be had in front of the loop."""
        fixed = node.name in self._fixed
        if fixed and is_costly(node) and not node.several and self._is_read(node):
            self.invariants.append((self._outer(node).name, node.name))
        elif self._segments or fixed:
            return
        elif node.op == "matmul" and node.type.rank == 2:
            self._product(node)

    def _is_read(self, node: Node) -> bool:
        """Whether something that differs between iterations reads a value."""
        readers = {read.consumer for read in self.body.reads[node.name]}
        return not readers <= self._fixed or node.name in self.body.results

    def _outer(self, node: Node) -> Node:
        """The same value in front of the loop."""
        if node.name not in self._whole:
            operands = [self._outer(self.body[name]) for name in node.operands]
            made = self.b.copy(node, operands, {})
            self._whole.update(zip(node.names, made.values, strict=True))
        return self._whole[node.name]

    def _all_rows(self, node: Node) -> Node | None:
        """All rows of what is one of a stacked value, perhaps moved."""
        if node.name in self._stacked:
            return self._stacked[node.name]
        if node.op not in ("transpose", "reshape"):
            return None
        whole = self._all_rows(self.body[node.operands[0]])
        return None if whole is None else lifted(self.b, node, whole, self.trips)

    def _product(self, node: Node) -> None:
        """One product for all rows: ``x w``, or ``w x``, whose transpose is one."""
        left, right = self.body.operands(node)
        swap = left.name in self._fixed
        row, fixed = (right, left) if swap else (left, right)
        if fixed.name not in self._fixed:
            return
        xs, b = self._all_rows(row), self.b
        if xs is None:
            return
        w = self._outer(fixed)
        if swap:
            xs, w = b.transpose(xs, (0, 2, 1)), b.transpose(w, (1, 0))
        _, count, inner = xs.type.shape
        made = b.matmul(b.reshape(xs, (self.trips * count, inner)), w)
        made = b.reshape(made, (self.trips, count, w.type.shape[1]))
        if swap:
            made = b.transpose(made, (0, 2, 1))
        self.rows.append((made.name, node.name))
