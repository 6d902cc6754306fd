"""The pseudo-inverse, whose derivative is made of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..types import TensorType
from .lapack import handed_on, identity
from .linalg import adjoined
from .mapped import stacked
from .spec import OpDef, register, require, require_dtype

if TYPE_CHECKING:
    from ..builder import Builder
    from ..graph import Node

__all__ = ["PINV"]


def _pinv_type(a: TensorType, value: TensorType) -> TensorType:
    require(a.rank >= 2, "pinv", f"{a} is not a matrix")
    turned = a.with_shape((*a.shape[:-2], a.shape[-1], a.shape[-2]))
    require(value.shape == turned.shape, "pinv", f"{value} is not made of {a}")
    require_dtype(
        a.has_gradient and a.dtype == value.dtype, "pinv", f"{a} and {value} differ"
    )
    return value


def _pinv_adjoint(
    b: Builder, n: Node, g: Node, a: Node, value: Node
) -> tuple[Node, None]:
    """``value`` handed on as A⁺; its derivative while the rank stays is

    ``dA⁺ = -A⁺ dA A⁺ + A⁺ A⁺ᴴ dAᴴ (1 - A A⁺) + (1 - A⁺ A) dAᴴ A⁺ᴴ A⁺``

    (Golub, Pereyra 1973, "The differentiation of pseudo-inverses and nonlinear least
    squares problems whose variables separate").
    """
    turned, bar = adjoined(b, n), adjoined(b, g)
    inverse = b.neg(b.matmul(b.matmul(turned, g), turned))
    outer, inner = b.matmul(a, n), b.matmul(n, a)
    off_rows = b.sub(identity(b, outer.type), outer)
    off_columns = b.sub(identity(b, inner.type), inner)
    rows = b.matmul(b.matmul(off_rows, bar), b.matmul(n, turned))
    columns = b.matmul(b.matmul(turned, n), b.matmul(bar, off_columns))
    return b.add(b.add(inverse, rows), columns), None


PINV = register(
    OpDef(
        "pinv",
        2,
        _pinv_type,
        handed_on,
        _pinv_adjoint,
        constant_slots=(1,),
        vmap=stacked,
    )
)
