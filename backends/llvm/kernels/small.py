"""Factorizations and systems of small matrices, each in registers.

A stack goes by as many matrices at once as a vector has lanes. All is written out for
the number of rows n, up to `LARGEST`: LAPACK takes longer to be called than these to
be done. Rows are exchanged by selection, so lanes may choose different pivots; they are
those of LAPACK, the first of the largest.

A system is solved from its matrix, which is factored anew: that takes less time than to
write the factors down and read them. Where something else reads factors of LU, these
have the matrices of a stack beside each other, so that lanes are adjacent.
"""

from __future__ import annotations

from collections.abc import Iterable
from textwrap import indent
from typing import Any, NamedTuple

from ..machine import current
from .products import SIZES
from .source import read

__all__ = [
    "LARGEST",
    "LARGEST_FACTOR",
    "CholeskyWords",
    "LuWords",
    "ProductWords",
    "SolveWords",
    "lanes_for",
    "small_cholesky_source",
    "small_lu_source",
    "small_product_source",
    "small_solve_source",
    "small_triangular_source",
]

LARGEST = 8
LARGEST_FACTOR = 4  # rows or columns of the factors of a product


def lanes_for(dtype: str, matrices: int) -> int:
    """How many matrices to take at once."""
    return current().vector_bytes // SIZES[dtype] if matrices > 1 else 1


class LuWords(NamedTuple):
    """Strides, in elements, of A and of what is made of a stack of ``matrices``."""

    matrices: int
    a_batch: int
    a_row: int
    a_column: int
    factors_row: int
    factors_column: int
    order_row: int


class SolveWords(NamedTuple):
    """Strides of A, a triangle perhaps, of the right side and of the solution."""

    matrices: int
    a_batch: int
    a_row: int
    a_column: int
    x_batch: int
    x_row: int
    x_column: int
    y_batch: int
    y_row: int
    y_column: int
    status: int


class CholeskyWords(NamedTuple):
    """Strides of A and of its factor."""

    matrices: int
    a_batch: int
    a_row: int
    a_column: int
    l_batch: int
    l_row: int
    l_column: int
    status: int


class ProductWords(NamedTuple):
    """Strides of the factors and of the product."""

    matrices: int
    a_batch: int
    a_row: int
    a_column: int
    x_batch: int
    x_row: int
    x_column: int
    y_batch: int
    y_row: int
    y_column: int


class _Array(NamedTuple):
    """A stack in memory; ``beside`` where its matrices are beside each other."""

    name: str
    dtype: str
    rows: int
    columns: int = 1
    beside: bool = False

    def opened(self, label: int, words: dict[str, str]) -> list[str]:
        """The pointer, and where the entries of the first matrix are."""
        lines = [f"{self.name} = {self.dtype}_pointer({words[self.name]}, {label})"]
        if not self.beside:
            lines.append(f"{self.name}_batch = {words[f'{self.name}_batch']}")
        lines += [
            f"{self._place(i, j)} = {self._offset(i, j, words)}"
            for i in range(self.rows)
            for j in range(self.columns)
        ]
        return lines

    def _place(self, i: int, j: int) -> str:
        return f"{self.name}_{i}_{j}"

    def _offset(self, i: int, j: int, words: dict[str, str]) -> str:
        steps = [(i, "row"), (j, "column")]
        parts = [f"{by} * {words[f'{self.name}_{axis}']}" for by, axis in steps if by]
        return " + ".join(parts) or "0"

    def at(self, i: int, j: int = 0) -> str:
        """An entry of matrix b."""
        step = "b" if self.beside else f"b * {self.name}_batch"
        return f"{self.name}[{step} + {self._place(i, j)}]"


def _kernel(
    arrays: Iterable[_Array], record: type[Any], body: Iterable[str], lanes: int,
    checks: bool = False,
) -> str:  # fmt: skip
    """A loop over the stack; ``checks`` where the body adds up ``wrong``."""
    arrays = list(arrays)
    words = read(record, *(array.name for array in arrays))
    count = words["matrices"]
    lines = [
        line
        for label, array in enumerate(arrays)
        for line in array.opened(label, words)
    ]
    if checks:
        lines.append("wrong = 0.0")
    loop = f"lanes({count}, {lanes})" if lanes > 1 else f"rolled({count})"
    lines += [f"for b in {loop}:", *(f"    {line}" for line in body)]
    if checks:
        lines += ["if wrong != 0.0:", f"    return {words['status']}"]
    text = "\n".join([*lines, "return 0"])
    names = ", ".join(array.name for array in arrays)
    head = f"def kernel(buffers, words):\n    # {names}: buffer and offset each\n"
    return f"{head}{indent(text, '    ')}\n"


