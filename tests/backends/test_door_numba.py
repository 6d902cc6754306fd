"""The door into compiled functions from functions that Numba compiles."""

from __future__ import annotations

import gc
import pickle
import threading
from typing import Any

import numba
import numpy as np
import pytest
from numba.core.errors import TypingError
from numba.core.runtime import _nrt_python  # pyright: ignore[reportAttributeAccessIssue]
from numba.core.runtime.nrt import rtsys

import anabranch
from anabranch import (
    BoundsError,
    DomainError,
    RangeError,
    UnboundError,
    grad,
    jit,
    spec,
)
from anabranch import value_and_grad as both

X = np.linspace(-1.0, 1.0, 7)
DTYPES = "int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64 bool"


def rosenbrock(x: Any) -> Any:
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def test_value_and_gradient_in_a_loop():
    f = both(rosenbrock)
    f(X)
    step = f.njit

    @numba.njit(nogil=True)
    def descend(x: Any, steps: int) -> Any:
        value = 0.0
        for _ in range(steps):
            value, gradient = step(x)
            x = x - 1e-3 * gradient
        return value, x

    value, x = descend(X, 50)
    want, y = 0.0, X
    for _ in range(50):
        want, gradient = f(y)
        y = y - 1e-3 * gradient
    assert value == want
    np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("dtype", DTYPES.split())
def test_dtypes_ranks_and_empty_arrays(dtype: str):
    f = jit(lambda a, b, c: {"z": (a, np.sum(a)), "c": c, "b": np.stack([b, b])})
    a, b = np.ones((2, 3), dtype), np.zeros((0,), dtype)
    c: Any = np.dtype(dtype).type(1)
    inner = f.native(a, b, c).njit

    @numba.njit
    def outer(a: Any, b: Any, c: Any) -> Any:
        return inner(a, b, c)

    tree = f(a, b, c)
    want = [*tree["z"], tree["c"], tree["b"]]
    for one, other in zip(outer(a, b, c), want, strict=True):
        np.testing.assert_array_equal(one, other)
        if np.ndim(other):
            assert one.dtype == other.dtype
    np.testing.assert_array_equal(outer(a, b, np.array(c))[2], c)


def test_numbers_are_converted_where_nothing_is_lost():
    inner = jit(lambda x, rate: x * rate).native(X, 2.0).njit

    @numba.njit
    def outer(x: Any) -> Any:
        return inner(x, 3), inner(x, np.float32(0.5)), inner(x, True)

    np.testing.assert_array_equal(outer(X), [3 * X, 0.5 * X, X])


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        (np.ones(7, np.float32), r"x: f64\[7\] is wanted"),
        (np.ones((7, 1)), r"x: f64\[7\] is wanted"),
        (np.ones(14)[::2], r"not known to be C-contiguous"),
        (1.0, r"x: f64\[7\] is wanted"),
        ("x", r"x: f64\[7\] is wanted"),
    ],
)
def test_types_are_checked_when_numba_compiles(argument: Any, message: str):
    inner = jit(lambda x: np.sum(x)).native(spec("f64[7]")).njit

    @numba.njit
    def outer(x: Any) -> Any:
        return inner(x)

    with pytest.raises(TypingError, match=message):
        outer(argument)


def test_a_number_that_would_be_rounded_is_refused():
    inner = jit(lambda x: x + 1).native(np.float32(1)).njit

    @numba.njit
    def outer(x: Any) -> Any:
        return inner(x)

    with pytest.raises(TypingError, match=r"x: f32\[\] is wanted"):
        outer(0.1)
    assert outer(np.float32(0.5)) == 1.5


def test_the_count_of_arguments_is_checked():
    inner = jit(lambda x, y: x + y).native(X, X).njit

    @numba.njit
    def outer(x: Any) -> Any:
        return inner(x)

    with pytest.raises(TypingError, match="takes 2 arguments, by position: x: f64"):
        outer(X)


def test_shapes_are_checked_when_it_runs():
    inner = grad(lambda x: np.sum(x * x)).native(np.ones((2, 3))).njit

    @numba.njit
    def outer(x: Any) -> Any:
        return inner(x)

    np.testing.assert_array_equal(outer(np.ones((2, 3))), np.full((2, 3), 2.0))
    with pytest.raises(
        ValueError, match=r"x: f64\[2,3\] has another size along axis 1"
    ):
        outer(np.ones((2, 4)))
    with pytest.raises(ValueError, match="along axis 0"):
        outer(np.ones((0, 3)))


def test_failing_checks_raise_what_they_raise_from_python():
    f = jit(lambda x, i: np.take(x, i))
    inner = f.native(X, 3).njit

    @numba.njit
    def outer(x: Any, i: int) -> Any:
        return inner(x, i)

    @numba.njit
    def caught(x: Any, i: int) -> Any:
        try:
            return inner(x, i)
        except Exception:
            return -5.0

    assert outer(X, 3) == X[3]
    with pytest.raises(
        BoundsError, match=r"index is out of bounds[\s\S]*test_door_numba.py"
    ):
        outer(X, 7)
    assert (caught(X, 7), caught(X, 0)) == (-5.0, X[0])


