"""Squares, which are smooth where what is squared has a kink."""

from __future__ import annotations

from ...ir.builder import Builder
from ...ir.graph import Node

__all__ = ["square"]


def square(b: Builder, x: Node) -> Node:
    """``x * x``; of an absolute value, a root or a hypotenuse with the smooth slope.

    Each of these has a kink at 0, where their own rules know only that the slope there
    is counted as 0; the square's derivatives would be lost with it.
    """
    inner = [b[name] for name in x.operands]
    if x.op == "abs":
        return b.mul(inner[0], inner[0])
    made = b.mul(x, x)
    if x.op in ("sqrt", "root"):
        [whole] = inner
        smooth = b.select(b.lt(whole, b.like(whole, 0.0)), made, whole)
    elif x.op == "hypot":
        smooth = b.add(*(b.mul(side, side) for side in inner))
    else:
        return made
    return b.straight_through(made, smooth)
