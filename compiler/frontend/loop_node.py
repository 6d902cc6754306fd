"""A loop as a node, and what every place holds after it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from ...ir.extent import whole
from ...ir.graph import Graph, Node, Output
from ...ir.ops.parts import loop_attrs
from ...ir.types import TensorType
from ..tracing.running import is_traced
from ..tracing.stacked import RowMemory, with_lists
from ..tracing.trace import Trace
from ..tracing.tracer import Tracer
from ..tracing.views import Memory
from ..tree import flatten, unflatten
from .apart import Sharing, top
from .endings import Ending
from .growing import Growing, Recent
from .journals import journal_here, said_here
from .loop_state import Carried, Loop, NoLoop, State
from .said import hand_on
from .state import UNBOUND
from .trial import Pass

__all__ = ["build", "region_of"]


class _Values(NamedTuple):
    """What is carried: values in front, inputs of the body, and its results."""

    starts: list[Node]
    inputs: list[Node]
    ends: list[Node]

    def add(self, start: Node, taken: Node, end: Node) -> None:
        """One more."""
        self.starts.append(start)
        self.inputs.append(taken)
        self.ends.append(end)


def build(outer: Trace, loop: Loop, state: State, done: Pass, sharing: Sharing) -> None:
    """Add the node, and have everything as it is after the loop.

    Raises `NoLoop` where that would have no operands: its turns are plain Python.
    """
    outer.enter()
    values = _carried_values(outer, loop, state, done, sharing)
    taken = [outer.node(value) for value in done.trace.closed_over()]
    stacked = list(done.rows.found.values()) if done.rows is not None else []
    items = _stacked_leaves(done, sharing)
    region = _region(done, values, [row for _, row in stacked], list(items.values()))
    limit = [] if loop.limit is None else [outer.node(loop.limit, "i64")]
    operands = [*limit, *taken, *values.starts, *(x for x, _ in stacked)]
    if not operands:
        raise NoLoop("it reads nothing that is traced")
    if not region.outputs:
        raise NoLoop("it computes nothing that is used")
    node = outer.builder.add_node(
        "loop",
        *operands,
        regions=(region,),
        **loop_attrs(
            {
                "trips": loop.trips,
                "limit": bool(limit),
                "test": done.go is not None,
                "carried": len(values.starts),
                "stacked": len(stacked),
                "segments": loop.segments and loop.segments.abreast,
                "held": loop.segments and loop.segments.held,
            }
        ),
    )
    made = iter(node.values)
    after = _Afterwards(outer, loop, done, sharing)
    if done.go is not None:
        next(made)
    for key, one in state.carried.items():
        after.put(one, done.ending(key), made)
    for memory in done.after:
        after.write(memory, next(made))
    columns = {number: next(made) for number in items}
    for key, growing in state.growing.items():
        after.extend(growing, done.items[key], columns)
    after.share()
    hand_on(done.said, said_here())


def region_of(done: Pass, state: State, sharing: Sharing) -> str:
    """What a turn does, as text: the same for two passes that do the same."""
    ends = [node for key in state.carried for node in done.ending(key).nodes]
    ends += [*done.after.values(), *_stacked_leaves(done, sharing).values(), done.go]
    outputs = [Output(node.name) for node in ends if node is not None]
    return str(done.trace.builder.build(outputs))


def _carried_values(
    outer: Trace, loop: Loop, state: State, done: Pass, sharing: Sharing
) -> _Values:
    values = _Values([], [], [])
    if done.go is not None:
        taken = done.trace.builder.input("go", done.go.type)
        values.add(outer.node(loop.go, "bool"), taken, done.go)
    for key, one in state.carried.items():
        ending = done.ending(key)
        leaves = ending.leaves
        starts = leaves if one.start is UNBOUND else flatten(one.start)[0]
        columns = leaves, ending.nodes, ending.bound, one.types
        for given, start, leaf, node, bound, type_ in zip(
            done.given[key], starts, *columns, strict=True
        ):
            if given is None or type_ is None or id(leaf) in sharing.kept:
                continue
            if one.start is UNBOUND:
                first = outer.builder.full(type_[0], 0)
            else:
                first = outer.node(start, type_[0].dtype)
            found = node or done.trace.node(leaf)
            end = done.trace.builder.cast(found, type_[0].dtype)
            values.add(first, given.unchecked_node, end)
            if isinstance(bound, Node):
                never = outer.builder.const(False, "bool")
                values.add(never, done.trace.builder.input("bound", bound.type), bound)
    for memory, node in done.after.items():
        owner, before, home = done.before[memory]
        values.add(outer.node(Tracer(home or owner, before)), done.inputs[memory], node)
    return values


def _stacked_leaves(done: Pass, sharing: Sharing) -> dict[int, Node]:
    """The nodes of what lists get that is another value in each turn."""
    return {
        id(leaf): node or done.trace.node(leaf)
        for ends in done.items.values()
        for end in ends
        for leaf, node in zip(end.leaves, end.nodes, strict=True)
        if is_traced(leaf) and id(leaf) not in sharing.kept
    }


def _region(
    done: Pass,
    values: _Values,
    rows: Sequence[Node],
    results: Sequence[Node],
) -> Graph:
    counter = done.counter.unchecked_node
    ends = [*values.ends, *results]
    made = done.trace.builder.build([Output(node.name) for node in ends])
    inner = [node for node in made if node.op != "input"]
    inputs = [counter, *done.trace.captured_inputs, *values.inputs, *rows]
    return Graph("body", [*inputs, *inner], made.outputs)


class _Afterwards:
    """What places hold after a loop."""

    def __init__(self, outer: Trace, loop: Loop, done: Pass, sharing: Sharing) -> None:
        self.outer, self.loop, self.done, self.sharing = outer, loop, done, sharing
        self.line = done.trace.builder.source
        self.journal = journal_here()
        self.arrays: dict[int, Tracer] = {}  # what was one leaf is one array
        self.groups: dict[int, list[Memory]] = {}
        self.shares: list[tuple[list[Memory], list[Memory]]] = []

    def put(self, one: Carried, end: Ending, made: Iterator[Node]) -> None:
        """Have a place that was carried hold its value."""
        leaves: list[Any] = []
        starts = end.leaves if one.start is UNBOUND else flatten(one.start)[0]
        columns = end.leaves, starts, end.bound, one.types
        for leaf, start, bound, type_ in zip(*columns, strict=True):
            if type_ is None or id(leaf) in self.sharing.kept:
                leaves.append(self.sharing.kept.get(id(leaf), leaf))
                continue
            value = self.outer.wrap(next(made), type_[1])
            if type_[0].shape:
                value = self._array(leaf, value, start, one.start is UNBOUND)
            message = f"{one.slot.name} has no value, for the loop had no turn"
            if isinstance(bound, Node):
                value.bound = self.outer.wrap(next(made)), message
            elif one.start is UNBOUND and self.loop.may_have_none:
                value.bound = self._ran(), message
            leaves.append(value)
        if self.journal is not None and not isinstance(one.slot, Recent):
            self.journal.note(one.slot)
        one.slot.put(unflatten(one.tree, leaves))

    def _array(self, leaf: Any, value: Tracer, start: Any, unset: bool) -> Tracer:
        """An array that is carried: what it may share."""
        others: list[Memory] = []
        known = self.arrays.setdefault(id(leaf), value)
        if self.loop.may_have_none:  # without a turn it is what it was
            others += [known.memory] if known is not value else []
            others += [start.memory] if is_traced(start) and not unset else []
        else:
            value = known
        if is_traced(leaf):
            group = self.groups.setdefault(id(top(leaf.memory)), [])
            if value.memory not in group:
                group.append(value.memory)
            others += self.sharing.part_of.get(id(leaf), [])
        self.shares.append(([value.memory], others))
        return value

    def _ran(self) -> Tracer:
        """Whether there was a turn."""
        if self.loop.limit is not None:
            return self.loop.limit > 0
        return self.outer.wrap(self.outer.node(self.loop.go, "bool"))

    def write(self, memory: Memory, node: Node) -> None:
        """Have a memory hold what the loop wrote there."""
        owner = self.done.before[memory][0]
        if memory.known is not None:
            memory.forget(owner)
        owner.writer(memory)
        memory.replace(node, whole(memory.shape))

    def extend(
        self, growing: Growing, ends: Sequence[Ending], columns: dict[int, Node]
    ) -> None:
        """Have a list hold rows of what the loop stacked."""
        if self.journal is not None:
            self.journal.note(growing.slot)
        assert self.loop.trips is not None, "a list grows a known number of times"
        held = list(growing.before)
        made: dict[int, list[Tracer]] = {}
        flat: dict[str, Node] = {}
        for turn in range(self.loop.trips):
            for end in ends:
                leaves: list[Any] = []
                for leaf in end.leaves:
                    if id(leaf) in columns and id(leaf) not in made:
                        made[id(leaf)] = self._rows(leaf, columns[id(leaf)])
                    kept = self.sharing.kept.get(id(leaf), leaf)
                    leaves.append(made[id(leaf)][turn] if id(leaf) in made else kept)
                held.append(with_lists(unflatten(end.tree, leaves), flat))
        growing.slot.put(held)

    def _rows(self, leaf: Tracer, stacked: Node) -> list[Tracer]:
        """The rows of a stacked result, as values that are not read yet."""
        trips, *rest = stacked.type.shape
        type_ = TensorType(stacked.type.dtype, tuple(rest))
        memories = [
            RowMemory(self.outer, stacked, type_, turn) for turn in range(trips)
        ]
        if rest:
            part_of = self.sharing.part_of.get(id(leaf), [])
            self.shares.append((list(memories), part_of))
            self.groups.setdefault(id(top(leaf.memory)), []).append(memories[-1])
        return [memory.tracer(leaf.weak) for memory in memories]

    def share(self) -> None:
        """Note which memories may be one."""
        for memories, others in self.shares:
            if others:
                memories[0].may_be([*memories[1:], *others], self.line)
        for group in self.groups.values():
            if len(group) > 1:
                group[0].may_be(group[1:], self.line)
