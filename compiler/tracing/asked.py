"""Values that a trace asks for: integers and bools among the arguments.

They are traced like all numbers, so one graph serves every value. Where a trace needs
the value itself, as a size, a place in a list or the bound of a loop that unrolls, it
ends with `ValueAsked`, and begins anew with the value as a static one: from then on
each value has a signature of its own.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ...ir.types import TensorType

if TYPE_CHECKING:
    from ...ir.errors import SourceLine
    from ...ir.graph import Node
    from .trace import Trace
    from .tracer import Tracer

__all__ = ["Asked", "ValueAsked", "ask", "may_be_asked", "value_of"]


Asked: TypeAlias = "Mapping[int, SourceLine | None]"
"""The leaves of a call whose values are asked for, each with the line that asked."""


class ValueAsked(BaseException):
    """Ends a trace of that ``level``; no error, and nothing for the user to catch."""

    def __init__(self, level: int, asked: Asked) -> None:
        super().__init__("a trace is begun anew with the values of its arguments")
        self.level = level
        self.asked = asked


def value_of(leaf: Any) -> Any:
    """An integer or a bool, NumPy's too; a traced one is asked for it."""
    if not hasattr(leaf, "weak"):
        return leaf[()] if isinstance(leaf, np.ndarray) else leaf
    return bool(leaf) if leaf.dtype.kind == "b" else operator.index(leaf)


def may_be_asked(leaf: Any) -> bool:
    """Whether a leaf is an integer or a bool, of Python's or NumPy's, or traced.

    A type that stands for a value is none.
    """
    if type(leaf) in (int, bool):
        return True
    if isinstance(leaf, TensorType):
        return False
    return getattr(leaf, "shape", None) == () and leaf.dtype.kind in "iub"


def ask(value: Tracer) -> None:
    """Raise `ValueAsked` if a value is computed from integers and bools alone.

    Of those of several functions around each other it asks for the innermost's.
    """
    found: dict[int, set[int]] = {}
    seen: set[tuple[int, str]] = set()
    waiting: list[tuple[Trace, Node]] = [(value.here, value.unchecked_node)]
    while waiting:
        trace, node = waiting.pop()
        if (trace.level, node.name) in seen:
            continue
        seen.add((trace.level, node.name))
        outer = trace.captured_as(node)
        if node.name in trace.numbers:
            found.setdefault(trace.level, set()).add(trace.numbers[node.name])
        elif outer is not None:
            waiting.append((outer.here, outer.unchecked_node))
        elif any(node is one for one in trace.captured_inputs):
            continue  # an array from outside, whose elements are known
        elif node.op == "input":
            return
        else:
            values = trace.builder.values
            waiting += [(trace, values[name]) for name in node.operands]
    if found:
        level = max(found)
        line = value.owner.innermost.builder.source
        raise ValueAsked(level, dict.fromkeys(sorted(found[level]), line))
