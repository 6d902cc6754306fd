"""Values that are part of the signature of a call."""

from __future__ import annotations

import dataclasses
import enum
import inspect
from collections.abc import Callable
from contextlib import suppress
from types import (
    BuiltinFunctionType,
    EllipsisType,
    FunctionType,
    MethodType,
    ModuleType,
)
from typing import Any, cast

import numpy as np

from ...ir.errors import ParseError
from ...ir.types import spec
from ..tracing.source import file_of, is_installed

__all__ = ["Static", "StaticArguments", "StaticObject", "exact", "marked", "parameters"]

_CONSTANTS = (
    *(str, bytes, enum.Enum, slice, range, EllipsisType, np.dtype, np.ufunc, type),
    *(FunctionType, BuiltinFunctionType, MethodType, ModuleType),
)


class Static:
    """A static argument: part of the signature, compared by type and value.

    No dataclass, for those are pytrees.
    """

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return type(other) is Static and exact(self.value) == exact(other.value)

    def __hash__(self) -> int:
        return hash(exact(self.value))


class StaticObject(Static):
    """An object that is static by itself: compared by identity, since it may change.

    What a trace reads of it is watched (`State`).
    """

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return type(other) is StaticObject and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)


def exact(value: Any) -> Any:
    """A key that tells 1 from True and 1.0, and 0.0 from -0.0, inside of it too."""
    if isinstance(value, (float, complex, np.generic)):
        return type(value), repr(value)
    if isinstance(value, (tuple, frozenset)):
        items = cast("tuple[Any, ...] | frozenset[Any]", value)
        keys = [exact(item) for item in items]
        return type(items), tuple(keys) if isinstance(items, tuple) else frozenset(keys)
    if isinstance(value, slice):
        return slice, exact((value.start, value.stop, value.step))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = (getattr(value, field.name) for field in dataclasses.fields(value))
        return value, tuple(exact(field) for field in fields)
    return type(value), value


def marked(leaf: Any) -> Any:
    """A leaf with `Static` around it, if it is static by itself.

    So is what never changes: texts, functions, classes, members of enums, slices; and
    so are objects of the user's classes. Objects of other libraries are not: what they
    hold cannot be watched.
    """
    if isinstance(leaf, _CONSTANTS):
        return leaf if _is_type_text(leaf) else Static(leaf)
    if hasattr(leaf, "__dict__") and not isinstance(leaf, (Static, np.ndarray)):
        return leaf if is_installed(file_of(type(leaf))) else StaticObject(leaf)
    return leaf


def _is_type_text(value: Any) -> bool:
    """Whether this is the text of an array's type, which wants to be a `spec`."""
    if type(value) is not str or not value.endswith("]"):
        return False
    with suppress(ParseError):
        return bool(spec(value))
    return False


class StaticArguments:
    """Which arguments of a function are static, by position or name."""

    def __init__(self, function: Callable[..., Any], which: tuple[int | str, ...]):
        self.which = which
        names = list(parameters(function)) if which else []
        numbered = dict(enumerate(names))
        self._places = {name: i for i, name in numbered.items()}
        named = (numbered.get(w) if isinstance(w, int) else w for w in which)
        self.names = [name for name in named if name is not None]

    def positions(self, count: int) -> list[int]:
        """Which of so many positional arguments are static."""
        places = (w if isinstance(w, int) else self._places.get(w) for w in self.which)
        return [p % count for p in places if p is not None and -count <= p < count]

    def mark(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments with `Static` around the static ones."""
        marked, named = list(args), dict(kwargs)
        for place in self.positions(len(args)):
            marked[place] = Static(args[place])
        for name in self.names:
            if name in named:
                named[name] = Static(kwargs[name])
        return tuple(marked), named


def parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The parameters of a function by name, none where Python does not know them."""
    try:
        return dict(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return {}
