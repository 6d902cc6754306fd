"""Checks of a loop that an earlier loop has made."""

from __future__ import annotations

import operator

from ...ir.builder import Builder
from ...ir.graph import Graph, Node
from .alike import Alike, alike, alike_inside, pairs_of
from .bodies import Numbers
from .rewrite import rewrite

__all__ = ["passed"]


def passed(graph: Graph) -> Graph:
    """Drop the checks of a loop that an earlier one has made of the same values.

    before:
        graph f(%i: i64[4], %x: f64[]) {
          %a = loop(%x, %i) {trips=4, carried=1, stacked=1} : f64[]:
            body(%t: i64[], %u: f64[], %k: i64[]) {
              %c = check(%k) {low=0, high=9, error="index", message="out"} : i64[]
              %d = cast(%c) {dtype="f64"} : f64[]
              %v = mul(%u, %d) : f64[]
              return %v
            }
        backward bar:
          %b = loop(%a, %i) {trips=4, carried=1, stacked=1, reverse=True} : f64[]:
            body(%t: i64[], %u: f64[], %k: i64[]) {
              %c = check(%k) {low=0, high=9, error="index", message="out"} : i64[]
              %d = cast(%c) {dtype="f64"} : f64[]
              %v = add(%u, %d) : f64[]
              return %v
            }
          return %b
        }
    after:
        graph f(%i: i64[4], %x: f64[]) {
          %a = loop(%x, %i) {trips=4, carried=1, stacked=1} : f64[]:
            body(%t: i64[], %u: f64[], %k: i64[]) {
              %c = check(%k) {low=0, high=9, error="index", message="out"} : i64[]
              %d = cast(%c) {dtype="f64"} : f64[]
              %v = mul(%u, %d) : f64[]
              return %v
            }
        backward bar:
          %b = loop(%a, %i) {trips=4, carried=1, stacked=1, reverse=True} : f64[]:
            body(%t: i64[], %u: f64[], %k: i64[]) {
              %d = cast(%k) {dtype="f64"} : f64[]
              %v = add(%u, %d) : f64[]
              return %v
            }
          return %b
        }

    The way back reads a result of the way forwards, so it does not begin before that
    has ended, which it does not where a check fails. Both loops run as often and know
    the same, so each check was made. This is the last pass but those that change
    nothing, or the earlier check might be dropped as well. Keeps results bit for bit.
    """
    if not _checks(graph):
        return graph
    gone: dict[str, Node] = {}
    for first, second in pairs_of(graph):
        now = gone.get(second.name, second)
        if not _checks(first.regions[0]) or not _checks(now.regions[0]):
            continue
        if not _follows(graph, first, second):
            continue
        numbers = Numbers()
        pair = alike(graph, numbers, first, now)
        made = None if pair is None else _without(numbers, pair, set())
        if made is not None:
            gone[second.name] = made
    if not gone:
        return graph
    return graph.with_nodes([gone.get(node.name, node) for node in graph])


def _checks(graph: Graph) -> bool:
    """Whether there is a check in a graph or its regions."""
    return any(node.op == "check" or any(map(_checks, node.regions)) for node in graph)


def _follows(graph: Graph, first: Node, second: Node) -> bool:
    """Whether a loop needs what another one made, so that it runs behind it."""
    behind = set(first.names)
    for node in graph:
        if not behind.isdisjoint(node.operands):
            behind.update(node.names)
    return second.name in behind


def _without(numbers: Numbers, pair: Alike, checked: set[int]) -> Node | None:
    """The second loop without the checks of the first; None where it has no such.

    ``checked`` are the numbers of what was checked around.
    """
    (body,), (back,) = pair.first.regions, pair.second.regions
    checks = {pair.known[node.name] for node in body if node.op == "check"}
    checked = checked | checks
    same = set(pair.known.values())
    changed: dict[str, Node] = {}
    for inner in alike_inside(numbers, pair):
        name = inner.second.name
        made = None if name in changed else _without(numbers, inner, checked)
        if made is not None:
            changed[name] = made

    def kept(node: Node) -> Node:
        if node.regions and pair.found[node.name] in same:
            regions = tuple([_unchecked(region) for region in node.regions])
            return node._replace(regions=regions)
        return changed.get(node.name, node)

    def check(b: Builder, node: Node, x: Node) -> Node | None:
        return x if pair.found[node.name] in checked else None

    nodes = [kept(node) for node in back]
    made = rewrite(back.with_nodes(nodes), {"check": check})
    if len(made) == len(back) and all(map(operator.is_, made, back)):
        return None
    return pair.second._replace(regions=(made,))


def _unchecked(graph: Graph) -> Graph:
    """A graph without its checks, all of which were made."""
    return rewrite(graph.map_regions(_unchecked), {"check": lambda b, node, x: x})
