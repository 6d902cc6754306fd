"""Factorizations and triangular systems by LAPACK and BLAS, as kernels.

All work in place on memory that the plan made for the result, and go through a stack
matrix by matrix. LAPACK is column-major and takes a row-major matrix for its transpose:

- Cholesky: the upper triangle of the transpose is the lower one, and U of ``Uᵀ U`` is
  the transpose of L. So nothing is moved.
- Triangular systems: the right side is row-major, so ``T X = B`` is asked for as
  ``Xᵀ Tᵀ = Bᵀ``, from the right. T may lie either way, see `TriangularWords`.
- LU: the factors are column-major, for another order would choose other pivots.

A complex number is ``{parts}`` floats of the kind ``{t}`` side by side.
"""

from __future__ import annotations

from typing import NamedTuple

from ....ir.types import DTYPES, PART_OF
from .routines import passing
from .source import read

__all__ = [
    "CholeskyWords",
    "InverseWords",
    "LuWords",
    "ReorderWords",
    "TriangularWords",
    "cholesky_source",
    "inverse_source",
    "lu_source",
    "reorder_source",
    "triangular_source",
]

_CHOLESKY = """
def kernel(buffers, words):
    # l, info: buffer and offset each
    l = {l}
    info = i64_pointer({info}, 1)
    n = {n}
    for b in range({matrices}):
        now = l + b * n * n * {size}
        info[0] = 0
        invoke({routine}, {at_uplo}, {at_n}, now, {at_n}, address(info), 1)
        if info[0] != 0:
            return {status}
        m = {t}_pointer(now, 0)
        for i in range(n):
            for j in range((i + 1) * {parts}, n * {parts}):
                m[i * n * {parts} + j] = 0.0
    return 0
"""

_TRIANGULAR = """
def kernel(buffers, words):
    # a, x: buffer and offset each
    a = {a}
    x = {x}
    n = {n}
    for b in range({matrices}):
        now = a + b * {a_batch} * {size}
        if {strict} != 0:
            d = {t}_pointer(now, 0)
            zero = False
            for i in range(n):
                zero = zero or {is_zero}
            if zero:
                return {status}
        at = x + b * n * {columns} * {size}
        {call}
    return 0
"""

_MATRIX = (
    "invoke({routine}, {at_right}, {at_uplo}, {at_trans}, {at_diag}, {at_columns}, "
    "{at_n}, {at_one}, now, {at_leading}, at, {at_columns}, 1, 1, 1, 1)"
)
_VECTOR = (
    "invoke({routine}, {at_uplo}, {at_trans}, {at_diag}, {at_n}, now, {at_leading}, "
    "at, {at_columns}, 1, 1, 1)"
)

_LU = """
def kernel(buffers, words):
    # factors, order, sign, pivots, info: buffer and offset each
    factors = {factors}
    order = i64_pointer({order}, 1)
    sign = i64_pointer({sign}, 2)
    pivots = i{bits}_pointer({pivots}, 3)
    info = i64_pointer({info}, 4)
    n = {n}
    for b in range({matrices}):
        now = factors + b * n * n * {size}
        invoke({routine}, {at_n}, {at_n}, now, {at_n}, address(pivots), address(info))
        first = b * n
        for i in range(n):
            order[first + i] = i
        odd = 1
        for i in range(n):
            p = int64(pivots[i]) - 1
            if p != i:
                odd = 0 - odd
                kept = order[first + i]
                order[first + i] = order[first + p]
                order[first + p] = kept
        sign[b] = odd
    return 0
"""

_INVERSE = """
def kernel(buffers, words):
    # factors, x: buffer and offset each
    info = i64_pointer(call_memory(8), 2)
    n = {n}
    for b in range({matrices}):
        now = {factors} + b * n * n * {size}
        made = {x} + b * n * n * {size}
        f = {t}_pointer(now, 0)
        x = {t}_pointer(made, 1)
        zero = False
        for i in range(n):
            zero = zero or f[i * n + i] == 0.0
        if zero and {strict} != 0:
            return {status}
        for i in range(n):
            for j in range(i + 1):
                x[i * n + j] = f[i * n + j]
            for j in range(i + 1, n):
                x[i * n + j] = 0.0
        if zero:
            for i in range(n):
                for j in range(i + 1):
                    x[i * n + j] = 1.0 if i == j else 0.0
            {solve}
        else:
            {invert}
        {divide}
    return 0
"""

_REORDER = """
def kernel(buffers, words):
    # x, order, y: buffer and offset each
    x = {t}_pointer({x}, 0)
    order = i64_pointer({order}, 1)
    y = {t}_pointer({y}, 2)
    n, k = {n}, {columns}
    for b in range({matrices}):
        for i in range(n):
            source = (b * n + {source}) * k
            target = (b * n + {target}) * k
            for j in range(k):
                y[target + j] = x[source + j]
    return 0
"""


