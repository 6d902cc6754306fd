"""Elementwise functions of floats: exponentials, trigonometry, rounding, tests.

Each record gives the derivative in terms of the argument and of the value, so that the
forward value is used again where that is cheaper. What NumPy has for complex numbers
takes them too, and the cotangent is multiplied by the conjugate of the derivative.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..types import FLOATS, INEXACT
from .elementwise import elementwise, reciprocal
from .spec import NONDIFFERENTIABLE, OpDef

if TYPE_CHECKING:
    from ..builder import Builder
    from ..graph import Node


def _special(name: str) -> Callable[[Any], Any]:
    """A function of SciPy's, which is slow to import and seldom called."""

    def reference(x: Any) -> Any:
        from scipy import special

        return getattr(special, name)(x)

    return reference


def unary(
    name: str, derivative: Callable[[Builder, Node, Node], Node], reference: Any = None
) -> OpDef:
    """Register a float function; ``derivative(b, y, x)`` is y' in terms of x and y."""

    def adjoint(b: Builder, n: Node, g: Node, x: Node) -> tuple[Node]:
        return (b.chain(g, b.conj(derivative(b, n, x))),)

    function = reference or getattr(np, name)
    dtypes = INEXACT if "D->D" in getattr(function, "types", ()) else FLOATS
    return elementwise(name, 1, function, f"{name}({{0}})", adjoint, dtypes=dtypes)


def with_slope(b: Builder, value: Node, x: Node, slope: Node) -> Node:
    """``value``, a function of x, with the derivative that is said and not its own."""
    return b.straight_through(value, b.with_slope(x, slope))


def _scaled(b: Builder, x: Node, factor: float) -> Node:
    return b.mul(x, b.like(x, factor))


def _square(b: Builder, x: Node) -> Node:
    return b.mul(x, x)


def _one_minus_square(b: Builder, x: Node) -> Node:
    """``1 - x^2``: as a product it has all its digits beside 1, its slope beside 0."""
    one = b.like(x, 1.0)
    product = b.mul(b.sub(one, x), b.add(one, x))
    return b.straight_through(product, b.sub(one, _square(b, x)))


def _one_plus_square(b: Builder, x: Node) -> Node:
    return b.add(b.like(x, 1.0), b.mul(x, x))


def _inverse_hypotenuse(b: Builder, x: Node) -> Node:
    """``1 / sqrt(1 + x^2)``, where the square may be beyond all floats."""
    return reciprocal(b, b.hypot(b.like(x, 1.0), x))


def _arctan_slope(b: Builder, x: Node) -> Node:
    """``1 / (1 + x^2)``"""
    if x.type.is_complex:
        return reciprocal(b, _one_plus_square(b, x))
    return _square(b, _inverse_hypotenuse(b, x))


def _arcsinh_slope(b: Builder, x: Node) -> Node:
    """``1 / sqrt(1 + x^2)``"""
    if x.type.is_complex:
        return reciprocal(b, b.sqrt(_one_plus_square(b, x)))
    return _inverse_hypotenuse(b, x)


def _arccosh_root(b: Builder, x: Node) -> Node:
    """``sqrt(x^2 - 1)``, where the square may be beyond all floats."""
    one = b.like(x, 1.0)
    product = b.mul(b.sqrt(b.sub(x, one)), b.sqrt(b.add(x, one)))
    if x.type.is_complex:
        return product
    slope = reciprocal(b, b.sqrt(_one_minus_square(b, reciprocal(b, x))))
    return with_slope(b, product, x, slope)


def bell(b: Builder, x: Node, factor: float, power: float) -> Node:
    """``factor exp(power x^2)``, whose derivatives are all 0 where it is."""

    def curve(x: Node) -> Node:
        return _scaled(b, b.exp(_scaled(b, _square(b, x), power)), factor)

    value, zero = curve(x), b.like(x, 0.0)
    inner = b.select(b.eq(value, zero), zero, x)
    again = b.straight_through(value, curve(inner))
    return with_slope(b, value, x, _scaled(b, b.mul(again, inner), 2 * power))


def _tanh_slope(b: Builder, y: Node, x: Node) -> Node:
    """``1 - tanh(x)^2``"""
    return _one_minus_square(b, y) if x.type.is_complex else b.tanh_slope(y, x)


def _root_slope(b: Builder, y: Node) -> Node:
    zero = b.like(y, 0.0)
    return b.select(b.eq(y, zero), zero, b.div(b.like(y, 0.5), y))


LN2, LN10 = math.log(2.0), math.log(10.0)

