"""Factorizations with orthogonal factors: QR, symmetric eigenvalues, singular values.

The rules divide by the distances of eigenvalues, or of singular values. Where two are
equal their vectors are anything in a plane. A function of vectors alone has a
derivative there if it does not depend on the choice; then what is divided is zero but
for rounding, and counts as zero, see `_is_nothing`. Anything else is infinite or NaN
there. Of complex numbers each transpose is a conjugate transpose, written ᴴ, and
vectors have phases besides, which no derivative moves: ``vᴴ dv`` is 0, and so is
``uᴴ du + vᴴ dv``. What does not depend on the phases has its derivative.

All is done in f64 or c128, as NumPy does it: in f32 the signs of vectors follow from
rounding.

The formulas: Walter, Lehmann 2012, "Algorithmic differentiation of linear algebra
functions with application in optimum experimental design" (QR); Giles 2008, "Collected
matrix derivative results", 3.1 and 3.2 (eigenvalues, singular values); Townsend 2016,
"Differentiating the singular value decomposition" (of rectangular matrices); Wan,
Zhang 2019, "Automatic differentiation for complex valued SVD"; Roberts, Roberts 2020,
"QR and LQ decomposition matrix backpropagation algorithms for square, wide, and deep
matrices - real or complex - and their software implementation".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ..errors import LinAlgError
from ..types import TensorType
from .lapack import (
    identity,
    lower_symmetric,
    require_square,
    require_wide,
    scaled_diagonal,
    triangle,
)
from .linalg import adjoined
from .mapped import same
from .spec import FLAG, OpDef, register, require

if TYPE_CHECKING:
    from ..builder import Builder
    from ..graph import Node

__all__ = ["EIGH", "NO_EIGENVALUES", "QR", "SVD", "Bars", "distances", "on_diagonal"]

NO_EIGENVALUES = "Eigenvalues did not converge"
NO_SINGULAR_VALUES = "SVD did not converge"
Bars: TypeAlias = "tuple[Node | None, ...]"


def _require_matrix(op: str, a: TensorType) -> None:
    require(a.rank >= 2, op, f"{a} is not a matrix")
    require_wide(op, a)


# What rules are made of.


def _part(b: Builder, x: Node, rows: int, columns: int) -> Node:
    """The first rows and columns."""
    return _block(b, x, (0, 0), (rows, columns))


def _block(b: Builder, x: Node, start: tuple[int, int], shape: tuple[int, int]) -> Node:
    if x.type.shape[-2:] == shape:
        return x
    lead = x.type.shape[:-2]
    return b.slice(
        x,
        start=(*(0 for _ in lead), *start),
        shape=(*lead, *shape),
        step=(1,) * x.type.rank,
    )


def _rows(b: Builder, x: Node, type_: TensorType) -> Node:
    """A vector as each row of a matrix."""
    *lead, n = x.type.shape
    return b.broadcast(b.reshape(x, (*lead, 1, n)), type_)


def _columns(b: Builder, x: Node, type_: TensorType) -> Node:
    """A vector as each column of a matrix."""
    return b.broadcast(b.reshape(x, (*x.type.shape, 1)), type_)


def on_diagonal(b: Builder, x: Node, dtype: str) -> Node:
    """The matrix of a dtype with a vector on its diagonal."""
    *lead, n = x.type.shape
    type_ = x.type.with_shape((*lead, n, n))
    return b.cast(b.mul(_rows(b, x, type_), identity(b, type_)), dtype)


def _skew(b: Builder, x: Node) -> Node:
    return b.sub(x, adjoined(b, x))


def _hollow(b: Builder, x: Node) -> Node:
    """A skew matrix with zeros on its diagonal, where a complex one turns phases."""
    return scaled_diagonal(b, x, 0.0) if x.type.is_complex else x


def _quotient(b: Builder, x: Node, distance: Node, nothing: Node) -> Node:
    """``x / distance``, and 0 where the distance is 0 and ``nothing`` is true.

    The derivative is that of the quotient all the same, so what is not defined there is
    infinite or NaN at the next order.
    """
    left_out = b.logical_and(nothing, b.eq(distance, b.like(distance, 0.0)))
    zero = b.straight_through(b.like(x, 0.0), x)
    distance = b.cast(distance, x.type.dtype)
    kept = b.chain(zero, b.div(b.like(distance, 1.0), distance))
    return b.select(left_out, kept, b.div(x, distance))


def _is_nothing(
    b: Builder, x: Node, of: Sequence[Node], *, without_values: bool
) -> Node:
    """Where ``x`` counts as 0: what it is made ``of`` is 0, or it is but rounding.

    The second only if the function is one of the vectors alone: at equal values
    ``V diag(w) Vᵀ`` has such an x as well, and a derivative that is not 0.
    """
    found = b.eq(of[0], b.like(x, 0.0))
    for part in of[1:]:
        found = b.logical_and(found, b.eq(part, b.like(x, 0.0)))
    if not without_values:
        return found
    eps = 32 * float(np.finfo(np.float64).eps)
    scale = _sum(b, *(_largest(b, part) for part in of))
    assert scale is not None, "there is a part"
    small = b.le(_size(b, x), b.mul(scale, b.like(scale, eps)))
    return b.logical_or(found, small)


def _largest(b: Builder, x: Node) -> Node:
    """The largest magnitude of each matrix, at each of its entries; no derivative."""
    rank, type_ = x.type.rank, x.type.part
    if 0 in x.type.shape:
        return b.full(type_, 0.0)
    top = b.reduce_max(_size(b, b.stop_gradient(x)), axes=(rank - 2, rank - 1))
    return b.broadcast(b.reshape(top, (*x.type.shape[:-2], 1, 1)), type_)


def _size(b: Builder, x: Node) -> Node:
    """The magnitude; of a complex number the parts' added up."""
    if not x.type.is_complex:
        return b.abs(x)
    return b.add(b.abs(b.real(x)), b.abs(b.imag(x)))


