"""The functions of `scipy.special`: each one op, made from a table.

A record names SciPy's ufunc. The reference calls it, and backends that have no kernel
for a function call its loop. Each derivative is a graph of the same functions, so the
families are closed and right at every order: digamma and zeta, Bessel functions of one
order more and one less, hyp1f1 and hyp2f1 with other parameters. Removable
singularities go by way of hypergeometric functions, which are smooth there.

Formulas: NIST Digital Library of Mathematical Functions (DLMF), by section. All hold in
the complex plane too, but for those with ``sign`` or ``abs``.

A parameter without a derivative is a text in the table: what to call it. A gradient
that asks for it is refused (`OpDef.refused`).
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ..types import TensorType
from .elementwise import reciprocal
from .functions import bell, with_slope
from .spec import (
    NONDIFFERENTIABLE,
    Adjoint,
    Kind,
    NonDifferentiable,
    OpDef,
    Types,
    register,
    require,
    require_dtype,
)

if TYPE_CHECKING:
    from ..builder import Builder
    from ..graph import Node

__all__ = ["SCALARS", "function", "functions", "scaled", "shifted", "ufunc_of"]

Derivative: TypeAlias = "Callable[..., Node] | str"
Derivatives: TypeAlias = "Callable[..., Sequence[Node]] | str"

ROOT_PI = math.sqrt(math.pi)


@cache
def ufunc_of(name: str) -> Any:
    """A ufunc of SciPy's, which is slow to import and met when it is needed.

    That of a Python function has a name of its own.
    """
    found = getattr(importlib.import_module("scipy.special"), name)
    if isinstance(found, np.ufunc):
        return found
    return getattr(importlib.import_module("scipy.special._ufuncs"), f"_{name}")


def _calling(name: str) -> Callable[..., Any]:
    return lambda *operands: ufunc_of(name)(*operands)


def _type_rule(name: str, orders: int, results: int) -> Callable[..., Types]:
    """Floats of one type, after integers of the same shape that are ``orders``.

    Beside these SciPy has loops on f64 alone.
    """

    def type_rule(*types: TensorType) -> Types:
        first = types[orders]
        for number, other in enumerate(types):
            require(other.shape == first.shape, name, f"{first} and {other} differ")
            right = "i64" if number < orders else first.dtype
            require_dtype(other.dtype == right, name, f"{first} and {other}")
        known = first.dtype == "f64" if orders else first.is_float
        require_dtype(known, name, f"does not take {first}")
        return first if results == 1 else (first,) * results

    return type_rule


# Those that backends have a scalar function for, of the same name.
SCALARS = frozenset(
    (
        "erfc erfcx erfinv erfcinv ndtr ndtri log_ndtr gammaln loggamma digamma "
        "i0e i1e log_expit logit entr xlogy"
    ).split()
)


def _register(
    name: str,
    arity: int,
    adjoint: Adjoint | NonDifferentiable,
    refused: dict[int, str],
    orders: int = 0,
    results: int = 1,
) -> OpDef:
    operands = ", ".join(f"{{{slot}}}" for slot in range(arity))
    return register(
        OpDef(
            name,
            arity,
            _type_rule(name, orders, results),
            _calling(name),
            adjoint,
            kind=Kind.ELEMENTWISE if name in SCALARS else Kind.OTHER,
            scalar=f"{name}({operands})" if name in SCALARS else None,
            constant_slots=tuple(range(orders)),
            refused=refused,
            ufunc=name,
        )
    )


def function(name: str, *derivatives: Derivative | None) -> OpDef:
    """Register a ufunc; ``derivative(b, y, *operands)`` is that by one operand.

    First come those that are None: integers, which are orders.
    """
    orders = derivatives.count(None)

    def adjoint(b: Builder, n: Node, g: Node, *operands: Node) -> tuple[Any, ...]:
        return tuple(
            None if d is None or isinstance(d, str) else b.chain(g, d(b, n, *operands))
            for d in derivatives
        )

    return _register(name, len(derivatives), adjoint, _refused(derivatives), orders)


def _refused(derivatives: Sequence[Any]) -> dict[int, str]:
    return {k: d for k, d in enumerate(derivatives) if isinstance(d, str)}


def functions(name: str, results: int, *derivatives: Derivatives) -> OpDef:
    """Register a ufunc of several results.

    ``derivative(b, ys, *operands)`` has those of all results by one operand.
    """

    def adjoint(b: Builder, n: Node, g: Any, *operands: Node) -> tuple[Any, ...]:
        return tuple(
            None if isinstance(d, str) else _chained(b, g, d(b, n.values, *operands))
            for d in derivatives
        )

    refused = _refused(derivatives)
    return _register(name, len(derivatives), adjoint, refused, results=results)


def _chained(b: Builder, bars: Sequence[Any], slopes: Sequence[Node]) -> Node:
    """The sum of what comes from the results that have a cotangent."""
    pairs = zip(bars, slopes, strict=True)
    found = [b.chain(bar, slope) for bar, slope in pairs if bar is not None]
    made = found[0]
    for more in found[1:]:
        made = b.add(made, more)
    return made


def scaled(b: Builder, x: Node, factor: float) -> Node:
    """``factor x``"""
    return b.mul(x, b.like(x, factor))


def shifted(b: Builder, x: Node, by: float) -> Node:
    """``x + by``, a number where x is one."""
    known = b.literal(x)
    return b.add(x, b.like(x, by)) if known is None else b.like(x, known + by)


def _square(b: Builder, x: Node) -> Node:
    return b.mul(x, x)


def _gauss(b: Builder, x: Node, factor: float, power: float) -> Node:
    """``factor exp(power x^2)``"""
    return scaled(b, b.exp(scaled(b, _square(b, x), power)), factor)


_register("gammasgn", 1, NONDIFFERENTIABLE, {})
_register("pdtrik", 2, NONDIFFERENTIABLE, {})  # a count, which is rounded

# Errors and the normal distribution: DLMF 7.

function("erfc", lambda b, n, x: bell(b, x, -2 / ROOT_PI, -1.0))


FAR = 8.0  # from here on SciPy's hyperu has all digits, and the difference few


def _erfcx_slope(b: Builder, n: Node, x: Node) -> Node:
    """``2 x erfcx(x) - 2 / sqrt(pi)``, and what that is of Tricomi's U far out.

    erfcx'(x) = -U(1, 1/2, x^2) / sqrt(pi) (DLMF 7.18.2, 7.18.10).
    """
    limit = b.like(x, FAR)
    near = b.lt(x, limit)
    other = b.select(near, limit, x)
    numbers = b.like(x, 1.0), b.like(x, 0.5)
    far = b.add_node("hyperu", *numbers, _square(b, other))
    return b.select(
        near,
        shifted(b, scaled(b, b.mul(x, n), 2.0), -2 / ROOT_PI),
        scaled(b, far, -1 / ROOT_PI),
    )


function("erfcx", _erfcx_slope)
function("erfi", lambda b, n, x: _gauss(b, x, 2 / ROOT_PI, 1.0))
function("erfinv", lambda b, n, y: _gauss(b, n, ROOT_PI / 2, 1.0))
function("erfcinv", lambda b, n, y: _gauss(b, n, -ROOT_PI / 2, 1.0))
function("dawsn", lambda b, n, x: shifted(b, scaled(b, b.mul(x, n), -2.0), 1.0))


def log_ndtr_slope(b: Builder, x: Node) -> Node:
    """The density over its integral, of which neither is made.

    Further derivatives are those of another form of it where x is positive, as erfcx
    has squares there that no float holds, and far out, where differences lose digits.
    """

    def ratio(x: Node) -> Node:
        other = b.add_node("erfcx", scaled(b, x, -math.sqrt(0.5)))
        return b.div(b.like(x, math.sqrt(2 / math.pi)), other)

    zero, far = b.like(x, 0.0), b.like(x, -1e4)
    positive, left = b.gt(x, zero), b.lt(x, far)
    upper = b.select(positive, x, zero)
    density = bell(b, upper, 1 / math.sqrt(2 * math.pi), -0.5)
    right = b.div(density, b.add_node("ndtr", upper))
    near = ratio(b.select(b.logical_or(positive, left), zero, x))
    outer = _mills_series(b, b.select(left, x, far))
    other = b.select(left, outer, b.select(positive, right, near))
    return b.straight_through(ratio(x), other)


def _mills_series(b: Builder, x: Node) -> Node:
    """``-x - 1/x + 2/x^3``, the inverse of Mills' ratio (DLMF 7.12.1)."""
    inverse = reciprocal(b, x)
    cube = b.mul(inverse, _square(b, inverse))
    return b.sub(b.sub(scaled(b, cube, 2.0), inverse), x)


