"""Arguments are never changed, results own their memory, writes stay inside."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import anabranch

X = np.arange(12.0).reshape(3, 4)
V = np.array([1.0, 2.0, 3.0])


def test_results_own_their_memory(backend):
    def several(x):
        return x, x, x.T, x.reshape(-1), x[1:], x + 0, np.zeros_like(x)

    results = anabranch.jit(several, backend=backend)(X)
    for i, made in enumerate(results):
        assert made.flags.owndata
        assert made.flags.writeable
        assert made.flags.c_contiguous
        assert not np.shares_memory(made, X)
        for other in results[:i]:
            assert not np.shares_memory(made, other)


def test_gradients_are_apart(backend):
    """Both cotangents of a sum are one value in the graph, but two arrays."""
    gradient = anabranch.grad(lambda x, y: np.sum(x + y), (0, 1), backend=backend)
    x_bar, y_bar = gradient(V, V)
    x_bar *= 2
    assert y_bar.tolist() == [1.0, 1.0, 1.0]
    assert x_bar.flags.writeable
    assert y_bar.flags.c_contiguous


def test_a_later_call_does_not_touch_earlier_results(backend):
    compiled = anabranch.jit(lambda x: np.cumsum(x * 2), backend=backend)
    first = compiled(V)
    second = compiled(V + 1)
    assert first.tolist() == [2.0, 6.0, 12.0]
    assert not np.shares_memory(first, second)


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x.T,
        lambda x: x[::2],
        lambda x: x[::-1, ::-2],
        lambda x: np.asfortranarray(x),
        lambda x: np.broadcast_to(x[0], (3, 4)),
        lambda x: np.lib.stride_tricks.sliding_window_view(x[0], 2),
        lambda x: np.frombuffer(b"x" + x.tobytes(), np.float64, 12, 1).reshape(3, 4),
        lambda x: x[:, None],
        lambda x: x.astype(">f8"),
    ],
)
def test_inputs_of_every_layout(same, view):
    """Views with any strides, no strides, without alignment, in other byte orders."""
    x = view(X)
    made = same(
        lambda x: (x * 2).astype(np.float64) + x[..., :1], x.astype("=f8", order="K")
    )
    again = anabranch.jit(lambda x: x * 2 + x[..., :1], backend="reference")(x)
    np.testing.assert_array_equal(made, again)


def test_read_only_input(same):
    x = X.copy()
    x.flags.writeable = False
    made = same(lambda x: x * 2, x)
    assert made.flags.writeable


def test_memory_mapped_input(same, tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, X)
    x = np.load(path, mmap_mode="r")
    made = anabranch.jit(lambda x: x * 2, backend="reference")(x)
    np.testing.assert_array_equal(made, X * 2)


def test_inputs_that_overlap(same):
    x = np.arange(6.0)
    same(lambda a, b: (a * b, a - b), x[1:], x[:-1])
    same(lambda a, b: a * b, x, x)
    same(lambda a, b: a @ b, x, x[::-1])


def test_captured_arrays_that_the_function_changes(same):
    """Each use sees the array as it was then, signs of zero included."""

    def function(x):
        buffer, results = np.zeros(3), []
        for value in (1.0, 2.0, 0.0, -0.0, 0.0):
            buffer[:] = value
            results.append(x * buffer)
        return results

    same(function, V)


def test_captured_traced_values_that_the_function_changes(backend):
    def times(y):
        return anabranch.jit(lambda z: z * y, backend=backend)

    def outer(x):
        y = x * 1
        first = times(y)(x)
        y += 1
        return first, times(y)(x)

    made = anabranch.jit(outer, backend=backend)(V)
    np.testing.assert_array_equal(made, [V * V, V * (V + 1)])


@pytest.mark.parametrize(
    "write",
    [
        lambda x: x.__setitem__(0, 1.0),
        lambda x: x.__iadd__(1.0),
        lambda x: np.add(x, 1.0, out=x),
        lambda x: np.exp(x, x),
        lambda x: x[0].__iadd__(1.0),
        lambda x: x[1:].__setitem__(0, 1.0),
        lambda x: x.T.__imul__(2.0),
        lambda x: x.reshape(-1).__setitem__(0, 1.0),
        lambda x: x.fill(0.0),
    ],
)
def test_writing_into_an_argument_is_an_error(backend, write):
    """The caller's array would have to change with it."""

    def function(x):
        write(x)
        return x * 1

    x = X.copy()
    with pytest.raises(anabranch.TraceError, match="copy it first"):
        anabranch.jit(function, backend=backend, rewrite=False)(x)
    np.testing.assert_array_equal(x, X)


def in_place(x):
    y = x * 1
    y += 1
    y -= x
    y *= 3
    y /= 2
    y **= 2
    y //= 0.5
    y %= 7
    y[0] += 1
    y[1:, ::2] *= x[1:, ::2]
    y[-1][:2] = 5
    return y


