"""Positions of extrema, running sums, recurrences: along one axis, not fused."""

from __future__ import annotations

import math

from ....ir.graph import Node
from ..kernels.running import (
    CumsumWords,
    PositionWords,
    RecurrenceWords,
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


def _walk(x: View, axis: int, reverse: bool) -> tuple[int, int, int, int, int]:
    """The extent, the place to start from, and the step from there."""
    extent = _extent(x, axis)
    return (*extent, extent[1] - 1, -1) if reverse else (*extent, 0, 1)


@emits("argmax", "argmin")
def position(planner: Planner, node: Node, x: View, *, axis: int) -> View:
    """The first extremum; the first NaN, if there is one."""
    x = planner.contiguous(node, x)
    target = planner.allocate(node.type, node.name)
    words = PositionWords(*x.start(), *target.start(), *_extent(x, axis))
    sign = ">" if node.op == "argmax" else "<"
    kernel = Source.of(position_source, dtype=x.type.dtype, sign=sign)
    planner.step(node, node.op, kernel, words, (x, target))
    return target


@emits("cumsum")
def cumsum(planner: Planner, node: Node, x: View, *, axis: int, reverse: bool) -> View:
    """One pass along the axis, forwards or backwards."""
    x = planner.contiguous(node, x)
    target = planner.allocate(node.type, node.name)
    if 0 not in x.type.shape:
        words = CumsumWords(*x.start(), *target.start(), *_walk(x, axis, reverse))
        kernel = Source.of(cumsum_source, dtype=x.type.dtype)
        planner.step(node, "cumsum", kernel, words, (x, target))
    return target


@emits("recurrence")
def recurrence(
    planner: Planner, node: Node, a: View, x: View, *, axis: int, reverse: bool
) -> View:
    """The same of a recurrence."""
    a, x = (planner.contiguous(node, view) for view in (a, x))
    target = planner.allocate(node.type, node.name)
    if 0 not in x.type.shape:
        starts = (*a.start(), *x.start(), *target.start())
        words = RecurrenceWords(*starts, *_walk(a, axis, reverse))
        kernel = Source.of(recurrence_source, dtype=a.type.dtype)
        planner.step(node, "recurrence", kernel, words, (a, x, target))
    return target
