"""What is read back of what was stored, and stores that leave nothing behind."""

from __future__ import annotations

from functools import reduce
from typing import Any

from ...ir.builder import Builder
from ...ir.extent import extent_of
from ...ir.graph import Graph, Node
from .at import Place, place_of, skipped
from .rewrite import Rule, instead, rewrite
from .stores import Stores, same_literal

__all__ = ["forward", "forwarding", "is_taken"]


def forward(graph: Graph) -> Graph:
    """Let a slice read the value that was stored there, or the array before a store.

    before:
        graph f(%x: f64[3], %v: f64[1], %w: f64[1]) {
          %a = update(%x, %v) {start=(0,), step=(1,)}              : f64[3]
          %b = update(%a, %w) {start=(1,), step=(1,)}              : f64[3]
          %r = slice(%b) {start=(0,), shape=(1,), step=(1,)}       : f64[1]
          %s = slice(%b) {start=(2,), shape=(1,), step=(1,)}       : f64[1]
          %t = add(%r, %s)                                         : f64[1]
          %c = update(%b, %t) {start=(1,), step=(1,)}              : f64[3]
          return %c
        }
    after:
        graph f(%x: f64[3], %v: f64[1], %w: f64[1]) {
          %a = update(%x, %v) {start=(0,), step=(1,)}              : f64[3]
          %b = update(%a, %w) {start=(1,), step=(1,)}              : f64[3]
          %slice.0 = slice(%x) {start=(2,), shape=(1,), step=(1,)} : f64[1]
          %t = add(%v, %slice.0)                                   : f64[1]
          %c = update(%a, %t) {start=(1,), step=(1,)}              : f64[3]
          return %c
        }

    Keeps results bit for bit. A slice of a number that is the same everywhere is that
    number; what is written over at once, or written where it is, is not written.
    """
    return rewrite(graph, forwarding(Stores()))


def forwarding(stores: Stores) -> dict[str, Rule]:
    """The rules of `forward`; ``stores`` is to have what was stored so far."""

    def read(b: Builder, n: Node, x: Node) -> Node | None:
        """``update(x, v)[i] => v[j]``, or ``x[i]`` where they are apart"""
        extent = extent_of(b, n)
        base, place = stores.find(b, x, extent)
        if base.op in ("update_at", "add_at"):
            here = Place((None,) * base.type.rank, place)
            before = skipped(b, here, base)
            if before is not base:
                base, place = stores.find(b, before, place)
        moved = base is not x or b.literal(x) is not None
        return stores.read(b, base, place) if moved else None

    def read_at(b: Builder, n: Node, x: Node, *positions: Node) -> Node | None:
        """``update_at(x, v, i)[i] => v``, or ``x[j]`` where they are apart

        Of ``add_at(x, v, i)`` it is ``x[i] + v``.
        """
        literal = b.literal(x)
        if literal is not None:
            return b.full(n.type, literal)
        place = place_of(b, n)
        assert place is not None, "it reads a place"
        base, terms = skipped(b, place, x), list[Node]()
        while base.op == "add_at" and place_of(b, base) == place:
            terms.append(b[base.operands[1]])
            base = skipped(b, place, b[base.operands[0]])
        if base.op == "update_at" and place_of(b, base) == place:
            terms.append(b[base.operands[1]])
        elif base is x:
            return None
        else:
            terms.append(b.append(instead(n, "slice_at", base, *positions, **n.attrs)))
        return reduce(b.add, reversed(terms))

    def store_at(b: Builder, n: Node, x: Node, v: Node, *at: Node) -> Node | None:
        """``update_at(update_at(x, v, i), w, i) => update_at(x, w, i)``"""
        place, base = place_of(b, n), x
        if v.op == "slice_at" and (v.operands[0], place_of(b, v)) == (x.name, place):
            return x
        if same_literal(b, x, v):
            return x
        while base.op in ("update_at", "add_at") and place_of(b, base) == place:
            base = b[base.operands[0]]
        if base is x:
            return None
        return b.append(instead(n, "update_at", base, v, *at, **n.attrs))

    def add_at(b: Builder, n: Node, x: Node, v: Node, *at: Node) -> Node | None:
        """``add_at(update_at(x, v, i), w, i) => update_at(x, v + w, i)``"""
        place, base, terms = place_of(b, n), x, [v]
        while base.op in ("update_at", "add_at") and place_of(b, base) == place:
            terms.append(b[base.operands[1]])
            under = b[base.operands[0]]
            if base.op == "update_at":
                total = reduce(b.add, reversed(terms))
                return b.append(instead(n, "update_at", under, total, *at, **n.attrs))
            base = under
        return None

    def store(b: Builder, n: Node, x: Node, v: Node) -> Node | None:
        """``update(update(x, v), w) => update(x, w)``; ``update(x, x[i]) => x``"""
        base, needed = stores.write(b, x, v, extent_of(b, n))
        if not needed:
            return base
        if base is x:
            stores.note(b, n)
            return None
        return stores.note(b, b.append(instead(n, "update", base, v, **n.attrs)))

    def gather(b: Builder, n: Node, x: Node, i: Node) -> Node | None:
        """``take(put(x, v, i), i) => v``"""
        return b[x.operands[1]] if _is_put(x, i, n.attrs["axis"]) else None

    def put(b: Builder, n: Node, x: Node, v: Node, i: Node) -> Node | None:
        """To ``put(x, w, i)`` from ``put(put(x, v, i), w, i)``; x if it has v"""
        if is_taken(v, x, i, n.attrs["axis"]):
            return x
        if not _is_put(x, i, n.attrs["axis"]):
            return None
        return b.append(instead(n, "put", b[x.operands[0]], v, i, **n.attrs))

    return {
        "slice": read,
        "slice_at": read_at,
        "update": store,
        "update_at": store_at,
        "add_at": add_at,
        "take": gather,
        "put": put,
    }


def is_taken(v: Node, x: Node, i: Node, axis: Any) -> bool:
    """Whether ``v`` is what ``x`` has at the positions ``i``."""
    if v.op != "take" or v.attrs["axis"] != axis:
        return False
    return v.operands == (x.name, i.name)


def _is_put(x: Node, i: Node, axis: Any) -> bool:
    return x.op == "put" and x.operands[2] == i.name and x.attrs["axis"] == axis
