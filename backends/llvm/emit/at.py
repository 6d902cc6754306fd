"""Slices at positions that are known only when running: views behind a pointer.

A small step computes where the slice begins. What reads it reads it where it lies, and
what stores or adds there writes into the memory of the chain of stores.
"""

from __future__ import annotations

from collections.abc import Sequence

from ....ir.graph import Node
from ..kernels.at import AddressWords, PositionWords, address_source
from ..kernels.source import Source
from ..plan.planner import Planner, emits
from ..plan.view import View, strided

Ints = tuple[int, ...]


def _slice(
    p: Planner,
    node: Node,
    whole: View,
    positions: Sequence[View],
    axes: Ints,
    start: Ints,
    shape: Ints,
    step: Ints,
) -> View:
    """The view of a slice, behind a pointer that a step sets."""
    view = strided(whole, start, shape, step)
    if 0 in shape:
        return view
    pointer = p.pointer(view.type, view.strides, whole)
    words: list[int] = [*AddressWords(pointer.buffer, len(axes), *view.start())]
    for axis, position in zip(axes, positions, strict=True):
        stride = whole.strides[axis] * whole.type.numpy.itemsize
        words += PositionWords(*position.start(), stride)
    touched = [whole, pointer, *positions]
    p.step(node, "at", Source.of(address_source), tuple(words), touched)
    return pointer


@emits("slice_at")
def slice_at(
    p: Planner,
    node: Node,
    x: View,
    *positions: View,
    axes: Ints,
    start: Ints,
    shape: Ints,
    step: Ints,
) -> View:
    """The elements where they lie."""
    return _slice(p, node, x, positions, axes, start, shape, step)


@emits("update_at")
def update_at(
    p: Planner, node: Node, *operands: View, axes: Ints, start: Ints, step: Ints
) -> View:
    """Copy the value to its places."""
    return _store(p, node, axes, start, step, adds=False)


@emits("add_at")
def add_at(
    p: Planner, node: Node, *operands: View, axes: Ints, start: Ints, step: Ints
) -> View:
    """Add the value at its places."""
    return _store(p, node, axes, start, step, adds=True)


def _store(
    p: Planner, node: Node, axes: Ints, start: Ints, step: Ints, *, adds: bool
) -> View:
    """The memory of the chain, after the value was written there."""
    memory = p.stores.open(node)
    shape = p.graph[node.operands[1]].type.shape
    p.stores.vacate(node)
    _, value, *positions = p.operands(node)
    target = _slice(p, node, memory, positions, axes, start, shape, step)
    label = "add" if adds else "copy"
    p.loop(node, label, shape, [value], (), [(target, 0)], accumulate=adds)
    return memory
