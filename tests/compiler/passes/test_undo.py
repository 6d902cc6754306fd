"""Gradients of loops that store into an array keep what was stored, not the array."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import anabranch as ab
from anabranch.backends.llvm.emit import make_plan
from anabranch.compiler.pipeline import optimise
from anabranch.ir import Graph, Node
from tests.oracles.bits import assert_same_bits
from tests.programs.linear_algebra import cholesky
from tests.programs.sequences import floyd_warshall


def linear_sweeps(n: int, sweeps: int, bend: Any) -> Any:
    """Gauss-Seidel with a function around what is stored."""

    def function(a: Any) -> Any:
        def sweep(s: Any, a: Any) -> Any:
            def row(i: Any, a: Any) -> Any:
                def element(j: Any, a: Any) -> Any:
                    b = np.copy(a)
                    around = b[i, j + 1] + b[i + 2, j + 1] + b[i + 1, j]
                    b[i + 1, j + 1] = bend((around + b[i + 1, j + 2]) / 4)
                    return b

                return ab.fori_loop(0, n - 2, element, a)

            return ab.fori_loop(0, n - 2, row, a)

        return np.sum(ab.fori_loop(0, sweeps, sweep, a) ** 3)

    return function


def substitution(n: int) -> Any:
    """M x = b forwards; each row reads what was stored before it."""

    def function(m: Any, b: Any) -> Any:
        def row(i: Any, x: Any) -> Any:
            def column(j: Any, s: Any) -> Any:
                return s - m[i, j] * x[j]

            y = np.copy(x)
            y[i] = ab.fori_loop(0, i, column, b[i]) / m[i, i]
            return y

        return np.sum(ab.fori_loop(0, n, row, np.zeros_like(b)) ** 3)

    return function


def rows(n: int, steps: int) -> Any:
    """Rows of a table, two stores a step, at places that the step computes."""

    def function(a: Any) -> Any:
        def step(t: Any, a: Any) -> Any:
            b = np.copy(a)
            b[(2 * t) % n] += np.sin(b[t % n])
            b[0, 1:3] = b[(t * t) % n, :2] * b[1, 1:3]
            return b

        return np.sum(ab.fori_loop(0, steps, step, a) ** 2)

    return function


def gradient(function: Any, *arrays: Any) -> Graph:
    graph = ab.make_ir(ab.grad(function, argnums=tuple(range(len(arrays)))))(*arrays)
    return optimise(graph)


def loops(graph: Graph) -> list[Node]:
    found = [node for node in graph if node.op == "loop"]
    regions = [region for node in graph for region in node.regions]
    return found + [node for region in regions for node in loops(region)]


def largest(graph: Graph) -> int:
    """The number of elements of the largest value in a graph and its regions."""
    sizes = [value.type.size for node in graph for value in node.values]
    regions = [region for node in graph for region in node.regions]
    return max([*sizes, *map(largest, regions)])


def test_a_linear_sweep_keeps_nothing() -> None:
    n = 200
    graph = gradient(linear_sweeps(n, 100, lambda x: x), np.ones((n, n)))
    assert all(not node.attrs.get("stacked") for node in loops(graph))
    assert largest(graph) == n * n
    assert make_plan(graph).arena_bytes < 2.5 * 8 * n * n


def test_a_bent_sweep_keeps_what_was_stored() -> None:
    """As much as all stores, or an array a sweep, which are the same here."""
    n, sweeps = 50, 20
    graph = gradient(linear_sweeps(n, sweeps, np.sin), np.ones((n, n)))
    assert largest(graph) <= sweeps * n * n
    assert make_plan(graph).arena_bytes < 1.5 * sweeps * 8 * n * n


def test_a_substitution_keeps_its_solution() -> None:
    n = 300
    graph = gradient(substitution(n), np.eye(n), np.ones(n))
    plan = make_plan(graph)
    assert plan.arena_bytes < 10 * 8 * n
    assert largest(graph) == n * n  # the matrix and its gradient


def test_rows_are_kept() -> None:
    n, steps = 30, 100
    graph = gradient(rows(n, steps), np.ones((n, 40)))
    assert largest(graph) <= steps * 40


CASES: list[tuple[Any, Any]] = [
    (linear_sweeps(6, 3, lambda x: x), [(6, 6)]),
    (linear_sweeps(6, 3, np.sin), [(6, 6)]),
    (substitution(7), [(7, 7), (7,)]),
    (rows(5, 9), [(5, 4)]),
]


@pytest.mark.parametrize(("function", "shapes"), CASES)
def test_gradients(function: Any, shapes: Any, backend: str) -> None:
    rng = np.random.default_rng(3)
    arrays = [rng.uniform(0.5, 1, shape) for shape in shapes]
    slope = ab.grad(function, argnums=tuple(range(len(arrays))), backend=backend)
    bars = slope(*arrays)
    moves = [np.cos(x) for x in arrays]
    step = 1e-5
    values = [
        function(*(x + by * step * v for x, v in zip(arrays, moves, strict=True)))
        for by in (1, -1)
    ]
    expected = (values[0] - values[1]) / (2 * step)
    found = sum(np.sum(bar * v) for bar, v in zip(bars, moves, strict=True))
    np.testing.assert_allclose(found, expected, rtol=1e-7)


@pytest.mark.parametrize(("function", "shapes"), CASES)
def test_second_derivatives(function: Any, shapes: Any) -> None:
    rng = np.random.default_rng(3)
    arrays = [rng.uniform(0.5, 1, shape) for shape in shapes]
    ab.check_grads(function, tuple(arrays), order=2)


def test_what_is_undone_is_what_was() -> None:
    """The versions that come back have the bits of those that were stacked."""
    from anabranch.backends.reference.interpreter import interpret
    from anabranch.compiler.passes.undo import undo
    from anabranch.ir import parse

    graph = parse("""
    graph f(%x: f64[6,2], %v: f64[1,2], %g: f64[6,2], %k: i64[]) {
      %a, %as = loop(%k, %v, %x) {trips=5, carried=1} : f64[6,2], f64[5,6,2]:
        body(%t: i64[], %k: i64[], %v: f64[1,2], %u: f64[6,2]) {
          %two = const() {value=2, dtype="i64"} : i64[]
          %p   = remainder(%t, %two)            : i64[]
          %w   = add_at(%u, %v, %p) {axes=(0,), start=(1, 0), step=(1, 1)} : f64[6,2]
          %r   = slice_at(%w, %t) {axes=(0,), start=(1, 1), shape=(1, 1), step=(1, 1)} \
: f64[1,1]
          %y   = update_at(%w, %r, %t, %k) {axes=(0, 1), start=(0, 0), step=(1, 1)} \
: f64[6,2]
          %z   = update(%y, %r) {start=(5, 0), step=(1, 1)} : f64[6,2]
          return %z, %u
        }
      %b = loop(%g, %as) {trips=5, carried=1, stacked=1, reverse=True} : f64[6,2]:
        body(%t: i64[], %h: f64[6,2], %u: f64[6,2]) {
          %w = sub(%u, %h) : f64[6,2]
          return %w
        }
      return %a, %b
    }""")
    made = undo(graph).verify()
    assert undo(made) is made
    assert not any(node.attrs.get("stacked") == 0 for node in loops(made))
    rng = np.random.default_rng(0)
    point = [rng.random((6, 2)), rng.random((1, 2)), rng.random((6, 2)), np.array(1)]
    assert_same_bits(interpret(made, point), interpret(graph, point))


def shortest_ways(distance: Any) -> Any:
    """A nest of three loops, which reads what it writes."""
    distance = distance.copy()
    floyd_warshall(distance)
    return np.sum(distance * distance)


def runs(graph: Graph, op: str) -> int:
    """How often an op stands in a graph and its bodies."""
    inner = sum(runs(region, op) for node in graph for region in node.regions)
    return inner + sum(node.op == op for node in graph)


def test_a_nest_runs_once_forwards_and_once_backwards() -> None:
    """What the backward pass reads is kept by the innermost loop of the forward one."""
    x = np.random.default_rng(0).uniform(1, 9, (12, 12))
    graph = gradient(shortest_ways, x)
    assert runs(graph, "loop") == 6
    (forwards,) = (n for n in graph if n.op == "loop" and "reverse" not in n.attrs)
    assert {v.type.shape[:3] for v in forwards.values[1:]} == {(12, 12, 12)}
    made = ab.grad(shortest_ways)(x)
    np.testing.assert_allclose(
        made, ab.grad(shortest_ways, backend="reference")(x), rtol=1e-13
    )


def test_a_large_nest_is_run_again() -> None:
    """What it would keep is more than a cache holds."""
    n = 300
    graph = gradient(shortest_ways, np.ones((n, n)))
    assert runs(graph, "loop") > 6
    assert largest(graph) <= n**3


@pytest.mark.parametrize("n", [20, 100])
def test_a_loop_inside_undoes_its_stores_once(n: int) -> None:
    """The loop inside that runs backwards undoes them, and no other one does."""
    graph = gradient(lambda a: np.sum(cholesky(a) ** 2), np.eye(n))
    assert runs(graph, "loop") == 8
    assert largest(graph) <= n * n
    assert [step.label for step in make_plan(graph).steps].count("loop") == 2


@pytest.mark.parametrize(("kept", "taken"), [(0, 1), (3, 7)])
def test_slices_of_versions_are_taken_of_what_is_undone(kept: int, taken: int) -> None:
    """A slice of seven elements is much more than the one that is put back."""
    from anabranch.backends.reference.interpreter import interpret
    from anabranch.compiler.pipeline import run_passes
    from anabranch.ir import parse

    n = taken + 1
    graph = parse(
        f"""
    graph f(%x: f64[{n}], %v: f64[{n},1], %g: f64[{taken}]) {{
      %a, %as, %bs = loop(%x, %v) {{trips={n}, carried=1, stacked=1}} \
: f64[{n}], f64[{n},{taken}], f64[{n},{kept}]:
        body(%t: i64[], %u: f64[{n}], %v: f64[1]) {{
          %s = slice(%u) {{start=(1,), shape=({taken},), step=(1,)}} : f64[{taken}]
          %r = slice(%u) {{start=(0,), shape=({kept},), step=(1,)}} : f64[{kept}]
          %w = update_at(%u, %v, %t) {{axes=(0,), start=(0,), step=(1,)}} : f64[{n}]
          return %w, %s, %r
        }}
      %b, %c = loop(%g, %as, %bs) {{trips={n}, carried=1, stacked=2, reverse=True}} \
: f64[{taken}], f64[{n},{kept}]:
        body(%t: i64[], %h: f64[{taken}], %s: f64[{taken}], %r: f64[{kept}]) {{
          %w = mul(%s, %h) : f64[{taken}]
          return %w, %r
        }}
      return %a, %b, %c
    }}""".replace("\\\n", "")
    )
    made = run_passes(graph, ["undo", "prune"]).verify()
    sizes = {value.type.shape for node in loops(made) for value in node.values}
    assert ((n, taken) in sizes) == (taken == 1)
    rng = np.random.default_rng(0)
    point = [rng.random(n), rng.random((n, 1)), rng.random(taken)]
    assert_same_bits(interpret(made, point), interpret(graph, point))
