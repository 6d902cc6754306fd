"""Loops that are nodes, as loops over segments: what `checkpointed` has them be.

For ``memory_limit``, which finds the loops of a function as nodes of its graph.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ...ir.builder import Builder
from ...ir.graph import Graph, Node, Output
from ...ir.iterations import is_static
from ...ir.literals import Attrs
from ...ir.ops.loop_segments import counting_from
from ...ir.ops.parts import Parts, loop_attrs, split_operands
from ..passes.rewrite import rewrite
from .checkpointed import Segments, segments_within

__all__ = ["fewer_and_fewer", "segmented"]


def fewer_and_fewer(graph: Graph) -> Iterator[int]:
    """How many states the loops of a graph may hold, from what is fast to one."""
    longest = max(_trips(graph), default=0)
    every = segments_within(longest, None).every
    states = min(every + -(-longest // every), longest - 1)
    while states > 0:
        yield states
        states //= 2


def _trips(graph: Graph) -> Iterator[int]:
    for node in graph:
        trips: Any = node.attrs.get("trips") if node.op == "loop" else None
        if trips is not None:
            yield trips
        for region in node.regions:
            yield from _trips(region)


def segmented(graph: Graph, states: int) -> Graph:
    """The graph whose loops hold so many states each on their way back.

    That goes for those whose number of turns is bounded, and in regions too. Where it
    is not known before, they hold the states of single turns.
    """

    def rule(b: Builder, node: Node, *operands: Node) -> Node | list[Node] | None:
        trips: Any = node.attrs.get("trips", 0)
        if trips <= states:
            return None
        if not is_static(node):
            held = Attrs({**node.attrs, "held": states})
            return b.append(node._replace(attrs=held))
        return _nest(b, node, segments_within(trips, states))

    graph = graph.map_regions(lambda region: segmented(region, states))
    return rewrite(graph, {"loop": rule})


def _nest(b: Builder, n: Node, segments: Segments) -> list[Node]:
    """The values of a loop, by one over segments and one over the turns left."""
    nest = _Nest(b, n, segments)
    if nest.reverse:
        carried, last = nest.left_over(nest.parts.carried)
        carried, first = nest.over_segments(carried)
    else:
        carried, first = nest.over_segments(nest.parts.carried)
        carried, last = nest.left_over(carried)
    if not nest.left:
        return [*carried, *first]
    pairs = zip(first, last, strict=True)
    return [*carried, *(b.concatenate(*pair, axis=0) for pair in pairs)]


class _Nest:
    """A loop in two parts: each makes what is carried on, and rows."""

    def __init__(self, b: Builder, n: Node, segments: Segments) -> None:
        self.b, self.source, self.segments = b, n.source, segments
        trips: Any = n.attrs["trips"]
        self.whole, self.left = divmod(trips, segments.every)
        self.reverse = bool(n.attrs.get("reverse"))
        self.body = counting_from(n.regions[0])
        self.parts = split_operands(n.attrs, [b[name] for name in n.operands])

    def over_segments(self, carried: Sequence[Node]) -> tuple[list[Node], list[Node]]:
        """The loop over segments."""
        b, every = self.b, self.segments.every
        size = self.whole * every
        cut = [
            b.reshape(b.rows_of(x, 0, size), (self.whole, every, *x.type.shape[1:]))
            for x in self.parts.stacked
        ]
        inner = Builder("body")
        inner.source = self.source
        number = inner.input("segment", self.body.inputs[0].type)
        parts = Parts(
            [],
            [inner.input(x.name, x.type) for x in self.parts.invariants],
            [inner.input(x.name, x.type) for x in carried],
            [inner.input(x.name, x.type.with_shape(x.type.shape[1:])) for x in cut],
        )
        first = inner.mul(number, inner.const(every, "i64"))
        made = self._loop(inner, self.body, every, parts, [first])
        region = inner.build([Output(x.name) for x in made])
        parts = self.parts._replace(carried=carried, stacked=cut)
        values = self._loop(b, region, self.whole, parts, of=self.segments)
        rows = values[len(carried) :]
        whole = [b.reshape(x, (size, *x.type.shape[2:])) for x in rows]
        return list(values[: len(carried)]), whole

    def left_over(self, carried: Sequence[Node]) -> tuple[list[Node], list[Node]]:
        """The loop over the turns behind the last whole segment, if there are any."""
        if not self.left:
            return list(carried), []
        first = self.whole * self.segments.every
        stacked = [self.b.rows_of(x, first, self.left) for x in self.parts.stacked]
        parts = self.parts._replace(carried=carried, stacked=stacked)
        begin = self.b.const(first, "i64")
        values = self._loop(self.b, self.body, self.left, parts, [begin])
        return list(values[: len(carried)]), list(values[len(carried) :])

    def _loop(
        self,
        b: Builder,
        body: Graph,
        trips: int,
        parts: Parts[Node],
        first: Sequence[Node] = (),
        of: Segments | None = None,
    ) -> Sequence[Node]:
        """So many turns of a body that takes ``first`` besides, or ``of`` segments."""
        attrs = {
            "trips": trips,
            "carried": len(parts.carried),
            "stacked": len(parts.stacked),
            "reverse": self.reverse,
            "segments": of and of.abreast,
            "held": of and of.held,
        }
        given = *first, *parts.operands
        made = b.add_node("loop", *given, regions=(body,), **loop_attrs(attrs))
        return made.values