def distances(b: Builder, w: Node) -> Node:
    """``w[j] - w[i]`` at i, j, and 1 on the diagonal."""
    *lead, n = w.type.shape
    type_ = w.type.with_shape((*lead, n, n))
    apart = b.sub(_rows(b, w, type_), _columns(b, w, type_))
    return b.add(apart, identity(b, type_))


def _sum(b: Builder, *terms: Node | None) -> Node | None:
    """The sum of what is there."""
    found = [term for term in terms if term is not None]
    made = found[0] if found else None
    for term in found[1:]:
        assert made is not None, "there is a first one"
        made = b.add(made, term)
    return made


def _within(b: Builder, g: Node | None, q: Node, thin: int) -> Node | None:
    """The cotangent of the first columns of an orthogonal matrix.

    The others span what the first ones do not, so a function of their space is one of
    the first: ``Q1.bar - Q2 (Q2.barᴴ Q1)``.
    """
    rows, columns = q.type.shape[-2:]
    if g is None or columns == thin:
        return g
    rest = columns - thin
    first, other = _part(b, q, rows, thin), _block(b, q, (0, thin), (rows, rest))
    g_first, g_other = _part(b, g, rows, thin), _block(b, g, (0, thin), (rows, rest))
    moved = b.matmul(other, b.matmul(adjoined(b, g_other), first))
    return b.sub(g_first, moved)


# QR.


def _qr_type(a: TensorType, *, complete: bool) -> tuple[TensorType, TensorType]:
    _require_matrix("qr", a)
    *lead, m, n = a.shape
    k = m if complete else min(m, n)
    return a.with_shape((*lead, m, k)), a.with_shape((*lead, k, n))


def _qr(a: Any, *, complete: bool) -> tuple[Any, Any]:
    made = np.linalg.qr(a, "complete" if complete else "reduced")
    return made.Q, made.R


