"""Views share memory with the array that they are made of, as they do in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import anabranch

X = np.arange(12.0).reshape(3, 4)
VIEWS = [
    lambda y: y[1],
    lambda y: y[0:2, ::-2],
    lambda y: y[0, ...],
    lambda y: y.T,
    lambda y: y[:, None],
    lambda y: y[..., None][1],
    lambda y: np.flip(y),
    lambda y: np.flip(y.T, 0)[1:],
    lambda y: np.rot90(y),
    lambda y: np.rot90(y, 4),
    lambda y: np.split(y, 3)[1],
    lambda y: np.array_split(y, 3, axis=1)[0],
    lambda y: np.hsplit(y, 2)[1],
    lambda y: np.swapaxes(y, 0, 1),
    lambda y: np.moveaxis(y[None], 0, 2)[1],
    lambda y: np.expand_dims(y, 0),
    lambda y: y[:1].squeeze(),
    lambda y: y.reshape(1, 3, 1, 4),
    lambda y: np.atleast_3d(y),
    lambda y: np.unstack(y)[1],
    lambda y: list(y)[2],
    lambda y: y.astype(np.float64, copy=False),
    lambda y: y.T[1:].T[0][1:3],
]


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_shows_what_is_written_to_the_array(same, view):
    def function(x):
        y = x.copy()
        z = view(y)
        before = z * 1
        y[0, 0] = x[2, 2] * 100
        y[1] *= 3
        y[:, 2] += 7
        return before, z * 1, z.sum()

    same(function, X)


@pytest.mark.parametrize("view", VIEWS)
def test_the_array_shows_what_is_written_to_a_view(same, view):
    def function(x):
        y = x.copy()
        z = view(y)
        z += 1
        z[0] = x[2, 2] * 100
        z[..., -1] *= 2
        return y * 1, z

    same(function, X)


def test_both_halves_of_a_split_are_written(same):
    def function(x):
        p, q = np.split(x * 1.0, 2)
        p += 1
        q *= 2
        return p, q

    same(function, np.arange(6.0))


def test_views_that_overlap_see_each_other(same):
    def function(x):
        y = x * 1.0
        p, q, r = y[:3], y[2:], y[::-1]
        p += 1
        q *= 2
        r[0] = p[2]
        return p, q, r, y

    same(function, np.arange(6.0))


def test_an_overlapping_copy_takes_the_old_values(same):
    def function(x):
        y = x * 1.0
        y[1:] = y[:-1]
        y[:-1] += y[1:]
        y[::-1] = y
        return y

    same(function, np.arange(6.0))


def test_a_broadcast_array_shows_what_is_written(same):
    def function(x):
        y = x * 1
        z = np.broadcast_to(y, (2, 3))
        y[0] = 100
        return z * 1

    same(function, np.arange(3.0))


def test_a_diagonal_is_no_longer_read_after_a_write(backend):
    """NumPy's shows the write, ours is a copy."""

    def function(x):
        y = x * 1
        z = np.diagonal(y)
        y[0] = 100
        return z * 1

    with pytest.raises(anabranch.TraceError, match="written through another name"):
        anabranch.jit(function, backend=backend)(X)


def test_writing_into_a_broadcast_array(backend):
    def function(x):
        y = np.broadcast_to(x * 1, (2, 3))
        y[0] = 1
        return y

    with pytest.raises(ValueError, match="read-only"):
        function(X[0, :3])
    with pytest.raises(anabranch.TraceError, match="copy it first"):
        anabranch.jit(function, backend=backend)(X[0, :3])


def test_a_reshape_is_right_after_writes_elsewhere(same):
    def function(x):
        y = x.copy()
        z = y[:2].reshape(-1)
        y[2] = 5
        z[1] = x[0, 3]
        return z, y[2], y[2:].T

    same(function, X)


def test_a_part_written_through_a_reshape_is_read(same):
    def function(x):
        y = x.copy()
        y[:2].reshape(-1)[3] = 1
        return y[1]

    same(function, X)


