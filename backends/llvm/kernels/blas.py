"""Matrix products by BLAS, as kernels: C = op(A) op(B), or C += op(A) op(B).

Everything is row-major: an operand is rows of contiguous elements, `ld` elements apart.
op(A) is m by k and op(B) k by n; a transposed operand lies in memory as its transpose.
BLAS is column-major and takes row-major memory for the transpose. It is therefore asked
for C' = op(B)' op(A)': operands swapped, m and n swapped, the flags as they are.

The words are `ProductWords`, of which five have another meaning,

    a_row, a_column       "N" or "T" for A, B: does the operand lie there transposed?
    b_row, b_column       the leading dimensions of A and B
    c_row                 that of C

and those of `gemm_words` behind them. `language.calls` knows their numbers.

What an overwritten C held before does not leak, were it NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .products import ProductWords
from .routines import ONES, routine
from .source import read

__all__ = ["Layout", "gemm_source", "gemm_words", "layout_of"]

_SOURCE = """
def kernel(buffers, words):
    a = buffers[{a}] + {a_offset}
    b = buffers[{b}] + {b_offset}
    c = buffers[{c}] + {c_offset}
    sums = {c_batch} == 0 and {c_outer} == 0
    for outer in range({outer}):
        for inner in range({batch}):
            a_step = outer * {a_outer} + inner * {a_batch}
            b_step = outer * {b_outer} + inner * {b_batch}
            c_step = outer * {c_outer} + inner * {c_batch}
            adds = {accumulate} != 0 or (sums and outer + inner > 0)
            a_now = a + a_step * {size}
            b_now = b + b_step * {size}
            gemm(words, a_now, b_now, c + c_step * {size}, {one} if adds else {zero})
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
    words = read(ProductWords)
    return _SOURCE.lstrip().format(
        size=len(ONES[dtype]), one=len(words), zero=len(words) + 1, **words
    )


def gemm_words(dtype: str) -> tuple[int, int, int]:
    """The bits of 1.0 and of 0.0 in the dtype, and the address of the BLAS routine."""
    return int.from_bytes(ONES[dtype], "little"), 0, routine("gemm", dtype).address
