"""The memory of chains of stores while they are planned: who still needs what is there.

All versions of a chain lie in one memory, each written over the one before. Whatever
else lies in it (slices of older versions, values made in their place) is an *alias*,
as long as a step to come reads it. A store first moves out the aliases that it would
overwrite, and the version that it updates if something else reads that later: a copy
of these and no more, which the plan's text shows. In the body of a loop that stores
into what it carries, the memory has the carried value from the beginning.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from ....ir.extent import Extent, ExtentIndex, whole
from ....ir.graph import Node
from .begun import begun_with
from .chains import Chain, chains, place_of
from .view import View, strided

if TYPE_CHECKING:
    from .concatenation import Home
    from .planner import Planner

__all__ = ["Stores", "extent_in"]


class _Memory:
    """Where a chain lies, and the aliases in it."""

    def __init__(self, chain: Chain, view: View) -> None:
        self.chain = chain
        self.view = view
        self.begun = False
        self.aliases: ExtentIndex[str] = ExtentIndex()


class Stores:
    """The chains of the graph that a planner plans."""

    def __init__(self, planner: Planner, inside: Mapping[str, str]) -> None:
        self._planner = planner
        self._inside = inside
        graph = planner.graph
        self._chains: dict[str, Chain] = {}
        self._memories: dict[str, _Memory] = {}
        self._in_buffer: dict[int, _Memory] = {}
        self._left: Counter[str] = Counter()
        self._bases: dict[str, str] = {}
        self.chains = chains(graph, inside, apart=not inside)
        for chain in self.chains:
            names = [node.name for node in chain.stores]
            self._chains.update(dict.fromkeys(names, chain))
            self._bases.update(zip(names, chain.bases, strict=True))
            if inside.get(chain.root) == chain.last.name:
                self._keep(chain, planner.views[chain.root]).begun = True
        if self._chains:
            self._left.update(graph.results)
            self._left.update(name for node in graph for name in node.operands)

    @property
    def over(self) -> dict[str, str]:
        """What is written over by each store.

        Chains of ``update`` alone may be as long as a program, and keep its order.
        """
        found: dict[str, str] = {}
        for chain in self.chains:
            plain = all(node.op in ("update", "put") for node in chain.stores)
            if plain and chain.root not in self._inside:
                continue
            pairs = zip(chain.stores, chain.bases, strict=True)
            found |= {node.name: base for node, base in pairs if base != chain.root}
            if not chain.apart:
                found[chain.stores[0].name] = chain.root
        return found

    def __contains__(self, name: str) -> bool:
        """Whether a store makes the value."""
        return name in self._chains

    def place(self, home: Home) -> View | None:
        """The home of a value in the memory of a chain, if it is free already."""
        chain = self._chains[home.whole]
        if home.stored:
            if chain.root not in self._planner.views:
                return None
            self._begin(chain)
        memory = self._memory(chain)
        view = home.view._replace(
            buffer=memory.view.buffer, offset=memory.view.offset + home.view.offset
        )
        if home.stored:
            taken = memory.aliases.overlapping(extent_in(view, memory.view))
            if any(True for _ in taken):
                return None
        return view

    def open(self, node: Node) -> View:
        """The memory of the chain that a store belongs to, with what was there."""
        return self._begin(self._chains[node.name])

    def enter(self, node: Node) -> View:
        """The memory of the chain of a store that writes anywhere, made free for it."""
        memory = self.open(node)
        self.vacate(node)
        return memory

    def vacate(self, node: Node) -> None:
        """Move out what a store would overwrite and what is still to be read."""
        memory = self._memory(self._chains[node.name])
        base = self._bases[node.name]
        lies_here = self._planner.views[base].buffer == memory.view.buffer
        if lies_here and self._left[base] > 1:
            self._move(base)
        extent = place_of(self._planner.graph, node)
        for name in list(memory.aliases.overlapping(extent)):
            self._move(name)

    def skip(self, node: Node) -> None:
        """Take note of a store of what is there already, whose base is read later.

        That is a store of the base's own slice. What was made there for the store has
        no such base: its place is free only if slices, planned by now, were all that
        read there.
        """
        base = self._bases[node.name]
        memory, view = self._memory(self._chains[node.name]), self._planner.views[base]
        if view.buffer == memory.view.buffer and self._left[base] > 1:
            memory.aliases.add(base, extent_in(view, memory.view))

    def planned(self, unit: Iterable[Node]) -> None:
        """Take note of what was made, and that its operands were read."""
        if not self._chains:
            return
        for node in unit:
            for name in node.operands:
                self._left[name] -= 1
                if self._left[name] == 0 and name in self._planner.views:
                    memory = self._behind(self._planner.views[name])
                    if memory is not None:
                        memory.aliases.discard(name)
        for node in unit:
            for name in node.names:
                self._note(name)

    def _memory(self, chain: Chain) -> _Memory:
        """The memory of a chain, which need not have begun."""
        last = chain.last
        if last.name not in self._memories:
            self._keep(chain, self._planner.allocate(last.type, last.name))
        return self._memories[last.name]

    def _keep(self, chain: Chain, view: View) -> _Memory:
        memory = _Memory(chain, view)
        self._memories[chain.last.name] = self._in_buffer[view.buffer] = memory
        return memory

    def _begin(self, chain: Chain) -> View:
        """The memory of a chain, with the root in it."""
        memory = self._memory(chain)
        if memory.begun:
            return memory.view
        root = self._planner.views[chain.root]
        if not root.same_memory(memory.view):
            if root.buffer == memory.view.buffer:  # the root lies across its memory
                self._keep(chain, self._planner.allocate(chain.last.type))
                memory = self._memory(chain)
            for name in list(memory.aliases.overlapping(whole(root.type.shape))):
                self._move(name)
            first = chain.stores[0]
            for start, shape, step in [] if chain.covered else begun_with(first):
                pieces = (
                    strided(view, start, shape, step) for view in (root, memory.view)
                )
                self._planner.copy(first, *pieces)
        memory.begun = True
        return memory.view

    def _note(self, name: str) -> None:
        """Put a value in among the aliases, if it is one that is read later."""
        view = self._planner.views.get(name)
        memory = self._behind(view) if view else None
        if view is None or memory is None or not self._left[name]:
            return
        if name != memory.chain.root and self._chains.get(name) is not memory.chain:
            memory.aliases.add(name, extent_in(view, memory.view))

    def _behind(self, view: View) -> _Memory | None:
        """The memory of a chain that a view is in, be it behind a pointer."""
        buffers = self._planner.plan.behind(view.buffer)
        found = (self._in_buffer.get(buffer) for buffer in buffers)
        return next((memory for memory in found if memory is not None), None)

    def _move(self, name: str) -> None:
        """Copy a value out of the memory of a chain."""
        planner = self._planner
        view = planner.views[name]
        memory = self._behind(view)
        target = planner.allocate(view.type, name)
        if self._behind(target) is memory:  # its home is what it has to leave
            target = planner.allocate(view.type)
        planner.copy(planner.graph[name], view, target)
        if memory is not None:
            memory.aliases.discard(name)
        planner.views[name] = target
        self._note(name)


def extent_in(view: View, memory: View) -> Extent:
    """The places of a contiguous memory that a view in it takes, or more than those.

    Each axis of the view is followed to the axis of the memory that it steps along. Two
    that step along one axis take all that lies between their ends. What is behind a
    pointer may be anywhere.
    """
    sizes = memory.type.shape
    if 0 in view.type.shape:
        return Extent((0,) * len(sizes), (0,) * len(sizes), (1,) * len(sizes))
    if view.buffer != memory.buffer:
        return whole(sizes)
    place = (view.offset - memory.offset) // view.type.numpy.itemsize
    start = [
        place // stride % size
        for size, stride in zip(sizes, memory.strides, strict=True)
    ]
    low, high, step = list(start), list(start), [0] * len(sizes)
    for count, stride in zip(view.type.shape, view.strides, strict=True):
        if count == 1 or stride == 0:
            continue
        axis = next(
            (
                axis
                for axis, (size, along) in enumerate(
                    zip(sizes, memory.strides, strict=True)
                )
                if size > 1 and stride % along == 0
            ),
            None,
        )
        if axis is None:
            return whole(sizes)
        by = stride // memory.strides[axis]
        reach = (count - 1) * by
        low[axis] += min(reach, 0)
        high[axis] += max(reach, 0)
        step[axis] = 1 if step[axis] else abs(by)
    inside = all(a >= 0 and b < n for a, b, n in zip(low, high, sizes, strict=True))
    if not inside:
        return whole(sizes)
    steps = tuple(by or 1 for by in step)
    spans = zip(low, high, steps, strict=True)
    return Extent(tuple(low), tuple((b - a) // by + 1 for a, b, by in spans), steps)
