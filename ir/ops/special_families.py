"""More of `scipy.special`: Bessel functions, integrals, hypergeometric functions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .elementwise import elementwise, reciprocal
from .special import function, scaled, shifted, ufunc_of

if TYPE_CHECKING:
    from ..builder import Builder
    from ..graph import Node

__all__: list[str] = []

# Integrals of Legendre's; DLMF 19.2.4.


def _amplitude(b: Builder, phi: Node, m: Node) -> Node:
    """``sqrt(1 - m sin(phi)^2)``"""
    sine = b.sin(phi)
    return b.sqrt(b.sub(b.like(m, 1.0), b.mul(m, b.mul(sine, sine))))


function(
    "ellipkinc",
    lambda b, n, phi, m: reciprocal(b, _amplitude(b, phi, m)),
    "the parameter m of ellipkinc",
)
function(
    "ellipeinc",
    lambda b, n, phi, m: _amplitude(b, phi, m),
    "the parameter m of ellipeinc",
)

# Bessel functions: DLMF 10.6.1, 10.29.1. By orders on both sides, so nothing is divided
# by x, and what is smooth at 0 stays so.


def _neighbours(
    b: Builder, name: str, v: Node, x: Node, sign: float, factor: float
) -> Node:
    """``factor (f(v - 1, x) + sign f(v + 1, x))``"""
    below = b.add_node(name, shifted(b, v, -1.0), x)
    above = b.add_node(name, shifted(b, v, 1.0), x)
    both = b.add(below, above) if sign > 0 else b.sub(below, above)
    return scaled(b, both, factor)


_ORDERS = {  # sign, factor, and whose values have the names of the orders 0 and 1
    "jv": (-1.0, 0.5, ("j0", "j1")),
    "yv": (-1.0, 0.5, ("y0", "y1")),
    "iv": (1.0, 0.5, ("i0", "i1")),
    "kv": (1.0, -0.5, ("k0", "k1")),
    "ive": (1.0, 0.5, ("i0e", "i1e")),
    "kve": (1.0, -0.5, ("k0e", "k1e")),
}


def _i2e(x: Any) -> Any:
    """That of order 2, also where SciPy's function of all orders ends."""
    far = np.abs(x) > 1e4
    zeroth, first = ufunc_of("i0e")(x), ufunc_of("i1e")(x)
    return np.where(far, zeroth - 2 * np.abs(first / x), ufunc_of("ive")(2.0, x))


def _second(b: Builder, name: str, x: Node) -> Node:
    """That of order 2."""
    if name == "ive":
        return b.add_node("i2e", x)
    return b.add_node(name, b.like(x, 2.0), x)


def _unscaled(b: Builder, name: str, n: Node, x: Node, slope: Node) -> Node:
    """With what the factor exp(-|x|) of ``ive``, or exp(x) of ``kve`` adds."""
    if name == "ive":
        return b.sub(slope, b.mul(b.sign(x), n))
    return b.add(slope, n) if name == "kve" else slope


def _i2e_adjoint(b: Builder, n: Node, g: Node, x: Node) -> tuple[Node]:
    sign, factor, _ = _ORDERS["ive"]
    slope = _neighbours(b, "ive", b.like(x, 2.0), x, sign, factor)
    return (b.chain(g, _unscaled(b, "ive", n, x, slope)),)


elementwise("i2e", 1, _i2e, "i2e({0})", _i2e_adjoint)


def _bessel(name: str, sign: float, factor: float, named: tuple[str, str]) -> None:
    zeroth, first = named

    def by_x(b: Builder, n: Node, v: Node, x: Node) -> Node:
        slope = _neighbours(b, name, v, x, sign, factor)
        return _unscaled(b, name, n, x, slope)

    def of_zeroth(b: Builder, n: Node, x: Node) -> Node:
        """f(-1) is ``sign f(1)``"""
        slope = scaled(b, b.add_node(first, x), 2 * sign * factor)
        return _unscaled(b, name, n, x, slope)

    def of_first(b: Builder, n: Node, x: Node) -> Node:
        below, above = b.add_node(zeroth, x), _second(b, name, x)
        both = b.add(below, above) if sign > 0 else b.sub(below, above)
        return _unscaled(b, name, n, x, scaled(b, both, factor))

    function(name, f"the order of {name}", by_x)
    function(zeroth, of_zeroth)
    function(first, of_first)


for _name, (_sign, _factor, _named) in _ORDERS.items():
    _bessel(_name, _sign, _factor, _named)

# Integrals: DLMF 6.2, 7.2, 8.19.


def _expn_by_x(b: Builder, value: Node, n: Node, x: Node) -> Node:
    """``-E_{n-1}(x)``; SciPy has no order below 0, where E_0 = exp(-x) / x goes on."""
    one = b.like(x, 1.0)
    zeroth = b.neg(b.div(b.exp(b.neg(x)), x))
    below = b.mul(zeroth, b.add(one, reciprocal(b, x)))
    order = b.literal(n)
    if order is not None and order in (0, 1):
        return zeroth if order == 1 else below
    lower = b.neg(b.add_node("expn", shifted(b, n, -1.0), x))
    if order is not None:
        return lower
    known = b.select(b.eq(n, one), zeroth, below)
    return b.select(b.gt(n, one), lower, known)


