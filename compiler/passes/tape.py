"""Values of a loop that the loop back would compute again."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import TypeAlias

from ...ir.graph import Graph, Node
from ...ir.iterations import runs_as_often
from ...ir.ops import OPS, Kind
from .bodies import (
    Numbers,
    is_costly,
    is_view,
    parts_of,
    with_rows,
    with_taken,
)

__all__ = ["costly_values", "tape", "taped"]

Grow: TypeAlias = Callable[[Numbers, Node, Node], Node]
"""Gives the first of two loops more values that the second one knows, too."""


def tape(graph: Graph) -> Graph:
    """Let a loop keep costly values for another that would compute them again.

    before:
        graph f(%x: f64[], %g: f64[]) {
          %a, %as = loop(%x) {trips=4, carried=1} : f64[], f64[4]:
            body(%t: i64[], %u: f64[]) {
              %v = exp(%u) : f64[]
              return %v, %u
            }
          %b = loop(%g, %as) {trips=4, carried=1, stacked=1, reverse=True} : f64[]:
            body(%t: i64[], %h: f64[], %u: f64[]) {
              %v = exp(%u)     : f64[]
              %w = mul(%h, %v) : f64[]
              return %w
            }
          return %a, %b
        }
    after:
        graph f(%x: f64[], %g: f64[]) {
          %a, %as, %v.tape = loop(%x) {trips=4, carried=1} : f64[], f64[4], f64[4]:
            body(%t: i64[], %u: f64[]) {
              %v = exp(%u) : f64[]
              return %v, %u, %v
            }
          %b = loop(%g, %as, %v.tape) {trips=4, carried=1, stacked=2, reverse=True} \
: f64[]:
            body(%t: i64[], %h: f64[], %u: f64[], %v.taken: f64[]) {
              %v = exp(%u)           : f64[]
              %w = mul(%h, %v.taken) : f64[]
              return %w
            }
          return %a, %b
        }

    Keeps results bit for bit. The second loop reads rows that the first one stacked, or
    that it reads as well, so it knows the same values. What is cheap is computed again:
    it costs less than to write it and to read it. Of an array that an iteration stores
    into, what is read of it is kept, and never the array. A loop over segments keeps
    nothing but what they begin with. `prune` drops what is left over.
    """
    return taped(graph, lambda numbers, first, second: first)


def taped(graph: Graph, grow: Grow) -> Graph:
    """Let loops keep what others know as well and would compute again."""
    makers = {name: node for node in graph if node.op == "loop" for name in node.names}
    if len(makers) < 2:
        return graph
    changed: dict[str, Node] = {}
    names = set(graph.nodes)
    readers: dict[str, list[str]] = {}  # the loops that take a row of a value
    for node in graph:
        if node.op != "loop":
            continue
        stacked = dict.fromkeys(parts_of(node).stacked)
        sources = dict.fromkeys(makers[name].name for name in stacked if name in makers)
        for name in stacked:
            sources.update(dict.fromkeys(readers.setdefault(name, [])))
            readers[name].append(node.name)
        for source in sources:
            first, second = changed.get(source, graph[source]), changed.get(node.name)
            made = _taped(graph, first, second or node, names, grow)
            if made is not None:
                changed[source], changed[node.name] = made
    if not changed:
        return graph
    return graph.with_nodes([changed.get(node.name, node) for node in graph])


def _taped(
    graph: Graph, first: Node, second: Node, names: set[str], grow: Grow
) -> tuple[Node, Node] | None:
    """Both loops, the first with rows for the second; None where there are none.

    ``names`` are taken, and those of the rows are added to them.
    """
    if first.attrs.get("segments") or not runs_as_often(graph, first, second):
        return None
    numbers = Numbers()
    first = grow(numbers, first, second)
    (body,), (back,) = first.regions, second.regions
    known, found = numbers.of_both(first, second)
    carried = len(parts_of(first).carried)
    rows = dict(zip(first.names[carried:], body.results[carried:], strict=True))
    places = {number: name for name, number in reversed(known.items())}
    stacked = {known[inner]: name for name, inner in reversed(rows.items())}
    added: list[tuple[str, str]] = []
    taken: list[tuple[str, str]] = []
    begins = body.inputs[1 + len(parts_of(first).invariants) :][:carried]
    versions = {known[x.name] for x in begins}
    loose = {x.name for x in back.inputs if found[x.name] in versions}
    shared = {x for x in found if found[x] in places}
    for name in costly_values(back, shared, loose):
        number = found[name]
        if number not in stacked:
            fresh, count = f"{name}.tape", 0
            while fresh in names:
                fresh, count = f"{name}.tape_{count}", count + 1
            names.add(fresh)
            added.append((fresh, places[number]))
            stacked[number] = fresh
        taken.append((stacked[number], name))
    if not taken:
        return None
    return with_rows(first, added), with_taken(second, taken)


def costly_values(
    back: Graph,
    known: set[str],
    loose: Container[str] = (),
    is_dear: Callable[[Node], bool] = is_costly,
) -> list[str]:
    """The values among the known that others read and that are not cheap to have.

    ``loose`` are inputs that are versions of what the first loop carries.
    """
    wanted: set[str] = set(back.results) & known
    for node in back:
        if node.op != "input" and node.name not in known:
            wanted.update(name for name in node.operands if name in known)
    costly: set[str] = set()
    found: dict[str, None] = {}
    for node in back:
        if node.op == "input" or node.name not in known:
            continue
        part = _is_part(back, node)
        of_version = part and node.operands[0] in loose
        dear = of_version if part else is_dear(node)
        if not dear and costly.isdisjoint(node.operands):
            continue
        costly.update(node.names)
        shown = _shown(back, node)
        if _is_store(shown) or shown.op == "input":
            continue
        for name in node.names:
            if name in wanted and name in known:
                taken = name if shown is node else shown.name
                found[taken] = None
                costly -= {name, taken}
    return list(found)


def _shown(back: Graph, node: Node) -> Node:
    """The node whose value a view shows whole, or the node itself."""
    while is_view(node) and not _is_part(back, node):
        node = back[node.operands[0]]
    return node


def _is_part(back: Graph, node: Node) -> bool:
    """Whether it shows less than all of its operand."""
    if node.op not in ("slice", "slice_at"):
        return False
    return node.type.size < back[node.operands[0]].type.size


def _is_store(node: Node) -> bool:
    return OPS[node.op].kind is Kind.STORE
