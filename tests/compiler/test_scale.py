"""Large graphs: deep, wide, with many inputs; nothing recurses, little is compiled."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest

import anabranch
from anabranch.backends.llvm.emit import make_plan
from anabranch.backends.llvm.plan.step import Plan
from anabranch.compiler.pipeline import optimise


def chain(x: Any, w: Any, steps: int) -> Any:
    for _ in range(steps):
        x = np.sin(x) * w + x
    return np.sum(x)


def network(w: Any, u: Any, b: Any, steps: int) -> Any:
    h = np.zeros_like(b, shape=(1, 4))
    for t in range(steps):
        h = np.tanh(h @ w + u[t] @ w + b)
    return np.sum(h * h)


def many_terms(x: Any, w: Any, steps: int) -> Any:
    """One value with a read in each term, and terms that do not wait for another."""
    return np.sum(sum((np.sin(w) * (x + float(i)) for i in range(steps)), x * 0.0))


def plan_of(function: Callable[..., Any], *arguments: Any) -> Plan:
    argnums = tuple(range(len(arguments)))
    graph = anabranch.make_ir(anabranch.value_and_grad(function, argnums))(*arguments)
    return make_plan(optimise(graph))


def distinct(plan: Plan) -> int:
    return len({step.kernel for step in plan.steps})


@pytest.mark.parametrize("function", [chain, network, many_terms])
def test_ten_times_the_steps_need_no_more_kernels(function: Any) -> None:
    counts: list[int] = []
    for steps in (100, 400):
        arrays = {
            chain: [np.ones(5), np.ones(5)],
            many_terms: [np.ones(5), np.ones(5)],
            network: [np.ones((4, 4)), np.ones((steps, 1, 4)), np.ones(4)],
        }[function]
        counts.append(distinct(plan_of(partial(function, steps=steps), *arrays)))
    assert counts[1] <= counts[0] + 4
    assert counts[1] < 30


@pytest.fixture(scope="module")
def deep() -> Any:
    """A compiled gradient of 10,000 nodes, called once."""
    unrolled = anabranch.jit(lambda x, w: chain(x, w, 1_000), rewrite=False)
    made = anabranch.value_and_grad(unrolled, (0, 1))
    made(*POINT)
    return made


POINT = [np.linspace(0.1, 0.4, 4), np.full(4, 0.01)]


def numbers(tree: Any) -> Sequence[Any]:
    value, gradients = tree
    return [value, *gradients]


def test_a_deep_gradient_is_that_of_the_recurrence(deep: Any) -> None:
    x, w = POINT
    slope_x, slope_w = np.ones(4), np.zeros(4)
    for _ in range(1_000):
        factor = np.cos(x) * w + 1.0
        slope_w = slope_w * factor + np.sin(x)
        slope_x, x = slope_x * factor, np.sin(x) * w + x
    expected = [np.sum(x), slope_x, slope_w]
    for found, wanted in zip(numbers(deep(*POINT)), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-10)


@pytest.mark.parametrize("stage", ["forward", "adjoint", "optimised", "plan"])
def test_a_deep_graph_prints_at_every_stage(deep: Any, stage: str) -> None:
    assert deep.inspect_ir(stage).count("\n") > 100


def test_a_deep_graph_is_pickled_parsed_and_drawn(deep: Any) -> None:
    program = deep.program(*POINT)
    graph = program.graph
    assert len(graph) > 8_000
    assert pickle.loads(pickle.dumps(program)).graph == graph
    assert anabranch.parse(graph.as_text()).same_structure(graph)
    assert graph.to_dot().count("->") > 8_000
    assert len(graph.contributions("w")) == 1_000


def test_many_inputs() -> None:
    arrays = [np.full(3, 0.5 + i / 1000) for i in range(400)]

    def product(ws: Any) -> Any:
        x = 1.0
        for w in ws:
            x = np.tanh(x * w)
        return np.sum(x)

    made = anabranch.value_and_grad(product)
    value, slopes = made(arrays)
    found = anabranch.value_and_grad(product, backend="reference")(arrays)
    np.testing.assert_allclose(value, found[0], rtol=1e-12)
    for one, other in zip(slopes, found[1], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-300)
