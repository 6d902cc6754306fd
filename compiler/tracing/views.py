"""Memories: what an array and its views share while a function is traced.

NumPy's views share memory; ours share a `Memory`, whose newest value each of them reads
through its path and writes back through it. Slices, transposes and axes of size 1 make
paths. Whether another reshape is a view or a copy depends on a layout that is not known
while tracing, so it has a memory of its own, and what either misses of the other's
writes is an error when it is read.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ...ir.errors import SourceLine
from ...ir.extent import Extent
from ...ir.graph import Node
from .paths import Path
from .undo import note_undo

if TYPE_CHECKING:
    from .trace import Trace

__all__ = ["Alike", "Memory"]


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

    ``ordered`` says that it is known to be in C order. ``argument`` is the name of the
    parameter whose memory it is, if it is one's. ``origin`` is the memory that this may
    be a part of, and the part. While nothing traced was stored there, ``known`` is the
    real array, and there is no node. ``home`` is the trace that the node belongs to,
    where a branch wrote the memory. ``alike`` are the memories that may be this one, by
    the branch that was taken. ``copied`` is the path of what this may be a copy of.
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
        "line",
        "ordered",
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
        self._node: Node | None = node
        self.argument = argument
        self.origin = origin
        self.known = known
        self.ordered = known is not None and bool(known.flags.c_contiguous)
        self.home: Trace | None = None
        self.alike: Alike | None = None
        self.copied: Path | None = None
        self.line: SourceLine | None = None  # of the last write
        self.version = 0  # how often the value changed
        self._writes: list[Extent] = []
        self._lost: dict[Memory, Extent] = {}
        self._seen = len(origin[0]._writes) if origin else 0
        self._parts: list[weakref.ref[Memory]] = []
        if origin is not None:
            self.argument = origin[0].argument
            origin[0]._parts.append(weakref.ref(self))

    @property
    def is_ordered(self) -> bool:
        """Whether it is known to be in C order, as new arrays of one axis are."""
        is_new = self.origin is None and self.argument is None
        return self.ordered or (is_new and len(self.shape) < 2)

    @property
    def node(self) -> Node:
        """The value there now."""
        assert self._node is not None, "what is known has no node"
        return self._node

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes of all of it."""
        return self.node.type.shape if self.known is None else self.known.shape

    def forget(self, owner: Trace) -> None:
        """Have nodes instead of what is known, here and wherever bytes are shared.

        ``owner`` is the trace that made it.
        """
        group = self
        while group.origin is not None:
            group = group.origin[0]
        waiting = [group]
        while waiting:
            memory = waiting.pop()
            if memory.known is not None:
                note_undo(partial(memory._know, memory.known), owner.level)
                memory._node, memory.known = owner.initial(memory.known), None
                memory.version += 1
            waiting += memory._living_parts()

    def _know(self, known: np.ndarray[Any, Any]) -> None:
        self._node, self.known = None, known
        self.version += 1

    def _living_parts(self) -> list[Memory]:
        return [part for ref in self._parts if (part := ref()) is not None]

    @property
    def is_written(self) -> bool:
        """Whether anything was stored there."""
        return bool(self._writes)

    def written_at(self) -> SourceLine | None:
        """The line of a write that this does not show, if it is known."""
        others = [*self._lost, *([self.origin[0]] if self.origin else [])]
        lines = [other.line or other.written_at() for other in others]
        return next(filter(None, lines), None)

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
            note_undo(partial(setattr, memory, "alike", memory.alike))
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
        self.line = trace.builder.source
        self.replace(path.write(trace, self.node, value), written)

    def replace(self, node: Node, written: Extent) -> None:
        """Hold another value, which differs in this part."""
        self.swap(node, self.home)
        self.lose(written)

    def lose(self, written: Extent) -> None:
        """Note that this part was written, or may have been."""
        self._note_write(written)
        self._lose_in_origin()

    def _note_write(self, written: Extent) -> None:
        note_undo(partial(self._forget_writes, len(self._writes)))
        self._writes.append(written)

    def _forget_writes(self, count: int) -> None:
        del self._writes[count:]
        for part in self._living_parts():
            part._seen = min(part._seen, count)

    def is_copy_of(self, memory: Memory, path: Path) -> bool:
        """Whether this may be a copy of what a path shows of a memory."""
        return self.origin is not None and (self.origin[0], self.copied) == (
            memory,
            path,
        )

    def settle(self, part: Memory) -> None:
        """Know again what is in a part, which is about to be stored as it is."""
        note_undo(partial(self._restore_lost, dict(self._lost)))
        self._lost.pop(part, None)

    def _restore_lost(self, lost: dict[Memory, Extent]) -> None:
        self._lost = lost

    def swap(self, node: Node, home: Trace | None) -> None:
        """Hold what another trace says."""
        self._node, self.home = node, home
        self.version += 1

    def _lose_in_origin(self) -> None:
        """Note where this may be a part that the part was written, or was not."""
        if self.origin is not None:
            memory, part = self.origin
            memory._note_write(part)
            memory.version += 1
            note_undo(partial(memory._restore_lost, dict(memory._lost)))
            memory._lost[self] = part
            self._seen = len(memory._writes)
            memory._lose_in_origin()
