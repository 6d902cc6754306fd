"""What the user's function prints while it is traced."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from ...ir.errors import SourceLine

__all__ = ["Said", "hand_on"]

_warned: dict[Any, Any] = {}  # the lines that were warned of, for `warnings`


class Said(NamedTuple):
    """What is to be printed, by which function, and the line that says so."""

    say: Callable[[], Any]
    name: str
    line: SourceLine | None


def hand_on(said: Iterable[Said], around: list[Said] | None) -> None:
    """Print it, or leave it to the region ``around``: a trial may be undone."""
    if around is not None:
        around += said
        return
    for one in said:
        one.say()
        if one.line is not None:
            warnings.warn_explicit(
                f"{one.name} ran while the function was traced, when arrays have no "
                "values, and once for all turns of a loop and both ways of a branch: "
                "return what is to be seen, or call the function without compiling it",
                RuntimeWarning,
                *one.line,
                registry=_warned,
            )
