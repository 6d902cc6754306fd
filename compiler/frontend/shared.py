"""Containers that several places hold at the end of a branch, and after it too.

The values of a node are put into new trees. Two places that held one list on both ways
get one list, and where both ways hold a list of before, that is the one. A new list may
be another one that is still known, by the branch that was taken: then neither of the
two may change.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from typing import Any, cast

from ...ir.errors import TraceError
from ..tracing.running import active_trace, innermost, program_trace
from .locality import Locality, are_local

__all__ = ["Shared", "containers_in", "refuse_if_shared"]


def containers_in(value: Any) -> list[Any]:
    """The lists, deques and dicts of a tree, each before those in it."""
    found: list[Any] = [value] if isinstance(value, (list, deque, dict)) else []
    for part in _parts(value):
        if isinstance(part, (list, deque, dict, tuple)):
            found += containers_in(part)
    return found


def _parts(value: Any) -> list[Any]:
    if isinstance(value, dict):
        entries = cast("dict[Any, Any]", value)
        return [entries[key] for key in sorted(entries, key=repr)]
    if isinstance(value, (list, deque, tuple)):
        return list(cast("Sequence[Any]", value))
    return []


class Known:
    """A container, and those that may be the same by the branch that was taken."""

    __slots__ = ("container", "others")

    def __init__(self, container: Any) -> None:
        self.container = container
        self.others: list[Known] = []


def refuse_if_shared(container: Any) -> None:
    """Raise `TraceError` for a change that another container would have to see too."""
    trace = active_trace()
    if trace is None or not (table := program_trace().containers):
        return
    known = table.get(id(container))
    if known is None or not known.others:
        return

    def books() -> Locality:
        return Locality([one.container for one in table.values()], [], [])

    if not are_local(books, [id(other.container) for other in known.others]):
        here = innermost(trace)
        here.enter()
        kind = type(container).__name__
        raise TraceError(
            f"this {kind} changes while another name may refer to it, by the branch "
            "that was taken",
            source=here.builder.source,
            hint=f"copy the {kind} before one of them changes",
        )


class Shared:
    """The containers that were made of those of both ways so far."""

    def __init__(self) -> None:
        self._made: dict[tuple[int, int], tuple[Any, Any, Any]] = {}

    def joined(self, made: Any, one: Sequence[Any], other: Sequence[Any]) -> Any:
        """The tree ``made`` of one that held ``one`` and one that held ``other``."""
        if not len(one) == len(other) == len(containers_in(made)):
            return made
        return self._joined(made, iter(zip(one, other, strict=True)))

    def _joined(self, made: Any, pairs: Iterator[tuple[Any, Any]]) -> Any:
        parts = _parts(made)
        if not isinstance(made, (list, deque, dict)):
            new = [self._joined(part, pairs) for part in parts]
            if all(a is b for a, b in zip(parts, new, strict=True)):
                return made
            return made._make(new) if hasattr(made, "_make") else type(made)(new)
        one, other = next(pairs)
        new = [self._joined(part, pairs) for part in parts]
        if one is other:
            return one
        known = self._made.setdefault((id(one), id(other)), (one, other, made))[2]
        if known is made:
            keys = sorted(made, key=repr) if isinstance(made, dict) else range(len(new))
            for key, part in zip(keys, new, strict=True):
                made[key] = part
        return known

    def note(self) -> None:
        """Remember what each of them may be, for `refuse_if_shared`."""
        table = program_trace().containers
        for way in (0, 1):
            alike: dict[int, list[Known]] = defaultdict(list)
            for held_on in self._made.values():
                before, made = held_on[way], held_on[2]
                known = table.setdefault(id(made), Known(made))
                for sibling in alike[id(before)]:
                    sibling.others.append(known)
                    known.others.append(sibling)
                alike[id(before)].append(known)
                origin = table.setdefault(id(before), Known(before))
                origin.others.append(known)
                known.others.append(origin)
