"""Operators of control flow: Python's where the condition is known."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from types import CellType
from typing import Any, cast

import numpy as np

from ...ir.errors import AnabranchError, ConcretizationError, TraceError
from ..peel import note_condition
from ..tracing.asked import ask
from ..tracing.notes import happened, unrolls
from ..tracing.running import active_trace, find_trace, is_traced
from ..tracing.source import calling_frame, user_line
from ..transforms.checkpointed import Segments
from .advanced import check_own
from .branches import choose_block
from .failures import fail_unless
from .lookup import member
from .loop_state import Changes, Fills
from .loops import MIN_TRIPS, Loop, NoLoop, Peel, loop_block
from .state import Box, Slot, check_entries, check_there, known, slots_of
from .turns import Turns, turns_of

__all__ = [
    "and_",
    "assert_",
    "choose",
    "compare",
    "contains",
    "for_",
    "if_",
    "not_",
    "or_",
    "truth",
    "while_",
]

MAX_MAYBE = 10_000  # iterations of a loop that may have ended
MAX_FILLED = 5  # turns that run by themselves until a ring is full
MAX_LIMIT = 1 << 40  # the most that a traced bound is known to be


def truth(value: Any) -> Any:
    """A bool, or a traced one."""
    if not is_traced(value) or value.known is not None or value.size != 1:
        check_entries(value)
        return bool(value)
    scalar: Any = value if value.ndim == 0 else np.reshape(value, ())
    made = scalar if scalar.dtype == bool else np.not_equal(scalar, 0)
    trace, node = made.reader, made.unchecked_node
    found = trace.intervals.of(node)
    if found is not None and found.low == found.high:
        return bool(found.low)
    note_condition(trace, node)
    return made


def if_(
    test: Any, then: Callable[[], None], other: Callable[[], None], names: Sequence[str]
) -> None:
    """``if test: then() else: other()``; both assign ``names``."""
    chosen = truth(test)
    if is_traced(chosen):
        choose_block(chosen, then, other, slots_of(then, names))
    else:
        (then if chosen else other)()


def choose(test: Any, then: Callable[[], Any], other: Callable[[], Any]) -> Any:
    """``then() if test else other()``."""
    chosen = truth(test)
    if not is_traced(chosen):
        return then() if chosen else other()
    box = Box(CellType(), "the value of a conditional expression")
    choose_block(chosen, lambda: box.put(then()), lambda: box.put(other()), [box])
    return box.get()


def and_(left: Any, right: Callable[[], Any]) -> Any:
    """``left and right()``."""
    return choose(left, right, lambda: left)


def or_(left: Any, right: Callable[[], Any]) -> Any:
    """``left or right()``."""
    return choose(left, lambda: left, right)


def not_(value: Any) -> Any:
    """``not value``."""
    known = truth(value)
    return np.logical_not(known) if is_traced(known) else not known


_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "Eq": operator.eq,
    "NotEq": operator.ne,
    "Lt": operator.lt,
    "LtE": operator.le,
    "Gt": operator.gt,
    "GtE": operator.ge,
    "Is": lambda left, right: known(left) is known(right),
    "IsNot": lambda left, right: known(left) is not known(right),
}


def compare(kinds: Sequence[str], left: Any, *rights: Callable[[], Any]) -> Any:
    """``left < right() < ...``: each operand is asked for once, and as Python does."""
    right = rights[0]()
    if kinds[0] in ("In", "NotIn"):
        found = contains(right, left)
        made = found if kinds[0] == "In" else not_(found)
    else:
        made = _COMPARISONS[kinds[0]](left, right)
    if len(rights) == 1:
        return made
    return and_(made, lambda: compare(kinds[1:], right, *rights[1:]))


def contains(container: Any, value: Any) -> Any:
    """``value in container``."""
    if is_traced(container) and find_trace((container, value)) is not None:
        return np.any(np.equal(container, value))
    if is_traced(value) and value.known is None and not value.shape:
        found = member(container, value)
        if found is not None:
            return truth(found)
    if isinstance(container, dict):
        entries = cast("dict[Any, Any]", container)
        if value in entries:
            check_there(entries[value])
            return True
        return False
    if (
        not isinstance(container, (list, tuple))
        or find_trace((container, value)) is None
    ):
        return value in container
    found = False
    for item in container:
        if item is value:
            return True
        found = or_(found, lambda item=item: item == value)
    return found


def assert_(test: Any, message: Callable[[], Any]) -> None:
    """``assert test, message()``."""
    holds = truth(test)
    if is_traced(holds):
        try:
            text = str(message())
        except AnabranchError:  # it says what only running knows
            text = ""
        fail_unless(holds, AssertionError(text or "an assertion does not hold"))
    elif not holds:
        raise AssertionError(message())


def for_(
    iterable: Iterable[Any],
    body: Callable[[Any], None],
    names: Sequence[str],
    goes_on: Callable[[], Any] | None = None,
) -> None:
    """``for item in iterable: body(item)``, as long as ``goes_on`` says so.

    A long loop whose items follow from the number of the turn is one node, if it can
    be. Once ``goes_on`` is traced, what is left of the loop runs under its condition.
    """
    slots = slots_of(body, names)
    check_entries(iterable)
    check_own(iterable, whole=True)
    turns = turns_of(iterable) if active_trace() is not None else None
    if turns is not None and turns.segments:
        _run_in_segments(turns, body, slots, goes_on)
    elif turns is not None and _is_node(turns, body, slots, goes_on):
        turns.finish()
    else:
        _run_each(iterable, body, slots, goes_on)


def while_(
    test: Callable[[], Any],
    body: Callable[[], None],
    names: Sequence[str],
    goes_on: Callable[[], Any] | None = None,
) -> None:
    """``while test(): body()``, as long as ``goes_on`` says so."""

    def again() -> Any:
        return truth(and_(goes_on(), test) if goes_on is not None else test())

    while True:
        go = again()
        if is_traced(go):
            break
        if not go:
            return
        body()
    try:
        loop = Loop(lambda t: body(), None, test=again, go=go)
        loop_block(loop, slots_of(body, names))
    except NoLoop as reason:
        raise _refusal(
            f"a 'while' loop that ends on a traced value cannot be one loop: {reason}"
        ) from reason.__cause__


def _run_each(
    iterable: Iterable[Any],
    body: Callable[[Any], None],
    slots: Sequence[Slot],
    goes_on: Callable[[], Any] | None,
) -> None:
    """Run a `for` turn by turn, as long as ``goes_on`` says so."""
    go: Any = True
    for count, item in enumerate(iterable):
        if is_traced(go):
            if count > MAX_MAYBE:
                raise _refusal(f"a loop that may end has more than {MAX_MAYBE} turns")
            choose_block(go, lambda item=item: body(item), lambda: None, slots)
        else:
            body(item)
        if goes_on is None:
            continue
        go = truth(goes_on())
        if not is_traced(go) and not go:
            return


def _run_in_segments(
    turns: Turns,
    body: Callable[[Any], None],
    slots: Sequence[Slot],
    goes_on: Callable[[], Any] | None,
) -> None:
    """Run a `for` as one over segments of turns, and one over the turns that are left.

    The loop back of the outer one keeps what each segment begins with.
    """
    assert turns.segments is not None, "it was asked for"
    every = turns.segments.every
    whole = turns.count // every

    def run(
        turns: Turns, body: Callable[[Any], None], segments: Segments | None = None
    ) -> None:
        if not _is_node(turns, body, slots, goes_on, segments):
            _run_each(turns, body, slots, goes_on)

    def part(k: Any, count: Any = every) -> None:
        first = k * every
        run(Turns(count, lambda t: turns.item(first + t)), body)

    run(Turns(whole, lambda k: k), part, turns.segments)
    left = turns.count - whole * every
    go = True if goes_on is None else truth(goes_on())
    if is_traced(go):
        choose_block(go, lambda: part(whole, left), lambda: None, slots)
    elif go:
        part(whole, left)


def _is_node(
    turns: Turns,
    body: Callable[[Any], None],
    slots: Sequence[Slot],
    goes_on: Callable[[], Any] | None,
    segments: Segments | None = None,
) -> bool:
    """Whether a `for` is one node now; its reason is an error if it has to be one."""
    count, limit, trips = turns.count, None, turns.count
    if is_traced(count):
        limit, most = count, count.reader.intervals.of(count.unchecked_node)
        trips = max(most.high, 0) if most and most.high < MAX_LIMIT else None
    elif count < (1 if segments else MIN_TRIPS):
        return False
    test = None if goes_on is None else lambda: truth(goes_on())
    loop = Loop(lambda t: body(turns.item(t)), trips, limit, test, segments=segments)
    try:
        loop_block(loop, slots)
    except Peel as ends:
        _run_peeled(turns, body, slots, ends, segments)
    except NoLoop as reason:
        if isinstance(reason, Changes) and loop.counts:
            _run_peeled(turns, body, slots, Peel(1, 0), segments)
            return True
        if limit is None:
            unrolls(str(reason))
            return False
        ask(limit)
        what = "a 'for' loop over a range with a traced bound cannot be one loop"
        raise _refusal(f"{what}: {reason}") from reason.__cause__
    return True


def _run_peeled(
    turns: Turns,
    body: Callable[[Any], None],
    slots: Sequence[Slot],
    ends: Peel,
    segments: Segments | None,
) -> None:
    """Run a loop whose first and last turns are no part of the node."""
    first, last = ends.first, turns.count - ends.last
    unrolls("turns at its ends are unlike the others")
    for t in range(first):
        body(turns.item(t))
    happened()
    while not _is_between(turns, body, slots, first, last, segments):
        body(turns.item(first))
        happened()
        first += 1
    for t in range(last, turns.count):
        body(turns.item(t))


def _is_between(
    turns: Turns,
    body: Callable[[Any], None],
    slots: Sequence[Slot],
    first: int,
    last: int,
    segments: Segments | None,
) -> bool:
    """Run the turns from ``first`` on, unless a ring may be full after some more."""
    loop = Loop(
        lambda t: body(turns.item(t + first)),
        last - first,
        is_peeled=True,
        segments=segments,
    )
    try:
        loop_block(loop, slots)
    except NoLoop as reason:
        unrolls(str(reason))
        if isinstance(reason, Fills) and first < min(MAX_FILLED, last):
            return False
        for t in range(first, last):
            body(turns.item(t))
    return True


def _refusal(what: str) -> TraceError:
    return ConcretizationError(
        what,
        source=user_line(calling_frame()),
        hint="loops on traced conditions are written with anabranch.while_loop; a loop "
        "over a range with a 'break' is traced as it stands",
    )
