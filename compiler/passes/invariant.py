"""Values that a loop carries and that no iteration changes."""

from __future__ import annotations

from ...ir.graph import Graph, Node, Output, Value
from ...ir.literals import Attrs
from ...ir.ops.parts import loop_attrs
from .bodies import parts_of

__all__ = ["invariant"]


def invariant(graph: Graph) -> Graph:
    """Take as an invariant what each iteration of a loop carries on as it came.

    before:
        graph f(%x: f64[], %y: f64[]) {
          %a, %b = loop(%x, %y) {trips=4, carried=2} : f64[], f64[]:
            body(%t: i64[], %u: f64[], %v: f64[]) {
              %w = mul(%u, %v) : f64[]
              return %w, %v
            }
          return %a, %b
        }
    after:
        graph f(%x: f64[], %y: f64[]) {
          %a = loop(%y, %x) {trips=4, carried=1} : f64[]:
            body(%t: i64[], %v: f64[], %u: f64[]) {
              %w = mul(%u, %v) : f64[]
              return %w
            }
          return %a, %y
        }

    The cotangent of a sum is such a value: each term has that of the sum. Iterations
    of a loop that only adds up then do not wait for each other, the way back neither.
    Keeps results bit for bit. The test of a loop is left to it, and so is a loop of
    which nothing else is read if it has a limit: that is what some other loop counted,
    which has a check.
    """
    if all(node.op != "loop" for node in graph):
        return graph
    names: dict[str, str] = {}
    nodes: list[Node] = []
    for node in graph:
        made: Node | None = node.reading(
            tuple([names.get(name, name) for name in node.operands])
        )
        if made.op == "loop":
            kept = _unchanged(made)
            if made.attrs.get("limit") and not _is_read(graph, made, kept):
                kept = []
            for number in kept:
                names[made.names[number]] = parts_of(made).carried[number]
            made = _without(made, kept) if kept else made
        if made is not None:
            nodes.append(made)
    if not names:
        return graph
    outputs = [Output(names.get(o.value, o.value), o.label) for o in graph.outputs]
    return graph.with_nodes(nodes, outputs)


def _unchanged(loop: Node) -> list[int]:
    """The numbers of the carried values that are the same in all iterations."""
    (body,) = loop.regions
    parts = parts_of(loop)
    first = 1 + len(parts.invariants)
    return [
        number
        for number in range(1 if loop.attrs.get("test") else 0, len(parts.carried))
        if body.results[number] == body.inputs[first + number].name
    ]


def _is_read(graph: Graph, loop: Node, kept: list[int]) -> bool:
    """Whether a value of a loop is read that is none of these."""
    others = [name for i, name in enumerate(loop.names) if i not in kept]
    return any(graph.reads[x] or x in graph.results for x in others)


def _without(loop: Node, kept: list[int]) -> Node | None:
    """The loop with these carried values as invariants; None if it makes nothing."""
    (body,) = loop.regions
    parts = parts_of(loop)
    first = 1 + len(parts.invariants)
    carried = [i for i in range(len(parts.carried)) if i not in kept]
    values = [
        Value(value.name, value.type)
        for place, value in enumerate(loop.values)
        if place not in kept
    ]
    if not values:
        return None
    taken = parts._replace(
        invariants=[*parts.invariants, *(parts.carried[i] for i in kept)],
        carried=[parts.carried[i] for i in carried],
    )
    inputs = [
        *body.inputs[:first],
        *(body.inputs[first + i] for i in (*kept, *carried)),
        *body.inputs[first + len(parts.carried) :],
    ]
    outputs = [out for place, out in enumerate(body.outputs) if place not in kept]
    nodes = [*inputs, *(node for node in body if node.op != "input")]
    return loop._replace(
        name=values[0].name,
        type=values[0].type,
        several=tuple(values) if len(values) > 1 else (),
        operands=tuple(taken.operands),
        attrs=Attrs(loop_attrs({**loop.attrs, "carried": len(carried)})),
        regions=(body.with_nodes(nodes, outputs),),
    )
