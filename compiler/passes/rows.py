"""Arrays of which each iteration of a loop reads or writes the row of its counter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ...ir.builder import Builder
from ...ir.extent import whole
from ...ir.graph import Graph, Node
from ...ir.iterations import is_static
from ...ir.literals import Attrs
from ...ir.types import TensorType
from .at import Place, place_of
from .bodies import parts_of, take_name, with_rows, with_taken, without_carried
from .prune import prune

__all__ = ["rows"]


def rows(graph: Graph) -> Graph:
    """Stack what iterations store in rows, and take rows that they read as stacked.

    before:
        graph f(%x: f64[4,2], %y: f64[4,2], %h: f64[1,2]) {
          %a, %b = loop(%x, %h, %y) {trips=4, carried=2} : f64[1,2], f64[4,2]:
            body(%t: i64[], %x: f64[4,2], %h: f64[1,2], %y: f64[4,2]) {
              %r = slice_at(%x, %t) {axes=(0,), start=(0, 0), step=(1, 1), \
shape=(1, 2)} : f64[1,2]
              %s = add(%h, %r) : f64[1,2]
              %z = update_at(%y, %s, %t) {axes=(0,), start=(0, 0), step=(1, 1)} \
: f64[4,2]
              return %s, %z
            }
          return %a, %b
        }
    after:
        graph f(%x: f64[4,2], %y: f64[4,2], %h: f64[1,2]) {
          %x.rows = reshape(%x) {shape=(4, 1, 2)} : f64[4,1,2]
          %a, %b.rows = loop(%h, %x.rows) {trips=4, carried=1, stacked=1} \
: f64[1,2], f64[4,1,2]:
            body(%t: i64[], %h: f64[1,2], %r.taken: f64[1,2]) {
              %s = add(%h, %r.taken) : f64[1,2]
              return %s, %s
            }
          %b = reshape(%b.rows) {shape=(4, 2)} : f64[4,2]
          return %a, %b
        }

    So a recurrent network that fills an array has the loop of one that scans: `hoist`
    and `total` see its rows. A carried array may be read at the row of the counter too,
    which is as it was before the loop. Keeps results bit for bit. A loop that may end
    early is left alone.
    """
    names = set(graph.nodes)
    nodes: list[Node] = []
    for node in graph:
        front: list[Node] = []
        behind: list[Node] = []
        made = node
        if node.op == "loop" and is_static(node):
            made = _taking(graph, made, front, names)
            while (found := _filled(made)) is not None:
                made = _stacking(graph, made, found, front, behind, names)
        nodes += [*front, made, *behind]
    return graph if len(nodes) == len(graph) else prune(graph.with_nodes(nodes))


class _Filled(NamedTuple):
    """A carried array of which each iteration stores the row of its counter.

    ``value`` is what is stored, and ``read`` are the slices of what was there before.
    """

    number: int
    value: str
    read: Sequence[str]


def _row(loop: Node, type_: TensorType) -> Place | None:
    """The row of the counter in an array that has one for each iteration."""
    if not type_.rank or type_.shape[0] != loop.attrs["trips"]:
        return None
    places = whole((1, *type_.shape[1:]))
    counter = loop.regions[0].inputs[0].name
    return Place((counter, *(None,) * (type_.rank - 1)), places)


def _slices(body: Graph, name: str, row: Place | None) -> list[str] | None:
    """What reads a value, if these are slices of that row and nothing else."""
    readers = [body[read.consumer] for read in body.reads[name]]
    if row is None or name in body.results or not readers:
        return None
    b = Builder("rows", body)
    if any(x.op != "slice_at" or place_of(b, x) != row for x in readers):
        return None
    return [x.name for x in readers]


def _filled(loop: Node) -> _Filled | None:
    """A carried array that is written by rows, in all of them."""
    (body,) = loop.regions
    parts = parts_of(loop)
    first = 1 + len(parts.invariants)
    b = Builder("rows", body)
    for number in range(len(parts.carried)):
        y, end = body.inputs[first + number], body[body.results[number]]
        row = _row(loop, y.type)
        if end.op != "update_at" or end.operands[0] != y.name or row is None:
            continue
        if end.name not in body.read_once or place_of(b, end) != row:
            continue
        others = [x for x in body.reads[y.name] if x.consumer != end.name]
        slices = [body[read.consumer] for read in others]
        alike = all(x.op == "slice_at" and place_of(b, x) == row for x in slices)
        once = end.operands.count(y.name) == 1 and y.name not in body.results
        if alike and once:
            return _Filled(number, end.operands[1], [x.name for x in slices])
    return None


def _apart(
    graph: Graph, name: str, front: list[Node], names: set[str], loop: Node
) -> str:
    """An array with a row of its own for each iteration, in front of the loop."""
    type_ = graph[name].type
    shape = (type_.shape[0], 1, *type_.shape[1:])
    made = take_name(f"{name}.rows", names)
    attrs = Attrs({"shape": shape})
    rows_ = type_.with_shape(shape)
    front.append(Node(made, "reshape", (name,), rows_, attrs, loop.section))
    return made


def _taking(graph: Graph, loop: Node, front: list[Node], names: set[str]) -> Node:
    """The loop that takes as stacked the invariants that it reads by rows."""
    (body,) = loop.regions
    parts = parts_of(loop)
    taken: list[tuple[str, str]] = []
    for name, x in zip(parts.invariants, body.inputs[1:], strict=False):
        slices = _slices(body, x.name, _row(loop, x.type))
        if slices is not None:
            rows_ = _apart(graph, name, front, names, loop)
            taken += [(rows_, inner) for inner in slices]
    return with_taken(loop, taken)


def _stacking(
    graph: Graph,
    loop: Node,
    found: _Filled,
    front: list[Node],
    behind: list[Node],
    names: set[str],
) -> Node:
    """The loop that stacks the rows of a carried array, which is a reshape of them."""
    value = loop.values[found.number]
    begin = parts_of(loop).carried[found.number]
    stacked = take_name(f"{value.name}.rows", names)
    made = with_rows(loop, [(stacked, found.value)])
    if found.read:
        rows_ = _apart(graph, begin, front, names, loop)
        made = with_taken(made, [(rows_, inner) for inner in found.read])
    left = without_carried(made, {found.number})
    assert left is not None, "it makes the rows"
    attrs = Attrs({"shape": value.type.shape})
    behind.append(
        Node(value.name, "reshape", (stacked,), value.type, attrs, loop.section)
    )
    return left
