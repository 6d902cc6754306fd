"""Arrays that a loop stores into: stores undone one by one instead of stacked versions.

A loop backwards that reads the version of an array which each iteration began with
need not have them all. It begins with the last version, and puts back what each store
wrote over, which the loop forwards kept. That is as much as was stored, whatever the
size of the array.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

from ...ir.builder import Builder
from ...ir.graph import Graph, Node, Output, Value
from ...ir.iterations import runs_as_often
from ...ir.literals import Attrs
from ...ir.ops.parts import loop_attrs, split_operands
from .at import AT, STORES
from .bodies import Numbers, parts_of, with_rows

__all__ = ["can_undo", "undo"]

_SUMS = ("add", "sub", "mul")


def undo(graph: Graph) -> Graph:
    """Carry an array backwards and undo its stores, instead of stacking its versions.

    before:
        graph f(%x: f64[4], %v: f64[1], %g: f64[4]) {
          %a, %as = loop(%v, %x) {trips=4, carried=1} : f64[4], f64[4,4]:
            body(%t: i64[], %v: f64[1], %u: f64[4]) {
              %w = update_at(%u, %v, %t) {axes=(0,), start=(0,), step=(1,)} : f64[4]
              return %w, %u
            }
          %b = loop(%g, %as) {trips=4, carried=1, stacked=1, reverse=True} : f64[4]:
            body(%t: i64[], %h: f64[4], %u: f64[4]) {
              %w = mul(%h, %u) : f64[4]
              return %w
            }
          return %a, %b
        }
    after:
        graph f(%x: f64[4], %v: f64[1], %g: f64[4]) {
          %a, %as, %u.old = loop(%v, %x) {trips=4, carried=1} : f64[4], f64[4,4], \
f64[4,1]:
            body(%t: i64[], %v: f64[1], %u: f64[4]) {
              %u.old = slice_at(%u, %t) {axes=(0,), start=(0,), step=(1,), shape=(1,)} \
: f64[1]
              %w = update_at(%u, %v, %t) {axes=(0,), start=(0,), step=(1,)} : f64[4]
              return %w, %u, %u.old
            }
          %b, %u.begin = loop(%g, %a, %u.old) {trips=4, carried=2, stacked=1, \
reverse=True} : f64[4], f64[4]:
            body(%t: i64[], %h: f64[4], %u.next: f64[4], %kept: f64[1]) {
              %update_at.0 = update_at(%u.next, %kept, %t) {axes=(0,), start=(0,), \
step=(1,)} : f64[4]
              %w = mul(%h, %update_at.0) : f64[4]
              return %w, %update_at.0
            }
          return %a, %b
        }

    It is done where what is kept is less than the array. Keeps results bit for bit.
    `prune` drops the versions that were stacked.
    """
    changed = True
    while changed:
        changed = False
        for second in graph:
            if second.op == "loop":
                made = _undone(graph, second)
                if made is not None:
                    graph, changed = made, True
                    break
    return graph


def _undone(graph: Graph, second: Node) -> Graph | None:
    """The graph in which a loop undoes stores; None where it takes no versions."""
    parts = parts_of(second)
    for number, name in enumerate(parts.stacked):
        first = graph[name]
        if first.op != "loop" or name not in graph.read_once:
            continue
        first = next(node for node in graph if name in node.names)
        if bool(first.attrs.get("reverse")) == bool(second.attrs.get("reverse")):
            continue
        found = _small_plan(first, first.names.index(name))
        if found is None or not runs_as_often(graph, first, second):
            continue
        return _applied(graph, first, second, number, *found)
    return None


def can_undo(loop: Node, row: int) -> bool:
    """Whether a stacked result has versions of an array that had better be undone."""
    return _small_plan(loop, row) is not None


def _small_plan(first: Node, row: int) -> tuple[int, _Plan] | None:
    """The carried value whose versions a row has, and how to undo an iteration.

    None where that would keep as much as the versions.
    """
    place = _carried_as(first, row)
    plan = None if place is None else _plan(first, place)
    if place is None or plan is None:
        return None
    return (place, plan) if plan.nbytes < first.values[place].type.nbytes else None


def _carried_as(first: Node, row: int) -> int | None:
    """Which carried value a row is as it was at the beginning of the iteration."""
    (body,) = first.regions
    parts = parts_of(first)
    begin = 1 + len(parts.invariants)
    names = [x.name for x in body.inputs[begin : begin + len(parts.carried)]]
    found = body.results[row]
    return names.index(found) if row >= len(names) and found in names else None


Need: TypeAlias = "tuple[str, Any]"
"""Where a value comes from backwards: the counter ``t``, a ``const``, what is ``kept``,
an invariant from the ``outer`` graph, or an op on others."""

Step: TypeAlias = "Callable[[Builder, Node, Callable[[Need], Node]], Node]"


class _Plan(NamedTuple):
    """How to undo an iteration.

    ``body`` computes what is ``kept`` of each iteration, and ``steps`` go from the
    version after it to the one before; ``versions`` are all of them, the last first.
    ``outer`` are the invariants that they need, as they are called around the loop.
    """

    body: Graph
    kept: Sequence[str]
    outer: Sequence[str]
    steps: Sequence[Step]
    versions: Sequence[str]

    @property
    def nbytes(self) -> int:
        """What is kept of one iteration."""
        return sum(self.body[name].type.nbytes for name in self.kept)


def _plan(loop: Node, place: int) -> _Plan | None:
    """How to undo the iterations of a loop for a carried value; None where not."""
    (body,) = loop.regions
    parts = parts_of(loop)
    start = body.inputs[1 + len(parts.invariants) + place].name
    chain: list[
        tuple[Node, int, str]
    ] = []  # store, number of its value, version before
    name = body.results[place]
    while name != start:
        node = next((x for x in body if name in x.names), None)
        if node is None:
            return None
        number = node.names.index(name)
        if node.op in STORES:
            before = node.operands[0]
        elif node.op == "loop" and number < len(parts_of(node).carried):
            before = parts_of(node).carried[number]
        else:
            return None
        chain.append((node, number, before))
        name = before
    return _Planner(loop, body).plan(chain) if chain else None


class _Planner:
    """Finds out what is to be kept of the iterations of one loop."""

    def __init__(self, loop: Node, body: Graph) -> None:
        self.body = body
        invariants = parts_of(loop).invariants
        inputs = body.inputs[1 : 1 + len(invariants)]
        self.invariants = dict(zip([x.name for x in inputs], invariants, strict=True))
        self.kept: list[str] = []
        self.outer: list[str] = []
        self.names = set(body.nodes)

    def plan(self, chain: Sequence[tuple[Node, int, str]]) -> _Plan | None:
        """``chain`` has the stores of an iteration, the last first."""
        steps: list[Step] = []
        before: dict[str, Node] = {}  # nodes to put in front of stores
        instead: dict[str, Node] = {}
        for node, number, version in chain:
            if node.op == "loop":
                found = self._inner(instead.get(node.name, node), number)
                if found is None:
                    return None
                instead[node.name], step = found
            else:
                before[node.name], step = self._old(node, version)
            steps.append(step)
        nodes: list[Node] = []
        for node in self.body:
            if node.name in before:
                nodes.append(before[node.name])
            nodes.append(instead.get(node.name, node))
        body = self.body.with_nodes(nodes)
        versions = [chain[0][0].names[chain[0][1]], *(x for _, _, x in chain)]
        return _Plan(body, self.kept, self.outer, steps, versions)

    def _free(self, name: str) -> str:
        while name in self.names:
            name += "_"
        self.names.add(name)
        return name

    def _keep(self, name: str) -> Need:
        if name not in self.kept:
            self.kept.append(name)
        return "kept", self.kept.index(name)

    def need(self, name: str) -> Need:
        """Where an integer of the body comes from backwards."""
        node = self.body[name]
        if node.op == "const":
            return "const", node.attrs["value"]
        if name == self.body.inputs[0].name:
            return "t", None
        if name in self.invariants:
            outer = self.invariants[name]
            if outer not in self.outer:
                self.outer.append(outer)
            return "outer", self.outer.index(outer)
        if self._is_known(name):
            return node.op, [self.need(operand) for operand in node.operands]
        return self._keep(name)

    def _is_known(self, name: str) -> bool:
        """Whether an integer follows from the counter, invariants and numbers."""
        node = self.body[name]
        if node.op in _SUMS and not node.type.shape:
            return all(map(self._is_known, node.operands))
        known = (self.body.inputs[0].name, *self.invariants)
        return node.op == "const" or name in known

    def _old(self, node: Node, version: str) -> tuple[Node, Step]:
        """What a store writes over, and the store that puts it back."""
        attrs: dict[str, Any] = dict(node.attrs)
        positions = node.operands[AT.get(node.op, len(node.operands)) :]
        type_ = self.body[node.operands[1]].type
        name = self._free(f"{version}.old")
        op, store = ("slice", "update")
        if node.op != "update":
            op, store = "slice_at", "update_at"
        old = Node(
            name,
            op,
            (version, *positions),
            type_,
            Attrs({**attrs, "shape": type_.shape}),
            node.section,
            source=node.source,
        )
        needs = [("kept", len(self.kept))]
        self.kept.append(name)
        needs += [self.need(position) for position in positions]

        def step(b: Builder, after: Node, given: Callable[[Need], Node]) -> Node:
            return b.add_node(store, after, *map(given, needs), **attrs)

        return old, step

    def _inner(self, loop: Node, number: int) -> tuple[Node, Step] | None:
        """A loop in the body that keeps what its stores write over, and its undoing."""
        attrs: dict[str, Any] = dict(loop.attrs)
        plan = _plan(loop, number)
        if plan is None or attrs.get("test") or attrs.get("trips") is None:
            return None
        rows = [(self._free(f"{name}.rows"), name) for name in plan.kept]
        made = with_rows(loop._replace(regions=(plan.body,)), rows)
        needs = [self.need(name) for name in parts_of(loop).limit]
        outer = [self.need(name) for name in plan.outer]
        first = len(self.kept)
        self.kept += [name for name, _ in rows]
        kept: list[Need] = [("kept", first + k) for k in range(len(rows))]

        def step(b: Builder, after: Node, given: Callable[[Need], Node]) -> Node:
            limit, whole, stacked = (list(map(given, x)) for x in (needs, outer, kept))
            inner = Builder("body")
            t = inner.input("t", inner_index)
            invariants = [inner.input("whole", x.type) for x in whole]
            version = inner.input("after", after.type)
            rows_ = [
                inner.input("kept", x.type.with_shape(x.type.shape[1:]))
                for x in stacked
            ]
            end = _walk(inner, plan, version, t, rows_, invariants)[-1]
            return b.add_node(
                "loop",
                *limit,
                *whole,
                after,
                *stacked,
                regions=(inner.build([Output(end.name)]),),
                **loop_attrs(
                    {
                        "trips": attrs["trips"],
                        "carried": 1,
                        "stacked": len(stacked),
                        "limit": bool(limit),
                        "reverse": not attrs.get("reverse"),
                    }
                ),
            )

        inner_index = loop.regions[0].inputs[0].type
        return made, step


def _walk(
    b: Builder,
    plan: _Plan,
    after: Node,
    t: Node,
    kept: Sequence[Node],
    outer: Sequence[Node],
) -> list[Node]:
    """The versions of an iteration, from the one ``after`` it to the one before."""

    def given(need: Need) -> Node:
        kind, what = need
        if kind == "const":
            return b.const(what, "i64")
        if kind in _SUMS:
            return b.add_node(kind, *map(given, what))
        return t if kind == "t" else (kept if kind == "kept" else outer)[what]

    versions = [after]
    for step in plan.steps:
        versions.append(step(b, versions[-1], given))
    return versions


def _stores_again(
    plan: _Plan, known: dict[str, int], back: Graph, found: dict[str, int], begin: str
) -> dict[str, str]:
    """The stores of the iteration that the way back does again, and their versions.

    What they store may come from elsewhere, so their place and what they store into
    have to tell: of stores alike in both there has to be one.
    """
    same: dict[str, str] = {}
    version = begin
    for name in reversed(plan.versions[:-1]):
        store = plan.body[name]
        if store.op not in STORES:
            break
        place = [known[x] for x in store.operands[2:]]
        ours = [
            x
            for x in plan.body
            if (x.op, x.attrs, x.operands[:1])
            == (store.op, store.attrs, store.operands[:1])
        ]
        theirs = [
            x.name
            for x in back
            if (x.op, x.attrs, x.operands[:1]) == (store.op, store.attrs, (version,))
            and x.section < len(back.sections)
            and [found[y] for y in x.operands[2:]] == place
        ]
        if len(ours) != 1 or len(theirs) != 1:
            break
        (version,) = theirs
        same[version] = name
    return same


def _applied(
    graph: Graph, first: Node, second: Node, number: int, place: int, plan: _Plan
) -> Graph:
    """The graph with both loops changed."""
    names = set(graph.nodes)
    rows: list[tuple[str, str]] = []
    for inner in plan.kept:
        name = inner
        while name in names:
            name += "_"
        names.add(name)
        rows.append((name, inner))
    keeping = with_rows(first._replace(regions=(plan.body,)), rows)
    (body,) = second.regions
    parts = parts_of(second)
    taken = split_operands({**second.attrs, "limit": False}, body.inputs[1:])
    row = taken.stacked[number]
    b = Builder(body.name, reserved=body.nodes)
    t = b.append(body.inputs[0])
    for node in taken.invariants:
        b.append(node)
    whole = [b.input("whole", graph[name].type) for name in plan.outer]
    for node in taken.carried:
        b.append(node)
    after = b.input(f"{row.name}.next", row.type)
    stacked = [x for k, x in enumerate(taken.stacked) if k != number]
    for node in stacked:
        b.append(node)
    kept = [b.input("kept", plan.body[name].type) for name in plan.kept]
    versions = _walk(b, plan, after, t, kept, whole)
    before = versions[-1]
    known, found = Numbers().of_both(keeping, second)
    instead = {known[name]: x.name for name, x in zip(plan.kept, kept, strict=True)}
    walked = dict(zip(plan.versions, [x.name for x in versions], strict=True))
    instead |= {known[version]: name for version, name in walked.items()}
    made = [name for x in body if x.op != "input" for name in x.names] + [row.name]
    swap = {x: instead[found[x]] for x in made if found[x] in instead}
    again = _stores_again(plan, known, body, found, row.name)
    swap |= {x: walked[version] for x, version in again.items()}
    for node in body:
        if node.op != "input":
            b.append(node.reading(tuple(swap.get(x, x) for x in node.operands)))
    count = len(parts.carried)
    ends = [Output(swap.get(x.value, x.value), x.label) for x in body.outputs]
    region = body.with_nodes(
        list(b.nodes), [*ends[:count], Output(before.name), *ends[count:]]
    )
    end = f"{row.name}.begin"
    while end in names:
        end += "_"
    values = [Value(value.name, value.type) for value in second.values]
    values.insert(count, Value(end, row.type))
    operands = parts._replace(
        invariants=[*parts.invariants, *plan.outer],
        carried=[*parts.carried, first.names[place]],
        stacked=[x for k, x in enumerate(parts.stacked) if k != number],
    )
    operands = operands._replace(
        stacked=[*operands.stacked, *(name for name, _ in rows)]
    )
    attrs = {**second.attrs, "carried": count + 1, "stacked": len(operands.stacked)}
    undoing = second._replace(
        name=values[0].name,
        type=values[0].type,
        several=tuple(values),
        operands=tuple(operands.operands),
        attrs=Attrs(loop_attrs(attrs)),
        regions=(region,),
    )
    swaps = {first.name: keeping, second.name: undoing}
    return graph.with_nodes([swaps.get(node.name, node) for node in graph])
