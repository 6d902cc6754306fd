"""Compiled functions that are known again: ``grad(f)`` written where it is called.

A gradient that is asked for again, in a loop or by a fresh lambda, is the one that was
made before, with all that it compiled. Functions are the same where nothing tells their
calls apart: one code, one dict of globals, the same closure cells, equal defaults. Two
lambdas that a loop makes share their cells, so what is bound anew there is seen by the
state of the compiled function, as ever.

Where the cells are others that hold the same, as those of a lambda that a function
returns, the compiled function is another, which begins with what the first one knows.

A function whose state cannot tell of all that it reads is not held: what installed
packages do, names that are computed, attributes in slots, large arrays of which a
sample is compared.

What is kept holds on to the function, and to what that closes over, so of closures,
methods and partial functions there are only a few.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from functools import partial
from types import FunctionType, MethodType
from typing import Any

from ..tracing.running import active_trace
from ..tracing.source import is_installed
from .function import Compiled
from .signatures import FEW, Signatures
from .static import exact

__all__ = ["clear_caches", "held"]

_NUMBERS = (bool, int, float, complex, str, bytes, type(None))


class _Held:
    """A compiled function, and whether it was asked for since it was last looked at."""

    def __init__(self, compiled: Compiled, function: Any) -> None:
        self.compiled = compiled
        self.function = function  # the keys are good as long as this lives
        self.used = True

    def was_used(self) -> bool:
        used, self.used = self.used, False
        return used

    def scratch_bytes(self) -> int:
        return self.compiled.kept_bytes()


_table: Signatures[_Held] = Signatures(lambda entry: None)
_closures: Signatures[_Held] = Signatures(lambda entry: None, FEW)
_by_contents: Signatures[_Held] = Signatures(lambda entry: None, FEW)


def held(function: Any, options: Hashable, make: Callable[[], Compiled]) -> Compiled:
    """The compiled function that was made of such a function with these options.

    Inside of a trace it is always a new one, for it may close over traced values.
    """
    if active_trace() is not None or not _is_users(function):
        return make()
    plain = type(function) is FunctionType and not function.__closure__
    table = _table if plain else _closures
    try:
        key = _key(function), options
        known = table.get(key)
    except TypeError:  # a list among the options
        return make()
    if known is not None and _key(known.function) != key[0]:
        table.forget(lambda entry: entry is known)  # its defaults were replaced
        known = None
    if known is not None and known.compiled.sees_everything:
        known.used = True
        return known.compiled
    made = make()
    if known is None and (plain or not _begins_with_another(made, function, options)):
        table.keep(key, _Held(made, function))
    return made


def _is_users(function: Any) -> bool:
    """Whether a state can tell what a function reads, as it cannot of packages'."""
    while type(function) in (MethodType, partial):
        function = getattr(function, "__func__", None) or function.func
    if type(function) is not FunctionType:
        return isinstance(function, Compiled) and _is_users(function.function)
    return not is_installed(function.__code__.co_filename)


def _begins_with_another(made: Compiled, function: Any, options: Hashable) -> bool:
    """Whether a compiled function took over what one of equal contents knows.

    Such a one need not be kept: it is made in no time.
    """
    if type(function) is not FunctionType or not function.__closure__:
        return False
    try:
        contents = [cell.cell_contents for cell in function.__closure__]
    except ValueError:  # one is not bound yet
        return False
    key = _key(function, tuple(map(_value, contents))), options
    known = _by_contents.get(key)
    if known is None:
        _by_contents.keep(key, _Held(made, function))
        return False
    known.used = True
    pairs = zip(known.function.__closure__, function.__closure__, strict=True)
    cells = {id(one): two for one, two in pairs}
    if known.compiled.sees_everything and known.compiled.hand_on(made, cells):
        return True
    known.compiled, known.function = made, function
    return False


def clear_caches() -> None:
    """Forget the compiled functions that `grad` and its kin hold for the next call.

    Functions that somebody holds keep what they know; their own ``cache_clear`` forgets
    that.
    """
    _table.clear()
    _closures.clear()
    _by_contents.clear()


def _key(function: Any, cells: Hashable = None) -> Hashable:
    """What tells a function from others, as long as it lives; ``cells`` of its own."""
    if type(function) is MethodType:
        return _key(function.__func__), id(function.__self__)
    if type(function) is partial and not vars(function):
        given = (*map(_value, function.args), *_named(function.keywords))
        return partial, _key(function.func), given
    if type(function) is not FunctionType or function.__dict__:
        return id(function)
    key: list[Hashable] = [function.__code__, id(function.__globals__), cells]
    if function.__closure__ and cells is None:
        key += map(id, function.__closure__)
    if function.__defaults__:
        key += map(_value, function.__defaults__)
    if function.__kwdefaults__:
        key += _named(function.__kwdefaults__)
    return tuple(key)


def _named(values: Mapping[str, Any]) -> list[Hashable]:
    return [(name, _value(value)) for name, value in values.items()]


def _value(value: Any) -> Hashable:
    """What tells a default from others: a number by its value, else which object."""
    return exact(value) if type(value) in _NUMBERS else id(value)
