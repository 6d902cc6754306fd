"""How the elements of a value are read: by indexing an array that holds them.

Ops that only move elements make no array: they are other indices of the same one. So a
loop nest reads ``x[j, i]`` for a transpose and ``b[j]`` for what is broadcast.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Access", "Term", "whole"]


class Term(NamedTuple):
    """One index: ``offset`` plus each axis of the value times its step.

    ``positions`` are variables, each with what it is multiplied by.
    """

    offset: int
    steps: tuple[tuple[int, int], ...] = ()
    positions: tuple[tuple[str, int], ...] = ()

    def at(self, point: Sequence[str]) -> str:
        """The index at a point: the text of its place along each axis."""
        text = ""
        along = [(point[axis], step) for axis, step in self.steps]
        for place, step in (*self.positions, *along):
            if place == "0":
                continue
            size = "" if abs(step) == 1 else f"{abs(step)} * "
            sign = (" - " if text else "-") if step < 0 else (" + " if text else "")
            text += f"{sign}{size}{place}"
        if not text:
            return str(self.offset)
        if text[0] == "-":
            return f"{self.offset} - {text[1:]}"
        return f"{text} + {self.offset}" if self.offset else text


class Access(NamedTuple):
    """The elements of a value are those of ``array`` at the index that ``terms`` say.

    ``sizes`` are the array's. Without terms ``array`` is an expression: the one element
    of the array, or of all that was broadcast from it. A ``ramp`` has no array: its
    elements are its one index, cast by what ``array`` says.
    """

    array: str
    terms: tuple[Term, ...] = ()
    sizes: tuple[int, ...] = ()
    ramp: bool = False

    def at(self, point: Sequence[str]) -> str:
        """The element at a point of the value."""
        if not self.terms:
            return self.array
        places = ", ".join(term.at(point) for term in self.terms)
        if self.ramp:
            return f"{self.array}({places})"
        return f"{self.array}[{places}]"

    def moved(self, terms: Sequence[Term]) -> Access:
        """The elements moved: ``terms`` has the place along each old axis."""
        return self._replace(terms=tuple(_through(term, terms) for term in self.terms))

    def is_whole(self, sizes: Sequence[int]) -> bool:
        """Whether a value of these sizes is the array itself."""
        return self.sizes == tuple(sizes) and self == whole(self.array, self.sizes)

    def is_reshaped(self, sizes: Sequence[int]) -> bool:
        """Whether it is the array but for axes of size 1."""
        if self.ramp or not self.terms:
            return False
        long = [axis for axis, size in enumerate(sizes) if size != 1]
        pairs = zip(self.terms, self.sizes, strict=True)
        places = [term for term, size in pairs if size != 1]
        kept = [size for size in self.sizes if size != 1]
        return kept == [sizes[axis] for axis in long] and all(
            (term.offset, term.positions) == (0, ())
            and [p for p in term.steps if p[0] in long] == [(axis, 1)]
            for term, axis in zip(places, long, strict=True)
        )


def _through(term: Term, terms: Sequence[Term]) -> Term:
    offset = term.offset
    steps: list[tuple[int, int]] = []
    positions = list(term.positions)
    for axis, step in term.steps:
        offset += step * terms[axis].offset
        steps += [(new, step * by) for new, by in terms[axis].steps]
        positions += [(name, step * by) for name, by in terms[axis].positions]
    return Term(offset, tuple(steps), tuple(positions))


def whole(array: str, sizes: Sequence[int]) -> Access:
    """The access of a value that has an array of its own."""
    terms = tuple(Term(0, ((axis, 1),)) for axis in range(len(sizes)))
    return Access(array, terms, tuple(sizes))
