"""Stores and what is read back: chains of ``update``, seen by what they wrote.

A chain is what a loop of stores makes: each ``update`` is of the value before it. A
slice of a version is found in the last update that touches its places, without a walk
through the others: ten thousand stores, each read back once, take ten thousand short
searches.
"""

from __future__ import annotations

from itertools import islice

from ...ir.builder import Builder
from ...ir.extent import Extent, ExtentIndex, extent_of
from ...ir.graph import Node

__all__ = ["Stores", "same_literal"]

NEAR = 4
MANY = 64


class _Chain:
    """Updates of one array, in order; ``last`` finds each by its places."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.updates: list[tuple[str, Extent]] = []
        self.before: list[int | None] = []
        self.last: dict[Extent, int] = {}
        self.index: ExtentIndex[Extent] = ExtentIndex()

    def add(self, name: str, extent: Extent) -> int:
        number = len(self.updates)
        self.updates.append((name, extent))
        self.before.append(self.last.get(extent))
        if extent not in self.last:
            self.index.add(extent, extent)
        self.last[extent] = number
        return number

    def pop(self) -> str:
        """Take the last update out again."""
        name, extent = self.updates.pop()
        before = self.before.pop()
        if before is None:
            self.index.discard(extent)
            del self.last[extent]
        else:
            self.last[extent] = before
        return name

    def latest(self, number: int, extent: Extent) -> tuple[int, bool]:
        """The last update up to ``number`` that overlaps, -1 if none does, and True.

        Or one that nothing up to ``number`` overlaps after, and False: the walk is
        short, and the search after it no use if newer updates are in the way.
        """
        rest = max(number - NEAR, -1)
        for near in range(number, rest, -1):
            if self.updates[near][1].overlaps(extent):
                return near, True
        if rest < 0:
            return -1, True
        hits = list(islice(self.index.overlapping(extent), MANY))
        found = max((self.last[hit] for hit in hits), default=-1)
        known = len(hits) < MANY and found <= rest
        return (found, True) if known else (rest, False)


class Stores:
    """The chains of a graph that is being rewritten, as far as it was met."""

    def __init__(self) -> None:
        self._places: dict[str, tuple[_Chain, int]] = {}

    def note(self, b: Builder, node: Node) -> Node:
        """Take in an ``update``, which is returned.

        It goes on with the chain of its base, where that was the last or nearly: what
        takes the place of some updates continues the chain, and they leave it.
        """
        base = node.operands[0]
        chain, number = self._places.get(base, (None, -1))
        if chain is None or number + 1 + NEAR < len(chain.updates):
            chain = _Chain(base)
        while chain.updates and number + 1 < len(chain.updates):
            del self._places[chain.pop()]
        self._places[node.name] = chain, chain.add(node.name, extent_of(b, node))
        return node

    def find(self, b: Builder, x: Node, extent: Extent) -> tuple[Node, Extent]:
        """Where ``x[extent]`` comes from: what was stored, or an older version."""
        while True:
            if x.op == "slice":
                extent, x = extent_of(b, x).of(extent), b[x.operands[0]]
                continue
            if x.op != "update":
                return x, extent
            if x.name not in self._places:
                self.note(b, x)
            chain, number = self._places[x.name]
            number, known = chain.latest(number, extent)
            if number < 0:
                x = b[chain.root]
                continue
            name, written = chain.updates[number]
            inner = extent.inside(written) if known else None
            if inner is None:
                return b[name], extent
            extent, x = inner, b[b[name].operands[1]]

    def read(self, b: Builder, x: Node, extent: Extent) -> Node:
        """``x[extent]`` from where it was last written; a known number is that."""
        x, extent = self.find(b, x, extent)
        literal = b.literal(x)
        if literal is not None:
            return b.full(x.type.with_shape(extent.shape), literal)
        if extent.covers(x.type.shape):
            return x
        start, shape, step = extent
        return b.slice(x, start=start, shape=shape, step=step)

    def write(self, b: Builder, x: Node, v: Node, extent: Extent) -> tuple[Node, bool]:
        """What to store ``v`` in instead of ``x``, or, with False, what that comes to.

        What is written over at once is left out, and so is what is there already.
        """
        while x.op == "update" and extent_of(b, x).inside(extent) is not None:
            x = b[x.operands[0]]
        if extent.size == 0 or _is_slice(b, v, x, extent) or same_literal(b, x, v):
            return x, False
        if extent.shape == x.type.shape:
            return self.read(b, v, _inverse(extent)), False
        return x, True


def _is_slice(b: Builder, v: Node, x: Node, extent: Extent) -> bool:
    """Whether ``v`` is what ``x`` has there."""
    if v.op != "slice" or v.operands[0] != x.name:
        return False
    return extent_of(b, v) == extent


def same_literal(b: Builder, x: Node, v: Node) -> bool:
    """Whether both are one number everywhere, sign of zero included."""
    one, other = b.literal(x), b.literal(v)
    return one is not None and repr(one) == repr(other)


def _inverse(extent: Extent) -> Extent:
    """Reads a value of the size of the whole as it lies there: axes may be reversed."""
    return Extent(
        tuple(n - 1 if by < 0 else 0 for n, by in zip(*extent[1:], strict=True)),
        extent.shape,
        tuple(-1 if by < 0 else 1 for by in extent.step),
    )
