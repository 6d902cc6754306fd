"""Ops that move elements: views where strides can say it, copies where not."""

from __future__ import annotations

from ....ir.graph import Node
from ..kernels.shape import RampWords, ramp_source
from ..kernels.source import Source
from ..plan.planner import Planner, emits
from ..plan.view import View, reshaped_strides, side_by_side, strided

Ints = tuple[int, ...]


@emits("const")
def const(
    p: Planner, node: Node, *, value: bool | int | float, dtype: str = ""
) -> View:
    """A place in the constant pool."""
    return p.constant(value, node.type.dtype)


@emits("iota")
def iota(p: Planner, node: Node, *, shape: Ints, axis: int, dtype: str) -> View:
    """A ramp, and a view that repeats it along the other axes."""
    ramp = p.allocate(node.type.with_shape((shape[axis],)))
    kernel = Source.of(ramp_source, dtype=dtype)
    p.call(node, "ramp", kernel, (ramp,), RampWords(size=shape[axis]))
    return ramp.moved(shape, [int(i == axis) for i in range(len(shape))])


@emits("reshape")
def reshape(p: Planner, node: Node, x: View, *, shape: Ints) -> View:
    """The same elements; a copy only where no strides can give the new shape."""
    strides = reshaped_strides(x.type.shape, x.strides, shape)
    if strides is None:
        return p.contiguous(node, x).reshaped(shape)
    return x.moved(shape, strides)


@emits("transpose")
def transpose(p: Planner, node: Node, x: View, *, perm: Ints) -> View:
    """A view with its axes permuted."""
    return x.moved(node.type.shape, [x.strides[axis] for axis in perm])


@emits("broadcast_to")
def broadcast_to(p: Planner, node: Node, x: View, *, shape: Ints) -> View:
    """A view with stride 0 where the value is repeated."""
    extra = len(shape) - x.type.rank
    strides = [
        0 if size == 1 else stride
        for size, stride in zip(x.type.shape, x.strides, strict=True)
    ]
    return x.moved(shape, [0] * extra + strides)


@emits("slice")
def slice_(
    p: Planner, node: Node, x: View, *, start: Ints, shape: Ints, step: Ints
) -> View:
    """A view that starts later and steps further."""
    return strided(x, start, shape, step)


@emits("pad")
def pad(
    p: Planner,
    node: Node,
    x: View,
    *,
    low: Ints,
    high: Ints,
    interior: Ints,
    value: bool | int | float,
) -> View:
    """Fill, then copy into the middle."""
    target = p.allocate(node.type, node.name)
    p.fill(node, target, value)
    step = [gap + 1 for gap in interior]
    p.copy(node, x, strided(target, low, x.type.shape, step))
    return target


@emits("concatenate")
def concatenate(p: Planner, node: Node, *views: View, axis: int) -> View:
    """A view where the operands lie side by side, else copies of those elsewhere."""
    found = side_by_side(views, axis)
    if found is not None:
        return found
    target = p.concatenation(node)
    start = [0] * node.type.rank
    for view in views:
        part = strided(target, start, view.type.shape, (1,) * node.type.rank)
        if not view.same_memory(part):
            p.copy(node, view, part)
        start[axis] += view.type.shape[axis]
    return target
