"""Carried values that no iteration changes are invariants."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import anabranch as ab
from anabranch.backends.reference.interpreter import interpret
from anabranch.compiler.passes.bodies import parts_of
from anabranch.compiler.passes.steady import steady
from anabranch.compiler.pipeline import optimise, run_passes
from anabranch.ir import Graph, parse
from tests.oracles.bits import assert_same_bits

TEXT = """
graph f(%x: f64[], %g: f64[], %n: i64[]) {{
  %c = const() {{value={value}}} : f64[]
  %a, %b, %d, %r = loop({limit}%x, %g, {start}) \
{{trips=4, {flag}carried=3}} : f64[], f64[], f64[], f64[4]:
    body(%t: i64[], %u: f64[], %v: f64[], %z: f64[]) {{
      %k = const() {{value=0.0}} : f64[]
      %w = mul(%u, %v)         : f64[]
      %s = add(%w, %z)         : f64[]
      return %s, %v, %k, %z
    }}
  return %a, %b, %d, %r
}}
"""


def carrying(value: str = "0.0", start: str = "%c", limit: bool = False) -> Graph:
    given = ("%n, ", "limit=True, ") if limit else ("", "")
    text = TEXT.format(value=value, start=start, limit=given[0], flag=given[1])
    return parse(text.strip())


@pytest.mark.parametrize("limit", [False, True])
@pytest.mark.parametrize("count", [0, 3])
@pytest.mark.parametrize(
    ("given", "left"),
    [
        ({}, 1),
        ({"value": "-0.0"}, 2),  # another bit
        ({"start": "%x"}, 2),  # zeros after the first iteration
    ],
)
def test_what_is_handed_on_is_no_longer_carried(
    given: dict[str, str], left: int, limit: bool, count: int
) -> None:
    graph = carrying(limit=limit, **given)
    made = steady(graph).verify()
    (loop,) = [node for node in made if node.op == "loop"]
    assert loop.attrs["carried"] == left
    assert steady(made) is made
    point = [np.array(1.5), np.array(-0.5), np.array(count)]
    for found, expected in zip(
        interpret(made, point), interpret(graph, point), strict=True
    ):
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(np.signbit(found), np.signbit(expected))


def test_a_loop_of_nothing_else_is_gone() -> None:
    graph = parse("""
        graph f(%x: f64[2]) {
          %y = loop(%x) {trips=4, carried=1} : f64[2]:
            body(%t: i64[], %u: f64[2]) {
              return %u
            }
          %z = neg(%y) : f64[2]
          return %y, %z
        }""")
    made = steady(graph).verify()
    assert [node.op for node in made] == ["input", "neg"]
    assert made.results == ("x", "z")


def test_the_test_of_a_loop_stays() -> None:
    graph = parse("""
        graph f(%go: bool[], %x: f64[2]) {
          %a, %y = loop(%go, %x) {trips=4, carried=2, test=True} : bool[], f64[2]:
            body(%t: i64[], %g: bool[], %u: f64[2]) {
              %w = neg(%u) : f64[2]
              return %g, %w
            }
          return %y
        }""")
    assert steady(graph) is graph


def test_a_limit_is_read_by_the_loop_that_has_it() -> None:
    graph = parse("""
        graph f(%n: i64[], %x: f64[2]) {
          %a, %b = loop(%n, %x, %x) {trips=4, carried=2, limit=True} : f64[2], f64[2]:
            body(%t: i64[], %u: f64[2], %v: f64[2]) {
              %w = neg(%v) : f64[2]
              return %u, %w
            }
          return %a
        }""")
    assert steady(graph) is graph
    assert steady(parse(str(graph).replace("return %a", "return %a, %b"))) is not graph


def unchanged(graph: Graph) -> list[str]:
    """The values of all loops that are what they began with."""
    names: list[str] = []
    for node in graph:
        for region in node.regions:
            names += unchanged(region)
        if node.op == "loop":
            (body,), parts = node.regions, parts_of(node)
            first = 1 + len(parts.invariants)
            names += [
                name
                for number, name in enumerate(node.names[: len(parts.carried)])
                if body.results[number] == body.inputs[first + number].name
            ]
    return names


def test_the_cotangent_of_a_sum_is_no_carried_value() -> None:
    def function(x: Any, y: Any) -> Any:
        return ab.fori_loop(0, 9, lambda t, s: s + x[t] * y[t], 0.0) ** 2

    x, y = np.arange(9.0), np.sin(np.arange(9.0))
    graph = ab.make_ir(ab.grad(function, argnums=(0, 1)))(x, y)
    assert unchanged(run_passes(graph, ["simplify"]))
    made = optimise(graph).verify()
    assert not unchanged(made)
    expected = 2 * (x @ y) * y, 2 * (x @ y) * x
    for one, other in zip(interpret(made, [x, y]), expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-14)


def test_what_loops_in_a_loop_leave_alone_does_not_hold_it_up() -> None:
    graph = parse("""
        graph f(%x: f64[], %y: f64[3], %n: i64[]) {
          %a, %b, %c = loop(%n, %x, %y) {trips=4, carried=2, limit=True} : f64[], \
f64[3], f64[4]:
            body(%t: i64[], %u: f64[], %v: f64[3]) {
              %d, %e = loop(%u, %v) {trips=2, carried=2} : f64[], f64[3]:
                body(%t: i64[], %u: f64[], %v: f64[3]) {
                  %w = mul(%v, %v) : f64[3]
                  return %u, %w
                }
              return %d, %e, %u
            }
          return %a, %b, %c
        }""")
    point = [np.array(0.5), np.array([0.5, 1.0, 2.0]), np.array(3)]
    made = run_passes(graph, ["steady"]).verify()
    assert not unchanged(made)
    assert made.results[0] == "x"
    assert_same_bits(interpret(made, point), interpret(graph, point))
