"""Calls with ``out``, on the fast path and on the slow one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from anabranch import ArgumentError, jit
from anabranch.compiler.tree import flatten
from tests.backends.calls import X, fast_calls, is_fast, same


def strided(memory: np.ndarray, start: int, *steps: int) -> np.ndarray:
    """A view of two rows and three columns, by elements."""
    strides = [8 * step for step in steps]
    return np.lib.stride_tricks.as_strided(memory[start:], (2, 3), strides)


BOTH = r"out\.a and out\.b\.0 share memory"
OVERLAPS: dict[str, Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, str]]] = {
    "the same": lambda m: (m[:6].reshape(2, 3), m[:6].reshape(2, 3), BOTH),
    "the second first": lambda m: (m[5:11].reshape(2, 3), m[:6].reshape(2, 3), BOTH),
    "interleaved": lambda m: (strided(m, 0, 9, 2), strided(m, 2, 12, 3), BOTH),
    "reversed": lambda m: (m[5::-1].reshape(2, 3), m[:6].reshape(2, 3), BOTH),
    "part of an element": lambda m: (
        m[:6].reshape(2, 3),
        m.view(np.uint8)[44:92].view(np.float64).reshape(2, 3),
        BOTH,
    ),
    "a broadcast": lambda m: (strided(m, 0, 0, 1), strided(m, 9, 3, 1), r"of out\.a "),
    "windows": lambda m: (strided(m, 9, 3, 1), strided(m, 0, 2, 1), r"of out\.b\.0 "),
    "crossing": lambda m: (strided(m, 0, 4, 2), strided(m, 20, 3, 1), r"of out\.a "),
}
APART: dict[str, Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]] = {
    "neighbours": lambda m: (m[:6].reshape(2, 3), m[6:12].reshape(2, 3)),
    "columns": lambda m: (m[:12].reshape(2, 6)[:, ::2], m[:12].reshape(2, 6)[:, 1::2]),
    "rows": lambda m: (m[:12].reshape(4, 3)[::2], m[:12].reshape(4, 3)[3:0:-2]),
    "steps that cross": lambda m: (strided(m, 0, 3, 2), strided(m, 20, 3, 1)),
    "transposed": lambda m: (m[:6].reshape(3, 2).T, m[6:12].reshape(2, 3)),
}


class TestOut:
    """A call with ``out`` writes into the caller's arrays."""

    @pytest.fixture
    def compiled(self) -> Any:
        return jit(lambda x, y: {"s": x.sum(), "p": (x * y, x - y)})

    def test_the_arrays_are_filled_and_returned(self, compiled: Any) -> None:
        y = X + 1
        out = {"s": np.empty(()), "p": (np.empty((2, 3)), np.empty((2, 3)))}
        for turn in range(4):
            count = fast_calls(compiled)
            for leaf in flatten(out)[0]:
                leaf[...] = np.nan
            assert compiled(X, y, out=out) is out
            assert count() == (turn > 1)
            assert out["s"] == X.sum()
            np.testing.assert_array_equal(out["p"], [X * y, X - y])
        same(compiled(X, y)["p"], out["p"])

    def test_out_may_be_an_input(self) -> None:
        step = jit(lambda p, g: [p[0] - g[0], p[1] + p[0].sum()])
        params, grads = [X.copy(), X[0].copy()], [X + 1]
        expected = params
        for _ in range(5):
            expected = step(expected, grads)
            assert step(params, grads, out=params) is params
            same(params, expected)

    @pytest.mark.parametrize("k", [False, True], ids=["deeper", "after it"])
    def test_out_may_be_an_input_that_is_found_later(self, k: bool) -> None:
        def turned(p: Any) -> Any:
            return np.stack([p[0][0][1], p[0][0][0]])

        compiled = jit(lambda p=None, *, k=None: turned(k if p is None else p))
        for _ in range(4):
            x = X.copy()
            if k:
                compiled(out=x, k=[[x]])
            else:
                compiled([[x]], out=x)
            np.testing.assert_array_equal(x, X[::-1])

    def test_out_may_overlap_an_input(self) -> None:
        compiled = jit(lambda x: np.stack([x[1] * 2, x[0] + x[1]]))
        for _ in range(4):
            memory = np.arange(9.0)
            x, out = memory[:6].reshape(2, 3), memory[2:8].reshape(2, 3)
            compiled(x, out=out)
            np.testing.assert_array_equal(out, [[6, 8, 10], [3, 5, 7]])

    def test_strided_out(self) -> None:
        compiled = jit(lambda x: x * 2)
        wide = np.zeros((2, 6))
        for _ in range(4):
            compiled(X, out=wide[:, ::2])
            np.testing.assert_array_equal(wide[:, ::2], X * 2)
            np.testing.assert_array_equal(wide[:, 1::2], 0)

    @pytest.mark.parametrize(
        "out",
        [
            np.empty((2, 2)),
            np.empty((2, 3), np.float32),
            [np.empty((2, 3))],
            None,
            3.0,
            np.broadcast_to(0.0, (2, 3)),
        ],
        ids=["shape", "dtype", "tree", "None", "number", "read-only"],
    )
    @pytest.mark.parametrize("calls", [0, 3])
    def test_what_cannot_be_filled_is_refused(self, out: Any, calls: int) -> None:
        compiled = jit(lambda x: x * 2)
        for _ in range(calls):
            compiled(X, out=np.empty((2, 3)))
        with pytest.raises(ArgumentError, match="out"):
            compiled(X, out=out)

    def test_a_failed_check_leaves_it_as_it_was(self) -> None:
        """On either way, what was computed before the check included."""
        compiled = jit(lambda x, i: (x * 2, x[i], x + 1))
        x, good, bad = np.arange(3.0), np.array([0, 2]), np.array([0, 3])
        for turn in range(4):
            out = (np.full(3, 7.0), np.full(2, 7.0), np.full(3, 7.0))
            with pytest.raises(IndexError):
                compiled(x, bad, out=out)
            assert all((leaf == 7).all() for leaf in out)
            assert is_fast(compiled, x, good, out=out) == (turn > 1)
            compiled(x, good, out=out)
            same(out, (x * 2, x[good], x + 1))

    def test_out_in_place_of_an_argument_is_short(self) -> None:
        compiled = jit(lambda x, y: (y + 1, x.sum(), x * 2))
        for turn in range(4):
            x, y = X.copy(), X * 3
            compiled(x, y, out=(x, np.empty(()), y))
            same((x, y), (X * 3 + 1, X * 2))
            assert is_fast(compiled, x, y, out=(x, np.empty(()), y)) == (turn > 0)

    @pytest.mark.parametrize("calls", [0, 3], ids=["slow", "fast"])
    @pytest.mark.parametrize("name", OVERLAPS)
    def test_results_that_share_memory_are_refused(self, name: str, calls: int) -> None:
        compiled = jit(lambda x: {"a": x + 1, "b": [x * 2]})
        for _ in range(calls):
            compiled(X, out={"a": np.empty((2, 3)), "b": [np.empty((2, 3))]})
        memory = np.full(40, 7.0)
        one, other, message = OVERLAPS[name](memory)
        with pytest.raises(ArgumentError, match=message):
            compiled(X, out={"a": one, "b": [other]})
        assert (memory == 7).all()

    @pytest.mark.parametrize("calls", [0, 3], ids=["slow", "fast"])
    @pytest.mark.parametrize("name", APART)
    def test_parts_of_one_array_are_fine(self, name: str, calls: int) -> None:
        compiled = jit(lambda x: {"a": x + 1, "b": [x * 2]})
        for _ in range(calls):
            compiled(X, out={"a": np.empty((2, 3)), "b": [np.empty((2, 3))]})
        one, other = APART[name](np.zeros(40))
        compiled(X, out={"a": one, "b": [other]})
        same((one, other), (X + 1, X * 2))

    def test_arrays_without_elements_share_nothing(self) -> None:
        compiled = jit(lambda x: (x + 1, x * 2))
        empty = np.empty((0, 3))
        for _ in range(4):
            compiled(empty, out=(empty, empty))

    def test_a_parameter_of_that_name_is_the_functions(self) -> None:
        compiled = jit(lambda x, out: x + out)
        for _ in range(4):
            np.testing.assert_array_equal(compiled(X, out=1.0), X + 1)
