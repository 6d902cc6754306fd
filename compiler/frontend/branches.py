"""An ``if`` on a traced value: both branches are traced, and a node chooses.

Each branch runs with a trace of its own, from the same state: the variables that one of
them assigns, the memories and places that either writes. What differs at their ends
becomes a result of the node. Where values have no common type, the place holds a
`ByBranch`, which is an error if it is used.
"""

from __future__ import annotations

import opcode
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...ir.errors import AnabranchError, SourceLine, TraceError
from ...ir.extent import whole
from ...ir.graph import Node
from ..cond import choice
from ..program import deeper
from ..regions import TracedRegion
from ..tracing.asked import ask
from ..tracing.running import is_traced
from ..tracing.source import is_inside
from ..tracing.trace import Trace
from ..tracing.tracer import Tracer
from ..tracing.undo import is_tried
from ..tracing.views import Memory
from ..tree import flatten, outline, unflatten
from .endings import (
    Ending,
    ending_of,
    is_same,
    joined,
    type_of,
    with_place_holders,
)
from .failures import Raised, fail_unless
from .journals import journal_here, journals, said_here
from .locality import Locality, are_local
from .said import hand_on
from .shared import Shared
from .state import (
    UNBOUND,
    Box,
    ByBranch,
    Content,
    Entry,
    Journal,
    Slot,
)

__all__ = [
    "MAX_DEPTH",
    "choose_block",
]

MAX_DEPTH = 60


class Done(NamedTuple):
    """A branch that was traced, before what it changed was undone."""

    trace: Trace
    endings: dict[Any, Ending]
    memories: dict[Memory, Node]
    places: list[tuple[Slot, Any]]


def choose_block(
    test: Tracer,
    then: Callable[[], None],
    other: Callable[[], None],
    slots: Sequence[Slot],
) -> None:
    """``if test: then() else: other()``, both of which change ``slots``."""
    outer = test.owner.innermost
    outer.enter()
    line = outer.builder.source
    if outer.level >= MAX_DEPTH:
        ask(test)
        raise TraceError(
            f"{MAX_DEPTH} branches on traced values inside of each other: a function "
            "that calls itself does not end while both ways are traced",
            source=line,
            hint="let the recursion end on a value that is known",
        )
    p = outer.node(test)
    start = [slot.get() for slot in slots]
    done: list[Done] = []
    for name, block in (("then", then), ("else", other)):
        raised: Exception | None = None
        try:
            done.append(_traced(name, block, slots, line))
        except Raised as found:
            raised = found.error
        for slot, value in zip(slots, start, strict=True):
            slot.put(value)
        if raised is not None:  # where the function goes on, it is in the other one
            holds: Any = np.logical_not(test) if name == "then" else test
            fail_unless(holds, raised)
            (other if name == "then" else then)()
            return
    merge = _Merge(outer, line, done)
    everywhere = {slot.key: slot for slot in slots}
    for one in done:
        everywhere |= {slot.key: slot for slot, _ in one.places}
    before = dict(zip((slot.key for slot in slots), start, strict=True))
    before |= {slot.key: v for one in done for slot, v in one.places}
    values = {key: merge.value(slot, before[key]) for key, slot in everywhere.items()}
    memories = list(dict.fromkeys(m for one in done for m in one.memories))
    indices = [merge.memory(memory) for memory in memories]
    made = merge.build(p)
    outer.enter()
    for memory, index in zip(memories, indices, strict=True):
        owner = done[0].trace.written_by(memory) or done[1].trace.written_by(memory)
        assert owner is not None, "a branch wrote it"
        owner.writer(memory)
        memory.replace(made[index], whole(memory.shape))
    journal, shared = journal_here(), Shared()
    for key, slot in everywhere.items():
        if journal is not None and key not in {s.key for s in slots}:
            journal.note(slot)
        slot.put(shared.joined(values[key](made), *merge.containers[key]))
    shared.note()


