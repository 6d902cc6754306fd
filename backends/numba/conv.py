"""Convolutions as loops: the sums of `ir.ops.conv`, those of f32 made in f64."""

from __future__ import annotations

from typing import Any

from ...ir.graph import Node
from ..scalars import accumulator
from .access import Access
from .printer import Printer, prints
from .scalars import combined, dtype_text, initial, literal
from .shape import in_windows

__all__: list[str] = []


@prints("conv")
def _conv(p: Printer, node: Node) -> Access:
    stride: Any = node.attrs["stride"]
    x, w = p.types(node)
    windows = p.operand(node).moved(in_windows(x.rank, stride))
    made, total = p.new(p.name(node), node.type), _total(p, node)
    with p.lines.loops(node.type.shape) as point:
        image, kernel, *place = point
        p.lines.add(f"{total} = 0.0")
        with p.lines.loops(w.shape[1:]) as (channel, *offset):
            left = windows.at([image, channel, *place, *offset])
            right = p.operand(node, 1).at([kernel, channel, *offset])
            p.lines.add(f"{total} += {left} * {right}")
        p.store(made, point, total)
    return made


def _total(p: Printer, node: Node) -> str:
    return p.lines.names.new(f"{p.name(node)}_total")


@prints("conv_kernel")
def _conv_kernel(p: Printer, node: Node) -> Access:
    stride: Any = node.attrs["stride"]
    x, y = p.types(node)
    windows = p.operand(node).moved(in_windows(x.rank, stride))
    made, total = p.new(p.name(node), node.type), _total(p, node)
    with p.lines.loops(node.type.shape) as point:
        kernel, channel, *offset = point
        p.lines.add(f"{total} = 0.0")
        with p.lines.loops([y.shape[0], *y.shape[2:]]) as (image, *place):
            left = windows.at([image, channel, *place, *offset])
            right = p.operand(node, 1).at([image, kernel, *place])
            p.lines.add(f"{total} += {left} * {right}")
        p.store(made, point, total)
    return made


@prints("conv_input")
def _conv_input(p: Printer, node: Node) -> Access:
    stride: Any = node.attrs["stride"]
    y, w = p.types(node)
    wide = node.type.with_dtype(accumulator("reduce_sum", node.type.dtype))
    name = p.name(node) if wide == node.type else _total(p, node)
    made = p.new(name, wide, initial("reduce_sum", wide.dtype))
    target = made.moved(in_windows(node.type.rank, stride))
    with p.lines.loops([*y.shape, *w.shape[1:]]) as point:
        (image, kernel, *place), (channel, *offset) = point[: y.rank], point[y.rank :]
        total = target.at([image, channel, *place, *offset])
        left = p.operand(node).at([image, kernel, *place])
        right = p.operand(node, 1).at([kernel, channel, *offset])
        p.lines.add(f"{total} += {left} * {right}")
    if wide != node.type:
        cast = dtype_text(node.type.dtype)
        p.lines.add(f"{p.name(node)} = {name}.astype({cast})")
    return made._replace(array=p.name(node))


@prints("fold")
def _fold(p: Printer, node: Node) -> Access:
    """Added in the order of the offsets in the window, as the reference does."""
    stride: Any = node.attrs["stride"]
    [type_] = p.types(node)
    rank, sizes = len(stride), type_.shape
    made = p.new(p.name(node), node.type, literal(0, node.type.dtype))
    target = made.moved(in_windows(node.type.rank, stride))
    with p.lines.loops([*sizes[-rank:], *sizes[:-rank]]) as walked:
        point = [*walked[rank:], *walked[:rank]]
        value = p.operand(node).at(point)
        added = combined("reduce_sum", target.at(point), value, node.type.dtype)
        p.lines.add(added)
    return made
