"""State: what a traced function read beside its arguments, and whether it changed.

A trace keeps what it met: the values of globals, closure cells and attributes, what is
in lists and dicts, and the content of arrays. `State` remembers them, and a call of a
function whose state changed traces again.

What a function can read is found in its code, without running it: names of globals and
attributes, closure cells, and the functions, classes and objects that these lead to.
That may be more than a trace has read, never less, but for names that are computed
(``getattr(x, name)``) and what only installed packages hold.

Arrays that the graph has as inputs are read at each call as they are then; they need no
watch. Of other arrays up to `EXACT` bytes are compared, and of larger ones a sample;
with ``ANABRANCH_DEBUG=1`` all of them.
"""

from __future__ import annotations

import dis
import gc
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from functools import lru_cache, partial
from inspect import getattr_static
from types import (
    BuiltinFunctionType,
    CellType,
    CodeType,
    FunctionType,
    MethodDescriptorType,
    MethodType,
    ModuleType,
    WrapperDescriptorType,
)
from typing import Any, TypeVar

import numpy as np

from ...backends.base import Array
from ...backends.signature import ABSENT, Guard
from ...ir.settings import debugging
from ..tracing.source import file_of, is_installed
from .static import exact

__all__ = ["State"]

EXACT = 4096
SAMPLE = 64  # elements of a larger array
MAX_ITEMS = 1000  # of a list, dict or set that are looked at
_NUMBERS = (int, float, complex, str, bytes, type(None), np.generic)
_FIXED = (
    *(MethodDescriptorType, WrapperDescriptorType, np.ufunc, np.dtype),
    *(range, slice, type(...), type(NotImplemented)),
)
"""Kinds of objects that never change, or that nobody changes."""
_COMPUTED = frozenset(
    "getattr vars globals locals eval exec __import__ __dict__ environ getenv "
    "attrgetter methodcaller asdict astuple".split()
)
"""Names by which code reads what its own names do not tell."""
_KINDS = {
    **dict.fromkeys(("IMPORT_NAME", "IMPORT_FROM", "MATCH_CLASS"), "unseen"),
    **dict.fromkeys(("LOAD_GLOBAL", "LOAD_NAME"), "global"),
    **dict.fromkeys(("LOAD_ATTR", "LOAD_METHOD", "LOAD_SUPER_ATTR"), "attribute"),
}
OPERATORS = {
    name for name in (*dir(int), *dir(dict), "__call__", "__matmul__") if "__" in name
} - set(dir(object))
_CONTAINERS = (list, tuple, dict, set, frozenset)


W = TypeVar("W", bound=tuple[Any, ...])  # a watch: its last item is what was there


class State:
    """What functions read, as it is now.

    ``live`` are the arrays that are read at each call. What is no longer as ``before``
    is left out: the function wrote it. States are equal where the same things had the
    same values.
    """

    def __init__(
        self,
        functions: Iterable[Callable[..., Any]],
        live: Iterable[Array] = (),
        before: State | None = None,
    ) -> None:
        found = _Search(functions, [id(array) for array in live])
        self.is_complete = not found.unseen
        """Whether nothing that the functions may read can change unseen."""
        self._guards = _unwritten(
            found.guards, None if before is None else before._guards
        )
        self._containers = _unwritten(
            found.containers, None if before is None else before._containers
        )
        self._arrays = _unwritten(
            found.arrays, None if before is None else before._arrays
        )

    def __bool__(self) -> bool:
        return bool(self._guards or self.has_contents)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, State):
            return NotImplemented
        return (
            _alike(self._guards, other._guards)
            and _alike(self._containers, other._containers)
            and _alike(self._arrays, other._arrays)
        )

    __hash__ = None  # type: ignore[assignment]

    def moved(self, cells: Mapping[int, CellType]) -> State:
        """The same values in other closure cells; ``cells`` by the ids of these."""
        made = copy(self)
        moved = {
            id(cells[key]): guard._replace(holder=cells[key])
            for key, guard in self._guards.items()
            if key in cells
        }
        rest = {k: guard for k, guard in self._guards.items() if k not in cells}
        made._guards = {**moved, **rest}
        return made

    @property
    def guards(self) -> tuple[Guard, ...]:
        """The names and cells that were read, and what they held."""
        return tuple(self._guards.values())

    @property
    def has_contents(self) -> bool:
        """Whether there are containers or arrays, of which no guard tells."""
        return bool(self._containers or self._arrays)

    def changed(self) -> bool:
        """Whether anything is not what it was."""
        return self.contents_changed() or any(
            not _same(_content(guard), guard.value) for guard in self._guards.values()
        )

    def contents_changed(self) -> bool:
        """Whether a container or an array does not hold what it held."""
        for container, items in self._containers.values():
            if not _same(_items(container), items):
                return True
        return any(
            array[places].tobytes() != content
            for array, places, content in self._arrays.values()
        )


