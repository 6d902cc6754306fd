"""What the rules of factorizations with orthogonal factors are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..types import TensorType
from .lapack import identity, scaled_diagonal
from .linalg import adjoined

if TYPE_CHECKING:
    from ..builder import Builder
    from ..graph import Node

__all__ = [
    "as_columns",
    "as_rows",
    "block_of",
    "distances",
    "first_part",
    "hollow",
    "is_nothing",
    "on_diagonal",
    "quotient",
    "skew_of",
    "sum_of",
    "within",
]


def first_part(b: Builder, x: Node, rows: int, columns: int) -> Node:
    """The first rows and columns."""
    return block_of(b, x, (0, 0), (rows, columns))


def block_of(
    b: Builder, x: Node, start: tuple[int, int], shape: tuple[int, int]
) -> Node:
    """A block of each matrix; the matrix itself if it is the whole."""
    if x.type.shape[-2:] == shape:
        return x
    lead = x.type.shape[:-2]
    return b.slice(
        x,
        start=(*(0 for _ in lead), *start),
        shape=(*lead, *shape),
        step=(1,) * x.type.rank,
    )


def as_rows(b: Builder, x: Node, type_: TensorType) -> Node:
    """A vector as each row of a matrix."""
    *lead, n = x.type.shape
    return b.broadcast(b.reshape(x, (*lead, 1, n)), type_)


def as_columns(b: Builder, x: Node, type_: TensorType) -> Node:
    """A vector as each column of a matrix."""
    return b.broadcast(b.reshape(x, (*x.type.shape, 1)), type_)


def on_diagonal(b: Builder, x: Node, dtype: str) -> Node:
    """The matrix of a dtype with a vector on its diagonal."""
    *lead, n = x.type.shape
    type_ = x.type.with_shape((*lead, n, n))
    return b.cast(b.mul(as_rows(b, x, type_), identity(b, type_)), dtype)


def skew_of(b: Builder, x: Node) -> Node:
    """``X - Xᴴ``."""
    return b.sub(x, adjoined(b, x))


def hollow(b: Builder, x: Node) -> Node:
    """A skew matrix with zeros on its diagonal, where a complex one turns phases."""
    return scaled_diagonal(b, x, 0.0) if x.type.is_complex else x


def quotient(b: Builder, x: Node, distance: Node, nothing: Node) -> Node:
    """``x / distance``, and 0 where the distance is 0 and ``nothing`` is true.

    The derivative is that of the quotient all the same, so what is not defined there is
    infinite or NaN at the next order.
    """
    left_out = b.logical_and(nothing, b.eq(distance, b.like(distance, 0.0)))
    zero = b.straight_through(b.like(x, 0.0), x)
    distance = b.cast(distance, x.type.dtype)
    kept = b.chain(zero, b.div(b.like(distance, 1.0), distance))
    return b.select(left_out, kept, b.div(x, distance))


def is_nothing(
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
    scale = sum_of(b, *(_largest(b, part) for part in of))
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
    apart = b.sub(as_rows(b, w, type_), as_columns(b, w, type_))
    return b.add(apart, identity(b, type_))


def sum_of(b: Builder, *terms: Node | None) -> Node | None:
    """The sum of what is there."""
    found = [term for term in terms if term is not None]
    made = found[0] if found else None
    for term in found[1:]:
        assert made is not None, "there is a first one"
        made = b.add(made, term)
    return made


def within(b: Builder, g: Node | None, q: Node, thin: int) -> Node | None:
    """The cotangent of the first columns of an orthogonal matrix.

    The others span what the first ones do not, so a function of their space is one of
    the first: ``Q1.bar - Q2 (Q2.barᴴ Q1)``.
    """
    rows, columns = q.type.shape[-2:]
    if g is None or columns == thin:
        return g
    rest = columns - thin
    first, other = first_part(b, q, rows, thin), block_of(b, q, (0, thin), (rows, rest))
    g_first, g_other = (
        first_part(b, g, rows, thin),
        block_of(b, g, (0, thin), (rows, rest)),
    )
    moved = b.matmul(other, b.matmul(adjoined(b, g_other), first))
    return b.sub(g_first, moved)
