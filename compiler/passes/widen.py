"""Sums that a loop begins with zeros, and that are added to a part of an array."""

from __future__ import annotations

from typing import Any, NamedTuple

from ...ir.builder import Builder
from ...ir.graph import Graph, Node, Output, Value
from ...ir.literals import Attrs
from ...ir.ops.parts import loop_attrs
from .begin import adds_only, is_zero, sorted_nodes
from .bodies import parts_of
from .prune import prune
from .rewrite import instead
from .sums import Term, terms_of

__all__ = ["widen"]


def widen(graph: Graph) -> Graph:
    """Let a loop that adds to zeros add to the array instead to which its sum is added.

    before:
        graph f(%s: f64[3,4], %v: f64[1], %i: i64[]) {
          %c = const() {value=0.0}           : f64[]
          %z = broadcast_to(%c) {shape=(4,)} : f64[4]
          %a = loop(%v, %z) {trips=4, carried=1} : f64[4]:
            body(%t: i64[], %v: f64[1], %u: f64[4]) {
              %w = add_at(%u, %v, %t) {axes=(0,), start=(0,), step=(1,)} : f64[4]
              return %w
            }
          %r = reshape(%a) {shape=(1, 4)}    : f64[1,4]
          %y = add_at(%s, %r, %i) {axes=(0,), start=(0, 0), step=(1, 1)} : f64[3,4]
          return %y
        }
    after:
        graph f(%s: f64[3,4], %v: f64[1], %i: i64[]) {
          %c = const() {value=0.0}           : f64[]
          %z = broadcast_to(%c) {shape=(4,)} : f64[4]
          %y = loop(%v, %i, %s) {trips=4, carried=1} : f64[3,4]:
            body(%t: i64[], %v: f64[1], %i: i64[], %y.sum: f64[3,4]) {
              %reshape.1 = reshape(%v) {shape=(1, 1)} : f64[1,1]
              %add_at.0 = add_at(%y.sum, %reshape.1, %i, %t) {axes=(0, 1), \
start=(0, 0), step=(1, 1)} : f64[3,4]
              return %add_at.0
            }
          return %y
        }

    Sums of one loop that are added to one array become one, so the way back through a
    stencil has one memory for what it adds to all rows around. The last axis has to be
    that of the array, or what lay side by side would not. Keeps results but for the
    order of additions and the sign of a zero.
    """
    if all(node.op != "add_at" for node in graph):
        return graph
    while (found := _first(graph)) is not None:
        graph = _apart(graph, found) if found.terms else _widened(graph, found)
    return graph


class _Part(NamedTuple):
    """A sum that ``reader``, an `add_at`, adds to a part of an array.

    It is a value of a loop, or zeros, and the ``terms`` that are added to that, the
    first one first. ``axes`` are those of the array that the sum has.
    """

    reader: Node
    base: str
    terms: list[Term]
    axes: list[int]


def _first(graph: Graph) -> _Part | None:
    """A sum that can be added to the array itself."""
    for reader in graph:
        if reader.op != "add_at":
            continue
        part = _part(graph, reader)
        if part is None:
            continue
        node = graph[part.base]
        if is_zero(graph, part.base):
            if part.terms:
                return part
        elif node.op == "loop" and _fits(graph, node, part):
            return part
    return None


def _part(graph: Graph, reader: Node) -> _Part | None:
    """What is added, if all of it is read for that alone, and has the last axis."""
    outer = reader.name
    name = reader.operands[1]
    shape = graph[name].type.shape
    while graph[name].op == "reshape" and name in graph.read_once:
        outer, name = name, graph[name].operands[0]
    axes = _axes(graph[name].type.shape, shape)
    step: Any = reader.attrs["step"]
    if not axes or axes[-1] != len(shape) - 1 or any(step[a] != 1 for a in axes):
        return None
    found = None if name in graph.results else terms_of(graph, name, {outer})
    return None if found is None else _Part(reader, found[1], found[0], axes)


def _axes(narrow: tuple[int, ...], wide: tuple[int, ...]) -> list[int]:
    """Where the axes of a shape are in another that has more axes of one place."""
    found: list[int] = []
    left = list(narrow)
    for axis in reversed(range(len(wide))):
        if left and wide[axis] == left[-1]:
            left.pop()
            found.insert(0, axis)
        elif wide[axis] != 1:
            return []
    return [] if left else found


def _fits(graph: Graph, loop: Node, part: _Part) -> bool:
    """Whether the loop can begin with the array."""
    number = loop.names.index(part.base)
    parts = parts_of(loop)
    if number >= len(parts.carried) or not is_zero(graph, parts.carried[number]):
        return False
    if not part.reader.type.is_float or not _adds_at_places(loop, number):
        return False
    x, _, *positions = part.reader.operands
    wanted = [*positions, *([x] if _is_sum_of(graph, loop, x) is None else [])]
    after = set(loop.names)
    for node in graph:
        if not after.isdisjoint(node.operands):
            after.update(node.names)
    return after.isdisjoint(wanted)


def _is_sum_of(graph: Graph, loop: Node, x: str) -> int | None:
    """The number of the carried value that an array is, with terms that are added.

    None where iterations do anything else with it than to add to it.
    """
    while x in graph.read_once and graph[x].op == "add_at":
        x = graph[x].operands[0]
    if x not in loop.names or x not in graph.read_once:
        return None
    number = loop.names.index(x)
    sums = number < len(parts_of(loop).carried) and adds_only(loop, number)
    return number if sums else None


