"""The method of a class that goes an object's fast path without a Python frame.

A Python method in front of the fast path costs four times what the path does. This one
is a builtin, made in place of it: it looks at two slots of the object, and calls the
Python method where the fast path cannot be gone, or gives NotImplemented. `Caller.call`
takes a pair, of which it reads the items: here these lie on the stack, in their places.
The fast path may also be that of an object to which the first argument leads.
"""

from __future__ import annotations

import ctypes
import inspect
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

from ...engine.thunk import Thunk
from .caller import MethodDef, supported
from .tables import CONSTANTS

__all__ = ["put_in_front", "put_in_front_of"]

TEXT = """
define ptr @thunk(ptr %self, ptr %args, ptr %named) {{
entry:
  %pair = alloca [{words} x ptr]
  %value = alloca ptr
{find}
kind:
  %type.place = getelementptr ptr, ptr %fast, i64 {header_type}
  %type = load ptr, ptr %type.place
  %builtin = icmp eq ptr %type, inttoptr (i64 {builtin} to ptr)
  br i1 %builtin, label %ask, label %slow
ask:
  %get = inttoptr i64 {PyContextVar_Get} to ptr
  %status = call i32 %get(ptr inttoptr (i64 {off} to ptr), ptr null, ptr %value)
  %found = icmp eq i32 %status, 0
  br i1 %found, label %told, label %end
told:
  %flag = load ptr, ptr %value
  %release = inttoptr i64 {Py_DecRef} to ptr
  call void %release(ptr %flag)
  %compiled = icmp eq ptr %flag, inttoptr (i64 {false} to ptr)
  br i1 %compiled, label %try, label %slow
try:
  %first = getelementptr ptr, ptr %pair, i64 {items}
  store ptr %one, ptr %first
  %second = getelementptr ptr, ptr %first, i64 1
  store ptr %other, ptr %second
  %definition.place = getelementptr ptr, ptr %fast, i64 {header}
  %definition = load ptr, ptr %definition.place
  %table.place = getelementptr ptr, ptr %definition.place, i64 1
  %table = load ptr, ptr %table.place
  %code.place = getelementptr ptr, ptr %definition, i64 1
  %code = load ptr, ptr %code.place
  %hold = inttoptr i64 {Py_IncRef} to ptr
  call void %hold(ptr %fast)
  %result = call ptr %code(ptr %table, ptr %pair)
  call void %release(ptr %fast)
  %refused = icmp eq ptr %result, inttoptr (i64 {not_implemented} to ptr)
  br i1 %refused, label %back, label %done
done:
  ret ptr %result
back:
  call void %release(ptr %result)
  br label %slow
slow:
  %pack = inttoptr i64 {PyTuple_Pack} to ptr
  %alone = call ptr (i64, ...) %pack(i64 1, ptr %self)
  %concat = inttoptr i64 {PySequence_Concat} to ptr
  %all = call ptr %concat(ptr %alone, ptr %args)
  %drop = inttoptr i64 {Py_DecRef} to ptr
  call void %drop(ptr %alone)
  %failed = icmp eq ptr %all, null
  br i1 %failed, label %end, label %python
python:
  %call = inttoptr i64 {PyObject_Call} to ptr
  %slowly = call ptr %call(ptr inttoptr (i64 {method} to ptr), ptr %all, ptr %named)
  call void %drop(ptr %all)
  ret ptr %slowly
end:
  ret ptr null
}}
"""
OF_SELF = """
  %watched.place = getelementptr i8, ptr %self, i64 {watched}
  %watched = load ptr, ptr %watched.place
  %unmade = icmp eq ptr %watched, null
  br i1 %unmade, label %slow, label %count
count:
  %count.place = getelementptr ptr, ptr %watched, i64 {header}
  %length = load i64, ptr %count.place
  %none = icmp eq i64 %length, 0
  br i1 %none, label %look, label %slow
look:
  %unnamed = icmp eq ptr %named, null
  %other = select i1 %unnamed, ptr inttoptr (i64 {empty} to ptr), ptr %named
  %one = getelementptr i8, ptr %args, i64 0
  %fast.place = getelementptr i8, ptr %self, i64 {fast}
  %fast = load ptr, ptr %fast.place
  %lost = icmp eq ptr %fast, null
  br i1 %lost, label %slow, label %kind
"""
OF_FIRST = """
  %unnamed = icmp eq ptr %named, null
  br i1 %unnamed, label %count, label %slow
count:
  %count.place = getelementptr ptr, ptr %args, i64 {header}
  %length = load i64, ptr %count.place
  %two = icmp eq i64 %length, 2
  br i1 %two, label %take, label %slow
take:
  %given.place = getelementptr ptr, ptr %args, i64 {items}
  %given = load ptr, ptr %given.place
  %other.place = getelementptr ptr, ptr %given.place, i64 1
  %other = load ptr, ptr %other.place
  %given.type.place = getelementptr ptr, ptr %given, i64 {header_type}
  %given.type = load ptr, ptr %given.type.place
  %fits = icmp eq ptr %given.type, inttoptr (i64 {kind} to ptr)
  br i1 %fits, label %open, label %slow
open:
  %one.place = getelementptr i8, ptr %given, i64 {held}
  %one = load ptr, ptr %one.place
  %owner.place = getelementptr i8, ptr %given, i64 {owner}
  %owner = load ptr, ptr %owner.place
  %hollow = icmp eq ptr %one, null
  %unowned = icmp eq ptr %owner, null
  %unmade = or i1 %hollow, %unowned
  br i1 %unmade, label %slow, label %look
look:
  %owner.type.place = getelementptr ptr, ptr %owner, i64 {header_type}
  %owner.type = load ptr, ptr %owner.type.place
  %owned = icmp eq ptr %owner.type, inttoptr (i64 {owner_kind} to ptr)
  br i1 %owned, label %reach, label %slow
reach:
  %fast.place = getelementptr i8, ptr %owner, i64 {fast}
  %fast = load ptr, ptr %fast.place
  %lost = icmp eq ptr %fast, null
  br i1 %lost, label %slow, label %kind
"""
SYMBOLS = (
    *("Py_IncRef", "Py_DecRef", "PyContextVar_Get"),
    *("PyTuple_Pack", "PySequence_Concat", "PyObject_Call"),
)
_kept: list[Any] = []  # a class lives as long as the process may call it


