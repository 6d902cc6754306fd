"""The tangents of factorizations with orthogonal factors.

The transposes of the adjoint rules, which mask by cotangents and so cannot say them.
What turns vectors whose values are equal is infinite or NaN, unless it is zero but for
rounding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .lapack import identity, scaled_diagonal, triangle
from .linalg import adjoined
from .orthogonal_parts import (
    as_columns,
    as_rows,
    block_of,
    distances,
    first_part,
    is_nothing,
    quotient,
)

if TYPE_CHECKING:
    from ..builder import Builder
    from ..graph import Node

__all__ = ["eigh_tangent", "svd_tangent"]


def eigh_tangent(
    b: Builder, n: Node, dots: tuple[Node | None, ...], a: Node
) -> tuple[Node, Node]:
    """``w.dot = diag(K)``, ``V.dot = V (F ∘ K)``, ``F[i, j] = 1 / (w[j] - w[i])``.

    ``K = Vᴴ A.dot V`` (Giles 2008, 3.1), of the lower triangle of ``A.dot``.
    """
    (dot,) = dots
    assert dot is not None, "the only operand has a tangent"
    w, v = n.values
    lower = triangle(b, scaled_diagonal(b, dot, 0.5), lower=True)
    k = b.matmul(adjoined(b, v), b.matmul(b.add(lower, adjoined(b, lower)), v))
    return _diagonal(b, k), b.matmul(v, _over(b, _hollow(b, k), distances(b, w), k))


def svd_tangent(
    b: Builder, n: Node, dots: tuple[Node | None, ...], a: Node, *, complete: bool
) -> tuple[Node, Node, Node]:
    """``s.dot = diag(D)``, ``U.dot = U P``, ``V.dot = V Q``, with ``D = Uᴴ A.dot V``.

    ``P + Q = (D + Dᴴ) / (s[j] - s[i])`` and ``P - Q = (D - Dᴴ) / (s[j] + s[i])`` are
    skew. What A.dot has outside of the spaces of U and V is divided by s (Townsend
    2016; the diagonal of complex numbers, Wan, Zhang 2019).
    """
    (dot,) = dots
    assert dot is not None, "the only operand has a tangent"
    u_all, s, vt_all = n.values
    rows, columns = a.type.shape[-2:]
    k = min(rows, columns)
    u = first_part(b, u_all, rows, k)
    v = adjoined(b, first_part(b, vt_all, k, columns))
    d = b.matmul(adjoined(b, u), b.matmul(dot, v))
    turned = adjoined(b, d)
    sums = b.add(as_rows(b, s, d.type.part), as_columns(b, s, d.type.part))
    if not d.type.is_complex:  # a skew matrix has nothing on its diagonal
        one = identity(b, sums.type)
        sums = b.select(b.ne(one, b.like(one, 0.0)), one, sums)
    plus = _over(b, _hollow(b, b.add(d, turned)), distances(b, s), d)
    minus = _over(b, b.sub(d, turned), sums, d)
    half = b.like(d, 0.5)
    p, q = b.mul(b.add(plus, minus), half), b.mul(b.sub(plus, minus), half)
    u_dot = _moved(b, u, p, b.matmul(dot, v), s)
    v_dot = _moved(b, v, q, b.matmul(adjoined(b, dot), u), s)
    u_dot = _completed(b, u_all, u_dot)
    v_dot = _completed(b, adjoined(b, vt_all), v_dot)
    return u_dot, _diagonal(b, d), adjoined(b, v_dot)


def _diagonal(b: Builder, x: Node) -> Node:
    """The diagonal of each matrix, its real part."""
    real = b.real(x) if x.type.is_complex else x
    return b.reduce_sum(b.mul(real, identity(b, real.type)), axes=(x.type.rank - 1,))


def _hollow(b: Builder, x: Node) -> Node:
    return scaled_diagonal(b, x, 0.0)


def _over(b: Builder, x: Node, distance: Node, of: Node) -> Node:
    """The quotient, where nothing but rounding counts as nothing."""
    return quotient(b, x, distance, is_nothing(b, x, [of], without_values=True))


def _moved(b: Builder, u: Node, turn: Node, moved: Node, s: Node) -> Node:
    """The tangent of the vectors ``u``, which turn, and leave their space as moved."""
    inside = b.matmul(u, turn)
    rows, columns = u.type.shape[-2:]
    if rows == columns:
        return inside
    out = b.sub(moved, b.matmul(u, b.matmul(adjoined(b, u), moved)))
    return b.add(inside, _over(b, out, as_rows(b, s, out.type.part), moved))


def _completed(b: Builder, q: Node, first: Node) -> Node:
    """With the tangents of the vectors that span the rest: ``-Q1 Q1.dotᴴ Q2``."""
    rows, columns = q.type.shape[-2:]
    thin = first.type.shape[-1]
    if thin == columns:
        return first
    other = block_of(b, q, (0, thin), (rows, columns - thin))
    across = b.matmul(adjoined(b, first), other)
    rest = b.neg(b.matmul(first_part(b, q, rows, thin), across))
    return b.concatenate(first, rest, axis=q.type.rank - 1)
