"""Sorting, searching and quantiles give NumPy's values, and gradients differences'."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import anabranch
from anabranch.compiler.lower.quantiles import _METHODS

SHAPES = [(1,), (7,), (60,), (4, 5), (2, 3, 4), (3, 1, 2), (0,), (0, 3), (3, 0)]
DTYPES = ["f8", "f4", "i8", "i4", "u1", "i2", "u8", "?"]
METHODS = sorted(_METHODS.keys() - {"median"})
NAN = np.nan
searchsorted: Any = np.searchsorted
quantile: Any = np.quantile


def sample(shape, dtype="f8"):
    rng = np.random.default_rng(int(np.prod(shape)) + len(shape))
    return (4 * rng.normal(size=shape)).astype(dtype)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_sort_along_each_axis(same, shape):
    x = sample(shape)
    for axis in (None, *range(-x.ndim, x.ndim)):
        same(lambda x, a=axis: np.sort(x, axis=a), x)
        same(lambda x, a=axis: np.argsort(x, axis=a, kind="stable"), x)


@pytest.mark.parametrize("dtype", DTYPES)
def test_sort_of_each_dtype(same, dtype):
    for shape in ((9,), (3, 70)):
        x = sample(shape, dtype)
        same(lambda x: np.sort(x), x)
        same(lambda x: np.argsort(x, stable=True), x)


def test_nan_is_last_and_zeros_of_both_signs_are_equal(same):
    x = np.array([0.0, NAN, -0.0, 2.0, -np.inf, NAN, np.inf, -0.0, 0.0])
    same(lambda x: np.argsort(x, kind="stable"), x)
    same(lambda x: np.sort(x, kind="stable"), x)


def test_long_rows_of_every_kind(same):
    """Keys that differ in few or many digits, in low ones alone, or not at all."""
    rng = np.random.default_rng(0)
    count = 3000
    rows = [
        rng.normal(size=count),
        rng.integers(0, 40, count) / 8,
        1 + rng.permutation(count) * 2.0**-52,
        np.where(rng.random(count) < 0.5, 1 + rng.random(count) * 1e-13, 3.0),
        np.zeros(count),
        np.sort(rng.normal(size=count))[::-1],
    ]
    table = np.stack(rows)
    same(lambda x: np.argsort(x, kind="stable"), table)
    same(lambda x: np.argsort(x, kind="stable"), table.astype("f4"))
    same(lambda x: np.argsort(x, kind="stable"), table.view(np.int64))
    same(lambda x: np.argsort(x, kind="stable"), (table * 1e3).astype("u8"))


def test_sort_of_views_and_methods(same):
    x = sample((6, 8))
    same(lambda x: np.sort(x[::2, ::-3]), x)
    same(lambda x: x.T.argsort(0, kind="stable"), x)

    def in_place(x):
        y = x.copy()
        y.sort(axis=0)
        y[1:].sort()
        return y

    same(in_place, x)


def test_partition_has_its_entry_in_place(same):
    x = sample((4, 9))
    same(lambda x: np.partition(x, 3)[:, 3], x)
    same(lambda x: np.take_along_axis(x, np.argpartition(x, 2, 0)[2:3], 0), x)
    with pytest.raises(ValueError, match="kth"):
        anabranch.jit(lambda x: np.partition(x, 12))(x)


def test_lexsort(same):
    x = np.round(sample((3, 20)))
    same(lambda x: np.lexsort(x), x)
    same(lambda x: np.lexsort((x[0] > 0, x[1])), x)
    same(lambda x: np.lexsort((x, -x[::-1]), axis=0), x)


def test_gradients_of_sorts():
    x, w = sample((4, 6)), np.arange(24.0).reshape(4, 6)
    anabranch.check_grads(lambda x: np.sum(w * np.sort(x, 0) ** 3), (x,), order=2)
    anabranch.check_grads(lambda x: np.sort(x, None)[3:9] ** 2, (x,), order=2)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("method", METHODS)
def test_quantiles(same, method):
    x = sample((5, 8))
    holes = np.where(np.arange(40).reshape(5, 8) % 3 == 0, NAN, x)
    holes[2] = NAN
    for q in (0, 0.3, 1.0, np.linspace(0, 1, 9), np.array([[0.2, 0.9]])):
        same(lambda x, q=q: quantile(x, q, method=method), x, rtol=1e-12)
        for axis in (0, 1):
            for y in (x, holes, np.round(x).astype(int)):

                def both(y, q=q, axis=axis):
                    whole = quantile(y, q, axis, method=method)
                    return whole, np.nanquantile(y, q, axis, method=method)

                same(both, y, rtol=1e-12)
    anabranch.check_grads(
        lambda x: quantile(x, [0.2, 0.7], 1, method=method) ** 2, (x,), order=2
    )


@pytest.mark.skipif(
    np.lib.NumpyVersion(np.__version__) < "2.4.0", reason="NumPy has other ones"
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("method", METHODS)
def test_quantiles_beside_infinities(same, method):
    """NumPy's, which are NaN where its line is."""
    inf = np.inf
    rows = [[1, 2, 2.5, inf, inf], [-inf, 1, 2, 3, inf], [-inf, -inf, 1, 3, inf]]
    x, q = np.array(rows), np.linspace(0, 1, 9)
    same(lambda x: quantile(x, q, axis=1, method=method), x)
    same(lambda x, q: quantile(x, q, axis=1, method=method), x, q)
    same(lambda x: (quantile(x, 0, 1, method=method), quantile(x, 1, 1)), x)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_quantiles_of_nothing(same):
    for shape, axis in (((0,), None), ((0, 3), 0), ((3, 0), 1), ((0, 3), 1)):
        x = np.zeros(shape)
        for q in (0.5, [0.2, 0.5]):
            same(lambda x, q=q, a=axis: np.nanquantile(x, q, a), x)
        same(lambda x, a=axis: (np.median(x, a), np.nanmedian(x, a)), x)
    same(lambda x: quantile(x, [0.2, 0.5], 1), np.zeros((0, 3)))
    with pytest.raises(IndexError, match="a quantile of no elements"):
        anabranch.jit(lambda x: quantile(x, 0.5))(np.zeros(0))


