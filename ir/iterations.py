"""How often loops run, and which of the rows that they stack are read."""

from __future__ import annotations

from .graph import Graph, Node
from .ops.parts import split_operands

__all__ = ["counts", "is_static", "rows_beyond", "runs_alike", "runs_as_often"]


def is_static(loop: Node) -> bool:
    """Whether the loop has a known number of iterations, and one at least."""
    dynamic = loop.attrs.get("limit") or loop.attrs.get("test")
    return bool(loop.attrs.get("trips")) and not dynamic


def runs_alike(loop: Node) -> tuple[object, ...]:
    """What two loops have in common that run as often, in the same order."""
    attrs = loop.attrs
    limit = split_operands(attrs, loop.operands).limit
    flags = [bool(attrs.get(name)) for name in ("test", "reverse")]
    return attrs.get("trips"), tuple(limit), *flags


def counts(loop: Node, number: int) -> bool:
    """Whether a carried value counts the iterations of its loop.

    It has to begin at 0, which is for the caller to see.
    """
    (body,) = loop.regions
    place = 1 + len(split_operands(loop.attrs, loop.operands).invariants) + number
    made = body[body.results[number]]
    if made.op != "add" or body.inputs[place].name not in made.operands:
        return False
    others = [body[x] for x in made.operands if x != body.inputs[place].name]
    return [(x.op, x.attrs.get("value")) for x in others] == [("const", 1)]


def runs_as_often(graph: Graph, first: Node, second: Node) -> bool:
    """Whether the second loop has an iteration for exactly those of the first."""
    trips, limit, test, _ = runs_alike(first)
    other, bound, tested, _ = runs_alike(second)
    if trips is None or trips != other or tested:
        return False
    if not test:
        return limit == bound
    for number, start in enumerate(split_operands(first.attrs, first.operands).carried):
        if (first.names[number],) == bound:
            begins = graph[start]
            zero = (begins.op, begins.attrs.get("value")) == ("const", 0)
            return zero and counts(first, number)
    return False


def rows_beyond(graph: Graph) -> set[str]:
    """The stacked results of which rows are read that no iteration makes.

    All the others are read by loops only that run as often as the one that makes them,
    and need not be zeros beyond.
    """
    makers: dict[str, Node] = {}
    for node in graph:
        if node.op == "loop" and (node.attrs.get("limit") or node.attrs.get("test")):
            carried = len(split_operands(node.attrs, node.operands).carried)
            makers.update(dict.fromkeys(node.names[carried:], node))
    found = {name for name in graph.results if name in makers}
    for node in graph if makers else ():
        rows: set[int] = set()
        if node.op == "loop":
            slots = range(len(node.operands))
            rows.update(split_operands(node.attrs, slots).stacked)
        for slot, name in enumerate(node.operands):
            maker = makers.get(name)
            alike = slot in rows and maker and runs_as_often(graph, maker, node)
            if maker is not None and not alike:
                found.add(name)
    return found
