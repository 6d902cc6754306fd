"""Indices of graphs that no trace made stay inside of their axes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import anabranch
from anabranch import BoundsError, parse
from anabranch.compiler.guard import guard

TAKE = """
graph f(%x: f64[4], %i: i64[2]) {
  %y = take(%x, %i) {axis=0} : f64[2]
  return %y
}
"""
GUARDED = """
graph f(%x: f64[4], %i: i64[2]) {
  %check.0 = check(%i) {low=0, high=4, error="index",
    message="an index is out of bounds for an axis of size 4"} : i64[2]
  %y = take(%x, %check.0) {axis=0} : f64[2]
  return %y
}
""".replace(",\n   ", ",")
OTHERS = {
    "scatter_add": """
graph f(%x: f64[2], %i: i64[2]) {
  %y = scatter_add(%x, %i) {axis=0, size=4} : f64[4]
  return %y
}""",
    "put": """
graph f(%x: f64[4], %i: i64[2]) {
  %k = iota() {shape=(2,), axis=0, dtype="i64"} : i64[2]
  %v = take(%x, %k) {axis=0} : f64[2]
  %y = put(%x, %v, %i) {axis=0} : f64[4]
  return %y
}""",
    "take": TAKE,
}


def test_a_check_is_put_in_front() -> None:
    graph = parse(TAKE)
    made = guard(graph).verify()
    assert made == parse(GUARDED)
    assert guard(made) is made
    assert graph == parse(TAKE)


@pytest.mark.parametrize("op", OTHERS)
@pytest.mark.parametrize("index", [-1, 4, 2**62, -(2**63)])
def test_indices_outside_are_errors(op: str, index: int, backend: str) -> None:
    graph = parse(OTHERS[op])
    function = anabranch.jit(graph, backend=backend)
    x = np.arange(float(graph.inputs[0].type.size))
    indices = np.array([3, 0])
    for _ in range(3):
        expected = graph_value(graph, x, indices)
        np.testing.assert_array_equal(function(x, indices), expected)
        with pytest.raises(BoundsError, match=r"out of bounds for an axis of size 4"):
            function(x, np.array([1, index]))


def graph_value(graph: anabranch.Graph, x: Any, indices: Any) -> Any:
    made = np.zeros(4)
    match graph["y"].op:
        case "take":
            made = x[indices]
        case "scatter_add":
            made[indices] += x
        case _:
            made[:] = x
            made[indices] = x[:2]
    return made


def test_one_check_for_equal_indices() -> None:
    line = "  %y = take(%x, %i) {axis=0} : f64[2]\n"
    more = "  %z = take(%x, %i) {axis=0} : f64[2]\n"
    wider = "  %a = concatenate(%x, %x) {axis=0} : f64[8]\n"
    other = "  %b = take(%a, %i) {axis=0} : f64[2]\n"
    graph = parse(TAKE.replace(line, line + more + wider + other))
    made = guard(graph).verify()
    assert [node.attrs["high"] for node in made if node.op == "check"] == [4, 8]


def indexed(x: Any, i: Any) -> Any:
    return x[i] * np.take(x, i + 1)[::-1].sum() * np.take(x, i, mode="clip")


def test_what_was_traced_is_checked_already() -> None:
    """And keeps its law, and its text."""
    slope = anabranch.grad(lambda x, i: indexed(x, i).sum())
    x, i = np.linspace(0, 1, 5), np.array([-2, 3])
    graph = anabranch.make_ir(slope)(x, i)
    assert guard(graph) is graph
    np.testing.assert_allclose(anabranch.jit(graph)(x, i), slope(x, i))


@pytest.mark.parametrize(
    "lines",
    [
        [
            "%c = const() {value=3} : i64[]",
            "%j = broadcast_to(%c) {shape=(2,)} : i64[2]",
        ],
        ['%j = iota() {shape=(2,), axis=0, dtype="i64"} : i64[2]'],
        ['%j = check(%i) {low=1, high=3, error="index", message=""} : i64[2]'],
    ],
)
def test_what_is_plainly_inside_stays(lines: list[str]) -> None:
    text = TAKE.replace("%x, %i)", "%x, %j)").replace("  %y", "\n".join(lines) + "\n%y")
    graph = parse(text)
    assert guard(graph) is graph


@pytest.mark.parametrize(
    "line",
    [
        '%j = check(%i) {low=0, high=5, error="index", message=""} : i64[2]',
        '%j = check(%i) {low=-1, high=4, error="index", message=""} : i64[2]',
        "%j = neg(%i) : i64[2]",
    ],
)
def test_what_is_not_plainly_inside_is_checked(line: str) -> None:
    text = TAKE.replace("%x, %i)", "%x, %j)").replace("  %y", f"{line}\n%y")
    assert guard(parse(text))["y"].operands[1] == "check.0"


def test_a_lawful_adjoint_stays_lawful() -> None:
    table = np.array([1, 3])
    slope = anabranch.grad(lambda x: np.sum(x[table] * x[table]) * x[0])
    graph = guard(anabranch.make_ir(slope)(np.arange(4.0))).verify()
    assert any(node.op == "check" for node in graph)
    assert [section.lawful for section in graph.sections] == [True]
    assert len(graph.contributions("x")) == 3


AT = """
graph f(%x: f64[4,6], %v: f64[1,3], %i: i64[], %j: i64[]) {
  %r = slice_at(%x, %i, %j) {axes=(0, 1), start=(-1, 0), SHAPE, step=(1, 2)} : f64[2,3]
  %y = update_at(%x, %v, %i) {axes=(0,), start=(0, 4), step=(1, -2)} : f64[4,6]
  %z = add_at(%x, %v, %i) {axes=(0,), start=(0, 0), step=(1, 1)} : f64[4,6]
  return %r, %y, %z
}""".replace("SHAPE", "shape=(2, 3)")


def test_positions_are_checked(backend: str) -> None:
    graph = parse(AT)
    made = guard(graph).verify()
    assert [n.attrs["low"] for n in made if n.op == "check"] == [1, 0, 0]
    assert [n.attrs["high"] for n in made if n.op == "check"] == [4, 2, 4]
    assert guard(made) is made
    function = anabranch.jit(graph, backend=backend)
    x, v = np.arange(24.0).reshape(4, 6), -np.ones((1, 3))
    for i in range(-1, 6):
        for j in range(-1, 3):
            if not (1 <= i < 4 and 0 <= j < 2):
                with pytest.raises(BoundsError):
                    function(x, v, i, j)
                continue
            r, y, z = function(x, v, i, j)
            np.testing.assert_array_equal(r, x[i - 1 : i + 1, j : j + 5 : 2])
            stored, added = x.copy(), x.copy()
            stored[i, 4::-2] = v
            added[i, :3] += v[0]
            np.testing.assert_array_equal(y, stored)
            np.testing.assert_array_equal(z, added)


def test_counters_are_inside() -> None:
    """What a loop's body reads at its counter is checked only where it may be out."""
    text = """
    graph f(%x: f64[5], %s: f64[]) {
      %loop = loop(%x, %s) {trips=TRIPS, carried=1} : f64[]:
        body(%t: i64[], %x: f64[5], %s: f64[]) {
          %r = slice_at(%x, %t) {axes=(0,), start=(1,), shape=(1,), step=(1,)} : f64[1]
          %e = reshape(%r) {shape=()} : f64[]
          %a = add(%s, %e)            : f64[]
          return %a
        }
      return %loop
    }"""
    inside, outside = (parse(text.replace("TRIPS", n)) for n in "45")
    assert guard(inside) is inside
    assert "check" in str(guard(outside))
