"""Matrix products by BLAS, as kernels: C = op(A) op(B), or C += op(A) op(B).

Everything is row-major: an operand is rows of contiguous elements, `ld` elements apart.
op(A) is m by k and op(B) k by n; a transposed operand lies in memory as its transpose.
BLAS is column-major and takes row-major memory for the transpose. It is therefore asked
for C' = op(B)' op(A)': operands swapped, m and n swapped, the flags as they are.

The words are those of `products`, but for

    9, 10       "N" or "T" for A, B: does the operand lie there transposed?
    11, 12, 13  leading dimensions of A, B, C

and three more:

    23, 24      the bits of 1.0 and 0.0 in C's dtype, for alpha and beta
    25          the address of the BLAS routine

A Fortran integer is 32 or 64 bits and a character 8. The machine is little-endian, so
the address of a 64-bit word is the address of its low 32 or 8 bits, and words are
passed to BLAS in place.

What an overwritten C held before does not leak, were it NaN.
"""

from __future__ import annotations

import ctypes
import importlib
import struct
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from typing import Any, NamedTuple

__all__ = ["Layout", "gemm_source", "gemm_words", "layout_of", "routine_address"]

ROUTINES = {"f32": "sgemm", "f64": "dgemm"}
# As NumPy's wheels, and as other builds of OpenBLAS and MKL call them.
NUMPY_SYMBOLS = ("scipy_{}_64_", "scipy_{}_", "{}_64_", "{}_")
ONES = {"f32": struct.pack("<f", 1.0), "f64": struct.pack("<d", 1.0)}

_SOURCE = """
def kernel(buffers, words):
    a = buffers[words[0]] + words[3]
    b = buffers[words[1]] + words[4]
    c = buffers[words[2]] + words[5]
    sums = words[17] == 0 and words[22] == 0
    for outer in range(words[19]):
        for inner in range(words[14]):
            a_step = outer * words[20] + inner * words[15]
            b_step = outer * words[21] + inner * words[16]
            c_step = outer * words[22] + inner * words[17]
            adds = words[18] != 0 or (sums and outer + inner > 0)
            a_now = a + a_step * {size}
            b_now = b + b_step * {size}
            gemm(words, a_now, b_now, c + c_step * {size}, 23 if adds else 24)
    return 0
"""


class Layout(NamedTuple):
    """How BLAS reads a matrix: "N" or "T" as a number, and the leading dimension."""

    flag: int
    leading: int


def layout_of(sizes: Sequence[int], strides: Sequence[int]) -> Layout | None:
    """The layout of a matrix of these strides, None if BLAS has none for it.

    >>> layout_of((3, 5), (7, 1)), layout_of((3, 5), (1, 3)), layout_of((3, 5), (7, 2))
    (Layout(flag=78, leading=7), Layout(flag=84, leading=3), None)
    """
    for flag, (rows, columns), (down, across) in (
        ("N", sizes, strides),
        ("T", sizes[::-1], strides[::-1]),
    ):
        leading = down if rows > 1 else columns
        if (across == 1 or columns == 1) and columns <= leading < 2**31:
            return Layout(ord(flag), leading)
    return None


def gemm_source(dtype: str) -> str:
    """The source of the kernel for "f32" or "f64"."""
    return _SOURCE.lstrip().format(size=len(ONES[dtype]))


def gemm_words(dtype: str) -> tuple[int, int, int]:
    """The words behind those that all products share."""
    return int.from_bytes(ONES[dtype], "little"), 0, routine_address(dtype)


@cache
def routine_address(dtype: str) -> int:
    """The address of a gemm for a dtype: of NumPy's BLAS, where that can be found.

    Its library is loaded already. Importing SciPy's, the other choice, takes 0.3 s.
    """
    numpy = importlib.import_module("numpy._core._multiarray_umath")
    library = ctypes.CDLL(vars(numpy)["__file__"])  # and what it is linked to
    for form in NUMPY_SYMBOLS:
        with suppress(AttributeError):
            found = library[form.format(ROUTINES[dtype])]
            return ctypes.cast(found, ctypes.c_void_p).value or 0
    module = importlib.import_module("scipy.linalg.cython_blas")
    capsule: Any = vars(module)["__pyx_capi__"][ROUTINES[dtype]]
    api = ctypes.pythonapi
    name_of = ctypes.PYFUNCTYPE(ctypes.c_char_p, ctypes.py_object)(
        ("PyCapsule_GetName", api)
    )
    pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
        ("PyCapsule_GetPointer", api)
    )
    return int(pointer(capsule, name_of(capsule)))
