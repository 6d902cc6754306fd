"""Random graphs with `loop`, and the graphs that they come to when written out.

A graph is grown node by node from smooth functions that stay small, so that differences
are a fair judge. Bodies carry floats and an integer, read invariants and stacked
values, stack results, and have loops and a `cond` in them. Operands are preferably
values that have one reader already.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any, NamedTuple

import numpy as np

from anabranch.ir import Builder, Graph, Node, Output, TensorType
from anabranch.ir.ops.parts import loop_attrs, split_operands
from tests.strategies import shared_share

__all__ = ["INDEX", "Looping", "looping", "written_out"]

INDEX, BOOL = TensorType("i64", ()), TensorType("bool", ())
SHAPES = ((), (3,), (2, 3), (3, 3))
TRIPS = (0, 1, 2, 3, 5)
SHARED = 0.4


class Looping(NamedTuple):
    """A graph with loops, a point for its inputs, and a direction to move it along."""

    graph: Graph
    point: list[Any]
    direction: list[Any]

    def moved(self, by: float) -> list[Any]:
        """The inputs moved along the direction."""
        return [x + by * v for x, v in zip(self.point, self.direction, strict=True)]


def looping(seed: int, dtype: str = "f64") -> Looping:
    """The random graph of a seed; of the values in it and its bodies 40% are shared."""
    for attempt in count():
        rng = np.random.default_rng([seed, attempt])
        graph = _whole(_Growth(rng, Builder("looping"), dtype))
        shared, read = 0, 0
        for one in _graphs(graph):
            more = shared_share(one)
            shared, read = shared + more[0], read + more[1]
        if shared >= SHARED * read:
            inputs = graph.inputs
            point, direction = (
                [rng.uniform(-1, 1, x.type.shape).astype(x.type.numpy) for x in inputs]
                for _ in range(2)
            )
            return Looping(graph.verify(), point, direction)
    raise AssertionError("the loop above has no end")


def _graphs(graph: Graph) -> list[Graph]:
    """A graph and all regions in it."""
    regions = [r for node in graph for region in node.regions for r in _graphs(region)]
    return [graph, *regions]


class _Growth:
    """A graph that is being grown, with how often each float is read."""

    def __init__(self, rng: np.random.Generator, b: Builder, dtype: str) -> None:
        self.rng, self.b, self.dtype = rng, b, dtype
        self.reads: dict[str, int] = {}

    def keep(self, *nodes: Node) -> None:
        for node in nodes:
            if node.type.dtype == self.dtype:
                self.reads.setdefault(node.name, 0)

    def type(self, shape: Sequence[int]) -> TensorType:
        return TensorType(self.dtype, tuple(shape))

    def shape(self) -> tuple[int, ...]:
        return SHAPES[int(self.rng.integers(len(SHAPES)))]

    def add(self, op: str, *operands: Node, **attrs: Any) -> Node:
        made = self.b.add_node(op, *operands, **attrs)
        for operand in operands:
            if operand.name in self.reads:
                self.reads[operand.name] += 1
        self.keep(made)
        return made

    def pick(self, type_: TensorType | None = None) -> Node:
        """A float, of this type if it is given: one that is read once if possible."""
        found = [self.b[name] for name in self.reads]
        alike = [node for node in found if type_ is None or node.type == type_]
        if not alike:
            return self.turned(self.pick(), type_ or self.type(()))
        weights = np.array([(3.0, 8.0, 1.0)[min(self.reads[n.name], 2)] for n in alike])
        return alike[int(self.rng.choice(len(alike), p=weights / weights.sum()))]

    def turned(self, x: Node, type_: TensorType) -> Node:
        """A value of another shape made of ``x``."""
        if x.type.rank:
            x = self.add("reduce_sum", x, axes=tuple(range(x.type.rank)))
            x = self.small(x)
        if type_.rank:
            x = self.add("broadcast_to", x, shape=type_.shape)
        return x

    def small(self, x: Node) -> Node:
        """A function of ``x`` that neither grows nor is steep."""
        bent = self.b.add_node(("tanh", "sin")[int(self.rng.integers(2))], x)
        self.reads[x.name] = self.reads.get(x.name, 0) + 1
        made = self.b.mul(bent, self.b.like(bent, 0.5))
        self.keep(made)
        return made

    def grow(self, steps: int, depth: int) -> None:
        """Some more nodes; loops and choices as deep as that."""
        for _ in range(steps):
            move = self.rng.random()
            if depth and move < 0.12:
                self.keep(*_loop(self, depth - 1))
            elif depth and move < 0.2:
                self.keep(*_choice(self))
            elif move < 0.35:
                self.small(self.pick())
            elif move < 0.5:
                a, w = self.pick(self.type((2, 3))), self.pick(self.type((3, 3)))
                self.small(self.add("matmul", a, w))
            elif move < 0.6:
                self.turned(self.pick(), self.type(self.shape()))
            else:
                op = ("add", "mul", "sub")[int(self.rng.integers(3))]
                x = self.pick()
                self.small(self.add(op, x, self.pick(x.type)))

    def number(self, x: Node) -> Node:
        """A small float of an integer."""
        made = self.b.cast(x, self.dtype)
        self.keep(made)
        return self.small(made)

    def ends(self, atleast: int = 1) -> list[Node]:
        """What nothing reads, as far as it was grown here, and more if it is few."""
        names = [name for name, times in self.reads.items() if times == 0]
        found = [self.b[name] for name in names if self.b[name].op != "input"]
        while len(found) < atleast:
            found.append(self.small(self.pick()))
        return found


def _whole(growth: _Growth) -> Graph:
    b = growth.b
    for number in range(int(growth.rng.integers(1, 4))):
        growth.keep(b.input(f"x{number}", growth.type(growth.shape())))
    growth.keep(*_loop(growth, 1))
    growth.grow(int(growth.rng.integers(2, 8)), 2)
    ends = growth.ends()
    return b.build([Output(node.name) for node in ends])


def _inner(growth: _Growth, name: str) -> _Growth:
    return _Growth(growth.rng, Builder(name), growth.dtype)


def _loop(growth: _Growth, depth: int) -> Sequence[Node]:
    """A loop of any kind: so many iterations, a limit, a test, or backwards.

    One with a limit or a test may not say how many iterations there are at most.
    """
    rng, b = growth.rng, growth.b
    trips = TRIPS[int(rng.integers(len(TRIPS)))]
    kind = ("trips", "reverse", "limit", "back", "test")[int(rng.integers(5))]
    limit: list[Node] = []
    if kind in ("limit", "back"):
        limit = [b.const(int(rng.integers(-1, trips + 2)), "i64")]
    known = kind in ("trips", "reverse") or rng.random() < 0.5
    invariants = [growth.pick() for _ in range(int(rng.integers(0, 3)))]
    carried = [growth.pick() for _ in range(int(rng.integers(1, 3)))]
    whole: list[Node] = [b.const(int(rng.integers(3)), "i64")]
    whole = whole if rng.random() < 0.5 else []
    rows = [growth.type((trips, *growth.shape())) for _ in range(int(rng.integers(3)))]
    stacked = [growth.pick(row) for row in rows] if trips and known else []
    for node in (*invariants, *carried, *stacked):
        growth.reads[node.name] += 1

    inner = _inner(growth, "body")
    t = inner.b.input("t", INDEX)
    tests = [b.const(True, "bool")] if kind == "test" else []
    operands = [*invariants, *tests, *carried, *whole, *stacked]
    taken: list[Node] = []
    for number, node in enumerate(operands):
        row = number >= len(operands) - len(stacked)
        shape = node.type.shape[1:] if row else node.type.shape
        taken.append(inner.b.input(f"a{number}", node.type.with_shape(shape)))
    inner.keep(*taken)
    for node in (t, *(x for x in taken if x.type == INDEX)):
        inner.number(node)
    inner.grow(int(rng.integers(2, 7)), depth)
    ends: list[Node] = []
    if tests:
        bound = inner.b.const(int(rng.integers(0, trips + 1)), "i64")
        ends.append(inner.b.lt(t, bound))
    first = len(invariants) + len(tests)
    last = first + len(carried)
    ends += [
        inner.small(inner.add("add", node, inner.pick(node.type)))
        for node in taken[first:last]
    ]
    ends += [inner.b.add(node, t) for node in taken[last : last + len(whole)]]
    stacks = inner.ends(0)[: int(rng.integers(0, 4))] if known else []
    body = inner.b.build([Output(node.name) for node in (*ends, *stacks)])
    made = b.add_node(
        "loop",
        *limit,
        *operands,
        regions=(body,),
        **loop_attrs(
            {
                "trips": trips if known else None,
                "carried": len(tests) + len(carried) + len(whole),
                "stacked": len(stacked),
                "limit": bool(limit),
                "test": bool(tests),
                "reverse": kind in ("reverse", "back"),
            }
        ),
    )
    return made.values


def _choice(growth: _Growth) -> Sequence[Node]:
    """A `cond` of what two bodies make of two values."""
    operands = [growth.pick(), growth.pick()]
    scalar = growth.pick(growth.type(()))
    p = growth.b.lt(scalar, growth.b.const(0.1, growth.dtype))
    wanted = growth.type(growth.shape())
    regions: list[Graph] = []
    for name in ("then", "else"):
        inner = _inner(growth, name)
        inner.keep(*(inner.b.input(f"a{i}", x.type) for i, x in enumerate(operands)))
        inner.grow(3, 0)
        regions.append(inner.b.build([Output(inner.pick(wanted).name)]))
    for node in operands:
        growth.reads[node.name] += 1
    return growth.b.add_node("cond", p, *operands, regions=tuple(regions)).values


def written_out(graph: Graph) -> Graph:
    """The graph with the bodies of its loops one after the other, as often as they run.

    A limit is a constant, and a test asks whether t is below one.
    """
    b = Builder(graph.name)
    made = {node.name: b.input(node.name, node.type) for node in graph.inputs}
    _copy(b, graph, made)
    return b.build([Output(made[name].name) for name in graph.results])


def _copy(b: Builder, graph: Graph, made: dict[str, Node]) -> None:
    for node in graph:
        if node.op == "input":
            continue
        operands = [made[name] for name in node.operands]
        if node.op == "loop":
            values = _iterations(b, graph, node, operands)
        else:
            new = b.copy(node, operands, {})
            values = list(new.values)
        made.update(zip(node.names, values, strict=True))


def _iterations(
    b: Builder, graph: Graph, node: Node, operands: list[Node]
) -> list[Node]:
    (body,) = node.regions
    attrs = node.attrs
    parts = split_operands(attrs, operands)
    trips: Any = attrs.get("trips", 10)
    done = trips
    if parts.limit:
        limit: Any = graph[node.operands[0]].attrs["value"]
        done = min(max(limit, 0), trips)
    elif attrs.get("test"):
        bound: Any = body[body[body.results[0]].operands[1]].attrs["value"]
        done = min(bound + 1, trips)
    carried = list(parts.carried)
    count = len(carried)
    types = [body[name].type for name in body.results[count:]]
    rows = [[b.full(x, x.numpy.type(0).item())] * trips for x in types]
    order = reversed(range(done)) if attrs.get("reverse") else range(done)
    for t in order:
        elements: list[Node] = []
        for x in parts.stacked:
            start = (t, *(0,) * (x.type.rank - 1))
            shape, step = (1, *x.type.shape[1:]), (1,) * x.type.rank
            row = b.slice(x, start=start, shape=shape, step=step)
            elements.append(b.reshape(row, x.type.shape[1:]))
        taken = [b.const(t, "i64"), *parts.invariants, *carried, *elements]
        made = dict(zip([x.name for x in body.inputs], taken, strict=True))
        _copy(b, body, made)
        ends = [made[name] for name in body.results]
        carried = ends[:count]
        for row, value in zip(rows, ends[count:], strict=True):
            row[t] = value
    stacked: list[Node] = []
    for row, type_ in zip(rows, types, strict=True):
        whole = type_.with_shape((trips, *type_.shape))
        parts_ = [b.reshape(x, (1, *type_.shape)) for x in row]
        stacked.append(b.concatenate(*parts_, axis=0) if parts_ else b.full(whole, 0.0))
    return [*carried, *stacked]
