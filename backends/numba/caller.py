"""One step from Python: arguments taken apart, program run, result built in one call.

Doing this in Python costs more than a small gradient. A `Caller` keeps a *recipe* for
each kind of call that it was told of: which containers the arguments are, where in them
which arrays lie, what the result is built of. `Caller.call` goes through the recipes
and follows the first that fits. Whatever fits none, or fails on the way, gives
NotImplemented, and Python does it at leisure.

`caller_source` has the function; `supported` checks the layout of objects that it
relies on.
"""

from __future__ import annotations

import ctypes
import importlib
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from ..base import Array, Signature
from .caller_source import API, CONSTANTS, FIELDS, SOURCE
from .engine import compile_kernel, exclusive, executor
from .executable import NumbaExecutable
from .recipe import Recipe, Unfit

__all__ = ["Caller", "supported"]

PYTHON_API = {
    "INCREF": "Py_IncRef",
    "DECREF": "Py_DecRef",
    "RELEASE": "PyEval_SaveThread",
    "RESTORE": "PyEval_RestoreThread",
    "DICT_NEXT": "PyDict_Next",
    "LONG_VALUE": "PyLong_AsLongLongAndOverflow",
    "TUPLE_NEW": "PyTuple_New",
    "LIST_NEW": "PyList_New",
    "DICT_NEW": "PyDict_New",
    "DICT_SET": "PyDict_SetItem",
    "ALLOC": "PyType_GenericAlloc",
}
NUMPY_API = {"ARRAY_NEW": 94, "SCALAR_NEW": 60}  # PyArray_NewFromDescr, PyArray_Scalar
OBJECTS = {
    "NOT_IMPLEMENTED": NotImplemented,
    "NDARRAY": np.ndarray,
    "PLAIN_TUPLE": tuple,
    "NONE": None,
}


class Caller:
    """The recipes of one compiled function.

    ``call`` is the builtin function: it takes the pair ``(args, kwargs)`` and returns
    the result, or NotImplemented. It keeps all that it points to alive.
    """

    def __init__(self) -> None:
        self._table = _api().copy()
        self._kept: list[Any] = []
        self.call: Callable[[Any], Any] = _builtin(self._table, self._kept)

    def add(self, executable: NumbaExecutable, signature: Signature) -> None:
        """Make a recipe for calls like this one, if they are of a form that has one."""
        if not supported():
            return
        try:
            recipe = Recipe(executable, signature)
        except Unfit:
            return
        with exclusive():
            recipe.fields[FIELDS.index("NEXT")] = self._table[0]
            self._kept.append(recipe)
            self._table[0] = recipe.fields.ctypes.data


@cache
def supported() -> bool:
    """Whether this Python and NumPy lay out their objects as the source expects."""
    if sys.implementation.name != "cpython" or ctypes.sizeof(ctypes.c_void_p) != 8:
        return False
    if sys.byteorder != "little" or CONSTANTS["HEADER"] != 2:
        return False
    array, number, pair = np.zeros((2, 3), np.float32), 2.5, (None, True)
    words = (ctypes.c_int64 * 9).from_address(id(array))
    halves = (ctypes.c_int32 * 18).from_address(id(array))
    shape = (ctypes.c_int64 * 2).from_address(words[4])
    item = ctypes.c_int64.from_address(id(pair) + tuple.__basicsize__)
    return (
        (words[1], words[2]) == (id(np.ndarray), array.ctypes.data)
        and (words[7], halves[6], *shape) == (id(array.dtype), 2, 2, 3)
        and halves[16] & CONSTANTS["WRITABLE"] == CONSTANTS["WRITABLE"]
        and ctypes.c_double.from_address(id(number) + 16).value == number
        and item.value == id(None)
    )


@cache
def _api() -> Array:
    """The words `API`: addresses of functions and objects."""
    capsule: Any = vars(importlib.import_module("numpy._core._multiarray_umath"))
    get: Any = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    table = (ctypes.c_void_p * 100).from_address(get(capsule["_ARRAY_API"], None))
    execute: Any = executor()
    run = ctypes.cast(execute, ctypes.c_void_p).value
    found: dict[str, int | None] = {"HEAD": 0, "RUN": run}
    for name, symbol in PYTHON_API.items():
        found[name] = ctypes.cast(ctypes.pythonapi[symbol], ctypes.c_void_p).value
    found |= {name: table[place] for name, place in NUMPY_API.items()}
    found |= {name: id(value) for name, value in OBJECTS.items()}
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
