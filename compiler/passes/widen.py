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
    first one innermost. ``axes`` are those of the array that the sum has.
    """

    reader: Node
    base: str
    terms: list[Node]
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
    name = reader.operands[1]
    shape = graph[name].type.shape
    while graph[name].op == "reshape" and name in graph.read_once:
        name = graph[name].operands[0]
    axes = _axes(_type(graph, name).shape, shape)
    step: Any = reader.attrs["step"]
    if not axes or axes[-1] != len(shape) - 1 or any(step[a] != 1 for a in axes):
        return None
    terms: list[Node] = []
    while graph[name].op == "add_at" and name in graph.read_once:
        terms.insert(0, graph[name])
        name = graph[name].operands[0]
    if name not in graph.read_once and not is_zero(graph, name):
        return None
    return _Part(reader, name, terms, axes)


def _type(graph: Graph, name: str) -> Any:
    return next(x.type for x in graph[name].values if x.name == name)


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
    wanted = [*positions, *(name for term in part.terms for name in term.operands[1:])]
    if _is_sum_of(graph, loop, x) is None:
        wanted.append(x)
    after = set(loop.names)
    for node in graph:
        if not after.isdisjoint(node.operands):
            after.update(node.names)
    return after.isdisjoint(wanted)


def _is_sum_of(graph: Graph, loop: Node, x: str) -> int | None:
    """The number of the carried value that an array is, if that is only added to."""
    if x not in loop.names or x not in graph.read_once:
        return None
    number = loop.names.index(x)
    sums = number < len(parts_of(loop).carried) and adds_only(loop, number)
    return number if sums else None


def _adds_at_places(loop: Node, number: int) -> bool:
    """Whether iterations only add to a carried value, and only at positions."""
    (body,) = loop.regions
    start = body.inputs[1 + len(parts_of(loop).invariants) + number].name
    name, found = body.results[number], False
    while name in body.read_once:
        if name == start:
            return found
        node = body[name]
        if node.op == "add_at":
            name, found = node.operands[0], True
        elif node.op == "loop":
            place, carried = node.names.index(name), parts_of(node).carried
            if place >= len(carried) or not _adds_at_places(node, place):
                return False
            name, found = carried[place], True
        else:
            return False
    return False


def _apart(graph: Graph, part: _Part) -> Graph:
    """The graph that adds the terms to the array, each at its place."""
    reader = part.reader
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
            x = b.add_at(x, *_operands(b, part, term), **_place(b, part, term))
        last = part.terms[-1]
        operands, place = _operands(b, part, last), _place(b, part, last)
        b.append(instead(reader, "add_at", x, *operands, **place))
    return prune(graph.with_nodes(list(b.nodes)))


def _along(b: Builder, part: _Part, term: Node) -> dict[int, list[Node]]:
    """The positions of a term in the array, by axis in rising order."""
    found: dict[int, list[Node]] = {}
    for node, axes in ((part.reader, range(part.reader.type.rank)), (term, part.axes)):
        own: Any = node.attrs["axes"]
        for axis, name in zip(own, node.operands[2:], strict=True):
            found.setdefault(axes[axis], []).append(b[name])
    return dict(sorted(found.items()))


def _operands(b: Builder, part: _Part, term: Node) -> list[Node]:
    """What a term adds, in as many axes as the array has, and its positions there."""
    v = b[term.operands[1]]
    shape = [1] * part.reader.type.rank
    for axis, size in zip(part.axes, v.type.shape, strict=True):
        shape[axis] = size
    positions = _along(b, part, term).values()
    return [
        b.reshape(v, shape),
        *(b.add(*x) if len(x) > 1 else x[0] for x in positions),
    ]


def _place(b: Builder, part: _Part, term: Node) -> dict[str, tuple[int, ...]]:
    """The attributes of a term in the array."""
    given: Any = part.reader.attrs["start"]
    start, step = [*given], [1] * len(given)
    attrs: Any = term.attrs
    for axis, first, by in zip(part.axes, attrs["start"], attrs["step"], strict=True):
        start[axis] += first
        step[axis] = by
    axes = tuple(_along(b, part, term))
    return {"axes": axes, "start": tuple(start), "step": tuple(step)}


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
        values[other] = Value(reader.name, reader.type)
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
    nodes = [
        made if node.name == reader.name else node
        for node in graph
        if gone.isdisjoint(node.names)
    ]
    return graph.with_nodes(sorted_nodes(nodes))


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
