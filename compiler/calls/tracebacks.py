"""Tracebacks that show the user's frames, and not ours between them.

Where an exception leaves the library, its traceback is made anew without the *runs* of
inner frames: those of this library, and of NumPy and optree beside them. Which
exception it is, its cause, its context and its message stay. The old traceback is not
changed, since others may hold it. ``ANABRANCH_TRACEBACK=full`` leaves all frames in.

The interpreter adds a frame while the exception unwinds it, and a bare ``raise`` adds
none for its own. So an entry catches, calls `shorten` and raises again; entries nest,
and none has to know whether it is the outermost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import wraps
from itertools import groupby
from types import FrameType, TracebackType
from typing import Any, ParamSpec, TypeVar

from ...ir.errors import AnabranchError
from ...ir.settings import setting
from ..tracing.source import is_block, is_inside, is_operator, is_ours

__all__ = ["shorten", "shows_users_frames"]

NOTE = "frames of anabranch are left out: ANABRANCH_TRACEBACK=full shows them"

P = ParamSpec("P")
R = TypeVar("R")


def shows_users_frames(function: Callable[P, R]) -> Callable[P, R]:
    """Have the exceptions that leave ``function`` show the user's frames only."""

    @wraps(function)
    def entry(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            shorten(error)
            raise

    return entry


def shorten(error: BaseException) -> None:
    """Take our frames out of the tracebacks of an error and of those behind it.

    Where one of ours raised what is no error of ours, a note says that they are gone:
    it may be a fault of the library.
    """
    if _all_frames_wanted():
        return
    ours = isinstance(error, AnabranchError)
    if _raised_inside(error.__traceback__) and not ours:
        notes: Iterable[Any] = getattr(error, "__notes__", ())
        if NOTE not in notes:
            error.add_note(NOTE)
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        one.__traceback__ = _without_ours(one.__traceback__)
        waiting += one.__cause__, one.__context__


def _all_frames_wanted() -> bool:
    """Whether ``ANABRANCH_TRACEBACK`` is ``full``.

    Where warnings are errors, that of a wrong value must not take the error's place.
    """
    with suppress(RuntimeWarning):
        return setting("ANABRANCH_TRACEBACK", "short or full", _mode) == "full"
    return False


def _mode(text: str) -> str | None:
    return text if text in ("short", "full") else None


def _entries(traceback: TracebackType | None) -> Iterator[TracebackType]:
    """The entries but those of operators, whose calls the user wrote as syntax."""
    while traceback is not None:
        if not is_operator(traceback.tb_frame):
            yield traceback
        traceback = traceback.tb_next


def _runs(
    traceback: TracebackType | None,
) -> Iterator[tuple[bool, list[TracebackType]]]:
    """The entries in runs: whether it is one to leave out, and its entries."""
    for inner, run in groupby(_entries(traceback), lambda e: is_inside(e.tb_frame)):
        entries = list(run)
        yield inner and any(is_ours(entry.tb_frame) for entry in entries), entries


def _raised_inside(traceback: TracebackType | None) -> bool:
    """Whether the innermost run is one to leave out."""
    return next((left_out for left_out, _ in reversed([*_runs(traceback)])), False)


def _without_ours(traceback: TracebackType | None) -> TracebackType | None:
    """The traceback with new entries for the frames that stay."""
    made: TracebackType | None = None
    kept = [e for left_out, run in _runs(traceback) if not left_out for e in run]
    if len(kept) == _length(traceback):
        return traceback
    inner = None
    for entry in reversed(kept):
        frame: FrameType = entry.tb_frame
        around, inner = inner is not None and is_block(inner.f_code), frame
        if around:  # the line that the inner frame, a block of this one, stands in
            continue
        made = TracebackType(made, frame, entry.tb_lasti, entry.tb_lineno)
    return made


def _length(traceback: TracebackType | None) -> int:
    count = 0
    while traceback is not None:
        count, traceback = count + 1, traceback.tb_next
    return count
