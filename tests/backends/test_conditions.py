"""What conditions tell of positions: no check where they say that it holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import anabranch as ab
from anabranch.backends import DEFAULT

SIZE = 6

Test = Callable[[Any, int, int], Any]


def _between(k: Any, low: int, high: int) -> Any:
    return low <= k < high


def _both(k: Any, low: int, high: int) -> Any:
    return k > low and high >= k


def _neither(k: Any, low: int, high: int) -> Any:
    return not (k < low or k > high)


def _one(k: Any, low: int, high: int) -> Any:
    return k >= low or k < high


def _not_below(k: Any, low: int, high: int) -> Any:
    return not k < low


def _shifted(k: Any, low: int, high: int) -> Any:
    return low < k + 2 and k - 1 < high


TESTS: list[Test] = [_between, _both, _neither, _one, _not_below, _shifted]


def counted(test: Test, low: int, high: int, off: int) -> Callable[..., Any]:
    """Adds up where a test holds, and takes away elsewhere, but not beyond the end."""

    def f(k: Any, w: Any) -> Any:
        made = np.zeros(SIZE)
        for i in range(len(k)):
            if test(k[i], low, high):
                made[k[i] + off] += w[i]
            elif k[i] < SIZE:
                made[k[i]] -= 1.0
        return made

    return f


def outcome(f: Callable[..., Any], *args: Any) -> Any:
    """The result as numbers, or what is raised."""
    try:
        return f(*args).tolist()
    except IndexError:
        return IndexError


@pytest.mark.parametrize("test", TESTS)
def test_results_and_errors_are_those_of_numpy(test: Test, backend: str) -> None:
    rng = np.random.default_rng(TESTS.index(test))
    raised = 0
    for _ in range(4):
        low, high = sorted(int(x) for x in rng.integers(-7, 8, 2))
        f = counted(test, low, high, int(rng.integers(-1, 2)))
        compiled = ab.jit(f, backend=backend)
        for width in (3, 6, 8):
            k, w = rng.integers(-width, width, 200), rng.normal(size=200)
            expected = outcome(f, k, w)
            raised += expected is IndexError
            assert outcome(compiled, k, w) == expected, (low, high)
    assert 0 < raised < 12


@pytest.mark.parametrize(
    ("test", "low", "high", "checks"),
    [
        *((_between, 0, SIZE, 1), (_between, 0, SIZE + 1, 2)),
        *((_between, -SIZE - 1, SIZE, 2), (_both, -1, SIZE - 1, 1)),
        *((_neither, 0, SIZE - 1, 1), (_one, 0, SIZE, 1)),
        *((_not_below, 0, SIZE, 2), (_shifted, 1, SIZE - 2, 2)),
    ],
)
def test_checks_that_conditions_make_needless(
    test: Test, low: int, high: int, checks: int
) -> None:
    """The first is where the test holds, the second where it does not.

    One of two tests says nothing, but where neither holds is nowhere. Sums may wrap.
    """
    f = ab.jit(counted(test, low, high, 0), backend=DEFAULT)
    f(np.zeros(200, np.int64), np.ones(200))
    lines = f.inspect_source().splitlines()
    assert sum(line.strip().startswith("return v") for line in lines) == checks


def _found(x: Any, y: Any) -> Any:
    """Interpolates between the knots around each point."""
    made = np.zeros(len(x))
    for i in range(len(x)):
        low = 0
        for k in range(1, SIZE - 1):
            if x[i] >= y[k]:
                low = k
        made[i] = y[low] + y[low + 1]
    return made


def test_one_of_two_positions_is_within_the_bounds_of_both(backend: str) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=300), np.sort(rng.normal(size=SIZE))
    f = ab.jit(_found, backend=backend)
    np.testing.assert_array_equal(f(x, y), _found(x, y))
    if backend == DEFAULT:
        assert "return v" not in f.inspect_source()
