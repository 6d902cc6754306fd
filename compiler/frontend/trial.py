"""The body of a loop, traced once on inputs for what it carries.

Whatever a trial does is undone: variables, entries and attributes, memories, and what
was known. What it found is in the `Pass` that it returns.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from ...ir.errors import AnabranchError
from ...ir.extent import whole
from ...ir.graph import Node
from ...ir.types import TensorType
from ..intervals import counter_interval
from ..peel import Ends
from ..program import deeper
from ..tracing.running import is_traced
from ..tracing.trace import Trace
from ..tracing.tracer import Tracer
from ..tracing.undo import undone
from ..tracing.views import Alike, Memory
from ..tree import flatten, unflatten
from .endings import Ending, ending_of
from .journals import journals
from .loop_state import Carried, Loop, NoLoop, State
from .rows import Rows
from .said import Said
from .state import UNBOUND, Content, Journal, Slot

__all__ = ["Pass", "run_body"]

MAX_CONTENT = 64  # values of a container that is carried as a whole
COUNTER = TensorType("i64", ())


class Pass(NamedTuple):
    """The body, traced once.

    ``given`` are the inputs for the leaves of carried places, ``endings`` what places
    hold at the end of the turn, and ``contents`` what containers do as a whole.
    ``places`` are those that are no variables, ``items`` what lists that grow got. Of
    each memory that was written, ``before`` has who made it and its value in front of
    the loop, ``inputs`` and ``after`` its values in the turn. ``ends`` are the
    turns that are unlike the others. ``alike`` tells of leaves, by their ids, which
    memories they may be. ``said`` is what the turn would print.
    """

    trace: Trace
    counter: Tracer
    given: dict[Any, list[Tracer | None]]
    endings: dict[Any, Ending]
    contents: dict[Any, Any]
    places: list[Slot]
    items: dict[Any, list[Ending]]
    go: Node | None
    before: dict[Memory, tuple[Trace, Node, Trace | None]]
    inputs: dict[Memory, Node]
    after: dict[Memory, Node]
    rows: Rows | None
    ends: Ends | None
    alike: dict[int, Alike]
    said: list[Said]

    def ending(self, key: Any) -> Ending:
        """How a place ends that is carried, or an item of a list that grows."""
        if key[0] == "recent":
            return self.items[key[1]][key[2]]
        return self.endings[key]

    def names_read(self) -> set[str]:
        """The values that are used in the turn, or are its results."""
        read = {name for node in self.trace.builder.nodes for name in node.operands}
        read.update(node.name for node in self.after.values())
        ends = [
            *self.endings.values(),
            *(e for row in self.items.values() for e in row),
        ]
        read.update(node.name for end in ends for node in end.nodes if node is not None)
        return read


def run_body(
    loop: Loop, outer: Trace, slots: Sequence[Slot], state: State, *, last: bool = False
) -> Pass:
    """Run the body on inputs for what is carried, and undo what it did.

    With ``last`` lists that grow are as long as in the last turn, not as in the first.
    """
    start = [slot.get() for slot in slots]
    with deeper() as level, undone(level):
        trace = Trace("body", level)
        trace.builder.source = outer.builder.source
        trace.written = {}
        journal = journals[trace] = Journal()
        rows = Rows.of(trace, outer, loop.trips) if loop.trips is not None else None
        inputs: dict[Memory, Node] = {}
        ends: Ends | None = None
        try:
            with _no_loop(), trace, trace.as_region("the body of a loop"):
                counter = trace.argument("t", COUNTER, True)
                trace.intervals.note(counter.node, counter_interval(loop.trips))
                if loop.limit is not None:
                    trace.limits[counter.node.name] = loop.limit
                if rows is not None:
                    rows.counter = counter.node
                ends = Ends.of(trace, counter.node, loop.trips)
                given = {k: _inputs(trace, one) for k, one in state.carried.items()}
                turns = (loop.trips or 1) - 1 if last else 0
                begun = {
                    key: growing.begin(state.carried, turns)
                    for key, growing in state.growing.items()
                }
                for memory, owner in state.written.items():
                    inputs[memory] = _begin_written(trace, memory, owner)
                loop.body(counter)
                go = _another(trace, loop)
                places = [slot for slot, _ in journal.before.values()]
                contents = {
                    slot.key: slot.get() for slot in places if isinstance(slot, Content)
                }
                endings = {
                    slot.key: ending_of(trace, slot.get())
                    for slot in [*slots, *places]
                    if not isinstance(slot, Content) or _may_be_carried(slot, state)
                }
                items = {
                    key: [
                        ending_of(trace, item)
                        for item in growing.items(begun[key], state.carried, trace)
                    ]
                    for key, growing in state.growing.items()
                    if key in contents
                }
                every = [*endings.values(), *(e for row in items.values() for e in row)]
                alike = {
                    id(leaf): found
                    for end in every
                    for leaf in end.leaves
                    if is_traced(leaf) and (found := leaf.memory.other_name())
                }
                before = dict(trace.written)
                after = {memory: memory.node for memory in trace.written}
        except NoLoop as reason:
            reason.ends = ends
            raise
        finally:
            for memory, (_, node, home) in trace.written.items():
                memory.swap(node, home)
            journal.undo()
            del journals[trace]
            for slot, value in zip(slots, start, strict=True):
                slot.put(value)
    return Pass(
        *(trace, counter, given, endings, contents, places, items),
        *(go, before, inputs, after, rows, ends, alike, journal.said),
    )


def _may_be_carried(slot: Content, state: State) -> bool:
    """Whether a container may hold as many values after each turn."""
    return slot.key not in state.growing and len(slot.container) <= MAX_CONTENT


@contextmanager
def _no_loop() -> Any:
    """What the body is refused for is why the loop is no node.

    So is a name or a key that is not there for a counter without a value; if it is not
    there at all, the loop says so when it runs in Python.
    """
    try:
        yield
    except AnabranchError as error:
        raise NoLoop(error.what) from error
    except (NameError, LookupError) as error:
        raise NoLoop(f"its body raises {type(error).__name__}: {error}") from error


def _another(trace: Trace, loop: Loop) -> Node | None:
    """Whether there is another turn; None where the count alone says so."""
    made = True if loop.test is None else loop.test()
    if made is True and loop.trips is not None:
        return None
    return trace.node(made, "bool")


def _begin_written(trace: Trace, memory: Memory, owner: Trace) -> Node:
    """An input for a memory that turns before this one wrote."""
    if memory.known is not None:
        memory.forget(owner)
    made = trace.argument("memory", memory.node.type, False).node
    assert trace.written is not None, "it is a region"
    trace.written[memory] = owner, memory.node, memory.home
    memory.swap(made, trace)
    memory.lose(whole(memory.shape))
    return made


def _inputs(trace: Trace, one: Carried) -> list[Tracer | None]:
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
