"""Carried values that no iteration changes are invariants."""

from __future__ import annotations

import numpy as np
import pytest

from anabranch.backends.reference.interpreter import interpret
from anabranch.compiler.passes.steady import steady
from anabranch.ir import Graph, parse

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
