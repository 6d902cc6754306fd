"""Factorizations with orthogonal factors: QR, symmetric eigenvalues, singular values.

The rules divide by the distances of eigenvalues, or of singular values. Where two are
equal their vectors are anything in a plane. A function of vectors alone has a
derivative there if it does not depend on the choice; then what is divided is zero but
for rounding, and counts as zero, see `is_nothing`. Anything else is infinite or NaN
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

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ..errors import LinAlgError
from ..types import TensorType
from .lapack import (
    divided,
    identity,
    lower_symmetric,
    require_square,
    require_wide,
    scaled_diagonal,
    triangle,
)
from .linalg import adjoined
from .mapped import stacked
from .orthogonal_parts import (
    as_columns,
    as_rows,
    block_of,
    distances,
    first_part,
    hollow,
    is_nothing,
    on_diagonal,
    quotient,
    skew_of,
    sum_of,
    within,
)
from .orthogonal_tangents import eigh_tangent, svd_tangent
from .spec import FLAG, OpDef, register, require

if TYPE_CHECKING:
    from ..builder import Builder
    from ..graph import Node

__all__ = ["EIGH", "NO_EIGENVALUES", "QR", "SVD", "Bars"]

NO_EIGENVALUES = "Eigenvalues did not converge"
NO_SINGULAR_VALUES = "SVD did not converge"
Bars: TypeAlias = "tuple[Node | None, ...]"


def _require_matrix(op: str, a: TensorType) -> None:
    require(a.rank >= 2, op, f"{a} is not a matrix")
    require_wide(op, a)


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
    q = first_part(b, q_all, rows, thin)
    q_bar = within(b, g[0], q_all, thin)
    r_bar = None if g[1] is None else first_part(b, g[1], thin, columns)
    if columns == thin:
        r = first_part(b, r_all, thin, columns)
        return (_square_qr(b, q, r, q_bar, r_bar),)
    more = columns - thin
    y = block_of(b, a, (0, thin), (rows, more))
    u = first_part(b, r_all, thin, thin)
    u_bar = v_bar = y_bar = None
    if r_bar is not None:
        u_bar = first_part(b, r_bar, thin, thin)
        v_bar = block_of(b, r_bar, (0, thin), (thin, more))
        q_bar = sum_of(b, q_bar, b.matmul(y, adjoined(b, v_bar)))
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
    m = sum_of(b, of_r, of_q)
    assert m is not None, "one of the values has a cotangent"
    half = triangle(b, scaled_diagonal(b, m, 0.5), lower=True)
    inner = sum_of(b, q_bar, b.matmul(q, b.add(half, adjoined(b, half))))
    assert inner is not None, "there is the product"
    # X R⁻ᴴ is (R⁻¹ Xᴴ)ᴴ.
    over = divided(b, r, adjoined(b, inner), lower=False, transposed=False)
    return adjoined(b, over)


QR = register(
    OpDef("qr", 1, _qr_type, _qr, _qr_adjoint, {"complete": FLAG}, vmap=stacked)
)


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
        half = hollow(b, b.mul(skew_of(b, k), b.like(k, 0.5)))
        parts = k, adjoined(b, k)
        nothing = is_nothing(b, half, parts, without_values=g[0] is None)
        of_v = quotient(b, half, distances(b, w), nothing)
    inner = sum_of(b, of_w, of_v)
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
        tangent=eigh_tangent,
        vmap=stacked,
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
    u, vt = first_part(b, u_all, rows, k), first_part(b, vt_all, k, columns)
    v = adjoined(b, vt)
    u_bar = within(b, g[0], u_all, k)
    v_all = adjoined(b, vt_all)
    v_bar = within(b, None if g[2] is None else adjoined(b, g[2]), v_all, k)
    inner = None if g[1] is None else on_diagonal(b, g[1], a.type.dtype)
    without_values = g[1] is None
    p = q = None
    if u_bar is not None:
        p = b.matmul(adjoined(b, u), u_bar)
    if v_bar is not None:
        q = b.matmul(adjoined(b, v), v_bar)
    if p is not None or q is not None:
        inner = sum_of(b, inner, _turned(b, s, p, q, without_values))
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
    skew_p, skew_q = (None if x is None else skew_of(b, x) for x in (p, q))
    plus = sum_of(b, skew_p, skew_q)
    minus = sum_of(b, skew_p, None if skew_q is None else b.neg(skew_q))
    assert plus is not None, "there is p or q"
    assert minus is not None, "there is p or q"
    type_ = plus.type.part
    sums = b.add(as_rows(b, s, type_), as_columns(b, s, type_))
    if not plus.type.is_complex:  # a skew matrix has nothing on its diagonal
        one = identity(b, type_)
        sums = b.select(b.ne(one, b.like(one, 0.0)), one, sums)
    plus = hollow(b, plus)
    of_plus, of_minus = (
        quotient(b, x, by, is_nothing(b, x, parts, without_values=without_values))
        for x, by in ((plus, distances(b, s)), (minus, sums))
    )
    made = b.add(of_plus, of_minus)
    return b.mul(made, b.like(made, 0.5))


def _over(b: Builder, x: Node, bar: Node, s: Node, without_values: bool) -> Node:
    """The columns of what is made of a cotangent, divided by the singular values."""
    nothing = is_nothing(b, x, [bar], without_values=without_values)
    return quotient(b, x, as_rows(b, s, x.type.part), nothing)


SVD = register(
    OpDef(
        "svd",
        1,
        _svd_type,
        _svd,
        _svd_adjoint,
        {"complete": FLAG},
        fails=("linalg", NO_SINGULAR_VALUES),
        tangent=svd_tangent,
        vmap=stacked,
    )
)
