"""What a function reads beside its arguments is what it is at the call, not before."""

from __future__ import annotations

import types
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from scipy import sparse

import anabranch
from anabranch import grad, jit
from anabranch.compiler.calls.state import State
from tests.backends.calls import is_fast

X = np.array([1.0, 2.0, 3.0])
SCALE = 2.0
TABLE = {"k": [1.0, 2.0]}
UNREAD = 0


def helper(x: Any) -> Any:
    return x * SCALE


def assert_follows(compiled: Any, plain: Callable[..., Any]) -> None:
    """Three calls, so that the fast path is one of them."""
    for _ in range(3):
        np.testing.assert_array_equal(compiled(X), plain(X))


def test_arrays_are_read_at_each_call(backend: str) -> None:
    scale = np.array([1.0, 2.0, 3.0])
    compiled = jit(lambda x: x * scale, backend=backend)
    for value in (1.0, 0.0, -2.0):
        scale[1] = value
        assert_follows(compiled, lambda x: x * scale)
    assert compiled.compile_count == 1


@pytest.mark.parametrize(
    "view",
    [lambda a: a[1:4], lambda a: a[::-2], lambda a: a.reshape(2, 3)[:, 0], np.asarray],
    ids=["part", "backwards", "column", "whole"],
)
def test_views_of_arrays_are_followed(view: Any) -> None:
    base = np.arange(6.0)

    def function(x: Any) -> Any:
        return np.sum(x) * view(base)

    compiled = jit(function)
    for place in (0, 3, 5, 1):
        base[place] += 10.0
        assert_follows(compiled, function)


def test_values_that_a_trace_computed_are_followed() -> None:
    data = np.array([3.0, -1.0, 2.0])

    def function(x: Any) -> Any:
        return np.sum(x[data > 0] * data[data > 0].sum())

    compiled = jit(function)
    assert_follows(compiled, function)
    data[1] = 4.0
    assert_follows(compiled, function)
    assert compiled.compile_count == 2


def test_a_change_in_a_large_array_is_found() -> None:
    data = np.zeros((100, 100))

    def function(x: Any) -> Any:
        return x * float(data.max())

    compiled = jit(function)
    for value in (1.0, 2.0):
        data[:] = value
        assert_follows(compiled, function)


def test_globals_and_those_of_helpers(monkeypatch: pytest.MonkeyPatch) -> None:
    def function(x: Any) -> Any:
        return helper(x) + TABLE["k"][0]

    compiled = jit(function)
    assert_follows(compiled, function)
    monkeypatch.setitem(globals(), "SCALE", 5.0)
    assert_follows(compiled, function)
    TABLE["k"][0] = 7.0
    assert_follows(compiled, function)
    monkeypatch.setitem(TABLE, "k", [8.0])
    assert_follows(compiled, function)
    monkeypatch.setitem(globals(), "helper", lambda x: x - 1.0)
    assert_follows(compiled, function)
    assert compiled.compile_count == 5


def test_what_is_not_read_traces_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = jit(helper)
    compiled(X)
    monkeypatch.setitem(globals(), "UNREAD", 1)
    monkeypatch.setitem(globals(), "x", 1)
    monkeypatch.setitem(globals(), "SCALE", float("2"))  # an equal number
    compiled(X)
    assert compiled.compile_count == 1


def test_closure_cells() -> None:
    factor = 2.0

    def function(x: Any) -> Any:
        return x * factor

    compiled = jit(function)
    assert_follows(compiled, function)
    factor = 3.0
    assert_follows(compiled, function)
    factor = 3
    assert_follows(compiled, function)


class Model:
    def __init__(self) -> None:
        self.w = np.ones(3)
        self.rate = 0.5
        self.calls = 0
        self.part = types.SimpleNamespace(bias=1.0)
        self.layers = [np.ones(3), np.ones(3)]

    @property
    def twice(self) -> float:
        return 2 * self.rate

    def forward(self, x: Any) -> Any:
        for layer in self.layers:
            x = np.tanh(x * layer)
        return x

    def __call__(self, x: Any) -> Any:
        return np.sum(self.forward(x) * self.w) * self.twice + self.part.bias


def change_weight(model: Model) -> None:
    model.w = np.arange(3.0)


def change_content(model: Model) -> None:
    model.w[:] = 4.0


def change_number(model: Model) -> None:
    model.rate = 3.0


def change_part(model: Model) -> None:
    model.part.bias = -1.0


def change_layer(model: Model) -> None:
    model.layers[1] = np.arange(3.0)


def add_layer(model: Model) -> None:
    model.layers.append(np.arange(3.0))


CHANGES = [
    *(change_weight, change_content, change_number, change_part),
    *(change_layer, add_layer),
]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("how", ["method", "object", "closure", "partial"])
def test_attributes(change: Callable[[Model], None], how: str) -> None:
    model = Model()
    functions: dict[str, Callable[..., Any]] = {
        "method": model.__call__,
        "object": model,
        "closure": lambda x: model(x),
        "partial": partial(Model.__call__, model),
    }
    function = functions[how]
    compiled, gradient = jit(function), grad(function)
    assert_follows(compiled, model)
    gradient(X)
    change(model)
    assert_follows(compiled, model)
    np.testing.assert_array_equal(gradient(X), grad(Model.__call__, 1)(model, X))


