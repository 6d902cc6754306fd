"""Gamma functions of `scipy.special`, and the distributions whose integrals they are.

DLMF 5.2, 5.12, 5.15, and 25.11 for zeta.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .elementwise import elementwise, reciprocal
from .special import function, scaled, shifted, ufunc_of

if TYPE_CHECKING:
    from ..builder import Builder
    from ..graph import Node

__all__: list[str] = []


def _digamma(b: Builder, x: Node) -> Node:
    return b.add_node("digamma", x)


for _name in ("gammaln", "loggamma"):
    function(_name, lambda b, n, x: _digamma(b, x))


def _zeta_by_q(b: Builder, n: Node, s: Node, q: Node) -> Node:
    return b.neg(b.mul(s, b.add_node("zeta", shifted(b, s, 1.0), q)))


function("zeta", "the exponent of zeta", _zeta_by_q)
function("zetac", "the exponent of zeta")
elementwise(
    "trigamma",
    1,
    lambda x: ufunc_of("zeta")(2.0, x),
    "trigamma({0})",
    lambda b, n, g, x: (
        b.chain(g, scaled(b, b.add_node("zeta", b.like(x, 3.0), x), -2.0)),
    ),
)
function("digamma", lambda b, n, x: b.add_node("trigamma", x))


def _gamma_slope(b: Builder, n: Node, x: Node) -> Node:
    """``n digamma(x)``; all derivatives are infinite where a real n overflows."""
    if x.type.is_complex:
        return b.mul(n, _digamma(b, x))
    two = b.like(x, 2.0)
    far = b.logical_and(b.isinf(n), b.gt(x, two))
    return b.mul(n, _digamma(b, b.select(far, two, x)))


function("gamma", _gamma_slope)


def _rgamma_slope(b: Builder, n: Node, x: Node) -> Node:
    """Below 1/2 that of Γ(1 - x) sin(πx) / π (DLMF 5.5.3), smooth where Γ is not."""
    half, other = b.like(x, 0.5), b.sub(b.like(x, 1.0), x)
    angle = scaled(b, x, math.pi)
    sine = scaled(b, b.mul(_digamma(b, other), b.sin(angle)), 1 / math.pi)
    below = b.mul(b.add_node("gamma", other), b.sub(b.cos(angle), sine))
    return b.select(b.lt(x, half), below, b.neg(b.mul(n, _digamma(b, x))))


function("rgamma", _rgamma_slope)


def _of_beta(b: Builder, x: Node, y: Node) -> Node:
    return b.sub(_digamma(b, x), _digamma(b, b.add(x, y)))


function(
    "betaln", lambda b, n, x, y: _of_beta(b, x, y), lambda b, n, x, y: _of_beta(b, y, x)
)
function(
    "beta",
    lambda b, n, x, y: b.mul(n, _of_beta(b, x, y)),
    lambda b, n, x, y: b.mul(n, _of_beta(b, y, x)),
)
function(
    "poch",
    lambda b, n, a, m: b.mul(n, b.sub(_digamma(b, b.add(a, m)), _digamma(b, a))),
    lambda b, n, a, m: b.mul(n, _digamma(b, b.add(a, m))),
)


def _binom_by_rest(b: Builder, y: Node, n: Node, k: Node) -> Node:
    """The derivative by n - k alone, also where that is a negative integer.

    binom = Γ(n + 1) / (Γ(k + 1) Γ(n - k + 1)): the last factor is smooth there, and 0.
    """
    last = shifted(b, b.sub(n, k), 1.0)
    factors = b.mul(
        b.add_node("gamma", shifted(b, n, 1.0)),
        b.add_node("rgamma", shifted(b, k, 1.0)),
    )
    beyond = b.mul(factors, _rgamma_slope(b, b.add_node("rgamma", last), last))
    inside = b.neg(b.mul(y, _digamma(b, last)))
    return b.select(b.lt(last, b.like(y, 0.5)), beyond, inside)


function(
    "binom",
    lambda b, y, n, k: b.add(
        b.mul(y, _digamma(b, shifted(b, n, 1.0))), _binom_by_rest(b, y, n, k)
    ),
    lambda b, y, n, k: b.neg(
        b.add(b.mul(y, _digamma(b, shifted(b, k, 1.0))), _binom_by_rest(b, y, n, k))
    ),
)


def gamma_density(b: Builder, a: Node, x: Node) -> Node:
    """``x^(a-1) exp(-x) / Γ(a)``"""
    power = b.sub(b.add_node("xlogy", shifted(b, a, -1.0), x), x)
    return b.exp(b.sub(power, b.add_node("gammaln", a)))


def beta_density(b: Builder, p: Node, q: Node, x: Node) -> Node:
    """``x^(p-1) (1-x)^(q-1) / B(p, q)``"""
    power = b.add(
        b.add_node("xlogy", shifted(b, p, -1.0), x),
        b.add_node("xlog1py", shifted(b, q, -1.0), b.neg(x)),
    )
    return b.exp(b.sub(power, b.add_node("betaln", p, q)))


for _name, _sign in (("gammainc", 1.0), ("gammaincc", -1.0)):
    function(
        _name,
        f"the order of {_name}",
        lambda b, n, a, x, sign=_sign: scaled(b, gamma_density(b, a, x), sign),
    )
    function(
        f"{_name}inv",
        f"the order of {_name}inv",
        lambda b, n, a, y, sign=_sign: b.div(b.like(n, sign), gamma_density(b, a, n)),
    )
for _name, _sign in (("betainc", 1.0), ("betaincc", -1.0)):
    _parameters = (
        f"the first parameter of {_name}",
        f"the second parameter of {_name}",
    )
    function(
        _name,
        *_parameters,
        lambda b, n, p, q, x, sign=_sign: scaled(b, beta_density(b, p, q, x), sign),
    )
    function(
        f"{_name}inv",
        *_parameters,
        lambda b, n, p, q, y, sign=_sign: b.div(
            b.like(n, sign), beta_density(b, p, q, n)
        ),
    )


def t_density(b: Builder, df: Node, t: Node) -> Node:
    """The density of Student's t."""
    half = scaled(b, df, 0.5)
    norm = b.add_node("betaln", half, b.like(df, 0.5))
    tail = b.mul(shifted(b, half, 0.5), b.log1p(b.div(b.mul(t, t), df)))
    return b.div(b.exp(b.neg(b.add(norm, tail))), b.sqrt(df))


function("stdtr", "the degrees of freedom", lambda b, n, df, t: t_density(b, df, t))
function(
    "stdtrit",
    "the degrees of freedom",
    lambda b, n, df, p: reciprocal(b, t_density(b, df, n)),
)
