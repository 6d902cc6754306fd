"""Functions of `scipy.special` without a template: SciPy is called in object mode."""

from __future__ import annotations

from ...ir.graph import Node
from ...ir.ops import OPS
from ...ir.types import TensorType
from .access import Access, whole
from .printer import Printer, prints
from .scalars import dtype_text

__all__ = ["numba_type"]


def _call(p: Printer, node: Node, *operands: Access) -> list[Access]:
    """``with objmode(y="float64[::1]"): y = special.jv(v, x)``"""
    names = [p.name(value) for value in node.values]
    typed = [
        f'{name}="{numba_type(value.type)}"'
        for name, value in zip(names, node.values, strict=True)
    ]
    arguments = _arguments(p, node, operands)
    with p.lines.indented(f"with objmode({', '.join(typed)}):"):
        call = f"special.{OPS[node.op].ufunc}({', '.join(arguments)})"
        p.lines.add(f"{', '.join(names)} = {call}")
    shape = node.type.shape
    return [whole(name, shape) if shape else Access(name) for name in names]


def _arguments(p: Printer, node: Node, operands: tuple[Access, ...]) -> list[str]:
    """Arrays, and numbers in the dtype of the node where one array is among them."""
    numbers = [not access.terms for access in operands]
    if node.type.rank and all(numbers):
        numbers[0] = False
    cast = dtype_text(node.type.dtype)
    return [
        f"{cast}({access.at(())})" if number else p.array(name, access, type_)
        for name, access, type_, number in zip(
            node.operands, operands, p.types(node), numbers, strict=True
        )
    ]


def numba_type(type_: TensorType) -> str:
    """An array in C order as Numba's annotations call it."""
    name = type_.numpy.name
    if not type_.rank:
        return name
    return f"{name}[{', '.join([*[':'] * (type_.rank - 1), '::1'])}]"


prints(*(op.name for op in OPS.values() if op.ufunc and op.scalar is None))(_call)
