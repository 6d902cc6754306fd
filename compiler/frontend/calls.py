"""The operator of calls: what is called is looked up by identity.

The user's functions are called by their twins. What NumPy makes of values that are
known is known as well. The table has the functions that ask Python what only a trace
can answer.
"""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Callable, Sequence
from types import FunctionType, MethodType, ModuleType
from typing import Any, cast

import numpy as np

from ...backends.numba_host import is_dispatcher
from ...ir.errors import AnabranchError, TraceError
from ..cond import cond, switch
from ..loop import fori_loop, scan, while_loop
from ..loop import map as loops_map
from ..tracing.known import as_known, real, stored_to
from ..tracing.lowerings import lowering_of
from ..tracing.notes import note
from ..tracing.running import active_trace, find_trace, innermost, is_traced
from ..tracing.source import definition_line
from ..tracing.trace import Trace
from ..tracing.tracer import Tracer
from ..transforms.checkpoint import checkpoint
from ..transforms.rules import Ruled
from .advanced import check_own, own
from .chance import check_chance, is_maker, seeded
from .journals import note_change
from .state import CONTAINERS, Content, check_entries
from .thawed import thawed
from .twins import is_outside, is_users, twin, why_not

__all__ = [
    "CALLED",
    "INSTEAD",
    "as_called",
    "call",
    "closes_over_traced",
    "takes_functions",
]

INSTEAD: dict[Any, Callable[..., Any]] = {}
"""What is called in the place of a function, where a trace is made."""
CALLED: dict[type, Callable[..., Any]] = {}
"""What is called in the place of the instances of a class, which comes first."""

_OF_FUNCTIONS: set[Any] = {
    cond,
    fori_loop,
    loops_map,
    scan,
    switch,
    while_loop,
}
_OF_ITEMS: set[Any] = {
    filter,
    functools.reduce,
    itertools.accumulate,
    itertools.dropwhile,
    itertools.filterfalse,
    itertools.groupby,
    itertools.starmap,
    itertools.takewhile,
    map,
}
"""Functions of Python's that call another one with items."""


def takes_functions(function: Callable[..., Any]) -> Callable[..., Any]:
    """Have functions of the user's that a function of ours is given be rewritten."""
    _OF_FUNCTIONS.add(function)
    return function


_CHANGES = {
    "add",
    "append",
    "appendleft",
    "clear",
    "discard",
    "extend",
    "extendleft",
    "insert",
    "move_to_end",
    "pop",
    "popitem",
    "popleft",
    "remove",
    "reverse",
    "rotate",
    "setdefault",
    "sort",
    "update",
}
_ASKS = {"items", "keys", "popitem", "values"}
_ITERATES = {
    id(function)
    for function in (
        *(all, any, enumerate, filter, frozenset, iter, list, map, max, min, reversed),
        *(set, sorted, sum, tuple, zip),
    )
}
_JOINS: set[Any] = {
    np.column_stack,
    np.concatenate,
    np.dstack,
    np.hstack,
    np.linalg.multi_dot,
    np.stack,
    np.vstack,
}
_OF_LISTS: set[Any] = {np.block, np.einsum, np.select}
_OF_ROWS: set[Any] = {np.apply_along_axis, np.apply_over_axes, np.piecewise}


