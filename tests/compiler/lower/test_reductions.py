"""Reductions, positions of extrema and running sums give NumPy's values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import anabranch

SHAPES = [(), (1,), (5,), (3, 4), (2, 3, 4), (2, 1, 3), (0,), (3, 0), (0, 3)]
REDUCTIONS = [np.sum, np.prod, np.mean, np.max, np.min, np.var, np.std, np.ptp]
RTOL = 1e-12
norm: Any = np.linalg.norm


def sample(shape, dtype="f8"):
    rng = np.random.default_rng(int(np.prod(shape)) + len(shape))
    return rng.normal(size=shape).astype(dtype)


def axes_of(rank):
    """None, every axis from both ends, no axis, pairs, all."""
    pairs = [(0, -1), (1, 0)] if rank > 1 else []
    return [None, *range(-rank, rank), (), *pairs, tuple(range(rank))]


def has_nothing_to_reduce(shape, axis):
    axes = range(len(shape)) if axis is None else np.atleast_1d(axis).astype(int)
    return any(shape[i] == 0 for i in axes)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("function", REDUCTIONS)
def test_axis_and_keepdims(same, function, shape):
    x = sample(shape)
    for axis in axes_of(x.ndim):
        if function in (np.max, np.min, np.ptp) and has_nothing_to_reduce(shape, axis):
            continue
        same(lambda x, a=axis: function(x, axis=a), x, rtol=RTOL)
        same(lambda x, a=axis: function(x, axis=a, keepdims=True), x, rtol=RTOL)


@pytest.mark.parametrize("function", REDUCTIONS)
def test_float32(same, function):
    x = sample((7, 5), "f4")
    same(lambda x: function(x), x, rtol=1e-6)
    same(lambda x: function(x, axis=1), x, rtol=1e-6)


@pytest.mark.parametrize("name", "sum prod mean max min var std any all".split())
def test_method(same, name):
    x = sample((3, 4))
    same(lambda x: getattr(x, name)(), x, rtol=RTOL)
    same(lambda x: getattr(x, name)(0), x, rtol=RTOL)
    same(lambda x: getattr(x, name)(axis=-1, keepdims=True), x, rtol=RTOL)


@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_positions(same, name):
    function = getattr(np, name)
    for x in (
        np.array([[1.0, 3.0, 3.0], [4.0, 4.0, -1.0]]),
        np.array([[np.nan, 1.0, np.nan], [0.0, -0.0, -np.inf]]),
        np.array([[2, 1, 2], [0, 0, 0]], np.int8),
        np.array([[True, False, True]]),
    ):
        same(function, x)
        for axis in (0, 1, -1):
            same(lambda x, a=axis: function(x, axis=a), x)
            same(lambda x, a=axis: function(x, axis=a, keepdims=True), x)
            same(lambda x, a=axis: getattr(x, name)(a), x)
        same(lambda x: function(x, keepdims=True), x)
        same(lambda x: function(x.T, axis=0), x)


@pytest.mark.parametrize("function", [np.cumsum, np.cumprod])
@pytest.mark.parametrize("dtype", ["f8", "f4", "i4", "u1", "?"])
def test_running(same, function, dtype):
    x = np.array([[1, 2, 3], [0, 5, 1]], dtype)
    same(lambda x: function(x, 1, bool), x)
    for axis in (None, 0, 1, -1):
        same(lambda x, a=axis: function(x, axis=a), x, rtol=1e-12)
    same(lambda x: function(x, dtype=np.float32), x)
    same(lambda x: function(x[:0], axis=0), x)


def test_running_methods(same):
    x = sample((3, 4))
    same(lambda x: (x.cumsum(), x.cumsum(1), x.cumprod(axis=0)), x, rtol=RTOL)
    same(lambda x: (np.add.accumulate(x), np.multiply.accumulate(x, 1)), x, rtol=RTOL)


@pytest.mark.parametrize("ufunc", "add multiply maximum minimum".split())
def test_reduce_of_a_ufunc(same, ufunc):
    x = sample((3, 4))
    reduce = getattr(np, ufunc).reduce
    same(lambda x: reduce(x), x, rtol=RTOL)
    same(lambda x: reduce(x, axis=1), x, rtol=RTOL)
    same(lambda x: reduce(x, axis=(0, 1), keepdims=True), x, rtol=RTOL)
    same(lambda x: reduce(x, None), x, rtol=RTOL)


@pytest.mark.parametrize("ufunc", ["logical_and", "logical_or"])
def test_reduce_of_a_logical_ufunc(same, ufunc):
    reduce = getattr(np, ufunc).reduce
    x = np.array([[1.0, 0.0], [2.0, 3.0]])
    same(lambda x: (reduce(x), reduce(x, axis=1), reduce(x, None)), x)


def test_add_reduce_of_bools(same):
    """np.add.reduce counts, as np.sum does."""
    same(np.add.reduce, np.array([True, True, False]))
    same(np.multiply.reduce, np.array([True, True, False]))


def test_arguments_by_position(same):
    """In NumPy's order, ``out`` among them."""
    x = sample((3, 4))
    same(lambda x: np.sum(x, 0, None, None, True), x, rtol=RTOL)
    same(lambda x: x.sum(0, None, None, True, 2.0), x, rtol=RTOL)
    same(lambda x: x.sum(0, np.float32, None, True), x, rtol=1e-6)
    same(lambda x: (np.max(x, 1, None, True), x.min(0, None, True, -9.0)), x)
    same(lambda x: (np.mean(x, 0, None, None, True), x.mean(1, "f8")), x, rtol=RTOL)
    same(lambda x: np.var(x, 0, None, None, 1, keepdims=True), x, rtol=RTOL)
    same(lambda x: x.std(1, None, None, 1), x, rtol=RTOL)
    same(lambda x: (np.argmax(x, 0, None), x.cumsum(1, None, None)), x, rtol=RTOL)
    same(lambda x: (np.any(x, 0, None, True), np.all(x, 1, None)), x)
    same(lambda x: (np.round(x, 1, None), x.take([0], 1, None, "clip")), x)
    same(lambda x: (np.trace(x, 1, 0, 1), np.diff(x, 1, 0)), x, rtol=RTOL)


