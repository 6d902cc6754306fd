"""Loops that store into what they carry: one memory, and no copy an iteration."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import anabranch as ab
from anabranch.backends.llvm.emit import make_plan
from anabranch.backends.llvm.plan.step import Plan
from anabranch.backends.llvm.run.executable import prepare
from anabranch.compiler.pipeline import optimise

N = 40


def sweep(a: Any) -> Any:
    """Gauss-Seidel: reads what was stored in this sweep, and what was not yet."""

    def row(i: Any, a: Any) -> Any:
        def element(j: Any, a: Any) -> Any:
            b = np.copy(a)
            around = b[i, j + 1] + b[i + 2, j + 1] + b[i + 1, j] + b[i + 1, j + 2]
            b[i + 1, j + 1] = (around + b[i + 1, j + 1]) / 5
            return b

        return ab.fori_loop(0, N - 2, element, a)

    return ab.fori_loop(0, N - 2, row, a)


def sweeps(a: Any) -> Any:
    return ab.fori_loop(0, 3, lambda s, a: sweep(a), a)


def branching(a: Any) -> Any:
    """A branch stores, the other does not."""

    def step(t: Any, a: Any) -> Any:
        def stored(a: Any, t: Any) -> Any:
            b = np.copy(a)
            b[t] += b[t - 1]
            return b

        return ab.cond(a[t, 0] > 0.5, stored, lambda a, t: a, a, t)

    return ab.fori_loop(1, N, lambda t, a: step(t, a), a)


def shifted(a: Any) -> Any:
    """Reads a row before and after it is stored."""

    def step(t: Any, a: Any) -> Any:
        b = np.copy(a)
        b[t + 1] = b[t] * 0.5 + b[t + 1, ::-1]
        b[t] = a[t + 1]
        return b

    return ab.fori_loop(0, N - 1, step, a)


def numpy_sweep(a: Any) -> Any:
    b = a.copy()
    for i in range(1, N - 1):
        for j in range(1, N - 1):
            around = b[i - 1, j] + b[i + 1, j] + b[i, j - 1] + b[i, j + 1]
            b[i, j] = (around + b[i, j]) / 5
    return b


def numpy_branching(a: Any) -> Any:
    b = a.copy()
    for t in range(1, N):
        if b[t, 0] > 0.5:
            b[t] += b[t - 1]
    return b


def numpy_shifted(a: Any) -> Any:
    b = a.copy()
    for t in range(N - 1):
        old = b[t + 1].copy()
        b[t + 1] = b[t] * 0.5 + b[t + 1, ::-1]
        b[t] = old
    return b


def plan_of(function: Any, *arrays: Any) -> Plan:
    return make_plan(optimise(ab.make_ir(function)(*arrays)))


def copied(plan: Plan) -> list[int]:
    """How many elements the copies inside of loops move."""
    found: list[int] = []
    for number, step in enumerate(plan.steps):
        inside = any(
            other.repeats and place < number <= place + other.branches[0]
            for place, other in enumerate(plan.steps)
        )
        if inside and step.label in ("copy", "fill"):
            found.append(step.work)
    return found


@pytest.fixture
def a() -> Any:
    return np.random.default_rng(1).random((N, N))


@pytest.mark.parametrize(
    ("function", "oracle", "largest"),
    [
        (sweep, numpy_sweep, 1),
        (branching, numpy_branching, N),
        (shifted, numpy_shifted, N),
    ],
)
def test_iterations_copy_slices_at_most(
    function: Any, oracle: Any, largest: int, a: Any
) -> None:
    graph = optimise(ab.make_ir(function)(a))
    plan = make_plan(graph)
    assert max(copied(plan), default=0) <= largest
    expected = oracle(a)
    run = prepare(graph)
    before = a.copy()
    for _ in range(2):
        np.testing.assert_allclose(run([a])[0], expected, rtol=1e-14)
    np.testing.assert_array_equal(a, before)


def test_nested_loops_share_one_memory(a: Any) -> None:
    """What is planned is the array that is returned, and nothing else of its size."""
    plan = plan_of(sweeps, a)
    assert max(plan.scratch, default=0) < a.nbytes
    whole = [s for s in plan.steps if s.label == "copy" and s.work == a.size]
    assert len(whole) == 1


def test_the_old_array_is_kept_where_it_is_read(a: Any) -> None:
    def both(a: Any) -> Any:
        b = np.sin(a)
        return sweep(b) + b

    compiled = ab.jit(both)
    expected = numpy_sweep(np.sin(a)) + np.sin(a)
    np.testing.assert_allclose(compiled(a), expected, rtol=1e-14)


def test_an_old_version_read_later_is_copied(a: Any) -> None:
    """Each iteration returns what the array was: its rows need every version."""

    def step(b: Any, x: Any) -> Any:
        c = np.copy(b)
        c[0] = x
        return c, b

    ends, rows = ab.jit(lambda b, xs: ab.scan(step, b, xs))(a[:3, :4], a[:5, :4])
    expected = a[:3, :4].copy()
    for x, row in zip(a[:5, :4], rows, strict=True):
        np.testing.assert_array_equal(row, expected)
        expected[0] = x
    np.testing.assert_array_equal(ends, expected)
