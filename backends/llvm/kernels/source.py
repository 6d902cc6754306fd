"""Kernels that are written as text, as values: which function writes it, of what.

Such a kernel stands beside the record of its words, a `NamedTuple` of integers. Its
template reads them by their names, and whoever makes a step fills them in by name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = ["Source", "plus", "read", "times"]


class Source(NamedTuple):
    """A kernel of which ``write(**arguments)`` is the text.

    Sources are one kernel where function and arguments are equal.
    """

    write: Callable[..., str]
    arguments: tuple[tuple[str, object], ...]

    @classmethod
    def of(cls, write: Callable[..., str], **arguments: object) -> Source:
        """The kernel that a function writes of arguments given by name."""
        return cls(write, tuple(sorted(arguments.items())))

    @property
    def text(self) -> str:
        """The source of the function ``kernel(buffers, words)``."""
        return self.write(**dict(self.arguments))


def read(words: type[Any]) -> dict[str, str]:
    """How a kernel reads each word of a record, for its template.

    >>> class Pair(NamedTuple):
    ...     x: int
    ...     count: int
    >>> read(Pair)
    {'x': 'words[0]', 'count': 'words[1]'}
    """
    return {name: f"words[{place}]" for place, name in enumerate(words._fields)}


def plus(dtype: str, a: str, b: str) -> str:
    """The sum of two expressions: bools are joined by or, integers wrap."""
    if dtype == "bool":
        return f"{a} or {b}"
    return f"{a} + {b}" if dtype[0] == "f" else f"wrapping_add({a}, {b})"


def times(dtype: str, a: str, b: str) -> str:
    """Their product."""
    if dtype == "bool":
        return f"({a} and {b})"
    return f"{a} * {b}" if dtype[0] == "f" else f"wrapping_multiply({a}, {b})"
