"""Comprehensions as loops: lists and generators that are written as one expression."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .advanced import own
from .calls import call
from .noted import for_
from .state import check_entries

__all__ = ["Generated", "consume", "list_of"]

Part = Callable[[Any], "list[Any]"]
_WHOLE = (sum, list, tuple, min, max, set, frozenset, sorted, math.fsum, math.prod)


def list_of(iterable: Iterable[Any], part: Part, nested: bool = False) -> list[Any]:
    """``[... for item in iterable]``, where ``part`` has what one item adds to it.

    Where it is ``nested`` that is a list with one list, or with none. These are kept,
    so that a loop adds one thing in each turn.
    """
    made: list[Any] = []

    def body(item: Any) -> None:
        call(made.extend, part(item))

    for_(iterable, body, ())
    return [one for several in made for one in several] if nested else made


class Generated:
    """``(... for item in iterable)``, an argument of a call.

    Where it is ``nested``, what ``part`` gives are generators.
    """

    def __init__(
        self, iterable: Iterable[Any], part: Part, nested: bool = False
    ) -> None:
        self._iterable, self._part, self._nested = iterable, part, nested

    def listed(self) -> list[Any]:
        """All of it, for a function that goes through all of it."""
        if not self._nested:
            return list_of(self._iterable, self._part)

        def part(item: Any) -> list[Any]:
            return [one.listed() for one in self._part(item)]

        return list_of(self._iterable, part, nested=True)

    def generator(self) -> Iterator[Any]:
        """One after the other, for a function that may stop anywhere."""
        check_entries(self._iterable)
        for item in iter(self._iterable):
            for one in self._part(item):
                if self._nested:
                    yield from one.generator()
                else:
                    yield one


def consume(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    """``function(*args, **kwargs)`` with generators among the arguments."""
    whole = any(function is one for one in _WHOLE)
    given = [
        (arg.listed() if whole else own(arg.generator()))
        if isinstance(arg, Generated)
        else arg
        for arg in args
    ]
    return call(function, *given, **kwargs)
