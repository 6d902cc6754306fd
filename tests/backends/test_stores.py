"""Chains of stores in one memory: what is copied, and that nothing is written early."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import anabranch
from anabranch import jit
from anabranch.backends.llvm.emit import make_plan
from anabranch.backends.llvm.plan.step import Plan
from anabranch.backends.llvm.plan.stores import extent_in
from anabranch.backends.llvm.plan.view import View, row_strides
from anabranch.backends.llvm.run.executable import prepare
from anabranch.backends.reference.interpreter import interpret
from anabranch.compiler.pipeline import optimise, run_passes
from anabranch.ir import TensorType, parse
from anabranch.ir.extent import Extent

RNG = np.random.default_rng(5)
X = RNG.normal(size=(6, 5))


def planned(function: Callable[..., Any], *arguments: Any) -> Plan:
    unrolled = jit(function, rewrite=False)
    return make_plan(optimise(anabranch.make_ir(unrolled)(*arguments)))


def copied(function: Callable[[Any], Any]) -> list[int]:
    """How many elements each copy of the plan has; the result is NumPy's."""
    for made, wanted in zip(jit(function)(X), function(X), strict=True):
        np.testing.assert_allclose(made, wanted, rtol=1e-13)
    plan = planned(function, X)
    return [step.work for step in plan.steps if step.label == "copy"]


def rows(x: Any) -> Any:
    y = np.zeros_like(x)
    for k in range(len(x)):
        y[k] = np.tanh(x[k])
    return (y,)


def stacked(x: Any) -> Any:
    return (np.stack([np.tanh(row) for row in x]),)


def columns(x: Any) -> Any:
    y = np.zeros_like(x)
    for k in range(x.shape[1]):
        y[::-1, k] = np.tanh(x[:, k])
    return (y,)


def halves(x: Any) -> Any:
    y = np.empty_like(x)
    for k in range(len(x)):
        y[k, ::2] = np.sin(x[k, ::2])
        y[k, 1::2][::-1] = np.cos(x[k, 1::2])
    return (y,)


def recurrence(x: Any) -> Any:
    y = np.zeros_like(x)
    y[0] = np.exp(x[0])
    for k in range(1, len(x)):
        y[k] = np.tanh(y[k - 1] + x[k])
    return (y,)


def stepped(x: Any) -> Any:
    y = x * 2
    for k in range(1, len(x)):
        y[k] *= np.sum(y[k - 1])
    return (y,)


@pytest.mark.parametrize("function", [rows, columns, halves, recurrence])
def test_what_is_stored_is_made_in_its_place(function: Any) -> None:
    assert copied(function) == []
    assert planned(function, X).arena_bytes == 0


def test_an_array_that_is_written_over_in_part_is_made_in_the_result() -> None:
    def function(x: Any) -> Any:
        y = np.exp(x)
        y[2:4] = np.sin(x[:2])
        return (y,)

    assert copied(function) == []


def test_an_argument_is_copied_once() -> None:
    def function(x: Any) -> Any:
        y = x.copy()
        y[1] = np.tanh(x[0])
        y[2] = np.tanh(x[1])
        return (y,)

    assert copied(function) == [30]


def test_a_version_that_is_returned_too_is_copied_once() -> None:
    def function(x: Any) -> Any:
        y = np.exp(x)
        y[1] = np.tanh(x[0])
        z = y.copy()
        y[2] = np.tanh(x[1])
        y[3] = np.tanh(x[2])
        return y, z

    assert copied(function) == [30, 5, 5]


def test_of_a_part_that_is_read_later_only_that_is_moved() -> None:
    """The slice lies across two stored rows, so it is read as it was."""

    def function(x: Any) -> Any:
        y = np.exp(x)
        part = np.flip(y[1:3, 1:3])
        total = part * 1.0
        y[2] = np.tanh(x[1])
        return y, total.T @ x[:2], total

    graph = optimise(
        parse("""
        graph f(%x: f64[6,5], %v: f64[1,5]) {
          %y = exp(%x)                                                     : f64[6,5]
          %p = slice(%y) {start=(1, 1), shape=(2, 2), step=(1, 1)}         : f64[2,2]
          %z = update(%y, %v) {start=(2, 0), step=(1, 1)}                  : f64[6,5]
          %s = reduce_sum(%z) {axes=()}                                    : f64[6,5]
          %t = slice(%s) {start=(0, 0), shape=(2, 2), step=(1, 1)}         : f64[2,2]
          %m = matmul(%p, %t)                                              : f64[2,2]
          return %z, %m
        }""")
    )
    point = [X, X[:1]]
    for made, wanted in zip(
        prepare(graph)(point), interpret(graph, point), strict=True
    ):
        np.testing.assert_allclose(made, wanted, rtol=1e-13)
    moved = [step.work for step in make_plan(graph).steps if step.label == "copy"]
    assert sorted(moved) == [4, 5]
    copied(function)


