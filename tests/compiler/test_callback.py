"""`callback`: functions that are called and not traced."""

from __future__ import annotations

import ctypes
import gc
import threading
import weakref
from typing import Any

import numpy as np
import pytest
from numba import cfunc, njit, types

import anabranch
from anabranch import ArgumentError, DomainError, GradientError, TraceError, spec
from anabranch.ir.hosts import Host, register_host

BACKENDS = pytest.mark.parametrize("on", ["llvm", "reference", "numba"])
X = np.array([0.5, 0.9])


def table(x: Any, k: Any) -> Any:
    """Which no trace could follow."""
    assert isinstance(x, np.ndarray)
    return np.array([float(value) ** 2 for value in x]) * float(k)


def table_vjp(g: Any, x: Any, k: Any) -> Any:
    return 2 * g * x * k, np.sum(g * x**2)


@BACKENDS
def test_value_and_gradient(on: str) -> None:
    def loss(x: Any, k: Any) -> Any:
        made = anabranch.callback(table, "f64[2]", np.sin(x), k, vjp=table_vjp)
        return np.sum(made**2)

    def plain(x: Any, k: Any) -> Any:
        return np.sum((np.sin(x) ** 2 * k) ** 2)

    f = anabranch.value_and_grad(loss, (0, 1), backend=on)
    wanted = anabranch.value_and_grad(plain, (0, 1))(X, 3.0)
    for _ in range(3):  # the first calls go other ways
        value, bars = f(X, 3.0)
        np.testing.assert_allclose(value, wanted[0], rtol=1e-14)
        for bar, other in zip(bars, wanted[1], strict=True):
            np.testing.assert_allclose(bar, other, rtol=1e-13)


@BACKENDS
def test_pytrees_dtypes_and_sizes(on: str) -> None:
    seen: list[Any] = []

    def parts(p: Any, kind: str, n: int) -> Any:
        seen.append((p["a"].shape, p["a"].dtype, kind, n))
        return {
            "sum": p["a"].sum(axis=0),
            "count": p["b"] + n,
            "none": np.empty((0, 2)),
        }

    declared = {"sum": "f32[3]", "count": spec("i64[]"), "none": np.empty((0, 2))}

    def f(a: Any, b: Any) -> Any:
        return anabranch.callback(parts, declared, {"a": a.T, "b": b}, "text", 7)

    a = np.arange(6, dtype=np.float32).reshape(3, 2)
    made = anabranch.jit(f, backend=on)(a, np.int64(3))
    np.testing.assert_array_equal(made["sum"], a.T.sum(axis=0))
    assert (made["count"], made["none"].shape, made["sum"].dtype) == (10, (0, 2), "f4")
    assert seen == [((2, 3), np.dtype("f4"), "text", 7)]


def test_real_arguments_call_at_once() -> None:
    made = anabranch.callback(table, "f64[2]", X, 2)
    np.testing.assert_array_equal(made, table(X, 2))


@BACKENDS
def test_in_a_loop_and_in_a_branch(on: str) -> None:
    def shrink(x: Any) -> Any:
        return x * 0.99

    def run(x: Any) -> Any:
        total = 0.0
        for _ in range(300):
            x = anabranch.callback(shrink, "f64[2]", x, vjp=lambda g, x: (g * 0.99,))
            total = total + x.sum()
        if total > 1e9:
            total = anabranch.callback(abs, "f64[]", total, vjp=lambda g, x: (g,))
        return total

    value, bar = anabranch.value_and_grad(run, backend=on)(X)
    powers = sum(0.99**k for k in range(1, 301))
    np.testing.assert_allclose(value, X.sum() * powers)
    np.testing.assert_allclose(bar, powers)


@njit
def waves(x: Any, k: Any) -> Any:
    if x[0] > 5:
        raise ValueError("too large")
    return np.sin(x) * k, x.sum()


