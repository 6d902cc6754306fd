"""Matrix products by SciPy's BLAS, as kernels: C = op(A) op(B), or C += op(A) op(B).

Everything is row-major: an operand is rows of contiguous elements, `ld` elements apart.
op(A) is m by k and op(B) k by n; a transposed operand lies in memory as its transpose.
BLAS is column-major and takes row-major memory for the transpose. It is therefore asked
for C' = op(B)' op(A)': operands swapped, m and n swapped, the flags as they are.

The words (strides and `ld` count elements):

    0, 1, 2     buffer ids of A, B, C
    3, 4, 5     byte offsets of A, B, C
    6, 7, 8     m, n, k
    9, 10       "N" or "T" for A, B: does the operand lie there transposed?
    11, 12, 13  leading dimensions of A, B, C
    14          batch: how many products
    15, 16, 17  from one product's A, B, C to the next one's; for A and B, 0 shares the
                operand; for C, 0 adds all the products up in the one C
    18          1 to add to what C holds, 0 to overwrite it
    19, 20      the bits of 1.0 and 0.0 in C's dtype, for alpha and beta
    21          the address of the BLAS routine

A Fortran integer is 32 bits and a character 8. The machine is little-endian, so the
address of a 64-bit word is the address of its low 32 or 8 bits, and words are passed to
BLAS in place. (The same holds for a BLAS with 64-bit integers.)

What an overwritten C held before does not leak, were it NaN. An empty sum (k == 0, or
a batch of none into one C) is zero. BLAS never sees an `ld` of 0. C may not overlap A
or B.
"""

from __future__ import annotations

import ctypes
import importlib
import struct
from functools import cache
from typing import Any

__all__ = ["gemm_source", "gemm_words", "routine_address"]

ROUTINES = {"f32": "sgemm", "f64": "dgemm"}
ONES = {"f32": struct.pack("<f", 1.0), "f64": struct.pack("<d", 1.0)}

_SOURCE = """
def kernel(buffers, words):
    if words[6] == 0 or words[7] == 0:
        return 0
    a = buffers[words[0]] + words[3]
    b = buffers[words[1]] + words[4]
    c = buffers[words[2]] + words[5]
    batch = words[14]
    k = 8
    if batch == 0 and words[17] == 0:
        batch = 1
        k = 20
    for product in range(batch):
        adds = words[18] != 0 or (words[17] == 0 and product > 0)
        gemm(words, a, b, c, k, 19 if adds else 20)
        a += words[15] * {size}
        b += words[16] * {size}
        c += words[17] * {size}
    return 0
"""


def gemm_source(dtype: str) -> str:
    """The source of the kernel for "f32" or "f64"; an empty sum takes word 20 for k."""
    return _SOURCE.lstrip().format(size=len(ONES[dtype]))


@cache
def routine_address(dtype: str) -> int:
    """The address of SciPy's gemm for a dtype; the first call imports SciPy's BLAS."""
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


def gemm_words(
    dtype: str,
    *,
    buffers: tuple[int, int, int],
    offsets: tuple[int, int, int] = (0, 0, 0),
    sizes: tuple[int, int, int],
    transposed: tuple[bool, bool] = (False, False),
    leading: tuple[int, int, int] | None = None,
    batch: int = 1,
    strides: tuple[int, int, int] = (0, 0, 0),
    accumulate: bool = False,
) -> tuple[int, ...]:
    """The words of one step; triples are in the order A, B, C, sizes are (m, n, k).

    Without `leading`, rows lie side by side.

    >>> gemm_words("f64", buffers=(0, 1, 2), sizes=(2, 3, 5))[6:14]
    (2, 3, 5, 78, 78, 5, 3, 3)
    """
    m, n, k = sizes
    a_transposed, b_transposed = transposed
    rows = (m if a_transposed else k, k if b_transposed else n, n)
    leading = leading or rows
    if min(sizes) < 0 or batch < 0:
        raise ValueError(f"gemm: negative size in m, n, k = {sizes}, batch = {batch}")
    if any(ld < row for ld, row in zip(leading, rows, strict=True)):
        raise ValueError(f"gemm: leading dimensions {leading} < row lengths {rows}")
    if max(*sizes, *leading) >= 2**31:
        raise ValueError(f"gemm: BLAS sizes are below 2**31: {sizes}, {leading}")
    return (
        *buffers,
        *offsets,
        *sizes,
        *(ord("T") if flag else ord("N") for flag in transposed),
        *(max(1, ld) for ld in leading),
        batch,
        *strides,
        int(accumulate),
        int.from_bytes(ONES[dtype], "little"),
        0,
        routine_address(dtype),
    )
