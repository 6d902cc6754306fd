"""A Python loop as one node: its body is traced once, whatever the count.

A value is an invariant until it is proved to change. So the body is traced as it
stands; what it assigned, wrote or stored that is not what it was is *carried*, and the
body is traced again with it as an input, until nothing new changes.

What cannot be said that way is a `NoLoop`: another structure, shape or dtype by
iteration, arrays that would be one in Python and two here, a value of the counter that
is asked for. All that a trial did is undone, so the caller may run the loop in Python.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Generator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from ...ir.errors import SourceLine
from ...ir.graph import Graph, Node
from ...ir.ops import OPS, Kind
from ..peel import Ends
from ..tracing.running import active_trace, is_traced
from ..tracing.trace import Trace
from .apart import Sharing, shared
from .carried import widened
from .endings import is_same
from .loop_node import build, region_of
from .loop_state import Changes, Fills, Loop, NoLoop, Peel, State
from .state import UNBOUND, ByBranch, Slot, is_lost
from .trial import Pass, run_body

__all__ = [
    "MIN_NODES",
    "MIN_TRIPS",
    "Loop",
    "NoLoop",
    "Peel",
    "loop_block",
]

MIN_TRIPS = 10
MIN_NODES = 1_000  # that a loop is to unroll to; fewer compile in about half a second
MIN_INNER = 200  # the same, in the body of a loop that is a node
MAX_PASSES = 12
MOST_PEELED = 400  # nodes of the turns that are peeled off

_state = threading.local()  # tried: the loops that are being tried


def loop_block(loop: Loop, slots: Sequence[Slot]) -> None:
    """Run a loop as a node. Raises `NoLoop` or `Peel`, with everything as it was."""
    current = active_trace()
    assert current is not None, "loops are traced"
    outer = current.innermost
    outer.enter()
    lost: list[Slot] = []
    try:
        with _trying(loop):
            state, done = _settled(loop, outer, slots, lost)
            sharing = shared(loop, state, done)
            if state.growing:
                _check_growth(loop, outer, slots, state, done, sharing)
            if any(one.appears for one in state.carried.values()):
                _check_absence(loop, outer, slots, state, done, sharing)
        build(outer, loop, state, done, sharing)
    except BaseException:
        for slot in lost:
            slot.put(UNBOUND)
        raise


def _lose(slots: Sequence[Slot], done: Pass, line: SourceLine | None) -> list[Slot]:
    """The variables that end as what no other turn can read, and say so from now on."""
    found: list[Slot] = []
    for slot in slots:
        value = done.endings[slot.key].value
        if slot.get() is UNBOUND and is_lost(value):
            what = "is a slice of a loop's turn, whose size depends on a traced value"
            known = isinstance(value, ByBranch)
            slot.put(value if known else ByBranch(slot.name, what, line))
            found.append(slot)
    return found


def _tried() -> list[Loop]:
    """The loops that are being tried, the outermost first."""
    if not hasattr(_state, "tried"):
        _state.tried = []
    return _state.tried


@contextmanager
def _trying(loop: Loop) -> Generator[None, None, None]:
    _tried().append(loop)
    try:
        yield
    finally:
        _tried().pop()


def _settled(
    loop: Loop, outer: Trace, slots: Sequence[Slot], lost: list[Slot]
) -> tuple[State, Pass]:
    """What the loop carries, and the pass that shows that it is all.

    Places that are no variables count once two passes have met them: what only one has
    met, the body made itself. Until then they are tried.
    """
    line = outer.builder.source
    every = {slot.key: slot for slot in slots}
    once: dict[Any, Slot] = {}
    tried: list[Slot] = []
    state, was_settled = State({}, {}, {}), False
    for _ in range(MAX_PASSES):
        used = state
        try:
            done = run_body(loop, outer, [*every.values(), *tried], used)
        except NoLoop as reason:
            _check_ends(loop, reason.ends, [])
            if used.growing:  # a list that is full after some turns does not
                raise Fills(str(reason)) from reason.__cause__
            raise
        if _is_small(loop, done):
            raise NoLoop("it is small")
        _check_ends(loop, done.ends, [*done.trace.builder.nodes])
        if newly := _lose(slots, done, line):
            lost += newly
            continue
        new = {slot.key: slot for slot in done.places if slot.key not in every}
        twice = {key: slot for key, slot in new.items() if key in once}
        every |= twice
        once = {key: slot for key, slot in new.items() if key not in twice}
        known = _of_places(used, every)
        state = widened(known, every.values(), done, line)
        settled = state == known and not twice
        if settled and used == known and (was_settled or not once):
            return known, done
        was_settled = settled
        tried = [] if settled else list(once.values())
        for slot in tried:
            with suppress(NoLoop):
                state = widened(state, [slot], done, line)
    raise NoLoop("what it carries does not settle")


def _of_places(state: State, every: dict[Any, Slot]) -> State:
    """The state without places that the body made itself."""
    carried = {
        key: one
        for key, one in state.carried.items()
        if (key[1] if key[0] == "recent" else key) in every
    }
    growing = {key: one for key, one in state.growing.items() if key in every}
    return state._replace(carried=carried, growing=growing)


def _is_small(loop: Loop, done: Pass) -> bool:
    """Whether a loop is left to unroll, whatever it could be."""
    if loop.segments or loop.limit is not None or loop.trips is None:
        return False
    return loop.trips * _weight(done.trace) < _least(done)


def _least(done: Pass) -> int:
    """How many nodes a loop is to unroll to, to be tried as one.

    Numbers, one after the other, are a kernel in a loop and many out of it.
    """
    inner = len(_tried()) > 1 or _is_of_numbers(done.trace)
    return min(MIN_INNER, MIN_NODES) if inner else MIN_NODES


def _size(nodes: Collection[Node]) -> int:
    """How many nodes the body has."""
    return sum(1 + sum(map(len, node.regions)) for node in nodes)


def _check_ends(loop: Loop, ends: Ends | None, body: Collection[Node]) -> None:
    """Raise `Peel` where a few turns are unlike the others.

    An index that wraps is no reason in a loop of loops. It says in which row these are,
    and their own turns are alike.
    """
    if ends is None or not loop.counts or loop.is_peeled:
        return
    nested = any(node.op == "loop" for node in body)
    first, last = ends.turns(indices=not nested)
    peeled = first + last
    left = ends.trips - peeled
    if peeled and left >= MIN_TRIPS and peeled * _size(body) <= MOST_PEELED:
        raise Peel(first, last)


def _is_of_numbers(trace: Trace) -> bool:
    """Whether the body computes no arrays, but for storing numbers into them."""
    return all(
        node.type.size <= 1 or OPS[node.op].kind in (Kind.STORE, Kind.SOURCE, Kind.VIEW)
        for node in trace.builder.nodes
        if node.op != "input"
    )


def _weight(trace: Trace) -> int:
    """How many nodes the body comes to, with the loops in it unrolled."""
    return sum(map(_node_weight, trace.builder.nodes))


def _node_weight(node: Node) -> int:
    trips: Any = node.attrs.get("trips", 1) if node.op == "loop" else 1
    return 1 + trips * sum(map(_graph_weight, node.regions))


def _graph_weight(graph: Graph) -> int:
    return sum(map(_node_weight, graph))


def _check_growth(
    loop: Loop,
    outer: Trace,
    slots: Sequence[Slot],
    state: State,
    done: Pass,
    sharing: Sharing,
) -> None:
    """Refuse a body that does something else once its lists have grown."""
    if not loop.counts:
        raise NoLoop("a list grows, and nobody knows how often")
    if not _does_the_same(loop, outer, slots, state, done, sharing, state, last=True):
        raise Fills("its body depends on the length of a list that grows in it")


def _check_absence(
    loop: Loop,
    outer: Trace,
    slots: Sequence[Slot],
    state: State,
    done: Pass,
    sharing: Sharing,
) -> None:
    """Refuse a body that does something else once an entry or attribute is there."""
    present = {
        key: one._replace(start=done.ending(key).value) if one.appears else one
        for key, one in state.carried.items()
    }
    later = state._replace(carried=present)
    if not _does_the_same(loop, outer, slots, state, done, sharing, later):
        names = [one.slot.name for one in state.carried.values() if one.appears]
        what = "is not there in its first turn: store one before the loop"
        raise Changes(f"{names[0]} {what}")


def _does_the_same(
    loop: Loop,
    outer: Trace,
    slots: Sequence[Slot],
    state: State,
    done: Pass,
    sharing: Sharing,
    other: State,
    *,
    last: bool = False,
) -> bool:
    """Whether a pass with another state, or as the ``last`` turn, is the same."""
    places = [growing.slot for growing in state.growing.values()]
    places += [one.slot for key, one in state.carried.items() if key[0] != "recent"]
    again = run_body(loop, outer, [*slots, *places], other, last=last)
    if any(done.ending(key).tree != again.ending(key).tree for key in state.carried):
        return False
    same = region_of(again, state, shared(loop, state, again)) == region_of(
        done, state, sharing
    )
    return same and _same_numbers(state, done, again)


def _same_numbers(state: State, one: Pass, other: Pass) -> bool:
    """Whether what is no traced value is the same at the end of two passes."""
    return all(
        a is b or is_same(a, b) or (is_traced(a) and is_traced(b))
        for key in state.carried
        for a, b in zip(one.ending(key).leaves, other.ending(key).leaves, strict=True)
    )
