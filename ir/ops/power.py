"""Powers, and their derivatives with respect to the exponent.

    power_log{k}(x, y) = x^y log(x)^k,  0 where x^y is 0

is the k-th derivative of x^y by y. The family is closed: every derivative is a sum of
its members, so what holds at x = 0 holds at every order.

    d/dx  y power_log{k}(x, y - 1) + k power_log{k-1}(x, y - 1)
    d/dy  power_log{k+1}(x, y)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..types import INEXACT
from .elementwise import NUMBERS, chain_reference, elementwise
from .spec import OpDef

if TYPE_CHECKING:
    from ..builder import Builder
    from ..graph import Node

ORDERS = 4  # beyond, derivatives by y are made of the last member, logarithm by factor


def _times_exponent(b: Builder, y: Node, x: Node) -> Node:
    """``y x``, and 0 for y = 0 although x is infinite."""
    exponent = b.literal(y)
    return b.mul(y, x) if exponent is not None and exponent != 0 else b.chain(y, x)


def _power_adjoint(b: Builder, n: Node, g: Node, x: Node, y: Node) -> tuple[Node, Node]:
    """``x.bar = y x^(y-1)``; ``y.bar = x^y log x``, and 0 at 0^0."""
    zero = b.like(x, 0.0)
    lowered = b.power(x, b.sub(y, b.like(y, 1.0)))
    x_bar = b.chain(g, b.conj(_times_exponent(b, y, lowered)))
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
        below = b.sub(y, b.like(y, 1.0))
        by_base = b.add(
            _times_exponent(b, y, member(b, order, x, below)),
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
