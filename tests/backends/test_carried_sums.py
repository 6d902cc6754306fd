"""Sums in places that stay are kept in registers, if they are apart from all others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import anabranch as ab


def sums(n: int) -> Any:
    """To some places of a row everything is added, while the next one is written."""

    def function(a: Any, x: Any) -> Any:
        b = np.copy(a)
        for t in range(a.shape[0] - 1):
            for j in range(n):
                b[t + 1, j] = b[t + 1, j] * x[j]
                b[t, 0] += b[t + 1, j]
                b[t, 2] -= b[t + 1, j] * x[j]
        return b

    return function


def meeting(n: int) -> Any:
    """The place to which is added is one of those that are read."""

    def function(a: Any, k: Any) -> Any:
        b = np.copy(a)
        for i in range(n):
            b[k] += 0.5 * b[i]
        return b

    return function


def columns(n: int) -> Any:
    """A column is read and written, and rows of other arrays."""

    def function(a: Any, x: Any, k: Any) -> Any:
        b = np.copy(a)
        made = np.zeros((4, n))
        for t in range(4):
            for j in range(n):
                v = b[j, k[t]] * x[j]
                for i in range(4):
                    v = v + x[j] * made[i, j] + i
                    made[i, j] += v * x[j] + t
                b[j, k[t]] += v
        return made, b

    return function


@pytest.mark.parametrize("n", [1, 7, 8, 9, 10, 15, 16, 17, 33])
def test_sums_are_those_of_numpy(n: int, backend: str) -> None:
    rng = np.random.default_rng(n)
    a, x = rng.normal(size=(4, n + 3)), rng.normal(size=n)
    found = ab.jit(sums(n), backend=backend)(a, x)
    np.testing.assert_allclose(found, sums(n)(a, x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("n", [1, 9, 16, 40])
def test_a_place_that_meets_others_is_in_memory(n: int, backend: str) -> None:
    a = np.random.default_rng(n).normal(size=n + 2)
    function = ab.jit(meeting(n), backend=backend)
    for k in {0, 1, n // 2, n - 1, n + 1} & set(range(n + 2)):
        np.testing.assert_allclose(function(a, k), meeting(n)(a, k), rtol=1e-12)


@pytest.mark.parametrize("n", [1, 8, 10, 17, 40])
def test_columns_are_read_and_written_in_lanes(n: int, backend: str) -> None:
    rng = np.random.default_rng(n)
    a, x, k = rng.normal(size=(n, 6)), rng.normal(size=n), rng.integers(0, 6, 4)
    for one, other in zip(
        ab.jit(columns(n), backend=backend)(a, x, k), columns(n)(a, x, k), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_a_sum_that_stays_is_stored_once() -> None:
    function = ab.jit(sums(40))
    function(np.ones((20, 43)), np.ones(40))
    text = function.inspect_source()
    assert text.count("reassociated_add") == 2
