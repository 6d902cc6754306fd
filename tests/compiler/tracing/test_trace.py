"""Calls and their kinds, static arguments, closures, threads, and tracers."""

from __future__ import annotations

import functools
import gc
import threading
import weakref

import numpy as np
import pytest

import anabranch
from anabranch.ir.errors import SourceLine

X = np.array([1.0, 2.0, 3.0])


@pytest.fixture
def jit(backend):
    return functools.partial(anabranch.jit, backend=backend)


def test_arguments_in_every_way(jit):
    def function(a, b=2.0, /, c=3.0, *rest, d, e=5.0, **more):
        return [a, b, c, *rest, d, e, *(more[key] for key in sorted(more))]

    compiled = jit(function)
    assert compiled(1.0, d=4.0) == [1, 2, 3, 4, 5]
    assert compiled(1.0, 7.0, d=4.0, c=8.0) == [1, 7, 8, 4, 5]
    assert compiled(1.0, 7.0, 8.0, 9.0, 10.0, d=4.0) == [1, 7, 8, 9, 10, 4, 5]
    assert compiled(1.0, d=4.0, z=6.0, y=7.0, e=0.0) == [1, 2, 3, 4, 0, 7, 6]
    assert compiled(1.0, d=4.0) == [1, 2, 3, 4, 5]


def test_keyword_and_position_are_the_same_argument(jit):
    compiled = jit(lambda x, y: x - y)
    assert compiled(3.0, 1.0) == compiled(3.0, y=1.0) == compiled(y=1.0, x=3.0) == 2.0


def test_defaults_that_are_arrays(jit):
    compiled = jit(lambda x, w=X: x * w)
    assert compiled(2.0).tolist() == [2.0, 4.0, 6.0]
    assert compiled(2.0, np.ones(2)).tolist() == [2.0, 2.0]


class Scale:
    def __init__(self, factor):
        self.factor = factor

    def __call__(self, x):
        return x * self.factor

    def apply(self, x):
        return self(x)


@pytest.mark.parametrize(
    "callable_",
    [
        functools.partial(np.multiply, 2.0),
        functools.partial(lambda x, y: x * y, y=2.0),
        Scale(2.0),
        Scale(2.0).apply,
        np.square,
        np.sum,
        anabranch.relu,
    ],
    ids=lambda value: type(value).__name__,
)
def test_callables_of_every_kind(same, callable_):
    same(callable_, X)


def test_compiled_looks_like_the_function(jit):
    def loss(x, y):
        """What it computes."""
        return x * y

    compiled = jit(loss)
    assert compiled.__name__ == "loss"
    assert compiled.__doc__ == loss.__doc__
    assert compiled.py_func is loss
    assert compiled.__wrapped__ is loss


def test_each_kind_is_traced_once(jit):
    calls = []

    def function(x):
        calls.append(None)
        return x + 1

    compiled = jit(function)
    kinds = [
        X,
        X.astype(np.float32),
        X[:2],
        X[None],
        2.0,
        2,
        np.float64(2),
        np.array(2.0),
    ]
    for _ in range(2):
        for x in kinds:
            compiled(x)
    # A NumPy scalar and an array without dimensions are of one kind.
    assert len(calls) == compiled.compile_count == len(kinds) - 1


def test_shapes_are_never_mixed_up(jit):
    """Traced with (5, 5), called with (1, 5): another kind, not a broadcast."""
    compiled = jit(lambda x, y: x + y)
    assert compiled(np.ones((5, 5)), np.ones((5, 5))).shape == (5, 5)
    assert compiled(np.ones((1, 5)), np.ones((5, 5))).shape == (5, 5)
    assert compiled(np.ones((1, 5)), np.ones((1, 5))).shape == (1, 5)
    assert compiled.compile_count == 3


@pytest.mark.parametrize(
    "value", [3.0, 3, True, np.float64(3), np.int8(3), np.array(3.0)]
)
def test_numbers_of_every_kind(same, value):
    same(lambda x: x, np.asarray(value)[()])
    same(lambda x, y: x + y, X, value)
    same(lambda x, y: y * x.astype(np.float32), X, value)


def test_result_without_dimensions_is_a_scalar(jit):
    made = jit(lambda x: (x.sum(), x[0], x.argmax(), x[0] > 0, 2.0, True))(X)
    kinds = [np.float64, np.float64, np.int64, np.bool_, np.float64, np.bool_]
    assert [type(value) for value in made] == kinds


def test_rank_32_and_above(same, jit):
    same(lambda x: x + 1, np.ones((1,) * 32))
    with pytest.raises(anabranch.AnabranchError, match="rank 33"):
        jit(lambda x: x + 1)(np.ones((1,) * 33))


