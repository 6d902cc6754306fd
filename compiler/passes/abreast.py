"""Segments of a loop that run side by side on the way back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...ir.builder import Builder
from ...ir.graph import Graph, Node, Output
from ...ir.iterations import is_static
from ...ir.ops import OPS
from ...ir.ops.mapped import rule_of
from ...ir.ops.parts import Parts, loop_attrs
from ...ir.types import TensorType
from ..transforms.vmap import vmapped
from .bodies import parts_of
from .prune import prune
from .rewrite import rewrite

__all__ = ["abreast"]

INDEX = TensorType("i64", ())


def abreast(graph: Graph) -> Graph:
    """Run the loops of several segments at once that wait for no other segment.

    before:
        graph f(%g: f64[], %begins: f64[4]) {
          %y = loop(%g, %begins) {trips=4, carried=1, stacked=1, segments=2} : f64[]:
            body(%k: i64[], %h: f64[], %u: f64[]) {
              %v, %vs = loop(%u) {trips=9, carried=1} : f64[], f64[9]:
                body(%t: i64[], %w: f64[]) {
                  %s = sin(%w) : f64[]
                  return %s, %w
                }
              %c = reduce_sum(%vs) {axes=(0,)} : f64[]
              %z = mul(%h, %c)                 : f64[]
              return %z
            }
          return %y
        }
    after:
        graph f(%g: f64[], %begins: f64[4]) {
          %reshape.0 = reshape(%begins) {shape=(2, 2)} : f64[2,2]
          %loop.0 = loop(%g, %reshape.0) {trips=2, carried=1, stacked=1, segments=1} \
: f64[]:
            body(%k: i64[], %h: f64[], %u: f64[2]) {
              %const.0 = const() {value=2} : i64[]
              %mul.0 = mul(%k, %const.0) : i64[]
              %iota.0 = iota() {shape=(2,), axis=0, dtype="i64"} : i64[2]
              %broadcast_to.0 = broadcast_to(%mul.0) {shape=(2,)} : i64[2]
              %add.0 = add(%broadcast_to.0, %iota.0) : i64[2]
              %v_1, %loop.1 = loop(%u) {trips=9, carried=1} : f64[2], f64[9,2]:
                body(%t: i64[], %w: f64[2]) {
                  %s = sin(%w) : f64[2]
                  return %s, %w
                }
              %vs_1 = transpose(%loop.1) {perm=(1, 0)} : f64[2,9]
              %loop.0 = loop(%mul.0, %h, %u, %v_1, %vs_1) {trips=2, carried=1, \
stacked=3} : f64[]:
                body(%lane: i64[], %first: i64[], %h: f64[], %u: f64[], \
%v: f64[], %vs: f64[9]) {
                  %c = reduce_sum(%vs) {axes=(0,)} : f64[]
                  %z = mul(%h, %c) : f64[]
                  return %z
                }
              return %loop.0
            }
          return %loop.0
        }

    That is for loops of numbers, whose turns wait for each other, so that the numbers
    of several segments are a vector. ``segments`` says of how many. Keeps results up to
    rounding.
    """
    return rewrite(graph, {"loop": _side_by_side})


def _side_by_side(b: Builder, n: Node, *operands: Node) -> list[Node] | None:
    lanes: Any = n.attrs.get("segments", 0)
    trips: Any = n.attrs.get("trips")
    if lanes < 2 or not is_static(n) or trips % lanes:
        return None
    (body,) = n.regions
    ahead = _ahead(n, body)
    if not ahead:
        return None
    return _Group(b, n, operands, ahead, lanes).values()


def _ahead(n: Node, body: Graph) -> list[Node]:
    """The loops of numbers that read nothing that is carried."""
    parts = parts_of(n)
    first, count = 1 + len(parts.invariants), len(parts.carried)
    waiting = {x.name for x in body.inputs[first : first + count]}
    found: list[Node] = []
    for node in body:
        if not (waiting.isdisjoint(node.operands) and _has_rules(node)):
            waiting.update(node.names)
        elif node.op == "loop" and is_static(node):
            carried = len(parts_of(node).carried)
            if carried and all(not x.type.shape for x in node.values[:carried]):
                found.append(node)
    return found


def _has_rules(node: Node) -> bool:
    """Whether a node can be mapped, and calls nothing whose order is seen."""
    has_rule = not node.operands or rule_of(OPS[node.op]) is not None
    if node.op == "callback" or not has_rule:
        return False
    return all(_has_rules(inner) for region in node.regions for inner in region)


class _Group:
    """A loop over segments as one over groups of as many segments as there are lanes.

    What is ``ahead`` is computed for a group, and then each segment has the rest.
    """

    def __init__(
        self,
        b: Builder,
        n: Node,
        operands: Sequence[Node],
        ahead: Sequence[Node],
        lanes: int,
    ) -> None:
        self.b, self.n, self.lanes = b, n, lanes
        (self.body,) = n.regions
        names = parts_of(n)
        first, last = len(names.invariants), len(names.invariants) + len(names.carried)
        self.parts = Parts([], operands[:first], operands[first:last], operands[last:])
        inputs = self.body.inputs[1:]
        self.inputs = Parts([], inputs[:first], inputs[first:last], inputs[last:])
        self.ahead = [name for node in ahead for name in node.names]
        self.reverse = bool(n.attrs.get("reverse"))

    def values(self) -> list[Node]:
        """The values of the loop."""
        trips: Any = self.n.attrs["trips"]
        groups, count = trips // self.lanes, len(self.parts.carried)
        stacked = [self._cut(x, groups) for x in self.parts.stacked]
        parts = self.parts._replace(stacked=stacked)
        made = self._loop(self.b, self._group(), groups, parts, segments=1)
        rows = [self.b.reshape(x, (trips, *x.type.shape[2:])) for x in made[count:]]
        return [*made[:count], *rows]

    def _cut(self, x: Node, groups: int) -> Node:
        return self.b.reshape(x, (groups, self.lanes, *x.type.shape[1:]))

    def _group(self) -> Graph:
        """The body of the loop over groups."""
        counter, inputs = self.body.inputs[0], self.inputs
        b = Builder("body", reserved=self.body.nodes)
        b.source = self.n.source
        place = b.append(counter)
        whole = [
            x._replace(type=x.type.with_shape((self.lanes, *x.type.shape)))
            for x in inputs.stacked
        ]
        parts = Parts(
            [],
            [b.append(x) for x in inputs.invariants],
            [b.append(x) for x in inputs.carried],
            [b.append(x) for x in whole],
        )
        first = b.mul(place, b.const(self.lanes, "i64"))
        numbers = b.iota(shape=(self.lanes,), axis=0, dtype="i64")
        numbers = b.add(b.broadcast(first, numbers.type), numbers)
        graph = _pruned(self.body.returning([Output(name) for name in self.ahead]))
        taken = {
            x.name: given
            for x, given in zip(
                [counter, *inputs.invariants, *inputs.stacked],
                [numbers, *parts.invariants, *parts.stacked],
                strict=True,
            )
        }
        of_each = {counter.name, *(x.name for x in inputs.stacked)}
        flags = [x.name in of_each for x in graph.inputs]
        made, _ = vmapped(graph, flags, self.lanes, wanted=range(len(graph.outputs)))
        known = b.embed(made, [taken[x.name] for x in graph.inputs])
        inner = parts._replace(
            invariants=[first, *parts.invariants], stacked=[*parts.stacked, *known]
        )
        values = self._loop(b, self._segment(), self.lanes, inner)
        return b.build([Output(value.name) for value in values])

    def _segment(self) -> Graph:
        """The body of one segment, which takes what was ahead."""
        counter, inputs = self.body.inputs[0], self.inputs
        b = Builder("body", reserved=self.body.nodes)
        place, first = b.input("lane", INDEX), b.input("first", INDEX)
        number = Node(counter.name, "add", (first.name, place.name), INDEX)
        known = [Node(x, "input", (), self.body[x].type) for x in self.ahead]
        nodes = [
            *(place, first, *inputs.invariants, *inputs.carried, *inputs.stacked),
            *(*known, number),
            *(x for x in self.body if x.op != "input" and x.name not in self.ahead),
        ]
        return prune(self.body.with_nodes(nodes))

    def _loop(
        self,
        b: Builder,
        body: Graph,
        trips: int,
        parts: Parts[Node],
        segments: int = 0,
    ) -> Sequence[Node]:
        attrs = {
            "trips": trips,
            "carried": len(parts.carried),
            "stacked": len(parts.stacked),
            "reverse": self.reverse,
            "segments": segments,
        }
        given = loop_attrs(attrs)
        return b.add_node("loop", *parts.operands, regions=(body,), **given).values


def _pruned(graph: Graph) -> Graph:
    """The graph without what no output needs, inputs as well."""
    graph = prune(graph)
    read = {*graph.results, *(name for node in graph for name in node.operands)}
    return graph.with_nodes([x for x in graph if x.op != "input" or x.name in read])
