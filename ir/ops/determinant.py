"""Determinants: values that pivots give, with the derivatives of the matrix's.

``det(a, factors, order, value)`` and ``logdet(...)`` hand on a value that plain nodes
make of the factors of ``lu(a)``, and know its derivative by ``a``. The logarithm of a
complex matrix is a complex number: its imaginary part is the determinant's angle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..types import TensorType
from .lapack import handed_on, identity, require_square, spread
from .mapped import stacked
from .spec import OpDef, register, require

if TYPE_CHECKING:
    from ..builder import Builder
    from ..graph import Node

__all__ = ["DET", "LOGDET"]


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
    """``A.bar = d.bar d* A⁻ᴴ`` (Giles 2008, 2.2.4), d* the conjugate."""
    inverse = _inverse_adjoined(b, a, factors, order)
    return b.mul(spread(b, b.mul(g, b.conj(n)), a.type), inverse), None, None, None


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
