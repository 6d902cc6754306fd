"""Where in the user's program an operation stands, and what the user calls it."""

from __future__ import annotations

import dis
import inspect
import sys
import sysconfig
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise, takewhile
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from ...ir.errors import SourceLine

__all__ = [
    "BLOCK",
    "assigned_name",
    "calling_frame",
    "definition_line",
    "frame_line",
    "is_block",
    "is_inside",
    "is_installed",
    "is_operator",
    "is_ours",
    "is_standard",
    "last_line",
    "library_call",
    "user_line",
    "user_line_of",
]

BLOCK = ".<block>"  # the end of the qualified name of a block in a function
_ROOT = __name__.split(".")[0]
_FRONT_END = f"{_ROOT}.compiler.frontend."
_STORES = ("STORE_FAST", "STORE_NAME", "STORE_DEREF", "STORE_GLOBAL")
_PACKAGES = ("site-packages", "dist-packages")
_LIBRARIES = [
    *(
        Path(sysconfig.get_path(name)).resolve()
        for name in ("stdlib", "platstdlib", "purelib", "platlib")
    ),
    *(  # which need not lie in one folder, nor be installed
        Path(path, part).resolve()
        for path in sys.modules[_ROOT].__path__
        for part in ("", "backends", "compiler", "ir")
    ),
]


@lru_cache(maxsize=4096)
def is_installed(file: str) -> bool:
    """Whether a file is part of Python, of an installed package, or of this one."""
    if file.startswith("<"):
        return file.startswith("<frozen")
    parents = Path(file).resolve().parents
    installed = any(parent.name in _PACKAGES for parent in parents)
    return installed or not set(_LIBRARIES).isdisjoint(parents)


@lru_cache(maxsize=4096)
def is_standard(file: str) -> bool:
    """Whether a file is part of Python itself."""
    return is_installed(file) and not any(
        parent.name in _PACKAGES for parent in Path(file).resolve().parents
    )


def file_of(kind: type) -> str:
    """The file of a class; that of Python itself where there is none."""
    module = sys.modules.get(kind.__module__)
    if module is None or kind.__module__ == "__main__":
        return getattr(module, "__file__", None) or "<prompt>"
    return getattr(module, "__file__", None) or "<frozen>"


def calling_frame() -> FrameType | None:
    """The innermost frame that belongs neither to this library nor to NumPy."""
    return next(_frames(inspect.currentframe()), None)


def _frames(frame: FrameType | None) -> Iterator[FrameType]:
    """The frames from ``frame`` outwards, without those of this library and NumPy."""
    while frame is not None:
        if not _is_inside(frame.f_globals.get("__name__", "")):
            yield frame
        frame = frame.f_back


def is_inside(frame: FrameType) -> bool:
    """Whether a frame is of this library, or of what it works with."""
    return _is_inside(frame.f_globals.get("__name__", ""))


def is_block(code: CodeType) -> bool:
    """Whether a code is a block of the user's that became a function."""
    return code.co_qualname.endswith(BLOCK)


def is_operator(frame: FrameType) -> bool:
    """Whether a frame is of an operator of rewritten code."""
    return str(frame.f_globals.get("__name__", "")).startswith(_FRONT_END)


def is_ours(frame: FrameType) -> bool:
    """Whether a frame is of this library."""
    return str(frame.f_globals.get("__name__", "")).split(".")[0] == _ROOT


@lru_cache(maxsize=4096)
def _is_inside(module: object) -> bool:
    """Whether a module is of this library, or of NumPy or optree."""
    return str(module).split(".")[0] in (_ROOT, "numpy", "optree")


def frame_line(frame: FrameType | None) -> SourceLine | None:
    """The file and line that ``frame`` is at."""
    return _line(frame.f_code.co_filename, frame.f_lineno) if frame else None


def user_line(frame: FrameType | None) -> SourceLine | None:
    """The innermost line of the user, from ``frame`` outwards.

    What is installed is not the user's, unless there is nothing else.
    """
    if frame is None or not is_installed(frame.f_code.co_filename):
        return frame_line(frame)
    return frame_line(_split(frame)[1] or frame)


def library_call(frame: FrameType | None) -> str | None:
    """The function of an installed library that the user's line calls, if it does.

    That is the outermost one with a public name: what a decorator made has none.
    """
    if frame is None or not is_installed(frame.f_code.co_filename):
        return None
    called, user = _split(frame)
    if user is None:
        return None
    for one in reversed(called):
        name = one.f_code.co_qualname.removesuffix(".__init__")
        home = _public_module(one)
        if hasattr(sys.modules.get(home), name.split(".")[0]):
            return f"{home}.{name}"
    return f"a function of {_public_module(called[-1])}"


def _public_module(frame: FrameType) -> str:
    """The module of a frame up to the first part that is private."""
    parts = str(frame.f_globals.get("__name__", "")).split(".")
    return ".".join(takewhile(lambda part: not part.startswith("_"), parts))


def _split(frame: FrameType) -> tuple[list[FrameType], FrameType | None]:
    """The installed frames up to the user's, and that."""
    called: list[FrameType] = []
    for outer in _frames(frame):
        if not is_installed(outer.f_code.co_filename):
            return called, outer
        called.append(outer)
    return called, None


@lru_cache(maxsize=4096)
def _line(file: str, number: int) -> SourceLine:
    """One object for all nodes of a line: a loop makes many."""
    return SourceLine(file, number)


def last_line(error: BaseException) -> SourceLine | None:
    """The line of Python that raised; the operators of rewritten code are none."""
    found: SourceLine | None = None
    traceback = error.__traceback__
    while traceback is not None:
        if found is None or not is_operator(traceback.tb_frame):
            found = SourceLine(
                traceback.tb_frame.f_code.co_filename, traceback.tb_lineno
            )
        traceback = traceback.tb_next
    return found


def user_line_of(error: BaseException) -> SourceLine | None:
    """The innermost line of the user that an error went through."""
    found: SourceLine | None = None
    traceback = error.__traceback__
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if not is_inside(traceback.tb_frame) and not is_installed(file):
            found = SourceLine(file, traceback.tb_lineno)
        traceback = traceback.tb_next
    return found


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

    Variables that only rewritten code has, ours or pytest's, are no names. While a
    Python function is called, a frame is at the end of the instruction's inline cache,
    so the offsets in between count too.
    """
    instructions = list(dis.get_instructions(code))
    return {
        offset: str(after.argval)
        for before, after in pairwise(instructions)
        if after.opname in _STORES and str(after.argval).isidentifier()
        for offset in range(before.offset, after.offset, 2)
    }
