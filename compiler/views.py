"""Views while tracing: the path from a memory to what a view of it shows.

NumPy's views share memory; ours share a `Memory`, whose newest value each of them reads
through its path and writes back through it. Slices, transposes and axes of size 1 make
paths. Whether another reshape is a view or a copy depends on a layout that is not known
while tracing, so it has a memory of its own, and what either misses of the other's
writes is an error when it is read.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..ir.builder import Builder
from ..ir.errors import SourceLine
from ..ir.extent import Extent, whole
from ..ir.graph import Node

if TYPE_CHECKING:
    from .trace import Trace

__all__ = ["Memory", "Move", "Path", "follow", "path_of", "path_to"]


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


class Alike:
    """Memories that may be one, by the branches that are taken.

    With ``outside`` one of them may be an array that the function did not make.
    """

    def __init__(self, line: SourceLine | None) -> None:
        self.line = line
        self.outside = False
        self.members: weakref.WeakSet[Memory] = weakref.WeakSet()


class Memory:
    """What an array and its views share: the value there now, and what was written.

    ``argument`` is the name of the parameter whose memory it is, if it is one's.
    ``origin`` is the memory that this may be a part of, and the part. While nothing
    traced was stored there, ``known`` is the real array, and there is no node. ``home``
    is the trace that the node belongs to, where a branch wrote the memory. ``alike``
    are the memories that may be this one, by the branch that was taken. ``copied`` is
    the path of what this may be a copy of.
    """

    __slots__ = (
        "__weakref__",
        "_lost",
        "_node",
        "_parts",
        "_seen",
        "_writes",
        "alike",
        "argument",
        "copied",
        "home",
        "known",
        "origin",
        "version",
    )

    def __init__(
        self,
        node: Node | None,
        argument: str | None = None,
        origin: tuple[Memory, Extent] | None = None,
        known: np.ndarray[Any, Any] | None = None,
    ) -> None:
        self._node = node
        self.argument = argument
        self.origin = origin
        self.known = known
        self.home: Trace | None = None
        self.alike: Alike | None = None
        self.copied: Path | None = None
        self.version = 0  # how often the value changed
        self._writes: list[Extent] = []
        self._lost: dict[Memory, Extent] = {}
        self._seen = len(origin[0]._writes) if origin else 0
        self._parts: list[weakref.ref[Memory]] = []
        if origin is not None:
            self.argument = origin[0].argument
            origin[0]._parts.append(weakref.ref(self))

    @property
    def node(self) -> Node:
        """The value there now."""
        assert self._node is not None, "what is known has no node"
        return self._node

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes of all of it."""
        return self.node.type.shape if self.known is None else self.known.shape

    def forget(self, make_node: Callable[[np.ndarray[Any, Any]], Node]) -> None:
        """Have nodes instead of what is known, here and wherever bytes are shared."""
        group = self
        while group.origin is not None:
            group = group.origin[0]
        waiting = [group]
        while waiting:
            memory = waiting.pop()
            if memory.known is not None:
                memory._node, memory.known = make_node(memory.known), None
                memory.version += 1
            waiting += [part for ref in memory._parts if (part := ref()) is not None]

    @property
    def is_written(self) -> bool:
        """Whether anything was stored there."""
        return bool(self._writes)

    def may_be(self, others: Iterable[Memory], line: SourceLine | None) -> Alike:
        """Note that this may be one of others, and what each of them may be."""
        made = Alike(line)
        waiting = [self, *others]
        while waiting:
            memory = waiting.pop()
            made.members.add(memory)
            if memory.alike is not None:
                made.outside |= memory.alike.outside
                made.members.update(memory.alike.members)
            if memory.origin is not None:
                waiting.append(memory.origin[0])
        for memory in made.members:
            memory.alike = made
        return made

    def other_name(self) -> Alike | None:
        """Why a write here may be one to what another name refers to, if it may."""
        memory: Memory = self
        mine: set[Memory] = {memory}
        while memory.origin is not None:
            memory = memory.origin[0]
            mine.add(memory)
        for one in mine:
            found = one.alike
            if found is not None and (
                found.outside or not mine.issuperset(found.members)
            ):
                return found
        return None

    def is_part_of(self, other: Memory) -> bool:
        """Whether writes to ``other`` may be writes to this memory."""
        memory = self
        while memory is not other and memory.origin is not None:
            memory = memory.origin[0]
        return memory is other

    def knows(self, extent: Extent, reader: Memory | None = None) -> bool:
        """Whether it is known what is in this part; the ``reader`` knows its writes."""
        for writer, lost in self._lost.items():
            if writer is not reader and extent.overlaps(lost):
                return False
        if self.origin is None:
            return True
        memory, part = self.origin
        if any(map(part.overlaps, memory._writes[self._seen :])):
            return False
        self._seen = len(memory._writes)
        return memory.knows(part, self)

    def write(self, trace: Trace, path: Path, value: Node) -> None:
        """Write ``value``, a node of ``trace``, to what ``path`` shows."""
        written = path.reach(self.shape)
        self.replace(path.write(trace, self.node, value), written)

    def replace(self, node: Node, written: Extent) -> None:
        """Hold another value, which differs in this part."""
        self.swap(node, self.home)
        self._writes.append(written)
        self._lose_in_origin()

    def is_copy_of(self, memory: Memory, path: Path) -> bool:
        """Whether this may be a copy of what a path shows of a memory."""
        return self.origin is not None and (self.origin[0], self.copied) == (
            memory,
            path,
        )

    def settle(self, part: Memory) -> None:
        """Know again what is in a part, which is about to be stored as it is."""
        self._lost.pop(part, None)

    def swap(self, node: Node, home: Trace | None) -> None:
        """Hold what another trace says."""
        self._node, self.home = node, home
        self.version += 1

    def _lose_in_origin(self) -> None:
        """Note where this may be a part that the part was written, or was not."""
        if self.origin is not None:
            memory, part = self.origin
            memory._writes.append(part)
            memory.version += 1
            memory._lost[self] = part
            self._seen = len(memory._writes)
            memory._lose_in_origin()
