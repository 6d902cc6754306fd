"""Functions of elements, computed for all elements in front of the loops that ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any, NamedTuple

from ...ir.builder import Builder
from ...ir.graph import Graph, Node, Output
from ...ir.ops import OPS, Kind
from ...ir.types import TensorType
from .bodies import is_costly, is_view, parts_of, with_inputs
from .rewrite import rewrite

__all__ = ["tabulate"]

OFTEN = 2  # evaluations for each element of the array
MOST_BYTES = 2**24  # of a table whose elements are read once: more are not in a cache
_CHEAP, _DIVISION, _FUNCTION = range(3)
_COSTS = {
    **dict.fromkeys(
        ("abs", "floor", "ceil", "trunc", "rint", "signbit", "isnan", "isinf"), _CHEAP
    ),
    **dict.fromkeys(("isfinite", "sign"), _CHEAP),
    **dict.fromkeys(("div", "floor_divide", "remainder", "fmod", "sqrt"), _DIVISION),
    **dict.fromkeys(("power", "float_power", "arctan2", "hypot"), _FUNCTION),
    **dict.fromkeys(("logaddexp", "logaddexp2"), _FUNCTION),
}


def tabulate(graph: Graph) -> Graph:
    """Compute a costly function of elements once for each element, in front of a nest.

    before:
        graph f(%a: f64[3], %k: i64[9]) {
          %z = const() {value=0.0} : f64[]
          %y = loop(%a, %z, %k) {trips=9, carried=1, stacked=1} : f64[]:
            body(%t: i64[], %a: f64[3], %s: f64[], %i: i64[]) {
              %x = slice_at(%a, %i) {axes=(0,), start=(0,), step=(1,), shape=(1,)} \
: f64[1]
              %e = exp(%x)                  : f64[1]
              %r = reshape(%e) {shape=()}   : f64[]
              %q = add(%s, %r)              : f64[]
              return %q
            }
          return %y
        }
    after:
        graph f(%a: f64[3], %k: i64[9]) {
          %z = const() {value=0.0} : f64[]
          %exp.0 = exp(%a)         : f64[3]
          %y = loop(%a, %exp.0, %z, %k) {trips=9, carried=1, stacked=1} : f64[]:
            body(%t: i64[], %a: f64[3], %e.table: f64[3], %s: f64[], %i: i64[]) {
              %x = slice_at(%a, %i) {axes=(0,), start=(0,), step=(1,), shape=(1,)} \
: f64[1]
              %x_1 = slice_at(%e.table, %i) {axes=(0,), start=(0,), step=(1,), \
shape=(1,)} : f64[1]
              %r = reshape(%x_1) {shape=()} : f64[]
              %q = add(%s, %r)              : f64[]
              return %q
            }
          return %y
        }

    Arithmetic commutes with whatever shows elements at other places. So a value that is
    made of elements of invariants, all at one place, can be made of these whole, also
    where loops inside look at rows of them. It is done where the iterations of the nest
    ask for twice as many elements as there are; a loop with a limit is taken to end
    halfway, and one with a test after an iteration. In a loop that cannot run in lanes
    a function of each element once is enough, for it is one in lanes in front of it.
    What a branch computes is left alone, and so is what segments begin with, whose
    tables would be kept as well. Keeps results bit for bit; `prune` drops what is left
    over.
    """

    def rule(b: Builder, node: Node, *operands: Node) -> Node | None:
        if node.attrs.get("segments") and parts_of(node).stacked:
            return None
        nest = _Nest(b, node, operands)
        wanted: list[_Wanted] = []
        for table in nest.tables:
            whole = nest.outside(table.value)
            wanted.append(_Wanted(table, whole.name, whole.type))
        return b.append(nest.with_tables(node, 0, wanted)) if wanted else None

    return rewrite(graph, {"loop": rule})


class _Made(NamedTuple):
    """A value as a function of arrays of one shape in front of the nest, by number.

    ``path`` is what is shown of them: the level of a body, and a view there by its key
    or None for the row of its counter. Without a path all elements are one number.
    """

    value: int
    shape: tuple[int, ...] = ()
    path: tuple[tuple[int, object], ...] | None = None


class _Table(NamedTuple):
    """A value in the body of the innermost of the ``loops`` inside of the nest's."""

    name: str
    loops: tuple[str, ...]
    value: int
    path: tuple[tuple[int, object], ...]


class _Wanted(NamedTuple):
    """A table, and the value and its type that is handed on to it."""

    table: _Table
    operand: str
    type: TensorType