def _traced(
    name: str, block: Callable[[], None], slots: Sequence[Slot], line: SourceLine | None
) -> Done:
    """Run a branch, keep how it ends, and undo what it did to the outside."""
    with deeper() as level:
        trace = Trace(name, level)
        trace.builder.source = line
        trace.written = {}
        journal = journals[trace] = Journal()
        try:
            with trace, trace.as_region("a branch of 'if'"):
                _run(block)
                endings = {slot.key: ending_of(trace, slot.get()) for slot in slots}
                places = [
                    pair
                    for pair in journal.before.values()
                    if not _is_made_in(trace, pair[1])
                ]
                for slot, _ in places:
                    endings[slot.key] = ending_of(trace, slot.get())
                memories = {memory: memory.node for memory in trace.written}
        finally:
            for memory, (_, node, home) in trace.written.items():
                memory.swap(node, home)
            journal.undo()
            del journals[trace]
            hand_on(journal.said, said_here())
    return Done(trace, endings, memories, places)


def _is_made_in(trace: Trace, before: Any) -> bool:
    """Whether a container held a value of the branch before the branch changed it.

    Then the branch made it: each change of another one was noted, the first too.
    """
    leaves, _ = flatten(before)
    return any(is_traced(leaf) and leaf.owner is trace for leaf in leaves)


def _run(block: Callable[[], None]) -> None:
    """Run a block; what it raises by a statement is not certain to be raised.

    Nor is that something is not there, a key or a place, or has no inverse. The body of
    a loop that is tried may not know yet what there is.
    """
    try:
        block()
    except Raised:
        raise
    except (LookupError, ZeroDivisionError) as error:
        if is_tried() and not _is_raised(error):
            raise
        raise Raised(error) from error
    except AnabranchError:
        raise
    except Exception as error:
        if not _is_raised(error):
            raise
        raise Raised(error) from error


def _is_raised(error: Exception) -> bool:
    """Whether a statement of the user's raised an error."""
    entry = error.__traceback__
    while entry is not None and entry.tb_next is not None:
        entry = entry.tb_next
    if entry is None or is_inside(entry.tb_frame):
        return False
    return entry.tb_frame.f_code.co_code[entry.tb_lasti] == _RAISE


_RAISE = opcode.opmap["RAISE_VARARGS"]


def _unchanged(done: Done, value: Any) -> Ending:
    """The value of a place that a branch left alone, where it may have written."""
    now = [(memory, memory.node, memory.home) for memory in done.memories]
    for memory, node in done.memories.items():
        memory.swap(node, done.trace)
    try:
        return ending_of(done.trace, value)
    finally:
        for memory, node, home in now:
            memory.swap(node, home)


