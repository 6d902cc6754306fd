"""Derivatives that are ops of their own, since their formulas lose all digits.

``tanh_slope(y, x)`` and ``sigmoid_slope(y, x)`` are f'(x) for y = f(x): made of y where
that has the digits, and of x where y is saturated. The derivative is taken by y, which
depends on x; so the slot of x is a constant one.

``bessel_ratio{k}(t)`` is j_k(t) / t^k with the spherical Bessel function j_k, smooth at
0: sinc is the first, and the derivative of each is -t times the next
(Abramowitz and Stegun, Handbook of Mathematical Functions, 10.1).
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from .elementwise import elementwise
from .spec import OpDef

if TYPE_CHECKING:
    from ..builder import Builder
    from ..graph import Node

# Where 1 - y still has half of its digits.
TANH_NEAR = {"f64": 8.0, "f32": 3.5}
SIGMOID_NEAR = {"f64": 16.0, "f32": 7.0}


def _slope(
    function: str,
    near: Callable[[Any], Any],
    tail: Callable[[Any], Any],
    limits: dict[str, float],
    derivative: Callable[[Builder, Node, Node], Node],
) -> OpDef:
    """Register a slope: ``near(y)``, but ``tail(abs(x))`` beyond the limit."""
    name = f"{function}_slope"

    def reference(y: Any, x: Any) -> Any:
        size = np.abs(x)
        limit = limits["f32" if size.dtype == np.float32 else "f64"]
        return np.where(size > limit, tail(size), near(y))

    def adjoint(b: Builder, n: Node, g: Node, y: Node, x: Node) -> tuple[Node, None]:
        return b.chain(g, derivative(b, y, x)), None

    return elementwise(
        name,
        2,
        reference,
        f"{name}({{0}}, {{1}})",
        adjoint,
        constant_slots=(1,),
        slope_of=function,
    )


def _tanh_tail(size: Any) -> Any:
    power = np.exp(-2 * size)
    return 4 * power / ((1 + power) * (1 + power))


def _sigmoid_tail(size: Any) -> Any:
    power = np.exp(-size)
    return power / ((1 + power) * (1 + power))


TANH_SLOPE = _slope(
    "tanh",
    lambda y: 1 - y * y,
    _tanh_tail,
    TANH_NEAR,
    lambda b, y, x: b.mul(b.like(y, -2.0), y),
)
SIGMOID_SLOPE = _slope(  # 1 - 2y is -tanh(x/2), which has all its digits at 0
    "sigmoid",
    lambda y: y * (1 - y),
    _sigmoid_tail,
    SIGMOID_NEAR,
    lambda b, y, x: b.neg(b.tanh(b.mul(b.like(x, 0.5), x))),
)

RATIOS = 5  # derivatives of sinc beyond this one lose digits near 0
RATIO_NEAR = 4.0


def ratio_series(k: int) -> tuple[float, ...]:
    """j_k(t) / t^k as a polynomial in t^2, exact to rounding up to `RATIO_NEAR`."""
    term = Fraction(1)
    for odd in range(3, 2 * k + 2, 2):
        term /= odd
    terms = [term]
    for m in range(1, 19):
        term *= Fraction(-1, 2 * m * (2 * k + 2 * m + 1))
        terms.append(term)
    return tuple(map(float, terms))


def _ratio(k: int) -> OpDef:
    """Register ``bessel_ratio{k}``: near 0 by its series, else by recurrence."""
    series = ratio_series(k)[::-1]

    def reference(t: Any) -> Any:
        t = np.asarray(t)
        wide = t.astype(np.float64)
        near = np.abs(wide) < RATIO_NEAR
        far = np.where(near, RATIO_NEAR, wide)
        before, made = np.cos(far), np.sin(far) / far
        for order in range(k):
            before, made = made, ((2 * order + 1) * made - before) / (far * far)
        square = np.where(near, wide, 0.0) ** 2
        return np.where(near, np.polyval(series, square), made).astype(t.dtype)

    def adjoint(b: Builder, n: Node, g: Node, t: Node) -> tuple[Node]:
        if k < RATIOS:
            following = b.add_node(f"bessel_ratio{k + 1}", t)
        else:
            scaled = b.mul(b.like(t, 2.0 * k + 1), n)
            before = b.add_node(f"bessel_ratio{k - 1}", t)
            following = b.div(b.sub(scaled, before), b.mul(t, t))
        return (b.chain(g, b.neg(b.mul(t, following))),)

    name = f"bessel_ratio{k}"
    return elementwise(name, 1, reference, f"{name}({{0}})", adjoint)


def _sinc(t: Any) -> Any:
    """``sin(t) / t``"""
    safe = np.where(t == 0, np.ones_like(t), t)
    return np.where(t == 0, np.ones_like(t), np.sin(safe) / safe)


BESSEL_RATIOS = [
    elementwise(
        "bessel_ratio0",
        1,
        _sinc,
        "(1.0 if {0} == 0.0 else sin({0}) / {0})",
        lambda b, n, g, t: (b.chain(g, b.neg(b.mul(t, b.bessel_ratio1(t)))),),
    ),
    *(_ratio(k) for k in range(1, RATIOS + 1)),
]
