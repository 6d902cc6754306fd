"""What walks an axis in order: places of extrema, running sums, recurrences.

The reductions themselves are fused, see `kernels`.
"""

from __future__ import annotations

from ...ir.graph import Node
from ...ir.types import Shape
from .access import Access, Term
from .printer import Printer, prints
from .scalars import combined, expression, literal

__all__: list[str] = []


@prints("argmax", "argmin")
def _position(p: Printer, node: Node, x: Access, *, axis: int) -> Access:
    """The first NaN, else the first extremum."""
    [type_] = p.types(node)
    sign = ">" if node.op == "argmax" else "<"
    best = p.lines.names.new(f"{p.name(node)}_best")
    made = p.new(p.name(node), node.type)
    with p.lines.loops(node.type.shape) as point:
        first = x.at([*point[:axis], "0", *point[axis:]])
        p.lines.add(f"{best} = {first}")
        p.store(made, point, "0")
        with p.lines.loops([type_.shape[axis]]) as (place,):
            value = x.at([*point[:axis], place, *point[axis:]])
            better = f"{value} {sign} {best}"
            if type_.is_float:
                better += f" or ({value} != {value} and {best} == {best})"
            with p.lines.indented(f"if {better}:"):
                p.lines.add(f"{best} = {value}")
                p.store(made, point, place)
    return made


def _turned(access: Access, shape: Shape, axis: int) -> Access:
    """The value with an axis turned round."""
    terms = [Term(0, ((axis, 1),)) for axis in range(len(shape))]
    terms[axis] = Term(shape[axis] - 1, ((axis, -1),))
    return access.moved(terms)


@prints("cumsum")
def _cumsum(p: Printer, node: Node, x: Access, *, axis: int, reverse: bool) -> Access:
    dtype, sizes = node.type.dtype, node.type.shape
    made = target = p.new(p.name(node), node.type)
    if reverse:
        x, target = (_turned(access, sizes, axis) for access in (x, made))
    total = p.lines.names.new(f"{p.name(node)}_total")
    with p.lines.loops([*sizes[:axis], *sizes[axis + 1 :]]) as others:
        p.lines.add(f"{total} = {literal(0, dtype)}")
        with p.lines.loops([sizes[axis]]) as (place,):
            point = [*others[:axis], place, *others[axis:]]
            p.lines.add(combined("reduce_sum", total, x.at(point), dtype))
            p.store(target, point, total)
    return made


@prints("recurrence")
def _recurrence(
    p: Printer, node: Node, a: Access, x: Access, *, axis: int, reverse: bool
) -> Access:
    dtype, sizes = node.type.dtype, node.type.shape
    made = target = p.new(p.name(node), node.type)
    if reverse:
        a, x, target = (_turned(access, sizes, axis) for access in (a, x, made))
    state = p.lines.names.new(f"{p.name(node)}_state")
    with p.lines.loops([*sizes[:axis], *sizes[axis + 1 :]]) as others:
        p.lines.add(f"{state} = {literal(0, dtype)}")
        with p.lines.loops([sizes[axis]]) as (place,):
            point = [*others[:axis], place, *others[axis:]]
            times = expression("mul", [a.at(point), state], dtype, dtype)
            value = expression("add", [times, x.at(point)], dtype, dtype)
            p.lines.add(f"{state} = {value} if {place} > 0 else {x.at(point)}")
            p.store(target, point, state)
    return made