class _Merge:
    """The results of the node, one after the other."""

    def __init__(
        self, outer: Trace, line: SourceLine | None, done: Sequence[Done]
    ) -> None:
        self._outer, self._line, self._done = outer, line, done
        self._results: list[tuple[Node, Node]] = []
        self.containers: dict[Any, tuple[list[Any], list[Any]]] = {}

    def build(self, p: Node) -> Sequence[Node]:
        """The values of the node; without results there is none."""
        if not self._results:
            return ()
        branches = [
            TracedRegion(
                ("then", "else")[i],
                one.trace,
                (),
                (),
                [pair[i] for pair in self._results],
                None,
                (),
                self._line,
            )
            for i, one in enumerate(self._done)
        ]
        test = self._outer.wrap(p)
        return choice(self._outer, test, branches).values

    def memory(self, memory: Memory) -> int:
        """The result for a memory that a branch wrote."""
        nodes = [
            one.memories.get(memory)
            or one.trace.node(Tracer(memory.home or self._owner(memory), memory.node))
            for one in self._done
        ]
        self._results.append((nodes[0], nodes[1]))
        return len(self._results) - 1

    def _owner(self, memory: Memory) -> Trace:
        found = next(one for one in self._done if memory in one.memories)
        owner = found.trace.written_by(memory)
        assert owner is not None, "a branch wrote it"
        return owner

    def value(self, slot: Slot, before: Any) -> Callable[[Sequence[Node]], Any]:
        """What is at a place afterwards, given the values of the node."""
        ends = [
            one.endings.get(slot.key) or _unchanged(one, before) for one in self._done
        ]
        ends = with_place_holders(ends, isinstance(slot, Box))
        one, other = ends
        self.containers[slot.key] = one.containers, other.containers
        if one.value is other.value and not isinstance(slot, Content):
            return lambda made: one.value
        problem = self._problem(one, other)
        if problem is None:
            parts = [self._leaf(slot, one, other, i) for i in range(len(one.leaves))]
            if None not in parts:
                return lambda made: unflatten(one.tree, [f(made) for f in parts if f])
            problem = "has values without a common type, by the branch that is taken"
        if isinstance(slot, Content):
            return self._left_alone(slot, before)
        absent = any(map(_may_lack, (one.value, other.value)))
        held = ByBranch(slot.name, problem, self._line, absent)
        return lambda made: held

    def _flag(self, flags: tuple[Node | bool, Node | bool]) -> int:
        """The result that says whether a variable has a value."""
        nodes = [
            done.trace.builder.const(flag, "bool") if isinstance(flag, bool) else flag
            for done, flag in zip(self._done, flags, strict=True)
        ]
        self._results.append((nodes[0], nodes[1]))
        return len(self._results) - 1

    def _left_alone(self, slot: Content, before: Any) -> Callable[[Any], Any]:
        """A container that the branches change in other ways may be local to one."""
        if not are_local(self._locality, [id(slot.container)]):
            raise TraceError(
                f"{slot.name} is changed in one branch of an 'if' on a traced value",
                source=self._line,
                hint="make a new one in both branches, or choose with np.where",
            )
        return lambda made: before

    def _locality(self) -> Locality:
        """What the books of the branches refer to."""
        places = [pair for done in self._done for pair in done.places]
        slots = list({id(slot): slot for slot, _ in places}.values())
        ends = [end for done in self._done for end in done.endings.values()]
        held = [value for end in ends for value in (end.value, *end.containers)]
        return Locality(
            [*held, *(slot.container for slot in slots if isinstance(slot, Content))],
            [before for slot, before in places if isinstance(slot, Content)],
            [slot.container for slot in slots if isinstance(slot, Entry)],
        )

    def _problem(self, one: Ending, other: Ending) -> str | None:
        """Why two values cannot be chosen between as they are."""
        values = one.value, other.value
        if any(value is UNBOUND for value in values):
            return "has a value on one way of an 'if' only"
        if any(isinstance(value, ByBranch) for value in values):
            return "has no value that is known on one way of an 'if'"
        if one.tree != other.tree:
            trees = f"{outline(one.tree)} or {outline(other.tree)}"
            return f"has another structure by the branch that is taken, {trees}"
        return None

    def _leaf(
        self, slot: Slot, one: Ending, other: Ending, i: int
    ) -> Callable[[Sequence[Node]], Any] | None:
        """A leaf of both: the same, or a result."""
        a, b = one.leaves[i], other.leaves[i]
        flags = one.bound[i], other.bound[i]
        if a is b or (flags == (True, True) and is_same(a, b)):
            return lambda made: a
        types = [type_of(a), type_of(b)]
        if types[0] is None or types[1] is None:
            return None
        (first, first_weak), (second, second_weak) = types
        if first.shape != second.shape:
            return None
        dtype = joined(first, first_weak, second, second_weak)
        weak = first_weak and second_weak
        pair = [
            end.nodes[i] or done.trace.node(leaf)
            for done, end, leaf in zip(self._done, (one, other), (a, b), strict=True)
        ]
        cast = [
            done.trace.builder.cast(node, dtype)
            for done, node in zip(self._done, pair, strict=True)
        ]
        self._results.append((cast[0], cast[1]))
        index = len(self._results) - 1
        outer, line = self._outer, self._line
        flag = None if flags == (True, True) else self._flag(flags)
        message = f"{slot.name} has no value on the way that was taken"

        def made_of(made: Sequence[Node]) -> Tracer:
            value = outer.wrap(made[index], weak)
            if flag is not None:
                value.bound = outer.wrap(made[flag]), message
            if first.shape:
                _may_be(value.memory, [a, b], line)
            return value

        return made_of


def _may_lack(value: Any) -> bool:
    if isinstance(value, ByBranch):
        return bool(value.__dict__["absent"])
    return value is UNBOUND


def _may_be(memory: Memory, values: Sequence[Any], line: SourceLine | None) -> None:
    """Note that an array may be one of those of the branches."""
    alike = memory.may_be((v.memory for v in values if is_traced(v)), line)
    alike.outside |= any(
        isinstance(value, np.ndarray) and value.flags.writeable for value in values
    )
