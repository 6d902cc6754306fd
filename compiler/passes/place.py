"""Sum nodes over values that are padded to many times their size: added where they lie.

The gradient of an array that is read and written in parts is a sum node over one whole
cotangent and small values that are padded with zeros to its size. Adding them where
they lie costs what they have, not what the array has.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ...ir.builder import Builder
from ...ir.extent import Extent
from ...ir.graph import Graph, Node
from .at import add_up, added
from .forward import forwarding, is_taken
from .rewrite import instead, rewrite
from .stores import Stores

__all__ = ["place"]

SMALL = 4


def place(graph: Graph) -> Graph:
    """Update the sum of the other terms where small padded terms are not zero.

    before:
        graph f(%x: f64[8], %y: f64[2]) {
          %p = pad(%y) {low=(4,), high=(2,), interior=(0,), value=0.0} : f64[8]
          %s = add_n(%x, %p)                                           : f64[8]
          return %s
        }
    after:
        graph f(%x: f64[8], %y: f64[2]) {
          %p = pad(%y) {low=(4,), high=(2,), interior=(0,), value=0.0} : f64[8]
          %slice.0 = slice(%x) {start=(4,), shape=(2,), step=(1,)}     : f64[2]
          %add_n.0 = add_n(%slice.0, %y)                               : f64[2]
          %s = update(%x, %add_n.0) {start=(4,), step=(1,)}            : f64[8]
          return %s
        }

    It is done where it moves fewer elements than `join` would, which makes one value of
    padded values side by side. Slices of what is updated read what was stored, as after
    `forward`. Keeps results, but for the order of additions and the sign of a zero.
    """
    stores = Stores()

    def rule(b: Builder, node: Node, *operands: Node) -> Node | None:
        parts = [added(b, term) for term in operands]
        rest = [x for x, part in zip(operands, parts, strict=True) if part is None]
        if len(rest) == len(operands):
            return together(b, node, *operands)
        if rest:
            inner = node._replace(name=b.unique(f"{node.name}.rest"), reads=())
            total = rest[0]
            if len(rest) > 1:
                total = together(b, inner, *rest) or b.append(
                    instead(inner, "add_n", *rest)
                )
        else:
            total = b.like(node, 0.0 if node.type.is_float else 0)
        return add_up(b, node, total, [one for part in parts for one in part or ()])

    def pair(b: Builder, node: Node, *operands: Node) -> Node | None:
        """A sum that a loop carries, and what an iteration adds to it"""
        if any(added(b, x) is not None or _is_small(b, x) for x in operands):
            return rule(b, node, *operands)
        return None

    def add_at(b: Builder, node: Node, x: Node, v: Node, *at: Node) -> Node | None:
        """``add_at(x, 0, i) => x``"""
        return x if b.literal(v) == 0 else None

    def together(b: Builder, node: Node, *operands: Node) -> Node | None:
        terms = _put_together(b, operands)
        small = [term for term in terms if _is_small(b, term)]
        rest = [term for term in terms if not _is_small(b, term)]
        if _pays(b, node, small, rest):
            return _placed(b, stores, node, small, rest)
        if len(terms) == len(operands):
            return None
        if len(terms) == 1:
            return terms[0]
        return b.append(instead(node, "add_n", *terms))

    rules = {"add_n": rule, "add": pair, "add_at": add_at}
    return rewrite(graph, {**forwarding(stores), **rules})


def _put_together(b: Builder, terms: Sequence[Node]) -> list[Node]:
    """``put(g, 0, i) + scatter_add(w, i) => put(g, w, i)``: all positions differ"""
    cleared = {
        (term.operands[2], term.attrs["axis"]): number
        for number, term in enumerate(terms)
        if term.op == "put" and b.literal(b[term.operands[1]]) == 0
    }
    made: list[Node | None] = [*terms]
    for number, term in enumerate(terms):
        if term.op != "scatter_add":
            continue
        axis: Any = term.attrs["axis"]
        where = cleared.pop((term.operands[1], axis), None)
        if where is None:
            continue
        g, w, i = (b[name] for name in (terms[where].operands[0], *term.operands))
        made[where] = g if is_taken(w, g, i, axis) else b.put(g, w, i, axis=axis)
        made[number] = None
    return [term for term in made if term is not None]


def _is_small(b: Builder, node: Node) -> bool:
    """Whether most of a node is zeros around and between the elements of another."""
    if node.op != "pad" or node.attrs["value"] != 0:
        return False
    return SMALL * b[node.operands[0]].type.size <= node.type.size


def _pays(b: Builder, node: Node, small: Sequence[Node], rest: Sequence[Node]) -> bool:
    """Whether adding in place moves less than concatenations and sums of the whole do.

    An element that is added in place counts four times: it is read, added, written, and
    it is in a step of its own.
    """
    whole = node.type.size
    if not small or whole == 0:
        return False
    stored = sum(b[term.operands[0]].type.size for term in small)
    alone = sum(1 for term in small if not _is_row(term))
    joined = max(1, math.ceil(stored / whole)) if alone < len(small) else 0
    otherwise = whole * (joined + 2 * alone + (1 if rest else 0))
    return 4 * stored + (0 if rest else whole) < otherwise


def _is_row(node: Node) -> bool:
    """Whether a pad is along one axis and around, so that `join` can take it."""
    interior: Any = node.attrs["interior"]
    low: Any = node.attrs["low"]
    high: Any = node.attrs["high"]
    return sum(map(any, zip(low, high, strict=True))) == 1 and not any(interior)


def _placed(
    b: Builder,
    stores: Stores,
    node: Node,
    small: Sequence[Node],
    rest: Sequence[Node],
) -> Node:
    """The sum of the rest, updated at each place by what is added there."""
    at: dict[Extent, list[Node]] = {}
    for term in small:
        inner = b[term.operands[0]]
        low: Any = term.attrs["low"]
        interior: Any = term.attrs["interior"]
        extent = Extent(low, inner.type.shape, tuple(gap + 1 for gap in interior))
        at.setdefault(extent, []).append(inner)
    total = b.add_n(*rest) if len(rest) > 1 else rest[0] if rest else b.like(node, 0.0)
    last = len(at) - 1
    for number, (extent, terms) in enumerate(at.items()):
        before = stores.read(b, total, extent)
        if b.literal(before) != 0:
            terms = [before, *terms]
        value = b.add_n(*terms) if len(terms) > 1 else terms[0]
        base, needed = stores.write(b, total, value, extent)
        total = base
        if needed:
            where = {"start": extent.start, "step": extent.step}
            if number == last:
                made = b.append(instead(node, "update", base, value, **where))
            else:
                made = b.update(base, value, **where)
            total = stores.note(b, made)
    return total
