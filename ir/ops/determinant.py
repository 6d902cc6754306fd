"""Determinants: values that pivots give, with the derivatives of the matrix's.

``det(a, factors, order, value)`` and ``logdet(...)`` hand on a value that plain nodes
make of the factors of ``lu(a)``, and know its derivative by ``a``. The logarithm of a
complex matrix is a complex number: its imaginary part is the determinant's angle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..graph import Graph, Output
from ..types import TensorType
from .cofactors import cofactors, cofactors_of_factors
from .complex import magnitude
from .lapack import diagonal, handed_on, identity, require_square, spread
from .mapped import stacked
from .spec import OpDef, register, require

if TYPE_CHECKING:
    from ..builder import Builder
    from ..graph import Node

__all__ = ["DET", "LOGDET"]

_WORN = 2.0**-26  # pivots below it, by the largest: a second derivative loses digits


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

    So ``d* A⁻ᴴ`` are the conjugate cofactors, which singular matrices have too.
    """
    make = _cofactors if a.type.shape[-1] > 2 else _ordinary
    made = make(b, a, b.stop_gradient(factors), order, b.lu(a).values[2], n)
    return b.mul(spread(b, g, a.type), made), None, None, None


def _cofactors(b: Builder, *operands: Node) -> Node:
    """The conjugate cofactors, in another way if one of the matrices is singular."""
    from ..builder import Builder

    regions: list[Graph] = []
    for name, make in (("then", _of_singular), ("else", _ordinary)):
        region = Builder(name)
        region.source = b.source
        made = make(region, *(region.input("x", x.type) for x in operands))
        regions.append(region.build([Output(made.name)]))
    is_any = _is_singular(b, operands[1])
    return b.add_node("cond", is_any, *operands, regions=tuple(regions))


def _ordinary(
    b: Builder, a: Node, factors: Node, order: Node, sign: Node, value: Node
) -> Node:
    inverse = _inverse_adjoined(b, a, factors, order)
    return b.mul(spread(b, b.conj(value), a.type), inverse)


def _of_singular(
    b: Builder, a: Node, factors: Node, order: Node, sign: Node, value: Node
) -> Node:
    here = b.stop_gradient(a)
    found = cofactors_of_factors(b, here, factors, order, sign)
    return b.straight_through(found, cofactors(b, a))


def _is_singular(b: Builder, factors: Node) -> Node:
    """Whether a matrix has a pivot that is small beside the others."""
    sizes = magnitude(b, diagonal(b, factors))
    *lead, _ = sizes.type.shape
    largest = b.reduce_max(sizes, axes=(len(lead),))
    limit = b.reshape(b.mul(largest, b.like(largest, _WORN)), (*lead, 1))
    is_small = b.le(sizes, b.broadcast(limit, sizes.type))
    return b.reduce_any(is_small, axes=tuple(range(len(lead) + 1)))


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
