"""States that a loop keeps twice: before a turn, and after the turn in front of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ...ir.builder import Builder
from ...ir.graph import Graph, Node
from ...ir.iterations import is_static
from ...ir.literals import Attrs
from .bodies import parts_of

__all__ = ["states"]


def states(graph: Graph) -> Graph:
    """Show the states before and after each turn of a loop as parts of one array.

    before:
        graph f(%x: f64[3]) {
          %a, %before, %after = loop(%x) {trips=4, carried=1} : f64[3], f64[4,3], \
f64[4,3]:
            body(%t: i64[], %u: f64[3]) {
              %v = exp(%u) : f64[3]
              return %v, %u, %v
            }
          %b = add(%before, %after) : f64[4,3]
          return %a, %b
        }
    after:
        graph f(%x: f64[3]) {
          %a, %before.unused, %after.made = loop(%x) {trips=4, carried=1} : f64[3], \
f64[4,3], f64[4,3]:
            body(%t: i64[], %u: f64[3]) {
              %v = exp(%u) : f64[3]
              return %v, %u, %v
            }
          %reshape.0 = reshape(%x) {shape=(1, 3)} : f64[1,3]
          %concatenate.0 = concatenate(%reshape.0, %after.made) {axis=0} : f64[5,3]
          %before = slice(%concatenate.0) {start=(0, 0), shape=(4, 3), step=(1, 1)} \
: f64[4,3]
          %after = slice(%concatenate.0) {start=(1, 0), shape=(4, 3), step=(1, 1)} \
: f64[4,3]
          %b = add(%before, %after) : f64[4,3]
          return %a, %b
        }

    A recurrent network keeps both for its way back. It is done where neither is a
    result of the graph, and where a state is an array. Keeps results bit for bit.
    `prune` drops what was stacked; the rest is made where the concatenation lies.
    """
    b = Builder(graph.name, reserved=graph.nodes)
    changed = False
    results = set(graph.results)
    for node in graph:
        found = list(_pairs(node, results)) if node.op == "loop" else []
        if not found:
            b.append(node)
            continue
        changed = True
        values = list(node.several)
        for pair in found:
            for number, hint in ((pair.before, "unused"), (pair.after, "made")):
                name = b.unique(f"{node.names[number]}.{hint}")
                values[number] = values[number]._replace(name=name)
        made = b.append(node._replace(several=tuple(values), name=values[0].name))
        b.section, b.source = node.section, node.source
        for pair in found:
            _show(b, node, made, pair)
    return graph.with_nodes(list(b.nodes)) if changed else graph


class _Pair(NamedTuple):
    """The numbers of a carried value, and of its rows before and after each turn."""

    carried: int
    before: int
    after: int


def _pairs(loop: Node, results: set[str]) -> Iterator[_Pair]:
    """The states of a loop that it keeps twice."""
    if not is_static(loop):
        return
    (body,) = loop.regions
    parts = parts_of(loop)
    count = len(parts.carried)
    rows: dict[str, int] = {}
    for number in range(count, len(loop.values)):
        rows.setdefault(body.results[number], number)
    first = 1 + len(parts.invariants)
    taken = {n for n, name in enumerate(loop.names) if name in results}
    for number, state in enumerate(body.inputs[first : first + count]):
        before, after = rows.get(state.name), rows.get(body.results[number])
        if before is None or after is None or before == after or not state.type.rank:
            continue
        if not {before, after} & taken:
            yield _Pair(number, before, after)
            taken |= {before, after}  # they may be the states of two


def _show(b: Builder, loop: Node, made: Node, pair: _Pair) -> None:
    """Append both rows as parts of one array, with their names."""
    type_ = loop.values[pair.after].type
    begin = b[parts_of(loop).carried[pair.carried]]
    first = b.reshape(begin, (1, *begin.type.shape))
    order = [first, b[made.names[pair.after]]]
    backwards = bool(loop.attrs.get("reverse"))
    whole = b.concatenate(*reversed(order) if backwards else order, axis=0)
    rest = (0,) * (type_.rank - 1)
    for number, late in ((pair.before, False), (pair.after, True)):
        start, step = (int(late != backwards), *rest), (1,) * type_.rank
        attrs = Attrs({"start": start, "shape": type_.shape, "step": step})
        name = loop.names[number]
        shown = Node(name, "slice", (whole.name,), type_, attrs, b.section)
        b.append(shown._replace(source=b.source))
