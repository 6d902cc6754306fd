"""Operators of control flow: Python's where the condition is known."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any

__all__ = [
    "and_",
    "assert_",
    "choose",
    "compare",
    "contains",
    "for_",
    "if_",
    "not_",
    "or_",
    "while_",
]


class Unset:
    """What a function returns, before it did."""

    def __repr__(self) -> str:
        return "no value yet"


UNSET = Unset()


def truth(value: Any) -> Any:
    """A bool, or a traced one."""
    return bool(value)


def if_(
    test: Any, then: Callable[[], None], other: Callable[[], None], names: Sequence[str]
) -> None:
    """``if test: then() else: other()``; both assign ``names``."""
    chosen = truth(test)
    (then if chosen else other)()


def choose(test: Any, then: Callable[[], Any], other: Callable[[], Any]) -> Any:
    """``then() if test else other()``."""
    return then() if truth(test) else other()


def and_(left: Any, right: Callable[[], Any]) -> Any:
    """``left and right()``."""
    return right() if truth(left) else left


def or_(left: Any, right: Callable[[], Any]) -> Any:
    """``left or right()``."""
    return left if truth(left) else right()


def not_(value: Any) -> Any:
    """``not value``."""
    return not truth(value)


_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "Eq": operator.eq,
    "NotEq": operator.ne,
    "Lt": operator.lt,
    "LtE": operator.le,
    "Gt": operator.gt,
    "GtE": operator.ge,
    "Is": operator.is_,
    "IsNot": operator.is_not,
}


def compare(kinds: Sequence[str], left: Any, *rights: Callable[[], Any]) -> Any:
    """``left < right() < ...``: each operand is asked for once, and as Python does."""
    right = rights[0]()
    if kinds[0] in ("In", "NotIn"):
        found = contains(right, left)
        made = found if kinds[0] == "In" else not_(found)
    else:
        made = _COMPARISONS[kinds[0]](left, right)
    if len(rights) == 1:
        return made
    return and_(made, lambda: compare(kinds[1:], right, *rights[1:]))


def contains(container: Any, value: Any) -> Any:
    """``value in container``."""
    return value in container


def assert_(test: Any, message: Callable[[], Any]) -> None:
    """``assert test, message()``."""
    if not truth(test):
        raise AssertionError(message())


# A loop on which a count or a condition is known runs here as in Python. `for_` and
# `while_` are where a loop becomes one node instead: they have the body as a function,
# and the names and cells of what it assigns.


def for_(
    iterable: Iterable[Any],
    body: Callable[[Any], None],
    names: Sequence[str],
    goes_on: Callable[[], Any] | None = None,
) -> None:
    """``for item in iterable: body(item)``, as long as ``goes_on`` says so."""
    if goes_on is None:
        for item in iterable:
            body(item)
        return
    for item in iterable:
        body(item)
        if not truth(goes_on()):
            return


def while_(
    test: Callable[[], Any],
    body: Callable[[], None],
    names: Sequence[str],
    goes_on: Callable[[], Any] | None = None,
) -> None:
    """``while test(): body()``, as long as ``goes_on`` says so."""
    while (goes_on is None or truth(goes_on())) and truth(test()):
        body()
