"""What the rules of a loop ask of its body."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from .spec import OPS

if TYPE_CHECKING:
    from ..graph import Graph, Node

__all__ = ["active_values", "smooth_slots", "taking"]


def active_values(body: Graph, wrt: Iterable[str]) -> set[str]:
    """The values that depend on ``wrt`` in a differentiable way."""
    found = set(wrt)
    for node in body:
        if any(node.operands[slot] in found for slot in smooth_slots(body, node)):
            found.update(node.floats)
    return found


def smooth_slots(body: Graph, node: Node) -> list[int]:
    """The slots of a node that a gradient passes through."""
    if not node.floats:
        return []
    return [
        slot
        for slot, name in enumerate(node.operands)
        if OPS[node.op].is_differentiable(slot) and body[name].type.has_gradient
    ]


def taking(region: Graph, inputs: Sequence[Node]) -> Graph:
    """The region with its inputs in another order."""
    from ..graph import Graph

    nodes = [*inputs, *(node for node in region if node.op != "input")]
    return Graph(region.name, nodes, region.outputs, region.sections)
