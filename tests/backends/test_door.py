"""The door into compiled functions for C and for samplers."""

from __future__ import annotations

import ctypes
import gc
import os
import subprocess
import sys
import threading
import weakref
from typing import Any

import numpy as np
import pytest

import anabranch
from anabranch import ArgumentError, BoundsError, Native, clear_caches, grad, jit, spec
from anabranch import value_and_grad as both

X = np.linspace(-1.0, 1.0, 7)
ITERATIONS = ("warmup", 300), ("sampling", 500)  # fixed, or draws depend on threads
DTYPES = "int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64 bool"


def rosenbrock(x: Any) -> Any:
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def table(arrays: list[np.ndarray[Any, Any]]) -> Any:
    return (ctypes.c_void_p * max(len(arrays), 1))(*(a.ctypes.data for a in arrays))


def call(native: Native, *inputs: Any) -> list[np.ndarray[Any, Any]]:
    """Call by the address, as C does."""
    arrays = [np.array(value, order="C") for value in inputs]
    types = [type_ for _, type_ in native.outputs]
    outputs = [np.full(t.shape, 77).astype(t.numpy) for t in types]
    function = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
    status = function(native.address)(table(arrays), table(outputs))
    if status:
        raise native.error(status)
    return outputs


def test_value_and_gradient_are_those_of_a_call():
    f = both(rosenbrock)
    value, gradient = f(X)
    found = call(f.native(), X)
    np.testing.assert_array_equal(found[0], value)
    np.testing.assert_array_equal(found[1], gradient)
    assert f.address == f.native().address == f.native(X).address
    assert f.native(spec("f64[7]")) is f.native()
    assert f.native(spec("f64[3]")) is not f.native(X)


@pytest.mark.parametrize("dtype", DTYPES.split())
@pytest.mark.parametrize("shape", [(), (1,), (0,), (3, 0), (2, 3)])
def test_dtypes_ranks_and_empty_arrays(dtype: str, shape: tuple[int, ...]):
    x = (np.arange(np.prod(shape, dtype=int)).reshape(shape) % 2).astype(dtype)
    f = jit(lambda x: {"z": (x, np.sum(x)), "a": np.stack([x, x])})
    want = f(x)
    found = call(f.native(x), x)
    for one, other in zip(found, [want["z"][0], want["z"][1], want["a"]], strict=True):
        np.testing.assert_array_equal(one, other)
        assert one.dtype == np.asarray(other).dtype


def test_inputs_may_share_memory_and_are_not_written():
    f = jit(lambda x, y: (x + y, x * y))
    native = f.native(X, X)
    before = X.copy()
    outputs = [np.empty(7), np.empty(7)]
    assert native.ctypes(table([X, X]), table(outputs)) == 0
    np.testing.assert_array_equal(outputs, [X + X, X * X])
    np.testing.assert_array_equal(X, before)


def test_captured_arrays_are_read_when_it_is_called():
    w = np.arange(7.0)
    native = jit(lambda x: np.sum(w * x)).native(X)
    assert call(native, X)[0] == np.sum(w * X)
    w += 1
    assert call(native, X)[0] == np.sum(w * X)


def test_a_failing_check_gives_a_code_that_says_which():
    f = jit(lambda x, i: np.take(x, i))
    native = f.native(X, 3)
    assert call(native, X, 3)[0] == X[3]
    with pytest.raises(BoundsError, match="index"):
        call(native, X, 7)
    assert call(native, X, 0)[0] == X[0]


def test_it_lives_without_the_compiled_function():
    w: Any = np.arange(7.0)
    f: Any = grad(lambda x: np.sum(np.tanh(w * x)))
    want = f(X)
    address = f.native().ctypes  # which keeps what it needs
    watched = weakref.ref(f)
    f = w = None
    clear_caches()
    gc.collect()
    assert watched() is None
    found = np.empty(7)
    assert address(table([X]), table([found])) == 0
    np.testing.assert_array_equal(found, want)


def test_idle_frames_go_with_it():
    x = np.linspace(-1.0, 1.0, 1000)  # too many for a frame on the stack
    native = jit(lambda x: np.sum(np.exp(x)) + np.exp(x)[::-1] @ x).native(x)
    call(native, x)
    record: Any = native._door._record  # type: ignore[attr-defined]
    slots = record._kept[-1]
    watched = weakref.ref(record)
    assert np.count_nonzero(slots) == 1
    del native, record
    gc.collect()
    assert watched() is None


