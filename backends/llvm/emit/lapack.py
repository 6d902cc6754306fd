"""Factorizations of matrices and triangular systems, by LAPACK and BLAS."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from ....ir.graph import Node
from ....ir.types import TensorType
from ..kernels.blas import layout_of
from ..kernels.cholesky import CholeskyInputWords, cholesky_input_source
from ..kernels.lapack import (
    CholeskyWords,
    InverseWords,
    LuWords,
    ReorderWords,
    TriangularWords,
    cholesky_source,
    inverse_source,
    lu_source,
    reorder_source,
    triangular_source,
)
from ..kernels.routines import MINUS_ONES, ONES, routine
from ..kernels.source import Source
from ..plan.planner import Planner, emits
from ..plan.view import View, reshaped_strides
from .linalg import swapped
from .small import (
    is_small,
    small_cholesky,
    small_lu,
    small_solve,
    small_solve_triangular,
)

__all__ = ["Stack", "call", "columns_first", "stack_of"]


class Stack(NamedTuple):
    """Matrices that BLAS can read, ``batch`` elements from one to the next.

    They lie row by row, or column by column where ``swapped``.
    """

    view: View
    matrices: int
    batch: int
    leading: int
    swapped: bool


def stack_of(p: Planner, node: Node, view: View) -> Stack:
    """A stack as BLAS can read it, copied if need be."""
    *lead, rows, columns = view.type.shape
    count = math.prod(lead)
    step = reshaped_strides(lead, view.strides[:-2], (count,))
    layout = layout_of((rows, columns), view.strides[-2:])
    if step is None or layout is None:
        packed = p.contiguous(node, view)
        return Stack(packed, count, rows * columns, max(columns, 1), False)
    return Stack(view, count, step[0], max(layout.leading, 1), layout.flag == ord("T"))


def call(
    p: Planner,
    node: Node,
    label: str,
    kernel: Source,
    views: Sequence[View],
    words: Sequence[int],
    multiplications: int,
) -> None:
    """A step on memory that starts where ``views`` do, and how much work it is."""
    starts = [word for view in views for word in view.start()]
    p.step(node, label, kernel, (*starts, *words), views, (), multiplications)


def columns_first(p: Planner, type_: TensorType) -> View:
    """New memory for matrices that lie column by column."""
    *lead, rows, columns = type_.shape
    return swapped(p.allocate(type_.with_shape((*lead, columns, rows))))


def _room(p: Planner, words: int) -> View:
    return p.allocate(TensorType("i64", (words,)))


@emits("cholesky")
def cholesky(p: Planner, node: Node, a: View) -> View:
    """By potrf, over a copy."""
    if is_small(node.type):
        return small_cholesky(p, node, a)
    target = _packed(p, node)
    *lead, n, _ = node.type.shape
    if 0 in node.type.shape:
        return target
    p.copy(node, a, target)
    dtype = node.type.dtype
    words = CholeskyWords(
        matrices=math.prod(lead),
        n=n,
        uplo=ord("U"),
        routine=routine("potrf", dtype).address,
        status=p.status(node),
    )
    kernel = Source.of(cholesky_source, dtype=dtype)
    work = math.prod(lead) * n**3 // 6
    call(p, node, "cholesky", kernel, (target, _room(p, 1)), words, work)
    return target


@emits("cholesky_input")
def cholesky_input(p: Planner, node: Node, factor: View, bar: View) -> View:
    """Over a copy of the factor's cotangent."""
    target = _packed(p, node)
    p.copy(node, bar, target)
    *lead, n, _ = node.type.shape
    if 0 in node.type.shape:
        return target
    dtype = node.type.dtype
    words = CholeskyInputWords(
        matrices=math.prod(lead),
        n=n,
        left_side=ord("L"),
        upper=ord("U"),
        plain=ord("N"),
        turned=ord("T"),
        one=int.from_bytes(ONES[dtype], "little"),
        minus=int.from_bytes(MINUS_ONES[dtype], "little", signed=True),
        gemm=routine("gemm", dtype).address,
        trsm=routine("trsm", dtype).address,
    )
    kernel = Source.of(cholesky_input_source, dtype=dtype)
    views = (p.contiguous(node, factor), target)
    call(p, node, "cholesky input", kernel, views, words, math.prod(lead) * n**3 // 3)
    return target


def _divide(
    p: Planner,
    node: Node,
    a: Stack,
    x: View,
    *,
    lower: bool,
    transposed: bool,
    unit: bool,
    status: int,
) -> None:
    """Solve with triangles, in place in contiguous ``x``; zeros fail with ``status``.

    A vector is not asked for as a row: BLAS solves from the left, with the flag turned.
    """
    *_, n, columns = x.type.shape
    if 0 in x.type.shape:
        return
    dtype, vector = x.type.dtype, columns == 1
    words = TriangularWords(
        matrices=a.matrices,
        n=n,
        columns=columns,
        a_batch=a.batch,
        leading=a.leading,
        diagonal=sum(a.view.strides[-2:]),
        right=ord("R"),
        uplo=ord("L" if lower == a.swapped else "U"),
        trans=ord("T" if transposed == (a.swapped == vector) else "N"),
        diag=ord("U" if unit else "N"),
        one=int.from_bytes(ONES[dtype], "little"),
        zero=0,
        strict=int(status > 0),
        status=status,
        routine=routine("trsv" if vector else "trsm", dtype).address,
    )
    kernel = Source.of(triangular_source, dtype=dtype, vector=vector)
    work = a.matrices * n * n * columns // 2
    call(p, node, "triangular", kernel, (a.view, x), words, work)


@emits("solve_triangular")
def solve_triangular(
    p: Planner,
    node: Node,
    a: View,
    x: View,
    *,
    lower: bool,
    transposed: bool,
    unit: bool,
    strict: bool,
) -> View:
    """By trsm or trsv, over a copy of the right side."""
    if is_small(a.type, node.type):
        flags = {"lower": lower, "transposed": transposed, "unit": unit}
        return small_solve_triangular(p, node, a, x, **flags, strict=strict)
    target = _packed(p, node)
    p.copy(node, x, target)
    _divide(
        p,
        node,
        stack_of(p, node, a),
        target,
        lower=lower,
        transposed=transposed,
        unit=unit,
        status=p.status(node) if strict and not unit else 0,
    )
    return target


def _packed(p: Planner, node: Node) -> View:
    """Contiguous memory for the value of a node, in its place if that is."""
    target = p.allocate(node.type, node.name)
    return target if target.is_contiguous else p.allocate(node.type)


@emits("lu")
def lu(p: Planner, node: Node, a: View) -> list[View]:
    """By getrf, over a copy that lies column by column."""
    if is_small(node.type):
        return small_lu(p, node, a)
    _, order, sign = node.values
    factors = columns_first(p, node.type)
    places, signs = (p.allocate(value.type, value.name) for value in (order, sign))
    *lead, n, _ = node.type.shape
    if math.prod(lead) == 0:
        return [factors, places, signs]
    if n == 0:
        p.fill(node, signs, 1)
        return [factors, places, signs]
    p.copy(node, a, factors)
    places, signs = (
        view if view.is_contiguous else p.allocate(view.type)
        for view in (places, signs)
    )
    dtype = node.type.dtype
    found = routine("getrf", dtype)
    words = LuWords(matrices=math.prod(lead), n=n, routine=found.address)
    kernel = Source.of(lu_source, dtype=dtype, bits=found.bits)
    memory = (factors, places, signs, _room(p, n), _room(p, 1))
    call(p, node, "lu", kernel, memory, words, math.prod(lead) * n**3 // 3)
    return [factors, places, signs]


@emits("solve_lu")
def solve_lu(
    p: Planner,
    node: Node,
    a: View,
    factors: View,
    order: View,
    x: View,
    *,
    transposed: bool,
    strict: bool,
) -> View:
    """Two triangular systems, and the rows moved in front of them or behind."""
    if is_small(factors.type, node.type):
        return small_solve(p, node, a, x, transposed=transposed, strict=strict)
    if node.type.is_float and _is_identity(p, p.graph[node.operands[3]]):
        return _inverse(p, node, factors, order, transposed, strict)
    target = _packed(p, node)
    status = p.status(node) if strict else 0
    triangles = stack_of(p, node, factors)
    if transposed:
        work = p.allocate(node.type)
        p.copy(node, x, work)
    else:
        work = target
        _reorder(p, node, x, order, work, back=False)
    for lower in (not transposed, transposed):
        _divide(
            p,
            node,
            triangles,
            work,
            lower=lower,
            transposed=transposed,
            unit=lower,
            status=0 if lower else status,
        )
    if transposed:
        _reorder(p, node, work, order, target, back=True)
    return target


def _is_identity(p: Planner, node: Node) -> bool:
    """Whether a node is `identity`, or a stack of it."""
    if node.op == "broadcast_to":
        node = p.graph[node.operands[0]]
    if node.op != "cast" or p.graph[node.operands[0]].op != "eq":
        return False
    sides = p.graph.operands(p.graph[node.operands[0]])
    return node.type.rank == 2 and [
        (side.op, side.attrs.get("axis")) for side in sides
    ] == [
        ("iota", 0),
        ("iota", 1),
    ]


def _inverse(
    p: Planner, node: Node, factors: View, order: View, transposed: bool, strict: bool
) -> View:
    """By trtri and trsm, row by row the inverse of the transpose."""
    work, made = p.allocate(node.type), p.allocate(node.type)
    if 0 in node.type.shape:
        return made
    *lead, n, _ = node.type.shape
    dtype = node.type.dtype
    words = InverseWords(
        matrices=math.prod(lead),
        n=n,
        left=ord("L"),
        right=ord("R"),
        upper=ord("U"),
        plain=ord("N"),
        one=int.from_bytes(ONES[dtype], "little"),
        strict=int(strict),
        status=p.status(node) if strict else 0,
        trsm=routine("trsm", dtype).address,
        trtri=routine("trtri", dtype).address,
    )
    kernel = Source.of(inverse_source, dtype=dtype)
    columns = p.contiguous(node, swapped(factors))
    call(
        p, node, "inverse", kernel, (columns, work), words, math.prod(lead) * n**3 // 2
    )
    _reorder(p, node, work, order, made, back=True)
    return made if transposed else swapped(made)


def _reorder(
    p: Planner, node: Node, x: View, order: View, target: View, *, back: bool
) -> None:
    if 0 in x.type.shape:
        return
    *lead, n, columns = x.type.shape
    x, order = (p.contiguous(node, view) for view in (x, order))
    numbers = columns * (2 if x.type.is_complex else 1)
    words = ReorderWords(matrices=math.prod(lead), n=n, columns=numbers)
    kernel = Source.of(reorder_source, dtype=x.type.part.dtype, back=back)
    p.call(node, "reorder", kernel, (x, order, target), words)


@emits("det", "logdet", "pinv", "expm", "sqrtm", "logm", "sylvester")
def handed_on(p: Planner, node: Node, *operands: View) -> View:
    """A copy of the value, the last operand."""
    value = operands[-1]
    target = p.allocate(node.type, node.name)
    p.copy(node, value, target)
    return target
