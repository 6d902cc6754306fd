"""Lists that get the same appends in every turn of a loop.

Such a list holds nothing in the first turns that the body may use, but for what the
turn before appended: those items are carried like variables. Everything else is a
`ByBranch`, an error where it is used. A body that looks at the length of the list says
other things in the last turn than in the first: both are tried.

Afterwards the list holds rows of stacked results, each of which is read when it is
asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ...ir.errors import SourceLine
from ..tracing.ragged import Ragged
from ..tracing.stacked import with_stacks
from ..tracing.trace import Trace
from ..tree import flatten
from .loop_state import Carried, NoLoop
from .state import ByBranch, Content, Slot

__all__ = ["MAX_ITEMS", "Growing", "Recent", "appended"]

MAX_ITEMS = 32  # and leaves in each


class Growing(NamedTuple):
    """A list, what it held before the loop, and how many items it gets in a turn."""

    slot: Content
    before: list[Any]
    times: int
    line: SourceLine | None

    @property
    def recent(self) -> list[Recent]:
        """The places of what was appended last."""
        return [Recent(self, number) for number in range(self.times)]

    def begin(self, carried: dict[Any, Carried], turns: int) -> list[Any]:
        """Hold what there is after so many turns, and tell what that is.

        The last items are inputs, if they are carried.
        """
        unknown = ByBranch(
            "an item of a list", "is not known while it grows in a loop", self.line
        )
        held: list[Any] = [unknown] * (len(self.before) + self.times * turns)
        for place in self.recent:
            if place.key in carried:
                value = carried[place.key].slot.get()
                held[len(held) - self.times + place.number] = value
        self.slot.put(held)
        return held

    def items(
        self, begun: Sequence[Any], carried: dict[Any, Carried], trace: Trace
    ) -> list[Any]:
        """What was appended to what there was at the beginning of the turn.

        Lists that a loop in the turn filled are one array each, unless they are carried
        as lists.
        """
        items = appended(begun, self.slot.get())
        if items is None or len(items) != self.times:
            raise NoLoop("a list changes in another way than by appends")
        if any(isinstance(leaf, Ragged) for leaf in flatten(items)[0]):
            raise NoLoop("the size of an item of a list differs from turn to turn")
        if any(place.key in carried for place in self.recent):
            return items
        return [with_stacks(item, trace) for item in items]

    def starts(self) -> list[Carried]:
        """What is carried of it: the last items, where there are enough of one type."""
        found: list[Carried] = []
        if len(self.before) < self.times:
            return found
        for place in self.recent:
            start = self.before[len(self.before) - self.times + place.number]
            leaves, tree = flatten(start)
            found.append(Carried.of(place, start, tree, leaves))
        return found


class Recent(Slot):
    """An item that the turn before appended."""

    def __init__(self, growing: Growing, number: int) -> None:
        self.key = "recent", growing.slot.key, number
        self.name = "an item of a list"
        self.number = number
        self.value: Any = None

    def get(self) -> Any:
        return self.value

    def put(self, value: Any) -> None:
        self.value = value


def appended(before: Sequence[Any], after: Any) -> list[Any] | None:
    """What was appended to a list; None if it changed in another way."""
    if not isinstance(after, list) or len(after) < len(before):  # type: ignore[arg-type]
        return None
    if any(one is not other for one, other in zip(before, after, strict=False)):
        return None
    return after[len(before) :]
