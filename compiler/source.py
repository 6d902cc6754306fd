"""Where in the user's program an operation stands, and what the user calls it."""

from __future__ import annotations

import dis
import inspect
from functools import lru_cache
from itertools import pairwise
from types import CodeType, FrameType
from typing import Any

from ..ir.errors import SourceLine

__all__ = ["assigned_name", "definition_line", "last_line", "user_frame", "user_line"]

_ROOT = __name__.split(".")[0]
_STORES = ("STORE_FAST", "STORE_NAME", "STORE_DEREF", "STORE_GLOBAL")


def user_frame() -> FrameType | None:
    """The innermost frame that belongs neither to this library nor to NumPy."""
    frame: FrameType | None = inspect.currentframe()
    while frame is not None:
        package = str(frame.f_globals.get("__name__", "")).split(".")[0]
        if package not in (_ROOT, "numpy", "optree"):
            return frame
        frame = frame.f_back
    return None


def user_line(frame: FrameType | None) -> SourceLine | None:
    """The file and line that ``frame`` is at."""
    return _line(frame.f_code.co_filename, frame.f_lineno) if frame else None


@lru_cache(maxsize=4096)
def _line(file: str, number: int) -> SourceLine:
    """One object for all nodes of a line: a loop makes many."""
    return SourceLine(file, number)


def last_line(error: BaseException) -> SourceLine | None:
    """The line of Python that raised."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None:
        return None
    return SourceLine(traceback.tb_frame.f_code.co_filename, traceback.tb_lineno)


def definition_line(function: Any) -> SourceLine | None:
    """The line where a function is defined, None where Python did not define it."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return SourceLine(code.co_filename, code.co_firstlineno) if code else None


def assigned_name(frame: FrameType | None) -> str | None:
    """The variable that the running expression is assigned to, where it is one."""
    if frame is None:
        return None
    return _stores(frame.f_code).get(frame.f_lasti)


@lru_cache(maxsize=256)
def _stores(code: CodeType) -> dict[int, str]:
    """The offset of each instruction that a store to a plain variable follows.

    While a Python function is called, a frame is at the end of the instruction's
    inline cache, so the offsets in between count too.
    """
    instructions = list(dis.get_instructions(code))
    return {
        offset: str(after.argval)
        for before, after in pairwise(instructions)
        if after.opname in _STORES
        for offset in range(before.offset, after.offset, 2)
    }
