"""Values that are computed again: the steps of the region, when its turn comes."""

from __future__ import annotations

from typing import Any

from ....ir.graph import Node
from ..plan.planner import Planner, emits
from ..plan.view import View


@emits("recompute")
def recompute(p: Planner, node: Node, *operands: View, **attrs: Any) -> list[View]:
    """The region reads the operands where they lie, and makes the values in place."""
    (body,) = node.regions
    taken = operands[: len(body.inputs)]
    targets = [p.allocate(value.type, value.name) for value in node.values]
    Planner(body, p.plan, taken, targets).run()
    return targets