class _Nest:
    """The values in the bodies of a nest that are made of elements of invariants."""

    def __init__(self, b: Builder, loop: Node, operands: Sequence[Node]) -> None:
        self.b = b
        self.tables: list[_Table] = []
        self._numbers: dict[object, int] = {}
        self._nodes: list[tuple[Node, tuple[int, ...]]] = []
        self._costs: list[int] = []
        self._outside: dict[tuple[int, tuple[int, ...]], Node] = {}
        self._views: dict[object, Node] = {}
        taken = zip(loop.operands, operands, strict=True)
        self._look_into(loop, {name: self._leaf(x) for name, x in taken}, 0, (), 1)

    def _leaf(self, node: Node) -> _Made:
        """An operand of the nest."""
        return _whole(self._number(node.name, node, ()), node.type)

    def _number(self, key: object, node: Node, operands: tuple[int, ...]) -> int:
        """The number of a value in front of the nest."""
        number = self._numbers.setdefault(key, len(self._nodes))
        if number == len(self._nodes):
            self._nodes.append((node, operands))
            own = _cost(node) if operands else _CHEAP
            self._costs.append(max([own, *(self._costs[x] for x in operands)]))
        return number

    def _look_into(
        self,
        loop: Node,
        outside: Mapping[str, _Made],
        level: int,
        loops: tuple[str, ...],
        count: int,
    ) -> None:
        """Take note of the values in the body of a loop, which runs ``count`` times."""
        (body,), parts = loop.regions, parts_of(loop)
        found: dict[str, _Made] = {}
        first = 1 + len(parts.invariants)
        for name, x in zip(parts.invariants, body.inputs[1:first], strict=True):
            if name in outside:
                found[x.name] = outside[name]
        last = len(body.inputs) - len(parts.stacked)
        for name, x in zip(parts.stacked, body.inputs[last:], strict=True):
            made = outside.get(name)
            if made is not None:
                found[x.name] = _shown(made, level, None)
        count *= _trips(loop)
        for node in body:
            if node.op == "loop":
                self._look_into(node, found, level + 1, (*loops, node.name), count)
                continue
            made = self._made(node, found, level)
            if made is not None:
                found[node.name] = made
        waits = _waits(loop)
        for node in body:
            made = found.get(node.name)
            if made is None or made.path is None or node.op in ("input", "const"):
                continue
            if OPS[node.op].kind is not Kind.ELEMENTWISE:
                continue
            asked, cost = count * node.type.size, self._costs[made.value]
            whole = node.type.with_shape(made.shape)
            enough = cost > _CHEAP and asked >= OFTEN * whole.size
            if waits and cost == _FUNCTION and whole.nbytes <= MOST_BYTES:
                enough = enough or asked >= whole.size
            if enough and self._is_read(body, node, found):
                self.tables.append(_Table(node.name, loops, made.value, made.path))

    def _made(self, node: Node, found: Mapping[str, _Made], level: int) -> _Made | None:
        """What a node is made of, if that is known."""
        if node.op == "const":
            return _Made(self._number((node.attrs.text, node.type.dtype), node, ()))
        operands = [found[name] for name in node.operands if name in found]
        if OPS[node.op].kind is Kind.ELEMENTWISE and not node.several:
            shown = {(x.shape, x.path) for x in operands if x.path is not None}
            if len(operands) < len(node.operands) or len(shown) > 1:
                return None
            values = tuple([x.value for x in operands])
            key = node.op, node.attrs.text, node.type.dtype, values
            shape, path = shown.pop() if shown else ((), None)
            return _Made(self._number((key, shape), node, values), shape, path)
        first = found.get(node.operands[0]) if node.operands else None
        if first is None or not (is_view(node) or node.op in ("slice_at", "take")):
            return None
        if first.path == () and is_view(node) and node.type.size <= prod(first.shape):
            return self._part(node, first)
        key = level, node.op, node.operands[1:], node.attrs.text, node.type.shape
        self._views[key] = node
        return _shown(first, level, key)

    def _part(self, node: Node, whole: _Made) -> _Made:
        """What a view that all bodies share shows of an array, in front of the nest."""
        key = node.op, node.attrs.text, whole.value
        return _whole(self._number(key, node, (whole.value,)), node.type)

    def _is_read(self, body: Graph, node: Node, found: Mapping[str, _Made]) -> bool:
        """Whether something reads a value that is not made of elements as it is."""
        if node.name in body.results:
            return True
        readers = [body[read.consumer] for read in body.reads[node.name]]
        return any(
            x.name not in found or OPS[x.op].kind is not Kind.ELEMENTWISE
            for x in readers
        )

    def outside(self, value: int) -> Node:
        """The table, in front of the nest."""
        node, operands = self._nodes[value]
        arrays = [self.outside(x) for x in operands]
        shape = next((x.type.shape for x in arrays if x.type.rank), ())
        if not operands:
            return self.b[node.name] if node.op != "const" else self._const(node)
        key = value, shape
        if key not in self._outside:
            typed = [self.b.broadcast(x, x.type.with_shape(shape)) for x in arrays]
            attrs: Any = node.attrs
            self._outside[key] = self.b.add_node(node.op, *typed, **attrs)
        return self._outside[key]

    def _const(self, node: Node) -> Node:
        value: Any = node.attrs["value"]
        return self.b.const(value, node.type.dtype)

    def with_tables(self, loop: Node, level: int, wanted: Sequence[_Wanted]) -> Node:
        """The loop with tables as operands, which its body reads instead."""
        (body,) = loop.regions
        b = Builder(body.name, reserved=body.nodes)
        inputs: dict[tuple[str, bool], Node] = {}
        places: dict[str, list[_Wanted]] = {}
        for one in wanted:
            table, operand, type_ = one
            is_row = table.path[:1] == ((level, None),)
            if is_row:
                table = table._replace(path=table.path[1:])
                type_ = type_.with_shape(type_.shape[1:])
            key = operand, is_row
            if key not in inputs:
                inputs[key] = b.input(f"{table.name}.table", type_)
            place = table.loops[0] if table.loops else table.name
            shown = _Wanted(table, inputs[key].name, type_)
            places.setdefault(place, []).append(shown)
        names: dict[str, str] = {}
        nodes: list[Node] = []
        for node in body:
            if node.op == "input":
                continue
            node = node.reading(tuple([names.get(x, x) for x in node.operands]))
            inner: list[_Wanted] = []
            b.section = node.section
            for one in places.get(node.name, ()):
                last = self._views_of(b, one, level, names, nodes)
                if one.table.loops:
                    inner.append(last)
                else:
                    names[node.name] = last.operand
            if inner:
                node = self.with_tables(node, level + 1, inner)
            if node.name not in names:
                nodes.append(node)
        outputs = [Output(names.get(x.value, x.value), x.label) for x in body.outputs]
        whole = [(name, x) for (name, is_row), x in inputs.items() if not is_row]
        stacked = [(name, x) for (name, is_row), x in inputs.items() if is_row]
        return with_inputs(loop, whole, stacked, nodes, outputs)

    def _views_of(
        self,
        b: Builder,
        wanted: _Wanted,
        level: int,
        names: Mapping[str, str],
        nodes: list[Node],
    ) -> _Wanted:
        """What the views of a body show of a table, and hand on from there."""
        table, operand, type_ = wanted
        path = table.path
        while path and path[0][0] == level:
            view = self._views[path[0][1]]
            type_ = type_.with_shape(view.type.shape)
            positions = [names.get(x, x) for x in view.operands[1:]]
            fresh = b.unique(view.name)
            made = view._replace(
                name=fresh,
                operands=(operand, *positions),
                type=type_,
                section=b.section,
            )
            nodes.append(b.append(made))
            operand, path = fresh, path[1:]
        table = table._replace(path=path, loops=table.loops[1:])
        return _Wanted(table, operand, type_)


