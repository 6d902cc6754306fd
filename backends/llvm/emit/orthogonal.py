"""QR, symmetric eigenvalues and singular values, by LAPACK.

Matrices are copied column by column, as NumPy hands them to LAPACK: so the signs of
vectors are NumPy's. The factors are left as LAPACK makes them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ....ir.graph import Node
from ....ir.types import DTYPES, TensorType
from ..kernels.orthogonal import (
    PairsWords,
    TriangleWords,
    pairs_source,
    routine_source,
    routine_words,
    triangle_source,
    workspace,
)
from ..kernels.routines import routine
from ..kernels.source import Source
from ..plan.planner import Planner, emits
from ..plan.view import View
from .lapack import call, columns_first

GEQRF = "n0 n1 m0 n0 m1 m2 n2 m3"
ORGQR = "n0 n1 n2 m0 n0 m1 m2 n3 m3"
SYEVD = "n0 n1 n2 m0 n2 m1 m2 n3 m3 n4 m4"
HEEVD = "n0 n1 n2 m0 n2 m1 m2 n3 m3 n4 m4 n5 m5"
GESDD = "n0 n1 n2 m0 n1 m1 m2 n1 m3 n3 m4 n4 m5 m6"
COMPLEX_GESDD = "n0 n1 n2 m0 n1 m1 m2 n1 m3 n3 m4 n4 m5 m6 m7"
GEES = "n0 n1 m5 n2 m0 n2 m5 m1 m2 n2 m3 n3 m4 m5 m6"
GEEV = "n0 n1 n2 m0 n2 m1 m2 m3 n2 m4 n2 m5 n3 m6"
COMPLEX_GEEV = "n0 n1 n2 m0 n2 m1 m2 n2 m3 n2 m4 n3 m5 m6"
WORK = {
    GEQRF: 2,
    ORGQR: 2,
    SYEVD: 2,
    HEEVD: 2,
    GESDD: 4,
    COMPLEX_GESDD: 4,
    GEES: 3,
    GEEV: 5,
    COMPLEX_GEEV: 4,
}


def _invoke(
    p: Planner,
    node: Node,
    name: str,
    arguments: str,
    memories: Sequence[View | int],
    numbers: Sequence[int],
    work: int,
) -> None:
    """A step that calls a routine for each matrix.

    A memory is a stack, or how many words all matrices share. The room for work is one
    of these, as long as the routine asks, and so is the one for its status.
    """
    dtype = memories[0].type.dtype if isinstance(memories[0], View) else "f64"
    asked = workspace(name, dtype, len(memories) + 2, arguments, tuple(numbers))
    size = DTYPES[dtype].itemsize
    listed = list(memories)
    listed.insert(WORK[arguments], -(-asked * size // 8))
    listed.append(1)
    views: list[View] = []
    steps: list[int] = []
    matrices = 1
    for memory in listed:
        if isinstance(memory, View):
            count = _matrices(memory)
            matrices = max(matrices, count)
            steps.append(_bytes(memory) // count)
            views.append(memory)
        else:
            steps.append(0)
            views.append(p.allocate(TensorType("i64", (memory,))))
    given = [asked if number == -1 else number for number in numbers]
    kernel = Source.of(routine_source, memories=len(views), arguments=arguments)
    status = p.status(node)
    words = routine_words(matrices, routine(name, dtype).address, status, steps, given)
    call(p, node, name, kernel, views, words, work)


def _matrices(view: View) -> int:
    """How many matrices a stack has: it says so by its first axis."""
    return view.type.shape[0]


def _bytes(view: View) -> int:
    return view.type.nbytes


def _stacked(p: Planner, type_: TensorType, rank: int = 2) -> View:
    """New memory for a stack along one axis: of matrices by columns, or of vectors."""
    shape = type_.shape
    lead, rest = shape[: len(shape) - rank], shape[len(shape) - rank :]
    flat = type_.with_shape((math.prod(lead), *rest))
    return columns_first(p, flat) if rank == 2 else p.allocate(flat)


def _as_value(view: View, type_: TensorType) -> View:
    """The stack along one axis in the shape of the value."""
    *lead, _, _ = type_.shape
    first = view.strides[0]
    strides: list[int] = []
    for size in reversed(lead):
        strides.insert(0, first)
        first *= size
    return view.moved(type_.shape, (*strides, *view.strides[1:]))


def _copied(p: Planner, node: Node, a: View, wide: int | None = None) -> View:
    """``a`` by columns in a stack along one axis, with room for ``wide`` columns."""
    *lead, rows, columns = a.type.shape
    type_ = a.type.with_shape((*lead, rows, max(wide or 0, columns)))
    stack = _stacked(p, type_)
    part = _as_value(stack, type_).moved(a.type.shape, _as_value(stack, type_).strides)
    p.copy(node, a, part)
    return stack


def _identity(p: Planner, node: Node, value: Node) -> View:
    """What an orthogonal factor of an empty matrix is."""
    target = p.allocate(value.type)
    p.fill(node, target, 0.0)
    *lead, n, m = value.type.shape
    diagonal = target.moved(
        (*lead, min(n, m)), (*target.strides[:-2], sum(target.strides[-2:]))
    )
    p.fill(node, diagonal, 1.0)
    return target


@emits("qr")
def qr(p: Planner, node: Node, a: View, *, complete: bool) -> list[View]:
    """By geqrf; then the triangle is copied, and orgqr makes Q where it was."""
    q, r = node.values
    *lead, rows, columns = a.type.shape
    count, thin = math.prod(lead), min(rows, columns)
    across = q.type.shape[-1]
    if 0 in a.type.shape:
        empty = p.allocate(r.type)
        p.fill(node, empty, 0.0)
        return [_identity(p, node, q), empty]
    stack = _copied(p, node, a, across)
    tau = p.allocate(a.type.with_shape((count, thin)))
    work = count * rows * columns * thin
    numbers = (rows, columns, -1)
    _invoke(p, node, "geqrf", GEQRF, (stack, tau), numbers, work)
    target = p.allocate(r.type, r.name)
    target = target if target.is_contiguous else p.allocate(r.type)
    words = TriangleWords(
        matrices=count,
        rows=r.type.shape[-2],
        columns=columns,
        height=rows,
        batch=stack.strides[0],
    )
    kernel = Source.of(triangle_source, dtype=a.type.dtype)
    p.call(node, "triangle", kernel, (stack, target), words)
    numbers = (rows, across, thin, -1)
    name = "ungqr" if a.type.is_complex else "orgqr"
    _invoke(p, node, name, ORGQR, (stack, tau), numbers, work)
    return [_as_value(stack, q.type), target]


@emits("eigh")
def eigh(p: Planner, node: Node, a: View) -> list[View]:
    """By syevd or heevd, with vectors where something reads them."""
    w, v = node.values
    if 0 in a.type.shape:
        return [p.allocate(w.type), p.allocate(v.type)]
    n = a.type.shape[-1]
    stack = _copied(p, node, a)
    values = _stacked(p, w.type, 1)
    job = "V" if p.is_read(v) else "N"
    work = _matrices(stack) * n**3 * (4 if job == "V" else 1)
    if a.type.is_complex:
        name, arguments, rooms = "heevd", HEEVD, (1 + 5 * n + 2 * n * n, 3 + 5 * n)
    else:
        name, arguments, rooms = "syevd", SYEVD, (3 + 5 * n,)
    numbers = (ord(job), ord("L"), n, -1, *rooms)
    _invoke(p, node, name, arguments, (stack, values, *rooms), numbers, work)
    return [values.reshaped(w.type.shape), _as_value(stack, v.type)]


@emits("svd")
def svd(p: Planner, node: Node, a: View, *, complete: bool) -> list[View]:
    """By gesdd, with vectors where something reads them."""
    u, s, vt = node.values
    if 0 in a.type.shape:
        empty = p.allocate(s.type)
        return [_identity(p, node, u), empty, _identity(p, node, vt)]
    *_, rows, columns = a.type.shape
    stack = _copied(p, node, a)
    values = _stacked(p, s.type, 1)
    left, right = _stacked(p, u.type), _stacked(p, vt.type)
    vectors = p.is_read(u) or p.is_read(vt)
    job = ("A" if complete else "S") if vectors else "N"
    numbers = (ord(job), rows, columns, vt.type.shape[-2], -1)
    thin = min(rows, columns)
    work = _matrices(stack) * rows * columns * thin * (8 if vectors else 2)
    memories = [stack, values, left, right, 8 * thin]
    if a.type.is_complex:
        wide = max(rows, columns)
        memories.insert(4, thin * max(7, 5 * thin + 7, 2 * (wide + thin) + 1))
    arguments = COMPLEX_GESDD if a.type.is_complex else GESDD
    _invoke(p, node, "gesdd", arguments, memories, numbers, work)
    return [
        _as_value(left, u.type),
        values.reshaped(s.type.shape),
        _as_value(right, vt.type),
    ]


@emits("schur")
def schur(p: Planner, node: Node, a: View) -> list[View]:
    """By gees; what it does not sort by is one word of room."""
    if 0 in a.type.shape:
        return [p.allocate(a.type), p.allocate(a.type)]
    n = a.type.shape[-1]
    stack, vectors = _copied(p, node, a), _stacked(p, a.type)
    values = p.allocate(a.type.with_shape((_matrices(stack), n)))
    memories = (stack, values, vectors, n, 1)
    numbers = (ord("V"), ord("N"), n, -1)
    work = _matrices(stack) * n**3 * 25
    _invoke(p, node, "gees", GEES, memories, numbers, work)
    return [_as_value(stack, a.type), _as_value(vectors, a.type)]


@emits("eig")
def eig(p: Planner, node: Node, a: View) -> list[View]:
    """By geev, with vectors where something reads them."""
    w, v = node.values
    if 0 in a.type.shape:
        return [p.allocate(w.type), p.allocate(v.type)]
    n = a.type.shape[-1]
    stack = _copied(p, node, a)
    values, vectors = _stacked(p, w.type, 1), _stacked(p, v.type)
    left = _stacked(p, a.type)  # where vectors of the other side would be
    wanted = p.is_read(v)
    numbers = (ord("N"), ord("V" if wanted else "N"), n, -1)
    work = _matrices(stack) * n**3 * (25 if wanted else 10)
    if a.type.is_complex:
        memories = (stack, values, left, vectors, 2 * n)
        _invoke(p, node, "geev", COMPLEX_GEEV, memories, numbers, work)
    else:
        re, im = (_stacked(p, w.type.part, 1) for _ in range(2))
        pairs = _stacked(p, a.type)
        memories = (stack, re, im, left, pairs)
        _invoke(p, node, "geev", GEEV, memories, numbers, work)
        words = PairsWords(matrices=_matrices(stack), n=n, vectors=int(wanted))
        kernel = Source.of(pairs_source)
        p.call(node, "pairs", kernel, (re, im, pairs, values, vectors), words)
    return [values.reshaped(w.type.shape), _as_value(vectors, v.type)]
