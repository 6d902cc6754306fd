"""Cholesky's factor of a symmetric matrix, and the cotangent of the matrix.

Both are differentiated as functions of a symmetric matrix, or of a Hermitian one, of
which the lower triangle is read. The formulas: Murray 2016, "Differentiation of the
Cholesky decomposition". Phi takes the lower triangle and half of the diagonal; S(X) is
``(X + Xᴴ) / 2``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import LinAlgError
from ..types import TensorType
from .lapack import divided, require_square, scaled_diagonal, triangle
from .linalg import adjoined, transposed
from .mapped import stacked
from .spec import OpDef, register, require

if TYPE_CHECKING:
    from ..builder import Builder
    from ..graph import Node

__all__ = ["CHOLESKY", "CHOLESKY_INPUT"]

NOT_DEFINITE = "Matrix is not positive definite"


def _cholesky_type(a: TensorType) -> TensorType:
    require_square("cholesky", a)
    return a


def _cholesky(a: Any) -> Any:
    try:
        return np.linalg.cholesky(a)
    except np.linalg.LinAlgError:
        raise LinAlgError(NOT_DEFINITE) from None


def _cholesky_adjoint(b: Builder, n: Node, g: Node, a: Node) -> tuple[Node]:
    """``A.bar = L⁻ᴴ S(Phi(Lᴴ L.bar)) L⁻¹`` (Murray 2016, equation 10)."""
    if n.type.is_complex:
        return (_hermitian_input(b, n, g),)
    return (b.cholesky_input(n, g),)


def _hermitian_input(b: Builder, n: Node, g: Node) -> Node:
    """The same of complex matrices, by solving from both sides."""
    inner = b.matmul(adjoined(b, n), triangle(b, g, lower=True))
    phi = triangle(b, scaled_diagonal(b, inner, 0.5), lower=True)
    low = b.conj(n)
    left = divided(b, low, phi, lower=True, transposed=True)
    # X L⁻¹ is (L⁻ᴴ Xᴴ)ᴴ.
    right = divided(b, low, adjoined(b, left), lower=True, transposed=True)
    both = b.add(right, adjoined(b, right))
    return b.mul(both, b.like(both, 0.5))


def _input_type(factor: TensorType, bar: TensorType) -> TensorType:
    require_square("cholesky_input", factor)
    require(factor == bar, "cholesky_input", f"{factor} and {bar} differ")
    return factor


def _turned(x: Any) -> Any:
    return np.swapaxes(x, -1, -2)


def _cholesky_input(factor: Any, bar: Any) -> Any:
    low = np.tril(factor)
    inner = np.tril(_turned(low) @ np.tril(bar))
    inner *= 1 - 0.5 * np.eye(low.shape[-1], dtype=low.dtype)
    both = 0.5 * (inner + _turned(inner))
    left = np.linalg.solve(_turned(low), both)
    return _turned(np.linalg.solve(_turned(low), _turned(left)))


def _input_adjoint(
    b: Builder, n: Node, h: Node, factor: Node, bar: Node
) -> tuple[Node, Node]:
    """``X = cholesky_input(L, G)``, with ``T = L⁻¹ S(X.bar)`` and ``M = Phi(L⁻¹ Tᵀ)``:

    ``L.bar = tril(G Mᵀ - 2 X Tᵀ)``,  ``G.bar = tril(L M)``.
    """
    low, given = (triangle(b, x, lower=True) for x in (factor, bar))
    both = b.add(h, transposed(b, h))
    half = b.mul(both, b.like(both, 0.5))
    left = divided(b, low, half, lower=True, transposed=False)
    inner = divided(b, low, transposed(b, left), lower=True, transposed=False)
    phi = triangle(b, scaled_diagonal(b, inner, 0.5), lower=True)
    twice = b.mul(n, b.like(n, 2.0))
    of_factor = b.sub(
        b.matmul(given, transposed(b, phi)), b.matmul(twice, transposed(b, left))
    )
    of_bar = b.matmul(low, phi)
    return triangle(b, of_factor, lower=True), triangle(b, of_bar, lower=True)


CHOLESKY = register(
    OpDef(
        "cholesky",
        1,
        _cholesky_type,
        _cholesky,
        _cholesky_adjoint,
        fails=("linalg", NOT_DEFINITE),
        vmap=stacked,
    )
)
CHOLESKY_INPUT = register(
    OpDef(
        "cholesky_input",
        2,
        _input_type,
        _cholesky_input,
        _input_adjoint,
        linear=((1,),),
        vmap=stacked,
    )
)