class _Values:
    """Lines that give each entry of a matrix one name after the other."""

    def __init__(self, hint: str, lines: list[str]) -> None:
        self._hint = hint
        self._lines = lines
        self._names: dict[tuple[int, ...], str] = {}

    def __getitem__(self, place: tuple[int, ...]) -> str:
        return self._names[place]

    def __setitem__(self, place: tuple[int, ...], expression: str) -> None:
        before = self._names.get(place)
        number = int(before.rpartition("_")[2]) + 1 if before else 0
        name = "_".join([self._hint, *map(str, place), str(number)])
        self._lines.append(f"{name} = {expression}")
        self._names[place] = name


def small_lu_source(dtype: str, n: int, lanes: int) -> str:
    """The factors, the order of the rows, and its sign."""
    a = _Array("a", dtype, n, n)
    factors = _Array("factors", dtype, n, n, beside=True)
    order = _Array("order", "i64", n, beside=True)
    sign = _Array("sign", "i64", 1, beside=True)
    lines: list[str] = []
    x = _read(a, lines, _places(n, n))
    row, odd = _Values("row", lines), _Values("odd", lines)
    for i in range(n):
        row[i, 0] = f"b * 0 + {i}"
    odd[()] = "b * 0 + 1"
    for k in range(n):
        _search(lines, x, k, n)
        _exchange(x, k, n, n)
        _exchange(row, k, n, 1)
        if k < n - 1:
            odd[()] = f"0 - {odd[()]} if found_{k} else {odd[()]}"
        _eliminate(lines, x, k, n)
    lines += [f"{factors.at(i, j)} = {x[i, j]}" for i, j in _places(n, n)]
    lines += [f"{order.at(i)} = {row[i, 0]}" for i in range(n)]
    lines.append(f"{sign.at(0)} = {odd[()]}")
    return _kernel((a, factors, order, sign), LuWords, lines, lanes)


def small_solve_source(
    dtype: str, n: int, columns: int, lanes: int, transposed: bool, strict: bool
) -> str:
    """``y = A⁻¹ x`` by LU with exchanges, or with the transpose of A."""
    a, x = _Array("a", dtype, n, n), _Array("x", dtype, n, columns)
    y = _Array("y", dtype, n, columns)
    lines: list[str] = []
    f = _read(a, lines, _places(n, n))
    v = _read(x, lines, _places(n, columns))
    for k in range(n):
        _search(lines, f, k, n)
        _exchange(f, k, n, n)
        if not transposed:
            _exchange(v, k, n, columns)
        _eliminate(lines, f, k, n)
    for lower in (not transposed, transposed):
        _substitute(v, f, n, columns, lower, transposed, unit=lower)
    if transposed:
        for k in reversed(range(n)):
            _exchange(v, k, n, columns)
    if strict:
        _check_diagonal(lines, f, n)
    lines += [f"{y.at(i, j)} = {v[i, j]}" for i, j in _places(n, columns)]
    return _kernel((a, x, y), SolveWords, lines, lanes, checks=strict)


def small_product_source(dtype: str, m: int, k: int, n: int, lanes: int) -> str:
    """``y = a x``, each sum in the order of k with a rounding for each term."""
    a, x = _Array("a", dtype, m, k), _Array("x", dtype, k, n)
    y = _Array("y", dtype, m, n)
    lines: list[str] = []
    left, right = _read(a, lines, _places(m, k)), _read(x, lines, _places(k, n))
    total = _Values("total", lines)
    for i, j in _places(m, n):
        total[i, j] = f"{left[i, 0]} * {right[0, j]}"
        for step in range(1, k):
            pair = f"{left[i, step]}, {right[step, j]}"
            total[i, j] = f"multiply_add({pair}, {total[i, j]})"
    lines += [f"{y.at(i, j)} = {total[i, j]}" for i, j in _places(m, n)]
    return _kernel((a, x, y), ProductWords, lines, lanes)


def _places(rows: int, columns: int) -> list[tuple[int, int]]:
    return [(i, j) for i in range(rows) for j in range(columns)]


def _search(lines: list[str], x: _Values, k: int, n: int) -> None:
    """Which row has the first of the largest entries of column k, from row k on.

    ``taken_k_i`` says that it is row i, and ``found_k`` that it is another than k.
    """
    best, later = f"fabs({x[k, k]})", ""
    for i in range(k + 1, n):
        lines.append(f"size_{k}_{i} = fabs({x[i, k]})")
        lines.append(f"above_{k}_{i} = size_{k}_{i} > {best}")
        lines.append(f"best_{k}_{i} = size_{k}_{i} if above_{k}_{i} else {best}")
        best = f"best_{k}_{i}"
    for i in range(n - 1, k, -1):
        last = f" and not {later}" if later else ""
        lines.append(f"taken_{k}_{i} = above_{k}_{i}{last}")
        either = f"{later} or " if later else ""
        later = f"found_{k}" if i == k + 1 else f"later_{k}_{i}"
        lines.append(f"{later} = {either}above_{k}_{i}")


