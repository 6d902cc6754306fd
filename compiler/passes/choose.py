"""Small branches, both of which are computed."""

from __future__ import annotations

from typing import Any

from ...ir.builder import Builder
from ...ir.graph import Graph, Node, Output
from ...ir.ops import OPS, Kind
from ...ir.ops.at import STORES
from ...ir.types import TensorType
from .bodies import is_costly
from .stores import same_literal

__all__ = ["choose"]

_NEUTRAL = {"add": -0.0, "sub": 0.0, "mul": 1.0}
MOST_ELEMENTS = 16  # of a value that is computed although it may not be needed
MOST_WORK = 40  # elementwise nodes of both branches
COSTLY = 10  # such nodes for one exp


def choose(graph: Graph) -> Graph:
    """Compute both branches of a small `cond`, and select.

    before:
        graph f(%p: bool[], %x: f64[9], %i: i64[], %v: f64[]) {
          %y = cond(%p, %x, %i, %v) : f64[9]:
            then(%x: f64[9], %i: i64[], %v: f64[]) {
              %w = neg(%v)                    : f64[]
              %u = reshape(%w) {shape=(1,)}   : f64[1]
              %y = update_at(%x, %u, %i) {axes=(0,), start=(0,), step=(1,)} : f64[9]
              return %y
            }
            else(%x: f64[9], %i: i64[], %v: f64[]) {
              return %x
            }
          return %y
        }
    after:
        graph f(%p: bool[], %x: f64[9], %i: i64[], %v: f64[]) {
          %w              = neg(%v)                                  : f64[]
          %u              = reshape(%w) {shape=(1,)}                 : f64[1]
          %y_1            = update_at(%x, %u, %i) {axes=(0,), start=(0,), step=(1,)} \
: f64[9]
          %slice_at.0     = slice_at(%x, %i) {shape=(1,), axes=(0,), start=(0,), \
step=(1,)} : f64[1]
          %broadcast_to.0 = broadcast_to(%p) {shape=(1,)}            : bool[1]
          %select.0       = select(%broadcast_to.0, %u, %slice_at.0) : f64[1]
          %update_at.0    = update_at(%x, %select.0, %i) {axes=(0,), start=(0,), \
step=(1,)} : f64[9]
          return %update_at.0
        }

    Keeps results bit for bit. A branch that is not taken stores what is there, and adds
    -0.0. So it is only for branches that do nothing but arithmetic on some numbers, and
    slices and stores of these: their positions are inside whether or not it is taken.
    `prune` drops the stores that were merged.
    """
    if all(node.op != "cond" for node in graph):
        return graph
    b = Builder(graph.name, reserved=graph.nodes)
    names: dict[str, str] = {}
    known: dict[object, Node] = {}
    for node in graph:
        kept = node.reading(tuple([names.get(name, name) for name in node.operands]))
        values = _values(b, kept, known) if node.op == "cond" else None
        if values is not None:
            made = [value.name for value in values]
            names.update(zip(node.names, made, strict=True))
        elif b.append(kept).op not in ("input", "cond", "loop"):
            known[_key(kept)] = kept
    if not names:
        return graph
    outputs = [Output(names.get(o.value, o.value), o.label) for o in graph.outputs]
    return graph.with_nodes(list(b.nodes), outputs)


def _key(node: Node) -> object:
    """What nodes of equal values have in common."""
    return node.op, node.operands, node.attrs.text, node.type


def _values(b: Builder, cond: Node, known: dict[object, Node]) -> list[Node] | None:
    """What a small `cond` comes to, None if it is none; `prune` drops what is left."""
    work = 0
    for region in cond.regions:
        for node in region:
            if not _is_small(region, node):
                return None
            if OPS[node.op].kind is Kind.ELEMENTWISE:
                work += COSTLY if is_costly(node) else 1
    if work > MOST_WORK:
        return None
    b.section, b.source = cond.section, cond.source
    choice = _Choice(b, b[cond.operands[0]], known)
    operands = [b[name] for name in cond.operands[1:]]
    branches = [choice.copied(region, operands) for region in cond.regions]
    made = [choice.merged(*pair) for pair in zip(*branches, strict=True)]
    found = [value for value in made if value is not None]
    return found if len(found) == len(made) else None


