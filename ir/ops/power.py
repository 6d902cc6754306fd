"""Powers, and their derivatives with respect to the exponent.

    power_log{k}(x, y) = x^y log(x)^k,  0 where x^y is 0

is the k-th derivative of x^y by y. The family is closed: every derivative is a sum of
its members, so what holds at x = 0 holds at every order.

    d/dx  y power_log{k}(x, y - 1) + k power_log{k-1}(x, y - 1)
    d/dy  power_log{k+1}(x, y)

Where y is infinite these are limits along y: a power that is 0 is flat, and an exact 0
of the family wins over the factor y.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..types import INEXACT
from .elementwise import NUMBERS, chain_reference, elementwise
from .spec import OpDef

if TYPE_CHECKING:
    from ..builder import Builder
    from ..graph import Node

ORDERS = 4  # beyond, derivatives by y are made of the last member, logarithm by factor


def _less_one(b: Builder, y: Node) -> Node:
    """``y - 1``, of which an infinite y counts as constant."""
    if not (y.type.is_complex or b.literal(y) is not None):
        y = b.straight_through(y, b.select(b.isinf(y), b.like(y, 0.0), y))
    return b.sub(y, b.like(y, 1.0))


def _times_exponent(b: Builder, n: Node, y: Node, x: Node) -> Node:
    """``y x``; 0 where one is 0 although the other is infinite, and flat if n is 0."""
    exponent = b.literal(y)
    if exponent is not None and exponent != 0 and math.isfinite(exponent):
        return b.mul(y, x)
    if exponent == 0 or y.type.is_complex:
        return b.chain(y, x)
    made, zero = b.chain_both(y, x), b.like(y, 0.0)
    flat = b.logical_and(b.isinf(y), b.eq(n, zero))
    return b.straight_through(made, b.select(flat, zero, made))


def _power_adjoint(b: Builder, n: Node, g: Node, x: Node, y: Node) -> tuple[Node, Node]:
    """``x.bar = y x^(y-1)``; ``y.bar = x^y log x``, and 0 at 0^0."""
    zero = b.like(x, 0.0)
    lowered = b.power(x, _less_one(b, y))
    x_bar = b.chain(g, b.conj(_times_exponent(b, n, y, lowered)))
    if b.literal(y) == 0:
        x_bar = b.select(b.eq(y, zero), zero, x_bar)
    corner = b.logical_and(b.eq(x, zero), b.eq(y, zero))
    by_exponent = b.select(corner, zero, b.power_log1(x, y))
    return x_bar, b.chain(g, b.conj(by_exponent))


POWER = elementwise(
    "power", 2, np.power, "power({0}, {1})", _power_adjoint, dtypes=NUMBERS
)
FLOAT_POWER = elementwise(
    "float_power", 2, np.float_power, "power({0}, {1})", _power_adjoint, dtypes=("f64",)
)


def _member(order: int) -> OpDef:
    """Register ``power_log{order}``."""

    def reference(x: Any, y: Any) -> Any:
        logarithm = np.log(x)
        return chain_reference(np.power(x, y), logarithm**order)

    def member(b: Builder, k: int, x: Node, y: Node) -> Node:
        return b.add_node(f"power_log{k}" if k else "power", x, y)

    def adjoint(b: Builder, n: Node, g: Node, x: Node, y: Node) -> tuple[Node, Node]:
        below = _less_one(b, y)
        by_base = b.add(
            _times_exponent(b, n, y, member(b, order, x, below)),
            b.mul(b.like(x, float(order)), member(b, order - 1, x, below)),
        )
        last = order == ORDERS
        by_exponent = b.chain(n, b.log(x)) if last else member(b, order + 1, x, y)
        return b.chain(g, b.conj(by_base)), b.chain(g, b.conj(by_exponent))

    logarithms = " * ".join(["log({0})"] * order)
    return elementwise(
        f"power_log{order}",
        2,
        reference,
        f"chain(power({{0}}, {{1}}), {logarithms})",
        adjoint,
        dtypes=INEXACT,
    )


POWER_LOGS = [_member(order) for order in range(1, ORDERS + 1)]
