"""Random graphs whose values are shared, each with a point to evaluate it at.

A graph is grown node by node through `Builder`, each node evaluated at once at three
points: x, and a step along a random direction on either side. A node whose values get
large or steep is scaled down, and one whose mask or winner changes between the points
is not made, so five-point differences along the direction are a fair judge. Operands
are preferably values that have one reader already. `growth.MOVES` says which nodes
there are to choose from, and `complex_growth.COMPLEX_MOVES` which of complex numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
from hypothesis import strategies as st

from anabranch.ir import OPS, Builder, Graph, Node, Output, TensorType

__all__ = ["STEP", "Sample", "Sketch", "random_sample", "samples", "shared_share"]

STEP = 3e-4
LARGEST = 6.0
STEEPEST = 8.0
SHARED = 0.45
SIZES = (1, 2, 3, 4)

Values = list[Any]


@dataclass(frozen=True)
class Sample:
    """A graph, the arrays of its inputs, and a direction to move them along."""

    graph: Graph
    point: list[Any]
    direction: list[Any]

    def moved(self, by: float) -> list[Any]:
        """The inputs moved along the direction; integers stay."""
        return [
            x + by * v if v is not None else x
            for x, v in zip(self.point, self.direction, strict=True)
        ]

    @property
    def floats(self) -> list[str]:
        """The names of the inputs that have a gradient."""
        return [node.name for node in self.graph.inputs if node.type.has_gradient]


class Sketch:
    """A graph that is being grown."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.b = Builder("random")
        self.values: dict[str, Values] = {}
        self.directions: dict[str, Any] = {}
        self.reads: dict[str, int] = {}
        self.wanted = ("f32", "f64")  # what `pick` chooses from

    @contextmanager
    def among(self, *dtypes: str) -> Generator[None, None, None]:
        """Moves within choose values of these dtypes."""
        before, self.wanted = self.wanted, dtypes
        yield
        self.wanted = before

    def shape(self, rank: int | None = None) -> tuple[int, ...]:
        rank = int(self.rng.integers(0, 4)) if rank is None else rank
        return tuple(int(size) for size in self.rng.choice(SIZES, rank))

    def input(self, shape: Sequence[int], dtype: str = "f64") -> Node:
        """A new input with a gradient, at a random point."""
        name = f"x{len(self.directions)}"
        node = self.b.input(name, TensorType(dtype, tuple(shape)))
        point, step = self._uniform(node.type, 1.5), self._uniform(node.type, 1.0)
        self.directions[name] = step
        scaled = 2 * STEP * step
        return self._enter(node, [point, point + scaled, point - scaled])

    def _uniform(self, type_: TensorType, largest: float) -> Any:
        made: Any = self.rng.uniform(-largest, largest, type_.shape)
        if type_.is_complex:
            made = made + 1j * self.rng.uniform(-largest, largest, type_.shape)
        return np.asarray(made, type_.numpy)

    def indices(self, shape: Sequence[int], size: int) -> Node:
        """A new input of indices into an axis of ``size``, repeats included."""
        name = f"x{len(self.directions)}"
        node = self.b.input(name, TensorType("i64", tuple(shape)))
        self.directions[name] = None
        return self._enter(node, [self.rng.integers(0, size, shape)] * 3)

    def pick(self, fits: Callable[[Node], bool] = lambda node: True) -> Node | None:
        """A value with a gradient, preferably one that another reader makes shared."""
        found = [
            node
            for name, node in self._nodes()
            if name in self.reads and node.type.dtype in self.wanted and fits(node)
        ]
        if not found:
            return None
        weights = np.array([(2.0, 6.0, 1.0)[min(self.reads[n.name], 2)] for n in found])
        return found[int(self.rng.choice(len(found), p=weights / weights.sum()))]

    def like(self, x: Node) -> Node:
        """A value of the type of ``x``; sometimes ``x`` itself."""
        if self.rng.random() < 0.1:
            return x
        return self.pick(lambda node: node.type == x.type) or x

    def add(self, op: str, *operands: Node, **attrs: Any) -> Node | None:
        """The node, scaled down where it is large or steep; None where it jumps."""
        made = self._evaluate(op, operands, attrs)
        if not all(np.all(np.isfinite(value)) for value in made):
            return None
        if made[0].dtype.kind not in "fc" and any(
            not np.array_equal(made[0], other) for other in made[1:]
        ):
            return None
        node = self._enter(self.b.add_node(op, *operands, **attrs), made)
        for operand in operands:
            if operand.name in self.reads:
                self.reads[operand.name] += 1
        size, slope = self.size(node), self.slope(node)
        if not node.type.has_gradient or (size <= LARGEST and slope <= STEEPEST):
            return node
        scaled = self.scale(node, 0.7 / max(size / LARGEST, slope / STEEPEST))
        del self.reads[node.name]
        return scaled

    def scale(self, x: Node, factor: float) -> Node | None:
        return self.add("mul", x, self.constant(x, round(factor, 6)))

    def into(self, x: Node, low: float, high: float) -> Node | None:
        """``x`` if it lies between the bounds, else squeezed between them."""
        if all(np.all((low <= v) & (v <= high)) for v in self.values[x.name]):
            return x
        low, high = max(low, -2.0), min(high, 2.0)
        half = self.constant(x, 0.48 * (high - low))
        squeezed = self.add("tanh", x)
        wide = squeezed and self.add("mul", squeezed, half)
        return wide and self.add("add", wide, self.constant(x, (low + high) / 2))

    def constant(self, x: Node, value: float) -> Node:
        """``value`` in the type of ``x``."""
        node = self.b.like(x, value)
        made = np.full(x.type.shape, value, x.type.numpy)
        self.values[node.name] = [made] * 3
        return node

    def far(self, x: Node, y: Node, margin: float = 0.03) -> bool:
        """Whether each entry of ``x`` keeps away from its partner in ``y``."""
        pairs = zip(self.values[x.name], self.values[y.name], strict=True)
        return all(np.all(np.abs(a - b) > margin) for a, b in pairs)

    def size(self, node: Node) -> float:
        return max(float(np.max(np.abs(v), initial=0)) for v in self.values[node.name])

    def slope(self, node: Node) -> float:
        wide = np.result_type(node.type.numpy, float)
        _, above, below = (np.asarray(v, wide) for v in self.values[node.name])
        return float(np.max(np.abs(above - below), initial=0)) / (4 * STEP)

    def _read(self, times: int) -> list[Node]:
        """The values with a gradient and this many readers."""
        return [
            node
            for name, node in self._nodes()
            if self.reads.get(name) == times and node.type.has_gradient
        ]

    def _nodes(self) -> list[tuple[str, Node]]:
        return [(node.name, node) for node in self.b.nodes]

    def _enter(self, node: Node, made: Values) -> Node:
        self.values[node.name] = made
        self.reads.setdefault(node.name, 0)
        return node

    def _evaluate(self, op: str, operands: Sequence[Node], attrs: Any) -> Values:
        columns = zip(*(self.values[x.name] for x in operands), strict=True)
        with np.errstate(all="ignore"):
            return [
                np.asarray(OPS[op].reference(*column, **attrs))
                for column in columns or [()]
            ]

    def finish(self) -> Sample:
        """Make the share of shared values large enough, and choose the outputs."""
        for wanted in (1, 0):
            alike: dict[TensorType, list[Node]] = {}
            for node in self._read(wanted):
                alike.setdefault(node.type, []).append(node)
            for group in alike.values():
                if len(group) > 1 and (wanted == 0 or self.rng.random() < 0.7):
                    self.add("add_n", *group)
        single = self._read(1)
        read = sum(times > 0 for times in self.reads.values())
        while single and len(single) > (1 - SHARED) * read:
            self.add("sin", single.pop())
        unread = [name for name, times in self.reads.items() if times == 0]
        chosen = [name for name in unread if self.b[name].op != "input"]
        if self.rng.random() < 0.4:
            chosen.append(str(self.rng.choice(list(self.reads))))
        outputs = [Output(name, f"out.r{k}") for k, name in enumerate(chosen)]
        graph = self.b.build(outputs).verify()
        inputs = [node.name for node in graph.inputs]
        return Sample(
            graph,
            [self.values[name][0] for name in inputs],
            [self.directions[name] for name in inputs],
        )


