"""The functions of `scipy.special` on complex numbers: Faddeeva's and Lambert's.

They take complex numbers whole; of other functions these are made of pairs.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..types import TensorType
from .elementwise import reciprocal
from .spec import OpDef, register, require, require_dtype
from .special import ROOT_PI, function, ufunc_of

if TYPE_CHECKING:
    from typing import Any

    from ..builder import Builder
    from ..graph import Node

__all__ = ["LAMBERTW", "WOFZ"]


def _wofz_type(z: TensorType) -> TensorType:
    require_dtype(z.is_complex, "wofz", f"takes complex numbers, not {z}")
    return z


def _wofz_slope(b: Builder, w: Node, z: Node) -> Node:
    """``w' = 2i / sqrt(pi) - 2 z w`` (DLMF 7.10.2)."""
    constant, two = b.like(z, 2j / ROOT_PI), b.like(z, 2.0 + 0j)
    return b.sub(constant, b.mul(two, b.mul(z, w)))


def _wofz_adjoint(b: Builder, n: Node, g: Node, z: Node) -> tuple[Node]:
    return (b.chain(g, b.conj(_wofz_slope(b, n, z))),)


WOFZ = register(
    OpDef(
        "wofz",
        1,
        _wofz_type,
        lambda z: ufunc_of("wofz")(z),
        _wofz_adjoint,
        ufunc="wofz",
    )
)


def _lambertw_type(z: TensorType, k: TensorType, tol: TensorType) -> TensorType:
    require_dtype(z.is_complex, "lambertw", f"takes complex numbers, not {z}")
    for type_, right in ((k, z.with_dtype("i64")), (tol, z.part)):
        require_dtype(type_.dtype == right.dtype, "lambertw", f"{type_} for {right}")
        require(type_ == right, "lambertw", f"{z} and {type_} differ")
    return z


def _lambertw_adjoint(
    b: Builder, n: Node, g: Node, z: Node, k: Node, tol: Node
) -> tuple[Any, ...]:
    """``W' = 1 / (z + exp(W))`` (DLMF 4.13.4), smooth at 0 on the branch 0."""
    slope = b.div(b.like(z, 1 + 0j), b.add(z, b.exp(n)))
    return b.chain(g, b.conj(slope)), None, None


LAMBERTW = register(
    OpDef(
        "lambertw",
        3,
        _lambertw_type,
        lambda z, k, tol: ufunc_of("lambertw")(z, k, tol),
        _lambertw_adjoint,
        constant_slots=(1, 2),
        ufunc="lambertw",
    )
)

# Voigt's profile is the real part of w(z) / (s sqrt(2 pi)), where z is
# (x + i g) / (s sqrt(2)): DLMF 7.19.1. Without the Gauss in it, at s = 0, its
# derivatives are NaN.


def _by_place(b: Builder, x: Node, s: Node, g: Node) -> tuple[Node, Node]:
    """The derivatives by x and g: parts of ``w'(z) / (2 s^2 sqrt(pi))``."""
    dtype = x.type.dtype
    x, s, g = (b.cast(value, "f64") for value in (x, s, g))
    wide = b.mul(s, b.like(s, math.sqrt(2)))
    z = b.complex(b.div(x, wide), b.div(g, wide))
    slope = _wofz_slope(b, b.add_node("wofz", z), z)
    over = reciprocal(b, b.mul(b.mul(wide, wide), b.like(s, ROOT_PI)))
    by_x, by_g = b.mul(b.real(slope), over), b.neg(b.mul(b.imag(slope), over))
    return b.cast(by_x, dtype), b.cast(by_g, dtype)


def _by_width(b: Builder, n: Node, x: Node, s: Node, g: Node) -> Node:
    """``-(V + x dV/dx + g dV/dg) / s``: V is homogeneous."""
    by_x, by_g = _by_place(b, x, s, g)
    return b.neg(b.div(b.add(n, b.add(b.mul(x, by_x), b.mul(g, by_g))), s))


function(
    "voigt_profile",
    lambda b, n, *given: _by_place(b, *given)[0],
    _by_width,
    lambda b, n, *given: _by_place(b, *given)[1],
)