EXP = unary("exp", lambda b, y, x: y)
EXP2 = unary("exp2", lambda b, y, x: _scaled(b, y, LN2))
EXPM1 = unary("expm1", lambda b, y, x: b.exp(x))
LOG = unary("log", lambda b, y, x: reciprocal(b, x))
LOG2 = unary("log2", lambda b, y, x: reciprocal(b, _scaled(b, x, LN2)))
LOG10 = unary("log10", lambda b, y, x: reciprocal(b, _scaled(b, x, LN10)))
LOG1P = unary("log1p", lambda b, y, x: reciprocal(b, b.add(x, b.like(x, 1.0))))
SQRT = unary("sqrt", lambda b, y, x: b.div(b.like(y, 0.5), y))
ROOT = elementwise(  # of sums of squares: their slope is 0 where that of sqrt is inf
    "root",
    1,
    np.sqrt,
    "sqrt({0})",
    lambda b, n, g, x: (b.chain(g, _root_slope(b, n)),),
)
CBRT = unary("cbrt", lambda b, y, x: b.div(b.like(y, 1 / 3), b.mul(y, y)))
SIN = unary("sin", lambda b, y, x: b.cos(x))
COS = unary("cos", lambda b, y, x: b.neg(b.sin(x)))
TAN = unary("tan", lambda b, y, x: _one_plus_square(b, y))
ARCSIN = unary("arcsin", lambda b, y, x: reciprocal(b, b.sqrt(_one_minus_square(b, x))))
ARCCOS = unary(
    "arccos", lambda b, y, x: b.neg(reciprocal(b, b.sqrt(_one_minus_square(b, x))))
)
ARCTAN = unary("arctan", lambda b, y, x: _arctan_slope(b, x))
SINH = unary("sinh", lambda b, y, x: b.cosh(x))
COSH = unary("cosh", lambda b, y, x: b.sinh(x))
TANH = unary("tanh", lambda b, y, x: _tanh_slope(b, y, x))
ARCSINH = unary("arcsinh", lambda b, y, x: _arcsinh_slope(b, x))
ARCCOSH = unary("arccosh", lambda b, y, x: reciprocal(b, _arccosh_root(b, x)))
ARCTANH = unary("arctanh", lambda b, y, x: reciprocal(b, _one_minus_square(b, x)))
ERF = unary(
    "erf", lambda b, y, x: bell(b, x, 2 / math.sqrt(math.pi), -1.0), _special("erf")
)
SIGMOID = elementwise(
    "sigmoid",
    1,
    _special("expit"),
    "1.0 / (1.0 + exp(-{0}))",
    lambda b, n, g, x: (b.chain(g, b.sigmoid_slope(n, x)),),
)
for _name in ("floor", "ceil", "trunc", "rint"):
    elementwise(_name, 1, getattr(np, _name), f"{_name}({{0}})", NONDIFFERENTIABLE)
for _name in ("isnan", "isinf", "isfinite", "signbit"):
    elementwise(
        _name,
        1,
        getattr(np, _name),
        f"{_name}({{0}})",
        NONDIFFERENTIABLE,
        dtypes=FLOATS if _name == "signbit" else INEXACT,
        result="bool",
    )


def _arctan2_adjoint(
    b: Builder, n: Node, g: Node, y: Node, x: Node
) -> tuple[Node, Node]:
    """``x / r^2`` and ``-y / r^2``, the square of r never made."""
    r = b.hypot(x, y)
    far = b.isinf(r)

    def part(x: Node, y: Node) -> Node:
        near = b.select(far, b.like(x, 0.0), x)
        value = b.div(b.div(near, r), r)
        return b.straight_through(value, b.div(b.cosine(x, y), r))

    return b.chain(g, part(x, y)), b.neg(b.chain(g, part(y, x)))


ARCTAN2 = elementwise("arctan2", 2, np.arctan2, "arctan2({0}, {1})", _arctan2_adjoint)


def _cosine(x: Any, y: Any) -> Any:
    size = np.maximum(np.abs(x), np.abs(y))
    scale = np.where(size == 0, np.ones_like(size), size)
    a, b = (
        np.where(
            np.abs(part) == scale, np.copysign(np.ones_like(part), part), part / scale
        )
        for part in (x, y)
    )
    length = np.sqrt(a * a + b * b)
    return np.where(size == 0, a, a / np.where(size == 0, np.ones_like(a), length))


def _cosine_adjoint(
    b: Builder, n: Node, g: Node, x: Node, y: Node
) -> tuple[Node, Node]:
    """``s^2 / r`` and ``-c s / r``, for the sine s and the cosine c."""
    sine, r = b.cosine(y, x), b.hypot(x, y)
    return (
        b.chain(g, b.div(b.mul(sine, sine), r)),
        b.neg(b.chain(g, b.div(b.mul(n, sine), r))),
    )


COSINE = elementwise(  # of the angle of (x, y): x / hypot(x, y), 0 at the origin
    "cosine", 2, _cosine, "cosine({0}, {1})", _cosine_adjoint
)
HYPOT = elementwise(
    "hypot",
    2,
    np.hypot,
    "hypot({0}, {1})",
    lambda b, n, g, x, y: (
        b.chain(g, b.cosine(x, y)),
        b.chain(g, b.cosine(y, x)),
    ),
)
LOGADDEXP = elementwise(
    "logaddexp",
    2,
    np.logaddexp,
    "logaddexp({0}, {1})",
    lambda b, n, g, x, y: (
        b.chain(g, b.sigmoid(b.sub(x, y))),
        b.chain(g, b.sigmoid(b.sub(y, x))),
    ),
)
LOGADDEXP2 = elementwise(
    "logaddexp2",
    2,
    np.logaddexp2,
    "logaddexp2({0}, {1})",
    lambda b, n, g, x, y: (
        b.chain(g, b.sigmoid(_scaled(b, b.sub(x, y), LN2))),
        b.chain(g, b.sigmoid(_scaled(b, b.sub(y, x), LN2))),
    ),
)
COPYSIGN = elementwise(
    "copysign",
    2,
    np.copysign,
    "copysign({0}, {1})",
    lambda b, n, g, x, y: (
        b.chain(g, b.mul(b.sign(x), b.copysign(b.like(y, 1.0), y))),
        None,
    ),
    constant_slots=(1,),
)
