"""Paths: what a view shows of the memory that it shares with others.

Slices, transposes and axes of size 1 make paths, and positions that are known only when
running move them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..ir.builder import Builder
from ..ir.extent import Extent, whole
from ..ir.graph import Node

if TYPE_CHECKING:
    from .trace import Trace

__all__ = ["Move", "Path", "follow", "path_of", "path_to"]


class Move(NamedTuple):
    """A position along an axis of a memory that is known only when running."""

    axis: int
    trace: Trace
    node: Node


class Path(NamedTuple):
    """What a view shows of a memory.

    ``extent`` is taken from it; ``axes`` says for each axis of the view which axis of
    the memory it is, and None for a new or a repeated one. ``shape`` is the view's.
    What was broadcast is ``frozen``: NumPy does not write there. The extent begins
    further along the axes that have ``moves``.
    """

    extent: Extent
    axes: tuple[int | None, ...]
    shape: tuple[int, ...]
    frozen: bool = False
    moves: tuple[Move, ...] = ()

    def sliced(self, inner: Extent, moves: Sequence[Move] = ()) -> Path:
        """The path to a slice of the view, of whose axes some have ``moves``."""
        rank = len(self.extent.start)
        start, shape, step = [0] * rank, [1] * rank, [1] * rank
        for axis, place in zip(self.axes, zip(*inner, strict=True), strict=True):
            if axis is not None:
                start[axis], shape[axis], step[axis] = place
        extent = self.extent.of(Extent(tuple(start), tuple(shape), tuple(step)))
        made = self._replace(extent=extent, shape=inner.shape)
        return made._moved(moves, self.extent.step) if moves else made

    def _moved(self, moves: Sequence[Move], step: Sequence[int]) -> Path:
        """With positions along axes of the view, which are ``step`` apart."""
        found = {move.axis: move for move in self.moves}
        for move in moves:
            axis = self.axes[move.axis]
            if axis is None:  # all places are one
                continue
            trace, node = move.trace, move.node
            b = trace.builder
            if step[axis] != 1:
                node = b.mul(node, b.const(step[axis], "i64"))
            before = found.get(axis)
            if before is not None:
                node = b.add(trace.position(before), node)
            found[axis] = Move(axis, trace, node)
        return self._replace(moves=tuple(found[axis] for axis in sorted(found)))

    def reach(self, sizes: Sequence[int]) -> Extent:
        """The extent in a memory of these sizes, and wherever it may be moved to."""
        if not self.moves or 0 in self.extent.shape:
            return self.extent
        start, shape, step = map(list, self.extent)
        for axis, _, _ in self.moves:
            start[axis], shape[axis], step[axis] = 0, sizes[axis], 1
        return Extent(tuple(start), tuple(shape), tuple(step))

    def transposed(self, perm: tuple[int, ...]) -> Path:
        """The path to the view with its axes permuted."""
        axes, shape = ([row[i] for i in perm] for row in (self.axes, self.shape))
        return self._replace(axes=tuple(axes), shape=tuple(shape))

    def reshaped(self, shape: tuple[int, ...]) -> Path | None:
        """The path to the view in another shape, if only axes of size 1 differ."""
        kept = [axis for axis, n in zip(self.axes, self.shape, strict=True) if n != 1]
        if [n for n in shape if n != 1] != [n for n in self.shape if n != 1]:
            return None
        rest = iter(kept)
        axes = tuple(None if n == 1 else next(rest) for n in shape)
        return self._replace(axes=axes, shape=shape)

    def broadcast(self, shape: tuple[int, ...]) -> Path:
        """The path to the view with axes repeated."""
        extra = len(shape) - len(self.shape)
        kept = zip(self.axes, self.shape, shape[extra:], strict=True)
        axes = [axis if old == new else None for axis, old, new in kept]
        return self._replace(axes=(*(None,) * extra, *axes), shape=shape, frozen=True)

    def read(self, trace: Trace, x: Node) -> Node:
        """The view of a memory that holds ``x``, a node of ``trace``."""
        b = trace.builder
        start, counts, step = self.extent
        if self.moves:
            axes, positions = self._positions(trace)
            where = {"axes": axes, "start": start, "step": step}
            x = b.slice_at(x, *positions, shape=counts, **where)
        elif not self.extent.covers(x.type.shape):
            x = b.slice(x, start=start, shape=counts, step=step)
        kept = [axis for axis in self.axes if axis is not None]
        x = b.reshape(x, [counts[axis] for axis in sorted(kept)])
        x = b.transpose(x, [sorted(kept).index(axis) for axis in kept])
        once = [1 if axis is None else counts[axis] for axis in self.axes]
        return b.broadcast(b.reshape(x, once), x.type.with_shape(self.shape))

    def write(self, trace: Trace, x: Node, value: Node) -> Node:
        """The memory that held ``x`` after ``value`` was written to the view."""
        if 0 in self.shape:
            return x
        b = trace.builder
        start, counts, step = self.extent
        kept = [axis for axis in self.axes if axis is not None]
        added = None
        if self.moves and kept == sorted(kept) and value.type.dtype != "bool":
            added = _added(b, x, value, self.read(trace, x))
        value = value if added is None else added
        value = b.reshape(value, [counts[axis] for axis in kept])
        value = b.transpose(value, [kept.index(axis) for axis in sorted(kept)])
        value = b.reshape(value, counts)
        if self.moves:
            axes, positions = self._positions(trace)
            store = b.update_at if added is None else b.add_at
            return store(x, value, *positions, axes=axes, start=start, step=step)
        if self.extent.covers(x.type.shape):
            return value
        return b.update(x, value, start=start, step=step)

    def _positions(self, trace: Trace) -> tuple[tuple[int, ...], list[Node]]:
        """The axes with positions, and these as nodes of ``trace``."""
        axes = tuple(move.axis for move in self.moves)
        return axes, [trace.position(move) for move in self.moves]


def _added(b: Builder, x: Node, value: Node, before: Node) -> Node | None:
    """What ``value`` adds to what ``x`` has where it is stored, if it adds to that.

    ``before`` is what is there, read anew.
    """
    if value.op not in ("add", "sub"):
        return None
    one, other = (b[name] for name in value.operands)
    place = _read(b, before)
    if place is None or place[0] != x.name:
        return None
    if _read(b, one) == place:
        return other if value.op == "add" else b.neg(other)
    return one if value.op == "add" and _read(b, other) == place else None


def _read(b: Builder, node: Node) -> tuple[object, ...] | None:
    """The array, the positions and the places of a ``slice_at``, also reshaped."""
    while node.op == "reshape":
        node = b[node.operands[0]]
    if node.op != "slice_at":
        return None
    return (*node.operands, *sorted(node.attrs.items()))


@lru_cache(maxsize=4096)
def path_to(shape: tuple[int, ...]) -> Path:
    """The path to all of a memory."""
    return Path(whole(shape), tuple(range(len(shape))), shape)


def path_of(view: np.ndarray[Any, Any], base: np.ndarray[Any, Any]) -> Path | None:
    """The path from a real array to a view of it, None where axes are merged or cut.

    ``base`` is contiguous: where the view begins, in strides of its axes, is the start.
    """
    axes_of = sorted(
        ((s, axis) for axis, s in enumerate(base.strides) if base.shape[axis] > 1),
        reverse=True,
    )
    offset = view.ctypes.data - base.ctypes.data
    start, count, step = ([value] * base.ndim for value in (0, 1, 1))
    for stride, axis in axes_of:
        start[axis], offset = divmod(offset, stride)
    axes: list[int | None] = []
    for size, stride in zip(view.shape, view.strides, strict=True):
        if size == 1 or stride == 0:
            axes.append(None)
            continue
        found = next(((s, axis) for s, axis in axes_of if s <= abs(stride)), None)
        if found is None or stride % found[0] or found[1] in axes:
            return None
        axis = found[1]
        count[axis], step[axis] = size, stride // found[0]
        if not 0 <= start[axis] + step[axis] * (size - 1) < base.shape[axis]:
            return None
        axes.append(axis)
    frozen = any(
        n > 1 and s == 0 for n, s in zip(view.shape, view.strides, strict=True)
    )
    extent = Extent(tuple(start), tuple(count), tuple(step))
    return None if offset else Path(extent, tuple(axes), view.shape, frozen)


def follow(b: Builder, made: Node, base: Node, path: Path) -> Path | None:
    """The path to ``made``, which ops made of ``base``, the view that ``path`` shows.

    None where it is not known whether NumPy would make a view.
    """
    moves: list[Node] = []
    while made.name != base.name:
        if made.op not in ("slice", "reshape", "transpose", "broadcast_to"):
            return None
        moves.append(made)
        made = b[made.operands[0]]
    found: Path | None = path
    for node in reversed(moves):
        attrs: Any = node.attrs
        if node.op == "slice":
            found = found.sliced(Extent(attrs["start"], attrs["shape"], attrs["step"]))
        elif node.op == "transpose":
            found = found.transposed(attrs["perm"])
        elif node.op == "broadcast_to":
            found = found.broadcast(attrs["shape"])
        else:
            found = found.reshaped(attrs["shape"])
        if found is None:
            return None
    return found
