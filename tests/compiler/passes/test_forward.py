"""Reads of what was stored: which of them go to the value, and which must not."""

from __future__ import annotations

import numpy as np
import pytest

import anabranch
from anabranch.backends.reference.interpreter import interpret
from anabranch.compiler.passes.forward import forward
from anabranch.compiler.passes.prune import prune
from anabranch.compiler.pipeline import optimise
from anabranch.ir import Graph, parse
from anabranch.ir.extent import Extent


def after(text: str) -> Graph:
    """The graph after the pass, held against the one before."""
    graph = parse(text)
    made = prune(forward(graph))
    rng = np.random.default_rng(0)
    point = [rng.normal(size=node.type.shape) for node in graph.inputs]
    for one, other in zip(interpret(made, point), interpret(graph, point), strict=True):
        np.testing.assert_array_equal(one, other)
    return made


def ops(graph: Graph) -> list[str]:
    return [node.op for node in graph if node.op != "input"]


def test_a_part_of_what_was_stored_is_a_slice_of_it() -> None:
    made = after("""
        graph f(%x: f64[9], %v: f64[4]) {
          %a = update(%x, %v) {start=(8,), step=(-2,)}        : f64[9]
          %r = slice(%a) {start=(4,), shape=(2,), step=(2,)}  : f64[2]
          return %r
        }""")
    (node,) = (node for node in made if node.op != "input")
    assert node.operands == ("v",)
    assert node.attrs["start"] == (2,)
    assert node.attrs["step"] == (-1,)


def test_a_read_across_the_edge_stays() -> None:
    made = after("""
        graph f(%x: f64[9], %v: f64[4]) {
          %a = update(%x, %v) {start=(0,), step=(1,)}         : f64[9]
          %r = slice(%a) {start=(3,), shape=(2,), step=(1,)}  : f64[2]
          return %r
        }""")
    assert ops(made) == ["update", "slice"]


def test_the_last_of_several_stores_is_read_and_older_versions_keep_theirs() -> None:
    made = after("""
        graph f(%x: f64[9], %v: f64[1], %w: f64[1]) {
          %a = update(%x, %v) {start=(3,), step=(1,)}         : f64[9]
          %b = update(%a, %v) {start=(4,), step=(1,)}         : f64[9]
          %c = update(%b, %w) {start=(3,), step=(1,)}         : f64[9]
          %r = slice(%c) {start=(3,), shape=(1,), step=(1,)}  : f64[1]
          %s = slice(%b) {start=(3,), shape=(1,), step=(1,)}  : f64[1]
          return %r, %s
        }""")
    assert made.results == ("w", "v")


def test_two_updates_of_one_value_are_apart() -> None:
    made = after("""
        graph f(%x: f64[9], %v: f64[1], %w: f64[1]) {
          %a = update(%x, %v) {start=(3,), step=(1,)}         : f64[9]
          %b = update(%x, %w) {start=(3,), step=(1,)}         : f64[9]
          %c = update(%a, %w) {start=(5,), step=(1,)}         : f64[9]
          %d = update(%b, %v) {start=(5,), step=(1,)}         : f64[9]
          %r = slice(%c) {start=(3,), shape=(1,), step=(1,)}  : f64[1]
          %s = slice(%d) {start=(3,), shape=(1,), step=(1,)}  : f64[1]
          return %r, %s
        }""")
    assert made.results == ("v", "w")


@pytest.mark.parametrize(
    ("body", "left"),
    [
        ("%y = update(%x, %e) {start=(2,), step=(1,)} : f64[9]", []),
        ("%y = update(%x, %x) {start=(0,), step=(1,)} : f64[9]", []),
        ("%y = update(%v, %x) {start=(8,), step=(-1,)} : f64[9]", ["slice"]),
        (
            "%s = slice(%x) {start=(7,), shape=(2,), step=(-3,)} : f64[2]\n"
            "%y = update(%x, %s) {start=(7,), step=(-3,)} : f64[9]",
            [],
        ),
        (
            "%s = slice(%x) {start=(7,), shape=(2,), step=(-3,)} : f64[2]\n"
            "%y = update(%x, %s) {start=(4,), step=(3,)} : f64[9]",
            ["slice", "update"],
        ),
        (
            "%s = slice(%x) {start=(3,), shape=(2,), step=(1,)} : f64[2]\n"
            "%z = update(%x, %s) {start=(4,), step=(1,)} : f64[9]\n"
            "%y = update(%z, %v) {start=(8,), step=(-1,)} : f64[9]",
            ["slice"],
        ),
    ],
)
def test_what_leaves_nothing_behind(body: str, left: list[str]) -> None:
    made = after(f"""
        graph f(%x: f64[9], %v: f64[9], %e: f64[0]) {{
          {body}
          return %y
        }}""")
    assert ops(made) == left


def test_zero_in_a_zero_of_the_other_sign_is_stored() -> None:
    made = after("""
        graph f() {
          %n = const() {value=-0.0}           : f64[]
          %p = const() {value=0.0}            : f64[]
          %x = broadcast_to(%n) {shape=(5,)}  : f64[5]
          %v = broadcast_to(%p) {shape=(2,)}  : f64[2]
          %y = update(%x, %v) {start=(0,), step=(1,)} : f64[5]
          %z = update(%x, %v) {start=(0,), step=(1,)} : f64[5]
          return %y, %z
        }""")
    assert np.signbit(interpret(made, [])[0]).tolist() == [False] * 2 + [True] * 3


