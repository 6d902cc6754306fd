"""Loops that read what an array was while they store into it: one kernel, one copy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import anabranch as ab
from anabranch.backends import DEFAULT

TRIPS = 120


def _reversed(a: Any, r: Any) -> Any:
    for m in range(1, len(r)):
        old = a.copy()
        for j in range(1, m):
            a[j] = old[j] + r[m] * old[m - j]
        a[m] = r[m]
    return a


def _rows(a: Any, r: Any) -> Any:
    for m in range(len(r)):
        old = a[2:].copy()
        for j in range(len(old)):
            a[j] = a[j] * 0.5 + old[j] - r[m]
    return a


def _twice(a: Any, r: Any) -> Any:
    for m in range(len(r)):
        old = a.copy()
        for j in range(len(a) - 1):
            a[j] += old[j + 1] * r[m]
        new = a.copy()
        for j in range(1, len(a)):
            a[j] = 0.5 * (new[j - 1] + old[j])
    return a


def _and_last(a: Any, r: Any) -> Any:
    total = 0.0
    for m in range(len(r)):
        old = a.copy()
        for j in range(len(a)):
            a[j] = old[len(a) - 1 - j] * r[m] + a[0]
        total += old[m % 3]
    return a, total


PROGRAMS = [_reversed, _rows, _twice, _and_last]


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("size", [TRIPS, 3 * TRIPS])
def test_results_are_those_of_numpy(program: Callable[..., Any], size: int) -> None:
    rng = np.random.default_rng(size)
    a, r = rng.normal(size=size), 0.3 * rng.normal(size=TRIPS)
    ours, theirs = a.copy(), a.copy()
    found = ab.jit(program, backend=DEFAULT)(ours, r)
    expected = program(theirs, r)
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found[-1], expected[-1], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("program", [_reversed, _rows])
def test_the_nest_is_one_kernel_with_its_loops_in_lanes(
    program: Callable[..., Any],
) -> None:
    f = ab.jit(program, backend=DEFAULT)
    f(np.ones(TRIPS), np.ones(TRIPS))
    nests = [x for x in f.inspect_source().split("# kernel ") if "range(v" in x]
    assert [x.count("lanes(") for x in nests] == [2]  # the copy, and the loop
