"""Lists, deques and dicts that change in loops, and lists of lists."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import anabranch
from anabranch import grad, jit

X = np.array([0.5, -1.0, 2.0, 1.5, 0.3, -0.7])

Program = Callable[..., Any]
LOOPS: list[Program] = []


def loop(function: Program) -> Program:
    LOOPS.append(function)
    return function


def total(value):
    """A number that depends on everything in a result."""
    if isinstance(value, (list, tuple)):
        return sum([total(part) * (k + 1) for k, part in enumerate(value)])
    return 0.0 if isinstance(value, str) else np.sum(value * value + value)


@loop
def ring(x):
    last = [x[0], x[1], x[2]]
    for i in range(12):
        last.append(np.sin(last[0] + 0.5 * last[2]) + x[3] * i)
        last.pop(0)
    return last[0] * last[1] + last[2], len(last)


@loop
def ring_of_a_deque(x):
    last = deque([x[0], 2.0, x[2]], maxlen=3)
    for i in range(12):
        last.append(np.sin(last[0] + 0.5 * last[2]) + x[3] * i)
        last[1] = last[1] * x[4]
        last.rotate(1)
        oldest = last.popleft()
        last.appendleft(oldest + x[5])
    return list(last)


@loop
def ring_of_arrays(x):
    last = [x[:3] * 1.0, x[3:] * 1.0]
    for _ in range(12):
        new = np.tanh(last[-1] * 1.5 - 0.4 * last[-2])
        last.insert(0, new)
        del last[-1]
        last.reverse()
    return last[0] * last[1]


@loop
def dict_that_swaps(x):
    state: dict[str, Any] = {"position": x[:3], "momentum": x[3:], "name": "s"}
    for _ in range(12):
        force = -np.sin(state["position"])
        moved = state.pop("momentum") + 0.1 * force
        state.update(momentum=moved, position=state["position"] + 0.1 * moved)
    return state["position"] * state["momentum"], list(state)


@loop
def ring_in_a_branch_and_a_loop(x):
    last = [x[0], x[1]]
    total = 0.0
    for i in range(12):
        for k in range(11):
            last.append(last.pop(0) * 0.5 + x[2] * k)
        if i % 3 == 0:
            last[0], last[1] = last[1], last[0]
        total = total + last[0]
    return total


@loop
def list_of_lists(x):
    table = [[np.sin(x[i] * x[j]) for j in range(6)] for i in range(6)]
    return np.array(table), table[2][3] * len(table[4]), sum(table[5])


@loop
def lists_three_deep(x):
    a = np.array(
        [
            [[np.sin(x[i] + x[j] * k) for k in range(11)] for j in range(6)]
            for i in range(6)
        ]
    )
    return np.sum(a * a, axis=1)


@loop
def list_of_lists_of_arrays(x):
    rows = [[x[:2] * x[i] + j for j in range(10)] for i in range(6)]
    rows[1][2][0] = 5.0
    return np.sum(np.array(rows) ** 2, axis=0), rows[1][2]


@loop
def pairs_with_lists(x):
    rows = [(x[i] * 2, [x[j] * x[i] for j in range(10 - 4)]) for i in range(6)]
    return rows[3][0] * rows[2][1][5], np.stack([row for _, row in rows])


@loop
def list_that_reads_its_last(x):
    rows = [[v * 1.0 for v in x]]
    for i in range(1, 12):
        before = rows[-1]
        rows.append(
            [0.3 * np.sin(before[j] + before[j - 1]) + x[i % 6] for j in range(6)]
        )
    return np.array(rows)


@loop
def two_loops_in_one_list(x):
    flat = [np.sin(x[i] * x[j]) for i in range(6) if i != 2 for j in range(6)]
    return np.array(flat), flat[7] * flat[-1]


@loop
def two_loops_in_one_sum(x):
    total = sum(x[i] * np.sin(x[j]) for i in range(6) for j in range(6))
    return total - max(x[i] + k * j for i in range(6) for j in range(2) for k in (1, 3))


@pytest.mark.parametrize("function", LOOPS, ids=lambda f: f.__name__)
def test_loops_are_kept(function: Program, as_a_loop: Any) -> None:
    as_a_loop(lambda x: total(function(x)), (X,))


def test_a_generator_with_two_loops_is_lazy_where_it_may_stop(as_python: Any) -> None:
    def program(x):
        asked = []

        def numbers(i):
            j = 0
            while True:  # there is no end to it
                asked.append((i, j))
                yield i * j
                j += 1

        found = next(iter([next(v for i in range(1, 4) for v in numbers(i) if v > 5)]))
        return x * found, any(v == 3 * i for i in range(1, 3) for v in range(9)), asked

    as_python(program, (X,))


def test_lists_of_many_lists_compile_as_fast_as_short_ones() -> None:
    """The graph has as many nodes whatever the sizes of both."""

    def program(x):
        n = len(x)
        a = np.array([[np.sin(x[i] * x[j]) for j in range(n)] for i in range(n)])
        return np.sum(a * a)

    sizes: list[int] = []
    for n in (70, 90):
        x = np.linspace(-1, 1, n)
        compiled = jit(program)
        assert compiled(x) == pytest.approx(program(x), rel=1e-13)
        sizes.append(len(compiled.inspect_ir("forward").splitlines()))
        np.testing.assert_allclose(
            grad(program)(x), 4 * np.sin(np.outer(x, x)) * np.cos(np.outer(x, x)) @ x
        )
    assert sizes[0] == sizes[1] < 40


def test_rings_are_filled_before_the_loop(as_python: Any) -> None:
    def program(x):
        last, bounded = deque(maxlen=4), []
        for i in range(300):
            last.append(np.sin(x + i))
            bounded.append(x * i)
            if len(bounded) > 3:
                bounded.pop(0)
            x = np.tanh(sum(last) - 0.1 * bounded[0])
        return sum(last), bounded, x

    as_python(program, (X,))
    note = jit(program)
    note(X)
    (loop,) = note.report().loops
    assert "kept as one loop of" in loop


def test_rings_that_are_never_full_have_the_loop_unroll(as_python: Any) -> None:
    def program(x):
        last = deque()
        for i in range(300):
            last.append(np.sin(x + i))
            x = x + np.cos(last[-1]) * last[0]
        return sum(last)

    as_python(program, (X,))
    note = anabranch.explain(program)(X).notes[0]
    assert note.kind == "unrolled"
    assert "a deque has another length after a turn" in note.text
