"""Iterators and random numbers, which a region may advance if it made them itself."""

from __future__ import annotations

import inspect
from types import GeneratorType
from typing import Any

from ...ir.errors import TraceError
from ..tracing.source import calling_frame, user_line
from ..tracing.tracer import Tracer
from .chance import is_generator
from .journals import journal_here

__all__ = ["check_own", "own"]


def own(made: Any) -> Any:
    """What a call returns; the region that is traced may advance it."""
    if isinstance(made, (Tracer, tuple)) or (journal := journal_here()) is None:
        return made
    if _is_iterator(made) or is_generator(made):
        journal.own.append(made)
    return made


def check_own(value: Any, *, whole: bool = False) -> None:
    """Refuse to advance an iterator, or random numbers, that a region did not make.

    It would be advanced once, while it is traced, whatever runs. A generator that is
    gone through as a ``whole`` has most often no other name.
    """
    journal = journal_here()
    if journal is None or any(value is one for one in journal.own):
        return
    if _is_iterator(value) and not (whole and _is_new(value)):
        what, hint = "an iterator", "go over a list, and count"
    elif is_generator(value):
        what, hint = "a generator of random numbers", "draw an array before"
    else:
        return
    raise TraceError(
        f"{what} from around it is advanced in a branch or a loop on traced values",
        source=user_line(calling_frame()),
        hint=hint,
    )


def _is_iterator(value: Any) -> bool:
    return hasattr(type(value), "__next__")


def _is_new(value: Any) -> bool:
    """Whether nobody has asked a generator for anything."""
    made = isinstance(value, GeneratorType)
    return made and inspect.getgeneratorstate(value) == inspect.GEN_CREATED
