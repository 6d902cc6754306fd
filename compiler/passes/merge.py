"""Loops that do what another one does as well."""

from __future__ import annotations

from collections.abc import Sequence

from ...ir.graph import Graph, Node, Output
from ...ir.iterations import runs_alike
from .bodies import Numbers, parts_of, with_rows

__all__ = ["merge"]

MAX_MOVED = 8


def merge(graph: Graph) -> Graph:
    """Let one loop make what two do, where one of them does all of the other.

    before:
        graph f(%x: f64[], %y: f64[]) {
          %a = loop(%x, %y) {trips=4, carried=1} : f64[]:
            body(%t: i64[], %u: f64[], %v: f64[]) {
              %w = mul(%u, %v) : f64[]
              return %w
            }
          %b, %c = loop(%x, %y) {trips=4, carried=1} : f64[], f64[4]:
            body(%t: i64[], %u: f64[], %v: f64[]) {
              %w = mul(%u, %v) : f64[]
              return %w, %v
            }
          return %a, %c
        }
    after:
        graph f(%x: f64[], %y: f64[]) {
          %b, %c = loop(%x, %y) {trips=4, carried=1} : f64[], f64[4]:
            body(%t: i64[], %u: f64[], %v: f64[]) {
              %w = mul(%u, %v) : f64[]
              return %w, %v
            }
          return %b, %c
        }

    Keeps results bit for bit. The gradient of a loop runs it again to keep what is
    carried; this makes that the only time. The loop that stays stands where the first
    one stood, with what it needs besides, if these are few nodes.
    """
    firsts: dict[tuple[object, ...], Node] = {}
    for node in graph:
        if node.op != "loop":
            continue
        parts = parts_of(node)
        key = (*runs_alike(node), tuple(parts.invariants), tuple(parts.stacked))
        first = firsts.setdefault(key, node)
        if first is node:
            continue
        for less, more in ((first, node), (node, first)):
            found = _contained(less, more)
            made = found and _merged(graph, first, node, *found)
            if made:
                return merge(made)
    return graph


def _contained(less: Node, more: Node) -> tuple[Node, dict[str, str]] | None:
    """``more``, and the names there of the values of ``less``; None if some lack.

    Rows that are not stacked there are stacked too, under their old names.
    """
    own, parts = parts_of(less), parts_of(more)
    count = len(own.carried)
    if list(parts.carried[:count]) != list(own.carried):
        return None
    numbers = Numbers()
    inputs = [numbers.of(("input", place)) for place in range(1 + parts.total)]
    first = 1 + len(own.invariants)
    taken = inputs[: 1 + len(parts.taken)]
    rows = taken[first + len(parts.carried) :]
    (body,), (other,) = less.regions, more.regions
    found = numbers.values(body, [*taken[: first + count], *rows])
    known = numbers.values(other, taken)
    wanted = [found[name] for name in body.results]
    made = [known[name] for name in other.results]
    if wanted[:count] != made[:count]:
        return None
    names = dict(zip(less.names[:count], more.names, strict=False))
    stacked = dict(zip(made, more.names, strict=True))
    for number in made[: len(parts.carried)]:
        if number not in made[len(parts.carried) :]:
            stacked.pop(number, None)
    places = {number: name for name, number in reversed(known.items())}
    added: list[tuple[str, str]] = []
    for name, number in zip(less.names[count:], wanted[count:], strict=True):
        if number not in stacked:
            if number not in places:
                return None
            added.append((name, places[number]))
            stacked[number] = name
        names[name] = stacked[number]
    return with_rows(more, added), names


def _merged(
    graph: Graph, first: Node, second: Node, made: Node, names: dict[str, str]
) -> Graph | None:
    """The graph with ``made`` in the place of both; None where it cannot stand there.

    ``names`` says what the values of the one that goes are called in it.
    """
    before: set[str] = set()
    moved: list[Node] = []
    for node in graph:
        if node is first:
            break
        before.update(node.names)
    waiting = list(made.operands)
    while waiting:
        name = waiting.pop()
        if name in before or any(node.makes({name}) for node in moved):
            continue
        if len(moved) == MAX_MOVED or first.makes({name}):
            return None
        moved.append(graph[name])
        waiting += graph[name].operands
    kept = {id(node) for node in (first, second)}
    gone = {node.name for node in moved}
    order = [node for node in graph if node.name in gone]
    nodes: list[Node] = []
    for node in graph:
        if node is first:
            nodes += [one._replace(section=first.section) for one in order]
            nodes.append(made._replace(section=first.section))
        elif id(node) not in kept and node.name not in gone:
            nodes.append(_renamed(node, names))
    outputs = [
        Output(names.get(out.value, out.value), out.label) for out in graph.outputs
    ]
    return graph.with_nodes(nodes, outputs)


def _renamed(node: Node, names: dict[str, str]) -> Node:
    operands: Sequence[str] = [names.get(name, name) for name in node.operands]
    return node.reading(tuple(operands))
