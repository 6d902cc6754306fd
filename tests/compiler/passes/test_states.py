"""The states of a loop before and after each turn are parts of one array."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import anabranch as ab
from anabranch.backends.llvm.run.executable import prepare
from anabranch.backends.reference.interpreter import interpret
from anabranch.compiler.passes.fuse import fuse
from anabranch.compiler.passes.prune import prune
from anabranch.compiler.passes.states import states
from anabranch.ir import Graph, parse

TEXT = """
graph f(%x: f64{state}, %y: f64{state}) {{
  %a, %b, %s, %t = loop(%x, %y) {{trips=5, carried=2{reverse}}} : \
f64{state}, f64{state}, f64{rows}, f64{rows}:
    body(%i: i64[], %u: f64{state}, %v: f64{state}) {{
      %w = sin(%u)     : f64{state}
      %z = mul(%w, %v) : f64{state}
      return %{first}, %{second}, %{one}, %{two}
    }}
  %e = exp(%s)     : f64{rows}
  %g = mul(%e, %t) : f64{rows}
  return %a, %b, {more}%g
}}
"""


def graph_of(
    one: str = "u",
    two: str = "w",
    first: str = "w",
    second: str = "z",
    state: str = "[3]",
    reverse: bool = False,
    more: str = "",
) -> Graph:
    rows = "[5,3]" if state == "[3]" else "[5]"
    flag = ", reverse=True" if reverse else ""
    names = {"one": one, "two": two, "first": first, "second": second}
    text = TEXT.format(state=state, rows=rows, reverse=flag, more=more, **names)
    return parse(text.strip())


def shown(graph: Graph) -> Graph:
    """What the pass and `prune` make of a graph, after all ways gave equal bits."""
    made = prune(states(graph).verify()).verify()
    assert states(made) is made
    rng = np.random.default_rng(0)
    given = [rng.normal(size=x.type.shape) for x in graph.inputs]
    wanted = interpret(graph, given)
    np.testing.assert_equal(interpret(made, given), wanted)
    for found, value in zip(
        prepare(fuse(made))(given), prepare(fuse(graph))(given), strict=True
    ):
        np.testing.assert_array_equal(found, value)
    return made


def ops(graph: Graph) -> list[str]:
    return [node.op for node in graph if node.op != "input"]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(("one", "two"), [("u", "w"), ("w", "u"), ("v", "z")])
def test_both_are_parts_of_one_array(one: str, two: str, reverse: bool) -> None:
    made = shown(graph_of(one, two, reverse=reverse))
    assert ops(made).count("slice") == 2
    (loop,) = (node for node in made if node.op == "loop")
    assert len(loop.values) == 3  # one of the two is stacked


def test_two_values_may_swap_places() -> None:
    shown(graph_of("u", "v", first="v", second="u"))
    shown(graph_of("v", "u", first="v", second="u"))


@pytest.mark.parametrize(
    "changed",
    [
        {"two": "z"},  # the state of another
        {"first": "u"},  # no turn changes it
        {"state": "[]"},
        {"more": "%s, "},  # its rows are a result
        {"more": "%t, "},
    ],
)
def test_other_rows_stay(changed: dict[str, Any]) -> None:
    graph = graph_of(**changed)
    assert states(graph) is graph


def test_one_value_that_both_are_carried_as() -> None:
    shown(graph_of("u", "w", first="w", second="w"))


def test_a_recurrent_network_keeps_each_state_once() -> None:
    steps, width = 200, 50

    def loss(w: Any, xs: Any, h: Any) -> Any:
        for x in xs:
            h = np.tanh(x + h @ w)
        return np.sum(h * h)

    rng = np.random.default_rng(0)
    w = rng.normal(size=(width, width)) / width
    xs, h = rng.normal(size=(steps, width)), np.zeros(width)
    gradient = ab.grad(loss)
    gradient(w, xs, h)
    bytes_of_rows = xs.nbytes
    arena = int(str(gradient.report()).split("arena ")[1].split()[0])
    assert arena < 3.2 * bytes_of_rows  # states, what goes into tanh, cotangents


def test_a_delay_line_keeps_the_first_of_its_states_once() -> None:
    def loss(w: Any, xs: Any) -> Any:
        def step(states: Any, x: Any) -> Any:
            a, b = states
            return (np.tanh(b * w + x), a), a

        (a, b), ys = ab.scan(step, (np.ones(2), np.ones(2)), xs)
        return np.sum(a * b) + np.sum(ys * ys)

    w, xs = np.array([0.5, 0.7]), np.random.default_rng(0).normal(size=(12, 2))
    expected = ab.grad(loss, (0, 1), backend="reference")(w, xs)
    for one, other in zip(ab.grad(loss, (0, 1))(w, xs), expected, strict=True):
        np.testing.assert_allclose(one, other, 1e-13)
