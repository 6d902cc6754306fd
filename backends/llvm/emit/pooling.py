"""Maxima over windows, and the way back."""

from __future__ import annotations

import math
from collections.abc import Callable

from ....ir.graph import Node
from ..kernels.pooling import PoolWords, max_pool_input_source, max_pool_source, overlap
from ..kernels.source import Source
from ..plan.planner import Planner, emits
from ..plan.tasks import ACCESS, batch_parts
from ..plan.view import View

Ints = tuple[int, ...]


def _step(
    p: Planner,
    node: Node,
    write: Callable[..., str],
    x: View,
    y: View,
    x_bar: View,
    size: Ints,
    stride: Ints,
) -> None:
    """A step of a kernel, cut along the images; each task has a row to keep things."""
    lead = x.type.rank - len(size)
    missing = (1,) * (3 - len(size))
    places, rows, columns = (*missing, *y.type.shape[lead:])
    depth, height, width = (*missing, *x.type.shape[lead:])
    taps = math.prod(y.type.shape) * math.prod(size)
    parts = batch_parts(math.prod(x.type.shape[:lead]), taps * ACCESS)
    room = 2 * columns
    kept = p.allocate(x.type.with_shape((len(parts), room)))
    tasks: list[PoolWords] = []
    for number, part in enumerate(parts):
        in_x = part.start * depth * height * width
        in_y = part.start * places * rows * columns
        tasks.append(
            PoolWords(
                len(part),
                *(places, rows, columns),
                *(depth, height, width),
                *x.start(in_x),
                *y.start(in_y),
                *x_bar.start(in_x),
                *kept.start(number * room),
            )
        )
    kernel = Source.of(
        write, dtype=x.type.dtype, window=(*missing, *size), stride=(*missing, *stride)
    )
    rest = tasks if len(tasks) > 1 else ()
    p.step(node, node.op, kernel, tasks[0], (x, y, x_bar, kept), rest)


@emits("max_pool")
def max_pool(p: Planner, node: Node, x: View, *, size: Ints, stride: Ints) -> View:
    """The maximum at each place."""
    y = p.allocate(node.type, node.name)
    if 0 not in node.type.shape:
        x = p.contiguous(node, x)
        _step(p, node, max_pool_source, x, y, y, size, stride)
    return y


@emits("max_pool_input")
def max_pool_input(
    p: Planner, node: Node, y: View, x: View, *, size: Ints, stride: Ints
) -> View:
    """What each place sends back, shared among the maxima of its window."""
    y, x = p.contiguous(node, y), p.contiguous(node, x)
    x_bar = p.allocate(node.type, node.name)
    covered = y.type.size * math.prod(size) == x.type.size
    if not covered or overlap(size, stride):
        p.fill(node, x_bar, 0.0)
    if 0 not in node.type.shape:
        _step(p, node, max_pool_input_source, x, y, x_bar, size, stride)
    return x_bar
