"""Rows of loops in loops: what one body stacks, made by another one that runs alike."""

from __future__ import annotations

from typing import Any, NamedTuple

from ...ir.graph import Graph, Node
from .alike import Alike, alike, alike_inside, pairs_of
from .bodies import Numbers, parts_of, take_name, with_inputs, with_rows, with_taken
from .tape import costly_values, taped
from .undoing import can_undo

__all__ = ["nest"]

MOST_BYTES = 2**24  # of the rows of a loop in a loop: more are not in a cache


def nest(graph: Graph) -> Graph:
    """Let a loop in a loop keep what the way back would run it again for.

    before:
        graph f(%x: f64[], %g: f64[]) {
          %a, %as = loop(%x) {trips=4, carried=1} : f64[], f64[4]:
            body(%t: i64[], %u: f64[]) {
              %b = loop(%u) {trips=3, carried=1} : f64[]:
                body(%s: i64[], %v: f64[]) {
                  %w = exp(%v) : f64[]
                  return %w
                }
              return %b, %u
            }
          %c      = loop(%g, %as) {trips=4, carried=1, stacked=1, reverse=True} : f64[]:
            body(%t: i64[], %h: f64[], %u: f64[]) {
              %b, %ws = loop(%u) {trips=3, carried=1} : f64[], f64[3]:
                body(%s: i64[], %v: f64[]) {
                  %w = exp(%v) : f64[]
                  return %w, %w
                }
              %d      = loop(%h, %ws) {trips=3, carried=1, stacked=1, reverse=True} : \
f64[]:
                body(%s: i64[], %k: f64[], %w: f64[]) {
                  %m = mul(%k, %w) : f64[]
                  return %m
                }
              return %d
            }
          return %a, %c
        }
    after:
        graph f(%x: f64[], %g: f64[]) {
          %a, %as, %ws.tape = loop(%x) {trips=4, carried=1} : f64[], f64[4], f64[4,3]:
            body(%t: i64[], %u: f64[]) {
              %b, %ws = loop(%u) {trips=3, carried=1} : f64[], f64[3]:
                body(%s: i64[], %v: f64[]) {
                  %w = exp(%v) : f64[]
                  return %w, %w
                }
              return %b, %u, %ws
            }
          %c                = loop(%g, %as, %ws.tape) {trips=4, carried=1, stacked=2, \
reverse=True} : f64[]:
            body(%t: i64[], %h: f64[], %u: f64[], %ws.taken: f64[3]) {
              %b, %ws = loop(%u) {trips=3, carried=1} : f64[], f64[3]:
                body(%s: i64[], %v: f64[]) {
                  %w = exp(%v) : f64[]
                  return %w, %w
                }
              %d      = loop(%h, %ws.taken) {trips=3, carried=1, stacked=1, \
reverse=True} : f64[]:
                body(%s: i64[], %k: f64[], %w: f64[]) {
                  %m = mul(%k, %w) : f64[]
                  return %m
                }
              return %d
            }
          return %a, %c
        }

    Keeps results bit for bit. The inner loop of the way back stacks values that the one
    forwards could stack as well; that does, for all iterations of the outer loop, where
    it is no more than a cache holds, and its iterations are no ``segments`` that are to
    run again. `prune` drops the loop that is left over. Versions of an array are left
    to `undo`, where that keeps less. A loop in a loop of the way back that would run
    another one again takes what that one made, in the same way.
    """
    graph = taped(graph, _grown)
    while (made := _handing(graph)) is not None:
        graph = made
    return graph


def _handing(graph: Graph) -> Graph | None:
    """The graph with a loop that keeps for another what loops in it make."""
    for first, second in pairs_of(graph):
        numbers = Numbers()
        pair = alike(graph, numbers, first, second)
        made = None if pair is None else _handed(numbers, pair, set(graph.nodes), 1)
        if made is not None:
            swaps = {first.name: made.first, second.name: made.second}
            return graph.with_nodes([swaps.get(node.name, node) for node in graph])
    return None


class _Handed(NamedTuple):
    """Two loops, and rows that the first one stacks and the second one takes.

    The second one names them as the first one does.
    """

    first: Node
    second: Node
    rows: list[str]