def _spence_slope(b: Builder, n: Node, z: Node) -> Node:
    """``log(z) / (1 - z)``, near 1 as -2F1(1, 1; 2; 1 - z) (DLMF 15.4.1)."""
    one = b.like(z, 1.0)
    rest = b.sub(one, z)
    near = b.lt(b.abs(rest), b.like(z, 0.5))
    inner = b.select(near, rest, b.like(z, 0.0))
    smooth = b.neg(b.add_node("hyp2f1", one, one, b.like(z, 2.0), inner))
    other = b.select(near, b.like(z, 2.0), z)
    return b.select(near, smooth, b.div(b.log(other), b.sub(one, other)))


function("spence", _spence_slope)
function("exp1", lambda b, n, x: b.neg(b.div(b.exp(b.neg(x)), x)))
function("expi", lambda b, n, x: b.div(b.exp(x), x))
function("expn", "the order of expn", _expn_by_x)

# Struve functions: DLMF 11.4.24, 11.4.26.


def _struve(name: str, sign: float) -> None:
    """The slope ``(f(v - 1, x) + sign f(v + 1, x) + (x/2)^v / Γ(..)) / 2``."""

    def by_x(b: Builder, n: Node, v: Node, x: Node) -> Node:
        both = _neighbours(b, name, v, x, sign, 0.5)
        power = b.power(scaled(b, x, 0.5), v)
        gamma = b.add_node("rgamma", shifted(b, v, 1.5))
        return b.add(both, scaled(b, b.mul(power, gamma), 0.5 / math.sqrt(math.pi)))

    function(name, f"the order of {name}", by_x)


_struve("struve", -1.0)
_struve("modstruve", 1.0)

# Wright's functions of both kinds: DLMF 10.46.1; 4.13.


def _wright(b: Builder, p: Node, q: Node, x: Node, name: str) -> Node:
    return b.add_node(name, p, b.add(p, q), x)


_PARAMETERS = "the first parameter of {}", "the second parameter of {}"
function(
    "wright_bessel",
    *(text.format("wright_bessel") for text in _PARAMETERS),
    lambda b, n, p, q, x: _wright(b, p, q, x, "wright_bessel"),
)
function(
    "log_wright_bessel",
    *(text.format("log_wright_bessel") for text in _PARAMETERS),
    lambda b, n, p, q, x: b.exp(b.sub(_wright(b, p, q, x, "log_wright_bessel"), n)),
)
function("wrightomega", lambda b, n, x: b.div(n, shifted(b, n, 1.0)))

# Hypergeometric functions: DLMF 13.3.15, 13.3.22, 15.5.1; K(m) and E(m) are such, 19.5.


def _raised(b: Builder, name: str, numerator: int, *operands: Node) -> Node:
    """The function with all parameters one higher, times their quotient."""
    *parameters, x = operands
    above, below = parameters[0], parameters[numerator]
    for more in parameters[1:numerator]:
        above = b.mul(above, more)
    found = b.add_node(name, *(shifted(b, p, 1.0) for p in parameters), x)
    return b.mul(b.div(above, below), found)


function(
    "hyp0f1",
    "the parameter of hyp0f1",
    lambda b, n, p, x: b.div(b.add_node("hyp0f1", shifted(b, p, 1.0), x), p),
)
function(
    "hyp1f1",
    "the first parameter of hyp1f1",
    "the second parameter of hyp1f1",
    lambda b, n, *operands: _raised(b, "hyp1f1", 1, *operands),
)
function(
    "hyperu",
    "the first parameter of hyperu",
    "the second parameter of hyperu",
    lambda b, n, p, q, x: b.neg(
        b.mul(p, b.add_node("hyperu", shifted(b, p, 1.0), shifted(b, q, 1.0), x))
    ),
)
function(
    "hyp2f1",
    *(f"the {which} parameter of hyp2f1" for which in ("first", "second", "third")),
    lambda b, n, *operands: _raised(b, "hyp2f1", 2, *operands),
)


def _gauss(b: Builder, p: float, q: float, r: float, m: Node, factor: float) -> Node:
    numbers = (b.like(m, value) for value in (p, q, r))
    return scaled(b, b.add_node("hyp2f1", *numbers, m), factor)


function("ellipk", lambda b, n, m: _gauss(b, 1.5, 1.5, 2.0, m, math.pi / 8))
function("ellipe", lambda b, n, m: _gauss(b, 0.5, 1.5, 2.0, m, -math.pi / 8))


def _ellipkm1_slope(b: Builder, n: Node, p: Node) -> Node:
    """By p = 1 - m: (p K - E) / (2 p m) near p = 0 (DLMF 19.4.1)."""
    m = b.sub(b.like(p, 1.0), p)
    above = b.sub(b.add_node("ellipe", m), b.mul(p, n))
    near = b.neg(b.div(above, scaled(b, b.mul(p, m), 2.0)))
    far = _gauss(b, 1.5, 1.5, 2.0, m, -math.pi / 8)
    return b.select(b.lt(p, b.like(p, 0.5)), near, far)


function("ellipkm1", _ellipkm1_slope)
