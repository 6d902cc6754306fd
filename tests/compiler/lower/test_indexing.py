"""Indexing: slices, new axes, integers, index arrays, masks; and writing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import anabranch

X = np.arange(120.0).reshape(4, 5, 6)
V = np.arange(10.0)
MASK = np.array([True, False, True, True])
BASIC = [
    *(np.s_[0], np.s_[-1], np.s_[1, 2], np.s_[1, 2, 3], np.s_[-1, -2, -3]),
    *(np.s_[:], np.s_[...], np.s_[()], np.s_[1:3], np.s_[::2], np.s_[::-1], np.s_[:0]),
    *(np.s_[5:], np.s_[-3:-1], np.s_[3:0:-1], np.s_[-1:-9:-2], np.s_[9:0:-3]),
    *(np.s_[..., 0], np.s_[0, ...], np.s_[1:, ..., ::-2], np.s_[:, 1], np.s_[:, :, -1]),
    *(np.s_[None], np.s_[:, None], np.s_[..., None], np.s_[None, 0, None, :, None]),
    *(np.s_[None, ..., None], np.s_[0, None], np.s_[np.int64(1)], np.s_[np.array(2)]),
    *(np.s_[::-1, ::-1, ::-1], np.s_[1:2, 2:1, :], np.s_[np.int8(-1), None, 2:4]),
]
ADVANCED = [
    # one index array
    *(
        np.s_[[0, 2]],
        np.s_[[2, 0, 2, 2]],
        np.s_[[-1, 0]],
        np.s_[[]],
        np.s_[[[0, 1], [2, 3]]],
    ),
    *(np.s_[:, [0, 2]], np.s_[..., [0, -1]], np.s_[1:, [4, 0], ::-1], np.s_[None, [1]]),
    *(np.s_[[1], None], np.s_[:, [[0], [1]]], np.s_[np.zeros((0, 2), int)], np.s_[[3]]),
    # with integers, which are index arrays then
    *(np.s_[0, [1, 2]], np.s_[[1, 2], 0], np.s_[0, :, [1, 2]], np.s_[[1, 2], :, 0]),
    *(
        np.s_[:, 0, [1, 2]],
        np.s_[:, [1, 2], 0],
        np.s_[0, [1, 2], 3],
        np.s_[[0, 1], 2, 3],
    ),
    *(
        np.s_[0, ..., [1, 2]],
        np.s_[0, None, [1, 2]],
        np.s_[[1], ..., 0],
        np.s_[np.int8(1), [0]],
    ),
    # several, together
    *(np.s_[[0, 1], [2, 3]], np.s_[[0, 1], [2, 3], [4, 5]], np.s_[:, [0, 1], [2, 3]]),
    *(np.s_[[[0], [1]], [2, 3]], np.s_[[[0], [1]], :, [2, 3]], np.s_[[0, 1], [2]]),
    *(
        np.s_[..., [0, 1], [2, 3]],
        np.s_[None, [0, 1], [2, 3]],
        np.s_[1:, [0, 1], [2, 3]],
    ),
    # several, apart: their axes come first
    *(
        np.s_[[0, 1], :, [2, 3]],
        np.s_[[0, 1], None, [2, 3]],
        np.s_[[0, 1], ..., [2, 3]],
    ),
    *(
        np.s_[[[0], [1]], 1:, [2, 3]],
        np.s_[[0, 1], None, [2, 3], None],
        np.s_[[1], :, 0],
    ),
    *(np.s_[0, None, [1, 2], 1:], np.s_[[0, 1], [1, 2], None, [2, 3]]),
    # masks
    *(
        np.s_[MASK],
        np.s_[MASK, 0],
        np.s_[MASK, 1:],
        np.s_[MASK, [0, 1, 2]],
        np.s_[MASK, None],
    ),
    *(
        np.s_[:, [True, False, True, False, True]],
        np.s_[X[:, :, 0] > 50],
        np.s_[X > 50],
    ),
    *(
        np.s_[..., X[0, 0] > 2],
        np.s_[..., X[0] > 7],
        np.s_[~MASK, :, 0],
        np.s_[MASK, ..., [0]],
    ),
    *(
        np.s_[np.zeros(4, bool)],
        np.s_[True],
        np.s_[False],
        np.s_[None, True],
        np.s_[True, 0],
    ),
    *(np.s_[np.True_], np.s_[0, True], np.s_[True, [0, 1]], np.s_[:, True]),
]


@pytest.mark.parametrize("index", BASIC, ids=str)
def test_basic(same, index):
    same(lambda x: x[index], X)


@pytest.mark.parametrize("index", ADVANCED, ids=str)
def test_advanced(same, index):
    same(lambda x: x[index], X)


@pytest.mark.parametrize("chosen", [True, False])
def test_a_bool_of_a_number_makes_an_axis(same, chosen):
    same(lambda x: x[chosen], np.array(2.0))
    same(lambda x: x[..., None, np.array(chosen)], np.array(2.0))


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.uint64])
def test_dtype_of_the_indices(same, dtype):
    same(lambda x: x[np.array([0, 3, 1], dtype)], V)
    same(lambda x, i: x[i], V, np.array([0, 3, 1], dtype))


def test_traced_indices(same):
    i, j = np.array([0, 3, -1]), np.array([[1], [-5]])
    same(lambda x, i: x[i], X, i)
    same(lambda x, i: x[i], X, np.int64(2))
    same(lambda x, i: x[i], X, -1)
    same(lambda x, i: x[:, i], X, 1)
    same(lambda x, i, j: x[i, j], X, i, j)
    same(lambda x, i, j: x[i, :, j], X, i, j)
    same(lambda x, i, j: x[j, None, i], X, i, j + 2)
    same(lambda x, i: x[..., i], X, i)
    same(lambda x, i: x[i, 0], X, i)
    same(lambda x, i: x[0, :, i], X, i)
    same(lambda x, i: x[i, [0, 1, 2]], X, i)
    same(lambda x, i: x[1:, i][i - 1], X, np.array([1, 2]))
    same(lambda x, y: x[np.argmax(y)], X, V[:4])


def test_list_with_traced_indices(same):
    same(lambda x, i: x[[i, 0, i]], V, np.int64(3))


def test_constant_indexed_by_traced(same):
    same(lambda i: V[i], np.array([3, 1]))


@pytest.mark.parametrize("function", [lambda i: V[i], lambda i: np.take(V, i)])
def test_constant_indexed_by_traced_as_it_is(backend, function):
    """NumPy does not ask the index what to do; the hint says it."""
    function = anabranch.jit(function, rewrite=False)
    with pytest.raises(anabranch.ConcretizationError, match="as an argument"):
        anabranch.jit(function, backend=backend)(np.array([3, 1]))


@pytest.mark.parametrize("index", [[10], [-11], [0, 10]])
def test_constant_index_out_of_bounds(backend, index):
    with pytest.raises(anabranch.BoundsError, match=r"out of bounds.* size 10"):
        anabranch.jit(lambda x: x[index], backend=backend)(V)


@pytest.mark.parametrize("index", [4, -5, (0, 5), (0, 0, 6)])
def test_integer_out_of_bounds(backend, index):
    with pytest.raises(anabranch.BoundsError, match="out of bounds for axis"):
        anabranch.jit(lambda x: x[index], backend=backend)(X)


@pytest.mark.parametrize("bad", [10, -11, 2**40])
def test_traced_index_out_of_bounds(backend, bad):
    """Found while running; the next call works."""
    compiled = anabranch.jit(lambda x, i: x[i], backend=backend)
    with pytest.raises(
        anabranch.BoundsError, match=r"out of bounds[\s\S]*test_indexing"
    ):
        compiled(V, np.array([0, bad]))
    assert compiled(V, np.array([0, 9])).tolist() == [0.0, 9.0]


def test_uint64_index_beyond_int64(backend):
    compiled = anabranch.jit(lambda x, i: x[i], backend=backend)
    with pytest.raises(anabranch.BoundsError):
        compiled(V, np.array([2**64 - 1], np.uint64))


@pytest.mark.parametrize(
    "index",
    [
        (0, 0, 0, 0),
        (..., ...),
        1.0,
        "a",
        [0.5],
        np.array([1.0]),
        slice(0, 2.0),
        ([0, 1], [0, 1, 2]),
        np.ones(5, bool),
        np.ones((4, 4), bool),
        (0, np.ones(4, bool)),
        (..., np.ones(5, bool)),
        [[0], [1, 2]],
    ],
    ids=str,
)
def test_bad_index(backend, index):
    with pytest.raises((IndexError, TypeError, ValueError)):
        X[index]
    with pytest.raises((IndexError, TypeError, ValueError)) as ours:
        anabranch.jit(lambda x: x[index], backend=backend)(X)
    text = str(ours.value) + "".join(getattr(ours.value, "__notes__", []))
    assert "test_indexing.py" in text


def test_traced_mask_has_no_shape(backend):
    compiled = anabranch.jit(lambda x: x[x > 0], backend=backend)
    with pytest.raises(anabranch.TraceError, match=r"np\.where"):
        compiled(V)


def test_traced_slice_bounds(backend):
    compiled = anabranch.jit(lambda x, n: x[:n], backend=backend)
    np.testing.assert_array_equal(compiled(V, np.int64(3)), V[:3])
    counted = anabranch.jit(lambda x: x[: np.sum(x > 0)], backend=backend)
    with pytest.raises(anabranch.ConcretizationError, match="static"):
        counted(V)


def test_index_of_a_number(backend):
    with pytest.raises(IndexError, match="too many indices"):
        anabranch.jit(lambda x: x[0], backend=backend)(np.float64(1))


def test_take(same):
    same(lambda x: np.take(x, [0, -1, 3]), X)
    same(lambda x: np.take(x, [[0, 1], [2, 3]], axis=1), X)
    same(lambda x: (np.take(x, 2, axis=-1), x.take([1], 0)), X)
    same(lambda x, i: np.take(x, i, axis=1), X, np.array([4, -5]))
    same(lambda x, i: np.take(x, i, axis=1, mode="clip"), X, np.array([-4, 9]))
    same(lambda x, i: np.take(x, i, axis=1, mode="wrap"), X, np.array([-4, 9]))
    same(lambda x: (np.take(x, [True, False]), np.take(x, [])), V)
    same(lambda x: np.take(x, 0, axis=0), np.array(5.0))


@pytest.mark.parametrize("mode", ["clip", "wrap"])
@pytest.mark.parametrize("dtype", ["i1", "u1", "u8"])
def test_take_of_an_axis_longer_than_the_dtype_of_the_indices(same, dtype, mode):
    x, i = np.arange(300.0), np.array([0, 100, -100]).astype(dtype)
    same(lambda x, i: np.take(x, i, mode=mode), x, i)
    same(lambda x: np.take(x, i, mode=mode), x)


@pytest.mark.parametrize("index", [2**63, 2**64 - 1])
def test_indices_beyond_int64_are_out_of_bounds(backend, index):
    """NumPy takes the last few of them for negative ones."""
    x, i = np.arange(5.0), np.array([index], np.uint64)
    for take in (lambda x, i: x[i], np.take, lambda x, i: np.take_along_axis(x, i, 0)):
        with pytest.raises(anabranch.BoundsError):
            anabranch.jit(take, backend=backend)(x, i)
        with pytest.raises(anabranch.BoundsError):
            anabranch.jit(lambda x, t=take: t(x, i), backend=backend)(x)


def test_take_along_axis(same):
    x = X[0]
    same(lambda x: np.take_along_axis(x, np.argmax(x, 1)[:, None], 1), x)
    same(lambda x, i: np.take_along_axis(x, i, 0), x, np.array([[0, 1, 2, 3, -1, 0]]))
    same(lambda x, i: np.take_along_axis(x, i, -1), x, np.zeros((5, 2), int))
    same(lambda x, i: np.take_along_axis(x, i, None), x, np.array([3, 0]))
    same(lambda x, i: np.take_along_axis(x, i, 1), x, np.zeros((1, 3), int))


@pytest.mark.parametrize("index", BASIC + ADVANCED, ids=str)
def test_write_a_number(same, index):
    def write(x):
        y = x.copy()
        y[index] = 7.0
        return y

    same(write, X)


@pytest.mark.parametrize("index", BASIC + ADVANCED, ids=str)
def test_write_traced_values(same, index):
    """Where a position comes twice the last value stays."""
    shape = X[index].shape

    def write(x, v):
        y = x.copy()
        y[index] = v
        return y

    same(write, X, -np.arange(np.prod(shape)).reshape(shape))


def test_write_with_broadcasting(same):
    def write(x):
        y = np.zeros_like(x)
        y[1] = x[0]
        y[:, 2] = x[:, 0, :1]
        y[..., 3] = np.arange(5)
        y[0, 0] += x[1, 1]
        y[2:, ::-2] *= 2
        y[:2, 0] = x[:1, 1]
        y[3, 3] = np.ones((1, 6))
        return y

    same(write, X)


def test_write_of_a_negative_zero(same):
    def write(x):
        y = np.ones_like(x)
        y[0] = x[0]
        y[[2]] = x[0]
        return y

    same(write, np.full(4, -0.0))


def test_write_under_a_traced_mask(same):
    def write(x):
        y = x.copy()
        y[x > 50] = 0.0
        y[x[..., 0] < 9] = x[0, 0]
        y[x[:, 0, 0] > 60] = 3
        y[(x % 2 == 0) & (x < 40)] = x[0, 0, 1]
        return y

    same(write, X)
    same(write, X[:4, :4, :4])


def test_write_keeps_the_dtype(same):
    def write(x):
        y = x.copy()
        y[0] = 3
        y[1:] = x[0]
        return y

    for dtype in ("f4", "i2", "u8"):
        same(write, np.arange(4).astype(dtype))


def test_write_python_float_into_integers(same):
    """NumPy cuts the fraction off, and wraps integers around."""

    def write(x, z):
        y = x.copy()
        y[0] = 2.7
        y[1:] = z
        return y

    same(write, np.arange(3), np.array([-2.7, 3.9]))
    same(write, np.arange(3, dtype=np.uint8), np.array([-2, 300]))


@pytest.mark.parametrize("index", [slice(2), [0, 1], np.s_[:2, None], MASK])
def test_write_what_does_not_fit(backend, index):
    def write(x):
        y = x[:4].copy()
        y[index] = np.ones(7)
        return y

    with pytest.raises(ValueError, match="broadcast"):
        anabranch.jit(write, backend=backend)(V)


INDICES = [
    np.array([0, 2, 2, -1]),
    np.array([[1, 1], [0, 2]]),
    (np.array([0, 0, 2]), np.array([1, 1, 3])),
    (slice(None), np.array([3, 3, 0])),
    1,
    (2, slice(1, 3)),
    np.array([True, False, True]),
    ...,
]


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_add_at(same, index):
    values: Any = np.cos(np.arange(12.0)).reshape(3, 4)[index]
    last: Any = (..., 2)

    def function(x, v):
        y = np.zeros((3, 4))
        np.add.at(y, index, v)
        z = x.copy()
        z.T[0] += 1.0
        np.add.at(z, index, 2 * v)
        np.subtract.at(z[1:], last, 0.5)
        np.add.at(z, index, 1)
        return y, z

    x = np.sin(np.arange(12.0)).reshape(3, 4)
    same(function, x, values, rtol=1e-14)
    anabranch.check_grads(function, (x, values))


def test_add_at_traced_positions(same):
    def function(x, i, v):
        y = np.zeros(3)
        np.add.at(y, i, v)
        np.subtract.at(y, i[0], x[1])
        return y

    args = np.ones(3), np.array([0, 2, 2, -1]), np.array([1.0, 2.0, 4.0, 8.0])
    same(function, *args)
    anabranch.check_grads(function, args)
    with pytest.raises(anabranch.BoundsError):
        anabranch.jit(function)(np.ones(3), np.array([0, 3, 2, 1]), np.ones(4))


def test_add_at_of_integers(same):
    def function(i, v):
        y = np.zeros(4, np.int32)
        np.add.at(y, i, v)
        np.add.at(y, i, 3)
        return y

    same(function, np.array([1, 1, 3]), np.array([1, 2, 3], np.int32))


def test_add_at_keeps_the_dtype(backend):
    def function(x, v):
        y = x.copy()
        np.add.at(y, np.array([0]), v)
        return y

    with pytest.raises(anabranch.DTypeError, match=r"np\.add\.at into .* int64"):
        anabranch.jit(function, backend=backend)(np.arange(3), np.ones(1))
    made = anabranch.jit(function, backend=backend)(np.ones(3, np.float32), np.ones(1))
    np.testing.assert_array_equal(made, np.array([2, 1, 1], np.float32))
