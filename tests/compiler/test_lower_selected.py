"""``x[mask]`` with a traced mask: sums, ufuncs and stores, as NumPy has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import anabranch

X = np.array([0.5, -1.25, 2.0, -0.3, 0.9, 1.7, -2.2])
M = np.sin(np.arange(12.0) ** 2).reshape(3, 4)

VECTORS: list[Callable[[Any], Any]] = [
    lambda x: x[x > 0].sum(),
    lambda x: np.mean(x[x > 0] ** 2),
    lambda x: np.sqrt(x[x > 0]).max() + x[x < 0].min(),
    lambda x: (x[x > 0] - x[x > 0].mean()).std() + np.var(x[x < 0], ddof=1),
    lambda x: np.dot(x[x > 0], 2.0 * x[x > 0]) + np.vdot(x[x < 0], x[x < 0]),
    lambda x: len(x[x > 0]) * x.sum() / x[x < 0].size,
    lambda x: np.log(x[x > 0]).prod() - np.size(x[x > 0]),
    lambda x: np.linalg.norm(x[np.abs(x) < 1]),
    lambda x: x[0] * x[x > 0].sum() + (3 - x[x > 0]).sum(axis=0),
    lambda x: np.sum(1 / x[(x > 0) & (x < 1.8)]),
    lambda x: np.maximum(x[x > 0], 1.0).sum() + np.where(x > 0, x, 0)[x > 0].sum(),
    lambda x: 2.0 * x[x > 9].sum() + x[x > -9].sum(),
]


@pytest.mark.parametrize("function", VECTORS)
def test_reductions(same, function):
    for x in (X, -X):
        same(function, x, rtol=1e-13)
        anabranch.check_grads(function, (x,), order=2)


def test_several_axes(same):
    def function(m):
        rows = m[m[:, 0] >= 0]
        return (rows.sum(axis=0), rows.mean(axis=0), rows.mean(), m[m > 0].sum())

    same(function, M, rtol=1e-13)
    same(lambda m: m[m[:, 0] >= 0].max(axis=0), M)


@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.uint16, np.float32, bool])
def test_dtypes(same, dtype):
    def function(x):
        chosen = x[x > 0]
        return chosen.sum(), chosen.max(), x[x < 5].min(), chosen.any(), chosen.all()

    same(function, np.array([3, 0, 1, 7, 2]).astype(dtype), rtol=1e-6)
    same(lambda x: x[x > 0].mean(), np.array([3, 0, 1, 7]).astype(dtype))


def test_integers_that_do_not_count_fail_no_check(same):
    def function(x):
        return np.sum(2 ** x[x >= 0]), np.sum(60 // x[x > 0]), np.sum(60 % x[x > 0])

    same(function, np.array([3, -1, 0, 5, -2]))


def square_where_positive(x):
    y = x.copy()
    y[y < 0] = 0.0
    y[x > 0.6] *= 2
    y[x > 0] = x[x > 0] ** 2
    return y


def two_ways(x):
    y = np.zeros(x.shape)
    m = x > 0
    y[m] = np.sqrt(x[m])
    y[~m] = 2 * x[~m]
    y[m] += x[m]
    return y


def chosen_and_changed(x):
    m = x > 0
    v = x[m]
    w = v
    v *= 3
    x = x * 2
    return v.sum() + w.sum() + x[m].sum()


@pytest.mark.parametrize(
    "function", [square_where_positive, two_ways, chosen_and_changed]
)
def test_stores(same, function):
    for x in (X, -X):
        same(function, x, rtol=1e-14)
        anabranch.check_grads(function, (x,), order=2)


def test_rows_are_stored(same):
    def function(m):
        out = np.zeros(m.shape, np.float32)
        rows = m[:, 1] > 0
        out[rows] = m[rows] * 2
        return out

    same(function, M)


def test_a_value_that_was_selected_stays(same):
    def function(x):
        y = x.copy()
        v = y[y > 0]
        y += 10
        return v.sum(), y[x > 0].sum()

    same(function, X, rtol=1e-14)


def test_the_largest_of_none_is_an_error(backend):
    compiled = anabranch.jit(lambda x: x[x > 1].max(), backend=backend)
    assert compiled(X) == 2.0
    for function in (compiled, lambda x: x[x > 1].max()):
        with pytest.raises(ValueError, match="zero-size array to reduction operation"):
            function(0 * X)
    assert np.isnan(anabranch.jit(lambda x: x[x > 9].mean(), backend=backend)(X))


REFUSED: list[Callable[[Any], Any]] = [
    lambda x: x[x > 0],
    lambda x: x[x > 0][0],
    lambda x: np.sort(x[x > 0]),
    lambda x: x[x > 0] + x[x > 0.1],
    lambda x: x[x > 0] * np.ones(3),
    lambda x: [v for v in x[x > 0]],  # noqa: C416
    lambda x: x[x > 0].cumsum(),
    lambda x: np.add.accumulate(x[x > 0]),
    lambda x: x[x > 0].sum(keepdims=True),
    lambda x: float(x[x > 0]),
    lambda x: np.concatenate([x, x[x > 0]]),
]


@pytest.mark.parametrize("function", REFUSED)
def test_refused_with_the_line(function):
    with pytest.raises(anabranch.TraceError, match="result of unknown shape") as raised:
        anabranch.jit(function)(X)
    assert __file__ in str(raised.value)
    assert "lambda x: " in str(raised.value)


def test_it_is_an_array_where_somebody_asks(same):
    def function(x):
        v = x[x > 0]
        if isinstance(v, np.ndarray) and type(v) is np.ndarray and v.ndim == 1:
            return v.sum()
        return x

    same(function, X, rtol=1e-14)


def in_a_branch(x):
    total = 0.0
    if x[0] > 0:
        v = x[x > 0.6]
        total = v.sum()
    for v in x:
        total += x[x > v].sum()
    return total


@pytest.mark.parametrize("as_nodes", [False, True])
def test_in_branches_and_loops(same, as_nodes, request):
    if as_nodes:
        request.getfixturevalue("forced")
    for x in (X, -X):
        same(in_a_branch, x, rtol=1e-14)
        anabranch.check_grads(in_a_branch, (x,))


def test_masks_that_were_changed_are_others():
    def function(x):
        m = x > 0
        y = np.zeros(x.shape)
        v = x[m]
        m[0] = False
        y[m] = v
        return y

    with pytest.raises(anabranch.TraceError, match="unknown shape"):
        anabranch.jit(function)(X)
