"""What no carried value is needed for, out of loops: computed for all turns at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...ir.builder import Builder
from ...ir.errors import TraceError
from ...ir.graph import Graph, Node, Output
from ...ir.ops.parts import Parts, loop_attrs, split_operands
from ..passes.prune import prune
from ..pipeline import run_passes
from ..transforms.vmap import vmapped

__all__ = ["prepared", "spread"]

FEW = 16  # turns, which are walked as fast one by one
MOST = 20_000_000  # elements of all turns


def prepared(graph: Graph) -> Graph:
    """The graph as a walk takes it, with the same derivatives.

    Passes that know of values alone would take away what has the value of one operand
    and the derivative of another.
    """
    tidy = run_passes(graph, ("prune", "fold", "dedupe"))
    return spread(run_passes(_without_identities(tidy), ("steady", "prune")))


def _without_identities(graph: Graph) -> Graph:
    """The graph in which what reads an identity reads the value itself."""
    names: dict[str, str] = {}
    nodes: list[Node] = []
    for node in graph.map_regions(_without_identities):
        operands = tuple([names.get(name, name) for name in node.operands])
        if node.op == "identity":
            names[node.name] = operands[0]
        else:
            nodes.append(node.reading(operands))
    outputs = [x._replace(value=names.get(x.value, x.value)) for x in graph.outputs]
    return graph.with_nodes(nodes, outputs) if names or graph.depth > 1 else graph


def spread(graph: Graph) -> Graph:
    """Compute in front of loops what their turns do not need each other for.

    before:
        graph f(%x: f64[100]) {
          %z = const() {value=0.0} : f64[]
          %s = loop(%z, %x) {trips=100, carried=1, stacked=1} : f64[]:
            body(%t: i64[], %c: f64[], %row: f64[]) {
              %v = sin(%row)   : f64[]
              %r = add(%c, %v) : f64[]
              return %r
            }
          return %s
        }
    after:
        graph f(%x: f64[100]) {
          %z = const() {value=0.0} : f64[]
          %v = sin(%x) : f64[100]
          %s = loop(%z, %v) {trips=100, carried=1, stacked=1} : f64[]:
            body(%t: i64[], %c: f64[], %v: f64[]) {
              %r = add(%c, %v) : f64[]
              return %r
            }
          return %s
        }

    A loop of few turns, or one with a test or a limit, stays as it is, and so does one
    whose values of all turns would take too much memory.
    """
    if graph.depth == 1:
        return graph
    b = Builder(graph.name, reserved=graph.nodes)
    values: dict[str, Node] = {}
    for node in graph.map_regions(spread):
        operands = [values[name] for name in node.operands]
        made = _spread(b, node, operands) if node.op == "loop" else None
        if made is None:
            kept = node._replace(section=0, reads=())
            made = b.append(kept.reading(tuple([x.name for x in operands]))).values
        values.update(zip(node.names, made, strict=True))
    outputs = [Output(values[x.value].name, x.label) for x in graph.outputs]
    return prune(b.build(outputs))


def _spread(b: Builder, node: Node, operands: Sequence[Node]) -> Sequence[Node] | None:
    """The values of a loop; None where it stays as it is."""
    attrs, (body,) = node.attrs, node.regions
    trips: Any = attrs.get("trips")
    if trips is None or trips < FEW or attrs.get("limit") or attrs.get("test"):
        return None
    parts = split_operands(attrs, operands)
    counter, *taken = body.inputs
    names = split_operands(attrs, [x.name for x in taken])
    moved = _moved(body, {counter.name, *names.stacked}, set(names.carried))
    left = [one for one in body if one.name not in moved]
    read = {name for one in left for name in one.operands} | set(body.results)
    ends = [name for name in body.nodes if name in moved and name in read]
    size = trips * sum(body[name].type.size for name in moved)
    if not ends or size > MOST:
        return None
    apart = [x for x in body if x.op != "input" or x.name not in names.carried]
    first = prune(Graph("turns", apart, [Output(name) for name in ends]))
    flags = [x.name not in names.invariants for x in first.inputs]
    try:
        many, _ = vmapped(first, flags, trips, wanted=range(len(ends)))
    except TraceError:
        return None
    turns = b.iota(shape=(trips,), axis=0, dtype="i64")
    rows = b.embed(many, [turns, *parts.invariants, *parts.stacked])
    return _rest(b, node, parts, left, dict(zip(ends, rows, strict=True)))


def _moved(body: Graph, varying: set[str], carried: set[str]) -> set[str]:
    """The values that vary from turn to turn, whatever is carried."""
    moved: set[str] = set()
    for node in body:
        if not carried.isdisjoint(node.operands):
            carried.update(node.names)
        elif not varying.isdisjoint(node.operands):
            varying.update(node.names)
            moved.update(node.names)
    return moved


def _rest(
    b: Builder,
    node: Node,
    parts: Parts[Node],
    left: Sequence[Node],
    rows: Mapping[str, Node],
) -> Sequence[Node]:
    """The values of the loop, which reads ``rows`` and computes what is ``left``."""
    (body,) = node.regions
    inputs = [x for x in left if x.op == "input"]
    inputs += [Node(name, "input", (), body[name].type) for name in rows]
    count = len(parts.carried)
    kept = [
        number
        for number, name in enumerate(body.results)
        if number < count or name not in rows
    ]
    made: Sequence[Node] = ()
    if kept:
        nodes = [x for x in left if x.op != "input"]
        outputs = [body.outputs[number] for number in kept]
        stacked = len(parts.stacked) + len(rows)
        attrs = {**node.attrs, "stacked": stacked}
        made = b.add_node(
            "loop",
            *parts.operands,
            *rows.values(),
            regions=(prune(Graph(body.name, [*inputs, *nodes], outputs)),),
            **loop_attrs(attrs),
        ).values
    found = dict(zip(kept, made, strict=True))
    return [
        found[number] if number in found else rows[name]
        for number, name in enumerate(body.results)
    ]
