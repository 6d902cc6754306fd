"""Functions of `scipy.special` without a template: the inner loops of SciPy."""

from __future__ import annotations

from ...ir.graph import Node
from ...ir.ops import OPS
from ...ir.ops.special import ufunc_of
from .access import Access
from .printer import Printer, prints
from .ufunc import call_each

__all__: list[str] = []


def _call(p: Printer, node: Node, *operands: Access) -> list[Access]:
    """One call for all results."""
    name = str(OPS[node.op].ufunc)
    ufunc = ufunc_of(name)
    path = "special" if ufunc.__name__ == name else "special._ufuncs"
    return call_each(p, node, f"{path}.{ufunc.__name__}", ufunc, operands)


prints(*(op.name for op in OPS.values() if op.ufunc and op.scalar is None))(_call)