def _adds_at_places(loop: Node, number: int) -> bool:
    """Whether iterations only add to a carried value, and only at places."""
    (body,) = loop.regions
    start = body.inputs[1 + len(parts_of(loop).invariants) + number].name
    end = body.results[number]
    found = terms_of(body, end, ()) if body.results.count(end) == 1 else None
    if found is None:
        return False
    terms, base = found
    node = body[base]
    if node.op == "loop":
        place, carried = node.names.index(base), parts_of(node).carried
        inside = place < len(carried) and _adds_at_places(node, place)
        return inside and carried[place] == start and start in body.read_once
    return base == start and any(term.positions for term in terms)


def _apart(graph: Graph, part: _Part) -> Graph:
    """The graph that adds the terms to the array, each at its place."""
    reader = part.reader
    outer = Term.of(graph, reader)
    b = Builder(graph.name, reserved=graph.nodes)
    for node in graph:
        if node.name != reader.name:
            b.append(node)
            continue
        b.section, b.source = node.section, node.source
        x, v, *positions = (b[name] for name in reader.operands)
        if not is_zero(graph, part.base):
            inner = b.reshape(b[part.base], v.type.shape)
            x = b.add_at(x, inner, *positions, **reader.attrs)
        for term in part.terms[:-1]:
            made = term.within(outer, part.axes, b)
            x = b.add_at(x, *made["operands"], **made["attrs"])
        made = part.terms[-1].within(outer, part.axes, b)
        b.append(instead(reader, "add_at", x, *made["operands"], **made["attrs"]))
    return prune(graph.with_nodes(list(b.nodes)))


def _widened(graph: Graph, part: _Part) -> Graph:
    """The graph whose loop carries the array, to which each iteration adds its part."""
    reader, loop = part.reader, graph[part.base]
    x = reader.operands[0]
    number, other = loop.names.index(part.base), _is_sum_of(graph, loop, x)
    parts = parts_of(loop)
    values, carried = [Value(v.name, v.type) for v in loop.values], [*parts.carried]
    if other is None:
        values[number], carried[number] = Value(reader.name, reader.type), x
    else:
        del values[number], carried[number]
    added = [p for p in dict.fromkeys(reader.operands[2:]) if p not in parts.invariants]
    invariants = [*parts.invariants, *added]
    taken = parts._replace(invariants=invariants, carried=carried)
    made = loop._replace(
        name=values[0].name,
        type=values[0].type,
        several=tuple(values) if len(values) > 1 else (),
        operands=tuple(taken.operands),
        attrs=Attrs(loop_attrs({**loop.attrs, "carried": len(carried)})),
        regions=(widen(_body(graph, loop, part, number, other, added)),),
    )
    gone = {part.base}
    name = reader.operands[1]
    while name != part.base:
        gone.add(name)
        name = graph[name].operands[0]
    nodes = [node for node in graph if gone.isdisjoint(node.names)]
    place = next(i for i, node in enumerate(nodes) if node.name == reader.name)
    nodes[place] = made
    names = {} if other is None else {reader.name: x}
    renamed = [
        node.reading(tuple(names.get(x, x) for x in node.operands)) for node in nodes
    ]
    outputs = [
        out._replace(value=names.get(out.value, out.value)) for out in graph.outputs
    ]
    return graph.with_nodes(sorted_nodes(renamed), outputs)


def _body(
    graph: Graph,
    loop: Node,
    part: _Part,
    number: int,
    other: int | None,
    added: list[str],
) -> Graph:
    """The body that begins a carried sum with zeros, and adds it to the array.

    The array is the carried value number ``other``, or takes the place of the sum.
    ``added`` are positions that the body has not yet.
    """
    (body,) = loop.regions
    reader, parts = part.reader, parts_of(loop)
    b = Builder(body.name, reserved=body.nodes)
    first = 1 + len(parts.invariants)
    before, sum_ = body.inputs[:first], body.inputs[first + number]
    names = dict(zip(parts.invariants, (x.name for x in before[1:]), strict=True))
    array = Node(b.unique(f"{reader.name}.sum"), "input", (), reader.type)
    for node in before:
        b.append(node)
    for name in added:
        names[name] = b.input(name, graph[name].type).name
    for node in body.inputs[first:]:
        if node is not sum_:
            b.append(node)
        elif other is None:
            b.append(array)
    b.source = reader.source
    zeros = b.like(sum_, 0.0).name
    for node in body:
        if node.op != "input":
            operands = [zeros if x == sum_.name else x for x in node.operands]
            b.append(node.reading(tuple(operands)))
            b.section = max(b.section, node.section)
    made = b.add_at(
        array if other is None else b[body.results[other]],
        b.reshape(b[body.results[number]], graph[reader.operands[1]].type.shape),
        *(b[names[x]] for x in reader.operands[2:]),
        **reader.attrs,
    )
    outputs = [*body.outputs]
    outputs[number if other is None else other] = Output(made.name)
    if other is not None:
        del outputs[number]
    return body.with_nodes(list(b.nodes), outputs)
