"""Convolutions by the kernels of `correlation`, and sliding windows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import product
from typing import NamedTuple

from ....ir.graph import Node
from ..kernels.correlation import (
    TILE_VECTORS,
    CorrelationWords,
    correlation_source,
    dots_tile,
    lanes,
    tile,
)
from ..kernels.source import Source
from ..plan.planner import Planner, emits
from ..plan.tasks import MULTIPLICATION, batch_parts
from ..plan.view import View, row_strides

Ints = tuple[int, ...]

GROUP_BYTES = 1 << 18


class Geometry(NamedTuple):
    """The sizes of a convolution, and its planes as `correlation` defines them.

    ``plane`` is the shape of a plane, ``phases`` counts the phases along each axis.
    """

    batch: int
    inputs: int
    outputs: int
    space: Ints
    window: Ints
    stride: Ints

    @property
    def places(self) -> Ints:
        """How often the window fits along each axis."""
        sizes = zip(self.space, self.window, self.stride, strict=True)
        return tuple((whole - size) // step + 1 for whole, size, step in sizes)

    @property
    def phases(self) -> Ints:
        """How many phases of the stride the window meets along each axis."""
        return tuple(map(min, self.window, self.stride))

    @property
    def plane(self) -> Ints:
        """The places, and as many more as the window reaches further."""
        sizes = zip(self.places, self.window, self.stride, strict=True)
        return tuple(count + (size - 1) // step for count, size, step in sizes)

    @property
    def span(self) -> int:
        """From the first place in a plane to the last."""
        steps = zip(self.places, row_strides(self.plane), strict=True)
        return 1 + sum((count - 1) * step for count, step in steps)

    @property
    def multiplications(self) -> int:
        """How many one product takes, those of junk included."""
        taps = self.inputs * math.prod(self.window)
        return self.batch * self.outputs * taps * self.span

    def parts(self, dtype: str) -> list[range]:
        """The images of each task."""
        return batch_parts(self.batch, self.multiplications * MULTIPLICATION[dtype])

    def table(self) -> list[int]:
        """What tap (offset in the window, channel) meets at place 0."""
        phases, steps = row_strides(self.phases), row_strides(self.plane)
        size = math.prod(self.plane)
        found: list[int] = []
        for offset in product(*map(range, self.window)):
            pairs = [divmod(k, s) for k, s in zip(offset, self.stride, strict=True)]
            by = sum(
                whole * step for (whole, _), step in zip(pairs, steps, strict=True)
            )
            phase = sum(a * step for (_, a), step in zip(pairs, phases, strict=True))
            first = by + phase * size
            every = math.prod(self.phases) * size
            found += [first + channel * every for channel in range(self.inputs)]
        return found

    def rows(self) -> tuple[list[int], int]:
        """Where the rows of places start in a plane, and their length."""
        if self.span == math.prod(self.places):
            return [0], self.span
        steps = row_strides(self.plane)[:-1]
        starts = [
            sum(i * step for i, step in zip(row, steps, strict=True))
            for row in product(*map(range, self.places[:-1]))
        ]
        return starts, self.places[-1]


def geometry(x: Ints, w: Ints, stride: Ints) -> Geometry:
    """Of x ``[N, C, *space]`` and w ``[O, C, *window]``, given as shapes."""
    return Geometry(x[0], x[1], w[0], x[2:], w[2:], stride)


def window_view(view: View, size: Ints, stride: Ints) -> View:
    """``[..., *space]`` as the overlapping windows ``[..., *places, *size]``."""
    lead = view.type.rank - len(size)
    shape, strides = view.type.shape, view.strides
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
    return transposed(
        windows,
        [*range(lead), *range(lead + rank, lead + 2 * rank), *range(lead, lead + rank)],
    )


def transposed(view: View, order: Sequence[int]) -> View:
    """The view with its axes in another order."""
    return view.moved(
        [view.type.shape[axis] for axis in order],
        [view.strides[axis] for axis in order],
    )


def _phase_views(g: Geometry, x: View, planes: View) -> Iterator[tuple[View, View]]:
    """Each phase of ``x [N, C, *space]`` and its place in the planes."""
    lead, steps = x.strides[:2], x.strides[2:]
    size = math.prod(g.plane)
    for number, phase in enumerate(product(*map(range, g.phases))):
        shape = [
            min(count, -(-(whole - first) // step))
            for count, whole, first, step in zip(
                g.plane, g.space, phase, g.stride, strict=True
            )
        ]
        by = sum(first * step for first, step in zip(phase, steps, strict=True))
        walked = [s * step for s, step in zip(g.stride, steps, strict=True)]
        there = (*planes.strides[:2], *row_strides(g.plane))
        yield (
            x.moved((*x.type.shape[:2], *shape), (*lead, *walked), by),
            planes.moved((*x.type.shape[:2], *shape), there, number * size),
        )


def _allocate_planes(p: Planner, g: Geometry, like: View) -> View:
    shape = (g.batch, g.inputs, math.prod(g.phases) * math.prod(g.plane))
    return p.allocate(like.type.with_shape(shape))


def _planes(p: Planner, node: Node, g: Geometry, x: View) -> View:
    """``x`` as planes: itself, but for the stride."""
    if math.prod(g.stride) == 1:
        return p.contiguous(node, x)
    planes = _allocate_planes(p, g, x)
    for source, target in _phase_views(g, x, planes):
        p.copy(node, source, target)
    return planes


def _valid(p: Planner, node: Node, g: Geometry, like: View) -> View:
    """1 at the places of a plane, 0 at junk."""
    room = g.span + TILE_VECTORS * lanes(like.type.dtype)
    flags = p.allocate(like.type.with_shape((room,)))
    p.fill(node, flags, 0.0)
    p.fill(node, flags.moved(g.places, row_strides(g.plane)), 1.0)
    return flags


def _step(
    p: Planner,
    node: Node,
    kind: str,
    g: Geometry,
    x: View,
    w: View,
    y: View,
    valid: View | None = None,
) -> None:
    """A step of a kernel of `correlation`: x as planes, w packed as it says.

    Each task has a ``wide`` of its own, and for dots a w of its own: w is a stack then.
    """
    dtype = y.type.dtype
    itemsize = y.type.numpy.itemsize
    table = g.table()
    starts, columns = g.rows()
    parts = g.parts(dtype)
    x_step = g.inputs * math.prod(g.phases) * math.prod(g.plane)
    y_step = g.outputs * math.prod(g.places)
    w_step = g.outputs * len(table) if kind == "dots" else 0
    width = lanes(dtype)
    row_step = -(-g.span // width) * width
    image = g.outputs * row_step
    group = 1
    if kind == "dots":
        size = dots_tile()
        fitting = GROUP_BYTES // ((x_step + image) * itemsize)
        group = min(len(parts[0]), max(1, fitting))
    else:
        rows = g.outputs if kind == "correlate" else len(table)
        size = tile(rows, row_step // width)
    room = group * image + TILE_VECTORS * width
    direct = kind == "correlate" and len(starts) == 1
    if direct:
        wide, wide_step, row_step, starts = y, y_step, g.span, []
    else:
        wide = p.allocate(y.type.with_shape((len(parts), room)))
        wide_step = image if kind == "dots" else 0
    tasks: list[tuple[int, ...]] = []
    for number, images in enumerate(parts):
        in_x, in_y = images.start * x_step, images.start * y_step
        memory = x.start(in_x) + w.start(number * w_step) + y.start(in_y)
        memory += wide.start(in_y if direct else number * room) + (valid or y).start()
        words = CorrelationWords(
            batch=len(images),
            group=group,
            x_step=x_step,
            y_step=y_step,
            wide_step=wide_step,
            row_step=row_step,
            channels=g.outputs,
            taps=len(table),
            span=g.span,
            rows=len(starts),
            columns=columns,
        )
        tasks.append((*memory, *words, *table, *starts))
    rows, vectors = size
    kernel = Source.of(
        correlation_source, kind=kind, dtype=dtype, rows=rows, vectors=vectors
    )
    views, rest = (x, w, y, wide, valid or y), tasks if len(tasks) > 1 else ()
    p.step(node, kind, kernel, tasks[0], views, rest, g.multiplications)


@emits("conv")
def conv(p: Planner, node: Node, x: View, w: View, *, stride: Ints) -> View:
    """A value at each place."""
    target = p.allocate(node.type, node.name)
    if 0 in (*x.type.shape, *w.type.shape):
        p.fill(node, target, 0.0)
        return target
    g = geometry(x.type.shape, w.type.shape, stride)
    packed = transposed(w, [*range(2, w.type.rank), 1, 0])
    packed = p.contiguous(node, packed)
    _step(p, node, "correlate", g, _planes(p, node, g, x), packed, target)
    return target


@emits("conv_input")
def conv_input(
    p: Planner, node: Node, y: View, w: View, *, shape: Ints, stride: Ints
) -> View:
    """Each place spread over its window."""
    target = p.allocate(node.type, node.name)
    if 0 in (*y.type.shape, *w.type.shape):
        p.fill(node, target, 0.0)
        return target
    g = geometry(node.type.shape, w.type.shape, stride)
    packed = transposed(w, [0, *range(2, w.type.rank), 1])
    packed = p.contiguous(node, packed)
    whole = math.prod(g.stride) == 1
    planes = target if whole else _allocate_planes(p, g, target)
    valid = _valid(p, node, g, target)
    places = p.contiguous(node, y)
    _step(p, node, "spread", g, planes, packed, places, valid)
    if not whole:
        p.fill(node, target, 0.0)
        for source, into in _phase_views(g, target, planes):
            p.copy(node, into, source)
    return target


@emits("conv_kernel")
def conv_kernel(
    p: Planner, node: Node, x: View, y: View, *, shape: Ints, stride: Ints
) -> View:
    """The products of places and of what the taps met there, added up."""
    target = p.allocate(node.type, node.name)
    if 0 in (*x.type.shape, *y.type.shape):
        p.fill(node, target, 0.0)
        return target
    g = geometry(x.type.shape, node.type.shape, stride)
    rank = len(g.window)
    shape = (len(g.parts(node.type.dtype)), g.outputs, *g.window, g.inputs)
    packed = p.allocate(node.type.with_shape(shape))
    valid = _valid(p, node, g, target)
    planes, places = _planes(p, node, g, x), p.contiguous(node, y)
    _step(p, node, "dots", g, planes, packed, places, valid)
    stack = transposed(packed, [0, 1, rank + 2, *range(2, rank + 2)])
    sums = [(target, 0, "reduce_sum")]
    p.loop(node, "sum", stack.type.shape, [stack], reductions=sums, axes=(0,))
    return target


def _add_into(p: Planner, node: Node, source: View, target: View, into: View) -> None:
    """Zero ``target``, then add ``source`` into ``into``, its overlapping view."""
    p.fill(node, target, 0.0 if target.type.is_float else 0)
    p.loop(node, "fold", into.type.shape, [source], (), [(into, 0)], accumulate=True)


@emits("windows")
def windows(p: Planner, node: Node, x: View, *, size: Ints, stride: Ints) -> View:
    """A view that overlaps itself."""
    return window_view(x, size, stride)


@emits("fold")
def fold(p: Planner, node: Node, x: View, *, shape: Ints, stride: Ints) -> View:
    """Add each window where it came from."""
    rank = len(shape)
    size = x.type.shape[x.type.rank - rank :]
    target = p.allocate(node.type, node.name)
    into = channels_first(window_view(target, size, stride), rank)
    _add_into(p, node, channels_first(x, rank), target, into)
    return target
