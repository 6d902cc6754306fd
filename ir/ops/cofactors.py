"""The cofactors of matrices that may be singular, with their derivatives.

They are polynomials of the entries, where the ordinary rule, ``det(A) A⁻ᴴ``, divides by
0 or loses its digits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .complex import magnitude
from .lapack import diagonal, identity, spread, unordered
from .linalg import adjoined, transposed
from .orthogonal_parts import block_of, on_diagonal

if TYPE_CHECKING:
    from ..builder import Builder
    from ..graph import Node

__all__ = ["cofactors", "cofactors_of_factors"]

_LEAST = 2.0**-700  # what a pivot of 0 counts as in a matrix of zeros


def _tiny(n: int) -> float:
    """What a pivot of 0 counts as, by the largest entry.

    It is below the rounding of that, and the product of n is a number up to n = 16.
    """
    return 2.0 ** -max(60, 900 // n)


def cofactors_of_factors(
    b: Builder, a: Node, factors: Node, order: Node, sign: Node
) -> Node:
    """The conjugate cofactors of matrices with these factors, singular ones too.

    They are polynomials of the factors, so pivots of 0 count as numbers next to it:
    the quotients by them cancel.
    """
    *lead, n, _ = a.type.shape
    last = (len(lead), len(lead) + 1)
    size = b.reduce_max(magnitude(b, a), axes=last)
    tiny = b.maximum(b.mul(size, b.like(size, _tiny(n))), b.like(size, _LEAST))
    is_zero = b.eq(factors, b.like(factors, 0.0))
    is_pivot = b.cast(identity(b, a.type), "bool")
    at = b.logical_and(is_zero, is_pivot)
    triangles = b.select(at, spread(b, tiny, a.type), factors)
    pivots = b.select(is_pivot, triangles, b.like(triangles, 1.0))
    value = b.mul(b.cast(sign, a.type.dtype), b.reduce_prod(pivots, axes=last))
    flags = {"transposed": True, "strict": False}
    half = b.solve_triangular(
        triangles, identity(b, a.type), lower=False, unit=False, **flags
    )
    half = b.solve_triangular(triangles, half, lower=True, unit=True, **flags)
    inverse = unordered(b, half, order)
    return b.conj(b.mul(spread(b, value, a.type), inverse))


def cofactors(b: Builder, a: Node) -> Node:
    """The conjugate cofactors, a function of ``a`` whose derivatives do not cancel.

    In the bases of the singular vectors a matrix next to this one is M, which is
    diagonal here. With blocks ``M = [G D; C B]``, B that of the two smallest values,
    ``det M = det G det T`` for ``T = B - C G⁻¹ D``, so the cofactors are

        det G ([-G⁻ᵀ Cᵀ; I] cof(T) [-(G⁻¹ D)ᵀ, I] + det T [G⁻ᵀ 0; 0 0])

    and nothing divides by the two smallest values. Where more are 0 the third counts
    as a number next to it: only derivatives beyond the third would cancel.
    """
    n = a.type.shape[-1]
    here = b.stop_gradient(a)
    is_number = b.eq(b.sub(here, here), b.like(here, 0.0))
    known = b.select(is_number, here, b.like(here, 0.0))
    wide = b.cast(known, "c128" if a.type.is_complex else "f64")
    u, values, vh = map(b.stop_gradient, b.svd(wide, complete=False).values)
    u, vh = b.cast(u, a.type.dtype), b.cast(vh, a.type.dtype)
    values = b.cast(values, a.type.part.dtype if a.type.is_complex else a.type.dtype)
    moved = b.matmul(b.matmul(adjoined(b, u), b.sub(a, here)), adjoined(b, vh))
    m = b.add(on_diagonal(b, _lifted(b, values), a.type.dtype), moved)
    k = n - 2
    g, d = block_of(b, m, (0, 0), (k, k)), block_of(b, m, (0, k), (k, 2))
    c, last = block_of(b, m, (k, 0), (2, k)), block_of(b, m, (k, k), (2, 2))
    factors, order, sign = b.lu(g).values
    taken = g, b.stop_gradient(factors), order

    def solved(x: Node, *, is_transposed: bool) -> Node:
        return b.solve_lu(*taken, x, transposed=is_transposed, strict=False)

    right = solved(d, is_transposed=False)
    t = b.sub(last, b.matmul(c, right))
    of_t = _cofactors_of_two(b, t)
    det_t = _sum(b, b.mul(t, of_t), 0.5)
    one = identity(b, t.type)
    axis = a.type.rank - 1
    left = b.neg(solved(transposed(b, c), is_transposed=True))
    down = b.concatenate(left, one, axis=axis - 1)
    across = b.concatenate(b.neg(transposed(b, right)), one, axis=axis)
    made = b.matmul(b.matmul(down, of_t), across)
    inverse = solved(identity(b, g.type), is_transposed=True)
    inner = b.mul(spread(b, det_t, g.type), inverse)
    made = b.add(made, _bordered(b, inner))
    phase = b.mul(_orthogonal_sign(b, u), _orthogonal_sign(b, vh))
    scale = b.mul(phase, _determinant(b, *taken, sign))
    made = b.conj(b.mul(spread(b, scale, a.type), made))
    return b.matmul(b.matmul(u, made), vh)


def _lifted(b: Builder, values: Node) -> Node:
    """Singular values; what is below a tiny part of the largest counts as that.

    The two smallest are as they are: nothing is divided by them.
    """
    *lead, n = values.type.shape
    largest = b.slice(
        values,
        start=(0,) * (len(lead) + 1),
        shape=(*lead, 1),
        step=(1,) * (len(lead) + 1),
    )
    is_nothing = b.eq(largest, b.like(largest, 0.0))
    largest = b.select(is_nothing, b.like(largest, 1.0), largest)
    least = b.broadcast(b.mul(largest, b.like(largest, _tiny(n))), values.type)
    place = b.broadcast(
        b.iota(shape=(n,), axis=0, dtype="i64"), values.type.with_dtype("i64")
    )
    is_last = b.ge(place, b.like(place, n - 2))
    return b.select(is_last, values, b.maximum(values, least))


def _cofactors_of_two(b: Builder, t: Node) -> Node:
    """``J T Jᵀ`` with ``J = [0 1; -1 0]``, of matrices of two rows."""
    across = b.iota(shape=(2, 2), axis=1, dtype="i64")
    down = b.iota(shape=(2, 2), axis=0, dtype="i64")
    turn = b.broadcast(b.cast(b.sub(across, down), t.type.dtype), t.type)
    return b.matmul(b.matmul(turn, t), transposed(b, turn))


def _sum(b: Builder, x: Node, factor: float) -> Node:
    """The entries of each matrix added up, times a number."""
    total = b.reduce_sum(x, axes=(x.type.rank - 2, x.type.rank - 1))
    return b.mul(total, b.like(total, factor))


def _bordered(b: Builder, x: Node) -> Node:
    """With two more rows and columns of zeros."""
    none = (0,) * x.type.rank
    return b.pad(x, low=none, high=(*none[2:], 2, 2), interior=none, value=0.0)


def _product_of_pivots(b: Builder, factors: Node, sign: Node) -> Node:
    product = b.reduce_prod(diagonal(b, factors), axes=(factors.type.rank - 2,))
    return b.mul(b.cast(sign, factors.type.dtype), product)


def _orthogonal_sign(b: Builder, u: Node) -> Node:
    """The determinant of an orthogonal matrix, which is constant here."""
    factors, _, sign = b.lu(u).values
    return b.stop_gradient(_product_of_pivots(b, factors, sign))


def _determinant(b: Builder, g: Node, factors: Node, order: Node, sign: Node) -> Node:
    """Of a matrix with these factors; its derivatives are those of an exponential."""
    value = b.stop_gradient(_product_of_pivots(b, factors, sign))
    grown = b.logdet(g, factors, order, b.like(value, 0.0))
    return b.mul(value, b.exp(grown))
