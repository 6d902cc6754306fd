"""The methods of ufuncs: what NumPy gives, and true gradients."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np
import pytest

import anabranch
from anabranch.compiler.lower.methods import BINARY, CLOSED, UNARY
from tests.compiler.everyday import VECTOR, WEIGHTS, Y, check_slope

ABOVE = np.abs(Y) + 0.5
SMOOTH: list[Any] = [
    *(np.add, np.subtract, np.multiply, np.divide, np.maximum, np.fmin),
    *(np.logaddexp, np.logaddexp2, np.hypot),
]


def is_of_integers(ufunc):
    return ufunc.__name__.startswith(("bitwise", "left", "right"))


@pytest.mark.parametrize("ufunc", BINARY)
def test_outer(same, ufunc):
    x = VECTOR + 1 if is_of_integers(ufunc) else WEIGHTS
    same(lambda a, b: ufunc.outer(a, b), x, x[::-1].copy(), rtol=1e-12)


FOLDS = np.power, np.arctan2
"""What NumPy's loops for some processors do not fold one entry after the other."""


@pytest.mark.parametrize("ufunc", FOLDS)
def test_folds(backend, ufunc):
    def function(x):
        return ufunc.reduce(x), ufunc.accumulate(x), ufunc.reduceat(x, [0, 3])

    x = ABOVE[0]
    first, all_of_them, (head, tail) = anabranch.jit(function, backend=backend)(x)
    assert np.isclose(first, reduce(ufunc, x), rtol=1e-12)
    assert np.allclose(all_of_them[3], reduce(ufunc, x[:4]), rtol=1e-12)
    assert np.isclose(head, reduce(ufunc, x[:3]), rtol=1e-12)
    assert np.isclose(tail, reduce(ufunc, x[3:]), rtol=1e-12)


@pytest.mark.parametrize("ufunc", sorted({*CLOSED} - {*FOLDS}, key=str))
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


@pytest.mark.parametrize("ufunc", CLOSED)
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


@pytest.mark.parametrize("ufunc", sorted({*BINARY} - {*CLOSED}, key=str))
def test_comparisons_are_stored(same, ufunc):
    def stored(x, i, v):
        y, z = x.copy(), x.copy()
        ufunc.at(y, [1, 3, 1], v)
        ufunc.at(z, i, v)
        return y, z

    same(stored, ABOVE[0], VECTOR[:3], WEIGHTS[:3])


@pytest.mark.parametrize("ufunc", UNARY)
def test_at_of_one_operand(same, ufunc):
    def stored(x, i):
        y, z = x.copy(), x.copy()
        ufunc.at(y, [1, 3])
        ufunc.at(z, i)
        return y, z

    x = np.array([0.3, 0.2, 0.5, 0.7, 0.1])
    if ufunc is np.invert:
        x = np.arange(5)
    elif ufunc is np.arccosh:
        x += 1
    same(stored, x, VECTOR[:3], rtol=1e-12)


def test_at_of_one_operand_has_a_gradient():
    def stored(x):
        y = x.copy()
        np.sin.at(y, [1, 3, 1])
        np.power.at(y, [0, 2, 0], x[:3])
        return y**2

    check_slope((stored, ABOVE[0]))


def test_what_the_methods_refuse():
    x = np.arange(5.0)
    with pytest.raises(anabranch.TraceError, match="reduceat at traced places"):
        anabranch.jit(lambda x, i: np.add.reduceat(x, i))(x, VECTOR)

    def by_number(x, number):
        total = np.zeros(4)
        np.add.at(total, number, x[:4])
        return total

    assert anabranch.jit(by_number)(x, VECTOR).tolist() == [0.0, 2.0, 0.0, 4.0]

    def into_a_real_array(v, real=np.zeros(3)):  # noqa: B008  # the same at each call
        np.sin.at(real, v.astype(int))

    with pytest.raises(anabranch.TraceError, match="into a real array"):
        anabranch.jit(into_a_real_array, rewrite=False)(np.zeros(1))


def test_arguments(same):
    same(lambda x: np.logaddexp.reduce(x, axis=None), Y, rtol=1e-12)
    same(lambda x: np.fmax.reduce(x, axis=(0, 1)), Y)
    same(lambda x: np.hypot.reduce(x, initial=2.0), Y, rtol=1e-12)
    same(lambda x: np.maximum.accumulate(x), np.array([1.0, 3.0, np.nan, 2.0]))
    same(lambda x: np.logaddexp.reduce(x), np.zeros((0, 3)))
    some = {"where": Y > 0, "initial": 0.25}
    for function in (np.hypot, np.fmax, np.logaddexp2):
        reduce: Any = function.reduce
        same(lambda x, r=reduce: r(x, axis=1, keepdims=True, **some), Y, rtol=1e-12)
        same(lambda x, r=reduce: r(x, axis=(1, 0), **some), Y, rtol=1e-12)
    same(lambda x: np.logaddexp.reduce(x, where=x > 9), Y)
    with pytest.raises(ValueError, match="has to specify 'initial'"):
        anabranch.jit(lambda x: np.fmax.reduce(x, where=x > 0))(Y)
    with pytest.raises(ValueError, match="no identity"):
        anabranch.jit(lambda x: np.fmax.reduce(x))(np.zeros(0))
    with pytest.raises(ValueError, match="not reorderable"):
        anabranch.jit(lambda x: np.divide.reduce(x, axis=None))(Y)


@pytest.mark.parametrize("ufunc", SMOOTH)
def test_gradients(ufunc):
    check_slope((lambda x: ufunc.reduce(x) ** 2, ABOVE))
    check_slope((lambda x: ufunc.accumulate(x, axis=1) ** 2, ABOVE), order=1)
    some = {"where": ABOVE > 1, "initial": 1.5}
    check_slope((lambda x: ufunc.reduce(x, **some), ABOVE), order=1)
    check_slope((lambda x, y: ufunc.outer(x, y), WEIGHTS, ABOVE[0]), order=1)

    def stored(x, v):
        y = x.copy()
        ufunc.at(y, [1, 3, 1], v)
        return y**2

    check_slope((stored, ABOVE[0], WEIGHTS[:3]), order=1)
