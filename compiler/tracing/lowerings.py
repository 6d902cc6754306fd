"""Which functions of NumPy and SciPy have a lowering, and how arguments reach it.

NumPy hands its functions over by dispatch. Those of SciPy are looked up where rewritten
code calls them, by identity too; a module that nobody has imported is not imported for
it, and its functions are found once it is there.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any

__all__ = [
    "is_view",
    "lowered_functions",
    "lowering_of",
    "lowers",
    "lowers_in",
    "public_name",
    "without_out",
]

_LOWERINGS: dict[Any, Callable[..., Any]] = {}
_VIEWS: set[Any] = set()
_WAITING: dict[str, dict[str, Callable[..., Any]]] = {}  # by module, until it is loaded
_NAMES: dict[Any, str] = {}


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


def lowers_in(module: str, *names: str) -> Callable[[Any], Any]:
    """Register the lowering of functions of a module that need not be loaded.

    A name may have dots: ``lowers_in("scipy.stats", "norm.logpdf")``. Names that the
    installed version lacks are passed over.
    """

    def add(lowering: Callable[..., Any]) -> Callable[..., Any]:
        waiting = _WAITING.setdefault(module, {})
        waiting.update(dict.fromkeys(names, lowering))
        return lowering

    return add


def _find_loaded() -> None:
    """Register what has waited for modules that are loaded by now."""
    for module in [module for module in _WAITING if module in sys.modules]:
        for name, lowering in _WAITING.pop(module).items():
            try:
                function = attrgetter(name)(sys.modules[module])
            except AttributeError:
                continue
            _LOWERINGS[function] = lowering
            _NAMES[function] = f"{module}.{name}"


def lowered_functions() -> list[Any]:
    """All functions that have a lowering, of the modules that are loaded."""
    _find_loaded()
    return list(_LOWERINGS)


def lowering_of(function: Any) -> Callable[..., Any] | None:
    """The lowering of a function, None where it has none."""
    found = _LOWERINGS.get(function)
    if found is None and _WAITING:
        _find_loaded()
        found = _LOWERINGS.get(function)
    return found


def public_name(function: Any) -> str | None:
    """The name of a function that `lowers_in` registered, where its users find it."""
    return _NAMES.get(function)


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