def call(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    """``function(*args, **kwargs)``, by its twin where it is the user's."""
    kind = type(function)
    if kind is FunctionType and is_users(made := twin(function)):
        if made is function and (why := why_not(function.__code__)) is not None:
            note("plain", f"plain Python: {why}", definition_line(function))
        return _made_by(function, made(*args, **kwargs))
    trace = active_trace()
    if trace is None:
        return resolved(function)(*args, **kwargs)
    check_chance(function, kwargs)
    _check_places(function, args)
    if is_maker(function):
        return own(seeded(function, *map(real, args), **real(kwargs)))
    if kind is functools.partial:
        found = cast("functools.partial[Any]", function)
        named = {**found.keywords, **kwargs}
        return call(found.func, *found.args, *args, **named)
    if is_dispatcher(function) and find_trace((args, kwargs)) is not None:
        return call(function.py_func, *args, **kwargs)
    if (evaluate := CALLED.get(kind)) is not None:
        return _at_line(trace, evaluate, function, *args, **kwargs)
    if is_traced(function):
        raise TraceError(
            "a traced array is called like a function",
            hint="an index stands in brackets: x[0]",
        )
    if _has_hash(function):
        if (instead := INSTEAD.get(function)) is not None:
            return own(_at_line(trace, instead, *args, **kwargs))
        if function in _OF_FUNCTIONS:
            named = {name: _all_resolved(value) for name, value in kwargs.items()}
            return function(*map(_all_resolved, args), **named)
        if function in _OF_ITEMS:
            named = {name: as_called(value) for name, value in kwargs.items()}
            return own(function(*map(as_called, args), **named))
        if find_trace((args, kwargs)) is not None:
            found, given, named = thawed(function, args, kwargs)
            if _is_lowered(found):
                return trace.apply(found, given, named)
    if _is_numpys(function):
        return _call_numpy(trace, function, args, kwargs)
    if isinstance(function, type):
        return own(_make(function, args, kwargs))
    owner = getattr(function, "__self__", None)
    if isinstance(owner, CONTAINERS) and function.__name__ in _CHANGES:
        note_change(Content(owner))
    if isinstance(owner, list) and function.__name__ == "sort":
        owner[:] = call(sorted, owner, **kwargs)
        return None
    made = resolved(function)
    if made is function and _takes_arrays(function):
        args, kwargs = tuple(map(real, args)), real(kwargs)
    return _made_by(function, made(*args, **kwargs))


def _made_by(function: Any, result: Any) -> Any:
    """The result of a call; a function in Python may hand on what it did not make."""
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    makes = code is None or code.co_flags & inspect.CO_GENERATOR
    return own(result) if makes else result


def _check_places(function: Any, args: Sequence[Any]) -> None:
    """Refuse to go through what may lack an entry, or is advanced for good."""
    owner = getattr(function, "__self__", None)
    if isinstance(owner, dict):
        if function.__name__ in _ASKS:
            check_entries(owner)
    elif owner is not None and not isinstance(owner, (ModuleType, Tracer)):
        check_own(owner)
    whole = id(function) in _ITERATES
    if whole or function is next:
        for arg in args:
            check_entries(arg)
            check_own(arg, whole=whole)


def _at_line(trace: Trace, function: Any, /, *args: Any, **kwargs: Any) -> Any:
    """A call of a function of ours, whose errors name the user's line."""
    try:
        return function(*args, **kwargs)
    except AnabranchError as error:
        if error.source is None:
            here = innermost(trace)
            here.enter()
            error.at(here.builder.source)
        raise


def resolved(function: Any) -> Any:
    """The twin of a function, of a method, of a partial one or of an instance."""
    kind = type(function)
    if kind is FunctionType:
        return twin(function)
    if isinstance(function, (Ruled, checkpoint)):
        return function.mapped(resolved)
    if kind is MethodType:
        inner = function.__func__
        if isinstance(inner, FunctionType) and (made := twin(inner)) is not inner:
            return MethodType(made, function.__self__)
        return function
    if kind is functools.partial:
        found = cast("functools.partial[Any]", function)
        make: Any = functools.partial
        return make(resolved(found.func), *found.args, **found.keywords)
    if isinstance(function, type) or not isinstance(function, object):
        return function
    called: Any = getattr(kind, "__call__", None)  # noqa: B004  # its method is wanted
    if isinstance(called, FunctionType) and (made := twin(called)) is not called:
        return MethodType(made, function)
    return function


def as_called(value: Any) -> Any:
    """What does what a call of a function does in rewritten code."""
    made = _all_resolved(value)
    if made is not value or not callable(value):
        return made
    return functools.partial(call, value)


def _all_resolved(value: Any) -> Any:
    """What is given to a function that calls functions, alone or in a sequence."""
    if type(value) in (list, tuple):
        return type(value)(map(resolved, value))
    return resolved(value)


def closes_over_traced(function: Any) -> bool:
    """Whether a function of the user's reads a traced value of the one around it."""
    cells = getattr(function, "__closure__", None) or ()
    held: list[Any] = []
    for cell in cells:
        try:
            held.append(cell.cell_contents)
        except ValueError:  # not bound yet
            continue
    return find_trace(held) is not None


def _make(kind: Any, args: Any, kwargs: Any) -> Any:
    """An instance; ``__init__`` by its twin, where nothing else has a say."""
    init = kind.__init__
    plain = type(kind) is type and kind.__new__ is object.__new__
    if plain and isinstance(init, FunctionType) and (made := twin(init)) is not init:
        instance: Any = object.__new__(kind)
        made(instance, *args, **kwargs)
        return instance
    make: Any = kind
    return make(*args, **kwargs)


def _call_numpy(trace: Trace, function: Any, args: Any, kwargs: Any) -> Any:
    """A function of NumPy, or a method of an array."""
    owner = getattr(function, "__self__", None)
    given_traced = find_trace((args, kwargs)) is not None
    if function in _OF_ROWS and not given_traced and any(map(closes_over_traced, args)):
        return trace.lower(function, args, kwargs)
    if not given_traced:
        given = owner, args, kwargs
        if not stored_to(function, args, kwargs.get("out")):
            args, kwargs = tuple(map(real, args)), real(kwargs)
        return as_known(trace, function(*args, **kwargs), given)
    if lowering_of(function) is not None and not isinstance(function, np.ufunc):
        return trace.apply(function, args, kwargs)  # whichever argument is traced
    if isinstance(owner, np.ndarray):  # a method of a real array, on traced ones
        return call(getattr(np, function.__name__), owner, *args, **kwargs)
    if function in _JOINS and args and isinstance(args[0], (list, tuple)):
        parts: list[Any] = list(args[0])
        args = [trace.array(part) for part in parts], *args[1:]
    elif function not in _OF_LISTS and not any(map(is_traced, args)):
        args = tuple(
            trace.array(arg) if find_trace(arg) is not None else arg for arg in args
        )
    return function(*args, **kwargs)


def _is_numpys(function: Any) -> bool:
    owner = getattr(function, "__self__", None)
    if isinstance(owner, (np.ndarray, np.generic)) or isinstance(function, np.ufunc):
        return True
    module = getattr(function, "__module__", None) or ""
    return str(module).split(".")[0] == "numpy" and not isinstance(function, type)


def _is_lowered(function: Any) -> bool:
    """Whether a function that NumPy does not dispatch has a lowering."""
    return not _is_numpys(function) and lowering_of(function) is not None


def _takes_arrays(function: Any) -> bool:
    """Whether a function is of a library that takes real arrays."""
    module = getattr(function, "__module__", None) or "builtins"
    return is_outside(str(module))


def _has_hash(value: Any) -> bool:
    return getattr(type(value), "__hash__", None) is not None
