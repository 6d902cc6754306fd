"""Statistics, differences and convolutions give NumPy's values and true gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import anabranch
from tests.compiler.everyday import (
    VECTOR,
    WEIGHTS,
    X,
    Y,
    check_case,
    check_slope,
)

SQUARES = np.arange(7.0) ** 1.5
histogram: Any = np.histogram
gradient: Any = np.gradient
convolve: Any = np.convolve
SMOOTH: list[Any] = [
    (lambda t: np.cov(t), Y),
    (lambda t: np.cov(t), X),
    (lambda t, u: np.cov(t, u), X, X[::-1] ** 2),
    (lambda t: np.cov(t, rowvar=False, bias=True), Y),
    (lambda t, w: np.cov(t, aweights=w), Y, np.abs(X[:5])),
    (lambda t: np.cov(t, fweights=[1, 2, 1, 3, 1]), Y),
    (
        lambda t, w: np.cov(t, fweights=[1, 2, 1, 3, 1], aweights=w, ddof=0),
        Y,
        np.abs(X[:5]),
    ),
    (lambda t: np.corrcoef(t), Y),
    (lambda t, u: np.corrcoef(t, u), X, X[::-1] ** 2),
    (lambda w: np.bincount(VECTOR, w), WEIGHTS),
    (lambda w: np.bincount(VECTOR, weights=w, minlength=6), WEIGHTS),
    (lambda i, w: np.bincount(i, w, minlength=7), VECTOR, WEIGHTS),
    (lambda w: histogram(X, weights=w)[0], X**2),
    (lambda w: histogram(X, [-1.0, 0, 0.5, 2], weights=w)[0], X**2),
    (lambda w: histogram(X, 5, (0, 1), weights=w, density=True)[0], X**2),
    (lambda t: np.histogram_bin_edges(t, 4), Y),
    (lambda w: np.histogram2d(X, X[::-1] ** 2, 3, weights=w, density=True)[0], X**2),
    (
        lambda w: np.histogram2d(
            X, X[::-1] ** 2, [[-1, 0, 1.0], [0, 1, 2, 3.0]], weights=w
        )[0],
        X**2,
    ),
    (lambda t: np.cumulative_sum(t, axis=1, include_initial=True), Y),
    (lambda t: np.cumulative_prod(t), X),
    (lambda t: np.ediff1d(t), Y),
    (lambda t: np.ediff1d(t, to_begin=1.0, to_end=[2.0, 3.0]), Y),
    (lambda t: np.trapezoid(t), Y),
    (lambda t: np.trapezoid(t, dx=0.3, axis=0), Y),
    (lambda t, u: np.trapezoid(t, u, axis=0), Y, np.arange(4.0) ** 2),
    (lambda t: np.trapezoid(t, t**2), Y),
    (lambda t: np.unwrap(9 * t), X),
    (lambda t: np.unwrap(9 * t, axis=0, discont=4.0), Y),
    *(
        case
        for order in (1, 2)
        for case in (
            (lambda t, o=order: gradient(t, 0.3, edge_order=o), X),
            (lambda t, o=order: gradient(t, axis=1, edge_order=o), Y),
            (lambda t, u, o=order: gradient(t, u, edge_order=o), X, SQUARES),
            (lambda t, o=order: gradient(t, SQUARES, edge_order=o), X),
            (
                lambda t, o=order: gradient(t, 2.0, [0, 1, 3.0, 4, 6], edge_order=o),
                Y[:, :],
            ),
        )
    ),
    (lambda a: convolve(a, a), X),
    (lambda a: convolve(a, 2.0), X),
]
EXACT: list[Any] = [
    (lambda t: np.cov(t), np.arange(12).reshape(3, 4) ** 2),
    (lambda t: np.corrcoef(t), X),
    (lambda i: np.bincount(i, minlength=7), VECTOR),
    (lambda t: histogram(t), Y),
    (lambda t: histogram(t, 5, (-1.0, 1)), Y),
    (lambda t: histogram(t, 4), np.full(3, 2.0)),
    (lambda t: histogram(t, 3), np.arange(9)),
    (lambda t: histogram(t, 4), np.zeros(0)),
    (lambda t: histogram(t, [-1.0, 0, 0.5, 2]), Y),
    (lambda t, u: np.histogram2d(t, u, (3, 4)), X, X[::-1] ** 2),
    (lambda t: np.histogramdd(t, (2, 3))[0], Y[:, :2]),
    (lambda t: np.trapezoid(t), np.arange(5)),
    (lambda t: gradient(t), Y),
    (lambda t: gradient(t, SQUARES), X.astype("f4")),
    (lambda t: gradient(t), np.arange(6) ** 2),
    (lambda t: np.unwrap(t, period=5), np.array([0, 4, 8, 2, 7])),
    (lambda t: np.unwrap(t, period=4), np.array([0, 2, 8, 2, 7])),
]


def test_dtypes_of_covariances(same):
    x = Y.astype(np.float32)
    w = np.arange(1, 6)
    same(lambda x: np.cov(x, dtype=np.float32), x, rtol=1e-6)
    same(lambda x, w: np.cov(x, aweights=w), x, w.astype(np.float32), rtol=1e-12)
    same(lambda x, w: np.cov(x, fweights=w), x, w, rtol=1e-12)
    same(lambda x: np.cov(x[0][x[0] > 0]), x, rtol=1e-6)
    same(lambda x: np.linalg.norm(x[0][x[0] > 0], 0), x)


@pytest.mark.parametrize("number", range(len(SMOOTH + EXACT)))
def test_values(same, number):
    check_case(same, (SMOOTH + EXACT)[number])


@pytest.mark.parametrize("number", range(len(SMOOTH)))
def test_gradients(number):
    check_slope(SMOOTH[number])


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
def test_convolutions(same, mode):
    rng = np.random.default_rng(0)
    for n, m in ((7, 3), (3, 7), (7, 4), (4, 7), (5, 5), (1, 4), (6, 1)):
        rows = rng.normal(size=n), rng.normal(size=m)
        whole = np.arange(n), np.arange(m) + 2

        def both(a, v):
            return convolve(a, v, mode), np.correlate(a, v, mode)

        same(both, *rows, rtol=1e-12)
        same(both, *whole)
    check_slope((both, rng.normal(size=6), rng.normal(size=3)))


def test_sizes_that_only_values_tell_are_refused():
    with pytest.raises(anabranch.TraceError, match=r"minlength=n"):
        anabranch.jit(lambda i: np.bincount(i))(VECTOR)
    with pytest.raises(anabranch.BoundsError, match="not from 0 to 1"):
        anabranch.jit(lambda i: np.bincount(i, minlength=2))(VECTOR)
    with pytest.raises(anabranch.TraceError, match="how many bins"):
        anabranch.jit(lambda t: np.histogram(t, "auto"))(X)
