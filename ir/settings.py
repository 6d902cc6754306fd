"""The environment variables of this library, and what becomes of wrong ones.

A value that is not allowed counts as none, and a name that only looks like one of ours
does nothing. Neither passes in silence: each is worth one warning in a process.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from functools import cache
from typing import TypeVar

__all__ = ["VARIABLES", "complain", "debugging", "setting"]

VARIABLES = frozenset(
    {
        "ANABRANCH_CACHE",
        "ANABRANCH_CPU",
        "ANABRANCH_DEBUG",
        "ANABRANCH_DUMP",
        "ANABRANCH_THREADS",
        "ANABRANCH_TRACEBACK",
    }
)

T = TypeVar("T")
_complaints: set[str] = set()


def setting(name: str, allowed: str, parse: Callable[[str], T | None]) -> T | None:
    """What a variable says, None where it is not set or says nothing that is allowed.

    ``parse`` makes a value of the text, or None; ``allowed`` says what it takes, for
    the warning.

    >>> setting("ANABRANCH_DUMP", "a name", lambda text: text) is None
    True
    """
    if name not in VARIABLES:
        raise ValueError(f"{name} is missing in VARIABLES")
    _look_for_misspelt()
    text = os.environ.get(name, "")
    if not text:
        return None
    value = parse(text)
    if value is None:
        complain(f"{name}={text!r} is ignored: it is {allowed}")
    return value


def debugging() -> bool:
    """Whether ``ANABRANCH_DEBUG`` is 1: check what is otherwise trusted or sampled."""
    values = {"0": False, "1": True}
    return setting("ANABRANCH_DEBUG", "0 or 1", values.get) is True


def complain(message: str) -> None:
    """Warn of a setting, once in a process."""
    if message not in _complaints:
        _complaints.add(message)
        warnings.warn(message, RuntimeWarning, stacklevel=2)


@cache
def _look_for_misspelt() -> None:
    """Warn of variables that nothing here reads; one look is enough for a process."""
    for name in os.environ:
        if name.startswith("ANABRANCH_") and name not in VARIABLES:
            known = ", ".join(sorted(VARIABLES))
            complain(f"{name} is ignored: the variables are {known}")
