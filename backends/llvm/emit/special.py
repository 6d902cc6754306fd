"""Functions of `scipy.special` that have no kernel of ours: by the loops of SciPy."""

from __future__ import annotations

from ....ir.graph import Node
from ....ir.ops import OPS
from ....ir.ops.special import ufunc_of
from ..plan.planner import Planner, emits
from ..plan.view import View
from .ufunc import call_ufunc

__all__: list[str] = []

NANOSECONDS = 50.0  # for an element: from 5 for xlogy to 1000 for hyp2f1


def _call(p: Planner, node: Node, *operands: View) -> View | list[View]:
    """One step for all results."""
    targets = [p.allocate(value.type, value.name) for value in node.values]
    called = ufunc_of(str(OPS[node.op].ufunc))
    call_ufunc(p, node, called, operands, targets, NANOSECONDS)
    return targets if node.several else targets[0]


emits(*(op.name for op in OPS.values() if op.ufunc and op.scalar is None))(_call)
