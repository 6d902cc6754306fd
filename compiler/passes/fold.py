"""Constant folding."""

from __future__ import annotations

import numpy as np

from ...ir.builder import Builder
from ...ir.graph import Graph, Node
from ...ir.ops import OPS
from ...ir.types import TensorType
from .rewrite import rewrite

__all__ = ["fold"]

ELEMENTWISE = [name for name, op in OPS.items() if op.scalar is not None]


def fold(graph: Graph) -> Graph:
    """Compute elementwise nodes whose operands are one number everywhere.

    before:
        graph f(%x: f64[4]) {
          %two   = const() {value=2.0}            : f64[]
          %twos  = broadcast_to(%two) {shape=(4,)} : f64[4]
          %fours = mul(%twos, %twos)              : f64[4]
          %y     = add(%x, %fours)                : f64[4]
          return %y
        }
    after:
        graph f(%x: f64[4]) {
          %two            = const() {value=2.0}                  : f64[]
          %twos           = broadcast_to(%two) {shape=(4,)}      : f64[4]
          %const.0        = const() {value=4.0}                  : f64[]
          %broadcast_to.0 = broadcast_to(%const.0) {shape=(4,)}  : f64[4]
          %y              = add(%x, %broadcast_to.0)             : f64[4]
          return %y
        }

    Keeps results bit for bit: the value is NumPy's, in the dtype of the node. Where
    NumPy raises (an integer to a negative power), the node stays and raises when run.
    """

    def rule(b: Builder, node: Node, *operands: Node) -> Node | None:
        literals: list[bool | int | float] = []
        for operand in operands:
            literal = b.literal(operand)
            if literal is None:
                return None
            literals.append(literal)
        scalars = [
            operand.type.numpy.type(literal)
            for operand, literal in zip(operands, literals, strict=True)
        ]
        try:
            with np.errstate(all="ignore"):
                value = OPS[node.op].reference(*scalars, **node.attrs)
        except ValueError:
            return None
        exact = TensorType(node.type.dtype, ()).numpy.type(value).item()
        return b.full(node.type, exact)

    return rewrite(graph, dict.fromkeys(ELEMENTWISE, rule))
