"""Routines of BLAS and LAPACK by address: NumPy's, where they can be found.

NumPy's library is loaded already. Importing SciPy's, the other choice, takes 0.3 s. An
address belongs to a process, so it stands among the words of a step, never in code.

A Fortran integer is 32 or 64 bits and a character 8. The machine is little-endian, so
the address of a 64-bit word is the address of its low 32 or 8 bits, and words are
passed in place. What a routine writes into arrays of integers is as wide as they are.
"""

from __future__ import annotations

import ctypes
import importlib
import struct
from contextlib import suppress
from functools import cache
from typing import Any, NamedTuple

from .source import read

__all__ = ["LETTERS", "MINUS_ONES", "ONES", "Routine", "passing", "routine"]

LETTERS = {"f32": "s", "f64": "d", "c64": "c", "c128": "z"}
ONES = {
    "f32": struct.pack("<f", 1.0),
    "f64": struct.pack("<d", 1.0),
    "c64": struct.pack("<ff", 1.0, 0.0),
    "c128": struct.pack("<d", 1.0),  # its first word; the second is 0
}
MINUS_ONES = {"f32": struct.pack("<f", -1.0), "f64": struct.pack("<d", -1.0)}
# As NumPy's wheels, and as other builds of OpenBLAS and MKL call them.
NUMPY_SYMBOLS = ("scipy_{}_64_", "scipy_{}_", "{}_64_", "{}_")
SCIPY_MODULES = ("scipy.linalg.cython_blas", "scipy.linalg.cython_lapack")


class Routine(NamedTuple):
    """A routine: where it is, and how many bits its integers have."""

    address: int
    bits: int


@cache
def routine(name: str, dtype: str) -> Routine:
    """The routine of a name without its first letter, ``"gemm"``, for a dtype."""
    symbol = LETTERS[dtype] + name
    numpy = importlib.import_module("numpy._core._multiarray_umath")
    library = ctypes.CDLL(vars(numpy)["__file__"])  # and what it is linked to
    for form in NUMPY_SYMBOLS:
        with suppress(AttributeError):
            found = ctypes.cast(library[form.format(symbol)], ctypes.c_void_p)
            return Routine(found.value or 0, 64 if "64" in form else 32)
    return Routine(_of_scipy(symbol), 32)


def _of_scipy(symbol: str) -> int:
    """The address that SciPy gives to Cython."""
    [capsule] = [
        capi[symbol]
        for module in SCIPY_MODULES
        if symbol in (capi := vars(importlib.import_module(module))["__pyx_capi__"])
    ]
    api: Any = ctypes.pythonapi
    name_of = ctypes.PYFUNCTYPE(ctypes.c_char_p, ctypes.py_object)(
        ("PyCapsule_GetName", api)
    )
    pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
        ("PyCapsule_GetPointer", api)
    )
    return int(pointer(capsule, name_of(capsule)))


def passing(numbers: type[Any], *memory: str) -> dict[str, str]:
    """What `read` gives, and the address of each number as ``at_name``."""
    first = 2 * len(memory)
    return read(numbers, *memory) | {
        f"at_{name}": f"address(words) + {8 * place}"
        for place, name in enumerate(numbers._fields, first)
    }
