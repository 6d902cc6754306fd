"""Where the arrays of a scalar loop lie, and in which order its body runs.

An array that is accessed at traced positions lies in memory, and is written in place.
So whatever reads a version of it stands before the store that makes the next one.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator

from ....ir.graph import Graph, Node
from ....ir.ops import OPS, Kind
from ....ir.ops.parts import split_operands
from .elements import SMALL, Unfit

__all__ = ["addressed", "in_order", "written_over"]

_AT = ("slice_at", "update_at", "add_at", "take", "put")
_INTO = ("update_at", "add_at", "update", "put")
_LOOKING = ("slice_at", "take")
_LAZY = (Kind.VIEW, Kind.ELEMENTWISE)


def addressed(body: Graph) -> set[str]:
    """The inputs that are large, or accessed at traced positions or by rows."""
    roots: dict[str, set[str]] = {x.name: {x.name} for x in body.inputs}
    found = {x.name for x in body.inputs if x.type.size > SMALL}
    for node in body:
        if node.op == "input":
            continue
        whole = node.operands[:1]
        if node.op in _AT:
            found |= roots.get(node.operands[0], set())
        if node.op in ("loop", "cond"):
            for name in _accessed(node):
                found |= roots.get(name, set())
            _pass_on(node, roots)
        elif whole and (node.op in _INTO or OPS[node.op].kind is Kind.VIEW):
            roots[node.name] = roots.get(whole[0], set())
    return found


def _accessed(node: Node) -> Iterator[str]:
    """The operands of a loop or a choice that are accessed in its regions."""
    if node.op == "cond":
        for region in node.regions:
            inside = addressed(region)
            for name, taken in zip(node.operands[1:], region.inputs, strict=True):
                if taken.name in inside:
                    yield name
        return
    parts, (body,) = split_operands(node.attrs, node.operands), node.regions
    inside = addressed(body)
    for name, taken in zip(parts.taken, body.inputs[1:], strict=True):
        if taken.name in inside:
            yield name
    yield from parts.stacked


def _pass_on(node: Node, roots: dict[str, set[str]]) -> None:
    """What the results of a loop or a choice are made of."""
    if node.op == "loop":
        carried = split_operands(node.attrs, node.operands).carried
        for name, start in zip(node.names, carried, strict=False):
            roots[name] = roots.get(start, set())
        return
    for place, name in enumerate(node.names):
        roots[name] = set()
        for region in node.regions:
            inner = {x.name: {x.name} for x in region.inputs}
            for one in region:
                if one.op in _INTO:
                    inner[one.name] = inner.get(one.operands[0], set())
                elif one.op in ("loop", "cond"):
                    _pass_on(one, inner)
            starts = inner.get(region.results[place], set())
            pairs = zip(node.operands[1:], region.inputs, strict=True)
            for outer, taken in pairs:
                if taken.name in starts:
                    roots[name] |= roots.get(outer, set())


def in_order(graph: Graph, held: Collection[str]) -> list[Node]:
    """The nodes, each store behind whatever reads the version that it ends.

    ``held`` are the inputs that lie in memory. Of the nodes that may be next the first
    in program order is.
    """
    nodes = [node for node in graph if node.op != "input"]
    place = {name: i for i, node in enumerate(nodes) for name in node.names}
    readers: dict[str, list[int]] = {}
    for i, node in enumerate(nodes):
        for name in dict.fromkeys(node.operands):
            readers.setdefault(name, []).append(i)
    before: list[set[int]] = [
        {place[name] for name in node.operands if name in place} for node in nodes
    ]
    memory = set(held)
    for i, node in enumerate(nodes):
        for name in _written(node, memory):
            before[i].update(_reading(nodes, readers, name) - {i})
    waiting = [len(needs) for needs in before]
    feeds: list[list[int]] = [[] for _ in nodes]
    for i, needs in enumerate(before):
        for other in needs:
            feeds[other].append(i)
    ready = [i for i, count in enumerate(waiting) if count == 0]
    order: list[Node] = []
    while ready:
        i = heapq.heappop(ready)
        order.append(nodes[i])
        for other in feeds[i]:
            waiting[other] -= 1
            if waiting[other] == 0:
                heapq.heappush(ready, other)
    if len(order) < len(nodes):
        raise Unfit("an older version of an array is read after a store")
    return order


def written_over(graph: Graph) -> set[str]:
    """The values that a later node writes over, if they lie in memory."""
    memory = {name for node in graph for name in node.names}
    return {name for node in graph for name in _written(node, memory)}


def _written(node: Node, memory: set[str]) -> Iterator[str]:
    """The values whose memory a node writes over; its own versions are added."""
    if node.op in _INTO and node.operands[0] in memory:
        memory.add(node.name)
        yield node.operands[0]
    elif node.op == "loop":
        parts = split_operands(node.attrs, node.operands)
        for number, name in enumerate(parts.carried):
            if name in memory:
                memory.add(node.names[number])
                yield name
    elif node.op == "cond":
        for number, name in enumerate(node.operands[1:]):
            if name in memory and any(_stored(r, number) for r in node.regions):
                memory.update(node.names)
                yield name


def _stored(region: Graph, number: int) -> bool:
    """Whether a region writes into an input."""
    memory = {region.inputs[number].name}
    return any(True for node in region for _ in _written(node, memory))


def _reading(nodes: list[Node], readers: dict[str, list[int]], name: str) -> set[int]:
    """The places of the nodes that read a value, or what they show of it.

    What is small is read where it is shown.
    """
    found: set[int] = set()
    for i in readers.get(name, []):
        found.add(i)
        shows = nodes[i].op in _LOOKING or OPS[nodes[i].op].kind in _LAZY
        if shows and nodes[i].type.size > SMALL:
            found |= _reading(nodes, readers, nodes[i].name)
    return found
