"""Sum nodes over products: one product over the operands side by side.

The gradient of a weight that is shared over time is a sum of many thin products. As one
product it is written once, and a backend that makes values in their place in a
concatenation copies nothing for it.

Only products over fewer than `LIMIT` rows are taken together. Measured on one core with
f32: 1,000 products of width 32 over one row each take 200 us, and 67 us as one; 64 of
width 128 over 32 rows take 1,050 us and 940; at 128 rows the two are level, and the
operands would only live longer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ...ir.builder import Builder
from ...ir.graph import Graph, Node
from ...ir.types import Shape
from .rewrite import instead, rewrite
from .split import MAX_TERMS

__all__ = ["LIMIT", "contract", "rows_of", "starts_of"]

LIMIT = 128


class Term(NamedTuple):
    """An operand of a sum node, and the values whose rows it is computed from.

    A product ``a' b`` has ``size`` rows of a and of b, a sum over rows those of one
    value.
    """

    name: str
    values: tuple[str, ...]
    size: int


class Sum(NamedTuple):
    """A sum node taken apart: products, sums over rows, and the other operands."""

    products: Sequence[Term]
    rows: Sequence[Term]
    others: Sequence[str]


def contract(graph: Graph) -> Graph:
    """Give a sum node of products one product over the concatenated operands.

    before:
        graph f(%x: f64[2,3], %c: f64[1,4], %d: f64[1,4]) {
          %a = slice(%x) {start=(0, 0), shape=(1, 3), step=(1, 1)} : f64[1,3]
          %b = slice(%x) {start=(1, 0), shape=(1, 3), step=(1, 1)} : f64[1,3]
          %s = transpose(%a) {perm=(1, 0)} : f64[3,1]
          %t = transpose(%b) {perm=(1, 0)} : f64[3,1]
          %p = matmul(%s, %c) : f64[3,4]
          %q = matmul(%t, %d) : f64[3,4]
          %w = add_n(%q, %p)  : f64[3,4]
          return %w
        }
    after:
        graph f(%x: f64[2,3], %c: f64[1,4], %d: f64[1,4]) {
          %a = slice(%x) {start=(0, 0), shape=(1, 3), step=(1, 1)} : f64[1,3]
          %b = slice(%x) {start=(1, 0), shape=(1, 3), step=(1, 1)} : f64[1,3]
          %s = transpose(%a) {perm=(1, 0)} : f64[3,1]
          %t = transpose(%b) {perm=(1, 0)} : f64[3,1]
          %p = matmul(%s, %c) : f64[3,4]
          %q = matmul(%t, %d) : f64[3,4]
          %concatenate.0 = concatenate(%a, %b) {axis=0} : f64[2,3]
          %concatenate.1 = concatenate(%c, %d) {axis=0} : f64[2,4]
          %transpose.0 = transpose(%concatenate.0) {perm=(1, 0)} : f64[3,2]
          %w = matmul(%transpose.0, %concatenate.1) : f64[3,4]
          return %w
        }

    So is a sum node of sums over rows where these are rows of such a product, and one
    of many such rows themselves. The order is that of the slices of one value,
    which are a view of it together, else that of an earlier concatenation, else that of
    the sum node. Keeps results up to rounding.
    """
    sums = _sums(graph)

    def rule(b: Builder, node: Node, *operands: Node) -> Node | None:
        found = sums.get(node.name)
        return None if found is None else _together(b, node, found)

    return rewrite(graph, {"add_n": rule}) if sums else graph


def rows_of(graph: Graph, node: Node, *, transposed: bool = False) -> str | None:
    """The value that has the rows of a matrix, or of its transpose, one by one.

    None where the rows lie across the memory of the value that they come from.
    """
    if node.op == "transpose" and node.attrs["perm"] == (1, 0):
        node, transposed = graph[node.operands[0]], not transposed
    if transposed and 1 not in node.type.shape:
        return None
    return _unshaped(graph, node)


def _unshaped(graph: Graph, node: Node) -> str:
    while node.op == "reshape":
        node = graph[node.operands[0]]
    return node.name


def _product(graph: Graph, node: Node) -> Term | None:
    """A product of few rows, if the node is one."""
    if node.op != "matmul" or node.type.rank != 2:
        return None
    left, right = graph.operands(node)
    a, b = rows_of(graph, left, transposed=True), rows_of(graph, right)
    count = right.type.shape[0]
    return Term(node.name, (a, b), count) if a and b and count < LIMIT else None


def _row(graph: Graph, node: Node) -> Term:
    """A sum over the first axis; any other value is the sum over one row."""
    if node.op != "reduce_sum" or node.attrs["axes"] != (0,):
        return Term(node.name, (_unshaped(graph, node),), 1)
    (summed,) = graph.operands(node)
    return Term(node.name, (_unshaped(graph, summed),), summed.type.shape[0])


def _sums(graph: Graph) -> dict[str, Sum]:
    """The sum nodes of which operands are taken together."""
    nodes = [node for node in graph if node.op == "add_n" and node.type.is_float]
    places: dict[str, int] = {}
    products = {node.name: _products(graph, node) for node in nodes}
    for name in sorted(products, key=lambda name: not _sliced(graph, products[name])):
        products[name] = _ordered(graph, products[name], places)
    found: dict[str, Sum] = {}
    for node in nodes:
        taken = {term.name for term in products[node.name]}
        rest = [graph[name] for name in node.operands if name not in taken]
        rows = _rows(graph, rest, places)
        taken.update(term.name for term in rows)
        if taken:
            others = [name for name in node.operands if name not in taken]
            found[node.name] = Sum(products[node.name], rows, others)
    return found


def _products(graph: Graph, node: Node) -> list[Term]:
    """The products that only this sum node reads; none where there is but one."""
    single = [name for name in node.operands if name in graph.read_once]
    found = (_product(graph, graph[name]) for name in single)
    terms = [term for term in found if term is not None]
    return terms if len(terms) > 1 else []


def _rows(graph: Graph, rest: Sequence[Node], places: dict[str, int]) -> list[Term]:
    """The sums over rows that have places; with all such values where they are many."""
    terms = [_row(graph, node) for node in rest]
    placed = [term for term in terms if term.values[0] in places]
    if len(placed) <= MAX_TERMS:
        placed = [term for term in placed if graph[term.name].op == "reduce_sum"]
    return _ordered(graph, placed, places) if len(placed) > 1 else []


def _sliced(graph: Graph, terms: Sequence[Term]) -> bool:
    """Whether one side of the terms is slices of one value."""
    return any(starts_of(graph, side) for side in _sides(terms))


def _sides(terms: Sequence[Term]) -> list[tuple[str, ...]]:
    return list(zip(*(term.values for term in terms), strict=True))


def starts_of(graph: Graph, names: Sequence[str]) -> list[Any] | None:
    """Where each value starts in the one that all are slices of, if they are."""
    nodes = [graph[name] for name in names]
    alike = all(n.op == "slice" and n.operands == nodes[0].operands for n in nodes)
    return [node.attrs["start"] for node in nodes] if alike else None


def _ordered(graph: Graph, terms: Sequence[Term], places: dict[str, int]) -> list[Term]:
    """The terms in the order of concatenation, which gives new values their places."""
    sides = _sides(terms)
    keys = [starts_of(graph, side) for side in sides]
    keys += [[places[v] for v in side] for side in sides if places.keys() >= {*side}]
    key: Any = next(filter(None, keys), range(len(terms)))
    ordered = [
        terms[number] for number in sorted(range(len(terms)), key=key.__getitem__)
    ]
    for side in _sides(ordered):
        for value in side:
            places.setdefault(value, len(places))
    return ordered


def _together(b: Builder, node: Node, taken: Sum) -> Node:
    """The sum of the product, the sum over rows, and the other operands."""
    made: list[tuple[str, tuple[Node, ...], dict[str, Any]]] = []
    if taken.products:
        left, right = (
            _concatenated(b, taken.products, side, (size,))
            for side, size in enumerate(node.type.shape)
        )
        made.append(("matmul", (b.transpose(left, (1, 0)), right), {}))
    if taken.rows:
        whole = _concatenated(b, taken.rows, 0, node.type.shape)
        made.append(("reduce_sum", (whole,), {"axes": (0,)}))
    if len(made) == 1 and not taken.others:
        ((op, operands, attrs),) = made
        return b.append(instead(node, op, *operands, **attrs))
    terms = [b.add_node(op, *operands, **attrs) for op, operands, attrs in made]
    return b.append(instead(node, "add_n", *(b[name] for name in taken.others), *terms))


def _concatenated(b: Builder, terms: Sequence[Term], side: int, shape: Shape) -> Node:
    """The rows of one side of the terms, each row of a shape."""
    parts = [b.reshape(b[term.values[side]], (term.size, *shape)) for term in terms]
    return b.concatenate(*parts, axis=0)
