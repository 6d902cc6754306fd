"""Arguments that are no arrays: texts, functions, classes, slices are static."""

from __future__ import annotations

import enum
from typing import Any

import numpy as np
import pytest

import anabranch
from anabranch import ArgumentError, GradientError, grad, jit
from tests.backends.calls import is_fast

X = np.linspace(-1.0, 1.0, 5)


class Mode(enum.Enum):
    SUM = "sum"
    MEAN = "mean"


def model(params: Any, x: Any, act: Any, mode: Mode = Mode.SUM) -> Any:
    h = act(params["w"] * x)
    h = h[params["part"]]
    return np.sum(h) if mode is Mode.SUM else np.mean(h)


@pytest.mark.parametrize("act", [np.tanh, np.sin, lambda x: x * x])
@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("part", [slice(None), slice(1, 4), slice(None, None, -2)])
def test_values_and_gradients(backend: str, act: Any, mode: Mode, part: slice) -> None:
    params = {"w": 1.5, "part": part}
    compiled = jit(model, backend=backend)
    expected = model(params, X, act, mode)
    for _ in range(3):
        found = compiled(params, X, act, mode)
        np.testing.assert_allclose(found, expected, rtol=1e-14, atol=1e-15)
    assert compiled.compile_count == 1
    gradient = grad(model, argnums="x", backend=backend)(params, X, act, mode=mode)
    step = 1e-6
    for place in range(X.size):
        by = step * (np.arange(X.size) == place)
        above, below = (model(params, X + d, act, mode) for d in (by, -by))
        slope = (above - below) / (2 * step)
        np.testing.assert_allclose(gradient[place], slope, atol=1e-9)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("relu", "tanh"),
        (b"a", b"b"),
        (np.tanh, np.sin),
        (Mode.SUM, Mode.MEAN),
        (slice(1), slice(2)),
        (slice(1), slice(True)),
        (slice(1.0), slice(1)),
        (range(2), range(3)),
        (np.dtype("f4"), np.dtype("f8")),
        (float, int),
        (len, max),
        (np, enum),
        (..., "..."),
    ],
    ids=str,
)
def test_another_value_is_another_signature(one: Any, other: Any) -> None:
    seen: list[Any] = []

    def function(x: Any, options: list[Any]) -> Any:
        seen.extend(options)
        return x

    compiled = jit(function)
    for option in (one, other, one, other):
        compiled(X, [option])
    assert seen == [one, other]
    assert compiled.compile_count == 2


def test_equal_texts_are_one_signature() -> None:
    compiled = jit(lambda x, kind: x * 2.0 if kind == "twice" else x)
    for _ in range(4):
        text = "".join(["tw", "ice"])
        np.testing.assert_array_equal(compiled(X, text), 2 * X)
        np.testing.assert_array_equal(compiled(X, "once"), X)
    assert compiled.compile_count == 2
    assert is_fast(compiled, X, "".join(["tw", "ice"]))


def test_functions_take_the_fast_path() -> None:
    compiled = jit(lambda x, f, scale: f(x) * scale)
    for scale in (2.0, np.float64(3.0), np.float32(4.0), True):
        for f in (np.tanh, np.sin):
            for _ in range(3):
                found = compiled(X, f, scale)
                np.testing.assert_allclose(found, f(X) * scale, rtol=1e-14)
            assert is_fast(compiled, X, f, scale)
    assert not is_fast(compiled, X, np.cos, 2.0)
    assert not is_fast(compiled, X, object(), 2.0)


def test_nested_functions_pass_them_on() -> None:
    inner = jit(lambda x, f: f(x))
    outer = jit(lambda x, f: np.sum(inner(x, f)))
    np.testing.assert_allclose(outer(X, np.exp), np.sum(np.exp(X)), rtol=1e-14)


def test_a_static_leaf_has_no_gradient() -> None:
    with pytest.raises(GradientError, match=r"params\.part is static") as raised:
        grad(model)({"w": 1.5, "part": slice(None)}, X, np.tanh)
    assert "argnums" in str(raised.value.hint)


@pytest.mark.parametrize("value", [object(), {1, 2}, np.random.default_rng(0)])
def test_what_may_change_is_refused(value: Any) -> None:
    with pytest.raises(ArgumentError, match="argument option is a"):
        jit(lambda x, option: x)(X, option=value)


def test_the_text_of_a_type_is_refused() -> None:
    with pytest.raises(ArgumentError, match="argument x is a str") as raised:
        anabranch.make_ir(lambda x: np.sin(x))("f64[3]")
    assert 'anabranch.spec("f64[3]")' in str(raised.value.hint)


def power(x: Any, n: int) -> Any:
    return np.sum(x**n) if n > 2 else np.sum(x)


@pytest.mark.parametrize("options", [{"static_argnums": 1}, {"static_argnames": "n"}])
def test_gradients_take_static_arguments(options: dict[str, Any]) -> None:
    np.testing.assert_allclose(grad(power, **options)(X, 3), 3 * X**2, rtol=1e-14)
    value, gradient = anabranch.value_and_grad(power, **options)(X, 2)
    assert value == np.sum(X)
    np.testing.assert_array_equal(gradient, np.ones_like(X))
    forward, backward = anabranch.fwd_and_bwd(power, **options)
    _, residuals = forward(X, 3)
    np.testing.assert_allclose(backward(residuals, 1.0), 3 * X**2, rtol=1e-14)


def test_static_arguments_stay_so_in_a_function_of_the_function() -> None:
    inner = jit(power, static_argnums=1)
    for outer in (jit(inner), jit(inner, static_argnames="n"), jit(jit(inner))):
        np.testing.assert_allclose(outer(X, 3), np.sum(X**3), rtol=1e-14)
    np.testing.assert_allclose(grad(inner)(X, 3), 3 * X**2, rtol=1e-14)
    assert grad(inner).static == (1,)


def test_jit_is_a_decorator_with_options_too() -> None:
    @jit(static_argnames="n", backend="reference")
    def decorated(x: Any, n: int) -> Any:
        return power(x, n)

    assert decorated.backend == "reference"
    np.testing.assert_allclose(decorated(X, n=3), np.sum(X**3), rtol=1e-14)
    np.testing.assert_allclose(decorated(X, n=1), np.sum(X), rtol=1e-14)


@pytest.mark.parametrize("compare", [np.less, np.greater_equal, np.equal])
def test_numbers_compare_with_numbers(backend: str, compare: Any) -> None:
    compiled = jit(lambda i, j, f: (compare(i, 3), compare(i, j), compare(f, i)))
    for i, j, f in ((2, 3, 2.0), (4, 3, 4.5), (3, 3, 2.5)):
        found = compiled(i, j, f)
        assert found == (compare(i, 3), compare(i, j), compare(f, i))
        assert all(type(item) is np.bool_ for item in found)


def test_none_is_no_static_argument():
    made = anabranch.jit(np.sin, static_argnums=None, static_argnames=None)
    assert made(0.0) == 0.0