def through_slices(x):
    y = x.copy()
    row = y[1]
    row[:] = 7
    row[0] += x[0, 0]
    inner = y[0:2][1]
    inner[1:] = -1
    return y, inner, y.sum()


def with_out(x):
    y = np.zeros_like(x)
    np.multiply(x, 2, out=y)
    np.add(y, 1, y)
    z = np.exp(x, out=np.empty_like(x))
    return y, z


def numbers(x):
    total = 0.0
    for i in range(3):
        total += x[i, 0]
        total *= 2
    return total


def names_of_one_array(x):
    y = x.copy()
    z = y
    z += 1
    return y, z


def integers(x):
    y = np.arange(4) + x[0].astype(int)
    y &= 6
    y |= 1
    y ^= 2
    y <<= 2
    y >>= 1
    return y


@pytest.mark.parametrize(
    "function",
    [in_place, through_slices, with_out, numbers, names_of_one_array, integers],
)
def test_writing(same, function):
    same(function, X, ulps=2)


def test_copies_of_the_copy_module(same):
    def copies(x):
        y, z = copy.copy(x), copy.deepcopy([x])[0]
        y += 1
        z *= 2
        return x * 1, y, z

    same(copies, X)


ALIASES = [lambda y: y.reshape(-1), lambda y: y.ravel()]


@pytest.mark.parametrize("alias", ALIASES)
@pytest.mark.parametrize("through", ["array", "alias"])
@pytest.mark.parametrize("whole", [True, False])
def test_a_reshape_is_a_view_or_a_copy_as_strides_say(same, alias, through, whole):
    def function(x):
        y = x.copy() if whole else x.copy()[:, 1:]
        names = {"array": y, "alias": alias(y)}
        names[through][0] = 100
        return [name * 1 for name in names.values()]

    same(function, X)


@pytest.mark.parametrize("alias", ALIASES)
@pytest.mark.parametrize("through", ["array", "alias"])
def test_a_reshape_that_may_be_a_copy_is_an_error_after_a_write(
    backend, alias, through
):
    """Never a wrong number: whether NumPy shows the write depends on a layout."""

    def function(x):
        y = x * 1
        names = {"array": y, "alias": alias(y)}
        names[through][0] = 100
        return [name * 1 for name in names.values()]

    with pytest.raises(
        anabranch.TraceError, match=r"another name[\s\S]*test_purity.py"
    ):
        anabranch.jit(function, backend=backend)(X)


def test_copies_are_apart(same):
    def function(x):
        y = x * 1
        copies = y.copy(), y.flatten(), y[[0, 1]], y.astype(np.float64), y + 0
        y[:] = 0
        return (*copies, y)

    same(function, X)


def test_write_of_another_dtype(backend):
    def function(x):
        y = np.arange(3) + np.zeros_like(x, dtype=int)
        y += x
        return y

    with pytest.raises(TypeError):
        function(V)
    with pytest.raises(anabranch.TraceError, match="float64 into an array of int64"):
        anabranch.jit(function, backend=backend)(V)


def test_write_of_another_shape(backend):
    def function(x):
        y = x[:1] * 1
        y += x
        return y

    with pytest.raises(ValueError, match="broadcast"):
        function(V)
    with pytest.raises(anabranch.ShapeError):
        anabranch.jit(function, backend=backend)(V)


def test_out_of_a_real_array(backend):
    z = np.zeros(3)
    with pytest.raises(anabranch.TraceError, match="out="):
        anabranch.jit(lambda x: np.add(x, 1, out=z), backend=backend)(V)
    assert not z.any()


def test_real_array_updated_by_traced(backend):
    """``z += x`` with a closed-over z."""
    z = np.zeros(3)

    def function(x):
        nonlocal z
        z += x
        return z

    with pytest.raises(anabranch.TraceError, match=r"[\s\S]*test_purity.py"):
        anabranch.jit(function, backend=backend)(V)
    assert not z.any()


def test_real_array_with_a_traced_element(backend):
    def function(x):
        z = np.zeros(3)
        z[0] = x[0]
        return z

    as_it_is = anabranch.jit(function, backend=backend, rewrite=False)
    with pytest.raises(anabranch.ConcretizationError, match=r"[\s\S]*test_purity.py"):
        as_it_is(V)


@pytest.mark.parametrize("argument", [V, [V, V], {"a": V, "b": (V, 2.0)}])
def test_containers_are_not_changed(backend, argument):
    def function(p):
        leaves = p if isinstance(p, list) else [p]
        if isinstance(p, list):
            p.append(1)
        if isinstance(p, dict):
            p["c"] = 1
        return leaves

    before = copy.deepcopy(argument)
    anabranch.jit(function, backend=backend)(argument)
    np.testing.assert_equal(argument, before)