function("ndtr", lambda b, n, x: bell(b, x, 1 / math.sqrt(2 * math.pi), -0.5))
function("ndtri", lambda b, n, y: _gauss(b, n, math.sqrt(2 * math.pi), 0.5))
function("log_ndtr", lambda b, n, x: log_ndtr_slope(b, x))
function("ndtri_exp", lambda b, n, y: reciprocal(b, log_ndtr_slope(b, n)))


def _owens_by_h(b: Builder, n: Node, h: Node, a: Node) -> Node:
    inner = b.erf(scaled(b, b.mul(a, h), math.sqrt(0.5)))
    return b.mul(_gauss(b, h, -1 / math.sqrt(8 * math.pi), -0.5), inner)


def _owens_by_a(b: Builder, n: Node, h: Node, a: Node) -> Node:
    square = shifted(b, _square(b, a), 1.0)
    power = scaled(b, b.mul(_square(b, h), square), -0.5)
    return b.div(scaled(b, b.exp(power), 0.5 / math.pi), square)


function("owens_t", _owens_by_h, _owens_by_a)

# Logarithms and entropies. What is 0 beside a zero stays 0 there, see docs/kinks.md.


def _ratio(b: Builder, x: Node, y: Node) -> Node:
    """``x / y``, and 0 where both are 0."""
    zero = b.like(x, 0.0)
    corner = b.logical_and(b.eq(x, zero), b.eq(y, zero))
    return b.select(corner, zero, b.div(x, y))


