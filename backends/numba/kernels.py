"""Fused kernels: elementwise nodes and reductions of one index space, a loop nest each.

Values that are read elsewhere get arrays, the others are scalars of the loop's body. A
reduction over the last axes is a scalar too, set to its start before the loops over
them; one over others is added up in its array, so that arrays are walked in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ...ir.ops import OPS
from ..scalars import accumulator
from .access import Access, whole
from .scalars import combined, dtype_text, expression, initial

if TYPE_CHECKING:
    from ...ir.graph import Node
    from .printer import Printer

__all__ = ["is_fused", "print_kernel"]

TOTALS = frozenset(f"reduce_{kind}" for kind in "sum prod max min any all".split())


def is_fused(node: Node) -> bool:
    """Whether a node is computed in a kernel, be it alone."""
    return OPS[node.op].scalar is not None or node.op in TOTALS


def print_kernel(p: Printer, members: Sequence[Node]) -> None:
    """The loop nest of the nodes of one kernel."""
    elements = [node for node in members if OPS[node.op].scalar is not None]
    totals = [node for node in members if OPS[node.op].scalar is None]
    if totals:
        sizes = p.graph[totals[0].operands[0]].type.shape
    else:
        sizes = members[0].type.shape
    axes: Any = totals[0].attrs["axes"] if totals else ()
    kept = [axis for axis in range(len(sizes)) if axis not in axes]
    for node in elements:
        if p.wanted(node):
            p.accesses[node.name] = p.new(p.name(node), node.type)
    if not kept or kept[-1] == len(kept) - 1:
        _by_rows(p, elements, totals, sizes, len(kept))
    else:
        _in_order(p, elements, totals, sizes, kept)


def _by_rows(
    p: Printer,
    elements: Sequence[Node],
    totals: Sequence[Node],
    sizes: Sequence[int],
    count: int,
) -> None:
    """Reductions over all axes but the first ``count``, as scalars."""
    scalars: dict[str, str] = {}
    for node in totals:
        narrow = accumulator(node.op, node.type.dtype) != node.type.dtype
        name = p.name(node)
        scalars[node.name] = name
        if count or narrow:
            scalars[node.name] = p.lines.names.new(f"{name}_total")
        p.accesses[node.name] = p.new(name, node.type)
    with p.lines.loops(sizes[:count]) as outer:
        for node in totals:
            start = initial(node.op, accumulator(node.op, node.type.dtype))
            p.lines.add(f"{scalars[node.name]} = {start}")
        with p.lines.loops(sizes[count:]) as inner:
            values = _body(p, elements, totals, [*outer, *inner])
            for node, value in zip(totals, values, strict=True):
                dtype = accumulator(node.op, node.type.dtype)
                p.lines.add(combined(node.op, scalars[node.name], value, dtype))
        for node in totals:
            made, total = p.accesses[node.name].at(outer), scalars[node.name]
            if made == total:
                continue
            narrow = accumulator(node.op, node.type.dtype) != node.type.dtype
            cast = dtype_text(node.type.dtype)
            p.lines.add(f"{made} = {f'{cast}({total})' if narrow else total}")


def _in_order(
    p: Printer,
    elements: Sequence[Node],
    totals: Sequence[Node],
    sizes: Sequence[int],
    kept: Sequence[int],
) -> None:
    """Reductions over other axes, as arrays."""
    arrays: dict[str, Access] = {}
    for node in totals:
        wide = node.type.with_dtype(accumulator(node.op, node.type.dtype))
        name = p.name(node)
        if wide != node.type:
            name = p.lines.names.new(f"{name}_total")
        arrays[node.name] = p.new(name, wide, initial(node.op, wide.dtype))
    with p.lines.loops(sizes) as point:
        values = _body(p, elements, totals, point)
        for node, value in zip(totals, values, strict=True):
            total = arrays[node.name].at([point[axis] for axis in kept])
            dtype = accumulator(node.op, node.type.dtype)
            p.lines.add(combined(node.op, total, value, dtype))
    for node in totals:
        made = arrays[node.name]
        if made.array != p.name(node):
            cast = f"{made.array}.astype({dtype_text(node.type.dtype)})"
            p.lines.add(f"{p.name(node)} = {cast}")
        p.accesses[node.name] = whole(p.name(node), node.type.shape)


def _body(
    p: Printer, elements: Sequence[Node], totals: Sequence[Node], point: Sequence[str]
) -> list[str]:
    """One statement for each elementwise node; the elements that are reduced."""
    inside: dict[str, str] = {}

    def read(name: str) -> str:
        return inside[name] if name in inside else p.accesses[name].at(point)

    for node in elements:
        names = [read(operand) for operand in node.operands]
        dtype = p.graph[node.operands[-1]].type.dtype
        target = p.name(node)
        if p.wanted(node):
            target = p.accesses[node.name].at(point)
        value = expression(node.op, names, dtype, node.type.dtype)
        p.lines.add(f"{target} = {value}")
        inside[node.name] = target
    return [read(node.operands[0]) for node in totals]
