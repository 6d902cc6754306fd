"""Ops that move elements: views where strides can say it, copies where not."""

from __future__ import annotations

from typing import Any

from ....ir.graph import Node
from ..plan.planner import Planner, emits
from ..plan.view import View, reshaped_strides, side_by_side, strided


@emits("const")
def const(planner: Planner, node: Node) -> View:
    """A place in the constant pool."""
    value: Any = node.attrs["value"]
    return planner.constant(value, node.type.dtype)


@emits("iota")
def iota(planner: Planner, node: Node) -> View:
    """A ramp, and a view that repeats it along the other axes."""
    axis: Any = node.attrs["axis"]
    count = node.type.shape[axis]
    ramp = planner.allocate(node.type.with_shape((count,)))
    words = (ramp.buffer, ramp.offset, count)
    planner.step(node, "ramp", f"ramp {node.type.dtype}", words, (ramp,))
    strides = [int(i == axis) for i in range(node.type.rank)]
    return ramp.moved(node.type.shape, strides)


@emits("reshape")
def reshape(planner: Planner, node: Node) -> View:
    """The same elements; a copy only where no strides can give the new shape."""
    (view,) = planner.operands(node)
    strides = reshaped_strides(view.type.shape, view.strides, node.type.shape)
    if strides is None:
        return planner.contiguous(node, view).reshaped(node.type.shape)
    return view.moved(node.type.shape, strides)


@emits("transpose")
def transpose(planner: Planner, node: Node) -> View:
    """A view with its axes permuted."""
    (view,) = planner.operands(node)
    perm: Any = node.attrs["perm"]
    return view.moved(node.type.shape, [view.strides[axis] for axis in perm])


@emits("broadcast_to")
def broadcast_to(planner: Planner, node: Node) -> View:
    """A view with stride 0 where the value is repeated."""
    (view,) = planner.operands(node)
    extra = node.type.rank - view.type.rank
    strides = [
        0 if size == 1 else stride
        for size, stride in zip(view.type.shape, view.strides, strict=True)
    ]
    return view.moved(node.type.shape, [0] * extra + strides)


@emits("slice")
def slice_(planner: Planner, node: Node) -> View:
    """A view that starts later and steps further."""
    (view,) = planner.operands(node)
    return strided(view, node.attrs["start"], node.type.shape, node.attrs["step"])


@emits("pad")
def pad(planner: Planner, node: Node) -> View:
    """Fill, then copy into the middle."""
    (view,) = planner.operands(node)
    value: Any = node.attrs["value"]
    low: Any = node.attrs["low"]
    interior: Any = node.attrs["interior"]
    target = planner.allocate(node.type, node.name)
    planner.fill(node, target, value)
    step = [gap + 1 for gap in interior]
    planner.copy(node, view, strided(target, low, view.type.shape, step))
    return target


@emits("concatenate")
def concatenate(planner: Planner, node: Node) -> View:
    """A view where the operands lie side by side, else copies of those elsewhere."""
    axis: Any = node.attrs["axis"]
    views = planner.operands(node)
    found = side_by_side(views, axis)
    if found is not None:
        return found
    target = planner.concatenation(node)
    start = [0] * node.type.rank
    for view in views:
        part = strided(target, start, view.type.shape, (1,) * node.type.rank)
        if not view.same_memory(part):
            planner.copy(node, view, part)
        start[axis] += view.type.shape[axis]
    return target
