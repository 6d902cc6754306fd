"""Complex numbers: their parts, and functions of them by the inner loops of NumPy."""

from __future__ import annotations

from typing import Any

from ...ir.graph import Node
from ...ir.ops import OPS
from .access import Access
from .printer import Printer, prints
from .scalars import dtype_text
from .ufunc import call_each

__all__: list[str] = []


def _each(p: Printer, node: Node, text: str, *operands: Access) -> Access:
    """An expression of the operands' elements ``{0}``, ``{1}``, for each place."""
    if not node.type.rank:
        value = text.format(*(x.at(()) for x in operands))
        return p.new(p.name(node), node.type, value)
    made = p.new(p.name(node), node.type)
    with p.lines.loops(node.type.shape) as point:
        p.store(made, point, text.format(*(x.at(point) for x in operands)))
    return made


@prints("real")
def _real(p: Printer, node: Node, z: Access) -> Access:
    return _each(p, node, "{0}.real", z)


@prints("imag")
def _imag(p: Printer, node: Node, z: Access) -> Access:
    return _each(p, node, "{0}.imag", z)


@prints("complex")
def _complex(p: Printer, node: Node, re: Access, im: Access) -> Access:
    text = "complex({0}, {1})"
    if node.type.dtype == "c64":
        text = f"{dtype_text('c64')}({text})"
    return _each(p, node, text, re, im)


@prints("of_complex")
def _of_complex(
    p: Printer, node: Node, *operands: Access, function: str
) -> list[Access]:
    """By the inner loop of NumPy's function, which has its special values."""
    ufunc: Any = OPS[function].reference
    return call_each(p, node, f"np.{ufunc.__name__}", ufunc, operands)
