"""A choice between regions: a step that runs the steps of one of them."""

from __future__ import annotations

from ....ir.graph import Node
from ..kernels.cond import branch_source
from ..kernels.source import Source
from ..plan.chains import written_over
from ..plan.planner import Planner, emits
from ..plan.view import View


@emits("cond")
def cond(p: Planner, node: Node, *operands: View) -> list[View]:
    """Both regions make their results in the same places.

    An array that they only store into stays in its memory, which both write.
    """
    slots = written_over(node)
    memories = {
        value.name: p.stores.enter(value)
        for value in node.values
        if value.name in slots
    }
    targets = [
        memories.get(value.name) or p.allocate(value.type, value.name)
        for value in node.values
    ]
    condition, *views = p.operands(node)
    over: dict[int, int] = {}
    for number, value in enumerate(node.values):
        if value.name in slots:
            over[number] = slots[value.name] - 1
            views[over[number]] = targets[number]
    p.call(node, "cond", Source.of(branch_source), (condition,))
    p.regions(node, views, targets, over)
    return targets
