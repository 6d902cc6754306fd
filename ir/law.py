"""The law of sum nodes, derived from the graph alone.

For the forward part of an adjoint graph, a value is *active* when it depends on an
input that gradients were asked for; a read of an active value *contributes* when its
consumer has a cotangent and its op is differentiable in that slot. The law: an active
value with k >= 2 contributing reads has exactly one sum node, with k operands in read
order. `contributing_reads` does not look at the backward part, so that the verifier
holds the adjoint pass against an independent count.
"""

from __future__ import annotations

from typing import Any

from .graph import Contribution, Graph, Node, Read
from .ops import OPS
from .ops.parts import split_operands

__all__ = ["RETURN", "contributing_reads", "inside"]

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
        if op.is_differentiable(slot) and graph[operand].type.has_gradient
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


def inside(graph: Graph, read: Read, made: str) -> list[Contribution]:
    """What the reads in the body of a loop contribute to ``made``.

    ``made`` is the contribution of the loop's ``read`` of an invariant. The loop back
    that makes it has them in its body, which has a section of its own. None are found
    for other reads.
    """
    consumer, back = graph.nodes.get(read.consumer), graph[made]
    while back.op == "identity":
        back = graph[back.operands[0]]
    if consumer is None or not (consumer.op == back.op == "loop"):
        return []
    parts = split_operands(consumer.attrs, range(len(consumer.operands)))
    if read.slot not in parts.invariants:
        return []
    (body,), (region,) = consumer.regions, back.regions
    name = body.inputs[1 + read.slot - len(parts.limit)].name
    last = len(region.sections)
    if not last or name not in region.sections[-1].wrt:
        return []
    trips: Any = back.attrs["trips"]
    return [
        one._replace(trips=(trips, *one.trips))
        for one in region.contributions(name, last)
    ]
