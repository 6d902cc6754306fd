"""Sums of products: each product is added to the one before it.

What `contract` leaves of a sum are products of many rows. By itself each has memory of
its own, and one more kernel adds them up. Added to where the one before it lies, a
product needs neither. Measured: an Elman network of 32 steps of 128 rows takes 4 % less
time and half of the scratch memory; sums of two products take the same time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from itertools import pairwise
from typing import NamedTuple

from ...ir.builder import Builder
from ...ir.graph import Graph, Node
from ...ir.ops.linalg import transposed
from ...ir.types import TensorType
from .rewrite import instead, rewrite

__all__ = ["accumulate"]

SUMS = ("add", "add_n")


class Term(NamedTuple):
    """A product in a sum.

    ``shown`` is the operand of the sum: the product, or a reshape of it. ``swap`` is
    the node between them that transposes the product, if there is one, and ``type``
    that of the product as it is added.
    """

    product: str
    swap: str | None
    type: TensorType
    shown: str


def accumulate(graph: Graph) -> Graph:
    """Add up the products of a sum one by one, in program order.

    before:
        graph f(%x: f64[2,3], %y: f64[3,4], %z: f64[2,5], %w: f64[5,4], %c: f64[2,4]) {
          %p = matmul(%x, %y)     : f64[2,4]
          %q = matmul(%z, %w)     : f64[2,4]
          %s = add_n(%p, %c, %q)  : f64[2,4]
          return %s
        }
    after:
        graph f(%x: f64[2,3], %y: f64[3,4], %z: f64[2,5], %w: f64[5,4], %c: f64[2,4]) {
          %matmul.0     = matmul(%x, %y)                 : f64[2,4]
          %matmul_add.0 = matmul_add(%z, %w, %matmul.0)  : f64[2,4]
          %s            = add_n(%c, %matmul_add.0)       : f64[2,4]
          return %s
        }

    A sum is whatever `add` and `add_n` add up in the end; what is read elsewhere too
    stays as it is. Keeps results up to rounding.
    """
    chains = _chains(graph)
    if not chains:
        return graph
    before: dict[str, str | None] = {}
    swaps: dict[str, str] = {}
    dropped: set[str] = set()
    for chain in chains:
        before[chain[0].product] = None
        for term, following in pairwise(chain):
            before[following.product] = term.product
            dropped.add(term.shown)
        swaps.update({term.product: term.swap for term in chain if term.swap})
    left = _left(graph, dropped)
    unswapped = set(swaps.values())
    made: dict[str | None, Node] = {}

    def rule(b: Builder, node: Node, *operands: Node) -> Node | None:
        if node.name in before:
            x, y = operands
            if node.name in swaps:
                x, y = transposed(b, y), transposed(b, x)
            total = made.get(before[node.name])
            made[node.name] = b.matmul_add(x, y, total) if total else b.matmul(x, y)
            return made[node.name]
        if node.name in unswapped:
            return operands[0]
        if node.name in left:
            kept = [operands[slot] for slot in left[node.name]]
            return b.append(instead(node, node.op, *kept)) if kept[1:] else kept[0]
        return None

    return rewrite(graph, dict.fromkeys(("matmul", "transpose", *SUMS), rule))


def _chains(graph: Graph) -> Sequence[Sequence[Term]]:
    """The products that can be added to one another, in program order."""
    sums = [node for node in graph if node.op in SUMS and node.type.is_float]
    root = {node.name: node.name for node in sums}
    found: dict[str, tuple[str, Term]] = {}
    for node in reversed(sums):
        for name in graph.read_once.intersection(node.operands):
            term = _term(graph, graph[name])
            if name in root:
                root[name] = root[node.name]
            elif term is not None:
                found[term.product] = root[node.name], term
    chains: dict[tuple[str, TensorType], list[Term]] = {}
    for name in graph.nodes:
        if name in found:
            whole, term = found[name]
            chains.setdefault((whole, term.type), []).append(term)
    return [chain for chain in chains.values() if len(chain) > 1]


def _term(graph: Graph, node: Node) -> Term | None:
    """The product that an operand of a sum shows, if nothing else reads it.

    An inner product is left alone, for it is a loop nest like any other sum.
    """
    shown, swap = node, None
    if node.op == "reshape":
        node = graph[node.operands[0]]
    type_ = node.type
    if node.op == "transpose" and node.attrs["perm"] == _swapping(node.type.rank):
        swap = node.name
        node = graph[node.operands[0]]
    if node.op != "matmul" or type_.shape[-2:] == (1, 1):
        return None
    single = {node.name, swap or node.name} <= graph.read_once
    return Term(node.name, swap, type_, shown.name) if single else None


def _swapping(rank: int) -> tuple[int, ...]:
    """The permutation that transposes the matrices of a stack."""
    return (*range(rank - 2), rank - 1, rank - 2)


def _left(graph: Graph, dropped: Set[str]) -> Mapping[str, Sequence[int]]:
    """The slots that are left of each sum that loses some, but not all."""
    gone = set(dropped)
    left: dict[str, Sequence[int]] = {}
    for node in graph:
        if node.op in SUMS and not gone.isdisjoint(node.operands):
            slots = [i for i, name in enumerate(node.operands) if name not in gone]
            if slots:
                left[node.name] = slots
            else:
                gone.add(node.name)
    return left
