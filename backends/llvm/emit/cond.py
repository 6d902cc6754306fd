"""A choice between regions: a step that runs the steps of one of them."""

from __future__ import annotations

from ....ir.graph import Node
from ..plan.planner import Planner, emits
from ..plan.view import View


@emits("cond")
def cond(planner: Planner, node: Node) -> list[View]:
    """Both regions make their results in the same places."""
    condition, *operands = planner.operands(node)
    targets = [planner.allocate(value.type, value.name) for value in node.values]
    words = condition.buffer, condition.offset
    planner.step(node, "cond", "branch bool", words, (condition,))
    planner.regions(node, operands, targets)
    return targets
