"""Arguments that are arrays of other libraries are converted, and it is said."""

from __future__ import annotations

import array
from typing import Any

import numpy as np
import pytest

import anabranch
from anabranch import ArgumentError

X = np.array([1.0, 2.0, 3.0])
Y = np.array([1.0, 0.0, 2.0])


class Wrapped:
    """What pandas' Series and torch's tensors look like to NumPy."""

    def __init__(self, values: Any) -> None:
        self.values = values

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self.values if dtype is None else self.values.astype(dtype)


class Exported:
    """An array of a library that knows of ``__dlpack__`` alone."""

    def __init__(self, values: Any) -> None:
        self.values = values

    def __dlpack__(self, **options: Any) -> Any:
        return self.values.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self.values.__dlpack_device__()


def loss(x: Any, y: Any) -> Any:
    return np.sum(np.sin(x) * y)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (Wrapped(X), "Wrapped to float64"),
        (Exported(X), "Exported to float64"),
        (X.data, "memoryview to float64"),
        (array.array("d", [1.0, 2.0, 3.0]), "array.array to float64"),
        (X.astype(np.float16), "float16 to float32"),
        (Wrapped(X.astype(np.float16)), "Wrapped to float32"),
    ],
)
def test_values_and_gradients_are_those_of_the_array(given: Any, said: str) -> None:
    f = anabranch.value_and_grad(loss)
    for _ in range(3):
        value, bar = f(given, Y)
        rtol = 1e-6 if "32" in said else 1e-15
        np.testing.assert_allclose(value, loss(X, Y), rtol=rtol)
        np.testing.assert_allclose(bar, np.cos(X) * Y, rtol=rtol)
        assert type(bar) is np.ndarray
    report = str(f.report())
    assert "converted at each call x: " in report
    assert said in report


def test_the_content_is_read_at_each_call() -> None:
    given = Wrapped(X.copy())
    f = anabranch.jit(loss)
    f(given, Y)
    given.values[:] = 0.0
    assert f(given, Y) == 0.0


def test_scalars_of_half_precision_and_leaves_of_a_tree() -> None:
    f = anabranch.jit(lambda p, k: {"y": p["w"] * k})
    made = f({"w": Wrapped(X)}, np.float16(2))
    np.testing.assert_array_equal(made["y"], 2 * X)


@pytest.mark.parametrize("order", [">f8", "<f8"])
def test_other_byte_orders_and_unaligned_memory(order: str) -> None:
    f = anabranch.value_and_grad(loss)
    raw = np.frombuffer(b"\0" + X.tobytes(), np.uint8)[1:].view(np.float64)
    for given in (X.astype(order), raw):
        value, bar = f(given, Y)
        np.testing.assert_allclose(value, loss(X, Y), rtol=1e-15)
        np.testing.assert_allclose(bar, np.cos(X) * Y, rtol=1e-15)


class Refusing:
    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise RuntimeError("it requires grad, detach it")


@pytest.mark.parametrize(
    ("given", "what"),
    [
        (Refusing(), "argument x is a .*Refusing: it requires grad, detach it"),
        (X.astype("M8[s]"), r"argument x: dtype datetime64\[s\]"),
        (np.array(["a", "b", "c"]), "argument x: dtype <U1"),
        (Wrapped(np.array([None, 1.0, X], object)), "argument x: dtype object"),
        (np.ma.masked_array(X, [True, False, False]), "argument x: .*MaskedArray"),
    ],
)
def test_what_cannot_be_converted_is_named(given: Any, what: str) -> None:
    with pytest.raises(ArgumentError, match=what):
        anabranch.grad(loss)(given, Y)


def test_a_converted_argument_is_not_written() -> None:
    def fill(x: Any) -> None:
        x[:] = 7.0

    for given in (X.astype(np.float16), Wrapped(X.copy())):
        with pytest.raises(
            ArgumentError, match="the function writes into x, which is converted: "
        ):
            anabranch.jit(fill)(given)


def test_what_is_closed_over_is_refused_with_the_line() -> None:
    held = Wrapped(X)
    with pytest.raises(anabranch.TraceError, match=r"Wrapped(.|\n)*np\.asarray"):
        anabranch.jit(lambda y: np.multiply(held, y))(Y)
