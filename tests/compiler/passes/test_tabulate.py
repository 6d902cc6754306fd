"""Which functions of elements are computed for whole arrays, and that bits stay."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from typing import Any

import numpy as np
import pytest

import anabranch as ab
from anabranch.backends.reference.interpreter import interpret
from anabranch.compiler.passes.prune import prune
from anabranch.compiler.passes.tabulate import tabulate
from anabranch.compiler.pipeline import optimise, run_passes
from anabranch.ir import Graph
from tests.oracles.bits import assert_same_bits

A = np.array(
    [[0.5, -0.0, np.inf, 2.0], [np.nan, 0.0, -3.0, 1.0], [4.0, 7.0, 1e300, 5.0]]
)
COSTLY = ("exp", "log", "sin", "sqrt", "div")


def asked(graph: Graph, count: int = 1) -> Iterator[tuple[str, int, bool]]:
    """Costly ops, of how many elements in all, and whether they stand in a loop."""
    for node in graph:
        trips: Any = node.attrs.get("trips", 1)
        for region in node.regions:
            for op, elements, _ in asked(region, count * trips):
                yield op, elements, True
        if node.op in COSTLY:
            yield node.op, count * node.type.size, False


def inside(graph: Graph) -> set[str]:
    """The costly ops in loops."""
    return {op for op, _, within in asked(graph) if within}


def work(graph: Graph) -> int:
    """How many elements costly ops make."""
    return sum(elements for _, elements, _ in asked(graph))


def tabulated(f: Callable[..., Any], *args: Any) -> Graph:
    """The graph of a function after the pass, which has the bits of the one before."""
    graph = ab.make_ir(f)(*args)
    made = run_passes(graph, ("dedupe", "tabulate", "prune"), Graph.verify)
    assert_same_bits(interpret(made, args), interpret(graph, args))
    assert tabulate(made) is made
    return made


def summed(trips: int, f: Callable[[Any], Any]) -> Any:
    """What f makes of the counters, summed up."""
    return ab.fori_loop(0, trips, lambda t, s: s + f(t), 0.0)


def test_a_function_of_an_element_that_inner_loops_read() -> None:
    def f(a: Any, k: Any) -> Any:
        def of_row(t: Any) -> Any:
            return summed(4, lambda j: np.log(a[k[t], j] * 3.0))

        return summed(9, of_row)

    made = tabulated(f, A, np.arange(9) % 3)
    assert inside(made) == set()
    assert work(made) == A.size


def test_rows_that_inner_loops_take_one_by_one() -> None:
    def f(a: Any, k: Any) -> Any:
        def of_position(i: Any) -> Any:
            rows = ab.scan(lambda s, row: (s + np.exp(row[i]), s), 0.0, a)
            return rows[0]

        return summed(9, lambda t: of_position(k[t]))

    made = tabulated(f, A, np.arange(9) % 4)
    assert inside(made) == set()
    assert work(made) == A.size


def test_several_arrays_that_are_read_at_one_place() -> None:
    def f(a: Any, b: Any, c: Any) -> Any:
        return summed(24, lambda t: np.exp(a[0, t % 4] * c) / b[0, t % 4])

    made = tabulated(f, A, A[:, ::-1].copy(), 0.5)
    assert inside(made) == set()
    assert work(made) == 2 * A.size


def test_what_is_read_as_it_is_too() -> None:
    def f(a: Any) -> Any:
        return summed(9, lambda t: np.exp(a[0, t % 4]) + np.sin(np.exp(a[0, t % 4])))

    assert inside(tabulated(f, A[:1])) == set()


def test_views_that_all_iterations_share() -> None:
    def f(a: Any) -> Any:
        def of(t: Any) -> Any:
            return np.exp(a.T[t % 4][2]) + np.log(a[1][t % 4])

        return summed(24, of)

    made = tabulated(f, A)
    assert inside(made) == set()
    assert work(made) == 12 + 4  # one of all, and one of a row


def _few(a: Any, k: Any) -> Any:
    return summed(5, lambda t: np.exp(a[0, t % 4]))


def _two_places(a: Any, k: Any) -> Any:
    return summed(99, lambda t: np.exp(a[0, t % 4] + a[1, k[t % 3]]))


def _varying(a: Any, k: Any) -> Any:
    return summed(99, lambda t: np.exp(a[0, t % 4] * t))


def _chosen(a: Any, k: Any) -> Any:
    def one(t: Any) -> Any:
        return ab.cond(k[t % 3] > 1, lambda: np.exp(a[0, t % 4]), lambda: 0.0)

    return summed(99, one)


def _cheap(a: Any, k: Any) -> Any:
    return summed(99, lambda t: np.abs(a[0, t % 4]) * 2.0 + a[1, t % 4])


def _tested(a: Any, k: Any) -> Any:
    def step(carry: Any) -> Any:
        t, s = carry
        return t + 1, s + np.exp(a[0, t % 4])

    return ab.while_loop(lambda carry: carry[0] < k[1], step, (0, 0.0), max_trips=99)


@pytest.mark.parametrize("f", [_few, _two_places, _varying, _chosen, _cheap, _tested])
def test_what_is_left_alone(f: Callable[..., Any]) -> None:
    """Too few elements, none of one place, and what may never be computed."""
    graph = prune(ab.make_ir(f)(A, np.array([0, 1, 2])))
    assert tabulate(graph) is graph


@pytest.mark.parametrize("trips", [4, 6, 8])
def test_a_loop_with_a_limit_ends_halfway(trips: int) -> None:
    """Loops over triangles ask for half as many elements."""

    def f(a: Any) -> Any:
        def of_row(t: Any) -> Any:
            return ab.fori_loop(0, t, lambda j, s: s + np.exp(a[j]), 0.0)

        return summed(trips, of_row)

    graph = ab.make_ir(f)(A[:1].repeat(2, axis=1)[0])
    assert (tabulate(graph) is graph) == (trips * ((trips - 1) // 2) < 2 * 8)


def _product(s: Any, x: Any) -> Any:
    return s * np.exp(x), x


def _stacked_sum(s: Any, x: Any) -> Any:
    return s + np.exp(x), s


def _sum(s: Any, x: Any) -> Any:
    return s + np.exp(x), x


def _nothing(s: Any, x: Any) -> Any:
    return s, np.exp(x)


def _quotient(s: Any, x: Any) -> Any:
    return s * (1.0 / x), x


@pytest.mark.parametrize(
    ("step", "done"),
    [
        *((_product, True), (_stacked_sum, True)),
        *((_sum, False), (_nothing, False), (_quotient, False)),
    ],
)
def test_functions_of_rows_in_a_loop_that_cannot_run_in_lanes(
    step: Callable[[Any, Any], Any], done: bool
) -> None:
    def f(x: Any) -> Any:
        return ab.scan(step, 1.0, x)

    graph = ab.make_ir(f)(A[2])
    made = run_passes(graph, ("tabulate", "prune"), Graph.verify)
    assert (made != graph) == done
    assert_same_bits(interpret(made, [A[2]]), interpret(graph, [A[2]]))


@pytest.mark.parametrize("count", [2**21, 2**21 + 1])
def test_no_table_that_is_read_once_is_larger_than_a_cache(count: int) -> None:
    def f(x: Any) -> Any:
        return ab.scan(lambda s, row: (s * np.exp(row), s), 1.0, x)[0]

    graph = ab.make_ir(f)(np.zeros(count))
    assert (tabulate(graph) is graph) == (count > 2**21)


def test_paths_of_a_price(backend: str) -> None:
    """A loop in each turn waits for what it carries; the outer one does not."""
    z = np.random.default_rng(0).normal(size=(5, 4))

    def f(z: Any, sigma: Any) -> Any:
        def path(row: Any) -> Any:
            return ab.scan(lambda s, x: (s * np.exp(sigma * x), s), 1.0, row)[0]

        paid = ab.scan(lambda _, row: (0.0, np.maximum(path(row), 0.5)), 0.0, z)[1]
        return np.sum(paid)

    graph = optimise(ab.make_ir(ab.value_and_grad(f, argnums=(0, 1)))(z, 0.3))
    assert inside(graph) == set()
    nests = [x.regions[0] for x in graph if x.op == "loop"]
    assert [sum(x.op == "loop" for x in body) for body in nests] == [1, 1]  # no rerun
    value, slopes = ab.value_and_grad(f, argnums=(0, 1), backend=backend)(z, 0.3)
    ends = np.exp(np.sum(0.3 * z, axis=1))
    np.testing.assert_allclose(value, np.sum(np.maximum(ends, 0.5)), rtol=1e-13)
    taken = np.where(ends > 0.5, ends, 0.0)
    np.testing.assert_allclose(slopes[0], 0.3 * taken[:, None].repeat(4, 1))
    np.testing.assert_allclose(slopes[1], np.sum(taken * np.sum(z, axis=1)))


def program(seed: int) -> tuple[Callable[..., Any], list[Any]]:
    """A nest of loops that sums up a random expression of elements."""
    rng = np.random.default_rng(seed)
    depth, trips = int(rng.integers(1, 4)), [int(x) for x in rng.integers(1, 6, 3)]
    places = [tuple(rng.integers(0, depth + 2, 2)) for _ in range(2)]
    choices = [int(x) for x in rng.integers(0, 99, 40)]

    def f(a: Any, b: Any, c: Any, k: Any) -> Any:
        drawn = iter(choices * 9)

        def of(counters: tuple[Any, ...], height: int) -> Any:
            """An expression of so many levels."""
            pick = next(drawn)
            if height == 0 or pick % 7 == 0:
                if pick % 5 == 0:
                    return c
                array = (a, b)[pick % 2]
                known = (*counters, k[counters[0] % 3], 1)
                i, j = places[pick % 3 % 2]
                return array[known[i] % 3, known[j] % 4]
            x = of(counters, height - 1)
            op = (np.exp, np.log, np.sin, np.sqrt, None, None)[pick % 6]
            if op is not None:
                return op(x)
            y = of(counters, height - 1)
            return x * y if pick % 4 else x / y

        def nest(counters: tuple[Any, ...]) -> Any:
            if len(counters) == depth:
                return of(counters, 3)
            return summed(trips[len(counters)], lambda t: nest((*counters, t)))

        return nest(())

    point = [A, rng.normal(size=A.shape), rng.normal(), rng.integers(0, 3, 3)]
    return f, point


@pytest.mark.parametrize(
    "seeds",
    [range(25), pytest.param(range(25, 1000), marks=pytest.mark.fuzz)],
    ids=["default", "fuzz"],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_random_nests_keep_their_bits_and_do_no_more(seeds: range) -> None:
    changed = 0
    for seed in seeds:
        f, point = program(seed)
        graph = run_passes(ab.make_ir(f)(*point), ("dedupe", "prune"))
        made = tabulated(f, *point)
        changed += made != graph
        deduped = run_passes(made, ("dedupe", "prune"))
        assert work(deduped) <= work(graph), f"seed {seed}"
    assert changed > len(seeds) / 10


def test_gradients(backend: str) -> None:
    rng = np.random.default_rng(0)
    move, emit = rng.random((6, 6)) + 0.1, rng.random((6, 3)) + 0.1
    seen = rng.integers(0, 3, 8)

    def likelihood(move: Any, emit: Any) -> Any:
        def step(score: Any, o: Any) -> Any:
            def best(j: Any) -> Any:
                def over(i: Any, most: Any) -> Any:
                    return np.maximum(most, score[i] + np.log(move[i, j]))

                return ab.fori_loop(0, 6, over, -np.inf) + np.log(emit[j, o])

            return ab.scan(lambda _, j: (0.0, best(j)), 0.0, np.arange(6))[1], score

        return np.max(ab.scan(step, np.zeros(6), seen)[0])

    gradient = ab.grad(likelihood, argnums=(0, 1))
    graph = optimise(ab.make_ir(gradient)(move, emit))
    assert inside(graph) == set()
    found = ab.grad(likelihood, argnums=(0, 1), backend=backend)(move, emit)
    h, direction = 1e-6, [rng.normal(size=x.shape) for x in (move, emit)]
    ends = [
        likelihood(*(x + by * v for x, v in zip((move, emit), direction, strict=True)))
        for by in (h, -h)
    ]
    slope = sum(np.sum(g * v) for g, v in zip(found, direction, strict=True))
    assert slope == pytest.approx((ends[0] - ends[1]) / (2 * h), rel=1e-6)


def test_sizes() -> None:
    """The oracle of these tests counts what it should."""

    def f(a: Any) -> Any:
        return summed(9, lambda t: np.exp(a[0, t % 4]))

    graph = ab.make_ir(f)(A)
    assert list(asked(graph)) == [("exp", 9, True)]
    assert prod(A.shape) == 12
