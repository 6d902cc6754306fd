"""What a block can change: variables, entries of containers, attributes.

A `Slot` is one such place. Variables are known from the source; what else a branch
stores is written down in its `Journal` when it happens, so that it can be undone.
"""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Callable, Sequence
from types import CellType, FunctionType, MemberDescriptorType, ModuleType
from typing import Any, cast

from ...ir.errors import SourceLine, TraceError
from ..tracing.ragged import Ragged
from ..tracing.tracer import Tracer
from .said import Said

__all__ = [
    "CONTAINERS",
    "UNBOUND",
    "Box",
    "ByBranch",
    "Content",
    "Entry",
    "Field",
    "Journal",
    "Slot",
    "check_entries",
    "check_there",
    "is_lost",
    "known",
    "slots_of",
]


CONTAINERS: tuple[type, ...] = (list, deque, dict, set)


class Unbound:
    """The value of a place that has none."""

    def __repr__(self) -> str:
        return "nothing"


UNBOUND = Unbound()


class Slot:
    """A place that has a value, or none. Each kind says what place it is: ``key``."""

    key: Any
    name: str

    def get(self) -> Any:
        """What is there, `UNBOUND` if nothing is."""
        raise NotImplementedError

    def put(self, value: Any) -> None:
        """Have a value there, or none."""
        raise NotImplementedError


class Box(Slot):
    """A variable of a function, or the result of an expression."""

    def __init__(self, cell: CellType, name: str) -> None:
        self.cell, self.name, self.key = cell, name, ("cell", id(cell))

    def get(self) -> Any:
        try:
            return self.cell.cell_contents
        except ValueError:
            return UNBOUND

    def put(self, value: Any) -> None:
        if value is not UNBOUND:
            self.cell.cell_contents = value
        elif self.get() is not UNBOUND:
            del self.cell.cell_contents


class Entry(Slot):
    """An entry of a dict or a list, or a global variable."""

    def __init__(self, container: Any, index: Any, name: str | None = None) -> None:
        self.container, self.index = container, index
        self.key = "entry", id(container), index
        self.name = name or f"[{index!r}]"

    def get(self) -> Any:
        try:
            return self.container[self.index]
        except (KeyError, IndexError):
            return UNBOUND

    def put(self, value: Any) -> None:
        if value is not UNBOUND:
            self.container[self.index] = value
        elif self.get() is not UNBOUND:
            del self.container[self.index]


class Field(Slot):
    """An attribute of an object."""

    def __init__(self, whose: Any, name: str) -> None:
        self.whose, self.name = whose, f".{name}"
        self.attribute = name
        self.key = "field", id(whose), name

    def get(self) -> Any:
        held: Any = getattr(self.whose, "__dict__", None)
        static = inspect.getattr_static(type(self.whose), self.attribute, None)
        if held is None or isinstance(static, MemberDescriptorType):
            return getattr(self.whose, self.attribute, UNBOUND)
        return held.get(self.attribute, UNBOUND)

    def put(self, value: Any) -> None:
        kinds = (type, ModuleType, object)
        plain: Any = next(kind for kind in kinds if isinstance(self.whose, kind))
        if value is not UNBOUND:
            plain.__setattr__(self.whose, self.attribute, value)
        elif self.get() is not UNBOUND:
            plain.__delattr__(self.whose, self.attribute)


class Content(Slot):
    """All that is in a list, a deque, a dict or a set."""

    def __init__(self, container: Any) -> None:
        self.container = container
        self.key = "content", id(container)
        self.name = f"a {type(container).__name__}"

    def get(self) -> Any:
        return self.container.copy()

    def put(self, value: Any) -> None:
        self.container.clear()
        if isinstance(self.container, (list, deque)):
            cast("list[Any]", self.container).extend(value)
        else:
            self.container.update(value)


class Journal:
    """The places beside variables that a branch changed, with what was there.

    ``said`` is what the branch would print, and ``own`` are the iterators and
    generators of random numbers that it made.
    """

    def __init__(self) -> None:
        self.before: dict[Any, tuple[Slot, Any]] = {}
        self.said: list[Said] = []
        self.own: list[Any] = []

    def note(self, slot: Slot) -> None:
        """Remember what is at a place before it changes."""
        if slot.key not in self.before:
            self.before[slot.key] = slot, slot.get()

    def undo(self) -> None:
        """Have everything as it was."""
        for slot, value in reversed(self.before.values()):
            slot.put(value)


_SHOWN = {"$value": "the result"}


def slots_of(block: Callable[..., Any], names: Sequence[str]) -> list[Slot]:
    """The variables that a block shares with the function that it stands in."""
    function = cast("FunctionType", block)
    cells = dict(
        zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    )
    return [
        Box(cells[name], _SHOWN.get(name, name))
        if name in cells
        else Entry(function.__globals__, name, name)
        for name in names
    ]


def is_lost(value: Any) -> bool:
    """Whether a value means nothing outside of the region that made it."""
    return isinstance(value, (ByBranch, Ragged))


class ByBranch:
    """The value of a place about which the branches of an ``if`` do not agree.

    It is an error only if it is used, and that says where the ``if`` stands. A place
    that is ``absent`` on one way is one too where somebody asks whether it is there.
    """

    def __init__(
        self, name: str, what: str, line: SourceLine | None, absent: bool = False
    ) -> None:
        self.__dict__.update(_name=name, _what=what, _line=line, absent=absent)

    def _fail(self, *args: Any, **kwargs: Any) -> Any:
        held = self.__dict__
        raise TraceError(
            f"{held['_name']} {held['_what']}\n  {held['_line']}",
            hint="give it a value of one kind on both ways",
        )

    def __repr__(self) -> str:
        return "<by branch>"

    def refuse(self) -> None:
        """Raise the error."""
        self._fail()

    __hash__ = _fail
    __getattr__ = __setattr__ = __call__ = __iter__ = __bool__ = __len__ = _fail
    __getitem__ = __setitem__ = __contains__ = __index__ = __float__ = __int__ = _fail
    __array__ = __array_ufunc__ = __array_function__ = _fail
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _fail
    __add__ = __sub__ = __mul__ = __truediv__ = __floordiv__ = __mod__ = _fail
    __pow__ = __matmul__ = __and__ = __or__ = __xor__ = __neg__ = __pos__ = _fail
    __radd__ = __rsub__ = __rmul__ = __rtruediv__ = __rfloordiv__ = __rmod__ = _fail
    __rpow__ = __rmatmul__ = __rand__ = __ror__ = __rxor__ = __abs__ = __invert__ = (
        _fail
    )


def known(value: Any) -> Any:
    """A value that is asked what it is, or returned: no `ByBranch`."""
    if isinstance(value, ByBranch):
        value.refuse()
    return value


def check_there(value: Any) -> None:
    """Refuse to tell whether a place is there that only one branch made."""
    if isinstance(value, ByBranch) and value.__dict__["absent"]:
        value.refuse()
    if type(value) is Tracer and value.bound is not None:
        _, message = value.bound
        raise TraceError(
            f"whether it is there is asked, and that only running tells: {message}",
            hint="store a value before",
        )


def check_entries(container: Any) -> None:
    """Refuse to tell which entries a dict has where that is by branch."""
    if isinstance(container, dict):
        for value in cast("dict[Any, Any]", container).values():
            check_there(value)