def test_out_by_position(same):
    def function(x):
        y, z = np.zeros_like(x[0]), np.zeros_like(x)
        np.sum(x, 0, None, y)
        np.cumsum(x, 1, None, z)
        return y, z

    same(function, sample((3, 4)), rtol=RTOL)


@pytest.mark.parametrize("function", [np.sum, np.prod])
def test_dtype_initial_and_where_of_sums(same, function):
    x = sample((3, 4))
    mask = x > 0
    same(lambda x: function(x, dtype=np.float32), x, rtol=1e-6)
    same(lambda x: function(x.astype(np.int8), dtype=np.int8), x * 3)
    same(lambda x: function(x, initial=2.5), x, rtol=RTOL)
    same(lambda x: function(x, axis=0, initial=3), x, rtol=RTOL)
    same(lambda x, m: function(x, axis=1, where=m), x, mask, rtol=RTOL)
    same(lambda x: function(x, where=x > 0, initial=2), x, rtol=RTOL)
    same(lambda x: function(x, where=np.array([True, False, True, True])), x, rtol=RTOL)
    same(lambda x: function(x, initial=2), np.array([1, 2], np.int8))
    same(lambda x: function(x, initial=2.5), np.array([1, 2], np.float32))


@pytest.mark.parametrize("function", [np.max, np.min])
def test_initial_and_where_of_extrema(same, function):
    x = sample((3, 4))
    same(lambda x: function(x, initial=0.5), x)
    same(lambda x: function(x, axis=0, initial=0), x)
    same(lambda x: function(x, axis=0, initial=0, keepdims=True), x)
    same(lambda x: function(x, axis=1, initial=7.0), np.ones((3, 0)))
    same(lambda x: function(x, axis=1, initial=7.0, keepdims=True), np.ones((3, 0)))
    same(lambda x: function(x, axis=1, initial=7.0, where=x > 0), x)
    same(lambda x: function(x, initial=3), np.array([1, 2], np.int8))


