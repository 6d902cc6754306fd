"""One step from Python: arguments taken apart, program run, result built in one call.

Doing this in Python costs more than a small gradient. A `Caller` keeps a *recipe* for
each signature that it was told of: which containers the arguments are, where in them
which arrays lie, what the result is built of. `Caller.call` finds the recipe of a call
in a hash table and follows it. Whatever has none, or fails on the way, gives
NotImplemented, and Python does it on the slow path.

A recipe may be discarded at any time, by another thread or by a finalizer in the middle
of a call: whoever follows one holds it. The table is never changed but replaced.

`caller_source` has the function, `caller_tables` what it goes by; `supported` checks
the layout of objects that it relies on.
"""

from __future__ import annotations

import ctypes
import importlib
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from types import CellType
from typing import Any

import numpy as np

from ....base import Array
from ....signature import Signature, Statics
from ...engine.engine import compile_kernel, exclusive, executor
from ..executable import LLVMExecutable
from .recipe import Recipe, Unfit
from .source import SOURCE
from .tables import API, CONSTANTS, COUNTS, SLACK, STATE

__all__ = ["Caller", "supported"]

PYTHON_API = {
    "INCREF": "Py_IncRef",
    "DECREF": "Py_DecRef",
    "RELEASE": "PyEval_SaveThread",
    "RESTORE": "PyEval_RestoreThread",
    "DICT_NEXT": "PyDict_Next",
    "DICT_GET": "PyDict_GetItemWithError",
    "LONG_VALUE": "PyLong_AsLongLongAndOverflow",
    "HASH": "PyObject_Hash",
    "EQUAL": "PyObject_RichCompareBool",
    "TYPE_FLAGS": "PyType_GetFlags",
    "TUPLE_NEW": "PyTuple_New",
    "LIST_NEW": "PyList_New",
    "DICT_NEW": "PyDict_New",
    "DICT_SET": "PyDict_SetItem",
    "ALLOC": "PyType_GenericAlloc",
}
# PyArray_NewFromDescr, PyArray_Scalar, PyArray_SetBaseObject
NUMPY_API = {"ARRAY_NEW": 94, "SCALAR_NEW": 60, "SET_BASE": 282}
OBJECTS = {
    "NOT_IMPLEMENTED": NotImplemented,
    "NDARRAY": np.ndarray,
    "BYTES": np.dtype(np.uint8),
    "TRUE": True,
    "NONE": None,
    "NONE_TYPE": type(None),
    "BOOL": bool,
    "INT": int,
    "FLOAT": float,
    "STR": str,
    "TUPLE": tuple,
    "LIST": list,
    "DICT": dict,
}
_TYPES = (float, int, bool, type(None), *dict.fromkeys(np.sctypeDict.values()))
# The types whose values tell nothing, and how many they are: other objects are static.
NUMBERS = np.array([len(_TYPES), *map(id, _TYPES)], np.int64)


class Index:
    """The hash table of some recipes, and room for the calls that look into it."""

    def __init__(self, recipes: Sequence[Recipe]) -> None:
        self.recipes = recipes
        capacity = 1 << (2 * len(recipes)).bit_length()
        room = max((recipe.slots for recipe in recipes), default=2)
        words = max((len(recipe.words) for recipe in recipes), default=0)
        self._rooms = [np.zeros(n + SLACK, np.int64) for n in (room, room, words)]
        rooms = [array.ctypes.data for array in self._rooms]
        head = [capacity - 1, 0, room, words, *rooms]
        self._words = np.array([*head, *(0,) * (2 * capacity)], np.int64)
        self.address = self._words.ctypes.data
        table = self._words[STATE.index("TABLE") :].reshape(capacity, 2)
        for recipe in recipes:
            place = recipe.hash >> 32 & capacity - 1
            while table[place, 1]:
                place = place + 1 & capacity - 1
            table[place] = recipe.hash, recipe.fields.ctypes.data