def _qr_adjoint(b: Builder, n: Node, g: Bars, a: Node, *, complete: bool) -> Any:
    """``A.bar = (Q.bar + Q copyltu(R R.barᴴ - Q.barᴴ Q)) R⁻ᴴ``.

    copyltu copies the lower triangle to the upper one (Walter, Lehmann 2012), and takes
    the real part of the diagonal (Roberts, Roberts 2020): that of R is real. Of a wide
    matrix ``[X Y]`` the first columns are factored, ``X = Q U``, and ``V = Qᴴ Y``.
    """
    rows, columns = a.type.shape[-2:]
    thin = min(rows, columns)
    q_all, r_all = n.values
    q = _part(b, q_all, rows, thin)
    q_bar = _within(b, g[0], q_all, thin)
    r_bar = None if g[1] is None else _part(b, g[1], thin, columns)
    if columns == thin:
        r = _part(b, r_all, thin, columns)
        return (_square_qr(b, q, r, q_bar, r_bar),)
    more = columns - thin
    y = _block(b, a, (0, thin), (rows, more))
    u = _part(b, r_all, thin, thin)
    u_bar = v_bar = y_bar = None
    if r_bar is not None:
        u_bar = _part(b, r_bar, thin, thin)
        v_bar = _block(b, r_bar, (0, thin), (thin, more))
        q_bar = _sum(b, q_bar, b.matmul(y, adjoined(b, v_bar)))
        y_bar = b.matmul(q, v_bar)
    x_bar = _square_qr(b, q, u, q_bar, u_bar)
    y_bar = b.like(y, 0.0) if y_bar is None else y_bar
    return (b.concatenate(x_bar, y_bar, axis=a.type.rank - 1),)


def _square_qr(
    b: Builder, q: Node, r: Node, q_bar: Node | None, r_bar: Node | None
) -> Node:
    of_r = of_q = None
    if r_bar is not None:
        of_r = b.matmul(r, adjoined(b, triangle(b, r_bar, lower=False)))
    if q_bar is not None:
        of_q = b.neg(b.matmul(adjoined(b, q_bar), q))
    m = _sum(b, of_r, of_q)
    assert m is not None, "one of the values has a cotangent"
    half = triangle(b, scaled_diagonal(b, m, 0.5), lower=True)
    inner = _sum(b, q_bar, b.matmul(q, b.add(half, adjoined(b, half))))
    assert inner is not None, "there is the product"
    # X R⁻ᴴ is (R⁻¹ Xᴴ)ᴴ.
    flags = {"lower": False, "transposed": False, "unit": False, "strict": False}
    return adjoined(b, b.solve_triangular(r, adjoined(b, inner), **flags))


QR = register(OpDef("qr", 1, _qr_type, _qr, _qr_adjoint, {"complete": FLAG}, vmap=same))


# Symmetric eigenvalues.


def _eigh_type(a: TensorType) -> tuple[TensorType, TensorType]:
    require_square("eigh", a)
    _require_matrix("eigh", a)
    return a.part.with_shape(a.shape[:-1]), a


def _eigh(a: Any) -> tuple[Any, Any]:
    try:
        made = np.linalg.eigh(a)
    except np.linalg.LinAlgError:
        raise LinAlgError(NO_EIGENVALUES) from None
    return made.eigenvalues, made.eigenvectors


def _eigh_adjoint(b: Builder, n: Node, g: Bars, a: Node) -> tuple[Node]:
    """``A.bar = V (diag(w.bar) + F ∘ (Vᴴ V.bar)) Vᴴ``, ``F[i, j] = 1 / (w[j] - w[i])``.

    Giles 2008, 3.1; the half of it that is skew is all that counts. ``a`` is read below
    its diagonal only.
    """
    w, v = n.values
    of_w = None if g[0] is None else on_diagonal(b, g[0], v.type.dtype)
    of_v = None
    if g[1] is not None:
        k = b.matmul(adjoined(b, v), g[1])
        half = _hollow(b, b.mul(_skew(b, k), b.like(k, 0.5)))
        parts = k, adjoined(b, k)
        nothing = _is_nothing(b, half, parts, without_values=g[0] is None)
        of_v = _quotient(b, half, distances(b, w), nothing)
    inner = _sum(b, of_w, of_v)
    assert inner is not None, "one of the values has a cotangent"
    s = b.matmul(b.matmul(v, inner), adjoined(b, v))
    return (lower_symmetric(b, s),)


EIGH = register(
    OpDef(
        "eigh",
        1,
        _eigh_type,
        _eigh,
        _eigh_adjoint,
        fails=("linalg", NO_EIGENVALUES),
        vmap=same,
    )
)


# Singular values.


def _svd_type(
    a: TensorType, *, complete: bool
) -> tuple[TensorType, TensorType, TensorType]:
    _require_matrix("svd", a)
    *lead, m, n = a.shape
    k = min(m, n)
    rows, columns = (m, n) if complete else (k, k)
    return (
        a.with_shape((*lead, m, rows)),
        a.part.with_shape((*lead, k)),
        a.with_shape((*lead, columns, n)),
    )


