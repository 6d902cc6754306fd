"""Whether the user's code that runs now stands in a `try` or a `with`.

Who catches an exception would not meet one that is raised when the function runs.
"""

from __future__ import annotations

import dis
from collections.abc import Iterator, Sequence
from functools import lru_cache
from types import CodeType, FrameType
from typing import Any

from ..tracing.source import calling_frame, is_inside

__all__ = ["is_handled"]

_BEGIN = f"{__name__.rsplit('.', 2)[0]}.program"  # where traces begin


def is_handled() -> bool:
    """Whether a handler of the user's may catch what is raised here."""
    return any(
        any(start <= frame.f_lasti < end for start, end in _handled(frame.f_code))
        for frame in _traced_frames()
    )


def _traced_frames() -> Iterator[FrameType]:
    """The user's frames out to where the trace began."""
    frame = calling_frame()
    while frame is not None and frame.f_globals.get("__name__") != _BEGIN:
        if not is_inside(frame):
            yield frame
        frame = frame.f_back


@lru_cache(maxsize=1024)
def _handled(code: CodeType) -> Sequence[tuple[int, int]]:
    """The ranges of instructions whose exceptions have a handler."""
    bytecode: Any = dis.Bytecode(code)  # its stubs lack the entries
    begins = dis.opmap["PUSH_EXC_INFO"]
    return [
        (entry.start, entry.end)
        for entry in bytecode.exception_entries
        if code.co_code[entry.target] == begins
    ]