def test_sizes_that_overflow(same, jit):
    """Products of sizes are Python's integers: 2**64 is not 0."""
    same(lambda x: x + 1, np.zeros((2**32, 0)))
    with pytest.raises(anabranch.ShapeError, match="cannot reshape"):
        jit(lambda x: x.reshape(2**32, 2**32))(np.zeros(0))
    with pytest.raises(anabranch.ShapeError, match="bytes"):
        jit(lambda x: np.broadcast_to(x, (2**32, 2**32)).sum())(np.zeros(1))


@pytest.mark.parametrize("rank", range(7))
def test_ranks(same, rank):
    x = np.arange(2.0**rank).reshape((2,) * rank)
    same(lambda x: (x * 2 + x.T, np.sum(x), x.reshape(-1)), x)


def test_static_arguments(jit):
    def function(x, n, mode):
        for _ in range(n):
            x = x * 2 if mode == "double" else x + 1
        return x

    compiled = jit(function, static_argnums=1, static_argnames="mode")
    assert compiled(1.0, 3, mode="double") == 8.0
    assert compiled(1.0, 3, mode="add") == 4.0
    assert compiled(1.0, 2, "double") == 4.0
    assert compiled(1.0, n=2, mode="double") == 4.0
    assert compiled(1.0, 3, "double") == 8.0


def test_static_arguments_by_negative_position(jit):
    assert jit(lambda x, n: x * n, static_argnums=-1)(X, 2).tolist() == [2.0, 4.0, 6.0]


@pytest.mark.parametrize(
    "values",
    [
        (0.0, -0.0),
        (1, True, 1.0),
        (0, False, 0.0, -0.0),
        (1.0, np.float32(1), np.float64(1)),
        ("1", b"1", 1),
        ((1,), (1.0,), (True,)),
        ((0.0,), (-0.0,)),
        (frozenset([1]), frozenset([True])),
        (None, "None"),
        (float("nan"), 0.0),
        (2**63, -(2**63)),
    ],
    ids=str,
)
def test_static_values_are_kept_apart(jit, values):
    """By type and value: Python's == takes 1, True and 1.0 for equal."""
    compiled = jit(lambda x, s: (seen.append(s), x)[1], static_argnames="s")
    for value in values:
        seen = []
        compiled(X, value)
        assert len(seen) == 1
        assert repr(seen) == repr([value])


def test_static_nan_is_one_kind(jit):
    compiled = jit(lambda x, s: x, static_argnames="s")
    for _ in range(3):
        compiled(X, float("nan"))
    assert compiled.compile_count == 1


def test_static_argument_that_cannot_be_hashed(jit):
    compiled = jit(lambda x, s: x, static_argnames="s")
    with pytest.raises(anabranch.ArgumentError, match="hashable"):
        compiled(X, [1, 2])
    assert compiled(X, (1, 2)) is not None


def test_static_function(jit):
    compiled = jit(lambda f, x: f(x), static_argnums=0)
    assert compiled(np.negative, X).tolist() == [-1.0, -2.0, -3.0]
    assert compiled(lambda x: x + 1, X).tolist() == [2.0, 3.0, 4.0]
    assert compiled(lambda x: x + 2, X).tolist() == [3.0, 4.0, 5.0]


def test_two_lambdas_on_one_line(jit):
    first, second = jit(lambda x: x + 1), jit(lambda x: x + 2)
    assert (first(1.0), second(1.0), first(1.0)) == (2.0, 3.0, 2.0)


def test_same_source_with_other_constants(jit):
    """Closures, defaults and globals."""
    added = [jit(lambda x, n=n: x + n) for n in (1, 2.0, True)]
    assert [f(1.0) for f in added] == [2.0, 3.0, 2.0]

    def closing(n):
        return jit(lambda x: x * n)

    assert [closing(n)(3.0) for n in (1, -1, 0.5)] == [3.0, -3.0, 1.5]
    space = {}
    for value in (1.0, 2.0):
        exec(f"c = {value}\ndef f(x): return x + c", space)
        assert jit(space["f"])(1.0) == 1.0 + value


@pytest.mark.parametrize(
    "constant", [0.0, -0.0, float("inf"), float("nan"), 5e-324, 0.1]
)
def test_constants_keep_their_bits(jit, constant):
    made = jit(lambda x: x * 0.0 + np.copysign(1.0, constant) * x)(np.array([1.0]))
    assert made[0] == np.copysign(1.0, constant)
    both = jit(lambda x: (x + 0.0, x + constant))(np.array([-0.0]))
    np.testing.assert_array_equal(both[1], np.array([-0.0]) + constant)
    assert np.signbit(both[1][0]) == np.signbit(-0.0 + constant)
    assert not np.signbit(both[0][0])


def test_captured_arrays(jit):
    w, b = np.array([[1.0, 2.0, 3.0]]), np.float32(0.5)
    assert jit(lambda x: w @ x + b)(X).tolist() == [14.5]
    names = [node.name for node in anabranch.make_ir(lambda x: w * x + w)(X).inputs]
    assert names == ["x", "captured.0"]


def test_captured_array_of_any_layout(same):
    w = np.arange(12.0).reshape(3, 4)
    for view in (w.T, w[::2, ::-1], np.asfortranarray(w), w.astype(">f8")):
        same(lambda x, w=view: x[0] * w, X)


