"""What is added at places of an array, one term after the other."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

from ...ir.builder import Builder
from ...ir.extent import Extent, extent_of
from ...ir.graph import Graph, Node
from .begin import is_zero

__all__ = ["Term", "terms_of"]


class Term(NamedTuple):
    """What the ``values`` add up to, added at a place.

    ``positions`` move the extent along some axes.
    """

    values: tuple[str, ...]
    positions: dict[int, str]
    extent: Extent

    @classmethod
    def of(cls, graph: Graph, node: Node) -> Term:
        """What an `add_at` adds."""
        attrs: Any = node.attrs
        _, value, *positions = node.operands
        shape = graph[value].type.shape
        along = dict(zip(attrs["axes"], positions, strict=True))
        return cls((value,), along, Extent(attrs["start"], shape, attrs["step"]))

    def within(self, outer: Term, axes: list[int], b: Builder) -> dict[str, Any]:
        """The operands and attributes that add this term to an array.

        It is a term of a value that the ``outer`` term adds, whose axes are these of
        the array; the others have one place.
        """
        start, rank = [*outer.extent.start], len(outer.extent.start)
        shape, step = [1] * rank, [1] * rank
        for axis, first, size, by in zip(axes, *self.extent, strict=True):
            start[axis] += first
            shape[axis], step[axis] = size, by
        along = {axis: b[name] for axis, name in outer.positions.items()}
        for axis, name in self.positions.items():
            known = along.get(axes[axis])
            along[axes[axis]] = b[name] if known is None else b.add(known, b[name])
        values = [b[name] for name in self.values]
        value = b.add_n(*values) if len(values) > 1 else values[0]
        moved = sorted(along)
        return {
            "operands": [b.reshape(value, shape), *(along[axis] for axis in moved)],
            "attrs": {"axes": tuple(moved), "start": tuple(start), "step": tuple(step)},
        }


def terms_of(
    graph: Graph, name: str, readers: Collection[str]
) -> tuple[list[Term], str] | None:
    """What is added to a value, the first term first, and that value.

    It is zeros, or something that is read for this sum alone; None where the sum or
    what it is made of is read by others than ``readers`` and each other. Whether the
    graph returns the sum is for the caller to see.
    """
    terms: list[Term] = []
    while not is_zero(graph, name):
        if any(read.consumer not in readers for read in graph.reads[name]):
            return None
        node = graph[name]
        if node.op == "add_at":
            terms.insert(0, Term.of(graph, node))
            name, readers = node.operands[0], {name}
        elif (stored := _stored(graph, name)) is not None:
            found, name, readers = stored
            terms[:0] = found
        else:
            break
        if name in graph.results:
            return None
    return terms, name


def _stored(graph: Graph, name: str) -> tuple[list[Term], str, set[str]] | None:
    """What a row of stores adds at known places, to what, and who reads that.

    Each stores what was there before and something added to it. It may have read that
    from an older version, where the stores in between are elsewhere.
    """
    found: list[tuple[Term, str]] = []
    versions = [name]
    readers: set[str] = set()
    while (term := _term(graph, versions[-1])) is not None:
        node = graph[versions[-1]]
        found.append(term)
        readers |= {node.name, term[1]}
        versions.append(node.operands[0])
    for place, (term, read) in enumerate(found):
        older = graph[read].operands[0]
        if older not in versions[place + 1 :]:
            return None
        between = found[place + 1 : versions.index(older)]
        if any(term.extent.overlaps(other.extent) for other, _ in between):
            return None
    for version in versions[1:-1]:
        if any(read.consumer not in readers for read in graph.reads[version]):
            return None
    if not found or not set(graph.results).isdisjoint(versions[1:-1]):
        return None
    return [term for term, _ in reversed(found)], versions[-1], readers


def _term(graph: Graph, name: str) -> tuple[Term, str] | None:
    """What a store adds to what it reads, and what reads that."""
    node = graph[name]
    if node.op != "update":
        return None
    sum_ = graph[node.operands[1]]
    if sum_.op not in ("add", "add_n") or sum_.name not in graph.read_once:
        return None
    where = extent_of(graph, node)
    for number, x in enumerate(sum_.operands):
        read = graph[x]
        once = read.op == "slice" and x in graph.read_once
        if once and extent_of(graph, read) == where:
            others = sum_.operands[:number] + sum_.operands[number + 1 :]
            return Term(others, {}, where), x
    return None
