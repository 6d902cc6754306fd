"""`as_strided`: windows by known strides, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided

import anabranch
from anabranch.ir.errors import BoundsError, TraceError, UnsupportedError
from tests.compiler.everyday import check_refused

X = np.arange(10.0) ** 2 / 7


def windows(x: Any) -> Any:
    y = x.copy()
    return as_strided(y, (8, 3), (y.strides[0],) * 2)


CASES: list[Any] = [
    windows,
    lambda x: as_strided(x * 2, (3, 2), (16, 8)),
    lambda x: as_strided(x[1:] + 1, strides=(8,)),
    lambda x: as_strided(np.outer(x, x).copy(), (4,), (88,)),
    lambda x: as_strided(x[2:] * 1, (2, 0), (8, 8)),
]


@pytest.mark.parametrize("function", CASES)
def test_values_and_gradients(same, function):
    same(function, X)
    anabranch.check_grads(lambda x: function(x) ** 2, (X,), order=2)


def test_strides_are_those_of_c_order(same):
    same(lambda x: x[1] * np.array((x[:, None] * np.ones(3)).copy().strides), X)
    same(lambda x: as_strided(x.astype("f4"), (5, 2), strides=(4, 20)), X)


def written(x: Any, y: Any) -> Any:
    x[0] = 5.0
    return np.sum(y)


def written_there(x: Any) -> Any:
    y = x.copy()
    return written(y, as_strided(y, (8, 3), (8, 8)))


REFUSED: list[Any] = [
    (lambda x: as_strided(x, (8, 3), (8, 8)), AttributeError, "x.copy.. is in C order"),
    (lambda x: as_strided((x[:, None] * x).T, (3,), (8,)), AttributeError, "C order"),
    (lambda x: as_strided(x * 1, (9, 3), (8, 8)), BoundsError, "places 0 to 10 of an"),
    (lambda x: as_strided(x * 1, (3,), (-8,)), BoundsError, "places -2 to 0"),
    (lambda x: as_strided(x * 1, (3,), (4,)), UnsupportedError, "no multiples of 8"),
    (lambda x: as_strided(x * 1, (3, 1), (8,)), ValueError, "1 strides for the shape"),
    (
        lambda x: as_strided(x * 1, (3,), ((x[0] > 0) * 8,)),
        UnsupportedError,
        "traced strides",
    ),
    (lambda x: written(windows(x), 0), TraceError, "whose elements share memory"),
    (written_there, TraceError, "written through another name"),
]


@pytest.mark.parametrize(("function", "error", "match"), REFUSED)
def test_what_is_refused(function, error, match):
    check_refused((X,), function, error, match)
