"""Complex numbers in memory: pairs of floats, a real part and an imaginary one."""

from __future__ import annotations

from typing import Any

from ....ir.graph import Node
from ....ir.ops import OPS
from ..plan.planner import Planner, emits
from ..plan.view import View
from .ufunc import call_ufunc

# About what an element takes.
_NANOSECONDS = {"sqrt": 8.0, "power": 60.0}


@emits("real")
def real(p: Planner, node: Node, z: View) -> View:
    """Every other float."""
    return z.part(0)


@emits("imag")
def imag(p: Planner, node: Node, z: View) -> View:
    """The floats between those."""
    return z.part(1)


@emits("complex")
def complex_(p: Planner, node: Node, re: View, im: View) -> View:
    """The parts side by side: where they are made, else copies of them."""
    if re.buffer == im.buffer and re.type.shape:
        whole = View(
            re.buffer, re.offset, node.type, tuple(step // 2 for step in re.strides)
        )
        if whole.part(0).same_memory(re) and whole.part(1).same_memory(im):
            return whole
    target = p.concatenation(node)
    for which, view in enumerate((re, im)):
        part = target.part(which)
        if not view.same_memory(part):
            p.copy(node, view, part)
    return target


@emits("of_complex")
def of_complex(p: Planner, node: Node, *operands: View, function: str) -> View:
    """NumPy's own loop."""
    target = p.allocate(node.type, node.name)
    ufunc: Any = OPS[function].reference
    time = _NANOSECONDS.get(function, 30.0)
    call_ufunc(p, node, ufunc, operands, [target], time)
    return target