@pytest.mark.parametrize(
    "store", ["y[1:] = y[:-1]", "y[::-1] = y", "y[:, :2] = y[:, 1:3]", "y[2] = y[2]"]
)
def test_a_part_is_stored_over_itself(store: str) -> None:
    def function(x: Any) -> Any:
        names = {"y": np.exp(x)}
        exec(store, names)  # the test's own text
        return (names["y"],)

    copied(function)


def test_of_two_stores_in_one_array_each_has_its_own() -> None:
    graph = parse("""
        graph f(%x: f64[6,5], %v: f64[1,5]) {
          %y = exp(%x)                                     : f64[6,5]
          %a = update(%y, %v) {start=(2, 0), step=(1, 1)}  : f64[6,5]
          %b = update(%y, %v) {start=(3, 0), step=(1, 1)}  : f64[6,5]
          %c = update(%a, %v) {start=(4, 0), step=(1, 1)}  : f64[6,5]
          %m = add(%y, %b)                                 : f64[6,5]
          return %c, %m
        }""")
    point = [X, X[:1]]
    for made, wanted in zip(
        prepare(optimise(graph))(point), interpret(graph, point), strict=True
    ):
        np.testing.assert_allclose(made, wanted, rtol=1e-13)


def loss(function: Any) -> Any:
    return anabranch.value_and_grad(lambda x: np.sum(function(x)[0] ** 2))


def test_a_gradient_takes_the_memory_of_one_of_stacked_rows() -> None:
    x = RNG.normal(size=(40, 100))
    one, other = (planned(loss(f), x) for f in (rows, stacked))
    assert one.arena_bytes <= 1.1 * other.arena_bytes
    assert len(one.steps) <= len(other.steps) + 2


@pytest.mark.parametrize("function", [rows, columns, halves, recurrence, stepped])
def test_steps_move_what_is_stored(function: Any) -> None:
    """Three times the size is nine times the elements, not 27 times."""
    works = [
        sum(step.work for step in planned(loss(function), np.ones((n, n))).steps)
        for n in (12, 36)
    ]
    assert works[1] <= 11 * works[0]


