"""Loops over many lanes run in blocks of lanes: the same bits, from the cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import anabranch
from anabranch.backends.llvm.machine import current, using
from anabranch.backends.llvm.plan import lane_blocks
from anabranch.backends.llvm.plan.lane_blocks import blocked
from anabranch.backends.llvm.run import threads as pool
from anabranch.backends.llvm.run.executable import LLVMExecutable, prepare
from anabranch.backends.reference.interpreter import interpret
from anabranch.compiler.pipeline import optimise
from anabranch.ir import Builder, Graph, Output, parse
from anabranch.ir.types import TensorType
from anabranch.ir.verify import verify

ALONE = current()._replace(threads=1)
LANES = 640
RNG = np.random.default_rng(0)
Q, V = RNG.normal(size=(2, LANES, 3, 2))
MASS = np.array([1.0, 0.5, 0.3])


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A few kilobytes are much."""
    monkeypatch.setattr(lane_blocks, "MIN_BYTES", 1 << 10)
    monkeypatch.setattr(lane_blocks, "BLOCK_BYTES", 1 << 10)
    yield
    pool.set_threads(current().threads)


def turns(step: Callable[..., Any], count: int = 9) -> Callable[..., Any]:
    def run(*state: Any) -> Any:
        return anabranch.fori_loop(0, count, lambda _, state: step(*state), state)

    return run


def graph_of(function: Callable[..., Any], *args: Any) -> tuple[Graph, list[Any]]:
    program = anabranch.Compiled(function).program(*args)
    return optimise(program.graph), [*map(np.asarray, args), *program.captured]


def is_cut(graph: Graph) -> bool:
    return blocked(graph) is not graph


def bodies(q: Any, v: Any) -> Any:
    apart = q[None, :, :] - q[:, None, :]
    square = np.sum(apart * apart, -1) + 1e-2
    weight = MASS[None, :] / (square * np.sqrt(square))
    return q + 0.01 * v, v + 0.01 * np.sum(weight[:, :, None] * apart, 1)


def joined(q: Any, v: Any) -> Any:
    """Slices, parts put together, choices, and a branch for each lane."""
    both = np.concatenate([q[1:], v[:1]])
    turned = np.where(both > 0, both, -v[::-1])
    return np.tanh(turned), (v if q[0, 0] > v[0, 0] else np.max(v, 0) + 0 * v)