def _is_small(region: Graph, node: Node) -> bool:
    """Whether a node of a branch may as well be computed if it is not taken."""
    kind = OPS[node.op].kind
    if node.op in ("input", "const"):
        return True
    if node.op in STORES:
        return region[node.operands[1]].type.size <= MOST_ELEMENTS
    while node.type.size > MOST_ELEMENTS and node.op in ("broadcast_to", "reshape"):
        node = region[node.operands[0]]
    small = node.type.size <= MOST_ELEMENTS
    return small and (kind in (Kind.ELEMENTWISE, Kind.VIEW) or node.op == "slice_at")


class _Choice:
    """Values of two branches, of which ``p`` chooses, made in ``b``."""

    def __init__(self, b: Builder, p: Node, known: dict[object, Node]) -> None:
        self.b, self.p = b, p
        self.known = known
        self.stores: set[str] = set()

    def copied(self, region: Graph, operands: list[Node]) -> list[Node]:
        """What a branch makes of operands, computed."""
        inputs = [node.name for node in region.inputs]
        made = dict(zip(inputs, operands, strict=True))
        for node in region:
            if node.op == "input":
                continue
            taken = [made[name] for name in node.operands]
            key = _key(node.reading(tuple([x.name for x in taken])))
            if key not in self.known:
                self.known[key] = self.b.copy(node, taken, {})
            made[node.name] = self.known[key]
            if node.op in STORES:
                self.stores.add(made[node.name].name)
        return [made[name] for name in region.results]

    def merged(self, one: Node, other: Node) -> Node | None:
        """``one`` if p, else ``other``; None for arrays of which that is not known."""
        b = self.b
        if one is other or same_literal(b, one, other):
            return one
        if {one.name, other.name} <= self.stores and self._is_same_place(one, other):
            base = self.merged(b[one.operands[0]], b[other.operands[0]])
            v = self._select(b[one.operands[1]], b[other.operands[1]])
            return base and _again(b, one, base, v)
        if one.name in self.stores:
            base = self.merged(b[one.operands[0]], other)
            return base and self._stored(one, base, True)
        if other.name in self.stores:
            base = self.merged(one, b[other.operands[0]])
            return base and self._stored(other, base, False)
        return self._select(one, other) if one.type.size <= MOST_ELEMENTS else None

    def _is_same_place(self, one: Node, other: Node) -> bool:
        """Whether two stores are alike but for what they store, and in what."""
        shapes = [self.b[node.operands[1]].type.shape for node in (one, other)]
        return shapes[0] == shapes[1] and (one.op, one.operands[2:], one.attrs) == (
            *(other.op, other.operands[2:], other.attrs),
        )

    def _stored(self, store: Node, base: Node, taken: bool) -> Node:
        """The store of one branch into ``base``, which is left alone by the other."""
        b, v = self.b, self.b[store.operands[1]]
        if store.op == "add_at":
            kept = b.like(v, -0.0 if v.type.is_float else 0)
        else:
            positions = [b[name] for name in store.operands[2:]]
            op = "slice_at" if store.op == "update_at" else "slice"
            attrs: Any = store.attrs
            kept = b.add_node(op, base, *positions, shape=v.type.shape, **attrs)
        pair = (v, kept) if taken else (kept, v)
        return _again(b, store, base, self._select(*pair))

    def _select(self, one: Node, other: Node) -> Node:
        """``one`` if p, else ``other``: what one has more is chosen or 0.

        So what follows waits for a sum, and not for the choice as well.
        """
        if one is other:
            return one
        b = self.b
        for taken, x, y in ((True, one, other), (False, other, one)):
            if x.op in _NEUTRAL and x.type.is_float and x.operands[0] == y.name:
                v = b[x.operands[1]]
                pair = (v, b.like(v, _NEUTRAL[x.op]))
                return b.add_node(
                    x.op, y, self._select(*(pair if taken else pair[::-1]))
                )
        p = b.broadcast(self.p, TensorType("bool", one.type.shape))
        return b.select(p, one, other)


def _again(b: Builder, store: Node, base: Node, v: Node) -> Node:
    """The store of another value, in another array."""
    positions = [b[name] for name in store.operands[2:]]
    attrs: Any = store.attrs
    return b.add_node(store.op, base, v, *positions, **attrs)