@pytest.mark.parametrize("function", [rows, columns, recurrence, stepped])
def test_planning_looks_at_few_aliases(
    function: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = [0]
    overlaps = Extent.overlaps

    def counted(one: Extent, other: Extent) -> bool:
        counts[-1] += 1
        return overlaps(one, other)

    monkeypatch.setattr(Extent, "overlaps", counted)
    for n in (20, 80):
        graph = optimise(anabranch.make_ir(loss(function))(np.ones((n, n))))
        counts.append(0)
        make_plan(graph)
    assert counts[2] <= 5 * counts[1] + 20


def test_views_in_a_memory_take_these_places_or_more() -> None:
    sizes = (4, 1, 6)
    memory = View(3, 0, TensorType("f64", sizes), row_strides(sizes))
    flat = np.arange(24)
    rng = np.random.default_rng(0)
    exact = 0
    for _ in range(500):
        shape = tuple(int(n) for n in rng.integers(1, 4, rng.integers(0, 4)))
        strides = [int(s) for s in rng.integers(-7, 8, len(shape))]
        reach = [(n - 1) * s for n, s in zip(shape, strides, strict=True)]
        low, high = sum(min(r, 0) for r in reach), sum(max(r, 0) for r in reach)
        if high - low >= 24:
            continue
        start = int(rng.integers(-low, 24 - high))
        view = memory.moved(shape, strides, start)
        places = start + sum(
            (s * k for s, k in zip(strides, np.indices(shape), strict=True)),
            np.zeros(shape, int),
        )
        extent = extent_in(view, memory)
        index = np.ix_(*(a + b * np.arange(n) for a, n, b in zip(*extent, strict=True)))
        found = flat.reshape(sizes)[index]
        assert np.isin(places, found).all()
        exact += np.array_equal(np.unique(places), np.unique(found))
    assert exact > 100


def test_what_begins_a_chain_may_have_been_moved_out_of_another() -> None:
    """The slice %s is still read when a value of the chain that it begins is made."""
    graph = optimise(
        parse("""
        graph f(%x: f64[6,5], %v: f64[1,5]) {
          %a = exp(%x)                                               : f64[6,5]
          %s = slice(%a) {start=(0, 0), shape=(2, 5), step=(1, 1)}   : f64[2,5]
          %b = update(%a, %v) {start=(1, 0), step=(1, 1)}            : f64[6,5]
          %t = reduce_sum(%b) {axes=(0,)}                            : f64[5]
          %u = reshape(%t) {shape=(1, 5)}                            : f64[1,5]
          %w = tanh(%u)                                              : f64[1,5]
          %c = update(%s, %w) {start=(0, 0), step=(1, 1)}            : f64[2,5]
          %d = transpose(%w) {perm=(1, 0)}                           : f64[5,1]
          %m = matmul(%s, %d)                                        : f64[2,1]
          %e = exp(%c)                                               : f64[2,5]
          return %b, %m, %e
        }""")
    )
    point = [X, X[:1]]
    for made, wanted in zip(
        prepare(graph)(point), interpret(graph, point), strict=True
    ):
        np.testing.assert_allclose(made, wanted, rtol=1e-13)


def test_a_concatenation_with_an_argument_in_it_is_made_where_it_is_stored_in() -> None:
    def function(x: Any) -> Any:
        y = np.concatenate([np.exp(x), x, np.sin(x)])
        y[2] = np.tanh(x[0])
        return (y,)

    assert copied(function) == [30]


def test_a_version_that_is_read_later_leaves_the_memory_it_had_its_home_in() -> None:
    """A concatenation made in the memory of its chain, and read after the store."""
    graph = parse("""graph f(%x: f64[4], %i: i64[1], %v: f64[1]) {
      %a = tanh(%x)                   : f64[4]
      %b = concatenate(%a) {axis=0}   : f64[4]
      %c = put(%b, %v, %i) {axis=0}   : f64[4]
      %d = mul(%b, %c)                : f64[4]
      return %d
    }""")
    arrays = [np.arange(4.0), np.array([2]), np.array([100.0])]
    [expected] = interpret(graph, arrays)
    [made] = prepare(optimise(graph))(arrays)
    np.testing.assert_allclose(made, expected, rtol=1e-14)


def test_a_version_that_a_store_of_its_own_slice_left_alone_is_kept() -> None:
    """The first store changes nothing and moves nothing, the second one does."""
    graph = parse("""graph f(%x: f64[2,3], %w: f64[3,1]) {
      %m = matmul(%x, %w)                                     : f64[2,1]
      %s = slice(%m) {start=(1, 0), shape=(1, 1), step=(1, 1)} : f64[1,1]
      %a = update(%m, %s) {start=(1, 0), step=(1, 1)}         : f64[2,1]
      %b = update(%a, %s) {start=(0, 0), step=(1, 1)}         : f64[2,1]
      %c = cosh(%m)                                           : f64[2,1]
      %r = add_n(%a, %b, %c)                                  : f64[2,1]
      return %r
    }""")
    arrays = [RNG.normal(size=(2, 3)), RNG.normal(size=(3, 1))]
    [expected] = interpret(graph, arrays)
    [made] = prepare(run_passes(graph, ["fuse"]))(arrays)
    np.testing.assert_allclose(made, expected, rtol=1e-13)


def test_a_loop_that_reads_more_than_it_stores_over_has_its_own_memory() -> None:
    """Three slices are more than the array, which is copied; one slice is less."""
    u = RNG.normal(size=200)

    def sweeps(shifts: tuple[int, ...]) -> Callable[[Any], Any]:
        def f(u: Any) -> Any:
            for _ in range(3):
                new = u.copy()
                for i in range(1, len(u) - 1, 2):
                    new[i] = sum([u[i + by] for by in shifts]) / 2
                u = new
            return u

        return f

    copies: list[list[int]] = []
    for shifts in ((-1, 0, 1), (1,)):
        f = sweeps(shifts)
        np.testing.assert_allclose(jit(f)(u), f(u), rtol=1e-13)
        plan = make_plan(optimise(anabranch.make_ir(f)(u)))
        copies.append([step.work for step in plan.steps if step.label == "copy"])
    assert copies == [[200, 200, 200], [200, 99, 99]]
