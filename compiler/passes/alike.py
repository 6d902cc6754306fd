"""Loops in the bodies of two loops that run as often, and what both of them know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from ...ir.graph import Graph, Node
from ...ir.iterations import runs_as_often
from .bodies import Numbers, parts_of

__all__ = ["Alike", "alike", "alike_inside", "pairs_of"]

MANY = 4  # loops that read one array are not all compared


class Alike(NamedTuple):
    """Two loops that run as often.

    ``known`` and ``found`` number the values of their bodies: equal numbers are equal
    values, in iterations of one counter. ``depth`` says how many loops are around.
    """

    first: Node
    second: Node
    known: dict[str, int]
    found: dict[str, int]
    depth: int = 0


def pairs_of(graph: Graph) -> Iterator[tuple[Node, Node]]:
    """The loops of a graph that read what an earlier one makes or reads.

    Those of one section are left out: a way back has a section of its own.
    """
    users: dict[str, list[Node]] = {}
    for second in graph:
        if second.op != "loop":
            continue
        firsts = {
            first.name: first
            for name in dict.fromkeys(second.operands)
            for first in users.get(name, ())[-MANY:]
            if first.section < second.section
        }
        yield from ((first, second) for first in firsts.values())
        arrays = [name for name in second.operands if graph[name].type.rank]
        for name in dict.fromkeys((*second.names, *arrays)):
            users.setdefault(name, []).append(second)


def alike(graph: Graph, numbers: Numbers, first: Node, second: Node) -> Alike | None:
    """Two loops of a graph compared; None where they do not run as often."""
    if not runs_as_often(graph, first, second):
        return None
    known, found = numbers.of_both(first, second)
    return Alike(first, second, known, found)


def alike_inside(
    numbers: Numbers, pair: Alike, *, nests: bool = False
) -> Iterator[Alike]:
    """The loops in the bodies of two that run as often, in each iteration.

    A loop that is wholly the same in both is not among them. With ``nests`` the second
    one of each pair has loops in it.
    """
    (body,), (back,) = pair.first.regions, pair.second.regions
    same = set(pair.known.values())
    firsts = [node for node in body if node.op == "loop"]
    begun: dict[str, dict[str, int]] = {}
    depth = pair.depth + 1
    for second in back:
        if second.op != "loop" or pair.found[second.name] in same:
            continue
        if nests and all(node.op != "loop" for node in second.regions[0]):
            continue
        for first in firsts:
            runs = _runs(first, pair.known)
            if not runs or runs != _runs(second, pair.found):
                continue
            if first.name not in begun:
                inputs = _inputs(numbers, first, pair.known, {}, depth, "begun")
                begun[first.name] = numbers.values(first.regions[0], inputs)
            known = begun[first.name]
            carried = len(parts_of(first).carried)
            ends = first.regions[0].results[carried:]
            rows = {
                pair.known[name]: known[end]
                for name, end in zip(first.names[carried:], ends, strict=True)
            }
            inputs = _inputs(numbers, second, pair.found, rows, depth, "back")
            found = numbers.values(second.regions[0], inputs)
            yield Alike(first, second, known, found, depth)


def _runs(loop: Node, numbers: Mapping[str, int]) -> Sequence[object]:
    """How often a loop runs, in the numbers of the body that it is in.

    It is empty for a loop with a test, which may end at any time.
    """
    if loop.attrs.get("test"):
        return ()
    return loop.attrs.get("trips"), *(numbers[x] for x in parts_of(loop).limit)


def _inputs(
    numbers: Numbers,
    loop: Node,
    outer: Mapping[str, int],
    rows: Mapping[int, int],
    depth: int,
    role: str,
) -> list[int]:
    """The numbers of the inputs of a body; ``rows`` are known by those of the whole."""
    parts = parts_of(loop)
    carried = range(len(parts.carried))
    stacked = [outer[name] for name in parts.stacked]
    return [
        numbers.of(("counter", depth)),
        *(outer[name] for name in parts.invariants),
        *(numbers.of((role, depth, loop.name, place)) for place in carried),
        *(rows.get(x, numbers.of(("row", depth, x))) for x in stacked),
    ]
