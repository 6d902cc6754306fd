"""Operators of items and attributes."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np

from ...ir.errors import AnabranchError, TraceError
from ..tracing.known import as_known, real
from ..tracing.running import active_trace, find_trace
from ..tracing.tracer import GETITEM, plain_index
from .branches import journal_here, note_change
from .grids import built
from .lookup import entry
from .rows import element
from .state import CONTAINERS, Content, Entry, Field
from .twins import twin

__all__ = ["augment", "delete_item", "get_item", "set_attribute", "set_item"]

_IN_PLACE: dict[str, Callable[[Any, Any], Any]] = {
    "Add": operator.iadd,
    "Sub": operator.isub,
    "Mult": operator.imul,
    "Div": operator.itruediv,
    "FloorDiv": operator.ifloordiv,
    "Mod": operator.imod,
    "Pow": operator.ipow,
    "MatMult": operator.imatmul,
    "BitAnd": operator.iand,
    "BitOr": operator.ior,
    "BitXor": operator.ixor,
    "LShift": operator.ilshift,
    "RShift": operator.irshift,
}


def augment(kind: str, value: Any, other: Any) -> Any:
    """``value += other``, and what ``value`` is then."""
    if isinstance(value, CONTAINERS):
        note_change(Content(value))
    return _IN_PLACE[kind](value, other)


def get_item(x: Any, index: Any) -> Any:
    """``x[index]``."""
    if (row := element(x, index)) is not None:
        return row
    if isinstance(x, np.ndarray):
        index = plain_index(index)
        trace = find_trace(index)
        return x[real(index)] if trace is None else trace.apply(GETITEM, (x, index), {})
    if type(x).__module__ in _INDEX_TRICKS:
        return _built(x, index)
    if (found := entry(x, index)) is not None:
        return found
    return x[index]


_INDEX_TRICKS = {type(np.r_).__module__}


def _built(x: Any, index: Any) -> Any:
    """``np.r_``, ``np.c_``, ``np.mgrid`` and the like."""
    trace = active_trace()
    if trace is None or find_trace(index) is None:
        made = x[real(index)]
        return made if trace is None else as_known(trace, made, ())
    trace.enter()
    try:
        return built(trace, x, index)
    except AnabranchError as error:
        raise error.at(trace.builder.source) from None


def set_item(value: Any, x: Any, index: Any) -> None:
    """``x[index] = value``."""
    if isinstance(x, np.ndarray):
        if (trace := find_trace((index, value))) is not None:
            trace.enter()
            raise TraceError(
                "a traced value is stored into an array that was not made while "
                "tracing",
                source=trace.builder.source,
                hint="make the array in the function: y = np.zeros(n), or y = "
                "np.copy(y) first",
            )
        x[real(index)] = real(value)
        return
    if isinstance(x, CONTAINERS):
        one = isinstance(x, dict) or (isinstance(x, list) and type(index) is int)
        note_change(Entry(x, index) if one else Content(x))
    x[index] = value


def delete_item(x: Any, index: Any) -> None:
    """``del x[index]``."""
    if isinstance(x, CONTAINERS):
        note_change(Content(x))
    del x[index]


def set_attribute(value: Any, x: Any, name: str) -> None:
    """``x.name = value``."""
    held = inspect.getattr_static(type(x), name, None)
    if isinstance(held, property) and isinstance(held.fset, FunctionType):
        twin(held.fset)(x, value)
        return
    if (journal := journal_here()) is not None:
        journal.note(Field(x, name))
    setattr(x, name, value)
