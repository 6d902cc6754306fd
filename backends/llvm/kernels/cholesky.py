"""The cotangent of a symmetric matrix from that of its Cholesky factor, by blocks.

Murray 2016, "Differentiation of the Cholesky decomposition", section 3.3: the factor is
undone from its last rows on. Within a block of rows this goes element by element; what
is beside and below a block are products, by BLAS. It takes twice as many
multiplications as the factorization, where solving with the factor from both sides
takes nine times as many.

BLAS takes row-major matrices for their transposes, so its operands are exchanged.
"""

from __future__ import annotations

from typing import NamedTuple

from ..machine import current
from .products import SIZES
from .routines import passing

__all__ = ["CholeskyInputWords", "cholesky_input_source"]

BLOCK = 64  # rows; also the longest rows that go element by element
TILE = 32  # what is transposed at once

_KERNEL = """
def kernel(buffers, words):
    # l, x: buffer and offset each
    n = {n}
    cells = i64_pointer(call_memory(24), 3)
    at_rows = address(cells)
    at_below = address(cells) + 8
    at_left = address(cells) + 16
    sums = {t}_pointer(call_memory({room}), 2)
    for matrix in range({matrices}):
        l_start = {l} + matrix * n * n * {size}
        x_start = {x} + matrix * n * n * {size}
        l = {t}_pointer(l_start, 0)
        x = {t}_pointer(x_start, 1)
        stop = n
        while stop > 0:
            start = stop - {block} if stop > {block} else 0
            rows = stop - start
            below = n - stop
            cells[0] = rows
            cells[1] = below
            cells[2] = start
            diagonal = (start * n + start) * {size}
            left = start * n * {size}
            under = (stop * n + start) * {size}
            corner = stop * n * {size}
            if below > 0:
                {divide_under}
                {diagonal_less}
                if start > 0:
                    {corner_less}
                    {left_less}
            k = stop - 1
            while k >= start:
                row = k * n + start
                pivot = l[k * n + k]
                total = x[k * n + k]
                for i in range(k + 1, stop):
                    scaled = x[i * n + k] / pivot
                    x[i * n + k] = scaled
                    total = total - scaled * l[i * n + k]
                total = total / pivot
                x[k * n + k] = 0.5 * total
                for j in lanes(k - start, {lanes}):
                    x[row + j] = x[row + j] - total * l[row + j]
                for i in range(k + 1, stop):
                    other = i * n + start
                    entry = x[i * n + k]
                    for j in lanes(k - start, {lanes}):
                        x[row + j] = x[row + j] - entry * l[other + j]
                    for j in lanes(k - start, {lanes}):
                        x[other + j] = x[other + j] - entry * l[row + j]
                k = k - 1
            if start > 0:
                for i in range(rows):
                    for j in range(i + 1):
                        value = x[(start + i) * n + start + j]
                        sums[i * rows + j] = value
                        sums[j * rows + i] = 2.0 * value if i == j else value
                {left_less_block}
            stop = start
        top = 0
        while top < n:
            end = top + {tile} if top + {tile} < n else n
            first = 0
            while first < end:
                for i in range(top, end):
                    last = first + {tile} if first + {tile} < i else i
                    for j in range(first, last):
                        value = 0.5 * x[i * n + j]
                        x[i * n + j] = value
                        x[j * n + i] = value
                first = first + {tile}
            top = end
    return 0
"""


class CholeskyInputWords(NamedTuple):
    """The numbers of ``matrices`` matrices of n rows; letters and floats as BLAS's."""

    matrices: int
    n: int
    left_side: int  # "L"
    upper: int  # "U"
    plain: int  # "N"
    turned: int  # "T"
    one: int
    minus: int
    gemm: int
    trsm: int


def _less(target: str, sizes: str, left: str, right: str, turned: bool) -> str:
    """A part of X less a part of L times a part of X, or the block of ``sums``."""
    flag = "{at_turned}" if turned else "{at_plain}"
    block = "address(sums), at_rows"
    other = block if right == "sums" else f"x_start + {right}, {{at_n}}"
    counts = ", ".join(f"at_{size}" for size in sizes.split())
    return (
        f"invoke({{gemm}}, {{at_plain}}, {flag}, {counts}, {{at_minus}}, "
        f"l_start + {left}, {{at_n}}, {other}, {{at_one}}, "
        f"x_start + {target}, {{at_n}}, 1, 1)"
    )


def cholesky_input_source(dtype: str) -> str:
    """The cotangent of A over the factor's, of which the lower triangle is read."""
    names = passing(CholeskyInputWords, "l", "x")
    divide = (
        "invoke({trsm}, {at_left_side}, {at_upper}, {at_plain}, {at_plain}, at_rows, "
        "at_below, {at_one}, l_start + diagonal, {at_n}, x_start + under, {at_n}, "
        "1, 1, 1, 1)"
    )
    products = {
        "diagonal_less": ("diagonal", "rows rows below", "under", "under", True),
        "corner_less": ("corner", "left below rows", "left", "under", False),
        "left_less": ("left", "left rows below", "corner", "under", True),
        "left_less_block": ("left", "left rows rows", "left", "sums", False),
    }
    return _KERNEL.lstrip().format(
        t=dtype,
        size=SIZES[dtype],
        block=BLOCK,
        tile=TILE,
        room=BLOCK * BLOCK * SIZES[dtype],
        lanes=current().vector_bytes // SIZES[dtype],
        divide_under=divide.format(**names),
        **{name: _less(*product).format(**names) for name, product in products.items()},
        **names,
    )
