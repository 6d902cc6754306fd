"""Text for a terminal, and what is said of a command line that cannot be followed."""

from __future__ import annotations

import unicodedata

import typer

__all__ = ["UsageError", "escaped", "show"]


class UsageError(Exception):
    """A command line that cannot be followed."""


def escaped(text: str) -> str:
    """``text`` without what moves, colours or hides other text on a terminal."""
    hidden = ("Cc", "Cf", "Cs", "Zl", "Zp")
    return "".join(
        char.encode("unicode_escape").decode("ascii")
        if unicodedata.category(char) in hidden and char not in "\n\t"
        else char
        for char in text
    )


def show(text: str) -> None:
    """Print a text that ends its own lines."""
    typer.echo(escaped(text), nl=False)