class CholeskyWords(NamedTuple):
    """The numbers of a stack of ``matrices`` matrices of n rows; "U" as a number."""

    matrices: int
    n: int
    uplo: int
    routine: int
    status: int


class TriangularWords(NamedTuple):
    """The numbers of ``matrices`` systems with ``columns`` right sides each.

    ``uplo``, ``trans`` and ``diag`` are as BLAS sees the matrix, ``right`` is "R".
    ``a_batch`` elements further is the next matrix, ``diagonal`` further the next
    element of a diagonal. Where ``strict``, a zero there gives the ``status``. ``one``
    is 1.0, of complex numbers with the ``zero`` behind it.
    """

    matrices: int
    n: int
    columns: int
    a_batch: int
    leading: int
    diagonal: int
    right: int
    uplo: int
    trans: int
    diag: int
    one: int
    zero: int
    strict: int
    status: int
    routine: int


class LuWords(NamedTuple):
    """The numbers of a stack of ``matrices`` matrices of n rows."""

    matrices: int
    n: int
    routine: int


class InverseWords(NamedTuple):
    """The numbers of ``matrices`` matrices of n rows; letters and 1.0 as BLAS's."""

    matrices: int
    n: int
    left: int  # "L", also of the lower triangle
    right: int  # "R"
    upper: int  # "U", also of a unit diagonal
    plain: int  # "N"
    one: int
    strict: int
    status: int
    trsm: int
    trtri: int


class ReorderWords(NamedTuple):
    """The numbers of ``matrices`` matrices, n by ``columns``, whose rows are moved."""

    matrices: int
    n: int
    columns: int


def _written(template: str, dtype: str, names: dict[str, str], **more: object) -> str:
    """A template for the numbers of a dtype."""
    part = PART_OF.get(dtype, dtype)
    kind = {"t": part, "parts": 2 if part != dtype else 1}
    size = DTYPES[dtype].itemsize
    return template.lstrip().format(**kind, size=size, **names, **more)


def cholesky_source(dtype: str) -> str:
    """L over A, by potrf; the upper triangle becomes zero."""
    names = passing(CholeskyWords, "l", "info")
    return _written(_CHOLESKY, dtype, names)


def triangular_source(dtype: str, vector: bool) -> str:
    """The solution over the right side, by trsm; by trsv where that is a vector."""
    names = passing(TriangularWords, "a", "x")
    call = (_VECTOR if vector else _MATRIX).format(**names)
    step = f"i * {names['diagonal']}"
    places = [f"2 * {step}", f"2 * {step} + 1"] if dtype in PART_OF else [step]
    is_zero = " and ".join(f"d[{place}] == 0.0" for place in places)
    return _written(_TRIANGULAR, dtype, names, call=call, is_zero=f"({is_zero})")


def lu_source(dtype: str, bits: int) -> str:
    """The factors over A, by getrf, and the order of rows that its exchanges make."""
    names = passing(LuWords, "factors", "order", "sign", "pivots", "info")
    return _written(_LU, dtype, names, bits=bits)


def inverse_source(dtype: str) -> str:
    """``U⁻¹ L⁻¹`` of the factors, column by column as they are.

    The inverse of U is a triangle, so two thirds of the work are left. Where there is
    none, U is divided by, which gives infinities and NaN.
    """
    names = passing(InverseWords, "factors", "x")
    sizes = "{at_n}, {at_n}, {at_one}, now, {at_n}, made, {at_n}, 1, 1, 1, 1)"
    invert = "{at_upper}, {at_plain}, {at_n}, made, {at_n}, address(info), 1, 1)"
    of_upper = "{at_left}, {at_upper}, {at_plain}, {at_plain}, "
    of_lower = "{at_right}, {at_left}, {at_plain}, {at_upper}, "
    solve, divide = (
        f"invoke({{trsm}}, {flags}{sizes}".format(**names)
        for flags in (of_upper, of_lower)
    )
    return _INVERSE.lstrip().format(
        t=dtype,
        size=DTYPES[dtype].itemsize,
        solve=solve,
        invert=f"invoke({{trtri}}, {invert}".format(**names),
        divide=divide,
        **names,
    )


def reorder_source(dtype: str, back: bool) -> str:
    """``y = x[order]``; with ``back``, ``y[order] = x``."""
    named = "order[b * n + i]"
    source, target = ("i", named) if back else (named, "i")
    names = read(ReorderWords, "x", "order", "y")
    return _REORDER.lstrip().format(t=dtype, source=source, target=target, **names)
