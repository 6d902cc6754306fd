"""Rows that a loop stacks and that meet when they are added: added in the loop."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from ...ir.builder import Builder
from ...ir.extent import Extent, whole
from ...ir.graph import Graph, Node, Output, Value
from ...ir.literals import Attrs
from ...ir.ops.parts import loop_attrs
from .begin import is_zero
from .bodies import parts_of
from .rewrite import instead
from .sums import terms_of

__all__ = ["overlap"]

MOST_ELEMENTS = 16  # of a row that is added where it is made


def overlap(graph: Graph) -> Graph:
    """Add rows in the loop that makes them, where padded rows would be added behind it.

    before:
        graph f(%x: f64[3,2]) {
          %a, %b = loop(%x) {trips=3, stacked=1} : f64[3,2], f64[3,2]:
            body(%t: i64[], %r: f64[2]) {
              %s = exp(%r) : f64[2]
              %w = neg(%s) : f64[2]
              return %s, %w
            }
          %p = pad(%a) {low=(0, 0), high=(1, 0), interior=(0, 0), value=0.0} : f64[4,2]
          %q = pad(%b) {low=(1, 0), high=(0, 0), interior=(0, 0), value=0.0} : f64[4,2]
          %y = add_n(%p, %q) : f64[4,2]
          return %y
        }
    after:
        graph f(%x: f64[3,2]) {
          %const.0 = const() {value=0.0} : f64[]
          %broadcast_to.0 = broadcast_to(%const.0) {shape=(4, 2)} : f64[4,2]
          %y = loop(%broadcast_to.0, %x) {trips=3, stacked=1, carried=1} : f64[4,2]:
            body(%t: i64[], %y.sum: f64[4,2], %r: f64[2]) {
              %s = exp(%r) : f64[2]
              %w = neg(%s) : f64[2]
              %reshape.0 = reshape(%s) {shape=(1, 2)} : f64[1,2]
              %add_at.0 = add_at(%y.sum, %reshape.0, %t) {axes=(0,), start=(0, 0), \
step=(1, 1)} : f64[4,2]
              %reshape.1 = reshape(%w) {shape=(1, 2)} : f64[1,2]
              %add_at.1 = add_at(%add_at.0, %reshape.1, %t) {axes=(0,), \
start=(1, 0), step=(1, 1)} : f64[4,2]
              return %add_at.1
            }
          return %y
        }

    The gradient of an array whose rows a loop reads several of, as a stencil does, is
    such a sum. Rows that lie side by side are left to `join`, which copies nothing.
    Here they meet, or stand between each other, so that each would be padded to an
    array of the whole size and then added. So are rows of a loop with a limit, of which
    many may be zeros that it never made. Rows of few elements that are added to an
    array from before the loop are added in it too, so that a loop around it has one
    array for all. So are rows that are zeros but at a few places. Keeps results but for
    the order of additions and the sign of a zero.
    """
    if all(node.op != "loop" for node in graph):
        return graph
    while (found := _first(graph)) is not None:
        graph = _inside(graph, found)
    return graph


class _Row(NamedTuple):
    """A value of a loop: its number, the term that it is, and where its rows go."""

    number: int
    term: str
    extent: Extent


class _Sum(NamedTuple):
    """A sum of padded rows of one loop, and of other terms."""

    node: Node
    loop: Node
    rows: list[_Row]
    others: list[str]


def _first(graph: Graph) -> _Sum | None:
    """A sum of rows that no concatenation has side by side."""
    makers = {
        name: (node, number)
        for node in graph
        if node.op == "loop"
        for number, name in enumerate(node.names)
    }
    for node in graph:
        if node.op not in ("add", "add_n") or not node.type.is_float:
            continue
        if not node.type.size:  # of a loop without a turn: no row is inside
            continue
        rows: dict[str, list[_Row]] = {}
        loops: dict[str, Node] = {}
        for name in node.operands:
            pad = graph[name]
            maker = makers.get(pad.operands[0] if pad.op == "pad" else name)
            if maker is None:
                continue
            loop, number = maker
            type_ = loop.values[number].type
            if pad.op == "pad" and _is_row(graph, pad, loop, number, node):
                low, gaps = _numbers(pad, "low"), _numbers(pad, "interior")
                extent = Extent(low, type_.shape, tuple(gap + 1 for gap in gaps))
            elif pad.op != "pad" and _is_line(graph, loop, number, node):
                extent = whole(type_.shape)
            else:
                continue
            loops[loop.name] = loop
            rows.setdefault(loop.name, []).append(_Row(number, name, extent))
        for name, found in rows.items():
            few = loops[name].attrs.get("limit")
            lines = any(row.term in loops[name].names for row in found)
            if few or lines or _meet([row.extent for row in found]):
                taken = {row.term for row in found}
                others = [x for x in node.operands if x not in taken]
                return _Sum(node, loops[name], found, others)
    return None


def _is_row(graph: Graph, pad: Node, loop: Node, number: int, total: Node) -> bool:
    """Whether a value pads stacked rows with zeros around and between, for the sum."""
    if pad.attrs["value"] != 0 or pad.name not in graph.read_once:
        return False
    rows = loop.names[number]
    stacked = number >= len(parts_of(loop).carried)
    sides = (*_numbers(pad, "low"), *_numbers(pad, "high"))
    readers = [graph[read.consumer] for read in graph.reads[rows]]
    alone = all(x.op == "pad" and x.name in total.operands for x in readers)
    return stacked and alone and rows not in graph.results and min(sides) >= 0


def _is_line(graph: Graph, loop: Node, number: int, total: Node) -> bool:
    """Whether rows of few elements are added to what is there before the loop.

    A row is small, or it is zeros to which less than it has is added at places.
    """
    name = loop.names[number]
    stacked = number >= len(parts_of(loop).carried)
    if not stacked or name not in graph.read_once or len(total.operands) == 1:
        return False
    (body,) = loop.regions
    row = body[body.results[number]]
    few = body.results.count(row.name) == 1 and _added(body, row) < row.type.size
    if row.type.size > MOST_ELEMENTS and not few:
        return False
    after = set(loop.names)
    for node in graph:
        if not after.isdisjoint(node.operands):
            after.update(node.names)
    return after.isdisjoint(x for x in total.operands if x != name)


def _added(body: Graph, row: Node) -> int:
    """How many elements are added to zeros; all of a row that is no such sum."""
    found = terms_of(body, row.name, ()) if row.op == "add_at" else None
    if found is None or not is_zero(body, found[1]):
        return row.type.size
    return sum(math.prod(term.extent.shape) for term in found[0])


def _numbers(pad: Node, name: str) -> tuple[int, ...]:
    numbers: Any = pad.attrs[name]
    return numbers


def _meet(places: Sequence[Extent]) -> bool:
    """Whether some overlap, or stand between each other."""
    between = any(by != 1 for place in places for by in place.step)
    pairs = ((a, b) for i, a in enumerate(places) for b in places[:i])
    return len(places) > 1 and (between or any(a.overlaps(b) for a, b in pairs))


def _inside(graph: Graph, found: _Sum) -> Graph:
    """The graph whose loop adds the rows up."""
    total, loop, rows, others = found
    b = Builder(graph.name, reserved=graph.nodes)
    gone = {row.term for row in rows}.difference(loop.names)
    name = b.unique(f"{total.name}.rows") if others else total.name
    for node in graph:
        if node.name in gone or (node is total and not others):
            continue
        b.section, b.source = node.section, node.source
        if node is loop:
            b.append(_adding(loop, Value(name, total.type), b.like(total, 0.0), rows))
        elif node is total:
            names = (b[x] for x in (*others, name))
            b.append(instead(total, "add_n", *names))
        else:
            b.append(node)
    return graph.with_nodes(list(b.nodes))


def _adding(loop: Node, value: Value, zeros: Node, rows: Sequence[_Row]) -> Node:
    """The loop that carries a sum, to which it adds its rows, and stacks them not."""
    (body,) = loop.regions
    parts = parts_of(loop)
    count, last = len(parts.carried), len(body.inputs) - len(parts.stacked)
    b = Builder(body.name, reserved=body.nodes)
    sum_ = Node(b.unique(f"{value.name}.sum"), "input", (), value.type)
    for node in (*body.inputs[:last], sum_, *body.inputs[last:]):
        b.append(node)
    for node in body:
        if node.op != "input":
            b.append(node)
        b.section = max(b.section, node.section)
    b.source = loop.source
    made = sum_
    for row in rows:
        inner = b[body.results[row.number]]
        first, rest = row.extent.step[0], row.extent.step[1:]
        t = b[body.inputs[0].name]
        made = b.add_at(
            made,
            b.reshape(inner, (1, *inner.type.shape)),
            t if first == 1 else b.mul(t, b.const(first, "i64")),
            axes=(0,),
            start=row.extent.start,
            step=(1, *rest),
        )
    gone = {row.number for row in rows}
    kept = [i for i in range(count, len(loop.values)) if i not in gone]
    values = [*loop.values[:count], value, *(loop.values[i] for i in kept)]
    several = tuple(Value(x.name, x.type) for x in values)
    outputs = [
        *body.outputs[:count],
        Output(made.name),
        *(body.outputs[i] for i in kept),
    ]
    taken = parts._replace(carried=[*parts.carried, zeros.name])
    return loop._replace(
        name=several[0].name,
        type=several[0].type,
        several=several if len(several) > 1 else (),
        operands=tuple(taken.operands),
        attrs=Attrs(loop_attrs({**loop.attrs, "carried": count + 1})),
        regions=(body.with_nodes(list(b.nodes), outputs),),
    )
