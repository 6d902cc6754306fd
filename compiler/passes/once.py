"""Sums of one summand: what a loop adds to a place of a known number only once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, pairwise

from ...ir.affine import Scope, Store
from ...ir.builder import Builder
from ...ir.graph import Graph, Node
from ...ir.iterations import is_static
from .bodies import parts_of

__all__ = ["once"]

MOST_STORES = 16  # of a loop, which are compared with each other

Number = bool | int | float


def once(graph: Graph) -> Graph:
    """Store what a loop adds to a number, where it adds to each place at most once.

    before:
        graph f(%v: f64[4]) {
          %c = const() {value=0.0}            : f64[]
          %z = broadcast_to(%c) {shape=(8,)}  : f64[8]
          %y = loop(%z, %v) {trips=4, carried=1, stacked=1} : f64[8]:
            body(%t: i64[], %a: f64[8], %r: f64[]) {
              %two = const() {value=2}        : i64[]
              %i = mul(%t, %two)              : i64[]
              %u = reshape(%r) {shape=(1,)}   : f64[1]
              %b = add_at(%a, %u, %i) {axes=(0,), start=(1,), step=(1,)} : f64[8]
              return %b
            }
          return %y
        }
    after:
        graph f(%v: f64[4]) {
          %c = const() {value=0.0}            : f64[]
          %z = broadcast_to(%c) {shape=(8,)}  : f64[8]
          %y = loop(%z, %v) {trips=4, carried=1, stacked=1} : f64[8]:
            body(%t: i64[], %a: f64[8], %r: f64[]) {
              %two = const() {value=2}        : i64[]
              %i = mul(%t, %two)              : i64[]
              %u = reshape(%r) {shape=(1,)}   : f64[1]
              %const.0 = const() {value=0.0}  : f64[]
              %broadcast_to.0 = broadcast_to(%const.0) {shape=(1,)} : f64[1]
              %add.0 = add(%broadcast_to.0, %u) : f64[1]
              %b = update_at(%a, %add.0, %i) {axes=(0,), start=(1,), step=(1,)} : f64[8]
              return %b
            }
          return %y
        }

    The way back of a loop that reads each element once adds like that. A store waits
    for no load. Keeps results bit for bit.
    """
    literals = Builder("once", graph)
    nodes: list[Node] = []
    for node in graph:
        made = node
        if node.op == "loop" and is_static(node):
            for number, start in enumerate(parts_of(node).carried):
                value = literals.literal(graph[start])
                adds = [] if value is None else _adds(Scope(made, None), number)
                if value is not None and adds and _are_apart(adds):
                    made = _storing(made, {id(add.node) for add in adds}, value)
        nodes.append(made)
    same = all(one is other for one, other in zip(nodes, graph, strict=True))
    return graph if same else graph.with_nodes(nodes)


def _adds(scope: Scope, number: int) -> list[Store]:
    """What makes a carried value, if these are ``add_at`` and nothing reads between."""
    versions = scope.versions(number) if is_static(scope.loop) else None
    if versions is None or len(versions) > MOST_STORES:
        return []
    results = [x for x in scope.body.results if x in versions]
    if results != versions[-1:] or scope.body.reads[versions[-1]]:
        return []
    found: list[Store] = []
    for version, following in pairwise(versions):
        node = scope.makers[following]
        if len(scope.body.reads[version]) > 1:
            return []
        if node.op == "loop":
            made = _adds(Scope(node, scope), node.names.index(following))
        else:
            made = [Store(scope, node)] if node.op == "add_at" else []
        if not made:
            return []
        found += made
    return found


def _are_apart(adds: Sequence[Store]) -> bool:
    """Whether no two additions in all iterations are to one place."""
    extents = [add.extent() for add in adds if _is_moved(add)]
    known = [extent for extent in extents if extent is not None]
    if len(known) < len(adds):
        return False
    return not any(one.overlaps(other) for one, other in combinations(known, 2))


def _is_moved(add: Store) -> bool:
    """Whether each counter around moves an addition."""
    places = add.scope.places(add.node)
    keys = {key for place in places if place is not None for key in place.terms}
    around: Scope | None = add.scope
    while around is not None:
        if around not in keys and around.trips != 1:
            return False
        around = around.outer
    return True


def _storing(loop: Node, adds: set[int], value: Number) -> Node:
    """The loop with some additions to ``value`` as stores."""
    (body,) = loop.regions
    b = Builder(body.name, reserved=body.nodes)
    for node in body:
        b.section, b.source = node.section, node.source
        if node.op == "loop":
            node = _storing(node, adds, value)
        elif id(node) in adds:
            x, v, *places = node.operands
            stored = b.add(b.like(b[v], value), b[v])
            node = node._replace(op="update_at", operands=(x, stored.name, *places))
        b.append(node)
    made = list(b.nodes)
    same = len(made) == len(body) and all(
        one is other for one, other in zip(made, body, strict=True)
    )
    return loop if same else loop._replace(regions=(body.with_nodes(made),))
