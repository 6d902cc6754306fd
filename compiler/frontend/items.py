"""Operators of items and attributes."""

from __future__ import annotations

import bisect
import heapq
import inspect
import operator
from collections.abc import Callable
from functools import partial
from types import FunctionType
from typing import Any

import numpy as np

from ...ir.errors import AnabranchError, TraceError
from ..tracing.known import as_known, real
from ..tracing.running import active_trace, find_trace, is_traced
from ..tracing.tracer import GETITEM, plain_index
from .calls import INSTEAD
from .grids import built
from .journals import note, note_change
from .lookup import entry
from .rows import element
from .state import CONTAINERS, Content, Entry, Field
from .twins import twin

__all__ = [
    "augment",
    "delete_attribute",
    "delete_item",
    "get_item",
    "set_attribute",
    "set_item",
]

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
    in_place = _IN_PLACE[kind]
    if (method := _method(value, f"__{in_place.__name__}__")) is not None:
        made = method(value, other)
        if made is not NotImplemented:
            return made
    return in_place(value, other)


def _method(value: Any, name: str) -> Any:
    """The twin of a method of the user's for an operator, if there is one."""
    found = None if is_traced(value) else getattr(type(value), name, None)
    return twin(found) if isinstance(found, FunctionType) else None


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
    if (method := _method(x, "__getitem__")) is not None:
        return method(x, index)
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
    if (method := _method(x, "__setitem__")) is not None:
        method(x, index, value)
    else:
        x[index] = value


def delete_item(x: Any, index: Any) -> None:
    """``del x[index]``."""
    if isinstance(x, CONTAINERS):
        note_change(Content(x))
    del x[index]


def delete_attribute(x: Any, name: str) -> None:
    """``del x.name``."""
    note(Field(x, name))
    delattr(x, name)


def set_attribute(value: Any, x: Any, name: str) -> None:
    """``x.name = value``."""
    held = inspect.getattr_static(type(x), name, None)
    if isinstance(held, property) and isinstance(held.fset, FunctionType):
        twin(held.fset)(x, value)
        return
    note(Field(x, name))
    setattr(x, name, value)


def set_plain_attribute(x: Any, name: str, value: Any) -> None:
    """``object.__setattr__(x, name, value)``."""
    note(Field(x, name))
    object.__setattr__(x, name, value)


def _changing_first(function: Callable[..., Any]) -> None:
    def change(container: Any, *rest: Any, **named: Any) -> Any:
        if isinstance(container, CONTAINERS):
            note_change(Content(container))
        return function(container, *rest, **named)

    INSTEAD[function] = change


for _function in (
    *(heapq.heapify, heapq.heappop, heapq.heappush, heapq.heappushpop),
    *(heapq.heapreplace, bisect.insort, bisect.insort_left),
):
    _changing_first(_function)
for _kind, _function in _IN_PLACE.items():
    INSTEAD[_function] = partial(augment, _kind)
INSTEAD.update(
    {
        delattr: delete_attribute,
        object.__setattr__: set_plain_attribute,
        operator.delitem: delete_item,
        operator.getitem: get_item,
        operator.setitem: lambda x, index, value: set_item(value, x, index),
        setattr: lambda x, name, value: set_attribute(value, x, name),
    }
)
