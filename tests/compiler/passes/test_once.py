"""What a loop adds to a known number is stored where it adds to no place twice."""

from __future__ import annotations

import numpy as np
import pytest

from anabranch.backends import find_backend
from anabranch.backends.llvm.plan.begun import stored_first
from anabranch.backends.reference.interpreter import interpret
from anabranch.compiler.passes.once import once
from anabranch.compiler.pipeline import optimise
from anabranch.ir import Graph, parse
from anabranch.ir.extent import Extent

TEXT = """
graph f(%x: f64[8,6], %v: f64[4,3]) {{
  %c = const() {{value={value}}}            : f64[]
  %z = broadcast_to(%c) {{shape=(8, 6)}}    : f64[8,6]
  %y = loop({root}, %v) {{trips=4, carried=1, stacked=1{reverse}}} : f64[8,6]:
    body(%t: i64[], %a: f64[8,6], %r: f64[3]) {{
      %b = loop(%t, %a, %r) {{trips=3, carried=1, stacked=1}} : f64[8,6]:
        body(%u: i64[], %t: i64[], %a: f64[8,6], %s: f64[]) {{
          %by = const() {{value={by}}} : i64[]
          %i  = mul({row}, %by)        : i64[]
          %j  = mul(%u, %by)           : i64[]
          %w  = reshape(%s) {{shape=(1, 1)}} : f64[1,1]
          {adds}
          return %{last}
        }}
      return %b
    }}
  return %y
}}
"""
TILES = [(0, 0), (0, 1), (1, 0), (1, 1)]


def graph_of(
    starts: list[tuple[int, int]],
    *,
    by: int = 2,
    value: float = 0.0,
    root: str = "%z",
    row: str = "%t",
    reverse: str = "",
) -> Graph:
    """Two loops of which each iteration adds at such places."""
    names = ["a", *(f"b{k}" for k in range(len(starts)))]
    adds = [
        f"%{names[k + 1]} = add_at(%{names[k]}, %w, %i, %j) "
        f"{{axes=(0, 1), start={start}, step=(1, 1)}} : f64[8,6]"
        for k, start in enumerate(starts)
    ]
    return parse(
        TEXT.format(
            **{"by": by, "value": value, "root": root, "row": row},
            **{"reverse": reverse, "adds": "\n".join(adds), "last": names[-1]},
        )
    )


def point() -> list[np.ndarray]:
    rng = np.random.default_rng(3)
    v = rng.normal(size=(4, 3))
    v[0, 0], v[1, 1] = -0.0, np.inf
    return [rng.normal(size=(8, 6)), v]


def same_bits(made: Graph, graph: Graph) -> None:
    for run in (interpret, lambda g, p: find_backend("llvm").prepare(optimise(g))(p)):
        for one, other in zip(
            run(made, point()), interpret(graph, point()), strict=True
        ):
            np.testing.assert_array_equal(one, other)
            np.testing.assert_array_equal(np.signbit(one), np.signbit(other))


@pytest.mark.parametrize(
    ("graph", "box"),
    [
        (graph_of(TILES), Extent((0, 0), (8, 6), (1, 1))),
        (graph_of(TILES, reverse=", reverse=True"), Extent((0, 0), (8, 6), (1, 1))),
        (graph_of(TILES, value=-0.0), Extent((0, 0), (8, 6), (1, 1))),
        (graph_of([(1, 0), (1, 1)]), None),
        (graph_of([(2, 1)], by=1, value=1.5), Extent((2, 1), (4, 3), (1, 1))),
        (graph_of([(3, 2)], by=-1), Extent((0, 0), (4, 3), (1, 1))),
        (graph_of([(0, 0), (4, 3)], by=1), Extent((0, 0), (4, 3), (1, 1))),
    ],
)
def test_stored(graph: Graph, box: Extent | None) -> None:
    made = once(graph)
    text = made.verify().as_text()
    assert "add_at" not in text
    assert "update_at" in text
    assert stored_first(made["y"], "y") == box
    same_bits(made, graph)


@pytest.mark.parametrize(
    "graph",
    [
        graph_of([(0, 0), (0, 1)], by=1),
        graph_of([*TILES, (0, 0)]),
        graph_of([(0, 0)], row="%u"),
        graph_of([(0, 0)], by=0),
        graph_of(TILES, root="%x"),
    ],
    ids=["overlaps", "twice", "a diagonal", "one place", "nothing known"],
)
def test_left_alone(graph: Graph) -> None:
    assert once(graph) is graph
    same_bits(graph, graph)
