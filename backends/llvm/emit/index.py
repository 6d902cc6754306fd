"""Gather, scatter-add, and the check of indices."""

from __future__ import annotations

import math
from typing import Any

from ....ir.graph import Node
from ..plan.planner import Planner, emits
from ..plan.view import View


def _move(
    planner: Planner, node: Node, kind: str, whole: View, part: View, index: View
) -> tuple[View, View, tuple[int, ...]]:
    """The contiguous operand and indices, and ``outer, length, count, inner``."""
    axis: Any = node.attrs["axis"]
    source = planner.operands(node)[0]
    packed = planner.contiguous(node, source)
    places = planner.contiguous(node, index)
    sizes = whole.type.shape
    extent = (
        math.prod(sizes[:axis]),
        sizes[axis],
        math.prod(index.type.shape),
        math.prod(sizes[axis + 1 :]),
    )
    return packed, places, extent


@emits("take")
def take(planner: Planner, node: Node) -> View:
    """Copy the rows that the indices name."""
    x, index = planner.operands(node)
    target = planner.allocate(node.type, node.name)
    packed, places, extent = _move(planner, node, "take", x, target, index)
    words = _words(packed, places, target, extent)
    touched = (packed, places, target)
    planner.step(node, "take", f"take {node.type.dtype}", words, touched)
    return target


@emits("scatter_add")
def scatter_add(planner: Planner, node: Node) -> View:
    """Add each row where its index says."""
    x, index = planner.operands(node)
    target = planner.allocate(node.type, node.name)
    zero = False if node.type.dtype == "bool" else 0.0 if node.type.is_float else 0
    planner.fill(node, target, zero)
    packed, places, extent = _move(planner, node, "scatter", target, x, index)
    words = _words(packed, places, target, extent)
    touched = (packed, places, target)
    planner.step(node, "scatter", f"scatter {node.type.dtype}", words, touched)
    return target


def _words(
    packed: View, places: View, target: View, extent: tuple[int, ...]
) -> tuple[int, ...]:
    views = (packed, places, target)
    return (*(word for v in views for word in (v.buffer, v.offset)), *extent)


@emits("check")
def check(planner: Planner, node: Node) -> View:
    """A copy whose step fails where a value is outside: its status is its number."""
    (view,) = planner.operands(node)
    source = planner.contiguous(node, view)
    target = planner.allocate(node.type, node.name)
    low: Any = node.attrs["low"]
    high: Any = node.attrs["high"]
    words = (source.buffer, source.offset, target.buffer, target.offset)
    words = (*words, math.prod(node.type.shape), low, high - 1, planner.next_step)
    planner.step(node, "check", "check i64", words, (source, target))
    return target
