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
    carried, and the way back undoes what a loop inside undoes as well; this makes each
    the only time. The loop that does more may carry and take other values as well. It
    stands where the first one stood, with what it needs besides, if these are few
    nodes.
    """
    firsts: dict[tuple[object, ...], list[Node]] = {}
    bodies = _Bodies()
    for node in graph:
        if node.op != "loop":
            continue
        for first in firsts.setdefault(runs_alike(node), []):
            for less, more in ((first, node), (node, first)):
                found = _contained(bodies, less, more)
                made = found and _merged(graph, first, node, *found)
                if made:
                    return merge(made)
        firsts[runs_alike(node)].append(node)
    return graph


class _Bodies:
    """The numbers of the values in the bodies of a graph's loops, each found once."""

    def __init__(self) -> None:
        self._numbers = Numbers()
        self._found: dict[tuple[str, tuple[int, ...]], dict[str, int]] = {}

    def values(self, loop: Node, places: Sequence[int]) -> dict[str, int]:
        """By name, where the carried values have these places."""
        key = loop.name, tuple(places)
        if key not in self._found:
            inputs = self._numbers.inputs(loop, places=places)
            self._found[key] = self._numbers.values(loop.regions[0], inputs)
        return self._found[key]


def _contained(
    bodies: _Bodies, less: Node, more: Node
) -> tuple[Node, dict[str, str]] | None:
    """``more``, and the names there of the values of ``less``; None if some lack.

    Rows that are not stacked there are stacked too, under their old names.
    """
    own, parts = parts_of(less), parts_of(more)
    places = _places(own.carried, parts.carried)
    if places is None:
        return None
    count = len(places)
    (body,), (other,) = less.regions, more.regions
    known = bodies.values(more, range(len(parts.carried)))
    found = bodies.values(less, places)
    wanted = [found[name] for name in body.results]
    made = [known[name] for name in other.results]
    if wanted[:count] != [made[place] for place in places]:
        return None
    carried = [more.names[place] for place in places]
    names = dict(zip(less.names[:count], carried, strict=True))
    stacked = dict(zip(made, more.names, strict=True))
    for number in made[: len(parts.carried)]:
        if number not in made[len(parts.carried) :]:
            stacked.pop(number, None)
    makers = {number: name for name, number in reversed(known.items())}
    added: list[tuple[str, str]] = []
    for name, number in zip(less.names[count:], wanted[count:], strict=True):
        if number not in stacked:
            if number not in makers:
                return None
            added.append((name, makers[number]))
            stacked[number] = name
        names[name] = stacked[number]
    return with_rows(more, added), names


def _places(less: Sequence[str], more: Sequence[str]) -> list[int] | None:
    """Where each value stands among others, equal ones in their order."""
    free = list(enumerate(more))
    found: list[int] = []
    for name in less:
        place = next((i for i, other in free if other == name), None)
        if place is None:
            return None
        free.remove((place, name))
        found.append(place)
    return found


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
    makers = {name: node for node in graph for name in node.names}
    waiting = list(made.operands)
    while waiting:
        name = waiting.pop()
        if name in before or any(node.makes({name}) for node in moved):
            continue
        if len(moved) == MAX_MOVED or first.makes({name}):
            return None
        moved.append(makers[name])
        waiting += makers[name].operands
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
