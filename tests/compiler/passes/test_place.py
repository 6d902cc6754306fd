"""Sums of padded values: where they are added in place, and what that saves."""

from __future__ import annotations

import math

import numpy as np
import pytest

import anabranch
from anabranch.backends.reference.interpreter import interpret
from anabranch.compiler.passes.place import place
from anabranch.compiler.passes.prune import prune
from anabranch.compiler.pipeline import optimise
from anabranch.ir import Graph, parse


def after(text: str) -> Graph:
    """The graph after the pass, held against the one before."""
    graph = parse(text)
    made = prune(place(graph))
    rng = np.random.default_rng(0)
    point = [rng.normal(size=node.type.shape) for node in graph.inputs]
    for one, other in zip(interpret(made, point), interpret(graph, point), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-14)
    return made


def ops(graph: Graph) -> list[str]:
    return [node.op for node in graph if node.op != "input"]


def test_what_was_set_to_zero_is_stored_not_added() -> None:
    """The gradient of ``y[2] = f(y[2])``: one store in the cotangent."""
    made = after("""
        graph f(%g: f64[9], %w: f64[1]) {
          %o = const() {value=0.0}                     : f64[]
          %z = broadcast_to(%o) {shape=(1,)}           : f64[1]
          %c = update(%g, %z) {start=(2,), step=(1,)}  : f64[9]
          %p = pad(%w) {low=(2,), high=(6,), interior=(0,), value=0.0} : f64[9]
          %s = add_n(%c, %p)                           : f64[9]
          return %s
        }""")
    assert ops(made) == ["update"]
    assert made["s"].operands == ("g", "w")


def test_terms_of_one_place_are_added_before() -> None:
    made = after("""
        graph f(%g: f64[40], %h: f64[40], %v: f64[2], %w: f64[2]) {
          %p = pad(%v) {low=(2,), high=(35,), interior=(1,), value=0.0} : f64[40]
          %q = pad(%w) {low=(2,), high=(35,), interior=(1,), value=0.0} : f64[40]
          %s = add_n(%p, %g, %q, %h)                    : f64[40]
          return %s
        }""")
    assert ops(made) == ["add_n", "slice", "add_n", "update"]


def test_terms_that_overlap_are_all_added() -> None:
    made = after("""
        graph f(%g: f64[40], %v: f64[4], %w: f64[4]) {
          %p = pad(%v) {low=(2,), high=(34,), interior=(0,), value=0.0} : f64[40]
          %q = pad(%w) {low=(4,), high=(32,), interior=(0,), value=0.0} : f64[40]
          %s = add_n(%g, %p, %q)                        : f64[40]
          return %s
        }""")
    assert ops(made).count("update") == 2


@pytest.mark.parametrize(
    "term",
    [
        "pad(%v) {low=(1,), high=(3,), interior=(0,), value=0.0}",
        "pad(%w) {low=(2,), high=(4,), interior=(0,), value=1.0}",
    ],
)
def test_large_terms_and_other_numbers_are_left(term: str) -> None:
    made = after(f"""
        graph f(%g: f64[8], %v: f64[4], %w: f64[2]) {{
          %p = {term}         : f64[8]
          %s = add_n(%g, %p)  : f64[8]
          return %s
        }}""")
    assert ops(made) == ["pad", "add_n"]


def test_rows_side_by_side_are_left_to_join() -> None:
    rows = "\n".join(
        f"%p{k} = pad(%v{k}) {{low=({k},), high=({7 - k},), interior=(0,), value=0.0}}"
        " : f64[8]"
        for k in range(8)
    )
    made = after(f"""
        graph f({", ".join(f"%v{k}: f64[1]" for k in range(8))}) {{
          {rows}
          %s = add_n({", ".join(f"%p{k}" for k in range(8))}) : f64[8]
          return %s
        }}""")
    assert ops(made) == ["pad"] * 8 + ["add_n"]


def test_a_gradient_at_positions_that_were_cleared() -> None:
    made = after("""
        graph f(%g: f64[9], %w: f64[3], %h: f64[9]) {
          %i = iota() {shape=(3,), axis=0, dtype="i64"} : i64[3]
          %o = const() {value=0.0}                      : f64[]
          %z = broadcast_to(%o) {shape=(3,)}            : f64[3]
          %c = put(%g, %z, %i) {axis=0}                 : f64[9]
          %p = scatter_add(%w, %i) {axis=0, size=9}     : f64[9]
          %s = add_n(%c, %p)                            : f64[9]
          return %s
        }""")
    assert ops(made) == ["iota", "put"]


STORES = ("update", "put")


def moved(function, n: int) -> int:
    """About how many elements the optimised gradient touches, views not counted."""
    x = np.ones((n, n))
    graph = anabranch.make_ir(anabranch.grad(lambda x: np.sum(function(x) ** 2)))(x)
    free = "input const slice reshape transpose broadcast_to".split()
    return sum(
        math.prod(graph[node.operands[1]].type.shape if node.op in STORES else
                  node.type.shape)
        for graph in [optimise(graph)] for node in graph if node.op not in free
    )  # fmt: skip


def rows(x):
    y = np.zeros_like(x)
    for k in range(len(x)):
        y[k] = np.tanh(x[k])
    return y


def added_to(x):
    y = x * 1.0
    for k in range(len(x)):
        y[k] += np.tanh(x[k])
    return y


def read_back(x):
    y = x.copy()
    for k in range(2, len(x)):
        y[k] = np.tanh(y[k - 1] * y[k - 2])
    return y


def columns(x):
    y = x.copy()
    for k in range(1, len(x)):
        y[:, -k] *= y[::-1, k - 1]
    return y


def elements(x):
    y = np.zeros_like(x)
    for i in range(len(x)):
        for j in range(len(x)):
            y[i, j] = np.tanh(x[i, j])
    return y


def positions(x):
    y = x.copy()
    for k in range(len(x)):
        y[[k, k - 1]] += np.sin(x[:2])
    return y


@pytest.mark.parametrize(
    "function", [rows, added_to, read_back, columns, elements, positions]
)
def test_what_a_gradient_moves_grows_with_what_is_stored(function) -> None:
    """Three times the size is nine times the elements, not 27 or 81 times."""
    few, many = moved(function, 12), moved(function, 36)
    assert many <= 11 * few
