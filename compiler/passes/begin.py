"""Loops that add to what they carry, and what is added to their results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ...ir.graph import Graph, Node
from .bodies import parts_of, take_name
from .rewrite import instead

__all__ = ["adds_only", "begin", "is_zero", "sorted_nodes"]

MAX_DEPTH = 16  # of sums that are looked through for what is carried


def begin(graph: Graph) -> Graph:
    """Let a loop that only adds to a value begin with what is added behind it.

    before:
        graph f(%x: f64[4], %s: f64[4], %v: f64[1]) {
          %c = const() {value=0.0}           : f64[]
          %z = broadcast_to(%c) {shape=(4,)} : f64[4]
          %a = loop(%v, %z) {trips=4, carried=1} : f64[4]:
            body(%t: i64[], %v: f64[1], %u: f64[4]) {
              %w = add_at(%u, %v, %t) {axes=(0,), start=(0,), step=(1,)} : f64[4]
              return %w
            }
          %y = add(%s, %a) : f64[4]
          return %y
        }
    after:
        graph f(%x: f64[4], %s: f64[4], %v: f64[1]) {
          %c = const() {value=0.0}           : f64[]
          %z = broadcast_to(%c) {shape=(4,)} : f64[4]
          %y = loop(%v, %s) {trips=4, carried=1} : f64[4]:
            body(%t: i64[], %v: f64[1], %u: f64[4]) {
              %w = add_at(%u, %v, %t) {axes=(0,), start=(0,), step=(1,)} : f64[4]
              return %w
            }
          return %y
        }

    So the sum that a loop backwards carries for an array goes through the loops in its
    body: there is one array for all, to which each adds where it read. Keeps results
    but for the order of additions and the sign of a zero.
    """
    while (made := _once(graph)) is not graph:
        graph = made
    return graph


class _Sum(NamedTuple):
    """A sum that reads the value number ``number`` of a loop, and nothing else does."""

    loop: Node
    number: int
    reader: Node


def _once(graph: Graph) -> Graph:
    """The graph after one sum went in front of its loop."""
    for loop in graph:
        if loop.op != "loop":
            continue
        for number in range(len(parts_of(loop).carried)):
            found = _sum(graph, loop, number)
            if found is not None:
                return _moved(graph, found)
    return graph


def _sum(graph: Graph, loop: Node, number: int) -> _Sum | None:
    """What is added to a value of a loop, if it can be added before."""
    name = loop.names[number]
    if name not in graph.read_once or name in graph.results:
        return None
    (read,) = graph.reads[name]
    reader = graph[read.consumer]
    fits = reader.op in ("add", "add_n") or (reader.op, read.slot) == ("add_at", 0)
    zeros = _begins_at_zero(graph, parts_of(loop).carried[number])
    if not (fits and zeros and reader.type.is_float and adds_only(loop, number)):
        return None
    after = set(loop.names)
    for node in graph:
        if not after.isdisjoint(node.operands):
            after.update(node.names)
    others = [x for slot, x in enumerate(reader.operands) if slot != read.slot]
    return _Sum(loop, number, reader) if after.isdisjoint(others) else None


def _begins_at_zero(graph: Graph, name: str) -> bool:
    """Whether a value is zeros, with something added at places."""
    node = graph[name]
    while node.op == "add_at":
        node = graph[node.operands[0]]
    return is_zero(graph, node.name)


def adds_only(loop: Node, number: int) -> bool:
    """Whether iterations only add to a carried value, and read it for nothing else."""
    (body,) = loop.regions
    start = body.inputs[1 + len(parts_of(loop).invariants) + number].name
    return _adds(body, body.results[number], start, MAX_DEPTH)


def _adds(body: Graph, name: str, start: str, depth: int) -> bool:
    """Whether a value is ``start`` and what is added to it; each is read once."""
    if name not in body.read_once or not depth:
        return False
    if name == start:
        return True
    node = body[name]
    if node.op == "add_at":
        return _adds(body, node.operands[0], start, depth - 1)
    if node.op in ("add", "add_n"):
        return any(_adds(body, x, start, depth - 1) for x in node.operands)
    if node.op == "loop":
        number = node.names.index(name)
        carried = parts_of(node).carried
        return (
            number < len(carried)
            and adds_only(node, number)
            and _adds(body, carried[number], start, depth - 1)
        )
    return False


def _moved(graph: Graph, found: _Sum) -> Graph:
    """The graph with the sum in front of the loop, which makes its value."""
    loop, number, reader = found
    parts = parts_of(loop)
    before, name = parts.carried[number], loop.names[number]
    front: list[Node] = []
    others = [x for x in reader.operands if x != name]
    if reader.op != "add_at" and is_zero(graph, before):
        (start, *rest) = others
        if rest:
            fresh = take_name(f"{reader.name}.rest", set(graph.nodes))
            made = instead(reader, "add_n", *(graph[x] for x in others))
            front.append(made._replace(name=fresh))
            start = fresh
    else:
        start = take_name(f"{reader.name}.rest", set(graph.nodes))
        operands = tuple(before if x == name else x for x in reader.operands)
        front.append(reader._replace(name=start, operands=operands, reads=()))
    carried = [start if k == number else x for k, x in enumerate(parts.carried)]
    several = tuple(
        value._replace(name=reader.name) if k == number else value
        for k, value in enumerate(loop.several)
    )
    names = [value.name for value in several] or [reader.name]
    made = loop._replace(
        name=names[0],
        several=several,
        operands=tuple(parts._replace(carried=carried).operands),
    )
    nodes: list[Node] = []
    for node in graph:
        if node is loop:
            continue
        nodes += [*front, made] if node is reader else [node]
    return graph.with_nodes(sorted_nodes(nodes))


def is_zero(graph: Graph, name: str) -> bool:
    """Whether a value is zeros, as is plain to see."""
    node = graph[name]
    while node.op in ("broadcast_to", "reshape"):
        node = graph[node.operands[0]]
    return node.op == "const" and node.attrs["value"] == 0


def sorted_nodes(nodes: Sequence[Node]) -> list[Node]:
    """The nodes with operands first, else in their order and that of sections."""
    made: set[str] = set()
    order: list[Node] = []
    waiting: list[Node] = []
    for node in nodes:
        waiting.append(node)
        moved = True
        while moved:
            moved = False
            for one in list(waiting):
                if made.issuperset(one.operands):
                    waiting.remove(one)
                    made.update(one.names)
                    order.append(one)
                    moved = True
    section = 0
    for place, node in enumerate(order):
        section = max(section, node.section)
        order[place] = node._replace(section=section)
    return order
