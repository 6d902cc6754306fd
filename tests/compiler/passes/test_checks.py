"""Checks of loops that are made once: in front of a loop, or on the way forwards."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

import anabranch as ab
from anabranch.compiler.pipeline import optimise
from anabranch.ir import Graph, Node

N, ROWS = 12, 10


def ranking(worth: Any, order: Any) -> Any:
    """The likelihood of rankings, by sums of what is left."""
    total = 0.0
    for r in range(order.shape[0]):
        for i in range(order.shape[1] - 1):
            rest = 0.0
            for j in range(i, order.shape[1]):
                rest = rest + np.exp(worth[order[r, j]])
            total = total + worth[order[r, i]] - np.log(rest)
    return total**2


def emitted(table: Any, seen: Any) -> Any:
    """Each row has one index, which a loop over columns reads again and again."""
    total = np.zeros((seen.shape[0] + 1, table.shape[0])) + 1.0
    for t in range(seen.shape[0]):
        for j in range(table.shape[0]):
            total[t + 1, j] = np.sin(total[t, j]) * table[j, seen[t]]
    return np.sum(total[-1])


def within(graph: Graph) -> list[Node]:
    regions = [region for node in graph for region in node.regions]
    return [*graph, *(node for region in regions for node in within(region))]


def orders(rows: int) -> Any:
    rng = np.random.default_rng(rows)
    return np.array([rng.permutation(N) for _ in range(rows)])


def checks_of(graph: Graph, section: int) -> int:
    nodes = [node for node in graph if node.section == section]
    regions = [region for node in nodes for region in node.regions]
    return sum(node.op == "check" for region in regions for node in within(region))


@pytest.mark.parametrize(
    ("function", "given"),
    [
        (ranking, (np.linspace(-1, 1, N), orders(ROWS))),
        (emitted, (np.ones((9, N)), orders(ROWS)[:, 0])),
    ],
)
def test_the_way_back_does_not_check_again(function: Any, given: Any) -> None:
    raw = ab.make_ir(ab.value_and_grad(function))(*given)
    made = optimise(raw).verify()
    assert checks_of(made, 0)
    assert checks_of(made, 1) == 0


def test_what_no_iteration_changes_is_checked_in_front() -> None:
    raw = ab.make_ir(emitted)(np.ones((9, N)), orders(ROWS)[:, 0])
    (outer,) = [node for node in optimise(raw).verify() if node.op == "loop"]
    (body,) = outer.regions
    assert sum(node.op == "check" for node in body) == 1
    assert sum(node.op == "check" for node in within(body)) == 1


@pytest.mark.parametrize("kind", [ab.grad, ab.value_and_grad, ab.jit])
def test_every_bad_index_is_found(kind: Any, backend: str) -> None:
    function = kind(ranking, backend=backend)
    worth, order = np.linspace(-1, 1, N), orders(ROWS)
    function(worth, order)
    places = (0, 0), (0, N - 1), (2, 3), (ROWS - 1, N - 1)
    for place, bad in product(places, [-N - 1, N, 2**62]):
        wrong = order.copy()
        wrong[place] = bad
        with pytest.raises(ab.BoundsError, match=r"size 12[\s\S]*test_checks.py"):
            function(worth, wrong)
    function(worth, order)


def test_a_bad_index_in_front_of_a_loop(backend: str) -> None:
    seen = orders(ROWS)[:, 0]
    for kind in (ab.grad, ab.value_and_grad, ab.jit):
        function = kind(emitted, backend=backend)
        function(np.ones((9, N)), seen)
        for place in (0, 2, ROWS - 1):
            wrong = seen.copy()
            wrong[place] = N
            with pytest.raises(ab.BoundsError, match=r"size 12[\s\S]*test_checks.py"):
                function(np.ones((9, N)), wrong)


def two(a: Any, b: Any, i: Any, j: Any) -> Any:
    """Two indices, the first of which changes with every turn."""
    total = 0.0
    for t in range(i.shape[0]):
        for s in range(i.shape[1]):
            total = total + a[i[t, s]] * b[j[t]]
    return total


@pytest.mark.parametrize(("first", "size"), [((0, 0), 5), ((0, 1), 3), ((1, 0), 3)])
def test_the_error_is_that_of_the_first_bad_index(
    first: tuple[int, int], size: int, backend: str
) -> None:
    """In row 0 ``b`` fails, in one of ``a`` before or behind that."""
    i, j = np.zeros((20, 20), int), np.zeros(20, int)
    i[first], j[0] = 9, 9
    with pytest.raises(ab.BoundsError, match=f"axis of size {size}"):
        ab.jit(two, backend=backend)(np.ones(5), np.ones(3), i, j)


def written(a: Any, table: Any, index: Any) -> None:
    for t in range(index.shape[0]):
        for s in range(a.shape[1]):
            a[t, s] = a[t, s] + table[index[t]]


def test_nothing_is_written_where_an_index_is_bad() -> None:
    function = ab.jit(written)
    a, table, index = np.zeros((20, 12)), np.arange(4.0), np.zeros(20, int)
    index[17] = 4
    with pytest.raises(ab.BoundsError):
        function(a, table, index)
    assert not a.any()
    index[17] = 3
    function(a, table, index)
    np.testing.assert_array_equal(a[17], 3.0)


def test_a_loop_on_the_way_back_takes_what_one_made() -> None:
    worth, order = np.linspace(-1, 1, N), orders(ROWS)
    made = optimise(ab.make_ir(ab.value_and_grad(ranking))(worth, order)).verify()
    back = [node for node in made if node.op == "loop" and node.section == 1]
    loops = [node for node in within(back[0].regions[0]) if node.op == "loop"]
    assert len(loops) == 2, "one over i, and one over j that adds"
    found = ab.grad(ranking)(worth, order)
    expected = ab.grad(ranking, backend="reference")(worth, order)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