def random_sample(seed: int, *, mixed: bool = False, complexes: bool = False) -> Sample:
    """The random graph of a seed.

    ``mixed`` has f32 and integers in it as well, ``complexes`` complex numbers; both
    together have those of either width. At least 40% of its values are read twice or
    more.
    """
    for attempt in count():
        sketch = Sketch(np.random.default_rng([seed, attempt]))
        sample = _grown(sketch, mixed, complexes)
        shared, read = shared_share(sample.graph)
        if shared >= 0.4 * read > 0:
            return sample
    raise AssertionError("the loop above has no end")


def _grown(sketch: Sketch, mixed: bool, complexes: bool) -> Sample:
    from tests.complex_growth import COMPLEX_MOVES, MIXED_COMPLEX_MOVES
    from tests.growth import MIXED_MOVES, MOVES

    for _ in range(int(sketch.rng.integers(1, 4))):
        sketch.input(sketch.shape())
    moves = [*MOVES, *MIXED_MOVES] if mixed else MOVES
    if complexes:
        sketch.input(sketch.shape(), "c64" if mixed else "c128")
        moves = [*moves, *(MIXED_COMPLEX_MOVES if mixed else COMPLEX_MOVES)]
    target = int(sketch.rng.integers(3, 41))
    for _ in range(200):
        if len(sketch.reads) >= target:
            break
        moves[int(sketch.rng.integers(len(moves)))](sketch)
    return sketch.finish()


def samples(*, mixed: bool = False) -> st.SearchStrategy[Sample]:
    """Random graphs for Hypothesis, which shrinks towards small seeds."""
    seeds = st.integers(0, 2**32 - 1)
    return seeds.map(lambda seed: random_sample(seed, mixed=mixed))


def shared_share(graph: Graph) -> tuple[int, int]:
    """How many of the values that are read at all are read twice or more.

    A value that depends on no input is not counted, nor is a result that nothing
    else reads; being a result is a read of the others.
    """
    counts = dict.fromkeys(graph.nodes, 0)
    for node in graph:
        for operand in node.operands:
            counts[operand] += 1
    varying = {node.name for node in graph.inputs}
    for node in graph:
        if any(operand in varying for operand in node.operands):
            varying.add(node.name)
    total = {
        name: counts[name] + graph.results.count(name)
        for name in varying
        if counts[name]
    }
    return sum(times > 1 for times in total.values()), len(total)
