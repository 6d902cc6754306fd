"""Rows of a stacked value: arrays of their own, read when they are asked for.

A list that a loop filled holds one for each turn. Joined again in order they are the
stacked value, so that a list of many items costs what one array does.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from ...ir.graph import Node
from ...ir.types import TensorType
from ..calls.static import Static
from ..tree import flatten, unflatten
from .tracer import Tracer
from .views import Memory

if TYPE_CHECKING:
    from .trace import Trace

__all__ = ["RowMemory", "Stack", "stacked_value", "with_lists", "with_stacks"]


MIN_NUMBERS = 8  # in a list that a loop keeps of each turn as an array


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


class Stack(NamedTuple):
    """Lists in lists that have the rows of one value, as an array of their ``shape``.

    It stands for the lists where a loop keeps them of each turn.
    """

    array: Any
    shape: Static
    weak: Static

    @classmethod
    def of(cls, items: Any, trace: Trace | None = None) -> Stack | None:
        """That of a list whose rows a loop made.

        In the body of a loop, a ``trace``, of a list that was made there: its rows, or
        so many numbers that one array costs less.
        """
        shape: list[int] = []
        while isinstance(items, list) and items and isinstance(items[0], list):
            parts = cast("list[list[Any]]", items)
            if any(type(p) is not list or len(p) != len(parts[0]) for p in parts):
                return None
            shape.append(len(parts) // math.prod(shape))
            items = [one for part in parts for one in part]
        whole: Any = stacked_value(items)
        if whole is None and trace is not None and _are_numbers(items):
            whole = np.stack(items)
        if whole is None or (trace is not None and whole.owner is not trace):
            return None
        if any(item.memory.alike for item in items):
            return None
        if shape:
            shape.append(len(items) // math.prod(shape))
            whole = np.reshape(whole, (*shape, *whole.shape[1:]))
        return cls(whole, Static((*shape,) or (len(items),)), Static(items[0].weak))

    def lists(self, flat: dict[str, Node]) -> list[Any]:
        """The lists again, of a stack that is a row itself.

        ``flat`` keeps the values that these are rows of, for all rows.
        """
        memory, shape = self.array.memory, self.shape.value
        trace, count = memory.trace, math.prod(shape)
        type_ = memory.type.with_shape(memory.type.shape[len(shape) :])
        name, trips = memory.stacked.name, memory.stacked.type.shape[0]
        if name not in flat:
            sizes = trips * count, *type_.shape
            flat[name] = trace.builder.reshape(memory.stacked, sizes)
        first = memory.index * count
        rows: list[Any] = [
            RowMemory(trace, flat[name], type_, first + i).tracer(self.weak.value)
            for i in range(count)
        ]
        for size in shape[:0:-1]:
            rows = [rows[i : i + size] for i in range(0, len(rows), size)]
        return rows


def _are_numbers(items: Any) -> bool:
    """Whether there are many traced numbers, of one type, and nothing else."""
    if type(items) is not list or len(items) < MIN_NUMBERS:
        return False
    return all(
        isinstance(item, Tracer)
        and (item.known, item.bound, item.shape) == (None, None, ())
        and (item.type, item.weak) == (items[0].type, items[0].weak)
        for item in items
    )


def with_stacks(value: Any, trace: Trace) -> Any:
    """A value with stacks for the lists in it whose rows a loop of the trace made."""
    if not isinstance(value, (list, tuple, dict)):
        return value
    found: dict[int, Stack] = {}

    def is_stack(part: Any) -> bool:
        stack = Stack.of(part, trace)
        if stack is not None:
            found[id(part)] = stack
        return stack is not None

    leaves, tree = flatten(value, is_stack)
    return unflatten(tree, [found.get(id(leaf), leaf) for leaf in leaves])


def with_lists(value: Any, flat: dict[str, Node]) -> Any:
    """A value with lists for the stacks in it."""
    if not isinstance(value, (list, tuple, dict)):
        return value
    leaves, tree = flatten(value, lambda part: isinstance(part, Stack))
    made = [one.lists(flat) if isinstance(one, Stack) else one for one in leaves]
    return unflatten(tree, made)
