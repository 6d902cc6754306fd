"""Functions that move elements agree with NumPy, element for element."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import anabranch

X = np.arange(24.0).reshape(2, 3, 4)
M = np.arange(12.0).reshape(3, 4)
V = np.arange(5.0)


@pytest.mark.parametrize(
    "shape", [24, (24,), (4, 6), (-1,), (2, -1), [3, 8], (1, 24, 1)]
)
def test_reshape(same, shape):
    same(lambda x: np.reshape(x, shape), X)
    same(lambda x: x.reshape(shape), X)
    same(lambda x: x.reshape(shape, order="C"), X.T)


def test_reshape_in_separate_arguments(same):
    same(lambda x: x.reshape(4, -1), X)
    same(lambda x: x.reshape(-1), X)
    same(lambda x: np.reshape(x, shape=(6, 4)), X)
    same(lambda x: x.reshape(5, 0), np.ones((0, 3)))
    same(lambda x: x.reshape(()), np.ones((1, 1)))


def test_reshape_in_fortran_order(same):
    same(lambda x: np.reshape(x, (4, 6), order="F"), X)
    same(lambda x: x.reshape(6, -1, order="F"), X)
    same(lambda x: (x.ravel("F"), x.flatten("F")), X)
    same(lambda x: (x.ravel("F"), x.flatten("F")), X.T)


@pytest.mark.parametrize("order", ["A", "K"])
def test_traced_arrays_have_no_layout(backend, order):
    with pytest.raises(TypeError, match="order"):
        anabranch.jit(lambda x: np.ravel(x, order), backend=backend)(X)


@pytest.mark.parametrize("shape", [(5, 5), (-1, 5), (-1, -1), (-2, 12), (0, -1)])
def test_reshape_that_does_not_fit(backend, shape):
    with pytest.raises(anabranch.ShapeError, match="cannot reshape"):
        anabranch.jit(lambda x: x.reshape(shape), backend=backend)(X)


def test_ravel_and_copies(same):
    same(lambda x: (np.ravel(x), x.ravel(), x.flatten(), x.copy(), np.copy(x)), X)
    same(lambda x: (x.astype(np.float32), np.astype(x, int), x.astype("f8")), X)
    same(lambda x: x.astype(bool), np.array([0.0, -0.0, np.nan, 2.0]))
    same(lambda x: x.astype(np.int32), np.array([2.9, -2.9, 0.0]))


def test_transpose(same):
    same(lambda x: (x.T, np.transpose(x), x.transpose()), X)
    same(lambda x: (x.transpose(2, 0, 1), x.transpose((1, 2, 0))), X)
    same(lambda x: np.transpose(x, (-1, 0, 1)), X)
    same(lambda x: (x.mT, np.matrix_transpose(x), np.permute_dims(x, (1, 0, 2))), X)
    same(lambda x: x.T, V)
    same(lambda x: x.transpose(None), X)


def test_axes_that_move(same):
    same(lambda x: (np.swapaxes(x, 0, 2), x.swapaxes(-1, 1)), X)
    same(lambda x: np.moveaxis(x, 0, -1), X)
    same(lambda x: np.moveaxis(x, [0, 1], [-1, 0]), X)
    same(lambda x: np.moveaxis(x, (0, 2), (1, 0)), X)
    same(lambda x: (np.rollaxis(x, 2), np.rollaxis(x, 0, 3), np.rollaxis(x, 1, -1)), X)


def test_axes_that_come_and_go(same):
    same(lambda x: (np.expand_dims(x, 0), np.expand_dims(x, -1)), X)
    same(lambda x: (np.expand_dims(x, (0, 2)), np.expand_dims(x, [1, -1])), X)
    y = X.reshape(2, 1, 3, 4, 1)
    same(lambda y: (np.squeeze(y), y.squeeze(1), y.squeeze((1, -1))), y)
    same(lambda y: np.squeeze(y, axis=()), y)
    same(
        lambda x: (np.atleast_1d(x), np.atleast_2d(x), np.atleast_3d(x)), np.array(2.0)
    )
    same(lambda x: (np.atleast_1d(x), np.atleast_2d(x), np.atleast_3d(x)), V)
    same(lambda x: (np.atleast_2d(x), np.atleast_3d(x)), M)
    same(lambda x, y: np.atleast_1d(x, y[0]), V, V)


def test_arguments_by_name(same):
    same(lambda x: (np.transpose(a=x), np.squeeze(a=x, axis=())), X)
    same(lambda x: np.moveaxis(a=x, source=0, destination=1), X)


def test_squeeze_of_a_longer_axis(backend):
    with pytest.raises(ValueError, match="squeeze"):
        anabranch.jit(lambda x: x.squeeze(0), backend=backend)(X)


def test_broadcast(same):
    same(lambda x: np.broadcast_to(x, (2, 3, 5)), V)
    same(lambda x: np.broadcast_to(x, 5), np.array(2.0))
    same(lambda x: np.broadcast_to(x, (0, 5)), V)
    same(lambda x, y: np.broadcast_arrays(x, y), V, np.ones((3, 1)))
    same(lambda x: np.broadcast_arrays(x, np.ones((3, 1))), V)


def test_broadcast_constants_stay_known(same):
    def chosen(x):
        x, mask = np.broadcast_arrays(x, np.array([[True], [False], [True]]))
        return -x[mask]

    same(chosen, V)


@pytest.mark.parametrize("shape", [(3,), (5, 3), ()])
def test_broadcast_that_does_not_fit(backend, shape):
    with pytest.raises(anabranch.ShapeError, match="broadcast"):
        anabranch.jit(lambda x: np.broadcast_to(x, shape), backend=backend)(V)


def test_concatenate(same):
    for axis in (0, 1, 2, -1, None):
        same(lambda x, a=axis: np.concatenate([x, x, 2 * x], axis=a), X)
    same(lambda x: np.concatenate((x,)), V)
    same(lambda x, y: np.concatenate([x, y]), V, np.ones(0))
    same(lambda x: np.concatenate([x, np.arange(3), [1, 2]]), V)
    same(lambda x: np.concatenate([x, x], dtype=np.float32), V)
    same(lambda x: np.concatenate(x), M)
    same(lambda x: np.concat([x, x]), V)


def test_stacks(same):
    for axis in (0, 1, -1):
        same(lambda x, a=axis: np.stack([x, x + 1], axis=a), M)
    same(lambda x: np.stack(x), M)
    same(lambda x: np.stack([x[0], 1.0, x[1]]), V)
    same(lambda x: (np.vstack([x, x]), np.hstack([x, x]), np.dstack([x, x])), V)
    same(lambda x: (np.vstack([x, x]), np.hstack([x, x]), np.dstack([x, x])), M)
    same(lambda x: np.column_stack([x, x, np.ones((5, 2))]), V)
    same(lambda x: np.append(x, [1.0, 2.0]), V)
    same(lambda x: np.append(x, x, axis=1), M)


@pytest.mark.parametrize("function", [np.concatenate, np.stack])
def test_joining_shapes_that_differ(backend, function):
    compiled = anabranch.jit(lambda x, y: function([x, y]), backend=backend)
    with pytest.raises(anabranch.ShapeError, match=r"\[3,4\]"):
        compiled(M, np.ones((3, 5)))


def test_splits(same):
    same(lambda x: np.split(x, 3), M)
    same(lambda x: np.split(x, 2, axis=1), M)
    same(lambda x: np.split(x, [1, 3], axis=-1), M)
    same(lambda x: np.split(x, [2, 9]), V)
    same(lambda x: np.split(x, [3, 1]), V)
    same(lambda x: np.array_split(x, 3), V)
    same(lambda x: (np.hsplit(x, 2), np.vsplit(x, 3)), M)
    same(lambda x: np.unstack(x, axis=1), M)
    same(lambda x: np.unstack(x), M)


def test_split_into_unequal_parts(backend):
    with pytest.raises(ValueError, match="equal division"):
        anabranch.jit(lambda x: np.split(x, 2), backend=backend)(V)


def test_flips_and_rolls(same):
    same(lambda x: (np.flip(x), np.flip(x, 0), np.flip(x, (1, -1))), X)
    same(lambda x: (np.flipud(x), np.fliplr(x)), M)
    same(lambda x: (np.roll(x, 2), np.roll(x, -1, axis=1), np.roll(x, 7, axis=0)), M)
    same(lambda x: np.roll(x, (1, 2), axis=(0, 1)), M)
    same(lambda x: np.roll(x, 1, axis=(0, 1)), M)
    same(lambda x: np.roll(x, 1), np.ones(0))
    same(lambda x: (np.rot90(x), np.rot90(x, 2), np.rot90(x, -1)), M)


def test_rolls_by_what_is_traced(same, backend):
    same(lambda x, k: (np.roll(x, k, 1), np.roll(x, k)), M, np.uint8(5))
    same(lambda x, k: np.roll(x, k, (1, 0)), M, np.array([-7.5, 1.0]))
    shifts = np.arange(len(M))
    made = anabranch.vmap(lambda x, k: np.roll(x, k), backend=backend)(M, shifts)
    np.testing.assert_array_equal(made, list(map(np.roll, M, shifts)))


def test_tile(same):
    for reps in (2, (2,), (2, 1), (1, 2, 3), (0, 1), (2, 2, 1, 1)):
        same(lambda x, r=reps: np.tile(x, r), M)
    same(lambda x: np.tile(x, 3), np.array(2.0))


def test_repeat(same):
    same(lambda x: (np.repeat(x, 2), np.repeat(x, 0), x.repeat(3, axis=1)), M)
    same(lambda x: (np.repeat(x, [1, 0, 2], axis=0), np.repeat(x, 2, axis=-1)), M)
    same(lambda x: np.repeat(x, [2, 0, 1, 3, 1]), V)


def test_without_dimensions(same, backend):
    """It is repeated like an array of one element, and has no axis to roll along."""
    x = np.array(5.0)
    same(lambda x: (np.repeat(x, 3), np.repeat(x, 3, axis=0), x.repeat([2], -1)), x)
    same(lambda x: np.roll(x, 1), x)
    for axis in (0, -1, 1):
        with pytest.raises(np.exceptions.AxisError):
            anabranch.jit(lambda x, k=axis: np.roll(x, 1, k), backend=backend)(x)
    same(lambda x: np.repeat(x, 3), np.array(2.0))
    same(lambda x: np.repeat(x, np.array([2]), axis=0), M)


@pytest.mark.parametrize("mode", "constant edge reflect symmetric wrap".split())
@pytest.mark.parametrize("width", [1, (2, 1), ((1, 2), (0, 3)), ((0, 0), (2, 0))])
def test_pad(same, mode, width):
    same(lambda x: np.pad(x, width, mode=mode), M)
    same(lambda x: np.pad(x, width, mode), M.astype(np.int8))


@pytest.mark.parametrize("mode", "edge reflect symmetric wrap".split())
def test_pad_wider_than_the_array(same, mode):
    same(lambda x: np.pad(x, 7, mode), np.arange(3.0))


def test_pad_with_constants(same):
    same(lambda x: np.pad(x, 2, constant_values=7), M)
    same(lambda x: np.pad(x, ((1, 1), (2, 2)), constant_values=(1, 2)), M)
    same(lambda x: np.pad(x, 1, constant_values=((1, 2), (3, 4))), M)
    same(lambda x: np.pad(x, 1, constant_values=2.9), np.arange(3))
    same(lambda x: np.pad(x, 1, constant_values=-np.inf), V)
    same(lambda x: np.pad(x, 0), M)
    same(lambda x: np.pad(x, 1), np.array([True, False]))


def test_pad_takes_a_dict_with_any_numpy(backend):
    made = anabranch.jit(lambda x: np.pad(x, {-1: (1, 2)}), backend=backend)(M)
    np.testing.assert_array_equal(made, np.pad(M, ((0, 0), (1, 2))))


def test_pad_mode_without_lowering(backend):
    mode: Any = "none of them"
    compiled = anabranch.jit(lambda x: np.pad(x, 1, mode=mode), backend=backend)
    with pytest.raises(anabranch.UnsupportedError, match=r"none of them[\s\S]*edge"):
        compiled(V)


def test_where(same):
    x = np.array([[1.0, -1.0], [0.0, np.nan]])
    same(lambda x: np.where(x > 0, x, -x), x)
    same(lambda x: np.where(x, 1.0, x), x)
    same(lambda x: np.where([True, False], x, x[0]), x)
    same(lambda x: np.where(x[:, :1] > 0, x, 0), x)
    same(lambda x: np.where(True, x, 0), x)
    same(lambda x: np.where(x > 0, [1.0, 2.0], [[3.0], [4.0]]), x)
    same(lambda x: np.select([x > 0, x < 0], [x, -2 * x], 7.0), x)


def test_where_without_values(backend):
    with pytest.raises(TypeError, match="unknown shape"):
        anabranch.jit(lambda x: np.where(x > 0)[0], backend=backend)(V)


def test_new_arrays_like(same):
    for dtype in ("f8", "f4", "i4", "?"):
        x = np.ones((2, 3), dtype)
        same(lambda x: (np.zeros_like(x), np.ones_like(x), np.full_like(x, 2)), x)
        same(lambda x: (np.zeros_like(x, dtype="f4"), np.ones_like(x, int)), x)
        same(lambda x: (np.zeros_like(x, shape=4), np.ones_like(x, shape=(2, 2))), x)
    x = np.ones((2, 3))
    same(lambda x: (np.full_like(x, np.nan), np.full_like(x, 2, dtype=int)), x)
    same(lambda x: np.full_like(x, 2.7, dtype=int), x)
    same(lambda x: np.full_like(x, [1, 2, 3]), x)
    same(lambda x: np.full_like(x, x[0, 0]), x)
    same(lambda x: np.full_like(x, np.float32(0.1)), x)
    assert anabranch.make_ir(np.empty_like)(x).results


def test_full_like_of_what_does_not_fit(same):
    """NumPy wraps no Python integer either."""
    compiled = anabranch.jit(lambda x: np.full_like(x, 300), backend="reference")
    with pytest.raises(OverflowError):
        compiled(np.ones(3, np.uint8))


def test_shape_functions_give_python_numbers():
    def check(x):
        assert np.shape(x) == x.shape == (2, 3, 4)
        assert np.ndim(x) == x.ndim == 3
        assert np.size(x) == x.size == 24
        assert (np.size(x, 1), len(x), x.nbytes, x.itemsize) == (3, 2, 192, 8)
        assert np.result_type(x, np.float32) == np.float64
        return x

    anabranch.jit(check, backend="reference")(X)


def test_diagonals_and_triangles(same):
    same(lambda x: (np.diagonal(x), x.diagonal(1), np.diagonal(x, -1)), M)
    same(lambda x: (np.diagonal(x, 0, 1, 2), np.diagonal(x, 1, -1, 0)), X)
    same(lambda x: (np.trace(x), np.trace(x, 1), x.trace()), M)
    same(lambda x: np.trace(x, axis1=1, axis2=2), X)
    same(lambda x: (np.triu(x), np.tril(x), np.triu(x, 1), np.tril(x, -1)), M)
    same(lambda x: (np.triu(x), np.tril(x, 1)), X)
    same(lambda x: (np.diag(x), np.diag(x[0]), np.diag(x[0], 1)), M)
