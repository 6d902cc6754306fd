"""Rows of loops in loops: what one body stacks, made by another one that runs alike."""

from __future__ import annotations

from ...ir.graph import Graph, Node
from .bodies import Numbers, parts_of, with_rows
from .tape import taped
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
    to `undo`, where that keeps less.
    """
    return taped(graph, _grown)


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
    fresh, times = name, 0
    while fresh in body:
        fresh, times = f"{name}_{times}", times + 1
    grown = with_rows(ours._replace(regions=(inner,)), [(fresh, value)])
    nodes = [grown if node is ours else node for node in body]
    return body.with_nodes(nodes), fresh
