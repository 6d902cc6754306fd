"""Positions in loops in loops as sums of multiples of the counters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from .extent import Extent
from .graph import Graph, Node
from .ops.at import AT, STORES
from .ops.parts import split_operands

__all__ = ["Affine", "Range", "Scope", "Store"]

MAX_DEPTH = 40  # of sums that are looked through


class Range(NamedTuple):
    """All integers from ``low`` to ``high``."""

    low: int
    high: int

    def plus(self, other: Range) -> Range:
        """Between which numbers a sum is."""
        return Range(self.low + other.low, self.high + other.high)

    def times(self, factor: int) -> Range:
        """Between which numbers a multiple is."""
        ends = self.low * factor, self.high * factor
        return Range(min(ends), max(ends))


class Affine(NamedTuple):
    """A number, and so many times each of some values.

    These are the counters of scopes, and invariants of the outermost one, by name.
    """

    number: int
    terms: Mapping[Scope | str, int]

    def plus(self, other: Affine, times: int = 1) -> Affine:
        """The sum with a multiple of another."""
        terms = dict(self.terms)
        for key, by in other.terms.items():
            terms[key] = terms.get(key, 0) + times * by
        left = {key: by for key, by in terms.items() if by}
        return Affine(self.number + times * other.number, left)

    def within(self) -> Range | None:
        """Between which numbers it is in all iterations; None if that is not known."""
        found = Range(self.number, self.number)
        for key, by in self.terms.items():
            if isinstance(key, str) or key.trips is None:
                return None
            found = found.plus(Range(0, key.trips - 1).times(by))
        return found


class Store(NamedTuple):
    """A store in the body of a scope."""

    scope: Scope
    node: Node

    def extent(self) -> Extent | None:
        """What all iterations store, where a counter moves an axis by itself.

        An iteration of a counter that moves no axis stores there again.
        """
        attrs: Any = self.node.attrs
        shape = self.scope.makers[self.node.operands[1]].type.shape
        counters: set[Scope] = set()
        axes: list[tuple[int, int, int]] = []
        for place, start, count, step in zip(
            self.scope.places(self.node),
            attrs["start"],
            shape,
            attrs["step"],
            strict=True,
        ):
            if place is None or len(place.terms) > 1:
                return None
            for key, by in place.terms.items():
                if isinstance(key, str) or key in counters or count != 1:
                    return None
                counters.add(key)
                count, step = key.trips or 0, by
            axes.append((start + place.number, count, step))
        return Extent(*(tuple(axis[k] for axis in axes) for k in range(3)))


class Scope:
    """An iteration of a loop, in one of the loop around it.

    Two scopes of one loop are two iterations, which may differ.
    """

    def __init__(self, loop: Node, outer: Scope | None) -> None:
        self.loop = loop
        self.outer = outer
        self.body: Graph = loop.regions[0]
        trips: Any = loop.attrs.get("trips")
        self.trips: int | None = trips
        parts = split_operands(loop.attrs, loop.operands)
        inputs = [x.name for x in self.body.inputs[1:]]
        self.invariants = dict(zip(inputs, parts.invariants, strict=False))
        self.makers = {name: node for node in self.body for name in node.names}
        self._starts = inputs[len(parts.invariants) :][: len(parts.carried)]

    def affine(self, name: str, depth: int = MAX_DEPTH) -> Affine | None:
        """An integer of the body; None where it is no such sum."""
        node = self.makers[name]
        if node is self.body.inputs[0]:
            return Affine(0, {self: 1})
        if name in self.invariants:
            outer = self.invariants[name]
            if self.outer is None:
                return Affine(0, {outer: 1})
            return self.outer.affine(outer, depth)
        if node.op == "const":
            value: Any = node.attrs["value"]
            return Affine(int(value), {})
        if node.op not in ("add", "sub", "mul") or not depth:
            return None
        one, other = (self.affine(operand, depth - 1) for operand in node.operands)
        if one is None or other is None:
            return None
        if node.op != "mul":
            return one.plus(other, 1 if node.op == "add" else -1)
        if one.terms:
            one, other = other, one
        return None if one.terms else Affine(0, {}).plus(other, one.number)

    def places(self, node: Node) -> list[Affine | None]:
        """The position along each axis of a slice or a store in the body."""
        attrs: Any = node.attrs
        operands = node.operands[AT.get(node.op, len(node.operands)) :]
        along = dict(zip(attrs.get("axes", ()), operands, strict=False))
        return [
            self.affine(along[axis]) if axis in along else Affine(0, {})
            for axis in range(len(attrs["start"]))
        ]

    def version(self, name: str) -> tuple[int, list[str], int] | None:
        """Which carried value a value is a version of, its `versions`, and which one.

        None for others.
        """
        for number in range(len(self._starts)):
            found = self.versions(number)
            if found is not None and name in found:
                return number, found, found.index(name)
        return None

    def versions(self, number: int) -> list[str] | None:
        """The versions of a carried value in an iteration, from the first to the last.

        Each but the first is made by a store or by a loop of stores. None where it may
        be made by anything else.
        """
        found = [self.body.results[number]]
        while found[-1] != self._starts[number]:
            node = self.makers[found[-1]]
            if node.op in STORES:
                found.append(node.operands[0])
                continue
            if node.op != "loop":
                return None
            carried = split_operands(node.attrs, node.operands).carried
            place = node.names.index(found[-1])
            if place >= len(carried):
                return None
            found.append(carried[place])
        return found[::-1]

    def stores(self, version: str) -> list[Store] | None:
        """What is stored to make a version of the one before; None if unknown."""
        node = self.makers[version]
        if node.op != "loop":
            return [Store(self, node)]
        inner = Scope(node, self)
        versions = inner.versions(node.names.index(version))
        found: list[Store] = []
        for one in versions[1:] if versions else ():
            stored = inner.stores(one)
            if stored is None:
                return None
            found += stored
        return None if versions is None else found
