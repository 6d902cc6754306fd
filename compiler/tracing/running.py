"""Which traces run in this thread, and which one a call belongs to."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeGuard, cast

import numpy as np

from .ragged import Ragged
from .tracer import Tracer

if TYPE_CHECKING:
    from .trace import Trace

__all__ = [
    "active_trace",
    "as_array",
    "begin",
    "dtype_of",
    "end",
    "find_trace",
    "innermost",
    "is_traced",
    "program_trace",
    "region",
    "survey",
]

# branch: the trace of the innermost region; running: those whose functions run
_state = threading.local()


def is_traced(value: Any) -> TypeGuard[Tracer]:
    """Whether ``value`` is a traced array."""
    return isinstance(value, Tracer)


def as_array(value: Any) -> Any:
    """A traced array as it is, anything else as the array that NumPy makes of it."""
    return value if is_traced(value) else np.asarray(value)


def dtype_of(value: Any) -> np.dtype[Any]:
    """The dtype of a traced array, or of the array that NumPy makes of a value."""
    return as_array(value).dtype


def find_trace(values: Any) -> Trace | None:
    """The newest trace among the tracers in nested lists, tuples and dicts.

    Inside a region (a branch of `cond`, the body of a loop) that is the region's, if
    the tracers are of traces around it: what the region computes belongs to it.
    """
    return survey(values)[0]


def survey(values: Any) -> tuple[Trace | None, Tracer | None]:
    """The newest trace among the traced arrays, and one of those that are known."""
    found: Trace | None = None
    known: Tracer | None = None
    waiting = [values]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Tracer):
            if value.known is not None:
                known = value
            elif found is None or value.owner.level > found.level:
                found = value.owner
        elif isinstance(value, (list, tuple)):
            waiting.extend(cast("Iterable[Any]", value))
        elif isinstance(value, Ragged):
            if found is None or value.home.level > found.level:
                found = value.home
        elif isinstance(value, slice):
            parts = cast("slice[Any, Any, Any]", value)
            waiting += [parts.start, parts.stop, parts.step]
        elif isinstance(value, dict):
            waiting.extend(cast("Mapping[Any, Any]", value).values())
    return found and innermost(found), known


def active_trace() -> Trace | None:
    """The trace whose function runs in this thread, the innermost if there are some."""
    running: list[Trace] = getattr(_state, "running", [])
    return running[-1] if running else None


def program_trace() -> Trace:
    """The trace of the function whose regions are being traced here."""
    running: list[Trace] = _state.running
    return next(trace for trace in reversed(running) if not trace.region)


def innermost(trace: Trace) -> Trace:
    """The innermost region that is being traced inside of ``trace``, or that itself."""
    branch: Trace | None = getattr(_state, "branch", None)
    return branch if branch is not None and branch.level > trace.level else trace


def begin(trace: Trace) -> None:
    """The function of a trace runs from now on."""
    _state.running = [*getattr(_state, "running", []), trace]


def end() -> None:
    """The function of the innermost trace has ended."""
    _state.running = _state.running[:-1]


@contextmanager
def region(trace: Trace) -> Generator[None, None, None]:
    """What is done to values of the traces around it belongs to this one."""
    outer = getattr(_state, "branch", None)
    _state.branch = trace
    try:
        yield
    finally:
        _state.branch = outer