def test_rows_at_positions_are_read_back() -> None:
    made = after("""
        graph f(%x: f64[5,2], %v: f64[2,2]) {
          %i = iota() {shape=(2,), axis=0, dtype="i64"}  : i64[2]
          %a = put(%x, %v, %i) {axis=0}                  : f64[5,2]
          %r = take(%a, %i) {axis=0}                     : f64[2,2]
          %w = exp(%r)                                   : f64[2,2]
          %b = put(%a, %w, %i) {axis=0}                  : f64[5,2]
          return %b
        }""")
    assert ops(made) == ["iota", "exp", "put"]


def test_rows_put_where_they_were_taken_are_not_put() -> None:
    made = after("""
        graph f(%x: f64[5,2]) {
          %i = iota() {shape=(2,), axis=0, dtype="i64"}  : i64[2]
          %r = take(%x, %i) {axis=0}                     : f64[2,2]
          %a = put(%x, %r, %i) {axis=0}                  : f64[5,2]
          return %a
        }""")
    assert ops(made) == []


def steps_looked_at(function, rows: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """How often two extents are compared while a gradient is optimised."""
    x = np.ones((rows, 2))
    graph = anabranch.make_ir(anabranch.grad(lambda x: np.sum(function(x))))(x)
    count = [0]
    overlaps = Extent.overlaps

    def counted(one: Extent, other: Extent) -> bool:
        count[0] += 1
        return overlaps(one, other)

    with monkeypatch.context() as patch:
        patch.setattr(Extent, "overlaps", counted)
        optimise(graph)
    return count[0]


def recurrence(x):
    y = x.copy()
    for k in range(2, len(x)):
        y[k] += np.tanh(y[k - 1] * y[k - 2])
    return y


def columns(x):
    y = x.T * 1.0
    for k in range(1, len(x)):
        y[:, k] *= np.tanh(y[:, k - 1])
    return y


def one_row(x):
    y = x * 1.0
    for row in x:
        y[1] += np.sin(row) * y[0]
    return y


@pytest.mark.parametrize("function", [recurrence, columns, one_row])
def test_four_times_the_stores_are_four_times_the_work(
    function, monkeypatch: pytest.MonkeyPatch
) -> None:
    few, many = (steps_looked_at(function, n, monkeypatch) for n in (60, 240))
    assert many <= 5 * few


AT = "{axes=(0,), start=(0,), step=(1,)}"
READ = "{axes=(0,), start=(0,), shape=(1,), step=(1,)}"


def test_what_was_added_at_a_place_is_read_back() -> None:
    graph = parse(f"""
        graph f(%x: f64[9], %v: f64[1], %w: f64[1], %i: i64[]) {{
          %a = add_at(%x, %v, %i) {AT}  : f64[9]
          %b = add_at(%a, %w, %i) {AT}  : f64[9]
          %r = slice_at(%b, %i) {READ}  : f64[1]
          %s = mul(%r, %w)              : f64[1]
          %c = update_at(%b, %s, %i) {AT} : f64[9]
          return %c
        }}""")
    made = prune(forward(graph))
    assert ops(made) == ["slice_at", "add", "add", "mul", "update_at"]
    assert_same_at(made, graph)


def test_what_is_added_to_what_was_stored_is_stored() -> None:
    graph = parse(f"""
        graph f(%x: f64[9], %v: f64[1], %w: f64[1], %i: i64[]) {{
          %a = update_at(%x, %v, %i) {AT} : f64[9]
          %b = add_at(%a, %w, %i) {AT}    : f64[9]
          %c = add_at(%b, %w, %i) {AT}    : f64[9]
          return %c
        }}""")
    made = prune(forward(graph))
    assert ops(made) == ["add", "add", "update_at"]
    assert_same_at(made, graph)


def test_what_is_added_elsewhere_in_between_is_kept() -> None:
    graph = parse(f"""
        graph f(%x: f64[9], %v: f64[1], %w: f64[1], %i: i64[], %j: i64[]) {{
          %a = update_at(%x, %v, %i) {AT} : f64[9]
          %b = add_at(%a, %w, %j) {AT}    : f64[9]
          %c = add_at(%b, %w, %i) {AT}    : f64[9]
          return %c
        }}""")
    made = prune(forward(graph))
    assert ops(made) == ["update_at", "add_at", "add_at"]
    assert_same_at(made, graph)


def assert_same_at(made: Graph, graph: Graph) -> None:
    rng = np.random.default_rng(1)
    for positions in ([3, 3], [3, 5], [0, 8]):
        point = [
            np.array(positions.pop())
            if x.type.dtype == "i64"
            else rng.normal(size=x.type.shape)
            for x in graph.inputs
        ]
        found, expected = interpret(made, point), interpret(graph, point)
        np.testing.assert_array_equal(found[0], expected[0])
