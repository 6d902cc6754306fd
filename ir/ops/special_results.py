"""The functions of `scipy.special` that have several results: one op makes them all."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .special import functions, scaled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..builder import Builder
    from ..graph import Node

__all__: list[str] = []

# Integrals: DLMF 6.2, 7.2. SciPy's real Ci and Chi of -x are those of x.


def _fresnel(b: Builder, ys: Sequence[Node], x: Node) -> tuple[Node, Node]:
    angle = scaled(b, b.mul(x, x), math.pi / 2)
    return b.sin(angle), b.cos(angle)


def _shi_slope(b: Builder, x: Node) -> Node:
    """``sinh(x) / x`` as 0F1(3/2; x^2/4) (DLMF 10.39.9), smooth at 0."""
    return b.add_node("hyp0f1", b.like(x, 1.5), scaled(b, b.mul(x, x), 0.25))


functions("fresnel", 2, _fresnel)
functions("sici", 2, lambda b, ys, x: (b.bessel_ratio0(x), b.div(b.cos(x), x)))
functions("shichi", 2, lambda b, ys, x: (_shi_slope(b, x), b.div(b.cosh(x), x)))

# Airy functions and their slopes: DLMF 9.2.1, y'' = x y.


def _airy(b: Builder, ys: Sequence[Node], x: Node) -> tuple[Node, ...]:
    ai, ai_slope, bi, bi_slope = ys
    return ai_slope, b.mul(x, ai), bi_slope, b.mul(x, bi)


def _airye(b: Builder, ys: Sequence[Node], x: Node) -> tuple[Node, ...]:
    """Times exp(2/3 x^(3/2)), and for Bi exp(-2/3 x^(3/2)) where x is above 0."""
    zero = b.like(x, 0.0)
    root = b.select(b.gt(x, zero), b.sqrt(x), zero)
    ai, ai_slope, bi, bi_slope = ys
    return (
        b.add(ai_slope, b.mul(root, ai)),
        b.add(b.mul(x, ai), b.mul(root, ai_slope)),
        b.sub(bi_slope, b.mul(root, bi)),
        b.sub(b.mul(x, bi), b.mul(root, bi_slope)),
    )


functions("airy", 4, _airy)
functions("airye", 4, _airye)

# Jacobi's elliptic functions and the amplitude: DLMF 22.13, 22.16.1.


def _ellipj(b: Builder, ys: Sequence[Node], u: Node, m: Node) -> tuple[Node, ...]:
    sn, cn, dn, _ = ys
    return b.mul(cn, dn), b.neg(b.mul(sn, dn)), b.neg(b.mul(m, b.mul(sn, cn))), dn


functions("ellipj", 4, _ellipj, "the parameter m of ellipj")
