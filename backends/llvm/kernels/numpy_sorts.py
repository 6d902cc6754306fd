"""NumPy's sorts of rows, called at their addresses.

NumPy has for each dtype a C function

    int sort(void *start, intptr count, void *array)

that sorts in place, with the vectors of the processor where it has code for them. It
stands in the public record of a dtype (`PyArray_ArrFuncs`), to which NumPy's API has
a function. NumPy calls it without the GIL, and numbers need no ``array``.
"""

from __future__ import annotations

import ctypes
import importlib
from functools import cache
from typing import Any

import numpy as np

from ....ir.types import DTYPES

__all__ = ["SORTS", "sort_address"]

_GET_FUNCTIONS = 365  # the place of _PyDataType_GetArrFuncs in the API
SORTS = 33  # that of the first of three sorts in PyArray_ArrFuncs
_QUICK, _STABLE = 0, 2

_SORT_TYPE = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.c_ssize_t, ctypes.c_void_p
)
_CALLS: list[Any] = []  # what ctypes calls must stay


@cache
def sort_address(dtype: str) -> int:
    """The function that sorts a row of a dtype.

    The stable sort of 8 and 16 bits is by their digits, and faster than the others.
    Where NumPy has none of them, it is a function that calls NumPy.
    """
    kind = _STABLE if DTYPES[dtype].itemsize <= 2 else _QUICK
    return _functions(DTYPES[dtype])[SORTS + kind] or _call_address(DTYPES[dtype])


def _functions(dtype: np.dtype[Any]) -> Any:
    """The addresses of `PyArray_ArrFuncs`."""
    module: Any = vars(importlib.import_module("numpy._core._multiarray_umath"))
    pointer: Any = ctypes.PYFUNCTYPE(
        ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p
    )(("PyCapsule_GetPointer", ctypes.pythonapi))
    api = (ctypes.c_void_p * (_GET_FUNCTIONS + 1)).from_address(
        pointer(module["_ARRAY_API"], None)
    )
    get = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object)(api[_GET_FUNCTIONS] or 0)
    return (ctypes.c_void_p * (SORTS + 3)).from_address(get(dtype))


def _call_address(dtype: np.dtype[Any]) -> int:
    """The address of a function that calls NumPy's sort."""

    def sort(start: int, count: int, array: Any) -> int:
        memory: Any = (ctypes.c_char * (count * dtype.itemsize)).from_address(start)
        np.ndarray((count,), dtype, memory).sort()
        return 0

    call = _SORT_TYPE(sort)
    _CALLS.append(call)
    return ctypes.cast(call, ctypes.c_void_p).value or 0
