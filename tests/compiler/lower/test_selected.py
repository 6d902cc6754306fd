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
    lambda x: np.median(x[x > 0]) + np.median(x[x > -9]) + np.median(x[x < 0.95]),
    lambda x: np.sort(x[x > 0])[0] - np.sort(x[x > 0])[-1] * np.sort(x[x < 0])[1],
    lambda x: (np.sort(x[x > 0]) * np.arange(4)[2]).sum(),
    lambda x: (np.sort(x[x > 0])[1:3] ** 2).sum() + np.sort(x[x < 1])[::-1][0],
    lambda x: np.quantile(x[x > 0], 0.3) + np.percentile(x[x < 0], [25.0, 80.0]),
    lambda x: np.quantile(x[x > 0], x[4] ** 2 / 3, method="hazen"),
    lambda x: x[x > 0][0] * x[x > 0][-1] + x[x < 0][1],
    lambda x: x[x > 0][1:].sum() + x[x > 0][:-1].prod() + x[x > 0][::2].sum(),
    lambda x: x[x > 0][x[x > 0] > 0.7].sum() * x[np.where(x > 0)].max(),
    lambda x: x[np.nonzero(x < 0)].sum() + x[np.flatnonzero(x > 1)].prod(),
    lambda x: x[np.argmax(x[x > -9])] + x[x > 0][x[x > 0].argmin()],
    lambda x: np.average(x[x > 0]) + np.average(x[x > 0], weights=x[x > 0] ** 2),
    lambda x: x[x > 0] @ x[x > 0] + np.ptp(x[x > 0]) + np.nanmean(x[x > 0]),
    lambda x: sum(np.linalg.norm(x[x > 0], p) for p in (1, 2, 3, np.inf, -np.inf)),
    lambda x: np.cov(x[x > 0], np.sin(x[x > 0])) + np.cov(x[x < 0]),
    lambda x: np.corrcoef(x[x > 0], np.sin(x[x > 0]))[0, 1],
    lambda x: (
        np.clip(x[x > 0], 0.6, 1.0).sum() + np.where(x[x > 0] > 1, x[x > 0], 2).sum()
    ),
    lambda x: np.cumsum(x[x > 0])[-1] * np.cumsum(x[x > 0])[1] + sum(x[x > 0]),
    lambda x: np.concatenate([x[x > 0], x[:2], x[x < 0]]).sum(keepdims=True),
    lambda x: np.histogram(x[x > 0], [0.0, 1.0, 3.0], weights=x[x > 0])[0],
    lambda x: np.bincount((x[x > 0] + 0.05).astype(int), weights=x[x > 0], minlength=4),
    lambda x: np.max(x[x > 0], initial=1.9) + x[x > 0].sum(dtype=float),
    lambda x: x[x > 0].copy().ravel().reshape(-1).T.sum() * x[x > 0].shape[0],
    lambda x: np.linalg.norm(x[x > 9]) + np.std(x[x > 1.8]),
    lambda x: np.var(x, where=x > 0) + np.std(x, where=x < 0, ddof=1),
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
    same(
        lambda m: m[m[:, 0] >= 0].mean(axis=1)[0] + m[m[:, 0] >= 0, 1].sum(),
        M,
        rtol=1e-13,
    )
    same(
        lambda m: m[m[:, 0] >= 0][:, 1:3].sum() + m[m[:, 1] > 0, 1:].sum(),
        M,
        rtol=1e-13,
    )
    same(lambda m: m.T[m[0] > 0].sum(), M, rtol=1e-13)
    same(lambda m: (m[np.where(m > 0)][1], m[m > 0][0], m[m[:, 0] >= 0][-1]), M)
    same(lambda m: np.where(m > 0)[1].sum(), M)


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


