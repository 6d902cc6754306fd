"""What a loop keeps of an array is shown by the array where nothing is stored later."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import anabranch as ab
from anabranch.backends.reference.interpreter import interpret
from anabranch.compiler.passes.last import last
from anabranch.compiler.passes.prune import prune
from anabranch.compiler.pipeline import optimise
from anabranch.ir import Graph, parse

TRIPS, SIZE, MIDDLE = 4, 17, 8

FLAT = """
graph f(%x: f64[{size}], %y: f64[]) {{
  %a, %as = loop(%y, %x) {{trips={trips}, carried=1{reverse}}} : f64[{size}], \
f64[{trips},1]:
    body(%t: i64[], %y: f64[], %u: f64[{size}]) {{
      %by     = const() {{value={by}, dtype="i64"}} : i64[]
      %place  = mul(%t, %by) : i64[]
      %far    = const() {{value={far}, dtype="i64"}} : i64[]
      %other  = mul(%t, %far) : i64[]
      %s      = slice_at(%u, %place) {{axes=(0,), start=({read},), step=(1,), \
shape=(1,)}} : f64[1]
      %e      = reshape(%s) {{shape=()}} : f64[]
      %v      = mul(%e, %y) : f64[]
      %r      = reshape(%v) {{shape=(1,)}} : f64[1]
      %w      = update_at(%u, %r, %other) {{axes=(0,), start=({store},), step=(1,)}} \
: f64[{size}]
      return %w, %s
    }}
  return %a, %as
}}
"""

NESTED = """
graph f(%x: f64[12,12], %y: f64[]) {{
  %a, %as = loop(%y, %x) {{trips=4, carried=1{reverse}}} : f64[12,12], f64[4,3,1,1]:
    body(%t: i64[], %y: f64[], %u: f64[12,12]) {{
      %b, %bs = loop(%t, %y, %u) {{trips=3, carried=1{inner}}} : f64[12,12], \
f64[3,1,1]:
        body(%s: i64[], %t: i64[], %y: f64[], %z: f64[12,12]) {{
          %c = slice_at(%z, %t, %s) {{axes=(0, 1), start=({i}, {j}), step=(1, 1), \
shape=(1, 1)}} : f64[1,1]
          %e = reshape(%c) {{shape=()}} : f64[]
          %v = mul(%e, %y) : f64[]
          %r = reshape(%v) {{shape=(1, 1)}} : f64[1,1]
          %w = update_at(%z, %r, %t, %s) {{axes=(0, 1), start=(4, 4), step=(1, 1)}} \
: f64[12,12]
          return %w, %c
        }}
      return %b, %bs
    }}
  return %a, %as
}}
"""


def graph_of(text: str, reverse: bool, **numbers: Any) -> Graph:
    flag = ", reverse=True" if reverse else ""
    return parse(text.format(reverse=flag, size=SIZE, trips=TRIPS, **numbers).strip())


def is_shown(graph: Graph, shape: tuple[int, ...]) -> bool:
    """Whether the rows are a view, which has the bits that were stacked."""
    rng = np.random.default_rng(0)
    given = [rng.normal(size=shape), np.asarray(1.25)]
    made = prune(last(graph).verify()).verify()
    for one, other in zip(interpret(made, given), interpret(graph, given), strict=True):
        np.testing.assert_array_equal(one, other)
    return made is not graph


def is_stored_later(places: list[Any], stores: list[Any]) -> bool:
    """Whether some place that is read is stored to then, or later."""
    return any(place in stores[number:] for number, place in enumerate(places))


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(("by", "far"), [(1, 1), (2, 2), (-1, -1), (1, 2), (-1, 1)])
def test_slices_are_shown_where_nothing_is_stored_later(
    reverse: bool, by: int, far: int
) -> None:
    turns = range(TRIPS)[::-1] if reverse else range(TRIPS)
    shown = 0
    for shift in range(-5, 6):
        read = MIDDLE + shift if by < 2 else 1 + shift % 9
        store = MIDDLE if far < 2 else 4
        where = {"by": by, "far": far, "read": read, "store": store}
        found = is_shown(graph_of(FLAT, reverse, **where), (SIZE,))
        places = [by * t + read for t in turns]
        later = is_stored_later(places, [far * t + store for t in turns])
        assert not (found and later)
        # Where both go on alike, or are apart as a whole, it is seen.
        if by == far and abs(by) == 1:
            assert found != later
        shown += found
    assert shown


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("inner", [False, True])
def test_slices_in_loops_in_loops(reverse: bool, inner: bool) -> None:
    outer_turns = range(4)[::-1] if reverse else range(4)
    inner_turns = range(3)[::-1] if inner else range(3)
    turns = [(t, s) for t in outer_turns for s in inner_turns]
    stores = [(t + 4, s + 4) for t, s in turns]
    flag = ", reverse=True" if inner else ""
    shown = 0
    for i in range(2, 7):
        for j in range(2, 7):
            graph = graph_of(NESTED, reverse, inner=flag, i=i, j=j)
            found = is_shown(graph, (12, 12))
            later = is_stored_later([(t + i, s + j) for t, s in turns], stores)
            assert not (found and later)
            shown += found
    assert shown


def test_a_loop_whose_array_is_let_go_shows_nothing() -> None:
    """What it stores is in no later version of the array around it."""
    for i, j in ((4, 3), (4, 4), (2, 2)):
        text = NESTED.replace("return %b, %bs", "return %u, %bs")
        assert not is_shown(graph_of(text, False, inner="", i=i, j=j), (12, 12))


def test_a_recurrence_keeps_nothing_but_its_states() -> None:
    n, steps = 6, 40

    def states(w: Any, x: Any) -> Any:
        h = np.zeros((steps + 1, n))
        for t in range(steps):
            for j in range(n):
                h[t + 1, j] = x[t, j]
                for i in range(n):
                    h[t + 1, j] += h[t, i] * w[i, j]
        return np.sum(h[-1])

    rng = np.random.default_rng(1)
    w, x = rng.normal(size=(n, n)) / n, rng.normal(size=(steps, n))
    made = optimise(ab.make_ir(ab.grad(states, (0, 1)))(w, x)).verify()
    kept = [
        value
        for node in made
        if node.op == "loop"
        for value in node.values[int(str(node.attrs.get("carried", 0))) :]
        if made.reads.get(value.name)
    ]
    assert sum(value.type.size for value in kept) <= (steps + 1) * n
    found = ab.grad(states, (0, 1))(w, x)
    expected = ab.grad(states, (0, 1), backend="reference")(w, x)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)