@BACKENDS
def test_a_function_of_numba(on: str) -> None:
    def f(x: Any) -> Any:
        return anabranch.callback(waves, ("f64[2]", "f64[]"), x, 2.0)

    compiled = anabranch.jit(f, backend=on)
    made, total = compiled(X)
    np.testing.assert_allclose(made, 2 * np.sin(X), rtol=1e-15)
    np.testing.assert_allclose(total, X.sum(), rtol=1e-15)
    with pytest.raises(DomainError):
        compiled(X + 9)
    np.testing.assert_allclose(compiled(X)[0], 2 * np.sin(X), rtol=1e-15)
    np.testing.assert_allclose(f(X)[1], X.sum(), rtol=1e-15)


TABLE = types.CPointer(types.CPointer(types.float64))


@cfunc(types.int32(TABLE, TABLE))
def doubled(inputs: Any, outputs: Any) -> int:
    for i in range(2):
        outputs[0][i] = 2 * inputs[0][i]
    return 1 if inputs[0][0] > 5 else 0


@BACKENDS
def test_a_function_of_c(on: str) -> None:
    native = doubled.ctypes

    def f(x: Any) -> Any:
        return anabranch.callback(native, "f64[2]", x * 1.0)

    compiled = anabranch.jit(f, backend=on)
    np.testing.assert_array_equal(compiled(X), 2 * X)
    np.testing.assert_array_equal(f(X), 2 * X)
    with pytest.raises(DomainError):
        compiled(X + 9)


def test_real_arrays_reach_native_functions_contiguous_and_in_order() -> None:
    spread = np.array([0.5, 7.0, 0.9, 7.0])[::2]
    for given in (spread, X.astype(">f8"), X[::-1].copy()[::-1]):
        made = anabranch.callback(doubled.ctypes, "f64[2]", given)
        np.testing.assert_array_equal(made, 2 * X)


@BACKENDS
def test_a_rule_of_a_native_function_has_numbers_among_its_arguments(on: str) -> None:
    def vjp(g: Any, x: Any, k: Any) -> Any:
        waves_bar, sum_bar = g
        return waves_bar * np.cos(x) * k + sum_bar, None

    def loss(x: Any) -> Any:
        made, total = anabranch.callback(waves, ("f64[2]", "f64[]"), x, 2.0, vjp=vjp)
        return np.sum(made**2) + total

    bar = anabranch.grad(loss, backend=on)(X)
    np.testing.assert_allclose(bar, 8 * np.sin(X) * np.cos(X) + 1)


def test_hosts_keep_no_trace() -> None:
    held: list[Any] = []

    def f(x: Any) -> Any:
        held.append(weakref.ref(x.owner.builder))
        return anabranch.callback(table, "f64[2]", x, 2, vjp=table_vjp).sum()

    anabranch.grad(f, backend="reference")(X)
    gc.collect()
    assert held[0]() is None


class Mine(Exception):
    pass


@BACKENDS
def test_what_it_raises_comes_out_with_the_line(on: str) -> None:
    def raises(x: Any) -> Any:
        raise Mine(f"at {x[0]}")

    compiled = anabranch.jit(
        lambda x: anabranch.callback(raises, "f64[2]", x) + 1, backend=on
    )
    for _ in range(3):
        with pytest.raises(Mine, match=r"at 0\.5") as caught:
            compiled(X)
        if on != "reference":
            assert any(__file__ in note for note in caught.value.__notes__)


@BACKENDS
def test_results_that_are_not_as_declared(on: str) -> None:
    for declared, what in (
        ("f64[3]", r"shape \(2,\), not \(3,\)"),
        (("f64[2]", "f64[2]"), r"returned \*, not \(\*, \*\)"),
    ):
        compiled = anabranch.jit(
            lambda x, d=declared: anabranch.callback(table, d, x, 2), backend=on
        )
        with pytest.raises(TraceError, match=what):
            compiled(X)