def _logit_slope(b: Builder, n: Node, p: Node) -> Node:
    """``1 / (p (1 - p))``"""
    rest = b.sub(b.like(p, 1.0), p)
    return reciprocal(b, with_slope(b, b.mul(p, rest), p, b.sub(rest, p)))


def _log_ratio(b: Builder, x: Node, y: Node) -> Node:
    """``log(x / y)``, as log(x) - log(y) to its derivatives."""
    slope = b.with_slope(x, reciprocal(b, x))
    other = b.with_slope(y, reciprocal(b, y))
    return b.straight_through(b.log(b.div(x, y)), b.sub(slope, other))


function("logit", _logit_slope)
function("log_expit", lambda b, n, x: b.sigmoid(b.neg(x)))
function("xlogy", lambda b, n, x, y: b.log(y), lambda b, n, x, y: _ratio(b, x, y))
function(
    "xlog1py",
    lambda b, n, x, y: b.log1p(y),
    lambda b, n, x, y: _ratio(b, x, shifted(b, y, 1.0)),
)
function("entr", lambda b, n, x: b.neg(shifted(b, b.log(x), 1.0)))
function(
    "rel_entr",
    lambda b, n, x, y: shifted(b, _log_ratio(b, x, y), 1.0),
    lambda b, n, x, y: b.neg(_ratio(b, x, y)),
)
function(
    "kl_div",
    lambda b, n, x, y: _log_ratio(b, x, y),
    lambda b, n, x, y: b.sub(b.like(x, 1.0), _ratio(b, x, y)),
)

# Powers that become logarithms: (x^p - 1) / p = log(x) exprel(p log(x)).


def _exprel_slope(b: Builder, n: Node, x: Node) -> Node:
    """That of (e^x - 1) / x: Kummer's function (DLMF 13.6.2, 13.3.15), smooth at 0.

    SciPy's takes a time that grows with x; far out ``n (1 - 1/x) + 1/x`` is as good,
    and ``(e^x - n) / x`` below. Where n is infinite, all derivatives are.
    """
    limit, below = b.like(x, FAR), b.like(x, -FAR)
    far, left = b.gt(x, limit), b.lt(x, below)
    kummer = b.add_node(
        "hyp1f1",
        b.like(x, 2.0),
        b.like(x, 3.0),
        b.select(far, limit, b.select(left, below, x)),
    )
    finite = b.logical_and(far, b.isfinite(n))
    inverse = reciprocal(b, b.select(finite, x, limit))
    upper = b.add(b.mul(n, b.sub(b.like(x, 1.0), inverse)), inverse)
    inner = b.select(left, x, below)
    lower = b.div(b.sub(b.exp(inner), n), inner)
    return b.select(far, upper, b.select(left, lower, scaled(b, kummer, 0.5)))