def test_mean_with_dtype_and_where(same):
    x = sample((3, 4))
    mask = np.array([[True], [False], [True]])
    same(lambda x: np.mean(x, dtype=np.float32), x, rtol=1e-6)
    same(lambda x: np.mean(x, axis=0, where=mask), x, rtol=RTOL)
    same(lambda x: np.mean(x, where=mask, keepdims=True), x, rtol=RTOL)
    same(lambda x: np.mean(x), np.array([1, 2, 4]), rtol=RTOL)
    same(lambda x: np.mean(x, dtype=np.float64), x.astype(np.float32), rtol=RTOL)


@pytest.mark.parametrize("function", [np.var, np.std])
def test_variance_options(same, function):
    x = sample((3, 4))
    for ddof in (0, 1, 1.5):
        same(lambda x, d=ddof: function(x, axis=0, ddof=d), x, rtol=RTOL)
    same(lambda x: function(x, correction=1), x, rtol=RTOL)
    same(lambda x: function(x, axis=1, mean=x.mean(1, keepdims=True)), x, rtol=RTOL)
    same(lambda x: function(x, dtype=np.float64), x.astype(np.float32), rtol=RTOL)
    same(lambda x: function(x, dtype=np.float32), x, rtol=1e-6)
    same(lambda x: function(x), np.array([1, 2, 4], np.int16), rtol=RTOL)
    same(lambda x: function(x), np.array([True, False, True]), rtol=RTOL)


def test_variance_without_cancellation(same):
    same(np.var, np.array([1e4, 1e4 + 1, 1e4 + 2], np.float32), rtol=1e-6)
    same(np.std, np.array([1e8, 1e8 + 1, 1e8 + 2]), rtol=RTOL)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_variance_of_too_few(same):
    same(lambda x: np.var(x, ddof=1), np.ones(1))
    same(lambda x: np.var(x, ddof=2), np.ones(1))
    same(lambda x: (np.mean(x), np.var(x), np.std(x)), np.ones(0))


def test_average(same):
    x, w = sample((3, 4)), np.array([1.0, 2.0, 3.0])
    same(np.average, x, rtol=RTOL)
    same(lambda x: np.average(x, axis=1), x, rtol=RTOL)
    same(lambda x, w: np.average(x, axis=0, weights=w), x, w, rtol=RTOL)
    same(lambda x: np.average(x, weights=x * x, keepdims=True), x, rtol=RTOL)


def test_norm(same):
    x = sample((3, 4))
    same(norm, x, rtol=RTOL)
    same(lambda x: norm(x, "fro", keepdims=True), x, rtol=RTOL)
    same(lambda x: norm(x, axis=1), x, rtol=RTOL)
    same(lambda x: norm(x, 2, axis=0, keepdims=True), x, rtol=RTOL)
    same(lambda x: norm(x, axis=(0, 1)), x, rtol=RTOL)
    same(norm, x.astype(np.float32), rtol=1e-6)
    same(norm, np.array([3, 4]), rtol=RTOL)
    same(lambda x: norm(x[0] * 0.0), x)


def test_gradient_of_norm_at_zero(backend):
    gradient = anabranch.grad(norm, backend=backend)
    np.testing.assert_allclose(gradient(np.array([3.0, 4.0])), [0.6, 0.8], rtol=RTOL)
    assert gradient(np.zeros(2)).tolist() == [0.0, 0.0]


def test_diff(same):
    x = np.array([[1.0, 4.0, 9.0, 16.0], [0.0, -1.0, 2.0, 2.0]])
    same(lambda x: (np.diff(x), np.diff(x, axis=0), np.diff(x, n=2)), x)
    same(lambda x: (np.diff(x, n=0), np.diff(x, n=9)), x)
    same(np.diff, np.array([True, False, False]))
    same(lambda x: np.diff(x, prepend=0.0), x)
    same(lambda x: np.diff(x, append=x[:, :1], axis=1), x)


def test_any_all_and_counts(same):
    x = np.array([[0.0, np.nan, 2.0], [0.0, 0.0, -0.0]])
    same(lambda x: (np.any(x), np.all(x)), x)
    same(lambda x: (np.any(x, axis=1), np.all(x, axis=0, keepdims=True)), x)
    same(lambda x: np.count_nonzero(x, axis=1), x)
    same(lambda x: (np.any(x[:0]), np.all(x[:0])), x)


