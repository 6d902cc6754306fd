"""Members of Python's containers and entries of them, asked by traced numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import anabranch
from anabranch import grad, jit

X = np.array([0.5, -1.0, 2.0, 1.5, 0.3, -0.7])
TABLE = {0: 0.5, 1: -0.25, 2: 1.5}
SPARSE = {-3: 1.0, 4: 2, 40: -0.5, "a": 7.0}
ROWS = {k: np.arange(6.0) * k * 0.02 for k in range(12)}
WEIGHTS = [0.1, 0.2, 0.4, 0.8, 1.6]

Program = Callable[..., Any]
LOOPS: list[Program] = []


def loop(function: Program) -> Program:
    LOOPS.append(function)
    return function


@loop
def members_of_a_set(x):
    y = x[0] * 1.0
    for i in range(20):
        y = np.sin(y) + 0.3
        if i in {3, 7, 11, 400, 2**80, "a"}:
            y = y * x[1]
    return y


@loop
def members_of_a_tuple(x):
    y = x[0] * 1.0
    for i in range(20):
        y = np.sin(y) + (0.3 if i not in (0, 19) else x[2])
    return y


@loop
def members_of_a_range(x):
    y = x[0] * 1.0
    for i in range(20):
        y = np.sin(y) + x[0] * (i in range(3, 15, 4)) - (i * 0.5 in range(9, 1, -2))
        if i in range(5, 9) or i in range(0):
            y = y * x[1]
    return y


@loop
def members_of_many(x):
    y = x[0] * 1.0
    seen = dict.fromkeys(range(0, 200, 3))
    members = seen.keys()
    for i in range(20):
        y = np.sin(y) + (x[1] if i in seen and i in members else x[2])
    return y


@loop
def entries_of_a_dict(x):
    y = x[0] * 1.0
    for i in range(20):
        y = np.sin(y) * TABLE[i % 3] + x[i % 6]
    return y


@loop
def entries_of_a_dict_with_gaps(x):
    y = x[0] * 1.0
    for i in range(2, 20):
        k = 40 if i > 9 else (4 if i % 2 else -3)
        y = np.sin(y) + SPARSE[k] * x[1]
    return y


@loop
def entries_that_are_traced(x):
    table = {k: (x[k] * 0.3, {"b": x * k}) for k in range(6)}
    y = x[0] * 1.0
    for i in range(18):
        a, b = table[i % 6]
        y = np.sin(y) * a + b["b"][2]
    return y


@loop
def entries_that_are_arrays(x):
    y = x * 1.0
    for i in range(12):
        y = np.sin(y) + ROWS[i] * x
    return np.sum(y)


@loop
def entries_of_a_list(x):
    y = x[0] * 1.0
    held = [x[0], x[1] * x[2], 3.0 * x[3], x[4]]
    for i in range(20):
        y = np.sin(y) + WEIGHTS[i % 5] * held[(i + 1) % 4] + (1, 2)[i % 2]
    return y


@loop
def entries_that_change_in_the_loop(x):
    y = x[0] * 1.0
    held = [x[0] * 1.0, x[1] * 1.0, x[2] * 1.0]
    for i in range(20):
        held[0] = y * 0.5
        y = np.sin(y) + held[i % 3]
    return y + held[0]


@loop
def entries_at_a_computed_number(x):
    y = x[0] * 1.0
    for i in range(20):
        k = int(np.floor(x[3] + i)) % 3
        y = np.cos(y + TABLE[k]) + WEIGHTS[k - 1]
    return y


@pytest.mark.parametrize("function", LOOPS, ids=lambda f: f.__name__)
def test_loops_are_kept(function: Program, as_a_loop: Any) -> None:
    as_a_loop(function, (X,))


def test_an_argument_is_not_asked_for_its_value() -> None:
    def program(x, n):
        if n in {1, 4} and n not in [9]:
            x = x * 2
        return np.sum(x) * TABLE[n % 3] + WEIGHTS[n % 5]

    compiled = jit(program)
    for n in range(6):
        assert compiled(X, n) == pytest.approx(program(X, n), rel=1e-14)
    assert compiled.compile_count == 1


def test_an_entry_that_is_a_size_is_asked_for() -> None:
    sizes = {0: 2, 1: 5}

    def program(x, n):
        return x[: sizes[n]] * np.ones([2, 5][n]), x[:1] * np.ones(int(X[n] + 1.5))

    compiled = jit(program)
    for n in (0, 1, 0):
        for made, expected in zip(compiled(X, n), program(X, n), strict=True):
            np.testing.assert_array_equal(made, expected)
    assert compiled.compile_count == 2


def test_of_arrays_one_is_chosen_by_the_value_of_an_argument() -> None:
    layers = [np.eye(6) * 2, np.eye(6) * 3]

    def program(x, n):
        return layers[n] @ x

    compiled = jit(program)
    for n in (0, 1, 0):
        np.testing.assert_array_equal(compiled(X, n), program(X, n))
    assert compiled.compile_count == 2


def test_a_key_that_is_not_there_is_an_error_when_the_function_runs() -> None:
    def program(x, n):
        return np.sum(x) * TABLE[n]

    def sparse(x, n):
        return np.sum(x) * SPARSE[n]

    for function, good, bad in ((program, 2, 3), (sparse, 40, 5), (sparse, -3, 41)):
        compiled = jit(function)
        assert compiled(X, good) == function(X, good)
        with pytest.raises(KeyError, match="a key that is not in the dict"):
            compiled(X, bad)
        with pytest.raises(KeyError):
            function(X, bad)


def test_an_index_beside_the_list_is_an_error_when_the_function_runs() -> None:
    compiled = jit(lambda x, n: np.sum(x) * WEIGHTS[n])
    assert compiled(X, -5) == np.sum(X) * 0.1
    with pytest.raises(IndexError):
        compiled(X, 5)


def test_a_table_that_changed_is_read_again() -> None:
    table = {0: 1.0, 1: 2.0}
    compiled = jit(lambda x, n: x * table[n])
    assert compiled(3.0, 1) == 6
    table[1] = 5.0
    assert compiled(3.0, 1) == 15


def test_an_entry_cannot_be_written_in_the_place_of_its_array() -> None:
    def program(x):
        held = [x[:3] * 1, x[3:] * 1]
        k = (x[0] > 0).astype(int)
        held[k][0] = 5.0
        return held[0] + held[1]

    with pytest.raises(anabranch.TraceError):
        jit(program)(X)


def test_an_entry_is_not_read_after_its_array_was_written() -> None:
    def program(x):
        held = [x[:3] * 1, x[3:] * 1]
        entry = held[(x[0] > 0).astype(int)]
        held[1][0] = 5.0
        return entry

    with pytest.raises(anabranch.TraceError, match="another name may refer to it"):
        jit(program)(X)


def test_what_has_no_common_type_has_the_loop_unroll() -> None:
    mixed = [1.0, np.ones(2)]

    def program(x):
        for i in range(40):
            for _ in range(40):
                x = np.sin(x)
            x = x + np.sum(mixed[i % 2])
        return np.sum(x)

    compiled = jit(program)
    assert compiled(X) == pytest.approx(program(X), rel=1e-13)
    notes = [note for note in anabranch.explain(program)(X).notes if note.turns == 40]
    assert "a list index" in notes[-1].text
    assert grad(program)(X).shape == (6,)
