"""Which NumPy functions have a lowering, and how their arguments reach it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

__all__ = ["is_view", "lowered_functions", "lowering_of", "lowers", "without_out"]

_LOWERINGS: dict[Any, Callable[..., Any]] = {}
_VIEWS: set[Any] = set()


def lowers(*functions: Any, view: bool = False) -> Callable[[Any], Any]:
    """Register the lowering of NumPy functions.

    A lowering takes the `Trace` and then the arguments of the function. With ``view``
    the result shares memory with the first argument, as it does in NumPy.
    """

    def add(lowering: Callable[..., Any]) -> Callable[..., Any]:
        for function in functions:
            _LOWERINGS[function] = lowering
            if view:
                _VIEWS.add(function)
        return lowering

    return add


def lowered_functions() -> list[Any]:
    """All functions that have a lowering."""
    return list(_LOWERINGS)


def lowering_of(function: Any) -> Callable[..., Any] | None:
    """The lowering of a function, None where it has none."""
    return _LOWERINGS.get(function)


def is_view(function: Any) -> bool:
    """Whether what a function makes shares memory with its first argument."""
    return function in _VIEWS


@lru_cache(maxsize=512)
def _after_out(function: Any) -> tuple[int, tuple[str, ...]] | None:
    """Where a NumPy function takes ``out``, and the names of what comes after it."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return None
    out = parameters.get("out")
    if out is None or out.kind is not out.POSITIONAL_OR_KEYWORD:
        return None
    names = tuple(parameters)
    place = names.index("out")
    return place, names[place + 1 :]


def without_out(
    function: Any, args: Sequence[Any], kwargs: dict[str, Any]
) -> tuple[Sequence[Any], dict[str, Any], Any]:
    """The arguments without ``out``, which lowerings do not take, and that."""
    named = {name: value for name, value in kwargs.items() if name != "out"}
    out = kwargs.get("out")
    found = _after_out(function) if len(args) > 1 else None
    if found is None or len(args) <= found[0]:
        return args, named, out
    place, names = found
    named |= dict(zip(names, args[place + 1 :], strict=False))
    return args[:place], named, args[place]