class Caller:
    """The recipes of one compiled function.

    ``call`` is the builtin function: it takes the pair ``(args, kwargs)`` and returns
    the result, or NotImplemented. It keeps all that it points to alive.
    """

    def __init__(self, statics: Statics) -> None:
        positions = [statics.positions(count) for count in range(COUNTS)]
        masks = np.array([sum(1 << i for i in found) for found in positions], np.int64)
        names = np.array([len(statics.names), *map(id, statics.names)], np.int64)
        self._table = _api().copy()
        self._table[API.index("POSITIONS")] = masks.ctypes.data
        self._table[API.index("NAMES")] = names.ctypes.data
        self._recipes: dict[Recipe, None] = {}
        self._kept: list[Any] = [None, masks, names, statics]  # the index in front
        self._publish()
        self.call: Callable[[Any], Any] = _builtin(self._table, self._kept)

    def add(self, executable: LLVMExecutable, signature: Signature) -> Recipe | None:
        """Make a recipe for calls like this one, if they are of a form that has one."""
        if not supported():
            return None
        try:
            recipe = Recipe(executable, signature)
        except Unfit:
            return None
        if any(recipe.is_like(other) for other in list(self._recipes)):
            return None
        self._recipes[recipe] = None
        self._publish()
        return recipe

    def discard(self, recipes: Iterable[Recipe]) -> None:
        """Forget recipes, some of which may be forgotten already."""
        for recipe in recipes:
            self._recipes.pop(recipe, None)
        self._publish()

    def _publish(self) -> None:
        """Have calls look into a table of what recipes there are.

        A finalizer may do the same in between; then this is done once more.
        """
        with exclusive():
            while True:
                index = Index(list(self._recipes))
                before, self._kept[0] = self._kept[0], index
                self._table[0] = index.address
                del before  # only now may nobody look into it
                current = self._kept[0] is index, self._table[0] == index.address
                if all(current) and index.recipes == list(self._recipes):
                    return


@cache
def supported() -> bool:
    """Whether this Python and NumPy lay out their objects as the source expects."""
    if sys.implementation.name != "cpython" or ctypes.sizeof(ctypes.c_void_p) != 8:
        return False
    if sys.byteorder != "little" or CONSTANTS["HEADER"] != 2:
        return False
    array, number, pair = np.zeros((2, 3), np.float32), 2.5, (None, True)
    known, items, text = {1: 2, 3: 4, 5: 6}, [None, True], "text"
    cell = CellType(number)
    words = (ctypes.c_int64 * 9).from_address(id(array))
    halves = (ctypes.c_int32 * 18).from_address(id(array))
    shape = (ctypes.c_int64 * 2).from_address(words[4])
    item = ctypes.c_int64.from_address(id(pair) + tuple.__basicsize__)
    fields = (ctypes.c_int64 * 4).from_address(id(items))
    return (
        (words[1], words[2]) == (id(np.ndarray), array.ctypes.data)
        and (words[7], halves[6], *shape) == (id(array.dtype), 2, 2, 3)
        and halves[16] & CONSTANTS["WRITABLE"] == CONSTANTS["WRITABLE"]
        and ctypes.c_double.from_address(id(number) + 16).value == number
        and item.value == id(None)
        and ctypes.c_int64.from_address(id(cell) + 16).value == id(number)
        and ctypes.c_int64.from_address(id(known) + 16).value == len(known)
        and ctypes.c_int64.from_address(id(text) + 24).value == hash(text)
        and fields[2] == len(items)
        and ctypes.c_int64.from_address(fields[3]).value == id(None)
    )


@cache
def _api() -> Array:
    """The words `API`: addresses of functions and objects."""
    capsule: Any = vars(importlib.import_module("numpy._core._multiarray_umath"))
    get: Any = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    table = (ctypes.c_void_p * 300).from_address(get(capsule["_ARRAY_API"], None))
    execute: Any = executor()
    run = ctypes.cast(execute, ctypes.c_void_p).value
    found: dict[str, int | None] = dict.fromkeys(("INDEX", "POSITIONS", "NAMES"), 0)
    found |= {"RUN": run, "MOVE": ctypes.cast(ctypes.memmove, ctypes.c_void_p).value}
    for name, symbol in PYTHON_API.items():
        found[name] = ctypes.cast(ctypes.pythonapi[symbol], ctypes.c_void_p).value
    found |= {name: table[place] for name, place in NUMPY_API.items()}
    found |= {name: id(value) for name, value in OBJECTS.items()}
    found["NUMBERS"] = NUMBERS.ctypes.data
    return np.array([found[name] for name in API], np.int64)


class MethodDef(ctypes.Structure):
    """CPython's PyMethodDef."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("method", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


def _builtin(table: Array, kept: list[Any]) -> Callable[[Any], Any]:
    """A builtin function with ``table`` for its self; it holds ``kept``."""
    lines = [f"{name} = {number}" for name, number in CONSTANTS.items()]
    address = compile_kernel("\n".join([*lines, SOURCE]))
    one_argument = 0x0008  # METH_O
    definition = MethodDef(b"call", address, one_argument, None)
    kept.append(definition)
    make = ctypes.PYFUNCTYPE(
        ctypes.py_object, ctypes.c_void_p, ctypes.py_object, ctypes.py_object
    )(("PyCFunction_NewEx", ctypes.pythonapi))
    return make(ctypes.addressof(definition), table, kept)
