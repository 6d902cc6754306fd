"""Functions that write into their arguments, on the fast path and on the slow one."""

from __future__ import annotations

import gc
import sys
from typing import Any

import numpy as np
import pytest

from anabranch import ArgumentError, jit
from tests.backends.calls import fast_calls, is_fast


def swap(x, y, scale):
    first = x[0, 0] * scale
    x[0, 0] = y[1]
    y[1] = first
    return x.sum(), y


def only_writes(p):
    p["w"] -= 0.5 * p["g"]


def warm(function: Any, *args: Any) -> Any:
    """The compiled function after enough calls for a fast path."""
    compiled = jit(function)
    for _ in range(3):
        compiled(*args)
    return compiled


def arrays() -> tuple[np.ndarray, np.ndarray]:
    return np.arange(6.0).reshape(2, 3), np.arange(4.0)


def test_arguments_hold_what_numpy_leaves_in_them() -> None:
    compiled = warm(swap, *arrays(), 2.0)
    count = fast_calls(compiled)
    for scale in (2.0, 3.5, -1.0):
        ours, plain = arrays(), arrays()
        made, expected = compiled(*ours, scale), swap(*plain, scale)
        assert made[0] == expected[0]
        for one, other in zip((made[1], *ours), (expected[1], *plain), strict=True):
            np.testing.assert_array_equal(one, other)
    assert count() == 3


def test_a_function_without_a_result() -> None:
    params = {"w": np.ones(3), "g": np.arange(3.0)}
    compiled = warm(only_writes, {key: x.copy() for key, x in params.items()})
    assert is_fast(compiled, {key: x.copy() for key, x in params.items()})
    assert compiled(params) is None
    np.testing.assert_array_equal(params["w"], [1.0, 0.5, 0.0])
    np.testing.assert_array_equal(params["g"], np.arange(3.0))


def test_an_array_of_rank_zero() -> None:
    def count(x):
        x[...] = x + 1

    compiled, x = warm(count, np.array(0.0)), np.array(5.0)
    assert is_fast(compiled, np.array(1.0))
    compiled(x)
    assert x == 6.0


@pytest.mark.parametrize("start", [0, 3, 5])
def test_shared_memory_is_refused(start: int) -> None:
    compiled, memory = warm(swap, *arrays(), 2.0), np.arange(10.0)
    with pytest.raises(ArgumentError, match="shares memory"):
        compiled(memory[:6].reshape(2, 3), memory[start : start + 4], 2.0)
    np.testing.assert_array_equal(memory, np.arange(10.0))
    neighbours = memory[:6].reshape(2, 3), memory[6:]
    assert is_fast(compiled, *neighbours, 2.0)


def test_what_is_read_only_is_refused() -> None:
    compiled = warm(swap, *arrays(), 2.0)
    x, y = arrays()
    x.flags.writeable = False
    with pytest.raises(ArgumentError, match="read-only"):
        compiled(x, y, 2.0)
    np.testing.assert_array_equal(y, np.arange(4.0))


def test_views_that_are_not_contiguous_are_written_too() -> None:
    compiled = warm(swap, *arrays(), 2.0)
    ours, plain = (np.arange(12.0).reshape(3, 4) for _ in range(2))
    compiled(ours[:2, :3], ours[2], 2.0)
    swap(plain[:2, :3], plain[2], 2.0)
    np.testing.assert_array_equal(ours, plain)


def test_an_error_leaves_arguments_alone() -> None:
    def function(x, i):
        x[0] = 7.0
        return x[i]

    compiled, x = warm(function, np.arange(3.0), np.array(1)), np.arange(3.0)
    assert is_fast(compiled, np.arange(3.0), np.array(2))
    with pytest.raises(IndexError):
        compiled(x, np.array(3))
    np.testing.assert_array_equal(x, np.arange(3.0))


def test_no_reference_is_lost_or_kept() -> None:
    compiled = warm(swap, *arrays(), 2.0)
    x, y = arrays()
    before = sys.getrefcount(x), sys.getrefcount(y)
    gc.collect()
    made = compiled(x, y, 2.0)
    for _ in range(100):
        made = compiled(x, y, 2.0)
    assert (sys.getrefcount(x), sys.getrefcount(y)) == before
    held = sys.getrefcount(made[1])
    assert held == sys.getrefcount((np.zeros(2),)[0])
