"""Determinants: values that pivots give, with the derivatives of the matrix's.

``det(a, factors, order, value)`` and ``logdet(...)`` hand on a value that plain nodes
make of the factors of ``lu(a)``, and know its derivative by ``a``. The logarithm of a
complex matrix is a complex number: its imaginary part is the determinant's angle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..graph import Graph, Output
from ..types import TensorType
from .complex import magnitude
from .lapack import handed_on, identity, require_square, spread, unordered
from .mapped import stacked
from .spec import OpDef, register, require

if TYPE_CHECKING:
    from ..builder import Builder
    from ..graph import Node

__all__ = ["DET", "LOGDET"]

_LEAST = 2.0**-700  # what a pivot of 0 counts as in a matrix of zeros


def _value_type(
    a: TensorType, factors: TensorType, order: TensorType, value: TensorType
) -> TensorType:
    require_square("det", a)
    require(
        factors == a
        and order == TensorType("i64", a.shape[:-1])
        and value == TensorType(a.dtype, a.shape[:-2]),
        "det",
        f"{factors}, {order}, {value} are not made of {a}",
    )
    return value


def _inverse_adjoined(b: Builder, a: Node, factors: Node, order: Node) -> Node:
    one = identity(b, a.type)
    return b.conj(b.solve_lu(a, factors, order, one, transposed=True, strict=False))


def _det_adjoint(
    b: Builder, n: Node, g: Node, a: Node, factors: Node, order: Node, value: Node
) -> tuple[Node, None, None, None]:
    """``A.bar = d.bar d* A⁻ᴴ`` (Giles 2008, 2.2.4), d* the conjugate.

    So ``d* A⁻ᴴ`` are the conjugate cofactors, which singular matrices have too. There
    the second derivative is NaN.
    """
    inverse = _inverse_adjoined(b, a, factors, order)
    cofactors = b.mul(spread(b, b.conj(n), a.type), inverse)
    if a.type.size:
        cofactors = _of_singular(b, cofactors, a, factors, order, n)
    return b.mul(spread(b, g, a.type), cofactors), None, None, None


def _of_singular(
    b: Builder, cofactors: Node, a: Node, factors: Node, order: Node, value: Node
) -> Node:
    """The cofactors, made again if one of the determinants is 0."""
    from ..builder import Builder

    sign = b.lu(a).values[2]
    taken = [b.stop_gradient(x) for x in (a, factors)]
    operands = cofactors, *taken, order, sign
    regions: list[Graph] = []
    for name in ("then", "else"):
        region = Builder(name)
        region.source = b.source
        given, *rest = (region.input("x", x.type) for x in operands)
        if name == "then":
            given = region.straight_through(_cofactors(region, *rest), given)
        regions.append(region.build([Output(given.name)]))
    is_singular = b.eq(value, b.like(value, 0.0))
    axes = tuple(range(value.type.rank))
    is_any = b.reduce_any(is_singular, axes=axes) if axes else is_singular
    return b.add_node("cond", is_any, *operands, regions=tuple(regions))


def _tiny(n: int) -> float:
    """What a pivot of 0 counts as, by the largest entry.

    It is below the rounding of that, and the product of n is a number up to n = 16.
    """
    return 2.0 ** -max(60, 900 // n)


def _cofactors(b: Builder, a: Node, factors: Node, order: Node, sign: Node) -> Node:
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


def _logdet_adjoint(
    b: Builder, n: Node, g: Node, a: Node, factors: Node, order: Node, value: Node
) -> tuple[Node, None, None, None]:
    """``A.bar = y.bar A⁻ᴴ`` (Giles 2008, 2.2.4); of a singular matrix inf and NaN."""
    inverse = _inverse_adjoined(b, a, factors, order)
    return b.mul(spread(b, g, a.type), inverse), None, None, None


_CONSTANT = (1, 2, 3)
DET = register(
    OpDef(
        "det",
        4,
        _value_type,
        handed_on,
        _det_adjoint,
        constant_slots=_CONSTANT,
        vmap=stacked,
    )
)
LOGDET = register(
    OpDef(
        "logdet",
        4,
        _value_type,
        handed_on,
        _logdet_adjoint,
        constant_slots=_CONSTANT,
        vmap=stacked,
    )
)