def test_attributes_that_are_not_read_trace_nothing() -> None:
    model = Model()
    compiled = jit(model.__call__)
    for _ in range(4):
        model.calls += 1
        compiled(X)
    assert compiled.compile_count == 1
    assert is_fast(compiled, X)


def test_functions_that_are_arguments() -> None:
    factor = 2.0

    def times(x: Any) -> Any:
        return x * factor

    compiled = jit(lambda x, f: f(x))
    np.testing.assert_array_equal(compiled(X, times), 2 * X)
    factor = 3.0
    np.testing.assert_array_equal(compiled(X, times), 3 * X)


def test_compiled_functions_inside() -> None:
    factor = 2.0
    inner = jit(lambda x: x * factor)
    outer = jit(lambda x: np.sum(inner(x)))
    assert outer(X) == 12.0
    factor = 3.0
    assert outer(X) == 18.0
    assert grad(inner_sum := (lambda x: np.sum(inner(x))))(X)[0] == 3.0
    assert inner_sum(X) == 18.0


def test_only_the_stale_signatures_go() -> None:
    factor = 2.0

    def times(x: Any) -> Any:
        return x * factor

    compiled = jit(lambda x, f: f(x))
    compiled(X, np.tanh)
    compiled(X, times)
    factor = 3.0
    compiled(X, times)
    compiled(X, np.tanh)
    assert compiled.compile_count == 3


def test_freeze_keeps_what_was_traced(backend: str) -> None:
    scale, factor = np.ones(3), 2.0

    def function(x: Any) -> Any:
        return np.sum(x * scale) * factor

    compiled = jit(function, backend=backend, freeze=True)
    gradient = grad(compiled)
    assert compiled(X) == 12.0
    np.testing.assert_array_equal(gradient(X), 2 * np.ones(3))
    scale[:] = 5.0
    factor = 7.0
    for _ in range(3):
        assert compiled(X) == 12.0
        np.testing.assert_array_equal(gradient(X), 2 * np.ones(3))


def test_a_function_without_state_watches_nothing() -> None:
    assert not State([lambda x: np.tanh(x)], [])
    assert not State([np.tanh, len], [])


def test_large_containers_are_sampled() -> None:
    words = {str(n): n for n in range(5000)}
    state = State([lambda x: x * words["3"]], [])
    assert not state.changed()
    words["another"] = 1
    assert state.changed()


