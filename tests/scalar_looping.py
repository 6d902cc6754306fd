"""Random graphs with loops of scalars and elements, for whoever compiles them.

Bodies compute numbers of any dtype, read and write elements of arrays at positions that
are computed, and have loops and choices of the same kind in them. Only ops are used
that every implementation rounds alike, so values are compared bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from anabranch.ir import Builder, Graph, Node, Output, TensorType
from anabranch.ir.ops.parts import loop_attrs

__all__ = ["ScalarLooping", "scalar_looping"]

INDEX, BOOL = TensorType("i64", ()), TensorType("bool", ())
DTYPES = ("f64", "f32", "i64", "i32", "u8", "bool")
TRIPS = (0, 1, 2, 3, 4, 7)
KINDS = ("trips", "reverse", "limit", "back", "test")
ARITHMETIC = ("add", "sub", "mul", "maximum", "minimum")
COMPARISONS = ("lt", "le", "eq", "ne")


class ScalarLooping(NamedTuple):
    """A graph of loops, and values for its inputs."""

    graph: Graph
    point: list[Any]


def scalar_looping(seed: int) -> ScalarLooping:
    """The random graph of a seed: one loop of its inputs, and its results."""
    rng = np.random.default_rng(seed)
    growth = _Growth(rng, Builder("scalars"))
    b = growth.b
    for number in range(int(rng.integers(2, 5))):
        growth.keep(b.input(f"s{number}", TensorType(growth.dtype(), ())))
    for number in range(int(rng.integers(1, 4))):
        shape = growth.shape()
        growth.keep(b.input(f"x{number}", TensorType(growth.dtype(), shape)))
    made = growth.loop(depth=int(rng.integers(1, 3)))
    graph = b.build([Output(node.name) for node in made]).verify()
    return ScalarLooping(graph, [_value(rng, node.type) for node in graph.inputs])


def _value(rng: np.random.Generator, type_: TensorType) -> Any:
    """Numbers of all sizes, for floats with infinities and NaN among them."""
    if type_.dtype == "bool":
        return np.asarray(rng.random(type_.shape) < 0.5)
    if not type_.is_float:
        return np.asarray(rng.integers(0, 9, type_.shape), type_.numpy)
    made = rng.normal(size=type_.shape) * 10.0 ** rng.integers(-3, 4)
    if rng.random() < 0.2:
        special = rng.choice([np.inf, -np.inf, np.nan, 0.0, -0.0], type_.shape)
        made = np.where(rng.random(type_.shape) < 0.3, special, made)
    return np.asarray(made, type_.numpy)


class _Growth:
    """A graph that is being grown: ``values`` may be read, ``stored`` written to."""

    def __init__(self, rng: np.random.Generator, b: Builder) -> None:
        self.rng, self.b = rng, b
        self.values: list[Node] = []
        self.stored: list[Node] = []

    def keep(self, *nodes: Node) -> None:
        self.values += nodes

    def choose(self, items: Sequence[Any]) -> Any:
        return items[int(self.rng.integers(len(items)))]

    def dtype(self) -> str:
        return self.choose(DTYPES)

    def shape(self) -> tuple[int, ...]:
        return self.choose(((4,), (7,), (3, 5), (20,), (2, 3, 4)))

    def scalar(self, dtype: str) -> Node:
        """A scalar of a dtype: one that there is, or cast from another, or new."""
        found = [x for x in self.values if x.type == TensorType(dtype, ())]
        if found and self.rng.random() < 0.8:
            return self.choose(found[-6:])
        others = [x for x in self.values if not x.type.rank]
        if others and self.rng.random() < 0.5:
            other = self.choose(others)
            if (
                other.type.is_float and dtype[0] in "iu"
            ):  # what does not fit is anything
                return self.b.cast(self.b.lt(other, self.constant(other.type)), dtype)
            return other if other.type.dtype == dtype else self.b.cast(other, dtype)
        return self.constant(TensorType(dtype, ()))

    def constant(self, type_: TensorType) -> Node:
        number = int(self.rng.integers(0, 5))
        if type_.dtype == "bool":
            return self.b.const(bool(number % 2), "bool")
        return self.b.const(number / 2 if type_.is_float else number, type_.dtype)

    def position(self, size: int) -> Node:
        """A position along an axis of a size, which is inside."""
        b = self.b
        i = b.add(self.scalar("i64"), self.constant(INDEX))
        if self.rng.random() < 0.5:
            return b.add_node("remainder", i, b.const(size, "i64"))
        i = b.add_node("maximum", i, b.const(0, "i64"))
        return b.add_node("minimum", i, b.const(size - 1, "i64"))

    def places(self, array: Node) -> tuple[list[Node], dict[str, Any]]:
        """Positions of an element, or of a short slice, and the attributes."""
        axes = [a for a in range(array.type.rank) if self.rng.random() < 0.8] or [0]
        start, shape = [0] * array.type.rank, [1] * array.type.rank
        positions: list[Node] = []
        for axis, size in enumerate(array.type.shape):
            if axis in axes:
                by = int(self.rng.integers(-1, 2))
                if size > 2 and self.rng.random() < 0.2:
                    shape[axis] = 2
                i = self.position(size - shape[axis] + 1)
                positions.append(self.b.sub(i, self.b.const(by, "i64")))
                start[axis] = by
            else:
                start[axis] = int(self.rng.integers(size))
        step = (1,) * array.type.rank
        where = {"axes": tuple(axes), "start": tuple(start), "step": step}
        return positions, {**where, "shape": tuple(shape)}

    def read(self) -> None:
        """An element of an array, or of an older version of one."""
        arrays = [
            x for x in (*self.values, *self.stored) if x.type.rank and x.type.size
        ]
        if not arrays:
            return
        array = self.choose(arrays)
        positions, where = self.places(array)
        shown = self.b.add_node("slice_at", array, *positions, **where)
        if shown.type.size > 1:
            axes = tuple(range(shown.type.rank))
            if shown.type.dtype == "bool":
                self.keep(self.b.add_node("reduce_max", shown, axes=axes))
            else:
                self.keep(self.b.add_node("reduce_max", shown, axes=axes))
            return
        self.keep(self.b.reshape(shown, ()))

    def store(self) -> None:
        """An element written, or added to."""
        if not self.stored:
            return
        place = int(self.rng.integers(len(self.stored)))
        array = self.stored[place]
        positions, where = self.places(array)
        shape = where.pop("shape")
        value = self.scalar(array.type.dtype)
        value = self.b.broadcast(value, value.type.with_shape(shape))
        adds = array.type.dtype != "bool" and self.rng.random() < 0.4
        op = "add_at" if adds else "update_at"
        made = self.b.add_node(op, array, value, *positions, **where)
        if self.rng.random() < 0.15:  # somebody may still read what was there
            self.keep(array)
        self.stored[place] = made

    def compute(self) -> None:
        """A scalar of others."""
        dtype = self.dtype()
        x, y = self.scalar(dtype), self.scalar(dtype)
        if self.rng.random() < 0.3:
            flag = self.b.add_node(self.choose(COMPARISONS), x, y)
            self.keep(flag)
        elif self.rng.random() < 0.3:
            self.keep(self.b.add_node("select", self.scalar("bool"), x, y))
        elif dtype == "bool":
            op = self.choose(("logical_and", "logical_or"))
            self.keep(self.b.add_node(op, x, y))
        else:
            self.keep(self.b.add_node(self.choose(ARITHMETIC), x, y))

    def grow(self, steps: int, depth: int) -> None:
        for _ in range(steps):
            move = self.rng.random()
            if depth and move < 0.12:
                self.loop(depth - 1)
            elif depth and move < 0.22:
                self.branch(depth - 1)
            elif move < 0.4:
                self.read()
            elif move < 0.55:
                self.store()
            else:
                self.compute()

    def inner(self, name: str) -> _Growth:
        return _Growth(self.rng, Builder(name))

    def some(self, most: int) -> list[Node]:
        """A few of the values, each once."""
        order = [self.values[i] for i in self.rng.permutation(len(self.values))]
        return order[:most]

    def loop(self, depth: int) -> Sequence[Node]:
        """A loop of any kind, whose arrays are this graph's or its inputs."""
        rng, b = self.rng, self.b
        trips, kind = self.choose(TRIPS), self.choose(KINDS)
        limit: list[Node] = []
        if kind in ("limit", "back"):
            limit = [b.sub(self.scalar("i64"), self.constant(INDEX))]
        invariants = self.some(int(rng.integers(0, 5)))
        scalars = [self.scalar(self.dtype()) for _ in range(int(rng.integers(0, 4)))]
        arrays = list(self.stored)
        if not arrays:
            arrays = [x for x in self.some(9) if x.type.rank and x.type.size]
            arrays = arrays[: int(rng.integers(3))]
        tests = [b.const(True, "bool")] if kind == "test" else []
        stacked = [x for x in self.values if x.type.shape[:1] == (trips,)][-2:]
        if rng.random() < 0.1:
            row = self.scalar(self.dtype())
            stacked.append(b.broadcast(row, row.type.with_shape((trips,))))
        if not (invariants or scalars or arrays or stacked):
            invariants = [self.scalar("f64")]
        operands = [*invariants, *tests, *scalars, *arrays, *stacked]
        inner = self.inner("body")
        inner.keep(inner.b.input("t", INDEX))
        first, last = len(invariants), len(operands) - len(stacked)
        taken: list[Node] = []
        for number, node in enumerate(operands):
            shape = node.type.shape[1:] if number >= last else node.type.shape
            taken.append(inner.b.input(f"a{number}", node.type.with_shape(shape)))
        start = last - len(arrays)
        inner.keep(*taken[:start], *taken[last:])
        inner.stored = taken[start:last]
        inner.grow(int(rng.integers(2, 9)), depth)
        ends: list[Node] = []
        if tests:
            bound = inner.b.const(int(rng.integers(0, trips + 1)), "i64")
            ends.append(inner.b.lt(inner.values[0], bound))
        ends += [inner.scalar(x.type.dtype) for x in taken[first + len(tests) : start]]
        ends += inner.stored
        rows = [x for x in inner.values if not x.type.rank][-int(rng.integers(3)) :]
        rows = rows[:2] if ends else rows[:1]
        if not (ends or rows):
            rows = [inner.scalar("f64")]
        body = inner.b.build([Output(node.name) for node in (*ends, *rows)])
        made = b.add_node(
            "loop",
            *limit,
            *operands,
            regions=(body,),
            **loop_attrs(
                {
                    "trips": trips,
                    "carried": last - first,
                    "stacked": len(stacked),
                    "limit": bool(limit),
                    "test": bool(tests),
                    "reverse": kind in ("reverse", "back"),
                }
            ),
        ).values
        begin = len(tests) + len(scalars)
        self.keep(*made[:begin], *made[begin + len(arrays) :])
        if self.stored:
            self.stored = list(made[begin : begin + len(arrays)])
        else:
            self.keep(*made[begin : begin + len(arrays)])
        return made

    def branch(self, depth: int) -> None:
        """A `cond` that makes a scalar, and stores."""
        operands = [x for x in self.some(4) if x not in self.stored] + self.stored
        if not operands:
            return
        dtype = self.dtype()
        regions: list[Graph] = []
        for name in ("then", "else"):
            inner = self.inner(name)
            taken = [inner.b.input(f"a{i}", x.type) for i, x in enumerate(operands)]
            split = len(operands) - len(self.stored)
            inner.keep(*taken[:split])
            inner.stored = taken[split:]
            inner.grow(int(self.rng.integers(1, 4)), depth)
            ends = [inner.scalar(dtype), *inner.stored]
            regions.append(inner.b.build([Output(node.name) for node in ends]))
        flag = self.scalar("bool")
        made = self.b.add_node("cond", flag, *operands, regions=tuple(regions)).values
        self.keep(made[0])
        self.stored = list(made[1:])
