"""A Python loop as one node: its body is traced once, whatever the count.

A value is an invariant until it is proved to change. So the body is traced as it
stands; what it assigned, wrote or stored that is not what it was is *carried*, and the
body is traced again with it as an input, until nothing new changes. An element that is
read at the counter, ``x[t]``, is an input of its own, the row of a *stacked* operand.

What cannot be said that way is a `NoLoop`: another structure, shape or dtype by
iteration, arrays that would be one in Python and two here, a value of the counter that
is asked for. All that a trial did is undone, so the caller may run the loop in Python.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...ir.errors import AnabranchError, SourceLine
from ...ir.extent import whole
from ...ir.graph import Graph, Node, Output
from ...ir.ops.parts import loop_attrs
from ...ir.types import TensorType
from ..program import deeper
from ..trace import Trace, active_trace, is_traced
from ..tracer import Tracer
from ..tree import flatten, unflatten
from ..views import Memory
from .branches import journal_here, journals
from .endings import Ending, ending_of, is_same, joined, type_of
from .state import UNBOUND, Content, Journal, Slot

__all__ = ["MIN_TRIPS", "NoLoop", "element", "loop_block"]

MIN_TRIPS = 100
MIN_NODES = 20_000  # that a loop is to unroll to; fewer compile in a second or two
MAX_PASSES = 12
COUNTER = TensorType("i64", ())

LeafType = tuple[TensorType, bool]


class NoLoop(Exception):
    """Why a loop is not one node."""


class _Carried(NamedTuple):
    """A place that is carried: what it began with, its structure, types of its leaves.

    A leaf without a type stays what it was.
    """

    slot: Slot
    start: Any
    tree: Any
    types: tuple[LeafType | None, ...]


class _Pass(NamedTuple):
    """The body, traced once."""

    trace: Trace
    counter: Tracer
    given: dict[Any, list[Tracer | None]]
    endings: dict[Any, Ending]
    places: list[Slot]
    go: Node | None
    before: dict[Memory, tuple[Trace, Node, Trace | None]]
    inputs: dict[Memory, Node]
    after: dict[Memory, Node]
    rows: dict[str, tuple[Node, Node]]


class _Rows:
    """The stacked operands of a loop that is being traced."""

    def __init__(self, outer: Trace, trips: int) -> None:
        self.outer, self.trips = outer, trips
        self.variable: Any = None
        self.found: dict[str, tuple[Node, Node]] = {}
        self.views: list[tuple[Tracer, Memory | None]] = []


_rows: weakref.WeakKeyDictionary[Trace, _Rows] = weakref.WeakKeyDictionary()


def element(x: Any, index: Any) -> Any:
    """``x[index]`` as the row of a stacked operand, None where it is none.

    So it is where the first index is the variable of a loop over all of the first axis,
    and ``x`` is of the function around it.
    """
    trace = active_trace()
    rows = _rows.get(trace) if trace is not None else None
    first = index[0] if type(index) is tuple and index else index
    if rows is None or trace is None or first is not rows.variable:
        return None
    if not isinstance(x, (Tracer, np.ndarray)) or x.shape[:1] != (rows.trips,):
        return None
    if isinstance(x, Tracer) and x.known is None and x.here is trace:
        return None
    node = rows.outer.node(x)
    if node.name not in rows.found:
        type_ = node.type.with_shape(node.type.shape[1:])
        rows.found[node.name] = node, trace.builder.input("row", type_)
    row = trace.wrap(rows.found[node.name][1])
    rows.views.append((row, x.memory if isinstance(x, Tracer) else None))
    return row[index[1:]] if type(index) is tuple and len(index) > 1 else row


def loop_block(
    body: Callable[[Any], None],
    slots: Sequence[Slot],
    *,
    trips: int | None = None,
    whole_range: bool = False,
    test: Callable[[], Any] | None = None,
    go: Any = None,
) -> None:
    """Run ``body(t)`` for t from 0, ``trips`` times or as long as ``test()`` says.

    ``whole_range`` says that the variable is t itself. ``go`` is what ``test`` said
    before. Raises `NoLoop`, with everything as it was.
    """
    current = active_trace()
    assert current is not None, "loops are traced"
    outer = current.innermost
    outer.enter()
    line = outer.builder.source
    carried: dict[Any, _Carried] = {}
    written: dict[Memory, Trace] = {}
    every = list(slots)
    for _ in range(MAX_PASSES):
        rows = _Rows(outer, trips or 0) if whole_range else None
        done = _trace_body(body, every, carried, written, test, rows, line)
        if trips is not None and trips * len(done.trace.builder) < MIN_NODES:
            raise NoLoop("it is small")
        new_written = {memory: owner for memory, (owner, _, _) in done.before.items()}
        found = _carried(every, done, carried)
        known = {slot.key for slot in every}
        new = [slot for slot in done.places if slot.key not in known]
        if found == carried and new_written == written and not new:
            views = {} if rows is None else _views(done, rows)
            _check_apart(done, carried, views)
            _build(outer, done, carried, views, trips, go)
            return
        carried, written = found, new_written
        every += new
    raise NoLoop("what it carries does not settle")


def _trace_body(
    body: Callable[[Any], None],
    slots: Sequence[Slot],
    carried: dict[Any, _Carried],
    written: dict[Memory, Trace],
    test: Callable[[], Any] | None,
    rows: _Rows | None,
    line: SourceLine | None,
) -> _Pass:
    """Run the body on inputs for what is carried, and undo what it did."""
    start = [slot.get() for slot in slots]
    with deeper() as level:
        trace = Trace("body", level)
        trace.builder.source = line
        trace.written = {}
        journal = journals[trace] = Journal()
        inputs: dict[Memory, Node] = {}
        try:
            with trace, trace.as_region("the body of a loop"):
                counter = trace.argument("t", COUNTER, True)
                if rows is not None:
                    rows.variable = counter
                    _rows[trace] = rows
                given = {key: _inputs(trace, one) for key, one in carried.items()}
                for memory, owner in written.items():
                    type_ = memory.node.type
                    inputs[memory] = trace.argument("memory", type_, False).node
                    trace.written[memory] = owner, memory.node, memory.home
                    memory.swap(inputs[memory], trace)
                body(counter)
                go = trace.node(test(), "bool") if test is not None else None
                endings = {slot.key: ending_of(trace, slot.get()) for slot in slots}
                places = [slot for slot, _ in journal.before.values()]
                before = dict(trace.written)
                after = {memory: memory.node for memory in trace.written}
        except AnabranchError as error:
            raise NoLoop(error.what) from error
        finally:
            for memory, (_, node, home) in trace.written.items():
                memory.swap(node, home)
            journal.undo()
            for slot, value in zip(slots, start, strict=True):
                slot.put(value)
    found = rows.found if rows is not None else {}
    return _Pass(
        *(trace, counter, given, endings, places, go, before, inputs, after, found)
    )


def _inputs(trace: Trace, one: _Carried) -> list[Tracer | None]:
    """Inputs for a place that is carried, which holds them; not if it had no value."""
    made = [
        trace.argument("carried", *type_) if type_ is not None else None
        for type_ in one.types
    ]
    if one.start is UNBOUND:
        one.slot.put(UNBOUND)
    else:
        leaves = zip(made, flatten(one.start)[0], strict=True)
        one.slot.put(
            unflatten(one.tree, [old if new is None else new for new, old in leaves])
        )
    return made


def _carried(
    slots: Sequence[Slot], done: _Pass, before: dict[Any, _Carried]
) -> dict[Any, _Carried]:
    """What is carried, as far as this pass shows."""
    found = dict(before)
    for slot in slots:
        one = before.get(slot.key)
        if one is None:
            start = slot.get()
            end = done.endings[slot.key]
            if end.value is start or is_same(end.value, start):
                continue
            one = _begun(slot, start, end)
        found[slot.key] = _widened(one, done.endings[slot.key])
    return found


def _begun(slot: Slot, start: Any, end: Ending) -> _Carried:
    """A place that changes, with the types that it begins with."""
    if isinstance(slot, Content):
        raise NoLoop(f"{slot.name} changes in its body")
    if start is UNBOUND or _may_be_unbound(start):  # what it holds is of the last turn
        types = [type_of(leaf) for leaf in end.leaves]
        if None in types:
            raise NoLoop(f"{slot.name} has no value before it, and then no array")
        return _Carried(slot, UNBOUND, end.tree, tuple(types))
    leaves, tree = flatten(start)
    return _Carried(slot, start, tree, tuple(type_of(leaf) for leaf in leaves))


def _may_be_unbound(value: Any) -> bool:
    return any(is_traced(leaf) and leaf.bound for leaf in flatten(value)[0])


def _widened(one: _Carried, end: Ending) -> _Carried:
    """A place with types that hold what the body makes of it as well."""
    name = one.slot.name
    if end.value is UNBOUND or end.tree != one.tree or False in _certain(end):
        raise NoLoop(f"{name} changes its structure in its body")
    types: list[LeafType | None] = []
    starts = end.leaves if one.start is UNBOUND else flatten(one.start)[0]
    for known, start, leaf in zip(one.types, starts, end.leaves, strict=True):
        made = type_of(leaf)
        if known is None or made is None:
            if leaf is not start and not is_same(leaf, start):
                raise NoLoop(f"{name} has another value that is no array")
            types.append(None)
            continue
        (type_, weak), (new, new_weak) = known, made
        if type_.shape != new.shape:
            raise NoLoop(f"{name} changes its shape from {type_} to {new} in its body")
        dtype = joined(type_, weak, new, new_weak)
        if dtype != type_.dtype and not weak:
            raise NoLoop(f"{name} changes its dtype from {type_} to {new} in its body")
        types.append((type_.with_dtype(dtype), weak and new_weak))
    return one._replace(types=tuple(types))


def _certain(end: Ending) -> list[bool]:
    return [bound is True for bound in end.bound]


def _views(done: _Pass, rows: _Rows) -> dict[int, Memory]:
    """The memories of which rows are views, which nothing may write."""
    found: dict[int, Memory] = {}
    for row, whole_of in rows.views:
        if row.memory.version or (whole_of is not None and whole_of in done.after):
            raise NoLoop("an array that is read at the counter is written as well")
        if whole_of is not None:
            found[id(row.memory)] = whole_of
    return found


def _check_apart(
    done: _Pass, carried: dict[Any, _Carried], views: dict[int, Memory]
) -> None:
    """Refuse arrays that Python would have under two names, and this would not."""
    seen: dict[int, Any] = {id(memory): memory for memory in done.after}
    inside = done.trace.builder.values
    for key, one in carried.items():
        before = [] if one.start is UNBOUND else flatten(one.start)[0]
        given = [tracer for tracer in done.given[key] if tracer is not None]
        if any(tracer.memory.version for tracer in given) or any(
            is_traced(leaf) and leaf.known is None and leaf.memory in done.after
            for leaf in before
        ):
            raise NoLoop(f"{one.slot.name} is written, and then another array")
        for leaf, given in zip(done.endings[key].leaves, done.given[key], strict=True):
            if given is None or not type_of(leaf)[0].shape:
                continue
            if not isinstance(leaf, Tracer):
                raise NoLoop(f"{one.slot.name} is an array of the function around it")
            if leaf.known is not None:
                if leaf.owner is not done.trace or leaf.known.base is not None:
                    raise NoLoop(f"{one.slot.name} is an array that has another name")
                continue
            node = leaf.memory.node
            ours = inside.get(node.name) is node
            is_row = id(leaf.memory) in views
            other = seen.get(id(leaf.memory), leaf)
            ours = ours and (is_row or node.op != "input")
            if not ours or leaf.memory.alike or other is not leaf:
                raise NoLoop(f"{one.slot.name} is an array that has another name")
            seen[id(leaf.memory)] = leaf


def _build(
    outer: Trace,
    done: _Pass,
    carried: dict[Any, _Carried],
    views: dict[int, Memory],
    trips: int | None,
    go: Any,
) -> None:
    """The node, and what every place holds after it."""
    b = done.trace.builder
    starts: list[Node] = []
    inputs: list[Node] = []
    ends: list[Node] = []
    if done.go is not None:
        starts.append(outer.node(go, "bool"))
        inputs.append(b.input("go", done.go.type))
        ends.append(done.go)
    for key, one in carried.items():
        end = done.endings[key]
        first = end.leaves if one.start is UNBOUND else flatten(one.start)[0]
        for given, start, leaf, type_ in zip(
            done.given[key], first, end.leaves, one.types, strict=True
        ):
            if given is None or type_ is None:
                continue
            unset = one.start is UNBOUND
            zero = outer.builder.full(type_[0], 0) if unset else None
            starts.append(outer.node(start, type_[0].dtype) if zero is None else zero)
            inputs.append(given.unchecked_node)
            ends.append(done.trace.node(leaf, type_[0].dtype))
    for memory, node in done.after.items():
        owner, before, home = done.before[memory]
        starts.append(outer.node(Tracer(home or owner, before)))
        inputs.append(done.inputs[memory])
        ends.append(node)
    stacked = list(done.rows.values())
    own = {node.name for node in (*inputs, *(row for _, row in stacked))}
    own.add(done.counter.unchecked_node.name)
    captured = [n for n in b.nodes if n.op == "input" and n.name not in own]
    values = [outer.node(value) for value in done.trace.closed_over()]
    inner = b.build([Output(node.name) for node in ends])
    region = Graph(
        "body",
        [
            done.counter.unchecked_node,
            *captured,
            *inputs,
            *(row for _, row in stacked),
            *(node for node in inner if node.op != "input"),
        ],
        inner.outputs,
    )
    outer.enter()
    node = outer.builder.add_node(
        "loop",
        *values,
        *starts,
        *(node for node, _ in stacked),
        regions=(region,),
        **loop_attrs(
            {
                "trips": trips,
                "test": done.go is not None,
                "carried": len(starts),
                "stacked": len(stacked),
            }
        ),
    )
    results = iter(node.values[done.go is not None :])
    journal = journal_here()
    arrays: dict[int, Tracer] = {}  # what has two names in the body has two here
    for key, one in carried.items():
        leaves: list[Any] = []
        for leaf, type_ in zip(done.endings[key].leaves, one.types, strict=True):
            if type_ is None:
                leaves.append(leaf)
                continue
            value = outer.wrap(next(results), type_[1])
            if type_[0].shape:
                other = arrays.setdefault(id(leaf), value)
                if other is not value and trips is None:  # without a turn they differ
                    value.memory.may_be([other.memory], done.trace.builder.source)
                elif other is not value:
                    value = other
            if one.start is UNBOUND and trips is None:
                message = f"{one.slot.name} has no value, for the loop had no turn"
                value.bound = outer.wrap(starts[0]), message
            leaves.append(value)
        if journal is not None:
            journal.note(one.slot)
        for made, leaf in zip(leaves, done.endings[key].leaves, strict=True):
            if is_traced(leaf) and leaf.known is None and made.shape:
                source = views.get(id(leaf.memory))
                if source is not None:
                    made.memory.may_be([source], done.trace.builder.source)
        one.slot.put(unflatten(one.tree, leaves))
    for memory in done.after:
        done.before[memory][0].writer(memory)
        memory.replace(next(results), whole(memory.shape))
