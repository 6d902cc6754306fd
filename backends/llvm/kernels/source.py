"""Kernels that are written as text, as values: which function writes it, of what.

The words of such a kernel are the buffer and the offset of each memory that it works
on, and then a record of numbers, which stands beside its template. The template reads
them by their names, and whoever makes a step fills the record in by name.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from textwrap import indent
from typing import Any, NamedTuple

__all__ = ["Source", "plus", "read", "shifted", "times"]


class Source(NamedTuple):
    """A kernel of which ``write(**arguments)`` is the text.

    Sources are one kernel where function and arguments are equal.
    """

    write: Callable[..., str]
    arguments: tuple[tuple[str, object], ...]

    @classmethod
    @lru_cache(maxsize=256)
    def of(cls, write: Callable[..., str], **arguments: object) -> Source:
        """The kernel that a function writes of arguments given by name."""
        return cls(write, tuple(sorted(arguments.items())))

    @property
    def text(self) -> str:
        """The source of the function ``kernel(buffers, words)``."""
        return self.write(**dict(self.arguments))


def read(numbers: type[Any], *memory: str) -> dict[str, str]:
    """What a template is filled in with: the address of each memory, and each number.

    >>> class Pair(NamedTuple):
    ...     low: int
    ...     high: int
    >>> read(Pair, "x")
    {'low': 'words[2]', 'high': 'words[3]', 'x': 'buffers[words[0]] + words[1]'}
    """
    first = 2 * len(memory)
    words = {name: f"words[{i}]" for i, name in enumerate(numbers._fields, first)}
    return words | {
        name: f"buffers[words[{2 * i}]] + words[{2 * i + 1}]"
        for i, name in enumerate(memory)
    }


def shifted(text: str, steps: int) -> str:
    """The lines of ``text`` further to the right."""
    return indent(text.strip("\n"), " " * 4 * steps)


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
