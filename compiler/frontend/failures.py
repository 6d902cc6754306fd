"""`raise` and `assert` under a traced condition: checks when the function runs.

A check is made for its value, so that no pass drops it: the value goes into a memory of
the function's own. Like any other memory that one is a result of branches and carried
by loops, and in the end a result of the function depends on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...ir.errors import AnabranchError, TraceError
from ...ir.extent import whole
from ...ir.graph import Node
from ...ir.ops.index import ERRORS
from ..tracing.notes import note
from ..tracing.running import program_trace
from ..tracing.source import calling_frame, last_line, user_line
from ..tracing.trace import Trace
from ..tracing.tracer import Tracer
from ..tracing.views import Memory
from .handlers import is_handled

__all__ = ["Raised", "fail_unless", "tied"]


class Raised(Exception):
    """A statement of the user's raised an error, in a branch that may be taken."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


def fail_unless(holds: Tracer, error: Exception) -> None:
    """Have the function raise ``error`` where a condition does not hold.

    What it raises is of the nearest of Python's own kinds of errors. `TraceError` where
    a handler of the user's would not meet it.
    """
    if is_handled():
        raise TraceError(
            f"{type(error).__name__} may be raised under a traced condition, in a "
            f"'try' or 'with' that would not meet it: {error}",
            source=last_line(error) or user_line(calling_frame()),
            hint="check the value before the call, or choose with np.where",
        )
    note("branch", f"check: raises {type(error).__name__} when the function runs")
    program = program_trace()
    if program.failures is None:
        program.failures = Memory(program.builder.const(1, "i64"))
    memory = program.failures
    trace = program.writer(memory)
    b = trace.builder
    kind, message = _described(error)
    source = getattr(error, "source", None) or last_line(error)
    before, b.source = b.source, source or b.source
    passed = b.check(
        b.cast(trace.node(holds), "i64"), low=1, high=2, error=kind, message=message
    )
    b.source = before
    memory.replace(b.minimum(memory.node, passed), whole(()))


def _described(error: Exception) -> tuple[str, str]:
    """The nearest of Python's own kinds of errors, and the message."""
    kind = next(k.__name__ for k in type(error).__mro__ if k.__name__ in ERRORS)
    if isinstance(error, AnabranchError):
        return kind, error.what
    name = type(error).__name__
    text = error.args[0] if isinstance(error, KeyError) and error.args else error
    return kind, str(text) if kind == name else f"{name}: {text}"


def tied(trace: Trace, results: Sequence[Node]) -> list[Node]:
    """The results of a function, of which one depends on all of its checks.

    That is the smallest, of floats if there are any, so that a gradient has it too.
    """
    made = list(results)
    if trace.failures is None:
        return made
    if not made:
        raise TraceError(
            "the function may raise under a traced condition, and returns nothing that "
            "could depend on it",
            source=trace.builder.source,
            hint="return what was checked",
        )
    sizes = [(not node.type.has_gradient, node.type.size) for node in made]
    place = sizes.index(min(sizes))
    b, node = trace.builder, made[place]
    holds = b.eq(trace.failures.node, b.const(1, "i64"))
    mask = b.broadcast(holds, node.type.with_dtype("bool"))
    zero: Any = np.zeros((), node.type.numpy).item()
    made[place] = b.select(mask, node, b.like(node, zero))
    return made
