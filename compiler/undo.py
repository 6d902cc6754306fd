"""What a trial did to memories, so that it can be undone.

A loop's body is traced to see what it changes; then everything is as it was. While a
trial runs, whoever changes a memory notes how to change it back.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager

__all__ = ["note_undo", "undone"]

_state = threading.local()


def note_undo(undo: Callable[[], None]) -> None:
    """Have ``undo`` called at the end of the trial, if one runs."""
    notes: list[Callable[[], None]] | None = getattr(_state, "notes", None)
    if notes is not None:
        notes.append(undo)


@contextmanager
def undone() -> Generator[None, None, None]:
    """A trial: what is noted in the block is undone at its end, last things first."""
    outer = getattr(_state, "notes", None)
    notes: list[Callable[[], None]] = []
    _state.notes = notes
    try:
        yield
    finally:
        _state.notes = outer
        for undo in reversed(notes):
            undo()
