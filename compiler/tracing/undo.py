"""What a trial did to memories, so that it can be undone.

A loop's body is traced to see what it changes; then everything is as it was. While a
trial runs, whoever changes a memory notes how to change it back.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import NamedTuple

__all__ = ["is_tried", "note_undo", "undone"]

_state = threading.local()


def note_undo(undo: Callable[[], None], level: int = 0) -> None:
    """Have ``undo`` called at the end of the trial, if one runs.

    What is of a trace of the trial's ``level`` or above was made in it, and stays.
    """
    trial: _Trial | None = getattr(_state, "trial", None)
    if trial is not None and level < trial.level:
        trial.notes.append(undo)


def is_tried() -> bool:
    """Whether a trial runs."""
    return getattr(_state, "trial", None) is not None


class _Trial(NamedTuple):
    level: int
    notes: list[Callable[[], None]]


@contextmanager
def undone(level: int) -> Generator[None, None, None]:
    """A trial by a trace of this level: what is noted is undone, last things first."""
    outer = getattr(_state, "trial", None)
    _state.trial = trial = _Trial(level, [])
    try:
        yield
    finally:
        _state.trial = outer
        for undo in reversed(trial.notes):
            undo()
