"""What became of the statements of a user's function while it was traced.

Loops are noted by every trace, for `report`; branches, stores and functions that run as
they are only where somebody asks (`explain`). What a trial of a loop noted is dropped
if it failed, and counts once if it succeeded after several passes.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from ...ir.errors import SourceLine
from .source import calling_frame, user_line

__all__ = [
    "Note",
    "Notes",
    "happened",
    "merged",
    "note",
    "notes_here",
    "noting",
    "unrolls",
]

_state = threading.local()


class Note(NamedTuple):
    """What became of a line.

    ``kind`` is ``loop``, ``unrolled``, ``plain``, ``branch``, ``store``, ``refused``
    or ``jacobian``; ``why`` is the rest of the sentence. ``turns`` is None where nobody
    counted. ``times`` is how often it was so: a statement in an unrolled loop runs many
    times.
    """

    source: SourceLine
    kind: str
    why: str
    turns: int | None = None
    nodes: int = 0
    times: int = 1

    @property
    def text(self) -> str:
        """What became of the line, as part of a sentence."""
        counted = "" if self.turns is None else f" of {_count(self.turns, 'turn')}"
        if self.kind == "loop":
            return f"kept as one loop{counted}{self.why}"
        if self.kind == "unrolled":
            made = _count(self.nodes, "node")
            often = "" if self.times == 1 else f", {self.times:,} times"
            turns = "" if self.turns is None else _count(self.turns, "turn") + ", "
            return f"unrolled: {turns}{made}{often}; {self.why}"
        if self.kind == "jacobian":
            return f"its Jacobian is {self.why}"
        if self.kind == "refused":
            return f"refused: {self.why}"
        return self.why

    def __str__(self) -> str:
        return f"{self.source.brief}  # {self.text}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")


class Notes:
    """The notes of a trace. ``all_of_it`` asks for more than the loops."""

    def __init__(self, all_of_it: bool) -> None:
        self.all_of_it = all_of_it
        self.found: list[Note] = []
        self._trials: list[tuple[int, str]] = []

    def add(self, note: Note) -> None:
        """Keep a note."""
        self.found.append(note)

    @contextmanager
    def of_loop(self, why: str) -> Generator[None, None, None]:
        """A loop runs in the body; ``why`` is why it unrolls, unless it is tried."""
        self._trials.append((len(self.found), why))
        try:
            yield
        finally:
            self._trials.pop()

    def failed(self, why: str) -> None:
        """The trial of the innermost loop failed, so what it noted did not happen."""
        mark, _ = self._trials.pop()
        del self.found[mark:]
        self._trials.append((mark, why))

    def happened(self) -> None:
        """What the innermost loop noted so far is no trial."""
        _, why = self._trials.pop()
        self._trials.append((len(self.found), why))

    @property
    def reason(self) -> str:
        """Why the innermost loop unrolls."""
        return self._trials[-1][1]

    def succeeded(self) -> None:
        """The innermost loop is one node: what several passes noted counts once."""
        mark = self._trials[-1][0]
        last = {note._replace(nodes=0): note for note in self.found[mark:]}
        self.found[mark:] = last.values()


def notes_here() -> Notes | None:
    """The notes of the function that is being traced in this thread, if one is."""
    return getattr(_state, "notes", None)


def note(kind: str, why: str, line: SourceLine | None = None) -> None:
    """Note what became of the user's line that runs, where somebody asked for it."""
    notes = notes_here()
    if notes is None or not notes.all_of_it:
        return
    line = line or user_line(calling_frame())
    if line is not None:
        notes.add(Note(line, kind, why))


def unrolls(why: str) -> None:
    """Note why the loop that runs now is not one node."""
    notes = notes_here()
    if notes is not None:
        notes.failed(why)


def happened() -> None:
    """Keep what the loop that runs now has noted, whatever becomes of the rest."""
    notes = notes_here()
    if notes is not None:
        notes.happened()


@contextmanager
def noting(all_of_it: bool = False) -> Generator[Notes, None, None]:
    """Note what the body traces; the notes around it are told where it fails."""
    outer = notes_here()
    notes = Notes(all_of_it or (outer is not None and outer.all_of_it))
    _state.notes = notes
    try:
        yield notes
    except BaseException:
        if outer is not None:
            outer.found += notes.found
        raise
    finally:
        _state.notes = outer


def merged(notes: Iterable[Note]) -> Sequence[Note]:
    """One note for those of a line that say the same, with the most turns of any."""
    found: dict[tuple[SourceLine, str, str], Note] = {}
    for note in notes:
        key = note.source, note.kind, note.why
        known = found.get(key)
        if known is None:
            found[key] = note
            continue
        counts = [one.turns for one in (known, note) if one.turns is not None]
        found[key] = known._replace(
            turns=max(counts, default=None),
            nodes=known.nodes + note.nodes,
            times=known.times + note.times,
        )
    return tuple(found.values())
