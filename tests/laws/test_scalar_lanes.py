"""Loops over rows of arrays, with branches, in lanes: what the interpreter does."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import anabranch
from anabranch.backends.llvm.run.executable import LLVMExecutable, prepare
from anabranch.backends.reference.interpreter import interpret
from anabranch.compiler.passes import choose
from anabranch.compiler.pipeline import optimise
from anabranch.ir import Builder, Graph, Node, Output, TensorType, parse
from anabranch.ir.ops.parts import loop_attrs

SEEDS = range(60)
INDEX = TensorType("i64", ())
Monkey = pytest.MonkeyPatch


class Growth:
    """A region that grows at random from arrays, positions and numbers.

    ``stored`` are the two arrays that it may write: rows that the inner loop goes
    along, and rows that the outer one does.
    """

    def __init__(self, rng: np.random.Generator, name: str, given: Sequence[Node]):
        self.rng, self.b = rng, Builder(name)
        taken = [self.b.input(f"a{k}", node.type) for k, node in enumerate(given)]
        self.at = taken[:3]  # the counters of both loops, and another position
        self.read_only, self.stored = taken[3:5], taken[5:7]
        self.numbers = taken[7:]

    def given(self) -> list[Node]:
        return [*self.at, *self.read_only, *self.stored, *self.numbers]

    def choose(self, items: Sequence[Any]) -> Any:
        return items[int(self.rng.integers(len(items)))]

    def where(self, array: Node, inner: bool) -> tuple[Node, dict[str, Any]]:
        """The place of an element in the row of a counter, rarely in the next one."""
        row, column = self.rng.random() < 0.05, self.rng.integers(array.type.shape[1])
        attrs = {"axes": (0,), "start": (int(row), int(column)), "step": (1, 1)}
        return self.at[0 if inner else 1], attrs

    def read(self) -> None:
        rare = self.stored[1:] if self.rng.random() < 0.1 else []
        array = self.choose([*self.read_only, self.stored[0], *rare])
        inner = not rare and self.rng.random() < 0.9
        t, attrs = self.where(array, inner)
        made = self.b.add_node("slice_at", array, t, shape=(1, 1), **attrs)
        self.numbers.append(self.b.reshape(made, ()))

    def store(self) -> None:
        place = int(self.rng.integers(2))
        array = self.stored[place]
        inner = place == 0 and self.rng.random() < 0.9
        t, attrs = self.where(array, inner)
        value = self.b.reshape(self.choose(self.numbers), (1, 1))
        sums = place == 1 and self.rng.random() < 0.95
        op = "add_at" if sums else self.choose(("add_at", "update_at"))
        self.stored[place] = self.b.add_node(op, array, value, t, **attrs)

    def compute(self) -> None:
        x, y = self.choose(self.numbers), self.choose(self.numbers)
        op = self.choose(("add", "sub", "mul", "maximum", "minimum"))
        half = self.b.mul(self.b.add_node(op, x, y), self.b.const(0.5, "f64"))
        self.numbers.append(half)

    def branch(self, depth: int) -> None:
        numbers = [self.choose(self.numbers) for _ in range(2)]
        x, y = self.choose((self.at[:2], self.at[::2], numbers))
        flag = self.b.add_node(self.choose(("eq", "lt", "ne", "ge")), x, y)
        operands = self.given()
        regions: list[Graph] = []
        for name in ("then", "else"):
            side = Growth(self.rng, name, operands)
            side.grow(int(self.rng.integers(0, 4)), depth - 1)
            sums = [side.choose(side.numbers), *side.stored]
            regions.append(side.b.build([Output(node.name) for node in sums]))
        made = self.b.add_node("cond", flag, *operands, regions=tuple(regions))
        self.numbers.append(made.values[0])
        self.stored = list(made.values[1:])

    def grow(self, steps: int, depth: int) -> None:
        for _ in range(steps):
            move = self.rng.random()
            if depth and move < 0.25:
                self.branch(depth)
            elif move < 0.5:
                self.read()
            elif move < 0.75:
                self.store()
            else:
                self.compute()


def looping(seed: int) -> tuple[Graph, list[Any]]:
    """A loop in a loop, and values for its inputs."""
    rng = np.random.default_rng(seed)
    n, width = (int(rng.choice(x)) for x in ((9, 17, 40), (1, 2, 3, 4, 5)))
    kind = rng.choice(("trips", "reverse", "limit"))
    rows = TensorType("f64", (n + 1, width))
    two, one = rows.with_shape((n + 1, 2)), rows.with_shape((n + 1, 1))
    types = [INDEX, rows, one, rows, two, rows.with_shape(())]
    outer = Builder("body")
    given = [outer.input(f"a{k}", type_) for k, type_ in enumerate([INDEX, *types])]
    inner = Growth(rng, "body", [given[0], *given])
    total = inner.numbers.pop()
    inner.numbers.append(inner.b.const(0.5, "f64"))
    inner.grow(int(rng.integers(3, 10)), 2)
    end = inner.b.add(total, inner.choose(inner.numbers))
    body = inner.b.build([Output(node.name) for node in (*inner.stored, end)])
    attrs = {"trips": n, "carried": 3, "stacked": 0, "test": False}
    kinds = {"limit": bool(kind == "limit"), "reverse": bool(kind == "reverse")}
    limit = [given[1]] if kind == "limit" else []
    made = outer.add_node(
        "loop", *limit, *given, regions=(body,), **loop_attrs({**attrs, **kinds})
    )
    whole = outer.build([Output(value.name) for value in made.values])
    b = Builder("lanes")
    inputs = [b.input(f"a{k}", type_) for k, type_ in enumerate(types)]
    kinds = {"trips": 3, "limit": False, "reverse": False}
    ends = b.add_node(
        "loop", *inputs, regions=(whole,), **loop_attrs({**attrs, **kinds})
    )
    graph = b.build([Output(value.name) for value in ends.values]).verify()
    numbers = [rng.normal(size=x.shape) for x in types[1:]]
    return graph, [np.asarray(int(rng.integers(0, n))), *numbers]


def inner_body(graph: Graph) -> Graph:
    """The body of the loop in the loop."""
    while loops := [node for node in graph if node.op == "loop"]:
        graph = loops[0].regions[0]
    return graph


@pytest.mark.parametrize("kept", [True, False])
def test_random_loops_over_rows_do_what_the_interpreter_does(
    kept: bool, monkeypatch: Monkey
) -> None:
    """With branches as they are, or chosen before."""
    monkeypatch.setattr(choose, "MOST_WORK", -1 if kept else choose.MOST_WORK)
    lanes = flat = 0
    for seed in SEEDS:
        graph, point = looping(seed)
        made = optimise(graph, "llvm")
        run = prepare(made)
        for one, other in zip(run(point), interpret(graph, point), strict=True):
            np.testing.assert_allclose(
                one, other, rtol=1e-9, atol=1e-9, err_msg=f"seed {seed}"
            )
        in_lanes = any(re.search(r"for v\d+ in lanes", text) for text in run.sources)
        lanes += in_lanes
        flat += in_lanes and any(node.op == "cond" for node in inner_body(made))
    assert lanes > 0.3 * len(SEEDS)
    assert flat > 0.1 * len(SEEDS) or not kept


def loop_source(function: Any, *args: Any) -> str:
    """The kernel of the loop that a function is."""
    compiled = anabranch.jit(function)
    compiled(*args)
    run = compiled._newest().runner("llvm")
    assert isinstance(run, LLVMExecutable)
    (source,) = (text for text in run.sources if "for v" in text)
    return source


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5])
def test_pairs_but_those_of_one_are_added_in_lanes(width: int) -> None:
    """Rows lie side by side as far as the language has lanes for them."""

    def forces(x: Any, m: Any) -> Any:
        f = np.zeros_like(x)
        for i in range(len(x)):
            for j in range(len(x)):
                if i != j:
                    d = x[j] - x[i]
                    f[i] += m[j] * d / (np.sum(d * d) + 0.1)
        return f

    rng = np.random.default_rng(width)
    x, m = rng.normal(size=(20, width)), rng.random(20)
    np.testing.assert_allclose(
        anabranch.jit(forces)(x, m), forces(x, m), rtol=1e-12, atol=1e-12
    )
    source = loop_source(forces, x, m)
    assert (" in lanes(" in source) is (width <= 4)
    for k in range(2):
        ours = anabranch.grad(lambda *a: np.sum(forces(*a) ** 2), k)(x, m)
        theirs = anabranch.grad(
            lambda *a: np.sum(forces(*a) ** 2), k, backend="reference"
        )(x, m)
        np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-11)


def test_a_place_that_stays_is_held_in_a_register() -> None:
    """Loaded in front of the loop and stored behind it, though nothing adds up."""

    def walk(x: Any, w: Any) -> Any:
        x = x.copy()
        for i in range(len(x)):
            for j in range(len(w)):
                x[i] = np.sin(x[i]) + w[j]
        return x

    rng = np.random.default_rng(0)
    x, w = rng.normal(size=30), rng.normal(size=40)
    np.testing.assert_allclose(anabranch.jit(walk)(x, w), walk(x, w), rtol=1e-13)
    inner = loop_source(walk, x, w).rpartition(" in range(")[2]
    (stored,) = (line for line in inner.splitlines() if line.strip().startswith("m"))
    assert stored.startswith(" " * 8 + "m"), "behind the loop, in the one around it"
    assert inner.count("[") == 2, "the loop loads an element of w and nothing else"


@pytest.mark.parametrize("condition", ["x[i] > 1", "i != k"])
def test_a_side_that_may_be_most_of_the_work_is_computed_if_it_is_usual(
    condition: str,
) -> None:
    """All iterations but one have another counter; a number is seldom above 1."""

    def costly(x: Any, k: Any) -> Any:
        total = 0.0
        for i in range(len(x)):
            if x[i] > 1 if condition == "x[i] > 1" else i != k:
                y = np.exp(-x[i]) * np.sin(x[i]) + np.tanh(x[i]) * np.cos(x[i])
                total += y * np.log(9 + y)
        return total

    x = np.random.default_rng(0).normal(size=300)
    np.testing.assert_allclose(anabranch.jit(costly)(x, 7), costly(x, 7), rtol=1e-12)
    source = loop_source(costly, x, 7)
    assert (" in lanes(" in source) is (condition == "i != k")


BESIDE = """
graph f(%x: f64[{size}], %n: i64[]) {{
  %c = const() {{value=0.0}} : f64[]
  %s = loop(%n, %x, %c) {{trips=20, carried=1, limit=True}} : f64[]:
    body(%t: i64[], %x: f64[{size}], %s: f64[]) {{
      %m = const() {{value={first}}} : i64[]
      %p = ge(%t, %m) : bool[]
      %r = cond(%p, %x, %t, %s) : f64[]:
        then(%x: f64[{size}], %t: i64[], %s: f64[]) {{
          %i = check(%t) {{low={first}, high=20, error="index", message="far"}} : i64[]
          %y = slice_at(%x, %i) \
{{axes=(0,), start=(-{first},), step=(1,), shape=(1,)}} : f64[1]
          %z = reshape(%y) {{shape=()}} : f64[]
          %w = exp(%z)     : f64[]
          %u = add(%s, %w) : f64[]
          return %u
        }}
        else(%x: f64[{size}], %t: i64[], %s: f64[]) {{
          return %s
        }}
      return %r
    }}
  return %s
}}
"""


@pytest.mark.parametrize("first", [0, 3])
def test_a_side_that_would_read_outside_is_not_computed(first: int) -> None:
    """The branch is what shows that the place is inside: there is no check left."""
    size = 20 - first
    graph = parse(BESIDE.format(size=size, first=first).strip())
    run = prepare(optimise(graph, "llvm"))
    (source,) = (text for text in run.sources if "for v" in text)
    assert "return v" not in source
    assert (" in lanes(" in source) is (first == 0)
    x = np.random.default_rng(0).normal(size=size)
    for n in (0, 2, 3, 20):
        expected = np.sum(np.exp(x[: max(n - first, 0)]))
        np.testing.assert_allclose(run([x, np.asarray(n)])[0], expected, rtol=1e-13)