def _boxcox_by_power(b: Builder, log: Node, p: Node, at_zero: Node) -> Node:
    both = b.mul(p, log)
    slope = _exprel_slope(b, b.add_node("exprel", both), both)
    found = b.mul(_square(b, log), slope)
    return b.select(at_zero, reciprocal(b, _square(b, p)), found)


function("exprel", lambda b, n, x: _exprel_slope(b, n, x))
function(
    "boxcox",
    lambda b, n, x, p: b.power(x, shifted(b, p, -1.0)),
    lambda b, n, x, p: _boxcox_by_power(b, b.log(x), p, b.eq(x, b.like(x, 0.0))),
)
function(
    "boxcox1p",
    lambda b, n, x, p: b.exp(b.mul(shifted(b, p, -1.0), b.log1p(x))),
    lambda b, n, x, p: _boxcox_by_power(b, b.log1p(x), p, b.eq(x, b.like(x, -1.0))),
)


def _inverse_by_power(b: Builder, value: Node, y: Node, p: Node) -> Node:
    """The derivative by p of exp(y L(p y)), L(t) = log(1 + t) / t (DLMF 15.4.1)."""
    two = b.like(y, 2.0)
    inner = b.add_node("hyp2f1", two, two, b.like(y, 3.0), b.neg(b.mul(p, y)))
    return scaled(b, b.mul(value, b.mul(_square(b, y), inner)), -0.5)


for _name, _more in (("inv_boxcox", 0.0), ("inv_boxcox1p", 1.0)):
    function(
        _name,
        lambda b, n, y, p, more=_more: b.div(
            shifted(b, n, more), shifted(b, b.mul(p, y), 1.0)
        ),
        lambda b, n, y, p, more=_more: _inverse_by_power(b, shifted(b, n, more), y, p),
    )
function("cosm1", lambda b, n, x: b.neg(b.sin(x)))
function(
    "powm1",
    lambda b, n, x, y: b.mul(y, b.power(x, shifted(b, y, -1.0))),
    lambda b, n, x, y: b.mul(b.log(x), shifted(b, n, 1.0)),
)
function("exp10", lambda b, n, x: scaled(b, n, math.log(10.0)))

# Angles in degrees.

DEGREE = math.pi / 180


def _tangent_slope(b: Builder, n: Node, sign: float) -> Node:
    return scaled(b, shifted(b, _square(b, n), 1.0), sign * DEGREE)


function("sindg", lambda b, n, x: scaled(b, b.add_node("cosdg", x), DEGREE))
function("cosdg", lambda b, n, x: scaled(b, b.add_node("sindg", x), -DEGREE))
function("tandg", lambda b, n, x: _tangent_slope(b, n, 1.0))
function("cotdg", lambda b, n, x: _tangent_slope(b, n, -1.0))

# Losses.


def _pseudo_huber_by_delta(b: Builder, n: Node, delta: Node, r: Node) -> Node:
    """``delta (s - 1)^2 / s``, where s - 1 is (r / delta)^2 / (s + 1)"""
    ratio = b.div(r, delta)
    s = b.hypot(b.like(r, 1.0), ratio)
    less = b.div(_square(b, ratio), shifted(b, s, 1.0))
    return b.mul(delta, b.div(_square(b, less), s))


function(
    "pseudo_huber",
    _pseudo_huber_by_delta,
    lambda b, n, delta, r: b.div(r, b.hypot(b.like(r, 1.0), b.div(r, delta))),
)


def _inside(b: Builder, delta: Node, r: Node) -> Node:
    return b.le(b.abs(r), delta)


function(
    "huber",
    lambda b, n, delta, r: b.select(
        _inside(b, delta, r), b.like(r, 0.0), b.sub(b.abs(r), delta)
    ),
    lambda b, n, delta, r: b.select(_inside(b, delta, r), r, b.mul(delta, b.sign(r))),
)