def _handed(
    numbers: Numbers, pair: Alike, names: set[str], times: int
) -> _Handed | None:
    """What two loops become where loops in them hand on what is made by a loop.

    ``names`` are taken, and both run so many ``times``. None where there is nothing.
    """
    trips: Any = pair.first.attrs.get("trips")
    if pair.first.attrs.get("segments") or trips is None:
        return None
    times *= trips
    (body,), (back,) = pair.first.regions, pair.second.regions
    names = {*names, *body.nodes, *back.nodes}
    for inner in alike_inside(numbers, pair, nests=True):
        made = _kept(inner, names, times) or _handed(numbers, inner, names, times)
        if made is None:
            continue
        theirs = [made.first if x is inner.first else x for x in body]
        ours = [made.second if x is inner.second else x for x in back]
        first = pair.first._replace(regions=(body.with_nodes(theirs),))
        rows = [(take_name(f"{name}.tape", names), name) for name in made.rows]
        types = {value.name: value.type for value in made.first.values}
        taken = [(row, Node(name, "input", (), types[name])) for row, name in rows]
        nodes = [node for node in ours if node.op != "input"]
        second = with_inputs(pair.second, (), taken, nodes, back.outputs)
        return _Handed(with_rows(first, rows), second, [row for row, _ in rows])
    return None


def _kept(pair: Alike, names: set[str], times: int) -> _Handed | None:
    """Two loops of which the first one keeps what the second would run a loop for."""
    trips: Any = pair.first.attrs.get("trips")
    if pair.first.attrs.get("segments") or trips is None:
        return None
    (back,) = pair.second.regions
    places = {number: name for name, number in reversed(pair.known.items())}
    shared = {name for name, number in pair.found.items() if number in places}
    wanted = costly_values(back, shared, is_dear=lambda node: node.op == "loop")
    if times * trips * sum(back[name].type.nbytes for name in wanted) > MOST_BYTES:
        return None
    if not wanted:
        return None
    taken = [(take_name(f"{name}.tape", names), name) for name in wanted]
    rows = [(row, places[pair.found[name]]) for row, name in taken]
    first, second = with_rows(pair.first, rows), with_taken(pair.second, taken)
    return _Handed(first, second, [row for row, _ in taken])


def _grown(numbers: Numbers, first: Node, second: Node) -> Node:
    """The first loop, whose inner loops stack what those of the second do."""
    if first.attrs.get("segments"):
        return first
    known, found = numbers.of_both(first, second)
    (body,), (back,) = first.regions, second.regions
    trips = int(str(first.attrs["trips"]))
    for node in back:
        if node.op != "loop":
            continue
        for row in range(len(parts_of(node).carried), len(node.values)):
            value = node.values[row]
            if trips * value.type.nbytes <= MOST_BYTES and not can_undo(node, row):
                made = _stacking(numbers, body, known, back, found, value.name)
                if made is not None:
                    body, _ = made
                    known = numbers.values(body, numbers.inputs(first))
    return first._replace(regions=(body,))


def _stacking(
    numbers: Numbers,
    body: Graph,
    known: dict[str, int],
    other: Graph,
    found: dict[str, int],
    name: str,
) -> tuple[Graph, str] | None:
    """``body`` with the value that ``name`` is in ``other``, and what it is called.

    ``known`` and ``found`` are the numbers of their values. Where ``name`` is a row of
    a loop, a loop that runs alike in ``body`` may stack it too. None if none does.
    """
    for place, number in known.items():
        if number == found[name]:
            return body, place
    theirs = other[name]
    if theirs.op != "loop":
        return None
    count = len(parts_of(theirs).carried)
    row = theirs.names.index(name)
    if row < count or count == 0:
        return None
    ours = next(
        (
            node
            for node in body
            if node.op == "loop"
            and len(parts_of(node).carried) == count
            and known[node.names[0]] == found[theirs.names[0]]
        ),
        None,
    )
    if ours is None:
        return None
    (inner,), (their_inner,) = ours.regions, theirs.regions
    made = _stacking(
        numbers,
        inner,
        numbers.inside(ours),
        their_inner,
        numbers.inside(theirs),
        their_inner.results[row],
    )
    if made is None:
        return None
    inner, value = made
    fresh = take_name(name, set(body.nodes))
    grown = with_rows(ours._replace(regions=(inner,)), [(fresh, value)])
    nodes = [grown if node is ours else node for node in body]
    return body.with_nodes(nodes), fresh
