"""Two names for one array: what NumPy says, or a refusal, and never another number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import anabranch
from tests.compiler.frontend.conftest import check_as_python

X = np.array([1.0, -2.0, 3.0, 0.5])
Y = np.array([-1.0, 2.5, 0.0, 7.0])
OUTSIDE = np.ones(4)
EQUAL: list[Callable[..., Any]] = []
REFUSED: list[Callable[..., Any]] = []


def equal(function: Callable[..., Any]) -> Callable[..., Any]:
    EQUAL.append(function)
    return function


def refused(function: Callable[..., Any]) -> Callable[..., Any]:
    REFUSED.append(function)
    return function


@equal
def two_names(x):
    y = x * 2
    z = y
    z += 1
    y[0] = 9
    return y, z


@equal
def rebound_and_written(x):
    a = x.copy()
    h = a
    for _ in range(3):
        h += 1
        h = h * 2
    return a, h


@equal
def buffers_that_change_places(x):
    a, b = x.copy(), x * 2
    kept = a
    for _ in range(3):
        b[:] = a * 0.5 + 1
        a, b = b, a
    return a, b, kept


@equal
def one_array_many_times_in_a_list(x):
    h, all_of_them = x.copy(), []
    for _ in range(3):
        all_of_them.append(h)
        h += 1
    return all_of_them[0], np.stack(all_of_them)


@equal
def new_arrays_in_a_list(x):
    h, all_of_them = x.copy(), []
    for _ in range(3):
        h = h + 1
        all_of_them.append(h)
    all_of_them[0][0] = 100
    return np.stack(all_of_them), h


@equal
def row_written_and_array_read(x):
    a = np.outer(x, x)
    for i in range(4):
        row = a[i]
    row[0] = 55  # pyright: ignore[reportPossiblyUnboundVariable]
    return a


@equal
def array_written_and_row_read(x):
    a = np.outer(x, x)
    row = a[2]
    a[2, 1] = 77
    a *= 2
    return row, row.sum()


@equal
def view_of_what_is_known(x):
    z = np.zeros((3, 3))
    row, corner, turned = z[1], z[1:, 1:], z.T
    z[1, 1] = x[0]
    row[2] = x[1]
    corner[1, 0] += x[2]
    turned[0, 2] = 5
    return z, row, corner, turned


@equal
def view_of_a_view(x):
    a = np.outer(x, x)
    v = a[1:][:, ::2]
    for i in range(3):
        v[i, 1:] = v[i, 0] + i
        a.T[0][i] -= 1
    return a, v


@equal
def overlapping_store(x):
    y = x.copy()
    y[1:] = y[:-1]
    y[:] = y[::-1]
    y[::2] += y[1::2]
    return y


@equal
def one_argument_for_two(x):
    def pull(a, b):
        for i in range(4):
            a[i] = b[i] + b[0]

    y = x.copy()
    pull(y, y)
    return y


@equal
def chained_indices(x):
    a = np.outer(x, x)
    for i in range(4):
        a[i][2] = i
        a[i, :][1:][0] = -i
    return a


@equal
def two_keys_for_one_array(x):
    store = {"a": x.copy()}
    e = store["a"]
    for _ in range(3):
        store["a"][1] += 1
        e *= 2
    return store["a"], e


@equal
def cell_for_one_array(x):
    a = x.copy()

    def get():
        return a

    b = get()
    for i in range(4):
        b[i] += a[0]
    return a


@equal
def stored_in_one_branch(x):
    a = x.copy()
    b = a
    view = a[1:]
    if x[0] > 0:
        b[0] = 9
        view[0] = 8
    else:
        row = view[1:]
        row *= 3
    return a, b, view


@equal
def stored_in_a_branch_of_a_branch(x):
    a = np.zeros(4)
    if x[0] > 0:
        a[0] = 1
        if x[1] > 0:
            a[1] = x[1]
        a[2] = a[0] + a[1]
    else:
        a = a + x
    return a


@equal
def stored_by_a_helper_in_a_branch(x):
    a = x.copy()

    def put(i, v):
        a[i] = v

    for i in range(4):
        if a[i] < 1:
            put(i, a[i - 1] + 1)
    return a


@equal
def chosen_and_only_read(x):
    a, b = x.copy(), x * 2
    c = a if x[0] > 0 else b
    return c + a, b


@equal
def chosen_and_alone(x):
    c = x.copy() if x[0] > 0 else x * 2
    c[0] = 9
    return c


@equal
def both_ways_the_same(x):
    a = x.copy()
    if x[0] > 0:
        c = a
        t = 1.0
    else:
        c = a
        t = 2.0
    c[0] = t
    return a, c


@equal
def carried_view(x):
    a = np.outer(x, x)
    before = a[0]
    for i in range(1, 4):
        a[i] = a[i] + before
        before = a[i]
    a[3, 0] = 1
    return a, before


@equal
def row_of_a_loop_written(x):
    a = np.outer(x, x)
    for i in range(3):
        row = a[i]
    row[0] = 55  # pyright: ignore[reportPossiblyUnboundVariable]
    return a, row  # pyright: ignore[reportPossiblyUnboundVariable]


@equal
def row_of_a_loop_read(x):
    a = np.outer(x, x)
    for i in range(3):
        row = a[i]
    a[2, 1] = 77
    return row  # pyright: ignore[reportPossiblyUnboundVariable]


@equal
def two_names_of_a_turn(x):
    for i in range(4):
        y = x * i
        z = y
        part = y[1:3]
    y[1] = 5  # pyright: ignore[reportPossiblyUnboundVariable]
    return y, z, part  # pyright: ignore[reportPossiblyUnboundVariable]


@equal
def carried_view_written(x):
    a = np.outer(x, x)
    before = a[0]
    for i in range(1, 4):
        before[0] = i
        before = a[i]
    return a, before


@refused
def chosen_and_written(x):
    a, b = x.copy(), x * 2
    c = a if x[0] > 0 else b
    c[0] = 9
    return a, b, c


@refused
def written_after_it_was_chosen(x):
    a, b = x.copy(), x * 2
    c = a if x[0] > 0 else b
    a[0] = 9
    return c, b


@refused
def known_and_chosen_and_written(x):
    a, b = np.zeros(4), np.ones(4)
    c = a if x[0] > 0 else b
    a[0] = 9
    return c, b


@refused
def best_row_written(x):
    a = np.outer(x, x)
    best = a[0]
    for i in range(1, 4):
        if a[i].sum() > best.sum():
            best = a[i]
    best[0] = 100
    return a, best


@refused
def one_name_for_what_is_dead_by_another(x):
    a, b = x.copy(), x * 2
    c = a[1:]
    if x[0] > 0:
        a, b = b, a
    if x[1] > 0:
        c = b[1:]
    b += 1
    return a, b, c


@refused
def two_names_that_are_one_on_one_way(x):
    if x[0] > 0:
        y = x * 2
        z = y
    else:
        y, z = x * 3, x * 4
    y[0] = 9
    return y, z


@refused
def chosen_from_outside(x):
    y = OUTSIDE if x[0] > 0 else x
    y[0] = 9
    return y


@refused
def other_shape_written(x):
    y = x[:2, None] * x[2:]
    m = y.reshape(4, 1)
    m[0, 0] = 9
    return y, m


@pytest.mark.parametrize("function", EQUAL, ids=lambda f: f.__name__)
def test_equal(as_python, function):
    as_python(function, (X,), (Y,))


@pytest.mark.usefixtures("forced")
@pytest.mark.parametrize(
    "function",
    EQUAL,
    ids=lambda f: f.__name__,
)
def test_equal_or_refused_with_loops_as_nodes(backend, function):
    try:
        check_as_python(function, [(X,), (Y,)], backend)
    except anabranch.TraceError as refusal:
        if "another name" not in str(refusal):
            raise


def test_a_row_at_a_traced_position_is_a_view_or_refused(backend):
    def function(x, i):
        a = np.outer(x, x)
        row = a[i]
        row[0] = 55
        return a

    try:
        check_as_python(function, [(X, 1), (Y, 3)], backend)
    except anabranch.TraceError as refusal:
        if "another name" not in str(refusal):
            raise


@pytest.mark.parametrize("function", REFUSED, ids=lambda f: f.__name__)
def test_refused(function):
    with pytest.raises(anabranch.TraceError, match="another name"):
        anabranch.jit(function)(X)


def test_an_array_that_is_two_arguments_is_not_written():
    def add(a, b):
        a += b

    compiled = anabranch.jit(add)
    x, y = X.copy(), Y.copy()
    compiled(x, y)
    np.testing.assert_array_equal(x, X + Y)
    for other in (x, x[::-1], x[:]):
        with pytest.raises(anabranch.ArgumentError, match="shares memory"):
            compiled(x, other)
    np.testing.assert_array_equal(x, X + Y)


def test_written_views_and_read_only_arguments():
    def clear(a):
        a[0] = 0.0
        return a.sum()

    compiled = anabranch.jit(clear)
    base = np.arange(8.0)
    assert compiled(base[1::2]) == 3.0 + 5.0 + 7.0
    np.testing.assert_array_equal(base, [0, 0, 2, 3, 4, 5, 6, 7])
    fixed = np.arange(4.0)
    fixed.flags.writeable = False
    with pytest.raises(anabranch.ArgumentError, match="read-only"):
        compiled(fixed)


def test_written_arguments_of_nested_functions():
    @anabranch.jit
    def inner(a, v):
        a[1] = v

    def outer(x):
        y = x * 2
        inner(y, x[0])
        inner(x, 5.0)
        return y

    x, expected = X.copy(), X * 2
    expected[1] = X[0]
    np.testing.assert_array_equal(anabranch.jit(outer)(x), expected)
    assert x[1] == 5.0
    with pytest.raises(anabranch.TraceError, match="writing into x"):
        anabranch.grad(lambda x: outer(x).sum())(X)


def test_a_gradient_refuses_to_write_arguments():
    def loss(p, x):
        p["w"][0] = 1.0
        return np.sum(p["w"] * x)

    with pytest.raises(anabranch.TraceError, match=r"writing into p\.w") as raised:
        anabranch.grad(loss)({"w": X}, Y)
    assert raised.value.source is not None
    assert raised.value.source.text == 'p["w"][0] = 1.0'


def test_what_writes_arguments_has_no_out_no_native_code_and_no_file(tmp_path):
    def clear(a):
        a[0] = 0.0
        return a.sum()

    compiled = anabranch.jit(clear)
    for _ in range(5):  # the fast path is not for such calls
        x = X.copy()
        compiled(x)
        assert x[0] == 0.0
    with pytest.raises(anabranch.ArgumentError, match="takes no out"):
        compiled(X.copy(), out=np.zeros(()))
    with pytest.raises(anabranch.ArgumentError, match="no native code"):
        _ = compiled.native(X)
    with pytest.raises(anabranch.ArgumentError, match="cannot be saved"):
        compiled.save(tmp_path / "f", X)
