"""`explain`: the user's function, line by line, and what became of each statement."""

from __future__ import annotations

import ast
import linecache
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import PurePath
from typing import Any, NamedTuple

from ..ir.errors import AnabranchError, SourceLine
from .calls.function import Compiled
from .calls.tracebacks import shows_users_frames
from .tracing.notes import Note, merged, noting
from .tracing.source import definition_line

__all__ = ["Explanation", "explain"]

WIDTH = 48  # of the source beside which the notes stand; longer lines are left whole


class Explanation(NamedTuple):
    """What became of the lines of a function and of those that it called.

    ``notes`` have a ``source`` (file and line), a ``kind`` and a ``text`` each. Its
    text, which `print` shows, has the functions with their notes beside the lines.
    """

    notes: Sequence[Note]
    start: SourceLine | None

    def __repr__(self) -> str:
        """The text that `print` shows, so that a prompt shows it as well."""
        places = [note.source for note in self.notes]
        if self.start is not None:
            places.insert(0, self.start)
        told: dict[tuple[str, int, int], None] = {}
        for place in places:
            told[place.file, *_extent(place)] = None
        lines: list[str] = []
        shown = ""
        for file, first, last in told:
            if file != shown:
                lines.append(PurePath(file).name)
                shown = file
            lines += self._listing(file, first, last)
        return "\n".join(lines)

    def _listing(self, file: str, first: int, last: int) -> Iterator[str]:
        for number in range(first, last + 1):
            source = linecache.getline(file, number).rstrip()
            texts = [n.text for n in self.notes if n.source == (file, number)]
            line = f"{number:>5}  {source}"
            yield f"{line:<{WIDTH}}  # {texts[0]}" if texts else line
            for text in texts[1:]:
                yield f"{'':<{WIDTH}}  # {text}"


def explain(function: Callable[..., Any]) -> Callable[..., Explanation]:
    """What becomes of the loops, branches and stores of a function.

    ``explain(f)(*args)`` traces ``f``, whose arguments may be types such as
    ``spec("f32[8,4]")``, and says of each loop whether it was kept as one or unrolled,
    with how many turns and nodes and why; of each branch whether both ways were traced;
    of stores into arrays, of functions that ran as they are, and of what was refused.
    Printed, it is the source with notes; `anabranch docs programs` has examples.
    Nothing is compiled or kept.
    """

    @shows_users_frames
    def look(*args: Any, **kwargs: Any) -> Explanation:
        fresh = Compiled(function)
        with noting(all_of_it=True) as notes:
            try:
                found = fresh.program(*args, **kwargs).notes
            except AnabranchError as error:
                if error.source is None:
                    raise
                why = error.what + (f" ({error.hint})" if error.hint else "")
                told = [note for note in notes.found if note.source != error.source]
                found = merged([*told, Note(error.source, "refused", why)])
        return Explanation(found, definition_line(fresh.py_func))

    return look


def _extent(place: SourceLine) -> tuple[int, int]:
    """The first and the last line of the outermost function around a line."""
    found = [
        (node.lineno, node.end_lineno or node.lineno)
        for node in _functions("".join(linecache.getlines(place.file)))
        if node.lineno <= place.line <= (node.end_lineno or node.lineno)
    ]
    return min(found, default=(place.line, place.line))


@lru_cache(maxsize=16)
def _functions(text: str) -> Sequence[ast.stmt | ast.expr]:
    """The functions of a file; none where its text is not at hand."""
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return ()
    kinds = ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda
    return [node for node in ast.walk(tree) if isinstance(node, kinds)]
