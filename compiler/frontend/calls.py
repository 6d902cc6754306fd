"""The operator of calls: what is called is looked up by identity."""

from __future__ import annotations

import functools
from types import FunctionType, MethodType
from typing import Any, cast

from .twins import twin

__all__ = ["call"]


def call(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    """``function(*args, **kwargs)``, by its twin where it is the user's."""
    return resolved(function)(*args, **kwargs)


def resolved(function: Any) -> Any:
    """What to call instead of a function."""
    kind = type(function)
    if kind is FunctionType:
        return twin(function)
    if kind is MethodType:
        inner = function.__func__
        if isinstance(inner, FunctionType):
            return MethodType(twin(inner), function.__self__)
        return function
    if kind is functools.partial:
        found = cast("functools.partial[Any]", function)
        return functools.partial(resolved(found.func), *found.args, **found.keywords)
    if isinstance(function, type):
        return function
    called: Any = kind.__call__
    if isinstance(called, FunctionType):
        return MethodType(twin(called), function)
    return function
