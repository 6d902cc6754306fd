"""What builds, stores into and chooses among arrays is as in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

import anabranch
from anabranch.compiler.lower.refused import REFUSED
from tests.compiler.everyday import (
    VECTOR,
    WEIGHTS,
    X,
    Y,
    Z,
    check_case,
    check_slope,
)

PLACES: list[Any] = [1, -1, [1, 3], [3, 1], [0, 0, 2], slice(1, 4, 2), [2]]
ENDS = np.array([1.0, -2.0, 3.0]), np.array([9.0, -4.0, 0.3])


linspace: Any = np.linspace
logspace: Any = np.logspace
geomspace: Any = np.geomspace
compress: Any = np.compress


def stored(function: Any, *rest: Any) -> Any:
    """What is in a copy of an array after a function wrote into it."""

    def run(a: Any, *given: Any) -> Any:
        b = a.copy()
        function(b, *rest, *given)
        return b

    return run


SMOOTH: list[Any] = [
    *(
        case
        for options in (
            {},
            {"num": 1},
            {"num": 0},
            {"num": 6, "endpoint": False},
            {"num": 5, "axis": -1},
        )
        for case in (
            (lambda a, b, k=options: linspace(a, b, **k), X[:3], X[3:6]),
            (lambda a, b, k=options: logspace(a, b, **k), *ENDS),
            (lambda a, b, k=options: geomspace(a, b, **k), *ENDS),
        )
    ),
    (lambda a: geomspace(a + 1, 3, 4), np.ones(2, "f4")),
    (lambda a: linspace(a, 2, 5), 0.3),
    (lambda a: logspace(a, 2, 5, base=2), 0.3),
    (lambda a, b: np.meshgrid(a, b), X, WEIGHTS),
    (lambda a, b: np.meshgrid(a, b, sparse=True, indexing="ij"), X, WEIGHTS),
    (lambda a, b, c: np.meshgrid(a, b, c), X, WEIGHTS, X[:2]),
    *((lambda a, p=place: np.insert(a, p, 7.0), X) for place in PLACES),
    *((lambda a, p=place: np.insert(a, p, a[:, :1], 1), Y) for place in PLACES),
    *((lambda a, p=place: np.delete(a, p), X) for place in PLACES),
    *((lambda a, p=place: np.delete(a, p, axis=1), Y) for place in PLACES),
    (lambda a, b: np.insert(a, 2, b), X, WEIGHTS),
    (lambda a, b: np.insert(a, 1, b, axis=0), Y, X[:5]),
    (lambda a: np.delete(a, np.array([True, False] * 3 + [True])), X),
    (lambda a: np.resize(a, (3, 4)), X),
    (lambda a: np.resize(a, 3), Y),
    (lambda a, b: np.block([[a, b], [b, a]]), Y, Y**2),
    (lambda a, b: np.block([a, b]), X, WEIGHTS),
    (lambda a: np.block([[a, 1.0], [2.0, 3.0]]), 0.5),
    (lambda a: np.diagflat(a, 1), Y[:2, :2]),
    (lambda a: np.vander(a), WEIGHTS),
    (lambda a: np.vander(a, 3, increasing=True), WEIGHTS),
    (lambda a: a[np.tril_indices_from(a)] + a[np.diag_indices(4)][0], Y),
    (lambda a: a[np.triu_indices_from(a, 1)] + a[np.diag_indices_from(a)][0], Y[:, :4]),
    (lambda a: np.dsplit(a, 2), Z),
    (lambda a: sliding_window_view(a, 3), X),
    (lambda a: sliding_window_view(a, (2, 3)), Y),
    (lambda a: sliding_window_view(a, [2, 2], axis=(1, 1)), Y),
    (stored(lambda b: np.copyto(b, 3.0, where=b > 0)), Y),
    (stored(lambda b, v: np.putmask(b, b > 0, v)), Y, WEIGHTS[:3]),
    (stored(lambda b, v: np.place(b, b > 0, v)), Y, WEIGHTS[:3]),
    (stored(lambda b, v: np.put(b, [0, -1, 2, 2], v)), Y, WEIGHTS[:3]),
    (stored(lambda b, v: np.put(b, [0, 99], v, mode="clip")), Y, WEIGHTS[:2]),
    (
        stored(lambda b, v: np.put_along_axis(b, VECTOR[:, None], v, 1)),
        Y,
        WEIGHTS[:, None],
    ),
    (stored(lambda b, v: np.fill_diagonal(b, v)), Y, WEIGHTS[:3]),
    (stored(lambda b: np.fill_diagonal(b, 5.0, wrap=True)), np.outer(X, X[:3])),
    (lambda a, b: np.choose([0, 1, 1, 0], [a, b]), WEIGHTS, WEIGHTS**2),
    (lambda a: compress([1, 0, 1], a, axis=0), Y),
    (lambda a: a.compress([1, 0, 1]), X),
    (lambda a: np.extract(np.arange(7) % 2, a), X),
    (lambda a: np.extract(a > 0, a).sum(), Y),
    (lambda a: np.piecewise(a, [a < 0, a >= 0], [lambda t: t**2, np.sqrt]), X),
    (lambda a: np.piecewise(a, [a < 0], [lambda t: t**2, 3.0]), X),
    (lambda a: np.apply_along_axis(lambda r: np.sum(r**2), 1, a), Y),
    (lambda a: np.apply_along_axis(np.sort, 0, a), Y),
    (lambda a: np.apply_along_axis(lambda r: np.outer(r, r), 1, a), Z),
    (lambda a: np.apply_over_axes(np.sum, a, [0, 2]), Z),
]
ODD, NEAR = (
    np.array([1.0, np.nan, np.inf, 2.0]),
    np.array([1 + 1e-9, np.nan, np.inf, 3]),
)
TRUE = np.True_  # for NumPy gives Python's bool here
EXACT: list[Any] = [
    (lambda a: linspace(a, 9, 5, dtype=int), 1),
    (lambda a: linspace(a, 2, 5, retstep=True), 0.5),
    (lambda a: linspace(a, 2, 5), np.float32(0.3)),
    (lambda a: np.ix_(a, [1, 2]), np.arange(3)),
    (lambda a: np.vander(a), VECTOR),
    (lambda i: np.choose(i, [WEIGHTS, 2 * WEIGHTS], mode="clip"), VECTOR),
    (lambda i: np.choose(i, [WEIGHTS, 2 * WEIGHTS], mode="wrap"), VECTOR),
    *(
        case
        for flag in (False, True)
        for case in (
            (lambda a, b, f=flag: np.isclose(a, b, equal_nan=f), ODD, NEAR),
            (lambda a, b, f=flag: np.allclose(a, b, equal_nan=f) & TRUE, ODD, ODD),
            (lambda a, b, f=flag: np.array_equal(a, b, equal_nan=f) & TRUE, ODD, ODD),
            (lambda a, f=flag: np.isin(a, [1.0, np.nan], invert=f), ODD),
            (lambda a, b, f=flag: np.isin(a, b, invert=f), VECTOR, np.array([3, 7])),
            (lambda a, f=flag: np.isin(a, [], invert=f), ODD),
        )
    ),
    (lambda a: np.array_equiv(a, a[None]) & TRUE, X),
    (lambda a: np.array_equal(a, a[1:]) & TRUE, X),
    (lambda a: (np.isposinf(a), np.isneginf(-a)), ODD),
    (lambda a, b: np.ravel_multi_index((a, b), (4, 5)), VECTOR, VECTOR),
    (lambda a: np.ravel_multi_index((a, a), (3, 2), mode="clip", order="F"), VECTOR),
    (lambda a: np.unravel_index(a, (4, 5)), 3 * VECTOR),
]


@pytest.mark.parametrize("number", range(len(SMOOTH + EXACT)))
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_values(same, number):
    check_case(same, (SMOOTH + EXACT)[number])


@pytest.mark.parametrize("number", range(len(SMOOTH)))
def test_gradients(number):
    check_slope(SMOOTH[number], order=1)


@pytest.mark.parametrize("function", REFUSED)
def test_what_has_a_size_that_only_values_tell_is_refused(function):
    both = ("union1d", "intersect1d", "setdiff1d", "setxor1d")
    args = (X,) if function.__name__ in both else ()
    with pytest.raises(anabranch.TraceError, match=function.__name__) as raised:
        anabranch.jit(lambda x: function(x, *args))(X)
    assert "hint: " in str(raised.value)


def test_insert_at_traced_places_is_refused():
    with pytest.raises(anabranch.TraceError, match=r"np\.insert at traced places"):
        anabranch.jit(lambda x, i: np.insert(x, i, 1.0))(X, VECTOR)
    with pytest.raises(anabranch.BoundsError):
        anabranch.jit(lambda i: np.choose(i, [1.0, 2.0]))(VECTOR)