@pytest.mark.parametrize("step", [bodies, joined])
def test_each_lane_has_the_bits_that_it_had(
    step: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    function = anabranch.vmap(turns(step))
    graph, given = graph_of(function, Q, V)
    made = blocked(graph)
    verify(made)
    (outer,) = [node for node in made if node.op == "loop"]
    (inner,) = [node for node in outer.regions[0] if node.op == "loop"]
    assert outer.attrs["trips"] == 10
    assert inner.attrs["trips"] == 9
    assert all(LANES not in node.type.shape for node in inner.regions[0])
    for one, other in zip(interpret(graph, given), interpret(made, given), strict=True):
        np.testing.assert_array_equal(one, other)
    with using(ALONE):
        found = anabranch.jit(function)(Q, V)
    monkeypatch.setattr(lane_blocks, "MIN_BYTES", 1 << 30)
    with using(ALONE):
        whole = anabranch.jit(lambda q, v: function(q, v))(Q, V)
    np.testing.assert_array_equal(found, whole)


def shared(made: LLVMExecutable) -> list[int]:
    """Into how many parts the loops are cut that threads share."""
    steps = [step for step in made.plan.steps if step.label == "share"]
    assert all(len(step.tasks) == len(step.branches) for step in steps)
    return [len(step.tasks) for step in steps]


def test_threads_share_the_blocks() -> None:
    """Parts have memory of their own, apart from that of the steps around them."""

    def run(q: Any, v: Any) -> Any:
        q, v = anabranch.vmap(turns(bodies))(np.tanh(q), np.sin(v))
        return np.cos(q) * v, np.sum(q * v), *anabranch.vmap(turns(joined))(v, q)

    graph, given = graph_of(run, Q, V)
    with using(ALONE):
        alone = prepare(graph)
    with using(ALONE._replace(threads=3)):
        cut = prepare(graph)
        assert shared(alone) == []
        assert shared(cut) == [5, 5]
        for count in (1, 3):
            pool.set_threads(count)
            for _ in range(5):
                for one, other in zip(cut(given), alone(given), strict=True):
                    np.testing.assert_array_equal(one, other)


TURNS = """
graph f(%n: f64[20], %x: f64[20,6000]) {{
  %made = loop(%n, %x) {{trips=20, stacked=2}} : f64[20,6000]:
    body(%t: i64[], %n: f64[], %x: f64[6000]) {{
      %loop = loop({inner}, %x) {{trips=9, carried=1}} : f64[6000]:
        body(%t: i64[], %n: {dtype}[], %x: f64[6000]) {{
          %f = cast(%n) {{dtype="f64"}} : f64[]
          %all = broadcast_to(%f) {{shape=(6000,)}} : f64[6000]
          %y = mul(%x, %all) : f64[6000]
          %tanh = tanh(%y) : f64[6000]
          return %tanh
        }}
      return %loop
    }}
  return %made
}}
"""


@pytest.mark.parametrize(
    ("inner", "dtype", "parts"), [("%n", "f64", [4]), ("%t", "i64", [])]
)
def test_turns_that_read_their_number_are_not_shared(
    inner: str, dtype: str, parts: list[int]
) -> None:
    graph = optimise(parse(TURNS.format(inner=inner, dtype=dtype)))
    given = RNG.normal(size=20), RNG.normal(size=(20, 6000))
    with using(ALONE._replace(threads=2)):
        made = prepare(graph)
    assert shared(made) == parts
    np.testing.assert_allclose(made(given)[0], interpret(graph, given)[0], rtol=1e-12)


def test_lanes_may_be_first_and_what_has_none_is_carried_along() -> None:
    def run(x: Any, scale: Any, n: Any) -> Any:
        def step(_: Any, state: Any) -> Any:
            x, scale, n = state
            return np.sin(x) * scale + n, scale * 0.5, n + 1

        return anabranch.fori_loop(0, 8, step, (x, scale, n))

    x = RNG.normal(size=(LANES, 5))
    graph, given = graph_of(run, x, 2.0, 1)
    made = blocked(graph)
    assert made is not graph
    for one, other in zip(interpret(graph, given), interpret(made, given), strict=True):
        assert one.shape == other.shape
        np.testing.assert_array_equal(one, other)


TOGETHER: dict[str, Callable[..., Any]] = {
    "a sum over lanes": lambda x: x - np.mean(x),
    "a running sum": lambda x: np.cumsum(x),
    "neighbours": lambda x: np.concatenate([x[1:], x[:1]]),
    "lanes backwards": lambda x: x[::-1] * 0.5,
    "sorted": lambda x: np.sort(x),
    "others in a row": lambda x: np.reshape(np.reshape(x, (2, -1)).T, -1),
    "a product": lambda x: x @ np.ones((LANES, LANES)) / LANES,
}


@pytest.mark.parametrize("name", list(TOGETHER))
def test_lanes_that_need_others_stay_together(name: str) -> None:
    run = turns(lambda x: (TOGETHER[name](x),))
    graph, _ = graph_of(run, RNG.normal(size=LANES))
    assert not is_cut(graph)


def test_the_number_of_a_lane_is_that_in_the_whole() -> None:
    vector = TensorType("f64", (LANES,))
    inner = Builder("body")
    inner.input("t", TensorType("i64", ()))
    x = inner.input("x", vector)
    numbers = inner.iota(shape=(LANES,), axis=0, dtype="i64")
    body = inner.build([Output(inner.add(x, inner.cast(numbers, "f64")).name)])
    b = Builder("whole")
    loop = b.add_node("loop", b.input("x", vector), regions=(body,), trips=9, carried=1)
    assert not is_cut(b.build([Output(loop.name)]))


def test_only_what_is_worth_it_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    step = lambda x: (np.tanh(x) * 0.9,)  # noqa: E731
    x = RNG.normal(size=LANES)
    graph, _ = graph_of(turns(step), x)
    assert is_cut(graph)
    assert not is_cut(graph_of(turns(step, 3), x)[0])
    assert not is_cut(graph_of(turns(step), x[:100])[0])
    assert not is_cut(graph_of(turns(step), RNG.normal(size=641))[0])  # a prime
    monkeypatch.setattr(lane_blocks, "MIN_BYTES", 1 << 30)
    assert not is_cut(graph)


def test_gradients_and_second_calls_are_those_of_the_whole() -> None:
    function = anabranch.vmap(turns(bodies))

    def energy(q: Any) -> Any:
        return np.sum(function(q, V)[1] ** 2)

    with using(ALONE):
        value, bar = anabranch.value_and_grad(energy)(Q)
        np.testing.assert_array_equal(anabranch.value_and_grad(energy)(Q)[1], bar)
    step = 1e-6 * RNG.normal(size=Q.shape)
    apart = (energy(Q + step) - energy(Q - step)) / 2
    np.testing.assert_allclose(np.sum(bar * step), apart, rtol=1e-6)
    np.testing.assert_allclose(value, energy(Q), rtol=1e-12)
