"""Where a kernel that became too large is cut.

A graph that repeats itself should give few distinct kernels, however long it is. So a
piece ends, if it can, where an earlier piece began in the same way: ten thousand equal
steps become equal pieces of some steps each, after one or two that are not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ...ir.graph import Node
from ...ir.ops import OPS

__all__ = ["LARGE", "LARGE_WEIGHT", "MAX_WEIGHT", "Cutter", "form", "weight"]

MAX_WEIGHT = 72
LARGE = 2**16  # elements, from where traffic to memory costs more than compiling
LARGE_WEIGHT = 160
FUNCTION = 4
NEAR = 8


def weight(node: Node) -> int:
    """How much code a node is: an addition is 1, a function of one variable more."""
    op = OPS[node.op]
    if op.variadic:
        return max(1, len(node.operands) - 1)
    return FUNCTION if op.arity == 1 and "(" in (op.scalar or "") else 1


def form(nodes: Sequence[Node]) -> tuple[object, ...]:
    """What nodes compute, the same for all that are wired alike."""
    numbers: dict[str, int] = {}
    return tuple(
        (
            node.op,
            node.type.dtype,
            *(numbers.setdefault(name, len(numbers)) for name in node.operands),
            numbers.setdefault(node.name, len(numbers)),
        )
        for node in nodes
    )


class Cutter:
    """Cuts lists of nodes into pieces of at most `MAX_WEIGHT`, or `LARGE_WEIGHT`.

    What is cut apart goes through memory, which large arrays feel more than a longer
    compilation. The cutter remembers how pieces began: the `NEAR` nodes from there on,
    each with its op and with the distance of its operands if those are near.
    """

    def __init__(self) -> None:
        self._begun: set[tuple[object, ...]] = set()

    def pieces(self, nodes: Sequence[Node]) -> Iterator[Sequence[Node]]:
        """The pieces in order; each ends as late as can be, where one began before."""
        looks = _looks(nodes)
        weights = [weight(node) for node in nodes]
        most = LARGE_WEIGHT if nodes[0].type.size >= LARGE else MAX_WEIGHT
        start = 0
        while start < len(nodes):
            self._begun.add(looks[start])
            end, total = start + 1, weights[start]
            while end < len(nodes) and total + weights[end] <= most:
                total += weights[end]
                end += 1
            if end < len(nodes):
                again = (i for i in range(end, start, -1) if looks[i] in self._begun)
                end = next(again, end)
            yield nodes[start:end]
            start = end


def _looks(nodes: Sequence[Node]) -> list[tuple[object, ...]]:
    """How the nodes from each place on look."""
    place: Mapping[str, int] = {node.name: i for i, node in enumerate(nodes)}
    single = [
        (
            node.op,
            node.type.dtype,
            *(min(i - place.get(name, -NEAR), NEAR) for name in node.operands),
        )
        for i, node in enumerate(nodes)
    ]
    return [tuple(single[i : i + NEAR]) for i in range(len(nodes))]