def beside_the_mask(x):
    y, z, w = np.zeros((x.size, 3)), np.zeros((2, x.size)), x.copy()
    m = x > 0
    y[m, 1] = 5.0
    y[~m, 1:] = 2.0
    z[:, m] = x[0]
    z.T[~m] *= 3
    z[1, m] = x[m] ** 2
    w[np.where(m)] = 0.5
    w[np.nonzero(~m)] *= 2
    return y, z, w * x


def changed_further(x):
    v = x[x > 0]
    v[v > 1] = 0.25
    v[:1] += 3.0
    return v.sum()


@pytest.mark.parametrize(
    "function",
    [
        *(square_where_positive, two_ways, chosen_and_changed),
        *(beside_the_mask, changed_further),
    ],
)
def test_stores(same, function):
    for x in (X, -X):
        same(function, x, rtol=1e-14)
        anabranch.check_grads(function, (x,), order=2)


def test_one_value_for_each(same, backend):
    def function(x, v):
        y = np.zeros(x.shape)
        y[x > 0] = v
        return y * x

    values = np.arange(1.0, 5.0)
    same(function, X, values)
    same(function, X, values[:1])
    anabranch.check_grads(function, (X, values), order=2)
    with pytest.raises(ValueError, match="cannot assign 3 input values"):
        anabranch.jit(function, backend=backend)(X, values[:3])


def test_nan_and_none(same):
    def function(x):
        return np.median(x[x != 5]), np.sort(x[x != 5])[-1], np.max(x[x != 5])

    same(function, np.array([1.0, np.nan, 5.0, 2.0]))
    same(function, np.array([np.nan, 5.0, -np.inf]))
    made = anabranch.jit(lambda x: np.median(x[x > 9]))(X)
    assert np.isnan(made)


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (lambda x: x[x > 9][0], IndexError, "out of bounds"),
        (lambda x: x[x > 0][4], IndexError, "out of bounds"),
        (lambda x: x[x > 0][-5], IndexError, "out of bounds"),
        (lambda x: np.quantile(x[x > 9], 0.5), IndexError, "needs an element"),
        (lambda x: x[x > 9].argmax(), ValueError, "attempt to get argmax"),
    ],
)
def test_what_is_not_there(backend, function, error, message):
    with pytest.raises(error):
        function(X)
    with pytest.raises(error, match=message) as raised:
        anabranch.jit(function, backend=backend)(X)
    assert __file__ in str(raised.value)


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
    lambda x: x[x > 0][:2],
    lambda x: np.sort(x[x > 0]),
    lambda x: np.nonzero(x > 0),
    lambda x: x[np.nonzero(x > 0)[0] + 1],
    lambda x: np.diff(x[x > 0]).sum(),
    lambda x: np.unique(x[x > 0]).sum(),
    lambda x: np.interp(0.5, x[x > 0], x[x > 0]),
    lambda x: np.histogram(x[x > 0], 3),
    lambda x: x[x > 0].std(axis=0, keepdims=True),
    lambda x: x[x > 0] + x[x > 0.1],
    lambda x: x[x > 0] * np.ones(3),
    lambda x: [v for v in x[x > 0]],  # noqa: C416
    lambda x: x[x > 0].cumsum(),
    lambda x: np.add.accumulate(x[x > 0]),
    lambda x: float(x[x > 0]),
    lambda x: np.concatenate([x, x[x > 0]]),
]


@pytest.mark.parametrize(
    "function",
    [
        lambda m: m[:, m[0] > 0].sum(),
        lambda m: m[[0, 1, 2, 2], m[0] > 0].sum(),
    ],
)
def test_masks_behind_other_axes_are_refused(function):
    with pytest.raises(anabranch.TraceError, match=r"in front of it[\s\S]*x\.T\[mask"):
        anabranch.jit(function)(M)


def test_a_store_beside_arrays_is_refused():
    def function(m):
        y = m.copy()
        y[[0, 1, 2, 2][:1], m[0] > 0] = 1.0
        return y

    with pytest.raises(anabranch.TraceError, match="slices and numbers beside"):
        anabranch.jit(function)(M)


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
