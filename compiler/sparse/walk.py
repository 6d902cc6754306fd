"""A walk through a graph that finds what each element depends on.

Integers and bools that depend on nothing traced are computed when a rule asks for
them: positions, masks, counters. A walk through a region asks the walk around it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from ...backends.base import Array
from ...backends.reference.interpreter import Region
from ...ir.errors import AnabranchError
from ...ir.graph import Graph, Node
from ...ir.ops import OPS, Kind
from .rules import rule_of
from .unions import Numbers, Sets, Unions

__all__ = ["Ask", "Walk", "knowable"]

Ask: TypeAlias = Callable[[], "Array | None"]
"""Asks for the value of an input."""

_VIEW, _STORE = Kind.VIEW, Kind.STORE


def knowable(graph: Graph, inputs: frozenset[str]) -> frozenset[str]:
    """The values that are computed of these inputs and of constants."""
    found = set(inputs)
    for node in graph:
        known = node.op not in ("input", "callback")
        if known and all(name in found for name in node.operands):
            found.update(node.names)
    return frozenset(found)


class Walk:
    """One graph, with the sets and the values of its inputs.

    ``budget`` is how many nodes the loops may still visit, shared by all walks.
    ``known`` are the inputs whose values may be asked for, and ``zeros`` those of which
    may be asked where they are zero.
    """

    def __init__(
        self,
        graph: Graph,
        unions: Unions,
        sets: Mapping[str, Sets],
        known: Mapping[str, Ask],
        *,
        budget: list[int],
        zeros: Mapping[str, Ask] | None = None,
        computable: frozenset[str] | None = None,
        owned: frozenset[str] = frozenset(),
    ) -> None:
        self.graph, self.unions, self.budget = graph, unions, budget
        self.sets: dict[str, Sets] = dict(sets)
        self._known, self._zeros = known, zeros or {}
        if computable is None:
            computable = knowable(graph, frozenset(known))
        self.computable = computable
        self._owned = owned
        self._values: dict[str, Array | None] = {}

    def run(self) -> list[Sets]:
        """The sets of the outputs."""
        get = self.sets.get
        for node in self.graph:
            if not node.operands or not node.floats:
                continue
            sets = [get(name) for name in node.operands]
            if any(x is not None for x in sets):
                self._visit(node, sets)
        return [get(name) for name in self.graph.results]

    def _visit(self, node: Node, sets: list[Sets]) -> None:
        op = OPS[node.op]
        through = [
            x if x is not None and op.is_differentiable(slot) else None
            for slot, x in enumerate(sets)
        ]
        if all(x is None for x in through):
            return
        made = rule_of(node)(self, node, *through, **node.attrs)
        each = made if isinstance(made, list) else [made]
        for value, found in zip(node.values, each, strict=True):
            if value.type.has_gradient and found is not None:
                self.sets[value.name] = found

    def inner(
        self,
        graph: Graph,
        sets: Mapping[str, Sets],
        known: Mapping[str, Ask],
        *,
        unions: Unions | None = None,
        computable: frozenset[str] | None = None,
        owned: frozenset[str] = frozenset(),
    ) -> Walk:
        """A walk through a region of this graph."""
        return Walk(
            graph,
            unions or self.unions,
            sets,
            known,
            budget=self.budget,
            computable=computable,
            owned=owned,
        )

    def everything(self, node: Node, sets: Sequence[Sets]) -> list[Sets]:
        """The sets of values each element of which depends on all."""
        whole = self.unions.everything([x for x in sets if x is not None])
        return [
            np.full(value.type.shape, whole, np.int64) if whole else None
            for value in node.values
        ]

    def operand(self, node: Node, slot: int) -> Node:
        return self.graph[node.operands[slot]]

    def both(self, a: Sets, b: Sets) -> Sets:
        """The union for each element."""
        if a is None or b is None:
            return b if a is None else a
        return self.unions.both(a, b)

    def filled(self, node: Node, slot: int, x: Sets) -> Numbers:
        """The sets of an operand as an array."""
        if x is not None:
            return x
        return np.zeros(self.operand(node, slot).type.shape, np.int64)

    def target(self, node: Node, x: Sets) -> Numbers:
        """What a store may write into: a copy, unless nobody else reads it."""
        name = node.operands[0]
        made = self.graph[name]
        fresh = name in self._owned or OPS[made.op].kind is _STORE
        if x is not None and fresh and name in self.graph.read_once:
            return x
        return np.array(self.filled(node, 0, x))

    def value(self, name: str) -> Array | None:
        """The value itself, where that is known."""
        if name not in self.computable:
            return None
        stack = [name]
        while stack:
            here = self.graph[stack[-1]]
            if here.name in self._values:
                stack.pop()
                continue
            missing = [n for n in here.operands if n not in self._values]
            if missing:
                stack += missing
                continue
            self._compute(here)
        return self._values[name]

    def _compute(self, node: Node) -> None:
        if node.op == "input":
            self._values[node.name] = self._known[node.name]()
            return
        operands = [self._values[name] for name in node.operands]
        made: Sequence[Array | None] = [None] * len(node.values)
        if all(x is not None for x in operands):
            made = _computed(node, operands) or made
        names = node.names
        self._values.update(zip(names, made, strict=True))

    def nonzero(self, node: Node, slot: int) -> Array | None:
        """Where an operand is not zero, if that is known.

        A view of an input is zero where the elements are that it shows.
        """
        name = node.operands[slot]
        if name in self.computable:
            value = self.value(name)
            return None if value is None else value != 0
        views: list[Node] = []
        while OPS[self.graph[name].op].kind is _VIEW:
            views.append(self.graph[name])
            name = views[-1].operands[0]
        ask = self._zeros.get(name)
        there = ask() if ask is not None else None
        for view in reversed(views if there is not None else []):
            there = OPS[view.op].reference(there, **view.attrs)
        return there


def _computed(node: Node, operands: Sequence[Any]) -> Sequence[Array] | None:
    """The values of a node; None where its reference refuses the operands.

    A check fails when the function runs, or not at all in a branch that is not taken.
    """
    if node.op == "check":
        return operands
    more: dict[str, Any] = {}
    if node.regions:
        more = {"regions": [Region(region) for region in node.regions]}
    try:
        with np.errstate(all="ignore"):
            made = OPS[node.op].reference(*operands, **more, **node.attrs)
    except (AnabranchError, IndexError):
        return None
    return [np.asarray(x) for x in (made if isinstance(made, tuple) else (made,))]