def test_a_part_of_an_unknown_layout_is_not_read(backend):
    """What NumPy does depends on the layout of the argument."""

    def function(x):
        y = x * 1
        y[:2].reshape(-1)[3] = 1
        return y[1]

    with pytest.raises(anabranch.TraceError, match="written through another name"):
        anabranch.jit(function, backend=backend)(X)


def test_several_arrays_made_wider_are_views_each_of_its_own(same):
    def function(x):
        y, z = x[0] * 1, x[1] * 1
        a, b = np.atleast_2d(y, z)
        a += 1
        b[0, 1] = x[2, 2]
        return y, z, a, b

    same(function, X)


def test_a_view_of_an_argument_is_not_written(backend):
    def function(x):
        p, _ = np.split(x, 2)
        p += 1
        return x * 1

    with pytest.raises(anabranch.TraceError, match="copy it first"):
        anabranch.jit(function, backend=backend, rewrite=False)(np.arange(4.0))


def test_an_element_is_a_number_of_its_own(same):
    def function(x):
        y = x.copy()
        a = y[0, 0]
        y[0, 0] = 9
        a += x[1, 1]
        return y, a

    same(function, X)


def random_views(rng, known):
    """A function that writes through views of views, and returns all of them."""
    plan = []
    for _ in range(7):
        kinds = "slice step flip T reshape ravel real imag new".split()
        plan.append((str(rng.choice(kinds)), int(rng.integers(99)), rng.normal()))

    def function(x):
        made = np.zeros((4, 3, 2), complex) if known else x.copy()
        arrays = [made]
        for kind, pick, value in plan:
            y = arrays[pick % len(arrays)]
            if kind == "slice":
                y = y[1:] if len(y) > 1 else y
            elif kind == "step":
                y = y[..., ::2]
            elif kind == "flip":
                y = y[::-1]
            elif kind == "T":
                y = y.T
            elif kind == "new":
                y = y[:, None]
            elif kind == "ravel":
                y = y.ravel()
            elif kind == "reshape":
                y = y.reshape(y.shape[-1], -1)
            elif np.iscomplexobj(y):
                y = y.real if kind == "real" else y.imag
            arrays.append(y)
            other = arrays[pick % 3 % len(arrays)]
            other[pick % len(other)] = value
            y[-1] = x.real[0, 0, 0] + value
        return [array * 1 for array in arrays]

    return function


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("known", [True, False])
def test_writes_through_views_of_views(same, seed, known):
    x = np.exp(1j * np.arange(24.0) ** 2).reshape(4, 3, 2)
    same(random_views(np.random.default_rng(seed), known), x)


def flat_stores(x):
    y = np.zeros((4, x.size // 4))
    row = y.reshape(-1)
    for i in range(x.size):
        row[i] = 2.0 * x[i] + row[i - 1]
    return y


def parts_of_elements(x):
    z: Any = np.zeros(x.size, complex)
    for i in range(x.size):
        z.real[i] = x[i]
        z.imag[-1 - i] = x[i] ** 2
    return z


def in_branches(x):
    v = x.copy()
    u, w = x.copy().reshape(2, -1), v.reshape(2, -1)
    if x[0] > 0:
        u.ravel()[1] = 5.0
        w[1] = x[0]
    else:
        v[0] = 7.0
    i = 0
    while v[i] < 1 and i < 3:
        w[1, i % 2] = v[i] + 1
        i += 1
    return u, v, w


@pytest.mark.parametrize("function", [flat_stores, parts_of_elements, in_branches])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_shapes_and_parts_in_loops_and_branches(same, function, sign):
    x = sign * np.array([0.9, 2.0, -0.3, 0.4] * 3)
    same(function, x)
    anabranch.check_grads(function, (x,), order=2)


def test_a_store_through_a_shape_costs_an_element():
    compiled = anabranch.jit(flat_stores)
    compiled(np.arange(4000.0))
    body = compiled.inspect_ir().partition("body(")[2].partition("}\n")[0]
    assert "update_at" in body
    assert "= reshape(%memory" not in body
