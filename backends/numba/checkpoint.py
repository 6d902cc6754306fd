"""Values that are computed again: the statements of the region, in their place."""

from __future__ import annotations

from typing import Any

from ...ir.graph import Node
from .access import Access
from .printer import Printer, prints

__all__: list[str] = []


@prints("recompute")
def _recompute(p: Printer, node: Node, *operands: Access, **attrs: Any) -> list[Access]:
    """The results are arrays of their own, as those of any node."""
    (body,) = node.regions
    made = Printer(p.lines, body).block(operands[: len(body.inputs)])
    return [
        p.copy(p.name(p.graph[name]), access, body[result].type)
        for name, result, access in zip(node.names, body.results, made, strict=True)
    ]
