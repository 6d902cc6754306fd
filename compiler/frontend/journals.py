"""The journal of the region that is being traced, and what is noted there."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

from ..tracing.running import active_trace
from ..tracing.trace import Trace
from .said import Said
from .shared import refuse_if_shared
from .state import Content, Entry, Journal, Slot, slots_of

__all__ = [
    "journal_here",
    "journals",
    "may_change",
    "note",
    "note_change",
    "said_here",
]

journals: weakref.WeakKeyDictionary[Trace, Journal] = weakref.WeakKeyDictionary()


def journal_here() -> Journal | None:
    """The journal of the branch that is being traced, if one is."""
    trace = active_trace()
    return trace and journals.get(trace)


def note(slot: Slot) -> None:
    """Note what is at a place that is about to change."""
    if (journal := journal_here()) is not None:
        journal.note(slot)


def note_change(slot: Entry | Content) -> None:
    """The same of a container; some may not change."""
    refuse_if_shared(slot.container)
    note(slot)


def may_change(reads: Callable[[], Any], names: Sequence[str]) -> None:
    """Note variables of functions around one, and globals, which it assigns."""
    for slot in slots_of(reads, names):
        note(slot)


def said_here() -> list[Said] | None:
    """What the region that is being traced would print; None outside of regions."""
    journal = journal_here()
    return None if journal is None else journal.said
