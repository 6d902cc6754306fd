"""Paths: what a view shows of the memory that it shares with others.

Slices, transposes and axes of size 1 make paths, and positions that are known only when
running move them. A part of complex numbers is taken at the end of a path, and a shape
that merges or cuts axes begins another one, through the first.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...ir.builder import Builder
from ...ir.extent import Extent, whole
from ...ir.graph import Node
from .layout import is_view

if TYPE_CHECKING:
    from .trace import Trace
    from .views import Memory

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
    further along the axes that have ``moves``. A ``part`` of complex numbers is "real"
    or "imag". With ``through`` the path does not begin at the memory but at what
    another path shows of it, in the shape that is given there.
    """

    extent: Extent
    axes: tuple[int | None, ...]
    shape: tuple[int, ...]
    frozen: bool = False
    moves: tuple[Move, ...] = ()
    part: str | None = None
    through: tuple[Path, tuple[int, ...]] | None = None

    @property
    def all_moves(self) -> tuple[Move, ...]:
        """The positions of this path and of those that it goes through."""
        before = self.through[0].all_moves if self.through else ()
        return (*before, *self.moves)

    def sliced(self, inner: Extent, moves: Sequence[Move] = ()) -> Path:
        """The path to a slice of the view, of whose axes some have ``moves``."""
        rank = len(self.extent.start)
        start, shape, step = [0] * rank, [1] * rank, [1] * rank
        for axis, place in zip(self.axes, zip(*inner, strict=True), strict=True):
            if axis is not None:
                start[axis], shape[axis], step[axis] = place
        extent = self.extent.of(Extent(tuple(start), tuple(shape), tuple(step)))
        made = self._replace(extent=extent, shape=inner.shape)
        made = made._moved(moves, self.extent.step) if moves else made
        return made._of_element() if made.through is not None else made

    def _of_element(self) -> Path:
        """The path to one element without the shape that this goes through.

        So a store of it costs what it writes, and not all of the array.
        """
        if self.through is None or set(self.extent.shape) - {1}:
            return self
        before, shape = self.through
        strides = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
        first = sum(map(operator.mul, self.extent.start, strides))
        sizes = before.shape
        if self.moves:
            start, moves = (
                (0,) * len(sizes),
                _unraveled(self.moves, first, strides, sizes),
            )
        else:
            start, moves = tuple(map(int, np.unravel_index(first, sizes))), []
        once = (1,) * len(sizes)
        found = before.sliced(Extent(start, once, once), moves).reshaped(self.shape)
        assert found is not None, "all axes have size 1"
        return found._replace(frozen=self.frozen, part=self.part or before.part)

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
        """The extent in a memory of these sizes, and wherever it may be moved to.

        Through another path it is whatever that reaches.
        """
        if self.through is not None:
            return self.through[0].reach(sizes)
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

    def viewed_as(self, shape: tuple[int, ...]) -> Path:
        """The path to the view in a shape that merges or cuts axes."""
        return path_to(shape)._replace(through=(self, shape), frozen=self.frozen)

    def broadcast(self, shape: tuple[int, ...]) -> Path:
        """The path to the view with axes repeated."""
        extra = len(shape) - len(self.shape)
        kept = zip(self.axes, self.shape, shape[extra:], strict=True)
        axes = [axis if old == new else None for axis, old, new in kept]
        return self._replace(axes=(*(None,) * extra, *axes), shape=shape, frozen=True)

    def read(self, trace: Trace, x: Node) -> Node:
        """The view of a memory that holds ``x``, a node of ``trace``."""
        b = trace.builder
        if self.through is not None:
            before, shape = self.through
            x = b.reshape(before.read(trace, x), shape)
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
        made = b.broadcast(b.reshape(x, once), x.type.with_shape(self.shape))
        return made if self.part is None else b.add_node(self.part, made)

    def write(self, trace: Trace, x: Node, value: Node) -> Node:
        """The memory that held ``x`` after ``value`` was written to the view."""
        if 0 in self.shape:
            return x
        b = trace.builder
        if self.through is not None:
            before, shape = self.through
            whole_view = b.reshape(before.read(trace, x), shape)
            made = self._replace(through=None).write(trace, whole_view, value)
            return before.write(trace, x, b.reshape(made, before.shape))
        if self.part is not None:
            both = self._replace(part=None)
            value = _with_part(b, both.read(trace, x), self.part, value)
            return both.write(trace, x, value)
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


def _unraveled(
    moves: Sequence[Move], first: int, strides: Sequence[int], sizes: Sequence[int]
) -> list[Move]:
    """Positions along axes of these sizes, for those along axes of one shape more.

    An element is ``first`` places from the beginning where all of these are 0.
    """
    trace = max((move.trace for move in moves), key=lambda trace: trace.level)
    b = trace.builder
    flat = b.const(first, "i64")
    for move in moves:
        position = trace.position(move)
        flat = b.add(flat, b.mul(position, b.const(strides[move.axis], "i64")))
    made: list[Move] = []
    for axis, size in enumerate(sizes):
        if size > 1:
            stride, along = math.prod(sizes[axis + 1 :]), flat
            if stride > 1:
                along = b.add_node("floor_divide", along, b.const(stride, "i64"))
            if made:  # the first axis has no more places than these
                along = b.add_node("remainder", along, b.const(size, "i64"))
            made.append(Move(axis, trace, along))
    return made


def _with_part(b: Builder, x: Node, part: str, value: Node) -> Node:
    """``x`` with another real or imaginary part."""
    if part == "real":
        return b.complex(value, b.imag(x))
    return b.complex(b.real(x), value)


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


def follow(
    b: Builder, made: Node, base: Node, path: Path, memory: Memory
) -> Path | None:
    """The path to ``made``, which ops made of ``base``, the view that ``path`` shows.

    None where it is not known that NumPy would make a view.
    """
    moves: list[Node] = []
    while made.name != base.name:
        if made.op not in _FOLLOWED:
            return None
        moves.append(made)
        made = b[made.operands[0]]
    for node in reversed(moves):
        attrs: Any = node.attrs
        if node.op == "slice":
            path = path.sliced(Extent(attrs["start"], attrs["shape"], attrs["step"]))
        elif node.op == "transpose":
            path = path.transposed(attrs["perm"])
        elif node.op == "broadcast_to":
            path = path.broadcast(attrs["shape"])
        elif node.op in ("real", "imag"):
            path = path._replace(part=node.op)
        else:
            shape = attrs["shape"]
            found = path.reshaped(shape)
            if found is None and not is_view(path, memory, shape):
                return None
            path = found or path.viewed_as(shape)
    return path


_FOLLOWED = ("slice", "reshape", "transpose", "broadcast_to", "real", "imag")
