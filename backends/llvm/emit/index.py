"""Gather, scatter-add, and the check of indices."""

from __future__ import annotations

import math
from collections.abc import Callable

from ....ir.graph import Node
from ..kernels.index import (
    CheckWords,
    RowWords,
    check_source,
    scatter_source,
    take_source,
)
from ..kernels.source import Source
from ..plan.planner import Planner, emits
from ..plan.view import View


def move_rows(
    p: Planner,
    node: Node,
    label: str,
    write: Callable[[str], str],
    source: View,
    index: View,
    target: View,
    whole: View,
    axis: int,
) -> None:
    """A step that moves rows to ``target``; ``whole`` has one for every place."""
    packed = p.contiguous(node, source)
    places = p.contiguous(node, index)
    sizes = whole.type.shape
    words = RowWords(
        outer=math.prod(sizes[:axis]),
        length=sizes[axis],
        rows=math.prod(index.type.shape),
        inner=math.prod(sizes[axis + 1 :]),
    )
    kernel = Source.of(write, dtype=node.type.dtype)
    p.call(node, label, kernel, (packed, places, target), words)


@emits("take")
def take(p: Planner, node: Node, x: View, index: View, *, axis: int) -> View:
    """Copy the rows that the indices name."""
    target = p.allocate(node.type, node.name)
    move_rows(p, node, "take", take_source, x, index, target, x, axis)
    return target


@emits("scatter_add")
def scatter_add(
    p: Planner, node: Node, x: View, index: View, *, axis: int, size: int
) -> View:
    """Add each row where its index says."""
    target = p.allocate(node.type, node.name)
    zero = False if node.type.dtype == "bool" else 0.0 if node.type.is_float else 0
    p.fill(node, target, zero)
    move_rows(p, node, "scatter", scatter_source, x, index, target, target, axis)
    return target


@emits("check")
def check(
    p: Planner, node: Node, x: View, *, low: int, high: int, error: str, message: str
) -> View:
    """A copy whose step fails where a value is outside."""
    source = p.contiguous(node, x)
    target = p.allocate(node.type, node.name)
    size, status = math.prod(node.type.shape), p.status(node)
    words = CheckWords(size=size, low=low, last=high - 1, status=status)
    p.call(node, "check", Source.of(check_source), (source, target), words)
    return target