def test_all_of_a_large_array_is_compared_in_debug_mode(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counts = np.zeros(5000)
    count = jit(lambda x: x * int(np.sum(counts)))
    monkeypatch.setenv("ANABRANCH_DEBUG", "1")
    for some in range(1, 4):
        counts[4997] += 1  # which no sample has
        np.testing.assert_array_equal(count(X), X * some)


def test_saved_functions_keep_the_content(tmp_path: Any) -> None:
    scale = np.ones(3)
    compiled = jit(lambda x: x * scale)
    compiled(X)
    compiled.save(tmp_path / "f")
    scale[:] = 2.0
    loaded = anabranch.load(tmp_path / "f")
    np.testing.assert_array_equal(loaded(X), X)


class Layer:
    def __init__(self, w: Any) -> None:
        self.w = w

    @jit
    def forward(self, x: Any) -> Any:
        return np.tanh(x * self.w)

    @jit(static_argnames="n")
    def power(self, x: Any, n: int) -> Any:
        return x**n * self.w if n > 2 else x


def test_methods() -> None:
    one, other = Layer(np.ones(3)), Layer(2.0)
    for layer in (one, other, one, other):
        for _ in range(2):
            found = layer.forward(X)
            np.testing.assert_allclose(found, np.tanh(X * layer.w), rtol=1e-14)
            np.testing.assert_allclose(layer.power(X, n=3), X**3 * layer.w, rtol=1e-14)
            np.testing.assert_array_equal(layer.power(X, 2), X)
    assert Layer.forward.compile_count == 2
    other.w = 3.0
    np.testing.assert_allclose(other.forward(X), np.tanh(3.0 * X), rtol=1e-14)
    np.testing.assert_allclose(one.forward(X), np.tanh(X), rtol=1e-14)


def test_what_the_function_writes_is_not_watched() -> None:
    seen: list[Any] = []

    def function(x: Any, n: Any) -> Any:
        seen.append(n)
        return x * n

    compiled = jit(function, static_argnames="n")
    for n in (1, 2, 1, 2):
        compiled(X, n=n)
    assert seen == [1, 2]


def test_each_of_many_objects_has_its_state() -> None:
    layers = [Layer(float(n)) for n in range(20)]
    for turn in range(3):
        for n, layer in enumerate(layers):
            layer.w = float(n + turn // 2)
            np.testing.assert_allclose(
                layer.forward(X), np.tanh(X * (n + turn // 2)), rtol=1e-14
            )


class Base:
    factor = 2.0


class Derived(Base):
    pass


def test_the_fast_path_sees_each_change() -> None:
    """Cells, globals, attributes of objects and of classes, one after the other."""

    class Base:
        factor = 2.0

    class Derived(Base):
        pass

    module, offset = types.SimpleNamespace(scale=1.5), 1.0
    names = {"SHIFT": 0.5, "np": np}
    shift = types.FunctionType((lambda x: x + SHIFT).__code__, names)  # type: ignore[name-defined]  # noqa: F821

    def function(x: Any) -> Any:
        return shift(x) * module.scale + Derived.factor * offset

    compiled = jit(function)

    def check(fast: bool) -> None:
        assert is_fast(compiled, X) is fast
        assert_follows(compiled, function)

    assert_follows(compiled, function)
    check(fast=True)
    offset = 3.0
    check(fast=False)
    names["SHIFT"] = -1.0
    check(fast=False)
    module.scale = 2.5
    check(fast=False)
    Base.factor = 7.0
    check(fast=False)
    Derived.factor = 5.0
    check(fast=False)
    check(fast=True)
    names["UNREAD"] = 1.0
    Base.unread = 1.0  # type: ignore[attr-defined]
    offset, module.scale = float("3.0"), float("2.5")  # equal, and other objects
    check(fast=True)
    module.scale = np.float64(2.5)  # of another type
    check(fast=False)


def test_an_attribute_hides_that_of_the_class() -> None:
    one = Derived()
    compiled = jit(lambda x: x * one.factor)
    for change in (lambda: None, partial(setattr, one, "factor", 3.0)):
        change()
        assert_follows(compiled, lambda x: x * one.factor)
    del one.factor
    assert_follows(compiled, lambda x: x * 2.0)


def test_the_fast_path_sees_what_goes() -> None:
    names = {"SHIFT": 0.5}
    shift = types.FunctionType((lambda x: x + SHIFT).__code__, names)  # type: ignore[name-defined]  # noqa: F821
    compiled = jit(shift)
    assert_follows(compiled, lambda x: x + 0.5)
    del names["SHIFT"]
    assert not is_fast(compiled, X)
    with pytest.raises(NameError):
        compiled(X)
    names["SHIFT"] = 0.5
    assert_follows(compiled, lambda x: x + 0.5)


def test_many_functions_with_contents_have_no_fast_path() -> None:
    """Before each call the first few are compared, and others on the slow path."""
    tables = [[float(n)] for n in range(20)]
    compiled = jit(lambda x, n: x * tables[n][0], static_argnames="n")
    for turn in range(3):
        for n, table in enumerate(tables):
            table[0] = float(n + turn)
            for _ in range(3):
                np.testing.assert_array_equal(compiled(X, n=n), X * (n + turn))


@pytest.mark.parametrize("kind", ["csr", "csc", "coo", "dok", "lil", "dia", "bsr"])
def test_sparse_matrices_are_read_as_they_are(kind: str) -> None:
    matrix: Any = sparse.eye_array(3).asformat(kind)
    compiled = jit(lambda x: matrix @ x)
    assert_follows(compiled, lambda x: matrix @ x)
    if kind in ("dok", "lil"):
        matrix[0, 0] = 5.0
    else:
        matrix.data *= 5.0
    assert_follows(compiled, lambda x: matrix @ x)


def test_a_dict_that_shows_no_end_of_keys() -> None:
    class Endless(dict[str, float]):
        def __iter__(self) -> Any:
            while True:
                yield object()

    table = Endless(a=2.0)
    compiled = jit(lambda x: table["a"] * x)
    assert_follows(compiled, lambda x: 2.0 * x)
    table["a"] = 3.0
    assert_follows(compiled, lambda x: 3.0 * x)


def test_attributes_that_are_computed_are_asked_for_by_the_user_alone() -> None:
    class Table:
        def __init__(self) -> None:
            self.__dict__["_values"] = {"scale": 2.0}

        def __getattr__(self, name: str) -> Any:
            return self._values[name]

    table = Table()
    assert_follows(jit(lambda x: table.scale * x), lambda x: 2.0 * x)


def test_what_a_bound_method_of_a_builtin_reads_is_watched() -> None:
    table = {"scale": 1.0}
    get = table.get
    compiled = jit(lambda x: get("scale") * x)
    assert_follows(compiled, lambda x: x)
    table["scale"] = 3.0
    assert_follows(compiled, lambda x: 3.0 * x)


@pytest.mark.parametrize("ruled", [anabranch.custom_jvp, anabranch.custom_vjp])
def test_a_rule_that_is_given_anew_is_seen(ruled: Any) -> None:
    f = ruled(lambda x: x**2)
    made = grad(lambda x: np.sum(f(x)))
    for slope in (1.0, 5.0):
        if ruled is anabranch.custom_jvp:
            f.defjvp(lambda xs, dots, slope=slope: (f(*xs), dots[0] * slope))
        else:
            f.defvjp(lambda x: (f(x), None), lambda _, g, slope=slope: (g * slope,))
        assert_follows(made, lambda x, slope=slope: np.full(3, slope))