def _exchange(x: _Values, k: int, n: int, columns: int) -> None:
    """Exchange row k with the row that was taken, if one was."""
    below = range(k + 1, n)
    for j in range(columns if below else 0):
        first = top = x[k, j]
        for i in below:
            top = f"({x[i, j]} if taken_{k}_{i} else {top})"
        for i in below:
            x[i, j] = f"{first} if taken_{k}_{i} else {x[i, j]}"
        x[k, j] = top


def _eliminate(lines: list[str], x: _Values, k: int, n: int) -> None:
    """Column k of L in place of what is below the pivot, and what is left of A."""
    if k < n - 1:
        lines.append(f"pivot_{k} = 1.0 if {x[k, k]} == 0.0 else {x[k, k]}")
    for i in range(k + 1, n):
        x[i, k] = f"{x[i, k]} / pivot_{k}"
        for j in range(k + 1, n):
            x[i, j] = f"{x[i, j]} - {x[i, k]} * {x[k, j]}"


def small_triangular_source(
    dtype: str,
    n: int,
    columns: int,
    lanes: int,
    lower: bool,
    transposed: bool,
    unit: bool,
    strict: bool,
) -> str:
    """``y = T⁻¹ x`` by substitution, or by the transpose of T."""
    a, x = _Array("a", dtype, n, n), _Array("x", dtype, n, columns)
    y = _Array("y", dtype, n, columns)
    lines: list[str] = []
    triangle = [
        (i, j)
        for i, j in _places(n, n)
        if (i > j if lower else i < j) or (i == j and not unit)
    ]
    t = _read(a, lines, triangle)
    v = _read(x, lines, _places(n, columns))
    if strict:
        _check_diagonal(lines, t, n)
    _substitute(v, t, n, columns, lower, transposed, unit)
    lines += [f"{y.at(i, j)} = {v[i, j]}" for i, j in _places(n, columns)]
    return _kernel((a, x, y), SolveWords, lines, lanes, checks=strict)


def small_cholesky_source(dtype: str, n: int, lanes: int) -> str:
    """L of ``A = L Lᵀ``, of which the lower triangle is read."""
    a, low = _Array("a", dtype, n, n), _Array("l", dtype, n, n)
    lines: list[str] = []
    x = _read(a, lines, [(i, j) for i, j in _places(n, n) if j <= i])
    for j in range(n):
        for k in range(j):
            x[j, j] = f"{x[j, j]} - {x[j, k]} * {x[j, k]}"
        lines.append(f"fault_{j} = 1.0 if {x[j, j]} <= 0.0 else 0.0")
        lines.append(f"wrong = wrong + fault_{j}")
        x[j, j] = f"sqrt({x[j, j]})"
        for i in range(j + 1, n):
            for k in range(j):
                x[i, j] = f"{x[i, j]} - {x[i, k]} * {x[j, k]}"
            x[i, j] = f"{x[i, j]} / {x[j, j]}"
    for i, j in _places(n, n):
        lines.append(f"{low.at(i, j)} = {x[i, j] if j <= i else '0.0'}")
    return _kernel((a, low), CholeskyWords, lines, lanes, checks=True)


def _read(
    array: _Array, lines: list[str], places: Iterable[tuple[int, int]]
) -> _Values:
    """Those entries of each matrix."""
    values = _Values(array.name[0], lines)
    for place in places:
        values[place] = array.at(*place)
    return values


def _check_diagonal(lines: list[str], x: _Values, n: int) -> None:
    for i in range(n):
        lines.append(f"zero_{i} = 1.0 if {x[i, i]} == 0.0 else 0.0")
        lines.append(f"wrong = wrong + zero_{i}")


def _substitute(
    v: _Values,
    t: _Values,
    n: int,
    columns: int,
    lower: bool,
    transposed: bool,
    unit: bool,
) -> None:
    """Solve with a triangle, in place: forwards where what is used is a lower one."""
    forwards = lower != transposed
    for i in range(n) if forwards else reversed(range(n)):
        for j in range(columns):
            for k in range(i) if forwards else reversed(range(i + 1, n)):
                entry = t[(k, i) if transposed else (i, k)]
                v[i, j] = f"{v[i, j]} - {entry} * {v[k, j]}"
            if not unit:
                v[i, j] = f"{v[i, j]} / {t[i, i]}"