def _unwritten(now: dict[Any, W], before: dict[Any, W] | None) -> dict[Any, W]:
    """The watches whose values were the same before, where that is known."""
    if before is None:
        return now
    return {
        key: watch
        for key, watch in now.items()
        if _same(before.get(key, watch)[-1], watch[-1])
    }


def _alike(one: dict[Any, W], other: dict[Any, W]) -> bool:
    """Whether two watches are of the same objects with the same values."""
    return one.keys() == other.keys() and all(
        _same(watch[-1], other[key][-1]) for key, watch in one.items()
    )


def _same(one: Any, other: Any) -> bool:
    """Whether these are one object, or equal numbers, texts or tuples of one type."""
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    return isinstance(one, _NUMBERS) and exact(one) == exact(other)


def _content(guard: Guard) -> Any:
    """What is now at the place of a guard."""
    if guard.key is not None:
        return guard.holder.get(guard.key, ABSENT)
    try:
        return guard.holder.cell_contents
    except ValueError:  # it is empty
        return ABSENT


def _dict_of(names: Mapping[str, Any]) -> dict[str, Any]:
    """The dict itself of the attributes of a class."""
    return names if isinstance(names, dict) else gc.get_referents(names)[0]


def _items(container: Any) -> tuple[Any, ...]:
    """How much a list, dict or set holds, and what; of a large one a sample."""
    kind: Any = next(one for one in _CONTAINERS if isinstance(container, one))
    size = kind.__len__(container)  # a subclass may show something else
    items = kind.__iter__(container)
    if isinstance(container, dict):
        items = (*items, *dict.values(container))
    if size > MAX_ITEMS and not debugging():
        items = tuple(items)[:: size // MAX_ITEMS]
    return (size, *items)


def _sampled(array: Array) -> tuple[Array, Any, bytes]:
    """An array, the places that are compared, and what is there."""
    places: Any = ...
    if array.nbytes > EXACT and not debugging():
        chosen = np.linspace(0, array.size - 1, SAMPLE).astype(np.intp)
        places = np.unravel_index(chosen, array.shape)
    return array, places, array[places].tobytes()


class _Search:
    """Everything that functions may read, by identity."""

    def __init__(
        self, functions: Iterable[Callable[..., Any]], live: Iterable[int]
    ) -> None:
        self.guards: dict[Any, Guard] = {}
        self.containers: dict[int, tuple[Any, tuple[Any, ...]]] = {}
        self.arrays: dict[int, tuple[Array, Any, bytes]] = {}
        self._seen = set(live)
        self._words: set[str] = set()  # attributes in the code of all functions
        self._objects: list[Any] = []
        self._inherited: dict[type, set[str]] = {}
        self.unseen = False  # whether there is what no watch tells of
        self._waiting = deque[Any](functions)
        while self._waiting:
            while self._waiting:
                self._meet(self._waiting.popleft())
            for value in self._objects:
                self._attributes(value)

    def _meet(self, value: Any) -> None:
        """Look at a value that is met for the first time."""
        if isinstance(value, _NUMBERS) or id(value) in self._seen:
            return
        self._seen.add(id(value))
        match value:
            case FunctionType():
                self._function(value)
            case MethodType():
                self._waiting += value.__func__, value.__self__
            case BuiltinFunctionType():
                self._waiting.append(value.__self__)  # of ``table.get``, or a module
            case partial():
                self._waiting += value.func, *value.args, *value.keywords.values()
            case property():
                self._waiting += value.fget, value.fset
            case staticmethod() | classmethod():
                self._waiting.append(value.__func__)
            case np.ndarray():
                self.arrays[id(value)] = _sampled(value)
                self.unseen |= value.nbytes > EXACT
                if value.dtype == object:
                    self._waiting += value.ravel().tolist()
            case ModuleType():
                if not is_installed(getattr(value, "__file__", None) or "<frozen>"):
                    self._objects.append(value)
            case _ if str(type(value).__module__).startswith("scipy.sparse"):
                self._waiting += vars(value).values()
            case _ if isinstance(value, _CONTAINERS):
                found = _items(value)
                if not isinstance(value, (tuple, frozenset)):
                    self.containers[id(value)] = value, found
                    self.unseen |= found[0] > MAX_ITEMS
                self._waiting += found
            case _ if getattr_static(value, "py_func", None) is not None:
                self._waiting.append(value.py_func)
            case _ if getattr_static(value, "traced_attributes", None) is not None:
                for name in value.traced_attributes:  # that a trace of ours reads
                    self._watch(value, vars(value), name)
            case type():
                if not is_installed(file_of(value)):
                    self._objects.append(value)
                    operators = OPERATORS & vars(value).keys()
                    self._waiting += [vars(value)[name] for name in operators]
                    self._waiting += value.__mro__
            case _ if hasattr(value, "__dict__"):
                self._objects.append(value)
                self._waiting += type(value).__mro__
                self.unseen |= not _shows_attributes(type(value))
            case _:
                self.unseen |= not isinstance(value, _FIXED)

    def _function(self, function: FunctionType) -> None:
        """What a function of the user's names, and what it closes over."""
        if is_installed(function.__code__.co_filename):
            return
        names = function.__globals__
        self.unseen |= bool(function.__dict__.keys() - {"__wrapped__"})
        for kind, word in _reads(function.__code__):
            self.unseen |= kind == "unseen" or word in _COMPUTED
            if kind == "unseen":
                continue
            if kind == "attribute":
                self._words.add(word)
            elif word in names:
                self._watch(names, names, word)
        for cell in function.__closure__ or ():
            value = _content(Guard(cell, None, ABSENT))
            self.guards[id(cell)] = Guard(cell, None, value)
            self._waiting.append(value)
        self._waiting += function.__defaults__ or ()
        self._waiting += (function.__kwdefaults__ or {}).values()

    def _attributes(self, value: Any) -> None:
        """The attributes of an object whose names are in the code of some function.

        That it lacks one which a class of it has is remembered, too.
        """
        names = vars(value)
        kind = value if isinstance(value, type) else type(value)
        inherited = self._inherited.get(kind)
        if inherited is None:
            inherited = self._inherited[kind] = _class_attributes(kind)
        for word in self._words & (names.keys() | inherited):
            self._watch(value, names, word)

    def _watch(self, owner: Any, names: Mapping[str, Any], name: str) -> None:
        key = id(owner), name
        if key not in self.guards and not name.startswith("__"):
            value = names.get(name, ABSENT)
            if value is np:  # which nobody binds to anything else
                return
            self.guards[key] = Guard(_dict_of(names), name, value)
            self._waiting.append(value)


def _shows_attributes(kind: type) -> bool:
    """Whether the attributes of a user's class are those in the dicts of objects."""
    if is_installed(file_of(kind)):
        return False
    computed = ("__getattr__", "__getattribute__", "__slots__")
    users = (one for one in kind.__mro__ if not is_installed(file_of(one)))
    return not any(name in vars(one) for one in users for name in computed)


def _class_attributes(kind: type) -> set[str]:
    """The names in the bodies of a class of the user and of its bases."""
    users = [one for one in kind.__mro__ if not is_installed(file_of(one))]
    return {name for one in users for name in vars(one)}


@lru_cache(maxsize=4096)
def _reads(code: CodeType) -> tuple[tuple[str, str], ...]:
    """The globals and attributes that a code reads, or that of a function inside it."""
    found: dict[tuple[str, str], None] = {}
    for instruction in dis.get_instructions(code):
        kind = _KINDS.get(instruction.opname)
        if kind is not None:
            found[kind, str(instruction.argval)] = None
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found |= dict.fromkeys(_reads(constant))
    return tuple(found)
