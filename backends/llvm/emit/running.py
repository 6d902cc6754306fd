"""Positions of extrema, running sums, recurrences: along one axis, not fused."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ....ir.graph import Node
from ..plan.planner import Planner, emits
from ..plan.view import View


def _along(planner: Planner, node: Node) -> tuple[list[View], tuple[int, int, int]]:
    """The operands, contiguous, and their extent ``outer, length, inner``."""
    axis: Any = node.attrs["axis"]
    views = [planner.contiguous(node, view) for view in planner.operands(node)]
    sizes = views[0].type.shape
    return views, (
        math.prod(sizes[:axis]),
        sizes[axis],
        math.prod(sizes[axis + 1 :]),
    )


def _step(
    planner: Planner, node: Node, kind: str, views: Sequence[View], rest: Sequence[int]
) -> View:
    target = planner.allocate(node.type, node.name)
    touched = (*views, target)
    words = [word for view in touched for word in (view.buffer, view.offset)]
    name = f"{kind} {views[0].type.dtype}"
    planner.step(node, kind, name, (*words, *rest), touched)
    return target


@emits("argmax", "argmin")
def position(planner: Planner, node: Node) -> View:
    """The first extremum; the first NaN, if there is one."""
    views, extent = _along(planner, node)
    return _step(planner, node, node.op, views, extent)


@emits("cumsum", "recurrence")
def running(planner: Planner, node: Node) -> View:
    """One pass along the axis, forwards or backwards."""
    views, extent = _along(planner, node)
    if 0 in extent:
        return planner.allocate(node.type, node.name)
    first, step = (extent[1] - 1, -1) if node.attrs["reverse"] else (0, 1)
    return _step(planner, node, node.op, views, [*extent, first, step])