def test_each_kind_of_check_has_its_exception():
    from anabranch.backends.llvm.run.door.numba_type import ERRORS
    from anabranch.ir.ops.index import ERRORS as OURS

    assert set(ERRORS.values()) > {BoundsError, DomainError, RangeError, UnboundError}
    for kind, error in ERRORS.items():
        assert OURS[kind] is error
        assert pickle.loads(pickle.dumps(error)) is error


def test_what_the_user_raises_is_raised() -> None:
    def function(x: Any) -> Any:
        if x[0] > 100:
            raise ZeroDivisionError("no way")
        return np.sum(x)

    inner = jit(function).native(X).njit

    @numba.njit
    def outer(x: Any) -> Any:
        return inner(x) * 2

    assert outer(np.ones(7)) == 14.0
    with pytest.raises(ZeroDivisionError):
        outer(X + 200)


def test_what_numba_compiled_outlives_everything_else():
    w: Any = np.arange(7.0)
    f: Any = grad(lambda x: np.sum(np.tanh(w * x)))
    want = f(X)

    def made() -> Any:
        inner = f.njit

        @numba.njit
        def outer(x: Any) -> Any:
            return inner(x)

        outer(X)
        return outer

    outer = made()
    outer.py_func.__closure__[0].cell_contents = None
    f = w = None
    gc.collect()
    np.testing.assert_array_equal(outer(X), want)


def test_it_can_be_passed_as_an_argument():
    @numba.njit
    def apply(function: Any, x: Any) -> Any:
        return function(x)

    total, largest = jit(np.sum), jit(np.max)
    assert apply(total.native(X).njit, X) == total(X)
    assert apply(largest.native(X).njit, X) == largest(X)


def test_threads_call_at_once():
    f = both(lambda w, x: np.sum(np.tanh(np.tanh(x @ w) @ w) ** 2))
    rng = np.random.default_rng(0)
    w, x = rng.normal(size=(9, 9)), rng.normal(size=(20, 5, 9))
    inner = f.native(w, x[0]).njit

    @numba.njit(nogil=True)
    def repeat(w: Any, x: Any, want: Any) -> int:
        wrong = 0
        for _ in range(200):
            wrong += int(np.any(inner(w, x)[1] != want))
        return wrong

    want = [f(w, item)[1] for item in x]
    repeat(w, x[0], want[0])
    wrong: list[int] = []

    def work(number: int) -> None:
        wrong.append(repeat(w, x[number], want[number]))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(x))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == [0] * len(x)


def test_large_steps_are_shared_by_threads_within_numba():
    f = jit(lambda x: np.exp(x) + np.sum(x, axis=1, keepdims=True))
    x = np.random.default_rng(0).normal(size=(900, 700))
    inner = f.native(x).njit

    @numba.njit
    def outer(x: Any) -> Any:
        return inner(x)

    np.testing.assert_array_equal(outer(x), f(x))


def test_a_log_density_is_called_by_its_pointer():
    f = both(rosenbrock)
    density = f.logdensity(7)
    call, inner = density.ctypes, density.njit

    @numba.njit
    def outer(x: Any) -> Any:
        gradient, value = np.empty(7), np.empty(1)
        status = call(7, x.ctypes, gradient.ctypes, value.ctypes, np.empty(1).ctypes)
        return status, value[0], gradient, inner(x)[0]

    status, value, gradient, again = outer(X)
    assert (status, value, again) == (0, f(X)[0], value)
    np.testing.assert_array_equal(gradient, f(X)[1])


def test_results_are_new_arrays_that_are_given_back():
    """Many calls hold no more memory than one: Numba counts what it allocates."""
    inner = grad(lambda x: np.sum(x**3)).native(X).njit

    @numba.njit
    def outer(x: Any, steps: int) -> Any:
        for _ in range(steps):
            x = inner(x) * 0.1
        return x

    outer(X, 1)
    _nrt_python.memsys_enable_stats()
    try:
        before = rtsys.get_allocation_stats()
        outer(X, 100)
        after = rtsys.get_allocation_stats()
    finally:
        _nrt_python.memsys_disable_stats()
    assert after.alloc - before.alloc >= 200
    assert after.alloc - before.alloc == after.free - before.free


def test_loops_run_inside():
    xs = np.linspace(-1.0, 1.0, 12).reshape(4, 3)

    def model(w: Any, xs: Any) -> Any:
        def step(h: Any, x: Any) -> Any:
            h = np.tanh(h * w + x)
            return h, h * h

        h, ys = anabranch.scan(step, np.zeros(3), xs)
        return np.sum(ys) + np.sum(h)

    f = both(model)
    want, gradient = f(X[:3], xs)
    inner = f.njit

    @numba.njit
    def outer(w: Any, xs: Any) -> Any:
        return inner(w, xs)

    value, made = outer(X[:3], xs)
    assert value == want
    np.testing.assert_array_equal(made, gradient)


def test_choices_run_inside():
    f = jit(lambda x: anabranch.cond(x[0] > 0, np.sin, lambda x: x * x, x) + 1.0)
    f(X)
    inner = f.njit

    @numba.njit
    def outer(x: Any) -> Any:
        return inner(x)

    for x in (X, -X):
        np.testing.assert_array_equal(outer(x), f(x))
