"""Carried values that no iteration changes."""

from __future__ import annotations

from ...ir.graph import Graph, Node
from ...ir.literals import Attrs
from ...ir.ops.parts import loop_attrs
from .bodies import parts_of

__all__ = ["steady"]


def steady(graph: Graph) -> Graph:
    """Take a carried value that every iteration hands on as an invariant.

    before:
        graph f(%x: f64[], %g: f64[]) {
          %a, %b = loop(%x, %g) {trips=4, carried=2} : f64[], f64[]:
            body(%t: i64[], %u: f64[], %v: f64[]) {
              %w = mul(%u, %v) : f64[]
              return %w, %v
            }
          %y = add(%a, %b) : f64[]
          return %y
        }
    after:
        graph f(%x: f64[], %g: f64[]) {
          %a = loop(%g, %x) {trips=4, carried=1} : f64[]:
            body(%t: i64[], %v: f64[], %u: f64[]) {
              %w = mul(%u, %v) : f64[]
              return %w
            }
          %y = add(%a, %g) : f64[]
          return %y
        }

    The cotangent of a sum is such a value, and so are zeros that each iteration hands
    on as zeros. A loop with a limit stays where nothing else of it is read: the limit
    may be what another loop counted, whose check says that it did not go on for ever.
    Keeps results bit for bit.
    """
    names: dict[str, str] = {}
    nodes: list[Node] = []
    for node in graph:
        operands = [names.get(name, name) for name in node.operands]
        made = node.reading(tuple(operands))
        same = _unchanged(graph, made) if made.op == "loop" else []
        if same:
            carried = parts_of(made).carried
            names.update((made.names[k], carried[k]) for k in same)
        if len(same) < len(made.names):
            nodes.append(_without(made, same) if same else made)
    if not names:
        return graph
    outputs = [
        out._replace(value=names.get(out.value, out.value)) for out in graph.outputs
    ]
    return graph.with_nodes(nodes, outputs)


def _unchanged(graph: Graph, loop: Node) -> list[int]:
    """The numbers of the carried values that end as they began."""
    (body,) = loop.regions
    parts = parts_of(loop)
    first = 1 + len(parts.invariants)
    found: list[int] = []
    for number, start in enumerate(parts.carried):
        end = body.results[number]
        handed_on = end == body.inputs[first + number].name
        literal = _literal(graph, start)
        constant = literal is not None and literal == _literal(body, end)
        if (handed_on or constant) and not (number == 0 and loop.attrs.get("test")):
            found.append(number)
    others = [name for number, name in enumerate(loop.names) if number not in found]
    is_read = any(graph.reads[name] or name in graph.results for name in others)
    return found if is_read or not loop.attrs.get("limit") else []


def _literal(graph: Graph, name: str) -> Attrs | None:
    """The constant that a value is everywhere, as it is written."""
    node = graph[name]
    while node.op in ("broadcast_to", "reshape"):
        node = graph[node.operands[0]]
    return node.attrs if node.op == "const" else None


def _without(loop: Node, same: list[int]) -> Node:
    """The loop that takes these carried values as invariants, and makes the others."""
    (body,) = loop.regions
    parts = parts_of(loop)
    count, first = len(parts.carried), 1 + len(parts.invariants)
    kept = [k for k in range(count) if k not in same]
    inputs = list(body.inputs)
    own = [
        *inputs[:first],
        *(inputs[first + k] for k in same),
        *(inputs[first + k] for k in kept),
        *inputs[first + count :],
    ]
    taken = parts._replace(
        invariants=[*parts.invariants, *(parts.carried[k] for k in same)],
        carried=[parts.carried[k] for k in kept],
    )
    places = [k for k in range(len(loop.names)) if k not in same]
    several = tuple([loop.several[k] for k in places]) if len(places) > 1 else ()
    nodes = [node for node in body if node.op != "input"]
    return loop.values[places[0]]._replace(
        several=several,
        operands=tuple(taken.operands),
        attrs=Attrs(loop_attrs({**loop.attrs, "carried": len(kept)})),
        regions=(body.with_nodes([*own, *nodes], [body.outputs[k] for k in places]),),
    )
