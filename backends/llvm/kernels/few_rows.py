"""Products of few rows: the bodies of the kernels `row` and `dots` of products.py."""

from __future__ import annotations

from collections.abc import Mapping

from ....ir.types import DTYPES
from .source import shifted

__all__ = ["BLOCK", "dots_body", "row_body"]

BLOCK = 2**14  # bytes of a row of C: they stay in the first cache

_ROW = """
a_column, b_row = {a_column} * {size}, {b_row} * {size}
start = 0
while start < n:
    width = n - start if n - start < {block} else {block}
    c = {t}_pointer(c_start + start * {size}, 2)
    p = 0
    while p < k:
        adds = old or p > 0
        a_place = a_start + p * a_column
        b_place = b_start + start * {size} + p * b_row
        if k - p < {few}:
{one}
            p += 1
        else:
            if k - p < {many}:
{several}
                p += {few}
            else:
{most}
                p += {many}
    start += {block}
"""

_DOTS = """
a_row, b_column, c_row = {a_row}, {b_column}, {c_row}
a = {t}_pointer(a_start, 0)
b = {t}_pointer(b_start, 1)
c = {t}_pointer(c_start, 2)
j = 0
while j < n:
{columns}
    i = 0
    while i < m:
        if m - i < {rows}:
{last}
        else:
{whole}
        i += {rows}
    j += {lanes}
"""


def row_body(t: str, lanes: int, words: Mapping[str, str]) -> str:
    """Where m = 1 and B has contiguous rows."""
    many = 16 if lanes * DTYPES[t].itemsize == 64 else 8  # AVX-512 has 32 registers
    few = 4
    return _ROW.format(
        t=t,
        size=DTYPES[t].itemsize,
        block=BLOCK // DTYPES[t].itemsize,
        many=many,
        few=few,
        one=shifted(_added(t, lanes, 1), 3),
        several=shifted(_added(t, lanes, few), 4),
        most=shifted(_added(t, lanes, many), 4),
        **words,
    )


def _added(t: str, lanes: int, rows: int) -> str:
    """C, of one row, plus as many rows of B by their numbers of A."""
    v = f"{t}x{lanes}"
    starts: list[str] = []
    sums: list[str] = []
    for r in range(rows):
        a = f"{t}_pointer(a_place + {r} * a_column, 0)"
        starts.append(f"v{r}_{rows} = {v}_splat({a}[0])")
        starts.append(f"b{r}_{rows} = {t}_pointer(b_place + {r} * b_row, 1)")
        load = f"{v}_load(b{r}_{rows}, at, {{count}})"
        sums.append(f"s = multiply_add(v{r}_{rows}, {load}, s)")
    sums = [f"s = {v}_load(c, at, known)", *sums, f"{v}_store(c, at, s, {{count}})"]
    step = "\n".join(sums)
    return "\n".join(
        [
            *starts,
            f"known = {v}_mask({lanes} if adds else 0)",
            "at = 0",
            f"while at + {lanes} <= width:",
            shifted(step.format(count=lanes), 1),
            f"    at += {lanes}",
            "if at < width:",
            f"    inside = {v}_mask(width - at)",
            f"    known = {v}_mask(width - at if adds else 0)",
            shifted(step.format(count="inside"), 1),
        ]
    )


def dots_body(t: str, lanes: int, words: Mapping[str, str]) -> str:
    """Where A has contiguous rows, and B contiguous columns."""
    rows = 2 if lanes <= 8 else 1  # as many sums as lanes, for each row
    columns = ["column0 = j"]
    columns += [
        f"column{x} = j + {x} if j + {x} < n else n - 1" for x in range(1, lanes)
    ]
    return _DOTS.format(
        t=t,
        lanes=lanes,
        rows=rows,
        columns=shifted("\n".join(columns), 1),
        last=shifted(_inner(t, lanes, 1), 3),
        whole=shifted(_inner(t, lanes, rows), 3),
        **words,
    )


def _inner(t: str, lanes: int, rows: int) -> str:
    """Inner products of rows from i on with as many columns as lanes."""
    v = f"{t}x{lanes}"
    lines = [f"s{r}_{x} = {v}_splat(0.0)" for r in range(rows) for x in range(lanes)]
    lines += ["p = 0", "while p < k:"]
    for r in range(rows):
        lines.append(f"    v{r} = {v}_load(a, (i + {r}) * a_row + p, k - p)")
    for x in range(lanes):
        lines.append(f"    b{x} = {v}_load(b, column{x} * b_column + p, k - p)")
        for r in range(rows):
            lines.append(f"    s{r}_{x} = multiply_add(v{r}, b{x}, s{r}_{x})")
    lines.append(f"    p += {lanes}")
    for r in range(rows):
        sums = ", ".join(f"s{r}_{x}" for x in range(lanes))
        lines.append(f"place{r} = (i + {r}) * c_row + j")
        lines.append(f"known{r} = {v}_load(c, place{r}, n - j if old else 0)")
        total = f"lane_sums({sums}) + known{r}"
        lines.append(f"{v}_store(c, place{r}, {total}, n - j)")
    return "\n".join(lines)