def test_arguments_of_quantiles(same):
    x = sample((3, 4, 5))
    same(lambda x: np.percentile(x, 30, (0, 2)), x, rtol=1e-12)
    same(lambda x: np.percentile(x, [30, 70], 1, keepdims=True), x, rtol=1e-12)
    same(lambda x: np.nanpercentile(x, 30, keepdims=True), x, rtol=1e-12)
    same(lambda x: quantile(x, 0.3), x.astype("f4"), rtol=1e-6)
    same(lambda x: quantile(x, np.array([0.3])), x.astype("f4"), rtol=1e-6)
    same(lambda x: np.percentile(x, [30, 70]), x.astype("f4"), rtol=1e-6)
    same(lambda x: np.nanpercentile(x, np.int8(30)), x.astype("f4"), rtol=1e-6)
    same(lambda x: quantile(x, [0, 1]), x.astype("f4"), rtol=1e-6)
    same(lambda x, q: quantile(x, q), x, np.array([0.3, 0.1]), rtol=1e-12)
    anabranch.check_grads(
        lambda x, q: quantile(x, q), (x, np.array([0.31, 0.77])), order=2
    )


def test_few_quantiles_sort_no_positions_and_have_the_gradient_of_many():
    """With ties, and a NaN."""
    x = np.round(sample((3, 40)))
    x[1, 4] = NAN

    def made(q, weights):
        f = anabranch.grad(lambda x: np.sum(weights @ quantile(x, q, 1)))
        return f(x), "argsort" in f.inspect_ir()

    few, many = np.array([0.2, 0.5]), np.linspace(0.1, 0.9, 10)
    many[:2] = few
    found, sorts = made(few, np.array([1.0, 2.0]))
    wanted, sorts_many = made(many, np.array([1.0, 2.0, *np.zeros(8)]))
    np.testing.assert_array_equal(found, wanted)
    assert (sorts, sorts_many) == (False, True)


def test_quantiles_have_to_be_inside():
    x = sample((5,))
    with pytest.raises(anabranch.DomainError, match=r"range \[0, 1\]"):
        anabranch.jit(lambda x: quantile(x, 1.5))(x)
    with pytest.raises(anabranch.DomainError, match=r"range \[0, 100\]"):
        anabranch.jit(np.percentile)(x, 101.0)
    with pytest.raises(anabranch.UnsupportedError, match="weights"):
        anabranch.jit(lambda x: quantile(x, 0.5, weights=x, method="inverted_cdf"))(x)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_median(same):
    for shape in ((1,), (7,), (4, 5), (2, 3, 4)):
        x = sample(shape)
        for axis in (None, *range(-x.ndim, x.ndim)):
            same(lambda x, a=axis: np.median(x, axis=a), x, rtol=1e-12)
            same(lambda x, a=axis: np.nanmedian(x, a, keepdims=True), x, rtol=1e-12)
    same(lambda x: np.median(x), np.array([1.0, np.inf, np.inf]))
    same(lambda x: np.median(x), np.array([4, 1, 2, 2]))
    same(lambda x: (np.median(x), np.nanmedian(x)), np.array([4.0, NAN, 2.0]))
    same(lambda x: np.median(x, 0), np.zeros((0, 3)))
    parts = [1 + 2j, complex(NAN, 1), 3], [1 + 2j, complex(1, NAN), 3], [1j, 2, 3]
    same(lambda z: (np.median(z, 1), np.nanmedian(z, 1)), np.array(parts))
    holes = np.arange(20).reshape(4, 5) % 3 == 0
    anabranch.check_grads(
        lambda x: np.nanmedian(np.where(holes, NAN, x), 1) ** 2,
        (sample((4, 5)),),
        order=2,
    )


