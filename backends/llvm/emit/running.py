"""Positions of extrema, running sums, recurrences: along one axis, not fused."""

from __future__ import annotations

import math

from ....ir.graph import Node
from ..kernels.running import (
    PositionWords,
    WalkWords,
    cumsum_source,
    position_source,
    recurrence_source,
)
from ..kernels.source import Source
from ..plan.planner import Planner, emits
from ..plan.view import View


def _extent(x: View, axis: int) -> tuple[int, int, int]:
    """``outer, length, inner``."""
    sizes = x.type.shape
    return math.prod(sizes[:axis]), sizes[axis], math.prod(sizes[axis + 1 :])


def _walk(x: View, axis: int, reverse: bool) -> WalkWords:
    """How an axis is walked, forwards or backwards."""
    extent = _extent(x, axis)
    first, step = (extent[1] - 1, -1) if reverse else (0, 1)
    return WalkWords(*extent, first, step)


@emits("argmax", "argmin")
def position(p: Planner, node: Node, x: View, *, axis: int) -> View:
    """The first extremum; the first NaN, if there is one."""
    x = p.contiguous(node, x)
    target = p.allocate(node.type, node.name)
    words = PositionWords(*_extent(x, axis))
    sign = ">" if node.op == "argmax" else "<"
    kernel = Source.of(position_source, dtype=x.type.dtype, sign=sign)
    p.call(node, node.op, kernel, (x, target), words)
    return target


@emits("cumsum")
def cumsum(p: Planner, node: Node, x: View, *, axis: int, reverse: bool) -> View:
    """One pass along the axis, forwards or backwards."""
    x = p.contiguous(node, x)
    target = p.allocate(node.type, node.name)
    if 0 not in x.type.shape:
        kernel = Source.of(cumsum_source, dtype=x.type.dtype)
        p.call(node, "cumsum", kernel, (x, target), _walk(x, axis, reverse))
    return target


@emits("recurrence")
def recurrence(
    p: Planner, node: Node, a: View, x: View, *, axis: int, reverse: bool
) -> View:
    """The same of a recurrence."""
    a, x = (p.contiguous(node, view) for view in (a, x))
    target = p.allocate(node.type, node.name)
    if 0 not in x.type.shape:
        words = _walk(a, axis, reverse)
        kernel = Source.of(recurrence_source, dtype=a.type.dtype)
        p.call(node, "recurrence", kernel, (a, x, target), words)
    return target
