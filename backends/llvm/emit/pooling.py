"""Maxima over windows, and the way back."""

from __future__ import annotations

import math
from typing import Any

from ....ir.graph import Node
from ..kernels.pooling import overlap
from ..plan.planner import Planner, emits
from ..plan.tasks import ACCESS, batch_parts
from ..plan.view import View


def _step(planner: Planner, node: Node, x: View, y: View, x_bar: View) -> None:
    """A step of a kernel, cut along the images; each task has a row to keep things."""
    size: Any = node.attrs["size"]
    stride: Any = node.attrs["stride"]
    lead = x.type.rank - len(size)
    missing = (1,) * (3 - len(size))
    places = (*missing, *y.type.shape[lead:])
    space = (*missing, *x.type.shape[lead:])
    taps = math.prod(y.type.shape) * math.prod(size)
    parts = batch_parts(math.prod(x.type.shape[:lead]), taps * ACCESS)
    room = 2 * places[-1]
    kept = planner.allocate(x.type.with_shape((len(parts), room)))
    views = (x, y, x_bar, kept)
    tasks: list[tuple[int, ...]] = []
    for number, part in enumerate(parts):
        in_x, in_y = part.start * math.prod(space), part.start * math.prod(places)
        words: list[int] = []
        moves = (in_x, in_y, in_x, number * room)
        for view, by in zip(views, moves, strict=True):
            words += [view.buffer, view.offset + by * view.type.numpy.itemsize]
        tasks.append((len(part), *places, *space, *words))
    window, step = ("x".join(map(str, (*missing, *n))) for n in (size, stride))
    kernel = f"{node.op} {x.type.dtype} {window} {step}"
    rest = tasks if len(tasks) > 1 else ()
    planner.step(node, node.op, kernel, tasks[0], views, rest)


@emits("max_pool")
def max_pool(planner: Planner, node: Node) -> View:
    """The maximum at each place."""
    (x,) = planner.operands(node)
    target = planner.allocate(node.type, node.name)
    if 0 not in node.type.shape:
        _step(planner, node, planner.contiguous(node, x), target, target)
    return target


@emits("max_pool_input")
def max_pool_input(planner: Planner, node: Node) -> View:
    """What each place sends back, shared among the maxima of its window."""
    y, x = (planner.contiguous(node, view) for view in planner.operands(node))
    target = planner.allocate(node.type, node.name)
    size: Any = node.attrs["size"]
    covered = y.type.size * math.prod(size) == x.type.size
    if not covered or overlap(size, node.attrs["stride"]):
        planner.fill(node, target, 0.0)
    if 0 not in node.type.shape:
        _step(planner, node, x, y, target)
    return target
