"""Ops that move elements: views where strides can say it, copies where not."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from ...ir.graph import Node
from .plan import Planner, emits
from .view import View, row_strides, side_by_side


@emits("const")
def const(planner: Planner, node: Node) -> View:
    """A place in the constant pool."""
    value: Any = node.attrs["value"]
    return planner.constant(value, node.type.dtype)


@emits("iota")
def iota(planner: Planner, node: Node) -> View:
    """A ramp, and a view that repeats it along the other axes."""
    axis: Any = node.attrs["axis"]
    count = node.type.sizes[axis]
    ramp = planner.allocate(node.type.with_shape((count,)))
    words = (ramp.buffer, ramp.offset, count)
    planner.step(node, "ramp", f"ramp {node.type.dtype}", words, (ramp,))
    strides = [int(i == axis) for i in range(node.type.rank)]
    return ramp.moved(node.type.sizes, strides)


@emits("reshape")
def reshape(planner: Planner, node: Node) -> View:
    """The same elements; a copy only where no strides can give the new shape."""
    (view,) = planner.operands(node)
    strides = reshaped_strides(view.type.sizes, view.strides, node.type.sizes)
    if strides is None:
        return planner.contiguous(node, view).reshaped(node.type.sizes)
    return view.moved(node.type.sizes, strides)


def reshaped_strides(
    old: Sequence[int], strides: Sequence[int], new: Sequence[int]
) -> tuple[int, ...] | None:
    """The strides that show an array of shape ``old`` in shape ``new``, if any do.

    Runs of axes of equal size in both shapes are matched; within a run the old strides
    must be those of one long axis.
    """
    if 0 in new:
        return row_strides(new)
    pairs = [(n, s) for n, s in zip(old, strides, strict=True) if n != 1]
    found: list[int] = []
    i = j = 0
    while j < len(new):
        if new[j] == 1:
            found.append(0)
            j += 1
            continue
        start, have, want, first = i, 1, 1, j
        while have != want or have == 1:
            if have <= want:
                have *= pairs[i][0]
                i += 1
            else:
                want *= new[j]
                j += 1
        run = pairs[start:i]
        for (_, outer), (size, inner) in pairwise(run):
            if outer != inner * size:
                return None
        while j < len(new) and new[j] == 1:
            j += 1
        step = run[-1][1]
        found += [stride * step for stride in row_strides(new[first:j])]
    return tuple(found)


@emits("transpose")
def transpose(planner: Planner, node: Node) -> View:
    """A view with its axes permuted."""
    (view,) = planner.operands(node)
    perm: Any = node.attrs["perm"]
    return view.moved(node.type.sizes, [view.strides[axis] for axis in perm])


@emits("broadcast_to")
def broadcast_to(planner: Planner, node: Node) -> View:
    """A view with stride 0 where the value is repeated."""
    (view,) = planner.operands(node)
    extra = node.type.rank - view.type.rank
    strides = [
        0 if size == 1 else stride
        for size, stride in zip(view.type.sizes, view.strides, strict=True)
    ]
    return view.moved(node.type.sizes, [0] * extra + strides)


@emits("slice")
def slice_(planner: Planner, node: Node) -> View:
    """A view that starts later and steps further."""
    (view,) = planner.operands(node)
    return strided(view, node.attrs["start"], node.type.sizes, node.attrs["step"])


def strided(view: View, start: Any, shape: Sequence[int], step: Any) -> View:
    """The view ``view[start :: step]`` of the given shape."""
    by = sum(first * stride for first, stride in zip(start, view.strides, strict=True))
    strides = [s * stride for s, stride in zip(step, view.strides, strict=True)]
    return view.moved(shape, strides, 0 if 0 in shape else by)


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
    planner.copy(node, view, strided(target, low, view.type.sizes, step))
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
        part = strided(target, start, view.type.sizes, (1,) * node.type.rank)
        if not view.same_memory(part):
            planner.copy(node, view, part)
        start[axis] += view.type.sizes[axis]
    return target