@pytest.mark.parametrize(("size", "kept"), [(9, range(1)), (30, range(1, 17))])
def test_more_threads_than_idle_frames(size: int, kept: range):
    """Small frames are on the stack of each thread; of others 16 are kept."""
    f = both(lambda w, x: np.sum(np.tanh(np.tanh(x @ w) @ w) ** 2))
    rng = np.random.default_rng(0)
    w, x = rng.normal(size=(size, size)), rng.normal(size=(24, 5, size))
    native = f.native(w, x[0])
    want = [f(w, item)[1] for item in x]
    wrong: list[int] = []
    barrier = threading.Barrier(len(x))

    def work(number: int) -> None:
        barrier.wait()
        same = [call(native, w, x[number])[1] == want[number] for _ in range(20)]
        wrong.append(int(np.sum(~np.array(same))))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(x))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == [0] * len(x)
    slots: Any = native._door._record._kept[-1]  # type: ignore[attr-defined]
    assert np.count_nonzero(slots) in kept


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_of_a_fork_calls():
    f = both(rosenbrock)
    want = f(X)[1]
    native = f.native()
    call(native, X)
    child = os.fork()
    if child == 0:
        same = False
        try:
            same = np.array_equal(call(native, X)[1], want)
        finally:
            os._exit(0 if same else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    np.testing.assert_array_equal(call(native, X)[1], want)


def test_the_header_tells_order_dtypes_and_shapes():
    f = jit(lambda x, n: {"y": x * n, "s": np.sum(x)})
    native = f.native(np.ones((2, 3), np.float32), np.int32(2))
    assert native.header.splitlines() == [
        "/*",
        " * inputs[0]: float x[2][3]",
        " * inputs[1]: int32_t n[1]",
        " * outputs[0]: double y[2][3]",
        " * outputs[1]: float s[1]",
        " * Returns 0, or a code other than 0 where it failed.",
        " */",
        "int lambda(const void *const *inputs, void *const *outputs);",
    ]


def test_other_backends_and_traced_closures_are_refused():
    f = jit(np.sum, backend="reference")
    with pytest.raises(ArgumentError, match="reference makes no functions"):
        f.native(X)
    with pytest.raises(ArgumentError, match="nothing is compiled yet"):
        _ = jit(np.sum).address

    def outer(x: Any) -> Any:
        jit(lambda y: x + y).native(spec("f64[7]"))
        return x

    with pytest.raises(ArgumentError, match="closes over traced values"):
        jit(outer)(X)


def pointers(*arrays: np.ndarray[Any, Any]) -> list[Any]:
    return [a.ctypes.data_as(ctypes.POINTER(ctypes.c_double)) for a in arrays]


def test_log_density():
    f = both(rosenbrock)
    density = f.logdensity(7)
    value, gradient = np.empty(1), np.empty(7)
    call = density.ctypes
    del density
    gc.collect()
    assert call(7, *pointers(X, gradient, value), None) == 0
    assert value[0] == f(X)[0]
    np.testing.assert_array_equal(gradient, f(X)[1])


def test_log_density_of_another_size_is_refused():
    density = both(rosenbrock).logdensity(7)
    x, value, gradient = np.zeros(8), np.full(1, 5.0), np.full(8, 5.0)
    code = density.ctypes(8, *pointers(x, gradient, value), None)
    assert code == -2
    assert isinstance(density.error(code), ValueError)
    np.testing.assert_array_equal(gradient, np.full(8, 5.0))


@pytest.mark.parametrize("transform", [grad, jit])
def test_only_a_value_and_a_gradient_are_a_log_density(transform: Any):
    function = transform(rosenbrock)
    with pytest.raises(ArgumentError, match="no log-density"):
        function.logdensity(7)


def test_numba_is_not_imported():
    program = """
import sys, numpy as np, anabranch
f = anabranch.value_and_grad(lambda x: np.sum(x * x))
f.logdensity(3).address, f.address, f.ctypes, f.native().header
assert not [name for name in sys.modules if name.split(".")[0] == "numba"]
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_walnutpie_samples():
    """Its C interface takes the function as it is."""
    walnutpie = pytest.importorskip("walnutpie")
    mean = np.array([1.0, -2.0, 0.5])
    f = anabranch.value_and_grad(lambda x: -0.5 * np.sum((x - mean) ** 2))
    density = f.logdensity(3)
    fixed = {
        f"{end}_{what}_iter": n for what, n in ITERATIONS for end in ("min", "max")
    }
    draws = walnutpie.walnuts_pyfunc(
        (density.ctypes, None), num_params=3, seed=1, **fixed
    )
    found = np.concatenate([np.asarray(chain) for chain in draws])
    np.testing.assert_allclose(found.mean(axis=0), mean, atol=0.25)
    np.testing.assert_allclose(found.std(axis=0), 1.0, atol=0.25)
