"""Matrix products of integers and bools, as plain loops; floats are in `products`."""

from __future__ import annotations

from typing import NamedTuple

from ...scalars import CASTS
from .source import plus, read, times

__all__ = ["MatmulWords", "matmul_source"]

_MATMUL = """
def kernel(buffers, words):
    # x, y, z: buffer and offset each; batch, rows, columns, inner
    x = {t}_pointer({x}, 0)
    y = {t}_pointer({y}, 1)
    z = {t}_pointer({z}, 2)
    batch, rows, columns, inner = {batch}, {rows}, {columns}, {inner}
    for b in range(batch):
        for i in range(rows):
            row = (b * rows + i) * columns
            for j in range(columns):
                z[row + j] = {zero}
            for k in range(inner):
                v = x[(b * rows + i) * inner + k]
                for j in range(columns):
                    w = y[(b * inner + k) * columns + j]
                    z[row + j] = {multiply_add}
    return 0
"""


class MatmulWords(NamedTuple):
    """The numbers of a product of contiguous stacks, ``rows`` by ``columns`` each."""

    batch: int
    rows: int
    columns: int
    inner: int


def matmul_source(dtype: str) -> str:
    """The source of the kernel for a dtype; sums of bools are any, products and."""
    return _MATMUL.lstrip().format(
        t=dtype,
        zero="False" if dtype == "bool" else f"{CASTS[dtype]}(0)",
        multiply_add=plus(dtype, "z[row + j]", times(dtype, "v", "w")),
        **read(MatmulWords, "x", "y", "z"),
    )
