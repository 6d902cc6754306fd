"""What raises under a traced condition: a check when the compiled function runs.

``if p: raise ValueError(text)`` has no value, so all that follows is computed as if p
were false, and a check of p raises instead. A check counts only if something reads it:
each result of the function is chosen by it. Inside a branch the condition is a result
of the branch, and the trace around it checks that.

A trace's ``raises`` has its checks, or, of a branch, its `Raise`; None where there can
be none, as in the body of a loop.
"""

from __future__ import annotations

import dis
from collections.abc import Iterator, Sequence
from functools import lru_cache
from types import CodeType, FrameType
from typing import Any, NamedTuple

from ..ir.builder import Builder
from ..ir.errors import SourceLine, TraceError
from ..ir.graph import Node
from .source import calling_frame, is_inside

__all__ = ["KINDS", "Raise", "chosen", "demand", "is_handled"]

KINDS: dict[type[Exception], str] = {
    AssertionError: "assertion",
    IndexError: "index",
    OverflowError: "overflow",
    RuntimeError: "runtime",
    ValueError: "value",
}


class Raise(NamedTuple):
    """That ``error`` is raised where the bool ``bad`` is true."""

    bad: Node
    error: Exception
    line: SourceLine | None


def demand(builder: Builder, raised: Raise) -> Node:
    """The check, whose value is 0 where it holds."""
    before, builder.source = builder.source, raised.line or builder.source
    checked = builder.check(
        builder.cast(raised.bad, "i64"),
        low=0,
        high=1,
        error=KINDS[type(raised.error)],
        message=str(raised.error) or type(raised.error).__name__,
    )
    builder.source = before
    return checked


def chosen(
    builder: Builder, checks: Sequence[Node], results: Sequence[Node]
) -> list[Node]:
    """The results of a function, if all checks hold."""
    if not checks:
        return list(results)
    if not results:
        raise TraceError(
            "a branch raises, and the function returns nothing that could be checked",
            source=checks[0].source,
            hint="return what was checked",
        )
    total, *rest = checks
    for check in rest:
        total = builder.add(total, check)
    holds = builder.eq(total, builder.const(0, "i64"))
    return [
        builder.select(
            builder.broadcast(holds, result.type.with_dtype("bool")),
            result,
            builder.like(result, 0),
        )
        for result in results
    ]


def is_handled() -> bool:
    """Whether the user's code that runs now stands in a ``try`` or a ``with``.

    Who catches an exception would not meet one that is raised later.
    """
    return any(
        any(start <= frame.f_lasti < end for start, end in _handlers(frame.f_code))
        for frame in _traced_frames()
    )


def _traced_frames() -> Iterator[FrameType]:
    """The user's frames out to where the trace began."""
    frame = calling_frame()
    while frame is not None and frame.f_globals.get("__name__") != _TRACE_PROGRAM:
        if not is_inside(frame):
            yield frame
        frame = frame.f_back


_TRACE_PROGRAM = f"{__name__.rsplit('.', 1)[0]}.program"


@lru_cache(maxsize=1024)
def _handlers(code: CodeType) -> Sequence[tuple[int, int]]:
    """The ranges of instructions whose exceptions a handler of the user's gets."""
    bytecode: Any = dis.Bytecode(code)  # its stubs lack the entries
    begins = dis.opmap["PUSH_EXC_INFO"]
    return [
        (entry.start, entry.end)
        for entry in bytecode.exception_entries
        if code.co_code[entry.target] == begins
    ]
