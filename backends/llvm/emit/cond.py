"""A choice between regions: a step that runs the steps of one of them."""

from __future__ import annotations

from ....ir.graph import Node
from ..kernels.cond import branch_source
from ..kernels.source import Source
from ..plan.planner import Planner, emits
from ..plan.view import View


@emits("cond")
def cond(p: Planner, node: Node, condition: View, *operands: View) -> list[View]:
    """Both regions make their results in the same places."""
    targets = [p.allocate(value.type, value.name) for value in node.values]
    p.call(node, "cond", Source.of(branch_source), (condition,))
    p.regions(node, operands, targets)
    return targets