def test_searchsorted(same):
    row = np.sort(np.round(sample((20,))))
    values = np.array([*row, -99.0, 99.0, 0.3, NAN]).reshape(2, 12)
    for side in ("left", "right"):
        same(lambda a, v, s=side: searchsorted(a, v, s), row, values)
        same(lambda a, v, s=side: a.searchsorted(v, s), row.astype("i4"), values)
        same(lambda a, s=side: searchsorted(a, 0.5, s), row.astype("f4"))
    same(lambda a: searchsorted(a[::-1], a, sorter=np.arange(20)[::-1]), row)
    same(lambda a: searchsorted(a, np.zeros(2)), np.zeros(0))
    same(
        lambda a: (searchsorted(a, 300), searchsorted(a, -200)),
        np.arange(3, dtype="i1"),
    )
    same(lambda a: searchsorted(a, 0.1), np.array([0.1], "f4"))
    same(searchsorted, np.arange(3, dtype="i1"), 300)
    with pytest.raises(anabranch.DomainError, match="neither left nor right"):
        anabranch.jit(lambda a: searchsorted(a, 1.0, "middle"))(row)


def test_digitize(same):
    bins, x = np.array([-2.0, 0.0, 0.0, 3.0]), sample((3, 5))
    for right in (False, True):
        for edges in (bins, bins[::-1].copy()):
            same(lambda x, e=edges, r=right: np.digitize(x, e, r), x)
            same(lambda x, e, r=right: np.digitize(x, e, r), x, edges)
    for edges in ([1, 2, NAN], [NAN, 2, 1], [NAN, NAN, 1], [2, 1, NAN], [NAN], [2]):
        row = np.array([0, 1, 1.5, 2, 3, NAN])
        same(lambda x, e=edges: np.digitize(x, e), row)
        same(lambda x, e: np.digitize(x, e, right=True), row, np.array(edges, float))
    for edges in ([0.0, 2.0, 1.0], [NAN, 1.0, 2.0]):
        with pytest.raises(ValueError, match="monotonic"):
            anabranch.jit(np.digitize)(x, np.array(edges))


@pytest.mark.parametrize(
    ("x", "edges"),
    [
        (np.array([4, 9, 0, 1], "u1"), np.array([9, 5, 1], "u1")),
        (np.array([True, True, False]), np.array([True, False])),
        (np.array([4, -128], "i1"), np.array([5, 1, -128], "i1")),
    ],
)
def test_digitize_by_edges_that_fall_in_narrow_dtypes(same, x, edges):
    for right in (False, True):
        same(lambda x, r=right: np.digitize(x, edges, r), x)
        same(lambda x, e, r=right: np.digitize(x, e, r), x, edges)


def test_interp_of_complex_values_is_refused():
    with pytest.raises(anabranch.DTypeError, match="complex"):
        anabranch.jit(lambda x: np.interp(x, [0.0, 1.0], [1.0, 1j]))(np.ones(2))


def test_interp(same):
    rng = np.random.default_rng(1)
    xp, fp, x = np.arange(9) * 0.5 - 2.03, rng.normal(size=9), sample((3, 6))
    at_knots = np.array([*xp, NAN, 9.0, -9.0])
    for points in (x, at_knots, 0.3, at_knots.astype("f4")):
        same(lambda x, xp, fp: np.interp(x, xp, fp), points, xp, fp, rtol=1e-12)
        same(lambda x: np.interp(x, xp, fp, left=7, right=8.0), points, rtol=1e-12)
        same(lambda x: np.interp(x, xp, fp, period=1.7), points, rtol=1e-11)
        same(lambda x: np.interp(x, xp[:1], fp[:1]), points, rtol=1e-12)
    anabranch.check_grads(np.interp, (np.linspace(-2.2, 2.3, 8), xp, fp), order=2)
    with pytest.raises(anabranch.ShapeError, match="one size"):
        anabranch.jit(lambda x: np.interp(x, xp, fp[1:]))(x)


def test_a_table_is_read_at_traced_places(same):
    """A constant table, indexed by what is computed of the argument."""
    w = np.array([0.5, 2.0])

    def looked_up(w):
        return np.sum(w * np.array([3.0, 5.0, 7.0])[np.floor(w).astype(int)])

    same(looked_up, w)
    np.testing.assert_array_equal(anabranch.grad(looked_up)(w), [3.0, 7.0])
    chosen = anabranch.grad(lambda w: np.sum(w[w > 1] ** 2))
    np.testing.assert_array_equal(chosen(w), [0.0, 4.0])