def _whole(value: int, type_: TensorType) -> _Made:
    """All of a value in front of the nest."""
    return _Made(value, type_.shape, ()) if type_.rank else _Made(value)


def _shown(made: _Made, level: int, key: object) -> _Made:
    """What a view shows of a value, or the row of a counter."""
    if made.path is None:
        return made
    return made._replace(path=(*made.path, (level, key)))


def _trips(loop: Node) -> int:
    """How many iterations there may be, by rule of thumb."""
    trips = loop.attrs.get("trips")
    if trips is None or loop.attrs.get("test"):
        return 1
    return max(1, int(str(trips)) // (2 if loop.attrs.get("limit") else 1))


def _cost(node: Node) -> int:
    """How long an op takes."""
    return _COSTS.get(node.op, _FUNCTION if is_costly(node) else _CHEAP)


def _waits(loop: Node) -> bool:
    """Whether an iteration of a loop waits for the one before it, or has a loop inside.

    Sums need not be waited for, nor stores where nothing is read but what lies there.
    """
    (body,), parts = loop.regions, parts_of(loop)
    if any(node.regions or node.op == "check" for node in body):
        return True
    fixed = {x.name for x in body.inputs[: 1 + len(parts.invariants)]}
    begins = body.inputs[len(fixed) :][: len(parts.carried)]
    for begin, result in zip(begins, body.results, strict=False):
        end = body[result]
        readers = {read.consumer for read in body.reads[begin.name]}
        others = [body[name] for name in readers if name != end.name]
        alone = end.name in readers and not body.reads[end.name]
        shown = body.results.count(result) > 1 or begin.name in body.results
        added = end.op in ("add", "add_n", "sub") and end.operands[0] == begin.name
        stored = end.op in ("update_at", "add_at") and fixed.issuperset(
            end.operands[2:]
        )
        if stored:
            alone &= all(_is_same_place(x, end) for x in others)
        else:
            alone &= not others
        if end is not begin and (shown or not alone or not (added or stored)):
            return True
    return False


def _is_same_place(read: Node, store: Node) -> bool:
    """Whether a value is read where it is stored into."""
    places = [
        [x.attrs.get(key) for key in ("axes", "start", "step")] for x in (read, store)
    ]
    positions = read.operands[1:] == store.operands[2:]
    return read.op == "slice_at" and positions and places[0] == places[1]
