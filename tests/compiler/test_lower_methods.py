"""The methods of ufuncs: what NumPy gives, and true gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import anabranch
from anabranch.compiler.lower.methods import _BINARY, _CLOSED
from tests.compiler.everyday import VECTOR, WEIGHTS, Y, check_slope

ABOVE = np.abs(Y) + 0.5
SMOOTH: list[Any] = [
    *(np.add, np.subtract, np.multiply, np.divide, np.maximum, np.fmin),
    *(np.logaddexp, np.logaddexp2, np.hypot),
]


def is_of_integers(ufunc):
    return ufunc.__name__.startswith(("bitwise", "left", "right"))


@pytest.mark.parametrize("ufunc", _BINARY)
def test_outer(same, ufunc):
    x = VECTOR + 1 if is_of_integers(ufunc) else WEIGHTS
    same(lambda a, b: ufunc.outer(a, b), x, x[::-1].copy(), rtol=1e-12)


@pytest.mark.parametrize("ufunc", _CLOSED)
def test_methods(same, ufunc):
    x = np.arange(12).reshape(3, 4) + 3 if is_of_integers(ufunc) else ABOVE

    def all_methods(x):
        return (
            ufunc.reduce(x),
            ufunc.reduce(x, axis=1, keepdims=True),
            ufunc.accumulate(x, axis=1),
            ufunc.accumulate(x[:, 0]),
            ufunc.reduceat(x, [0, 2, 1], axis=1),
        )

    same(all_methods, x, rtol=1e-12)


@pytest.mark.parametrize("ufunc", _CLOSED)
def test_at_takes_a_place_more_than_once(same, ufunc):
    whole = is_of_integers(ufunc) or ufunc.__name__.startswith("logical")
    x = np.arange(5) + 3 if whole else ABOVE[0]
    value = np.array([1, 2, 1]) if whole else WEIGHTS[:3]

    def stored(x, v):
        y = x.copy()
        ufunc.at(y, [1, 3, 1], v)
        return y

    def at_traced(x, i, v):
        y = x.copy()
        ufunc.at(y, i, v)
        return y

    if not ufunc.__name__.startswith("logical"):
        same(stored, x, value, rtol=1e-12)
        same(at_traced, x, VECTOR[:3], value, rtol=1e-12)


def test_arguments(same):
    same(lambda x: np.logaddexp.reduce(x, axis=None), Y, rtol=1e-12)
    same(lambda x: np.fmax.reduce(x, axis=(0, 1)), Y)
    same(lambda x: np.hypot.reduce(x, initial=2.0), Y, rtol=1e-12)
    same(lambda x: np.maximum.accumulate(x), np.array([1.0, 3.0, np.nan, 2.0]))
    same(lambda x: np.logaddexp.reduce(x), np.zeros((0, 3)))
    with pytest.raises(ValueError, match="no identity"):
        anabranch.jit(lambda x: np.fmax.reduce(x))(np.zeros(0))
    with pytest.raises(ValueError, match="not reorderable"):
        anabranch.jit(lambda x: np.divide.reduce(x, axis=None))(Y)


@pytest.mark.parametrize("ufunc", SMOOTH)
def test_gradients(ufunc):
    check_slope((lambda x: ufunc.reduce(x) ** 2, ABOVE))
    check_slope((lambda x: ufunc.accumulate(x, axis=1) ** 2, ABOVE), order=1)
    check_slope((lambda x, y: ufunc.outer(x, y), WEIGHTS, ABOVE[0]), order=1)

    def stored(x, v):
        y = x.copy()
        ufunc.at(y, [1, 3, 1], v)
        return y**2

    check_slope((stored, ABOVE[0], WEIGHTS[:3]), order=1)