def test_refusals() -> None:
    with pytest.raises(ArgumentError, match="no result types"):
        anabranch.jit(lambda x: anabranch.callback(table, (), x, 2))(X)
    with pytest.raises(ArgumentError, match="no type of an array"):
        anabranch.jit(lambda x: anabranch.callback(table, 3.0j, x, 2))(X)
    with pytest.raises(GradientError, match=r"no derivative(.|\n)*vjp=") as caught:
        anabranch.grad(lambda x: anabranch.callback(table, "f64[2]", x, 2).sum())(X)
    assert caught.value.source is not None
    assert caught.value.source.file == __file__
    first = anabranch.grad(
        lambda x: anabranch.callback(table, "f64[2]", x, 2, vjp=table_vjp).sum()
    )
    with pytest.raises(GradientError, match="no derivative"):
        anabranch.grad(lambda x: first(x).sum())(X)


def test_a_compiled_function_with_one_is_not_saved(tmp_path: Any) -> None:
    f = anabranch.jit(lambda x: anabranch.callback(table, "f64[2]", x, 2))
    f(X)
    with pytest.raises(ArgumentError, match=r"callback, table(.|\n)*cannot be saved"):
        f.save(tmp_path / "f.anabranch")


def test_a_text_from_elsewhere_may_be_read_and_not_run(backend: str) -> None:
    graph = anabranch.parse(
        'graph f(%x: f64[2]) {\n  %y = callback(%x) {function="nowhere", '
        'results=("f64[2]",)} : f64[2]\n  return %y\n}'
    )
    assert anabranch.parse(str(graph)) == graph
    from anabranch.backends import find_backend

    with pytest.raises(ArgumentError, match="nowhere, which this process"):
        find_backend(backend).prepare(graph)([X])


def test_equal_calls_are_one_and_dead_ones_none() -> None:
    calls: list[int] = []

    def counted(x: Any) -> Any:
        calls.append(1)
        return x

    def f(x: Any) -> Any:
        one = anabranch.callback(counted, "f64[2]", x)
        other = anabranch.callback(counted, "f64[2]", x)
        anabranch.callback(counted, "f64[2]", x + 1)
        return one + other

    np.testing.assert_array_equal(anabranch.jit(f)(X), 2 * X)
    assert len(calls) == 1


def test_it_may_call_the_function_that_calls_it() -> None:
    def down(n: Any) -> Any:
        return f(n - 1) if n > 0 else np.float64(0)

    f = anabranch.jit(lambda n: anabranch.callback(down, "f64[]", n) + n)
    assert f(np.float64(5)) == 15
    assert f(np.float64(6)) == 21


def test_errors_of_threads_are_their_own() -> None:
    def raises(x: Any) -> Any:
        raise Mine(str(x[0]))

    f = anabranch.jit(lambda x: anabranch.callback(raises, "f64[2]", x))
    found: list[tuple[float, str]] = []

    def run(number: float) -> None:
        for _ in range(50):
            try:
                f(np.full(2, number))
            except Mine as error:
                found.append((number, str(error)))

    threads = [threading.Thread(target=run, args=(float(i),)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 200
    assert all(str(number) == text for number, text in found)


def test_a_door_for_native_code_says_that_it_failed() -> None:
    def raises(x: Any) -> Any:
        raise Mine("inside")

    f = anabranch.jit(lambda x: anabranch.callback(raises, "f64[2]", x))
    with pytest.raises(Mine):
        f(X)
    native = f.native(X)
    tables = [(ctypes.c_void_p * 1)(a.ctypes.data) for a in (X, np.empty(2))]
    code = native.ctypes(*tables)
    assert code
    assert isinstance(native.error(code), Mine)


def test_names_in_the_table_are_not_given_twice() -> None:
    def make() -> Host:
        return Host(lambda given, made: None)

    one, other = (register_host("same", object(), make) for _ in range(2))
    assert one != other
    known = object()
    assert register_host("same", known, make) == register_host("same", known, make)
