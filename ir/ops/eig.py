"""Eigenvalues and eigenvectors of matrices that need not be Hermitian.

They are complex numbers, of a real matrix too. The vectors have length 1, and phases
that no derivative moves: ``vᴴ dv`` is 0, as for `ir.ops.orthogonal`.

The formula: Boeddeker, Hanebrink, Drude, Heymann, Haeb-Umbach 2017, "On the computation
of complex-valued gradients with application to statistically optimum beamforming".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import LinAlgError
from ..types import TensorType
from .lapack import identity, require_square, require_wide
from .linalg import adjoined
from .mapped import stacked
from .orthogonal import NO_EIGENVALUES, Bars
from .orthogonal_parts import distances, on_diagonal
from .spec import OpDef, register

if TYPE_CHECKING:
    from ..builder import Builder
    from ..graph import Node

__all__ = ["EIG"]


def _eig_type(a: TensorType) -> tuple[TensorType, TensorType]:
    require_square("eig", a)
    require_wide("eig", a)
    vectors = a.with_dtype("c128")
    return vectors.with_shape(a.shape[:-1]), vectors


def _eig(a: Any) -> tuple[Any, Any]:
    try:
        values, vectors = np.linalg.eig(a)
    except np.linalg.LinAlgError:
        raise LinAlgError(NO_EIGENVALUES) from None
    return values.astype(np.complex128), vectors.astype(np.complex128)


def _eig_adjoint(b: Builder, n: Node, g: Bars, a: Node) -> tuple[Node]:
    """``A.bar = V⁻ᴴ (diag(w.bar) + F* ∘ (K - Vᴴ V diag(K))) Vᴴ`` with ``K = Vᴴ V.bar``.

    ``F[i, j] = 1 / (w[j] - w[i])``, F* its conjugate, and 0 on the diagonal.
    """
    w, v = n.values
    turned = adjoined(b, v)
    inner = None if g[0] is None else on_diagonal(b, g[0], "c128")
    if g[1] is not None:
        k = b.matmul(turned, g[1])
        one = identity(b, k.type)
        along = b.matmul(b.matmul(turned, v), b.mul(k, one))
        apart = b.mul(b.sub(k, along), b.sub(b.like(one, 1.0), one))
        of_v = b.div(apart, b.conj(distances(b, w)))
        inner = of_v if inner is None else b.add(inner, of_v)
    assert inner is not None, "one of the values has a cotangent"
    # V⁻ᴴ X is the conjugate of V⁻ᵀ X*.
    factors, order, _ = b.lu(v).values
    right = b.conj(b.matmul(inner, turned))
    flags = {"transposed": True, "strict": False}
    bar = b.conj(b.solve_lu(v, factors, order, right, **flags))
    return (bar if a.type.is_complex else b.real(bar),)


EIG = register(
    OpDef(
        "eig",
        1,
        _eig_type,
        _eig,
        _eig_adjoint,
        fails=("linalg", NO_EIGENVALUES),
        vmap=stacked,
    )
)