def _svd(a: Any, *, complete: bool) -> tuple[Any, Any, Any]:
    try:
        made = np.linalg.svd(a, full_matrices=complete)
    except np.linalg.LinAlgError:
        raise LinAlgError(NO_SINGULAR_VALUES) from None
    return made.U, made.S, made.Vh


def _svd_adjoint(b: Builder, n: Node, g: Bars, a: Node, *, complete: bool) -> Any:
    """``A.bar = U (diag(s.bar) + M) Vᴴ``, and what leaves the spaces of U and V.

    With P and Q the skew parts of ``Uᴴ U.bar`` and ``Vᴴ V.bar``, Townsend's terms
    ``(F ∘ P) S + S (F ∘ Q)``, where ``F = 1 / (s[j]² - s[i]²)``, are the same as
    ``(P + Q) / (s[j] - s[i])`` and ``(P - Q) / (s[j] + s[i])``, half of each. So only
    what depends on the choice of vectors is divided by the distance of two values. The
    diagonal of ``P - Q`` is what Wan, Zhang 2019 add for complex numbers.
    """
    u_all, s, vt_all = n.values
    rows, columns = a.type.shape[-2:]
    k = min(rows, columns)
    u, vt = _part(b, u_all, rows, k), _part(b, vt_all, k, columns)
    v = adjoined(b, vt)
    u_bar = _within(b, g[0], u_all, k)
    v_all = adjoined(b, vt_all)
    v_bar = _within(b, None if g[2] is None else adjoined(b, g[2]), v_all, k)
    inner = None if g[1] is None else on_diagonal(b, g[1], a.type.dtype)
    without_values = g[1] is None
    p = q = None
    if u_bar is not None:
        p = b.matmul(adjoined(b, u), u_bar)
    if v_bar is not None:
        q = b.matmul(adjoined(b, v), v_bar)
    if p is not None or q is not None:
        inner = _sum(b, inner, _turned(b, s, p, q, without_values))
    assert inner is not None, "one of the values has a cotangent"
    total = b.matmul(b.matmul(u, inner), vt)
    if u_bar is not None and p is not None and rows > k:
        out = b.sub(u_bar, b.matmul(u, p))
        total = b.add(total, b.matmul(_over(b, out, u_bar, s, without_values), vt))
    if v_bar is not None and q is not None and columns > k:
        out = b.sub(v_bar, b.matmul(v, q))
        across = b.matmul(_over(b, out, v_bar, s, without_values), adjoined(b, u))
        total = b.add(total, adjoined(b, across))
    return (total,)


def _turned(
    b: Builder, s: Node, p: Node | None, q: Node | None, without_values: bool
) -> Node:
    """What turns U and V within their spaces contributes, between the two."""
    there = [x for x in (p, q) if x is not None]
    parts = [x for part in there for x in (part, adjoined(b, part))]
    skew_p, skew_q = (None if x is None else _skew(b, x) for x in (p, q))
    plus = _sum(b, skew_p, skew_q)
    minus = _sum(b, skew_p, None if skew_q is None else b.neg(skew_q))
    assert plus is not None, "there is p or q"
    assert minus is not None, "there is p or q"
    type_ = plus.type.part
    sums = b.add(_rows(b, s, type_), _columns(b, s, type_))
    if not plus.type.is_complex:  # a skew matrix has nothing on its diagonal
        one = identity(b, type_)
        sums = b.select(b.ne(one, b.like(one, 0.0)), one, sums)
    plus = _hollow(b, plus)
    of_plus, of_minus = (
        _quotient(b, x, by, _is_nothing(b, x, parts, without_values=without_values))
        for x, by in ((plus, distances(b, s)), (minus, sums))
    )
    made = b.add(of_plus, of_minus)
    return b.mul(made, b.like(made, 0.5))


def _over(b: Builder, x: Node, bar: Node, s: Node, without_values: bool) -> Node:
    """The columns of what is made of a cotangent, divided by the singular values."""
    nothing = _is_nothing(b, x, [bar], without_values=without_values)
    return _quotient(b, x, _rows(b, s, x.type.part), nothing)


SVD = register(
    OpDef(
        "svd",
        1,
        _svd_type,
        _svd,
        _svd_adjoint,
        {"complete": FLAG},
        fails=("linalg", NO_SINGULAR_VALUES),
        vmap=same,
    )
)
