"""Integers and bools are traced until a trace asks for their value."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import anabranch
from anabranch import grad, jit
from anabranch.compiler.tree import flatten
from tests.backends.calls import is_fast

X = np.arange(6.0)


def head(x: Any, n: Any) -> Any:
    return x[:n] * n


def unrolled(x: Any, n: Any) -> Any:
    for _ in list(range(n + 1)):
        x = np.sin(x)
    return x


def of_a_list(x: Any, n: Any) -> Any:
    return [x, x * 2, x * 3][n]


def twice(x: Any, n: Any) -> Any:
    return x[: 2 * n], x[n:]


FUNCTIONS = [head, unrolled, of_a_list, twice]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_each_value_has_a_signature(function: Any, backend: str) -> None:
    compiled = jit(function, backend=backend)
    for n in (1, 2, 1, 0, 2, 1, 0):
        made, plain = flatten(compiled(X, n))[0], flatten(function(X, n))[0]
        for one, other in zip(made, plain, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-14)
    assert compiled.compile_count == 3


def test_what_is_not_asked_for_stays_traced(backend: str) -> None:
    compiled = jit(lambda x, n: x * n if n > 2 else x, backend=backend)
    for n in range(5):
        np.testing.assert_array_equal(compiled(X, n), X * n if n > 2 else X)
    assert compiled.compile_count == 1
    assert not compiled.report().guards


def test_only_what_is_asked_for_is_known() -> None:
    compiled = jit(lambda x, n, k: x[:n] * k)
    for n, k in ((2, 1), (2, 5), (3, 5), (3, -1)):
        np.testing.assert_array_equal(compiled(X, n, k), X[:n] * k)
    assert compiled.compile_count == 2
    (guard,) = compiled.report().guards
    assert guard.startswith(f"n == 3, asked for at {__file__}")
    assert guard in repr(compiled.report())


def test_bools_and_nested_leaves() -> None:
    compiled = jit(lambda p: p["x"][: p["n"]] if p["on"] else p["x"], rewrite=False)
    for n, on in ((2, True), (3, True), (3, False), (2, False), (1, True)):
        found = compiled({"x": X, "n": n, "on": on})
        np.testing.assert_array_equal(found, X[:n] if on else X)


def test_the_fast_path_knows_the_value() -> None:
    compiled = jit(head)
    for n in (2, 3, 2, 3):
        compiled(X, n)
    for n in (2, 3):
        assert is_fast(compiled, X, n)
        np.testing.assert_array_equal(compiled(X, n), head(X, n))
    assert not is_fast(compiled, X, 4)
    assert not is_fast(compiled, X, True)
    compiled(X, 10**30)  # what no 64 bits hold
    compiled(X, 10**30)
    np.testing.assert_array_equal(compiled(X, 10**30), head(X, 10**30))


def test_gradients_and_functions_in_functions() -> None:
    inner = jit(head)

    def outer(x: Any, m: Any) -> Any:
        return np.sum(inner(x, m + 1))

    for m in (1, 2):
        expected = np.where(np.arange(6) < m + 1, m + 1.0, 0.0)
        np.testing.assert_array_equal(grad(outer)(X, m), expected)
        twice = grad(lambda x, n: np.sum(grad(outer)(x, n) * x))
        np.testing.assert_array_equal(twice(X, m), expected)


def test_a_closed_over_argument_is_asked_of_its_own_function() -> None:
    @jit
    def outer(x: Any, n: Any) -> Any:
        return jit(lambda y: y[:n])(x) * n

    for n in (1, 4):
        np.testing.assert_array_equal(outer(X, n), X[:n] * n)


def test_inside_of_branches_and_loops(backend: str) -> None:
    def function(x: Any, n: Any) -> Any:
        y = anabranch.cond(x[1] > 0, lambda: x[:n].sum(), lambda: x.sum())
        return anabranch.fori_loop(0, 3, lambda _, c: c + x[n - 1 : n + 1].sum(), y)

    compiled = jit(function, backend=backend)
    for n in (1, 3):
        assert compiled(X, n) == X[:n].sum() + 3 * X[n - 1 : n + 1].sum()


def test_what_only_depends_on_it_in_part_is_refused() -> None:
    with pytest.raises(anabranch.ConcretizationError, match=r"asked|value"):
        jit(lambda x, n: X[: n + x.astype(int)[0]])(X, 2)


def test_users_handlers_see_nothing() -> None:
    def function(x: Any, n: Any) -> Any:
        try:
            return x[:n]
        except Exception:
            return x

    np.testing.assert_array_equal(jit(function)(X, 2), X[:2])


def test_saved_functions_have_the_value(tmp_path: Any) -> None:
    compiled = jit(head)
    for n in (2, 3):
        compiled(X, n)
    compiled.save(tmp_path / "f")
    loaded = anabranch.load(tmp_path / "f")
    for n in (3, 2, 3):
        np.testing.assert_array_equal(loaded(X, n), head(X, n))
    with pytest.raises(anabranch.ArgumentError, match="static 4"):
        loaded(X, 4)


def test_many_values_are_told_once() -> None:
    compiled = jit(head)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for n in range(20):
            compiled(X, n)
    assert "16 values of n" in str(caught[0].message)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for n in range(20):
            compiled(X, n)
