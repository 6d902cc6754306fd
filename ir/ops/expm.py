"""The exponential of matrices, whose derivative is another one.

``expm(a, squarings, value)`` hands on a value that plain nodes make, see `exponential`,
and knows its derivative by ``a``.

The formulas: Higham 2005, "The scaling and squaring method for the matrix exponential
revisited"; Al-Mohy, Higham 2009, "A new scaling and squaring algorithm for the matrix
exponential" (how often to square); Najfeld, Havel 1995, "Derivatives of the matrix
exponential and their computation" (by a matrix of twice the size).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..graph import Graph, Output
from ..types import TensorType
from .complex import magnitude
from .lapack import handed_on, identity, require_square, spread
from .linalg import adjoined
from .mapped import stacked
from .spec import Adjoint, OpDef, register, require

if TYPE_CHECKING:
    from ..builder import Builder
    from ..graph import Node

__all__ = [
    "EXPM",
    "exponential",
    "norm_of",
    "of_adjoined",
    "of_blocks",
    "upper_right",
]

PADE = (
    *(64764752532480000, 32382376266240000, 7771770303897600, 1187353796428800),
    *(129060195264000, 10559470521600, 670442572800, 33522128640, 1323241920),
    *(40840800, 960960, 16380, 182, 1),
)
"""The numerator of the approximation of order 13, from the constant term on."""
THETA = 4.74
"""The norm up to which value and derivative have all digits (Al-Mohy, Higham 2009)."""
REST = 27
"""The power of the first term that the approximation leaves out."""
REST_FACTOR = 1 / (math.comb(26, 13) * math.factorial(27))


def norm_of(b: Builder, x: Node) -> Node:
    """The largest sum of magnitudes of a column of each matrix."""
    rank = x.type.rank
    sums = b.reduce_sum(magnitude(b, x), axes=(rank - 2,))
    return b.reduce_max(sums, axes=(rank - 2,))


def exponential(b: Builder, a: Node) -> Node:
    """``e^A`` of each matrix, with its derivative."""
    if 0 in a.type.shape:
        return a
    squarings = _squarings(b, b.stop_gradient(a))
    return b.expm(a, squarings, _value(b, b.stop_gradient(a), squarings))


def _squarings(b: Builder, a: Node) -> Node:
    """How often each matrix has to be halved, so that the approximation is right.

    Roots of the norms of powers are what counts, which may be far less than the norm;
    but where the entries' sizes alone tell that too many digits are lost, it is more.
    """
    second = b.matmul(a, a)
    fourth = b.matmul(second, second)
    powers = {6: b.matmul(fourth, second), 8: b.matmul(fourth, fourth)}
    roots = [
        b.power(
            norm_of(b, x),
            b.full(a.type.part.with_shape(a.type.shape[:-2]), 1 / k),
        )
        for k, x in powers.items()
    ]
    norm = norm_of(b, a)
    size = b.minimum(norm, b.maximum(*roots))
    first = _halvings(b, b.div(size, b.like(size, THETA)))
    scaled = _scaled(b, magnitude(b, a), first)
    *lead, n, _ = a.type.shape
    row = b.full(scaled.type.with_shape((*lead, 1, n)), 1.0)
    for _ in range(REST):
        row = b.matmul(row, scaled)
    factor = REST_FACTOR * 2.0**53
    rest = b.div(b.mul(norm_of(b, row), b.like(norm, factor)), norm_of(b, scaled))
    root = b.power(b.maximum(rest, b.like(rest, 1.0)), b.like(rest, 1 / (REST - 1)))
    return b.cast(b.add(first, _halvings(b, root)), "i64")


def _halvings(b: Builder, ratio: Node) -> Node:
    """How often a number has to be halved to be at most 1."""
    count = b.ceil(b.log2(ratio))
    most = b.like(count, 1100.0)
    bounded = b.select(b.lt(count, most), count, most)
    return b.select(b.gt(ratio, b.like(ratio, 1.0)), bounded, b.like(count, 0.0))


def _scaled(b: Builder, x: Node, halvings: Node) -> Node:
    power = b.exp2(b.neg(b.cast(halvings, x.type.part.dtype)))
    return b.mul(x, spread(b, power, x.type))


def _value(b: Builder, a: Node, squarings: Node) -> Node:
    """A rational approximation of the scaled matrix, squared again and again."""
    if 0 in a.type.shape:
        return a
    x = _scaled(b, a, squarings)
    one = identity(b, x.type)
    second = b.matmul(x, x)
    fourth = b.matmul(second, second)
    sixth = b.matmul(fourth, second)
    powers = one, second, fourth, sixth

    def total(first: int) -> Node:
        low = [b.mul(p, b.like(p, PADE[first + 2 * k])) for k, p in enumerate(powers)]
        high = [
            b.mul(p, b.like(p, PADE[first + 6 + 2 * k]))
            for k, p in enumerate(powers[1:], 1)
        ]
        return b.add_n(b.matmul(sixth, b.add_n(*high)), *low)

    odd, even = b.matmul(x, total(1)), total(0)
    denominator = b.sub(even, odd)
    factors, order, _ = b.lu(denominator).values
    flags = {"transposed": False, "strict": False}
    made = b.solve_lu(denominator, factors, order, b.add(even, odd), **flags)
    axes = tuple(range(squarings.type.rank))
    limit = b.reduce_max(squarings, axes=axes)
    body = _squared(x.type, squarings.type, b.source)
    operands = limit, squarings, made
    return b.add_node("loop", *operands, regions=(body,), carried=1, limit=True)


def _squared(type_: TensorType, counts: TensorType, source: Any) -> Graph:
    """The body of a loop: the square of each matrix that has not had all of them."""
    from ..builder import Builder

    b = Builder("body")
    b.source = source
    t = b.input("t", TensorType("i64", ()))
    squarings, x = b.input("squarings", counts), b.input("x", type_)
    is_left = b.lt(b.broadcast(t, counts), squarings)
    mask = spread(b, is_left, type_.with_dtype("bool"))
    made = b.select(mask, b.matmul(x, x), x)
    return b.build([Output(made.name)])


def of_blocks(b: Builder, a: Node, e: Node) -> Node:
    """``[[a, e], [0, a]]``."""
    rank = a.type.rank
    above = b.concatenate(a, e, axis=rank - 1)
    below = b.concatenate(b.like(a, 0.0), a, axis=rank - 1)
    return b.concatenate(above, below, axis=rank - 2)


def _expm_type(a: TensorType, squarings: TensorType, value: TensorType) -> TensorType:
    require_square("expm", a)
    require(
        squarings == TensorType("i64", a.shape[:-2]) and value == a,
        "expm",
        f"{squarings} and {value} are not made of {a}",
    )
    return value


def _expm_adjoint(
    b: Builder, n: Node, g: Node, a: Node, squarings: Node, value: Node
) -> tuple[Node, None, None]:
    """``A.bar = L(A, V.barᴴ)ᴴ``, where e^[[A, E], [0, A]] has L(A, E) above (N., H.).

    L is linear in E, so the matrix is scaled as A is.
    """
    whole = of_blocks(b, a, adjoined(b, g))
    made = b.expm(whole, squarings, _value(b, b.stop_gradient(whole), squarings))
    return (adjoined(b, upper_right(b, made)), None, None)


def of_adjoined(rule: Adjoint) -> Callable[..., tuple[Node]]:
    """The tangent L(A, A.dot) of a function whose adjoint is L(A, V.barᴴ)ᴴ."""

    def tangent(
        b: Builder, n: Node, dots: Sequence[Node | None], a: Node, *others: Node
    ) -> tuple[Node]:
        assert dots[0] is not None, "no other operand has a tangent"
        made = rule(b, n, adjoined(b, dots[0]), a, *others)[0]
        assert made is not None, "a rule has a contribution for the matrix"
        return (adjoined(b, made),)

    return tangent


def upper_right(b: Builder, x: Node) -> Node:
    """The block of half the size there."""
    *lead, n, _ = x.type.shape
    start = (*(0 for _ in lead), 0, n // 2)
    shape = (*lead, n // 2, n // 2)
    return b.slice(x, start=start, shape=shape, step=(1,) * x.type.rank)


EXPM = register(
    OpDef(
        "expm",
        3,
        _expm_type,
        handed_on,
        _expm_adjoint,
        constant_slots=(1, 2),
        tangent=of_adjoined(_expm_adjoint),
        vmap=stacked,
    )
)
