"""Rows of a stacked value: arrays of their own, read when they are asked for.

A list that a loop filled holds one for each turn. Joined again in order they are the
stacked value, so that a list of many items costs what one array does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..ir.graph import Node
from ..ir.types import TensorType
from .tracer import Tracer
from .views import Memory

if TYPE_CHECKING:
    from .trace import Trace

__all__ = ["RowMemory", "stacked_value"]


class RowMemory(Memory):
    """The memory of a row, until something is written there."""

    __slots__ = ("index", "stacked", "trace", "type")

    def __init__(
        self, trace: Trace, stacked: Node, type: TensorType, index: int
    ) -> None:
        super().__init__(None)
        self.trace, self.stacked, self.type, self.index = trace, stacked, type, index

    @property
    def node(self) -> Node:
        """The value there now."""
        if self._node is None:
            b, rank = self.trace.builder, self.type.rank
            row = b.slice(
                self.stacked,
                start=(self.index, *(0,) * rank),
                shape=(1, *self.type.shape),
                step=(1,) * (rank + 1),
            )
            self._node = b.reshape(row, self.type.shape)
        return self._node

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes of all of it."""
        return self.type.shape

    def tracer(self, weak: bool) -> Tracer:
        """The array in this memory."""
        return Tracer.unread(self.trace, self.type, self, weak=weak)


def stacked_value(items: Any) -> Tracer | None:
    """The value that a list or a tuple has the rows of, all of them and in order."""
    if not isinstance(items, (list, tuple)):
        return None
    first: Any = items[0] if items else None
    if not isinstance(first, Tracer) or not isinstance(first.memory, RowMemory):
        return None
    trace, stacked = first.memory.trace, first.memory.stacked
    if stacked.type.shape[0] != len(items):
        return None
    for index, item in enumerate(items):
        memory = item.memory if isinstance(item, Tracer) else None
        if not isinstance(memory, RowMemory) or memory.version or memory.known:
            return None
        if memory.stacked is not stacked or memory.index != index or item.is_view:
            return None
    return trace.wrap(stacked)
