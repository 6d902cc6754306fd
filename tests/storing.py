"""Random graphs whose loops store into what they carry, and read it at any place.

Bodies read old and new versions of arrays, at positions that depend on counters, and
store numbers, slices and sums there, in loops inside and in a `cond` as well. Whatever
is stored stays small, so that differences are a fair judge.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from anabranch.ir import Builder, Graph, Node, Output, TensorType
from anabranch.ir.ops.parts import loop_attrs
from tests.looping import INDEX, Looping

__all__ = ["storing"]

SHAPES = ((6,), (4, 3), (5, 4))
TRIPS = (0, 1, 2, 3, 4)


class Place(NamedTuple):
    """An integer of the graph, which is from ``low`` to ``high``."""

    node: Node
    low: int
    high: int


class Slice(NamedTuple):
    """The attributes of a slice, and its positions, of which there may be none."""

    shape: tuple[int, ...]
    attrs: dict[str, Any]
    positions: list[Node]


class _Growth:
    """A graph that is being grown.

    ``heads`` are the newest versions of its arrays, ``arrays`` all versions.
    """

    def __init__(self, rng: np.random.Generator, b: Builder) -> None:
        self.rng, self.b = rng, b
        self.heads: list[Node] = []
        self.arrays: list[Node] = []
        self.numbers: list[Node] = []
        self.places = [Place(b.const(k, "i64"), k, k) for k in (0, 1, 2)]

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def one(self, items: Sequence[Any]) -> Any:
        return items[int(self.rng.integers(len(items)))]

    def array(self) -> Node:
        """A version of an array, mostly the newest."""
        return self.one(self.heads if self.chance(0.6) else self.arrays)

    def small(self, x: Node) -> Node:
        bent = self.b.add_node(("tanh", "sin")[int(self.rng.integers(2))], x)
        return self.b.mul(bent, self.b.like(bent, 0.5))

    def place(self, size: int) -> Place:
        """An integer that is less than ``size`` at least by its range."""
        node, low, high = self.one(self.places)
        by = int(self.rng.integers(-1, 3))
        if by:
            node, low, high = (
                self.b.add(node, self.b.const(by, "i64")),
                low + by,
                high + by,
            )
        if high - low >= size or self.chance(0.2):
            node = self.b.minimum(node, self.b.const(size - 1, "i64"))
            node = self.b.maximum(node, self.b.const(0, "i64"))
            low, high = max(low, 0), min(max(high, 0), size - 1)
            low = min(low, size - 1)
        return Place(node, low, high)

    def slice(self, sizes: Sequence[int], shape: Sequence[int] | None = None) -> Slice:
        """Some places of an array, of this shape if it is given."""
        axes: list[int] = []
        positions: list[Node] = []
        start, counts, steps = [], [], []
        for axis, size in enumerate(sizes):
            moved = self.chance(0.7)
            count = shape[axis] if shape else self.one([1, 1, 1, 2, size])
            place = self.place(size) if moved else Place(self.b.const(0, "i64"), 0, 0)
            room = size - (place.high - place.low)
            count = count if shape else min(count, room)
            if count > room:
                moved, place, room = False, Place(self.b.const(0, "i64"), 0, 0), size
            step = 1 if count < 2 or 2 * count - 1 > room else self.one([1, 2, -1])
            reach = (count - 1) * step
            first = -place.low - min(reach, 0)
            last = size - 1 - place.high - max(reach, 0)
            start.append(int(self.rng.integers(first, last + 1)))
            counts.append(count)
            steps.append(step)
            if moved:
                axes.append(axis)
                positions.append(place.node)
        attrs: dict[str, Any] = {"start": tuple(start), "step": tuple(steps)}
        if axes:
            attrs["axes"] = tuple(axes)
        return Slice(tuple(counts), attrs, positions)

    def read(self, shape: Sequence[int] | None = None) -> Node:
        """Elements of an array."""
        fitting = [x for x in self.arrays if not shape or x.type.rank == len(shape)]
        fitting = [
            x
            for x in fitting
            if not shape
            or all(a <= n for a, n in zip(shape, x.type.shape, strict=True))
        ]
        x = self.array()
        x = x if x in fitting or not fitting else self.one(fitting)
        counts, attrs, positions = self.slice(x.type.shape, shape)
        op = "slice_at" if positions else "slice"
        return self.b.add_node(op, x, *positions, shape=counts, **attrs)

    def number(self) -> Node:
        """A scalar, of what was read or of what there is."""
        if self.numbers and self.chance(0.4):
            return self.one(self.numbers)
        x = self.read()
        made = self.small(self.b.reduce_sum(x, axes=tuple(range(x.type.rank))))
        self.numbers.append(made)
        return made

    def store(self) -> None:
        """Another version of an array."""
        number = int(self.rng.integers(len(self.heads)))
        head = self.heads[number]
        counts, attrs, positions = self.slice(head.type.shape)
        fits = any(
            x.type.rank == len(counts)
            and all(a <= n for a, n in zip(counts, x.type.shape, strict=True))
            for x in self.arrays
        )
        if fits and self.chance(0.5):
            value = self.read(counts)
            value = value if self.chance(0.3) else self.small(value)
        else:
            type_ = head.type.with_shape(counts)
            value = self.b.broadcast(self.small(self.number()), type_)
        if self.chance(0.3):
            value = self.b.add(value, self.b.broadcast(self.number(), value.type))
            value = self.small(value)
        op = "update"
        if positions:
            op = "add_at" if self.chance(0.4) else "update_at"
        self.note(number, self.b.add_node(op, head, value, *positions, **attrs))

    def note(self, number: int, version: Node) -> None:
        self.heads[number] = version
        self.arrays.append(version)

    def grow(self, steps: int, depth: int) -> None:
        for _ in range(steps):
            move = self.rng.random()
            if depth and move < 0.25:
                _loop(self, depth - 1)
            elif depth and move < 0.4:
                _choice(self)
            elif move < 0.85:
                self.store()
            else:
                self.number()


def storing(seed: int) -> Looping:
    """The random graph of a seed."""
    rng = np.random.default_rng([seed, 77])
    b = Builder("storing")
    growth = _Growth(rng, b)
    for number in range(int(rng.integers(1, 3))):
        x = b.input(f"x{number}", TensorType("f64", growth.one(SHAPES)))
        growth.heads.append(x)
        growth.arrays.append(x)
    growth.grow(int(rng.integers(0, 3)), 0)
    _loop(growth, 1)
    growth.grow(int(rng.integers(0, 4)), 1)
    ends = [*growth.heads, growth.number()]
    graph = b.build([Output(node.name) for node in ends])
    point, direction = (
        [rng.uniform(-1, 1, x.type.shape) for x in graph.inputs] for _ in range(2)
    )
    return Looping(graph.verify(), point, direction)


def _loop(growth: _Growth, depth: int) -> None:
    """A loop that carries some arrays and a number, and reads others as they are."""
    rng, b = growth.rng, growth.b
    trips = TRIPS[int(rng.integers(len(TRIPS)))]
    kind = growth.one(["trips", "trips", "reverse", "limit"])
    limit = (
        [b.const(int(rng.integers(-1, trips + 2)), "i64")] if kind == "limit" else []
    )
    carried = [k for k in range(len(growth.heads)) if k == 0 or growth.chance(0.7)]
    kept = [growth.one(growth.arrays) for _ in range(int(rng.integers(0, 3)))]
    number, place = growth.number(), growth.one(growth.places)
    invariants = [*kept, place.node]
    values = [*(growth.heads[k] for k in carried), number]

    inner = _Growth(rng, Builder("body"))
    t = inner.b.input("t", INDEX)
    taken = [
        inner.b.input(f"a{k}", x.type) for k, x in enumerate([*invariants, *values])
    ]
    inner.heads = taken[len(invariants) : -1]
    inner.arrays = [*taken[: len(kept)], *inner.heads]
    inner.numbers = [taken[-1]]
    inner.places += [Place(t, 0, max(trips - 1, 0))] * 3
    inner.places.append(Place(taken[len(kept)], place.low, place.high))
    inner.grow(int(rng.integers(1, 5)), depth)
    ends = [*inner.heads, inner.small(inner.number())]
    stacks = [inner.number() for _ in range(int(rng.integers(0, 2)))]
    stacks += [growth_row for growth_row in [inner.read()] if inner.chance(0.3)]
    made = b.add_node(
        "loop",
        *limit,
        *invariants,
        *values,
        regions=(inner.b.build([Output(x.name) for x in (*ends, *stacks)]),),
        **loop_attrs(
            {
                "trips": trips,
                "carried": len(values),
                "limit": bool(limit),
                "reverse": kind == "reverse",
            }
        ),
    )
    for k, version in zip(carried, made.values, strict=False):
        growth.note(k, version)
    growth.numbers.append(made.values[len(carried)])
    for rows in made.values[len(values) :]:
        total = b.reduce_sum(rows, axes=tuple(range(rows.type.rank)))
        growth.numbers.append(growth.small(total))


def _choice(growth: _Growth) -> None:
    """A `cond` whose branches store into some arrays, or leave one as it is."""
    b = growth.b
    number = growth.number()
    p = b.lt(number, b.const(0.1, "f64"))
    place = growth.one(growth.places)
    operands = [*growth.heads, growth.one(growth.arrays), number, place.node]
    regions: list[Graph] = []
    for name in ("then", "else"):
        inner = _Growth(growth.rng, Builder(name))
        taken = [inner.b.input(f"a{k}", x.type) for k, x in enumerate(operands)]
        inner.heads, inner.arrays = taken[:-3], taken[:-2]
        inner.numbers = [taken[-2]]
        inner.places.append(Place(taken[-1], place.low, place.high))
        inner.grow(int(growth.rng.integers(0, 3)), 0)
        ends = [*inner.heads, inner.small(inner.number())]
        regions.append(inner.b.build([Output(x.name) for x in ends]))
    made = b.add_node("cond", p, *operands, regions=tuple(regions))
    for k, version in enumerate(made.values[:-1]):
        growth.note(k, version)
    growth.numbers.append(made.values[-1])
