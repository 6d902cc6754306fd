"""Sums of products that a loop adds up, as one product behind it."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

from ...ir.builder import Builder
from ...ir.graph import Graph, Node
from ...ir.iterations import is_static
from ...ir.literals import NO_ATTRS
from .bodies import lifted, parts_of, with_rows, without_carried

__all__ = ["total"]


class _Sum(NamedTuple):
    """A carried value to which each iteration adds products of two values."""

    number: int
    products: list[tuple[str, str]]


def total(graph: Graph) -> Graph:
    """Let a loop stack the factors of the products that it adds up, not add them.

    before:
        graph f(%w: f64[3,4], %xs: f64[9,3,2], %gs: f64[9,2,4]) {
          %s = loop(%w, %xs, %gs) {trips=9, carried=1, stacked=2} : f64[3,4]:
            body(%t: i64[], %w: f64[3,4], %x: f64[3,2], %g: f64[2,4]) {
              %e = exp(%g)        : f64[2,4]
              %p = matmul(%x, %e) : f64[3,4]
              %q = add(%w, %p)    : f64[3,4]
              return %q
            }
          return %s
        }
    after:
        graph f(%w: f64[3,4], %xs: f64[9,3,2], %gs: f64[9,2,4]) {
          %e.rows = loop(%xs, %gs) {trips=9, stacked=2} : f64[9,2,4]:
            body(%t: i64[], %x: f64[3,2], %g: f64[2,4]) {
              %e = exp(%g)        : f64[2,4]
              return %e
            }
          %transpose.0 = transpose(%xs) {perm=(1, 0, 2)}     : f64[3,9,2]
          %reshape.0   = reshape(%transpose.0) {shape=(3, 18)} : f64[3,18]
          %reshape.1   = reshape(%e.rows) {shape=(18, 4)}    : f64[18,4]
          %matmul.0    = matmul(%reshape.0, %reshape.1)      : f64[3,4]
          %s           = add_n(%w, %matmul.0)                : f64[3,4]
          return %s
        }

    The gradient of a weight that a loop reads is such a sum. As one product it is
    written once. A loop that may end early is left alone, and so is one over segments,
    which is to keep no rows of what is inside. Keeps results up to rounding.
    """
    if all(node.op != "loop" for node in graph):
        return graph
    b = Builder(graph.name, reserved=graph.nodes)
    changed = False
    for node in graph:
        sums = _sums(node) if node.op == "loop" and _is_whole(node) else []
        b.section, b.source = node.section, node.source
        if not sums:
            b.append(node)
            continue
        _behind(b, node, sums)
        changed = True
    return graph.with_nodes(list(b.nodes)) if changed else graph


def _is_whole(loop: Node) -> bool:
    """Whether a loop runs all of its iterations, and may keep rows of them."""
    return is_static(loop) and not loop.attrs.get("segments")


def _sums(loop: Node) -> list[_Sum]:
    """The carried values that are sums of products and nothing else."""
    (body,) = loop.regions
    parts = parts_of(loop)
    count, first = len(parts.carried), 1 + len(parts.invariants)
    reads = Counter([*body.results, *(x for node in body for x in node.operands)])
    own = {node.name for node in body.inputs[:first]}
    found: list[_Sum] = []
    for number in range(count):
        start = body.inputs[first + number].name
        terms = _terms(body, body.results[number], reads)
        if reads[start] != 1 or terms.count(start) != 1 or len(terms) < 2:
            continue
        terms.remove(start)
        nodes = [body[name] for name in terms]
        if any(node.op != "matmul" or node.type.rank != 2 for node in nodes):
            continue
        products = [(node.operands[0], node.operands[1]) for node in nodes]
        bases = {_base(body, name).name for pair in products for name in pair}
        if own.isdisjoint(bases) and all(reads[node.name] == 1 for node in nodes):
            found.append(_Sum(number, products))
    return found


def _terms(body: Graph, name: str, reads: Counter[str]) -> list[str]:
    """What is added up to a value that is read once."""
    node = body[name]
    if node.op not in ("add", "add_n") or reads[name] != 1:
        return [name]
    return [x for operand in node.operands for x in _terms(body, operand, reads)]


def _base(body: Graph, name: str) -> Node:
    """What a value is a transpose or a reshape of."""
    node = body[name]
    while node.op in ("transpose", "reshape"):
        node = body[node.operands[0]]
    return node


def _behind(b: Builder, loop: Node, sums: list[_Sum]) -> None:
    """Add the loop without the sums, and what they are behind it."""
    (body,) = loop.regions
    trips: Any = loop.attrs["trips"]
    parts = parts_of(loop)
    last = len(body.inputs) - len(parts.stacked)
    whole = {
        node.name: name
        for node, name in zip(body.inputs[last:], parts.stacked, strict=True)
    }
    count = len(parts.carried)
    for name, inner in zip(loop.names[count:], body.results[count:], strict=True):
        whole.setdefault(inner, name)
    rows: list[tuple[str, str]] = []
    for pair in [pair for one in sums for pair in one.products]:
        for base in [_base(body, name).name for name in pair]:
            if base not in whole:
                whole[base] = b.unique(f"{base}.rows")
                rows.append((whole[base], base))
    made = without_carried(with_rows(loop, rows), {one.number for one in sums})
    if made is not None:
        b.append(made)

    def stacked(name: str) -> Node:
        node = body[name]
        if name in whole:
            return b[whole[name]]
        return lifted(b, node, stacked(node.operands[0]), trips)

    for one in sums:
        value = loop.values[one.number]
        value = value._replace(attrs=NO_ATTRS, several=(), regions=())
        factors: list[tuple[Node, Node]] = []
        for x, y in one.products:
            xs, ys = stacked(x), stacked(y)
            _, m, k = xs.type.shape
            left = b.reshape(b.transpose(xs, (1, 0, 2)), (m, trips * k))
            factors.append((left, b.reshape(ys, (trips * k, ys.type.shape[2]))))
        start = b[parts.carried[one.number]]
        if len(factors) == 1 and b.literal(start) == 0:
            (pair,) = factors
            names = tuple([factor.name for factor in pair])
            b.append(value._replace(op="matmul", operands=names))
        else:
            terms = [start, *(b.matmul(*pair) for pair in factors)]
            names = tuple([term.name for term in terms])
            b.append(value._replace(op="add_n", operands=names))
