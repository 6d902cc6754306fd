"""What a loop carries and never changes is none of its carried values."""

from __future__ import annotations

from typing import Any

import numpy as np

import anabranch as ab
from anabranch.backends.reference.interpreter import interpret
from anabranch.compiler.passes.bodies import parts_of
from anabranch.compiler.passes.invariant import invariant
from anabranch.compiler.pipeline import optimise, run_passes
from anabranch.ir import Graph, Node, parse
from tests.oracles.bits import assert_same_bits


def loops(graph: Graph) -> list[Node]:
    found = [node for node in graph if node.op == "loop"]
    regions = [region for node in graph for region in node.regions]
    return found + [node for region in regions for node in loops(region)]


def unchanged(graph: Graph) -> list[str]:
    """The values of loops that are what they began with."""
    names: list[str] = []
    for loop in loops(graph):
        (body,), parts = loop.regions, parts_of(loop)
        first = 1 + len(parts.invariants)
        names += [
            name
            for number, name in enumerate(loop.names[: len(parts.carried)])
            if body.results[number] == body.inputs[first + number].name
        ]
    return names


def test_the_cotangent_of_a_sum_is_no_carried_value() -> None:
    def function(x: Any, y: Any) -> Any:
        return ab.fori_loop(0, 9, lambda t, s: s + x[t] * y[t], 0.0) ** 2

    x, y = np.arange(9.0), np.sin(np.arange(9.0))
    graph = ab.make_ir(ab.grad(function, argnums=(0, 1)))(x, y)
    assert unchanged(run_passes(graph, ["simplify"]))
    assert not unchanged(optimise(graph).verify())
    expected = 2 * (x @ y) * y, 2 * (x @ y) * x
    for one, other in zip(interpret(optimise(graph), [x, y]), expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-14)


def test_what_loops_in_a_loop_leave_alone_does_not_hold_it_up() -> None:
    graph = parse("""anabranch 1
graph f(%x: f64[], %y: f64[3], %n: i64[]) {
  %a, %b, %c = loop(%n, %x, %y) {trips=4, carried=2, limit=True} \
: f64[], f64[3], f64[4]:
    body(%t: i64[], %u: f64[], %v: f64[3]) {
      %d, %e = loop(%u, %v) {trips=2, carried=2} : f64[], f64[3]:
        body(%t: i64[], %u: f64[], %v: f64[3]) {
          %w = mul(%v, %v) : f64[3]
          return %u, %w
        }
      return %d, %e, %u
    }
  return %a, %b, %c
}
""")
    point = [np.array(0.5), np.array([0.5, 1.0, 2.0]), np.array(3)]
    made = run_passes(graph, ["invariant"]).verify()
    assert not unchanged(made)
    assert made.results[0] == "x"
    assert_same_bits(interpret(made, point), interpret(graph, point))


def test_a_loop_that_changes_nothing_goes() -> None:
    graph = parse("""anabranch 1
graph f(%x: f64[], %y: f64[3]) {
  %a, %b = loop(%x, %y) {trips=4, carried=2} : f64[], f64[3]:
    body(%t: i64[], %u: f64[], %v: f64[3]) {
      return %u, %v
    }
  return %b, %a
}
""")
    made = invariant(graph).verify()
    assert [node.op for node in made] == ["input", "input"]
    assert made.results == ("y", "x")


def test_a_test_stays_and_so_do_values_that_change_places() -> None:
    graph = parse("""anabranch 1
graph f(%go: bool[], %x: f64[], %y: f64[]) {
  %g, %a, %b = loop(%go, %x, %y) {trips=3, carried=3, test=True} \
: bool[], f64[], f64[]:
    body(%t: i64[], %go: bool[], %u: f64[], %v: f64[]) {
      return %go, %v, %u
    }
  return %g, %a, %b
}
""")
    assert invariant(graph) is graph