def test_a_count_of_all_is_a_numpy_integer(backend):
    """As NumPy's is from 2.3 on; before, it was Python's."""
    x = np.array([[0.0, np.nan, 2.0], [0.0, 0.0, -0.0]])
    made = anabranch.jit(np.count_nonzero, backend=backend)(x)
    assert type(made) is np.int64
    assert made == np.count_nonzero(x) == 2


def test_nan_is_not_lost(same):
    x = np.array([[1.0, np.nan, 3.0], [4.0, 5.0, 6.0]])
    same(lambda x: (np.max(x, axis=1), np.min(x, axis=0), np.sum(x)), x)
    same(lambda x: (np.argmax(x), np.argmin(x, axis=1), np.maximum(x, 2)), x)


def test_sign_of_zero_products(same):
    same(lambda x: (np.cumprod(x), np.prod(x)), np.array([-1.0, 0.0, 2.0, -3.0]))


def test_accumulate_needs_its_axis(backend):
    accumulate: Any = np.add.accumulate
    compiled = anabranch.jit(lambda x: accumulate(x, None), backend=backend)
    with pytest.raises(ValueError, match="axis"):
        compiled(np.ones((2, 2)))


def test_sums_as_bools(same):
    x = np.array([[0.0, 2.0], [0.0, 0.0]])
    same(lambda x: (np.sum(x, 1, bool), np.prod(x, 0, bool)), x)


def test_zero_dimensions(same):
    for axis in (0, -1):
        same(lambda x, a=axis: (x.sum(a), x.max(a), x.cumsum(a)), np.array(3.0))
        same(lambda x, a=axis: np.argmax(x, a, keepdims=True), np.array(3.0))
    same(lambda x: (x.sum(), x.sum(keepdims=True), x.max(), x.argmax()), np.array(3.0))
    same(lambda x: (np.cumsum(x), np.cumprod(x)), np.array(3.0))
    same(lambda x: np.sum(x, axis=()), np.float32(3))


@pytest.mark.parametrize("function", [np.max, np.min, np.argmax, np.argmin, np.ptp])
def test_extremum_of_nothing(backend, function):
    with pytest.raises(ValueError, match=r"zero-size|no element|empty"):
        anabranch.jit(function, backend=backend)(np.ones(0))


@pytest.mark.parametrize("axis", [2, -3, (0, 2), (0, 0), (0, -2)])
@pytest.mark.parametrize("function", [np.sum, np.max, np.mean, np.var])
def test_bad_axis(backend, function, axis):
    """AxisError, or ValueError for an axis that comes twice, as in NumPy."""
    with pytest.raises(ValueError) as numpys:  # noqa: PT011 (NumPy decides)
        function(np.ones((2, 3)), axis=axis)
    compiled = anabranch.jit(lambda x: function(x, axis=axis), backend=backend)
    with pytest.raises(type(numpys.value)):
        compiled(np.ones((2, 3)))


@pytest.mark.parametrize("axis", [1.0, "0", (0.0,), True, [0]])
def test_axis_that_is_no_integer(backend, axis):
    with pytest.raises(TypeError):
        anabranch.jit(lambda x: np.sum(x, axis=axis), backend=backend)(np.ones(3))


@pytest.mark.parametrize("axis", [None, 0, 1])
def test_float32_sum_of_many(same, axis):
    """Sums do not run from left to right: that loses digits."""
    x = np.full((1000, 1000), 0.1, np.float32)
    made = same(lambda x: np.sum(x, axis=axis), x, rtol=1e-4)
    np.testing.assert_allclose(made, x.astype(float).sum(axis), rtol=1e-5)


def test_order_of_elements_does_not_matter_to_the_layout(same):
    x = sample((6, 5))
    for view in (x.T, x[::-1], x[::2, ::-1], np.asfortranarray(x)):
        same(lambda x: (x.sum(), x.sum(0), x.max(1), x.argmax(0)), view, rtol=RTOL)
