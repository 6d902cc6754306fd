"""Intervals hold for what is computed, and are as narrow as is plain to see."""

from __future__ import annotations

import random

import numpy as np
import pytest

from anabranch import parse
from anabranch.backends.reference.interpreter import evaluate
from anabranch.compiler.intervals import (
    Interval,
    Intervals,
    counter_interval,
    region_intervals,
)
from anabranch.ir import Builder, Output
from anabranch.ir.types import spec

BINARY = ["add", "sub", "mul", "maximum", "minimum", "remainder", "floor_divide"]
UNARY = ["neg", "abs", "identity", "check", "wrapped"]


@pytest.mark.parametrize("seed", range(150))
def test_what_is_computed_is_inside(seed: int) -> None:
    rng = random.Random(seed)
    b = Builder("f")
    known: dict[str, Interval] = {}
    nodes = []
    for number in range(3):
        low = rng.choice([-(2**63), -7, -1, 0, 1, 3, 2**62])
        high = min(low + rng.choice([0, 1, 5, 2**62]), 2**63 - 1)
        nodes.append(b.input(f"x{number}", spec("i64[]")))
        known[nodes[-1].name] = Interval(low, high)
    nodes += [b.const(value, "i64") for value in (-3, 0, 1, 4)]
    for _ in range(8):
        op = rng.choice(BINARY + UNARY)
        one, other = rng.choice(nodes), rng.choice(nodes)
        if op == "wrapped":
            size = b.const(rng.randrange(1, 9), "i64")
            negative = b.lt(one, b.const(0, "i64"))
            nodes.append(b.select(negative, b.add(one, size), one))
        elif op == "check":
            low = rng.randrange(-4, 4)
            attrs = {"low": low, "high": low + 9, "error": "index", "message": ""}
            nodes.append(b.check(one, **attrs))
        elif op in BINARY:
            nodes.append(b.add_node(op, one, other))
        else:
            nodes.append(b.add_node(op, one))
    graph = b.build([Output(node.name) for node in nodes])
    found = Intervals(graph.nodes, known)
    for _ in range(20):
        point = [
            np.asarray(rng.choice([x.low, x.high, rng.randint(*x)]), np.int64)
            for x in known.values()
        ]
        try:
            with np.errstate(all="ignore"):
                values = [(node, int(value)) for node, value in evaluate(graph, point)]
        except IndexError:  # a check failed
            continue
        for node, value in values:
            interval = found.of(node)
            assert interval is not None
            assert interval.low <= value <= interval.high, node


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("%r = add(%t, %c) : i64[]", (3, 12)),
        ("%r = sub(%c, %t) : i64[]", (-6, 3)),
        ("%r = mul(%t, %c) : i64[]", (0, 27)),
        ("%r = minimum(%t, %c) : i64[]", (0, 3)),
        ("%r = remainder(%t, %c) : i64[]", (0, 2)),
        ("%r = floor_divide(%t, %c) : i64[]", (0, 3)),
        ("%a = sub(%t, %c) : i64[]\n%r = remainder(%a, %c) : i64[]", (0, 2)),
        ('%r = cast(%t) {dtype="u8"} : u8[]', (0, 9)),
        ('%a = neg(%t) : i64[]\n%r = cast(%a) {dtype="u8"} : u8[]', (0, 255)),
        ("%r = lt(%t, %c) : bool[]", (0, 1)),
        ("%r = mul(%u, %c) : i64[]", (-(2**63), 2**63 - 1)),
        (
            '%z = const() {value=0, dtype="i64"} : i64[]\n%a = sub(%t, %c) : i64[]\n'
            "%n = lt(%a, %z) : bool[]\n%w = add(%a, %c) : i64[]\n"
            "%r = select(%n, %w, %a) : i64[]",
            (0, 6),
        ),
    ],
)
def test_how_narrow_they_are(lines: str, expected: tuple[int, int]) -> None:
    text = f"""
    graph f(%t: i64[], %u: i64[]) {{
      %c = const() {{value=3, dtype="i64"}} : i64[]
      {lines}
      return %r
    }}"""
    graph = parse(text)
    found = Intervals(graph.nodes, {"t": Interval(0, 9)})
    assert found.of(graph["r"]) == expected


def test_floats_have_none() -> None:
    graph = parse("graph f(%x: f64[]) {\n  return %x\n}")
    assert Intervals(graph.nodes).of(graph["x"]) is None


def test_bodies_of_loops() -> None:
    """The counter, invariants and rows are known inside; what is carried is not."""
    graph = parse("""
    graph f(%k: i64[], %n: i64[], %s: i64[5], %c: i64[]) {
      %loop = loop(%n, %k, %c, %s) {trips=5, carried=1, stacked=1, limit=True} : i64[]:
        body(%t: i64[], %k: i64[], %c: i64[], %row: i64[]) {
          %next = add(%c, %row) : i64[]
          return %next
        }
      return %loop
    }""")
    node = graph["loop"]
    known = {"k": Interval(2, 3), "n": Interval(-1, 4), "s": Interval(1, 1)}
    found = region_intervals(
        node, node.regions[0], graph, Intervals(graph.nodes, known)
    )
    whole = Intervals(graph.nodes).of(graph["c"])
    assert found["t"] == (0, 3)
    assert found["k"] == (2, 3)
    assert found["row"] == (1, 1)
    assert found.get("c", whole) == whole
    assert counter_interval(0) == (0, 0)
