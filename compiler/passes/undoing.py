"""How the stores of an iteration are undone, and what has to be kept for that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

from ...ir.builder import Builder
from ...ir.graph import Graph, Node, Output
from ...ir.literals import Attrs
from ...ir.ops.at import AT, STORES
from ...ir.ops.parts import loop_attrs
from .bodies import parts_of, take_name, with_rows

__all__ = ["Plan", "can_undo", "carried_as", "plan_of", "small_plan", "walk"]

_SUMS = ("add", "sub", "mul")


def can_undo(loop: Node, row: int) -> bool:
    """Whether a stacked result has versions of an array that had better be undone."""
    return small_plan(loop, row) is not None


def small_plan(loop: Node, row: int) -> tuple[int, Plan] | None:
    """The carried value whose versions a row has, and how to undo an iteration.

    None where that would keep as much as the versions.
    """
    (body,) = loop.regions
    if row < len(parts_of(loop).carried):
        return None
    place = carried_as(loop, body.results[row])
    plan = None if place is None else plan_of(loop, place)
    if place is None or plan is None:
        return None
    return (place, plan) if plan.nbytes < loop.values[place].type.nbytes else None


def carried_as(loop: Node, name: str) -> int | None:
    """Which carried value one of the body is as an iteration begins; None for none."""
    (body,) = loop.regions
    parts = parts_of(loop)
    begin = 1 + len(parts.invariants)
    names = [x.name for x in body.inputs[begin : begin + len(parts.carried)]]
    return names.index(name) if name in names else None


Need: TypeAlias = "tuple[str, Any]"
"""Where a value comes from backwards: the counter ``t``, a ``const``, what is ``kept``,
an invariant from the ``outer`` graph, or an op on others."""

Step: TypeAlias = "Callable[[Builder, Node, Callable[[Need], Node]], Node]"


class Plan(NamedTuple):
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


def plan_of(loop: Node, place: int) -> Plan | None:
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

    def plan(self, chain: Sequence[tuple[Node, int, str]]) -> Plan | None:
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
        return Plan(body, self.kept, self.outer, steps, versions)

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
        name = take_name(f"{version}.old", self.names)
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
        plan = plan_of(loop, number)
        if plan is None or attrs.get("test") or attrs.get("trips") is None:
            return None
        rows = [(take_name(f"{name}.rows", self.names), name) for name in plan.kept]
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
            end = walk(inner, plan, version, t, rows_, invariants)[-1]
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


def walk(
    b: Builder,
    plan: Plan,
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
