"""Work counted instead of timed: the same on every machine, however busy it is."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from functools import cache
from types import FrameType
from typing import Any, NamedTuple, TypeAlias

__all__ = ["HANGS", "MatchingWork", "TooMuchWork", "executed_lines", "matching_steps"]

HANGS = 300.0
"""The seconds after which something is taken to hang; no verdict on its speed."""


class TooMuchWork(Exception):
    """More steps than allowed."""


def executed_lines(run: Callable[[], object]) -> int:
    """How many lines of Python a run executes."""
    count = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        run()
    finally:
        sys.settrace(before)
    return count


def matching_steps(
    pattern: str, text: str, *, flags: int = 0, position: int = 0, limit: int
) -> int:
    """How many steps a plain backtracking matcher takes; `TooMuchWork` above ``limit``.

    `re` takes at most so many: it is such a matcher, with shortcuts.
    """
    return _steps(_Items(_parsed(pattern, flags), 0, None), text, position, limit)


class MatchingWork:
    """Stands for the module `re`, and adds up the steps of all its matches."""

    VERBOSE = re.VERBOSE

    def __init__(self, limit: int) -> None:
        self.left = limit

    def match(self, pattern: str, text: str) -> re.Match[str] | None:
        return self.compile(pattern).match(text)

    def compile(self, pattern: str, flags: int = 0) -> MatchingWork.Pattern:
        return MatchingWork.Pattern(self, pattern, flags)

    class Pattern:
        """What ``re.compile`` makes."""

        def __init__(self, work: MatchingWork, pattern: str, flags: int) -> None:
            self.work, self.pattern, self.flags = work, pattern, flags

        def match(self, text: str, position: int = 0) -> re.Match[str] | None:
            self.work.left -= matching_steps(
                self.pattern,
                text,
                flags=self.flags,
                position=position,
                limit=self.work.left,
            )
            return re.compile(self.pattern, self.flags).match(text, position)


# The parser of `re` is private; its trees have been the same since Python 2.
_parser: Any = vars(re)["_parser"]
_compiler: Any = vars(re)["_compiler"]


@cache
def _parsed(pattern: str, flags: int) -> Any:
    return _parser.parse(pattern, flags)


class _Items(NamedTuple):
    """What is to be matched: items from ``start`` on, and then what follows."""

    items: Any
    start: int
    then: _Todo


class _Repeat(NamedTuple):
    """A repetition that has matched ``times`` times, lastly from ``began`` on."""

    least: int
    most: int
    body: Any
    times: int
    began: int
    then: _Todo


_Todo: TypeAlias = "_Items | _Repeat | None"


def _steps(todo: _Todo, text: str, place: int, limit: int) -> int:
    """Go on to what is to be done, and back to an alternative where that fails."""
    alternatives = [(todo, place)]
    steps = 0
    while alternatives:
        todo, place = alternatives.pop()
        while todo is not None:
            steps += 1
            if steps > limit:
                raise TooMuchWork(f"more than {limit} steps")
            if isinstance(todo, _Repeat):
                ways, end = _ways_on(todo, place), place
            else:
                ways, end = _ways_into(todo, text, place)
            if not ways:
                break
            alternatives += [(way, end) for way in ways[:0:-1]]
            todo, place = ways[0], end
        else:
            return steps
    return steps


def _ways_on(todo: _Repeat, place: int) -> list[_Todo]:
    """Once more if that may be, else what follows."""
    if place == todo.began:
        return []
    ways: list[_Todo] = []
    if todo.times < todo.most:
        once_more = todo._replace(times=todo.times + 1, began=place)
        ways.append(_Items(todo.body, 0, once_more))
    if todo.times >= todo.least:
        ways.append(todo.then)
    return ways


def _ways_into(todo: _Items, text: str, place: int) -> tuple[list[_Todo], int]:
    """Into the next item, and where that is."""
    items, start, then = todo
    if start == len(items):
        return [then], place
    kind, value = items[start]
    rest = _Items(items, start + 1, then)
    match str(kind):
        case "BRANCH":
            return [_Items(one, 0, rest) for one in value[1]], place
        case "SUBPATTERN":
            return [_Items(value[3], 0, rest)], place
        case "MAX_REPEAT":
            least, most, body = value
            return [_Repeat(least, most, body, 0, -1, rest)], place
        case name if name in _ATOMIC:
            single = _single(str(items[start]), items, start)
            found = single.match(text, place)
            return ([rest], found.end()) if found else ([], place)
        case _:
            raise NotImplementedError(kind)


_ATOMIC = (
    *("LITERAL", "NOT_LITERAL", "ANY", "IN", "AT", "ASSERT_NOT"),
    "POSSESSIVE_REPEAT",
)
_singles: dict[str, re.Pattern[str]] = {}


def _single(key: str, items: Any, start: int) -> re.Pattern[str]:
    """An item that matches in one way at most: `re` does that itself."""
    if key not in _singles:
        state = items.state
        _singles[key] = _compiler.compile(items[start : start + 1], state.flags)
    return _singles[key]
