"""Convolutions as loops: the sums of `ir.ops.conv`, those of f32 made in f64."""

from __future__ import annotations

from ...ir.graph import Node
from ..scalars import accumulator
from .access import Access
from .printer import Printer, prints
from .scalars import combined, dtype_text, initial, literal
from .shape import in_windows

__all__: list[str] = []

Ints = tuple[int, ...]


@prints("conv")
def _conv(p: Printer, node: Node, x: Access, w: Access, *, stride: Ints) -> Access:
    x_type, w_type = p.types(node)
    windows = x.moved(in_windows(x_type.rank, stride))
    made, total = p.new(p.name(node), node.type), _total(p, node)
    with p.lines.loops(node.type.shape) as point:
        image, kernel, *place = point
        p.lines.add(f"{total} = 0.0")
        with p.lines.loops(w_type.shape[1:]) as (channel, *offset):
            left = windows.at([image, channel, *place, *offset])
            right = w.at([kernel, channel, *offset])
            p.lines.add(f"{total} += {left} * {right}")
        p.store(made, point, total)
    return made


def _total(p: Printer, node: Node) -> str:
    return p.lines.names.new(f"{p.name(node)}_total")


@prints("conv_kernel")
def _conv_kernel(
    p: Printer, node: Node, x: Access, y: Access, *, shape: Ints, stride: Ints
) -> Access:
    x_type, y_type = p.types(node)
    windows = x.moved(in_windows(x_type.rank, stride))
    made, total = p.new(p.name(node), node.type), _total(p, node)
    with p.lines.loops(node.type.shape) as point:
        kernel, channel, *offset = point
        p.lines.add(f"{total} = 0.0")
        with p.lines.loops([y_type.shape[0], *y_type.shape[2:]]) as (image, *place):
            left = windows.at([image, channel, *place, *offset])
            right = y.at([image, kernel, *place])
            p.lines.add(f"{total} += {left} * {right}")
        p.store(made, point, total)
    return made


@prints("conv_input")
def _conv_input(
    p: Printer, node: Node, y: Access, w: Access, *, shape: Ints, stride: Ints
) -> Access:
    y_type, w_type = p.types(node)
    rank = y_type.rank
    wide = node.type.with_dtype(accumulator("reduce_sum", node.type.dtype))
    name = p.name(node) if wide == node.type else _total(p, node)
    made = p.new(name, wide, initial("reduce_sum", wide.dtype))
    target = made.moved(in_windows(node.type.rank, stride))
    with p.lines.loops([*y_type.shape, *w_type.shape[1:]]) as point:
        (image, kernel, *place), (channel, *offset) = point[:rank], point[rank:]
        total = target.at([image, channel, *place, *offset])
        left = y.at([image, kernel, *place])
        right = w.at([kernel, channel, *offset])
        p.lines.add(f"{total} += {left} * {right}")
    if wide != node.type:
        cast = dtype_text(node.type.dtype)
        p.lines.add(f"{p.name(node)} = {name}.astype({cast})")
    return made._replace(array=p.name(node))


@prints("fold")
def _fold(p: Printer, node: Node, x: Access, *, shape: Ints, stride: Ints) -> Access:
    """Added in the order of the offsets in the window, as the reference does."""
    [type_] = p.types(node)
    rank, sizes = len(stride), type_.shape
    made = p.new(p.name(node), node.type, literal(0, node.type.dtype))
    target = made.moved(in_windows(node.type.rank, stride))
    with p.lines.loops([*sizes[-rank:], *sizes[:-rank]]) as walked:
        point = [*walked[rank:], *walked[:rank]]
        value = x.at(point)
        added = combined("reduce_sum", target.at(point), value, node.type.dtype)
        p.lines.add(added)
    return made
