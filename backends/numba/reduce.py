"""What walks an axis in order: places of extrema, running sums, recurrences.

The reductions themselves are fused, see `kernels`.
"""

from __future__ import annotations

from typing import Any

from ...ir.graph import Node
from .access import Access, Term
from .printer import Printer, prints
from .scalars import combined, expression, literal

__all__: list[str] = []


@prints("argmax", "argmin")
def _position(p: Printer, node: Node) -> Access:
    """The first NaN, else the first extremum."""
    axis: Any = node.attrs["axis"]
    [type_] = p.types(node)
    source, sign = p.operand(node), ">" if node.op == "argmax" else "<"
    best = p.lines.names.new(f"{p.name(node)}_best")
    made = p.new(p.name(node), node.type)
    with p.lines.loops(node.type.shape) as point:
        first = source.at([*point[:axis], "0", *point[axis:]])
        p.lines.add(f"{best} = {first}")
        p.store(made, point, "0")
        with p.lines.loops([type_.shape[axis]]) as (place,):
            value = source.at([*point[:axis], place, *point[axis:]])
            better = f"{value} {sign} {best}"
            if type_.is_float:
                better += f" or ({value} != {value} and {best} == {best})"
            with p.lines.indented(f"if {better}:"):
                p.lines.add(f"{best} = {value}")
                p.store(made, point, place)
    return made


def _walked(access: Access, node: Node) -> Access:
    """The value with its axis turned round, where it is walked backwards."""
    if not node.attrs["reverse"]:
        return access
    terms = [Term(0, ((axis, 1),)) for axis in range(node.type.rank)]
    axis: Any = node.attrs["axis"]
    terms[axis] = Term(node.type.shape[axis] - 1, ((axis, -1),))
    return access.moved(terms)


@prints("cumsum")
def _cumsum(p: Printer, node: Node) -> Access:
    axis: Any = node.attrs["axis"]
    dtype, sizes = node.type.dtype, node.type.shape
    made = p.new(p.name(node), node.type)
    source, target = _walked(p.operand(node), node), _walked(made, node)
    total = p.lines.names.new(f"{p.name(node)}_total")
    with p.lines.loops([*sizes[:axis], *sizes[axis + 1 :]]) as others:
        p.lines.add(f"{total} = {literal(0, dtype)}")
        with p.lines.loops([sizes[axis]]) as (place,):
            point = [*others[:axis], place, *others[axis:]]
            p.lines.add(combined("reduce_sum", total, source.at(point), dtype))
            p.store(target, point, total)
    return made


@prints("recurrence")
def _recurrence(p: Printer, node: Node) -> Access:
    axis: Any = node.attrs["axis"]
    dtype, sizes = node.type.dtype, node.type.shape
    made = p.new(p.name(node), node.type)
    factor, source = (_walked(p.operand(node, slot), node) for slot in (0, 1))
    target = _walked(made, node)
    state = p.lines.names.new(f"{p.name(node)}_state")
    with p.lines.loops([*sizes[:axis], *sizes[axis + 1 :]]) as others:
        p.lines.add(f"{state} = {literal(0, dtype)}")
        with p.lines.loops([sizes[axis]]) as (place,):
            point = [*others[:axis], place, *others[axis:]]
            times = expression("mul", [factor.at(point), state], dtype, dtype)
            value = expression("add", [times, source.at(point)], dtype, dtype)
            p.lines.add(f"{state} = {value} if {place} > 0 else {source.at(point)}")
            p.store(target, point, state)
    return made
