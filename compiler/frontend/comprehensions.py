"""Comprehensions as loops: lists and generators that are written as one expression."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .calls import call
from .noted import for_

__all__ = ["Generated", "consume", "list_of"]

Part = Callable[[Any], "list[Any]"]
_WHOLE = (sum, list, tuple, min, max, set, frozenset, sorted, math.fsum, math.prod)


def list_of(iterable: Iterable[Any], part: Part) -> list[Any]:
    """``[... for item in iterable]``, where ``part`` has what one item adds to it."""
    made: list[Any] = []

    def body(item: Any) -> None:
        call(made.extend, part(item))

    for_(iterable, body, ())
    return made


class Generated:
    """``(... for item in iterable)``, an argument of a call."""

    def __init__(self, iterable: Iterable[Any], part: Part) -> None:
        self._iterable, self._part = iterable, part

    def listed(self) -> list[Any]:
        """All of it, for a function that goes through all of it."""
        return list_of(self._iterable, self._part)

    def generator(self) -> Iterator[Any]:
        """One after the other, for a function that may stop anywhere."""
        items = iter(self._iterable)
        return (one for item in items for one in self._part(item))


def consume(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    """``function(*args, **kwargs)`` with generators among the arguments."""
    whole = any(function is one for one in _WHOLE)
    given = [
        (arg.listed() if whole else arg.generator())
        if isinstance(arg, Generated)
        else arg
        for arg in args
    ]
    return call(function, *given, **kwargs)
