"""Stores at traced places: the last of several stays, as in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import anabranch
from tests.compiler.everyday import VECTOR, WEIGHTS, Y, check_case, check_slope

PLACES = np.array([2, 0, 2, -1, 2])
ROWS = np.array([[1, -1], [1, 0]])


def stored(store: Any) -> Any:
    """What is in a copy of an array, and what is in new ones, after a store."""

    def run(a: Any, i: Any, v: Any) -> Any:
        b, c = a.copy(), np.zeros(a.shape)
        store(b, i, v)
        store(c, i, v)
        return b, c, a.sum()

    return run


def at(index: Any, change: Any = None) -> Any:
    """A store at the index that is made of the traced places."""

    def run(b: Any, i: Any, v: Any) -> None:
        where = index(b, i)
        b[where] = v if change is None else change(b[where], v)

    return stored(run)


CASES: list[Any] = [
    (at(lambda b, i: i), WEIGHTS, PLACES, np.arange(5.0)),
    (at(lambda b, i: i), WEIGHTS, PLACES, 9.0),
    (at(lambda b, i: i, lambda old, v: old * v), WEIGHTS, PLACES, np.arange(5.0)),
    (at(lambda b, i: np.argsort(b)), WEIGHTS, PLACES, WEIGHTS[::-1].copy()),
    (at(lambda b, i: i), Y, PLACES, Y[0]),
    (at(lambda b, i: i), Y, PLACES, Y[:1] + PLACES[:, None]),
    (at(lambda b, i: i), Y, ROWS, Y[:2, None]),
    (at(lambda b, i: (slice(None), i)), Y, PLACES, np.arange(5.0)),
    (at(lambda b, i: (np.arange(4), i)), Y, VECTOR, WEIGHTS),
    (at(lambda b, i: (i, i)), Y, VECTOR, WEIGHTS),
    (at(lambda b, i: (slice(1, 3), i)), Y, VECTOR, WEIGHTS),
    (at(lambda b, i: ([0, 2], i[1])), Y, VECTOR, WEIGHTS[:2]),
    (at(lambda b, i: i[:0]), Y, VECTOR, 1.0),
    (stored(lambda b, i, v: np.put(b, i, v)), Y, PLACES, WEIGHTS[:2]),
    (stored(lambda b, i, v: np.put(b, i, v, mode="wrap")), Y, 9 * PLACES, WEIGHTS),
    (stored(lambda b, i, v: np.put(b, i, v, mode="clip")), Y, 9 * PLACES, WEIGHTS),
    (
        stored(lambda b, i, v: np.put_along_axis(b, i[:, None], v, 1)),
        Y,
        VECTOR,
        WEIGHTS[:, None],
    ),
    (stored(lambda b, i, v: np.put_along_axis(b, i, v, None)), Y, PLACES, 1.0),
    (stored(lambda b, i, v: np.place(b, b > v[0], v)), Y, VECTOR, WEIGHTS),
    (stored(lambda b, i, v: np.putmask(b, b > v[0], v)), Y, VECTOR, WEIGHTS[:3]),
]


@pytest.mark.parametrize("number", range(len(CASES)))
def test_values(same, number):
    check_case(same, CASES[number])


@pytest.mark.parametrize("number", range(len(CASES)))
def test_gradients(number):
    function, a, i, v = CASES[number]
    check_slope((lambda a, v: [b**2 for b in function(a, i, v)[:2]], a, v))


@pytest.mark.parametrize("dtype", [np.float32, np.int16, bool, np.complex128])
def test_dtypes(same, dtype):
    def function(a, i):
        b = a.copy()
        b[i] = 1
        b[i[:2]] = a[:2]
        return b

    same(function, np.arange(6).reshape(3, 2).astype(dtype), VECTOR % 3)


def test_zeros_keep_their_signs(same):
    def function(a, i):
        b = a.copy()
        b[i] = -a[i]
        return b

    same(function, np.array([0.0, -0.0, np.nan, -np.inf]), VECTOR)


def test_in_a_loop(same):
    def function(a, i):
        b = np.zeros(a.shape)
        for t in range(len(a)):
            b[(i + t) % 4] = a[t]
        return b

    same(function, WEIGHTS, VECTOR)


def test_places_outside_are_an_error(backend):
    def function(a, i):
        b = a.copy()
        b[i] = 0.0
        return b

    with pytest.raises(IndexError, match="out of bounds for an axis of size 4"):
        anabranch.jit(function, backend=backend)(WEIGHTS, VECTOR + 2)


def test_values_that_do_not_fit_are_an_error():
    def function(a, i):
        b = a.copy()
        b[i] = a[:3]
        return b

    with pytest.raises(ValueError, match="cannot broadcast") as raised:
        anabranch.jit(function)(WEIGHTS, VECTOR)
    assert "b[i] = a[:3]" in str(raised.value)
