"""``cond`` as an ``if`` statement: one region in each branch."""

from __future__ import annotations

from ...ir.graph import Node
from .access import Access, whole
from .printer import Printer, prints

__all__: list[str] = []


@prints("cond")
def _cond(p: Printer, node: Node, condition: Access, *operands: Access) -> list[Access]:
    """Each branch gives the results the same names, as arrays of their own."""
    values = [p.graph[name] for name in node.names]
    for head, region in zip(
        (f"if {condition.at(())}:", "else:"), node.regions, strict=True
    ):
        with p.lines.indented(head):
            made = Printer(p.lines, region).block(operands)
            for value, result, access in zip(values, region.results, made, strict=True):
                p.copy(p.name(value), access, region[result].type)
    return [
        whole(p.name(value), value.type.shape)
        if value.type.rank
        else Access(p.name(value))
        for value in values
    ]
