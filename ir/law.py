"""The law of sum nodes, derived from the graph alone.

For the forward part of an adjoint graph, a value is *active* when it depends on an
input that gradients were asked for; a read of an active value *contributes* when its
consumer has a cotangent and its op is differentiable in that slot. The law: an active
value with k >= 2 contributing reads has exactly one sum node, with k operands in read
order. `contributing_reads` does not look at the backward part, so that the verifier
holds the adjoint pass against an independent count.
"""

from __future__ import annotations

from .graph import Graph, Node, Read
from .ops import OPS

__all__ = ["RETURN", "contributing_reads"]

RETURN = "return"


def differentiable_slots(graph: Graph, node: Node) -> list[int]:
    """The slots of ``node`` that send a contribution back when it has a cotangent.

    Where it makes several values, that is when one of them has a cotangent.
    """
    op = OPS[node.op]
    if not node.floats:
        return []
    return [
        slot
        for slot, operand in enumerate(node.operands)
        if op.is_differentiable(slot) and graph[operand].type.is_float
    ]


def contributing_reads(graph: Graph, section: int) -> dict[str, tuple[Read, ...]]:
    """The contributing reads of every active value, in read order.

    An output that gradients start from counts as a last read, by ``return``.
    """
    claim = graph.sections[section - 1]
    forward = [node for node in graph if node.section < section]
    active = set(claim.wrt)
    for node in forward:
        if any(
            node.operands[slot] in active for slot in differentiable_slots(graph, node)
        ):
            active.update(node.floats)
    reached = {name for name in claim.of if name in active}
    reads: dict[str, list[Read]] = {}
    for slot, name in reversed(list(enumerate(claim.of))):
        if name in active:
            reads.setdefault(name, []).append(Read(RETURN, slot))
    for node in reversed(forward):
        if not node.makes(reached):
            continue
        for slot in reversed(differentiable_slots(graph, node)):
            operand = node.operands[slot]
            if operand in active:
                reached.add(operand)
                reads.setdefault(operand, []).append(Read(node.name, slot))
    return {name: tuple(reversed(found)) for name, found in reads.items()}
