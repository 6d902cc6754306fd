"""Constants and ramps: no arrays, but what loops read in their place."""

from __future__ import annotations

from typing import Any

from ...ir.graph import Node
from .access import Access, Term
from .printer import Printer, prints
from .scalars import dtype_text, literal

__all__: list[str] = []


@prints("const")
def _const(p: Printer, node: Node) -> Access:
    value: Any = node.attrs["value"]
    return Access(literal(value, node.type.dtype))


@prints("iota")
def _iota(p: Printer, node: Node) -> Access:
    axis: Any = node.attrs["axis"]
    cast = dtype_text(node.type.dtype)
    size = node.type.shape[axis]
    return Access(cast, (Term(0, ((axis, 1),)),), (size,), ramp=True)
