"""Convolutions as products with the windows laid out as matrices (im2col)."""

from __future__ import annotations

import math
from typing import Any

from ...ir.graph import Node
from .linalg import product
from .plan import Planner, emits
from .view import View


def window_view(view: View, size: Any, stride: Any) -> View:
    """``[..., *space]`` as the overlapping windows ``[..., *places, *size]``."""
    lead = view.type.rank - len(size)
    shape, strides = view.type.sizes, view.strides
    places = [
        (whole - window) // step + 1
        for whole, window, step in zip(shape[lead:], size, stride, strict=True)
    ]
    steps = [by * step for by, step in zip(strides[lead:], stride, strict=True)]
    return view.moved(
        (*shape[:lead], *places, *size), (*strides[:lead], *steps, *strides[lead:])
    )


def channels_first(windows: View, rank: int) -> View:
    """``[N, C, *places, *size]`` as ``[N, C, *size, *places]``."""
    lead = windows.type.rank - 2 * rank
    order = [
        *range(lead),
        *range(lead + rank, lead + 2 * rank),
        *range(lead, lead + rank),
    ]
    return windows.moved(
        [windows.type.sizes[axis] for axis in order],
        [windows.strides[axis] for axis in order],
    )


def _columns(planner: Planner, node: Node, x: View, size: Any, stride: Any) -> View:
    """The windows of ``[N, C, *space]`` as matrices ``[N, C * size, places]``."""
    rank = len(size)
    moved = channels_first(window_view(x, size, stride), rank)
    packed = planner.contiguous(node, moved)
    batch, channels = x.type.sizes[:2]
    places = math.prod(moved.type.sizes[2 + rank :])
    return packed.reshaped((batch, channels * math.prod(size), places))


def _flat_kernel(planner: Planner, node: Node, w: View) -> View:
    """``[O, C, *size]`` as the matrix ``[O, C * size]``."""
    packed = planner.contiguous(node, w)
    return packed.reshaped((w.type.sizes[0], math.prod(w.type.sizes[1:])))


def _repeated(matrix: View, count: int) -> View:
    """One matrix as a stack of ``count`` equal ones."""
    return matrix.moved((count, *matrix.type.sizes), (0, *matrix.strides))


def _swapped(stack: View) -> View:
    """A stack of matrices transposed."""
    *sizes, rows, columns = stack.type.sizes
    *strides, down, across = stack.strides
    return stack.moved((*sizes, columns, rows), (*strides, across, down))


def _flat_places(planner: Planner, node: Node, y: View) -> View:
    """``[N, O, *places]`` as matrices ``[N, O, places]``."""
    packed = planner.contiguous(node, y)
    return packed.reshaped((*y.type.sizes[:2], math.prod(y.type.sizes[2:])))


@emits("conv")
def conv(planner: Planner, node: Node) -> View:
    """``y[n] = w columns[n]``"""
    x, w = planner.operands(node)
    columns = _columns(planner, node, x, w.type.sizes[2:], node.attrs["stride"])
    kernel = _repeated(_flat_kernel(planner, node, w), x.type.sizes[0])
    target = planner.allocate(node.type, node.name)
    flat = target.reshaped((*node.type.sizes[:2], columns.type.sizes[-1]))
    product(planner, node, kernel, columns, flat)
    return target


@emits("conv_kernel")
def conv_kernel(planner: Planner, node: Node) -> View:
    """``w = sum over n of y[n] columns[n]ᵀ``"""
    x, y = planner.operands(node)
    size: Any = node.attrs["shape"]
    columns = _columns(planner, node, x, size, node.attrs["stride"])
    target = planner.allocate(node.type, node.name)
    flat = target.reshaped((node.type.sizes[0], math.prod(node.type.sizes[1:])))
    product(planner, node, _flat_places(planner, node, y), _swapped(columns), flat)
    return target


@emits("conv_input")
def conv_input(planner: Planner, node: Node) -> View:
    """``columns[n] = wᵀ y[n]``, each added where its window came from."""
    y, w = planner.operands(node)
    stride: Any = node.attrs["stride"]
    size = w.type.sizes[2:]
    batch, channels = node.type.sizes[:2]
    kernel = _repeated(_swapped(_flat_kernel(planner, node, w)), batch)
    places = _flat_places(planner, node, y)
    inner = channels * math.prod(size)
    columns = planner.allocate(
        node.type.with_shape((batch, inner, places.type.sizes[-1]))
    )
    product(planner, node, kernel, places, columns)
    target = planner.allocate(node.type, node.name)
    into = channels_first(window_view(target, size, stride), len(size))
    _add_into(planner, node, columns.reshaped(into.type.sizes), target, into)
    return target


def _add_into(
    planner: Planner, node: Node, source: View, target: View, into: View
) -> None:
    """Zero ``target``, then add ``source`` into ``into``, its overlapping view."""
    planner.fill(node, target, 0.0 if target.type.is_float else 0)
    planner.loop(
        node, "fold", into.type.sizes, [source], (), [(into, 0)], accumulate=True
    )


@emits("windows")
def windows(planner: Planner, node: Node) -> View:
    """A view that overlaps itself."""
    (view,) = planner.operands(node)
    return window_view(view, node.attrs["size"], node.attrs["stride"])


@emits("fold")
def fold(planner: Planner, node: Node) -> View:
    """Add each window where it came from."""
    (view,) = planner.operands(node)
    shape: Any = node.attrs["shape"]
    rank = len(shape)
    size = view.type.sizes[view.type.rank - rank :]
    target = planner.allocate(node.type, node.name)
    into = channels_first(window_view(target, size, node.attrs["stride"]), rank)
    _add_into(planner, node, channels_first(view, rank), target, into)
    return target
