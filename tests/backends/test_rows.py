"""Rows of a nest of loops that go on together, where their order allows it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import anabranch

ROWS = 4  # that go on together
Compiled = Any


def sources(compiled: Compiled) -> list[str]:
    """Those of the kernels of the newest signature."""
    return compiled._newest().runner("llvm").sources


def go_together(compiled: Compiled) -> bool:
    """Whether a kernel has loops over groups of rows and over those that are left."""
    return any(text.count(" in range(") == 4 for text in sources(compiled))


def span(n: int, down: bool) -> range:
    return range(1, n - 1) if down else range(n - 2, 0, -1)


Step = Callable[[Any, Any, int, int], None]


def swept(step: Step, down: bool, right: bool) -> Callable[[Any, Any], None]:
    """Row after row."""

    def sweep(u: Any, a: Any) -> None:
        n, m = u.shape
        for i in range(1, n - 1) if down else range(n - 2, 0, -1):
            for j in range(1, m - 1) if right else range(m - 2, 0, -1):
                step(u, a, i, j)

    return sweep


def together(step: Step, down: bool, right: bool, u: Any, a: Any) -> None:
    """A few rows at once, an element of each in turn, and those that are left."""
    n, m = u.shape
    rows = [*span(n, down)]
    groups = len(rows) // ROWS * ROWS
    for first in range(0, groups, ROWS):
        for j in span(m, right):
            for i in rows[first : first + ROWS]:
                step(u, a, i, j)
    for i in rows[groups:]:
        for j in span(m, right):
            step(u, a, i, j)


AROUND = [x for x in itertools.product((-1, 0, 1), repeat=2) if x != (0, 0)]


def steps() -> Iterator[Any]:
    """Elements that are made of those before them and of some around them."""
    rng = np.random.default_rng(5)
    for number in range(16):
        down, right = bool(number & 1), bool(number & 2)
        near = [AROUND[k] for k in rng.choice(8, 2, replace=False)]
        near.append((0, -1 if right else 1))
        scattered = number % 5 == 0

        def step(
            u: Any, a: Any, i: int, j: int, near: Any = near, more: bool = scattered
        ) -> None:
            s = a[i, j]
            for k, m in near:
                s = s / 2 + u[i + k, j + m]
            u[i, j] = s
            if more:
                k, m = near[0]
                u[i + k, j + m] += s / 4

        yield pytest.param(step, down, right, id=f"{near} {down} {right} {scattered}")


@pytest.mark.parametrize(("step", "down", "right"), [*steps()])
def test_rows_go_together_where_no_bit_changes(
    step: Step, down: bool, right: bool
) -> None:
    rng = np.random.default_rng(0)
    given, a = rng.normal(size=(2, 31, 28))
    sweep = swept(step, down, right)
    expected, other, found = (given.copy() for _ in range(3))
    sweep(expected, a)
    together(step, down, right, other, a)
    compiled = anabranch.jit(sweep)
    compiled(found, a)
    np.testing.assert_array_equal(found, expected)
    assert go_together(compiled) == np.array_equal(other, expected)


def alignment(a: Any, b: Any) -> Any:
    score = np.zeros((len(a) + 1, len(b) + 1))
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            same = 2.0 if a[i - 1] == b[j - 1] else -1.0
            gap = max(score[i - 1, j], score[i, j - 1]) - 0.5
            score[i, j] = max(0.0, score[i - 1, j - 1] + same, gap)
    return score


def filtered(a: Any, b: Any) -> Any:
    made = np.zeros((len(a), 2))
    for i in range(len(a)):
        y = a[i]
        for j in range(len(b)):
            y = y * 0.5 + b[j]
        made[i, 0] = y
        made[i, 1] = 2 * y
    return made


def from_the_row_before(a: Any, b: Any) -> Any:
    """Each row begins with the end of the one before it, so none goes with another."""
    made = np.ones(len(a) + 1)
    for i in range(len(a)):
        y = made[i]
        for j in range(len(b)):
            y = y * 0.5 + b[j] * a[i]
        made[i + 1] = y
    return made


def triangle(a: Any, b: Any) -> Any:
    """Rows that are not alike."""
    made = np.zeros(len(a))
    for i in range(len(a)):
        y = a[i]
        for j in range(i):
            y = y * 0.5 + b[j]
        made[i] = y
    return made


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (alignment, True),
        (filtered, True),
        (from_the_row_before, False),
        (triangle, False),
    ],
)
@pytest.mark.parametrize("n", [32, 35])
def test_recurrences_along_rows(
    function: Callable[[Any, Any], Any], expected: bool, n: int
) -> None:
    rng = np.random.default_rng(n)
    a, b = rng.integers(0, 3, n) / 1.0, rng.integers(0, 3, 40) / 1.0
    compiled = anabranch.jit(function)
    np.testing.assert_array_equal(compiled(a, b), function(a, b))
    assert go_together(compiled) == expected


def test_every_number_of_rows() -> None:
    """None is forgotten, and one kernel does for all of them."""
    compiled = anabranch.jit(filtered)
    b = np.arange(40.0)
    kernels: set[str] = set()
    for n in range(32, 38):
        a = np.arange(n) / 7
        np.testing.assert_array_equal(compiled(a, b), filtered(a, b))
        kernels.update(text for text in sources(compiled) if " in range(" in text)
    assert len(kernels) == 1
