"""Views while tracing: the path from a memory to what a view of it shows.

NumPy's views share memory; ours share a `Memory`, whose newest value each of them reads
through its path and writes back through it. Slices, transposes and axes of size 1 make
paths. Whether another reshape is a view or a copy depends on a layout that is not known
while tracing, so it has a memory of its own, and what either misses of the other's
writes is an error when it is read.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

from ..ir.builder import Builder
from ..ir.extent import Extent, whole
from ..ir.graph import Node

__all__ = ["Memory", "Path", "follow", "path_to"]


class Path(NamedTuple):
    """What a view shows of a memory.

    ``extent`` is taken from it; ``axes`` says for each axis of the view which axis of
    the memory it is, and None for a new or a repeated one. ``shape`` is the view's.
    What was broadcast is ``frozen``: NumPy does not write there.
    """

    extent: Extent
    axes: tuple[int | None, ...]
    shape: tuple[int, ...]
    frozen: bool = False

    def sliced(self, inner: Extent) -> Path:
        """The path to a slice of the view."""
        rank = len(self.extent.start)
        start, shape, step = [0] * rank, [1] * rank, [1] * rank
        for axis, place in zip(self.axes, zip(*inner, strict=True), strict=True):
            if axis is not None:
                start[axis], shape[axis], step[axis] = place
        extent = self.extent.of(Extent(tuple(start), tuple(shape), tuple(step)))
        return self._replace(extent=extent, shape=inner.shape)

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
        return Path(self.extent, (*(None,) * extra, *axes), shape, frozen=True)

    def read(self, b: Builder, x: Node) -> Node:
        """The view of a memory that holds ``x``."""
        start, counts, step = self.extent
        if not self.extent.covers(x.type.shape):
            x = b.slice(x, start=start, shape=counts, step=step)
        kept = [axis for axis in self.axes if axis is not None]
        x = b.reshape(x, [counts[axis] for axis in sorted(kept)])
        x = b.transpose(x, [sorted(kept).index(axis) for axis in kept])
        once = [1 if axis is None else counts[axis] for axis in self.axes]
        return b.broadcast(b.reshape(x, once), x.type.with_shape(self.shape))

    def write(self, b: Builder, x: Node, value: Node) -> Node:
        """The memory that held ``x`` after ``value`` was written to the view."""
        if 0 in self.shape:
            return x
        start, counts, step = self.extent
        kept = [axis for axis in self.axes if axis is not None]
        value = b.reshape(value, [counts[axis] for axis in kept])
        value = b.transpose(value, [kept.index(axis) for axis in sorted(kept)])
        value = b.reshape(value, counts)
        if self.extent.covers(x.type.shape):
            return value
        return b.update(x, value, start=start, step=step)


@lru_cache(maxsize=4096)
def path_to(shape: tuple[int, ...]) -> Path:
    """The path to all of a memory."""
    return Path(whole(shape), tuple(range(len(shape))), shape)


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


class Memory:
    """What an array and its views share: the value there now, and what was written.

    ``argument`` is the name of the parameter whose memory it is, if it is one's.
    ``origin`` is the memory that this may be a part of, and the part.
    """

    __slots__ = ("_lost", "_seen", "_writes", "argument", "node", "origin")

    def __init__(
        self,
        node: Node,
        argument: str | None = None,
        origin: tuple[Memory, Extent] | None = None,
    ) -> None:
        self.node = node
        self.argument = argument
        self.origin = origin
        self._writes: list[Extent] = []
        self._lost: dict[Memory, Extent] = {}
        self._seen = len(origin[0]._writes) if origin else 0
        if origin is not None:
            self.argument = origin[0].argument

    @property
    def version(self) -> int:
        """How often it was written."""
        return len(self._writes)

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
        self._seen = memory.version
        return memory.knows(part, self)

    def write(self, b: Builder, path: Path, value: Node) -> None:
        """Write ``value`` to what ``path`` shows."""
        self.node = path.write(b, self.node, value)
        self._writes.append(path.extent)
        self._lose_in_origin()

    def _lose_in_origin(self) -> None:
        """Note where this may be a part that the part was written, or was not."""
        if self.origin is not None:
            memory, part = self.origin
            memory._writes.append(part)
            memory._lost[self] = part
            self._seen = memory.version
            memory._lose_in_origin()