def put_in_front(kind: Any, fast: str, watched: str, off: ContextVar[Any]) -> None:
    """Have a class go the fast paths of its objects before its method ``__call__``.

    ``fast`` and ``watched`` are slots of the class: the first has what `Caller.call`
    is, or any other function while there is none; the second a tuple, and as long as it
    has items, or ``off`` is not False, the method is called.
    """
    empty: dict[str, Any] = {}
    slots = {"fast": _offset(kind, fast), "watched": _offset(kind, watched)}
    _put(kind, OF_SELF, slots, {"empty": empty}, off)


def put_in_front_of(
    kind: Any,
    given: tuple[type, str, str],
    owner: tuple[type, str],
    off: ContextVar[Any],
) -> None:
    """Have a class go the fast path that its first argument leads to.

    That is an object of the class ``given``, whose slots have what goes in its place
    and the ``owner``; a slot of that has what `Caller.call` is. The method ``__call__``
    gets all else, and all as long as ``off`` is not False.
    """
    given_kind, held, owned_by = given
    owner_kind, fast = owner
    slots = {
        "held": _offset(given_kind, held),
        "owner": _offset(given_kind, owned_by),
        "fast": _offset(owner_kind, fast),
    }
    _put(kind, OF_FIRST, slots, {"kind": given_kind, "owner_kind": owner_kind}, off)


def _put(
    kind: Any,
    find: str,
    slots: Mapping[str, int],
    known: Mapping[str, Any],
    off: ContextVar[Any],
) -> None:
    """Make the builtin that finds a fast path so, of these slots and objects."""
    if not supported():
        return
    addresses = {
        name: ctypes.cast(ctypes.pythonapi[name], ctypes.c_void_p).value
        for name in SYMBOLS
    }
    objects = {
        "builtin": type(len),
        "off": off,
        "false": False,
        "not_implemented": NotImplemented,
        "method": kind.__call__,
        **known,
    }
    numbers = {
        **{name: id(value) for name, value in objects.items()},
        **slots,
        "header": CONSTANTS["HEADER"],
        "header_type": CONSTANTS["HEADER"] - 1,
        "items": CONSTANTS["ITEMS"],
        "words": CONSTANTS["ITEMS"] + 2,
    }
    text = TEXT.format(**addresses, **numbers, find=find.format(**numbers))
    thunk = Thunk(text)
    both_kinds = 0x0001 | 0x0002  # METH_VARARGS | METH_KEYWORDS
    shown = f"__call__{_signature(kind.__call__)}\n--\n\n".encode()
    definition = MethodDef(b"__call__", thunk.address, both_kinds, shown)
    _kept.append((thunk, definition, objects))
    make = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object, ctypes.c_void_p)(
        ("PyDescr_NewMethod", ctypes.pythonapi)
    )
    kind.__call__ = make(kind, ctypes.addressof(definition))


def _signature(method: Any) -> str:
    """The parameters of a method as `inspect` reads them off a builtin."""
    _, *rest = inspect.signature(method).parameters.values()
    bare = [str(one.replace(annotation=one.empty)) for one in rest]
    return f"({', '.join(['$self', '/', *bare])})"


def _offset(kind: type, slot: str) -> int:
    """Where a slot lies in the objects of a class, in bytes."""
    sample, mark = object.__new__(kind), object()
    setattr(sample, slot, mark)
    words = (ctypes.c_int64 * (kind.__basicsize__ // 8)).from_address(id(sample))
    return 8 * list(words).index(id(mark))