def test_nested_compiled_functions(jit):
    inner = jit(lambda x: np.tanh(x) * 2)
    outer = jit(lambda x: inner(x) + inner(x * 2))
    expected = 2 * np.tanh(X) + 2 * np.tanh(2 * X)
    np.testing.assert_allclose(outer(X), expected, rtol=1e-14)


def test_inner_function_closes_over_a_traced_value(jit):
    def outer(x, y):
        inner = jit(lambda z: z * x + y)
        return inner(x) + inner(y)

    np.testing.assert_array_equal(jit(outer)(X, 2.0), (X * X + 2) + (2 * X + 2))


def test_compiled_twice(jit):
    assert jit(jit(lambda x: x + 1))(1.0) == 2.0


def test_interpreter_for_everything():
    compiled = anabranch.jit(lambda x: x + 1)
    with anabranch.disable_jit():
        assert compiled(X).tolist() == [2.0, 3.0, 4.0]


def test_first_call_from_many_threads(jit):
    """One kind is kept, and each thread gets the right answer for its own input."""
    calls = []

    def function(x, w):
        calls.append(None)
        return np.tanh(x @ w).sum(axis=0) + x[0, 0]

    compiled = jit(function)
    inputs = [np.full((4, 3), k / 10) for k in range(8)]
    w = np.arange(6.0).reshape(3, 2) / 10
    results: list[list[np.ndarray]] = [[] for _ in range(8)]
    barrier = threading.Barrier(8)

    def run(k):
        barrier.wait()
        results[k] = [compiled(inputs[k], w) for _ in range(50)]

    threads = [threading.Thread(target=run, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert compiled.compile_count == 1
    assert 1 <= len(calls) <= 8
    for x, made in zip(inputs, results, strict=True):
        expected = np.tanh(x @ w).sum(axis=0) + x[0, 0]
        for result in made:
            np.testing.assert_allclose(result, expected, rtol=1e-13)


def test_tracing_in_several_threads_at_once(jit):
    compiled = [jit(lambda x, k=k: x * k + x.sum()) for k in range(8)]
    results: list[object] = [None] * 8

    def run(k):
        results[k] = compiled[k](X)

    threads = [threading.Thread(target=run, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for k, made in enumerate(results):
        np.testing.assert_array_equal(made, X * k + 6)


def test_functions_are_freed(jit):
    """Nothing global holds what was compiled."""

    def function(x):
        return x + 1

    compiled = jit(function)
    compiled(X)
    gone = weakref.ref(function), weakref.ref(compiled)
    del function, compiled
    gc.collect()
    assert [ref() for ref in gone] == [None, None]


def test_what_a_tracer_shows():
    def check(x):
        assert x.shape == (2, 3)
        assert (x.ndim, x.size, len(x), x.dtype) == (2, 6, 2, np.float32)
        assert (x.itemsize, x.nbytes) == (4, 24)
        first, second = x
        assert first.shape == second.shape == (3,)
        assert [row.shape for row in x] == [(3,), (3,)]
        assert repr(x) == f"{x}" == str(x) == "<traced f32[2,3] %x>"
        assert x.T.shape == (3, 2)
        assert x.real is x
        assert x.shape[0] * x.shape[1] == 6
        assert not callable(x)
        assert isinstance(x.reshape(x.shape[::-1]).shape, tuple)
        with pytest.raises(TypeError, match="unsized"):
            len(x[0, 0])
        with pytest.raises(TypeError, match="0-d"):
            iter(x[0, 0])
        with pytest.raises(TypeError, match="key of a dict"):
            hash(x)
        return x

    anabranch.jit(check, backend="reference")(np.ones((2, 3), np.float32))


def test_loops_in_python_unroll(same):
    def function(x):
        state = np.zeros_like(x[0])
        seen = []
        for row in x:
            state = np.tanh(row + 0.5 * state)
            seen.append(state)
        return np.stack(seen), state

    same(function, np.arange(12.0).reshape(4, 3), ulps=4)


def test_lines_of_the_user_are_in_the_graph():
    def function(x):
        y = np.exp(x)
        return y * 2

    graph = anabranch.make_ir(function)(X)
    first = function.__code__.co_firstlineno
    sources = {node.op: node.source for node in graph}
    assert sources["exp"] == SourceLine(__file__, first + 1)
    assert sources["mul"] == SourceLine(__file__, first + 2)


def test_round_of_python(same):
    same(lambda x: (round(x[0], 1), x[1].round(1)), np.array([1.25, 2.675]))
    same(lambda x: x // 1, X)


def test_values_have_no_names_that_pytest_makes_up():
    """It rewrites an assertion into assignments to what is no identifier."""
    compiled = anabranch.jit(np.linalg.inv)
    assert compiled(np.eye(2)).shape == (2, 2)
    assert "@py" not in compiled.inspect_ir()
