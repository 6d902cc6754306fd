"""Constants and ramps: no arrays, but what loops read in their place."""

from __future__ import annotations

from ...ir.graph import Node
from .access import Access, Term
from .printer import Printer, prints
from .scalars import dtype_text, literal

__all__: list[str] = []

Ints = tuple[int, ...]


@prints("const")
def _const(
    p: Printer, node: Node, *, value: bool | int | float, dtype: str = ""
) -> Access:
    return Access(literal(value, node.type.dtype))


@prints("iota")
def _iota(p: Printer, node: Node, *, shape: Ints, axis: int, dtype: str) -> Access:
    along = (Term(0, ((axis, 1),)),)
    return Access(dtype_text(dtype), along, (shape[axis],), ramp=True)
