"""What is easily done wrong at first: each message says what to do instead."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import anabranch

X: Any = np.ones(3)


def total(x):
    return np.sum(x * x)


def double(x):
    return x * 2


# What is done, the error, and words of its message: what is wrong, what to do.
MISTAKES: dict[str, tuple[Callable[[], Any], type[Exception], list[str]]] = {
    "the gradient at an integer": (
        lambda: anabranch.grad(total)(3),
        anabranch.GradientError,
        ["no gradient with respect to x: it is i64[]", "pass 3.0 for 3"],
    ),
    "the gradient of integers": (
        lambda: anabranch.grad(total)(np.arange(3)),
        anabranch.GradientError,
        ["it is i64[3]", "x.astype(float)"],
    ),
    "the gradient of a vector": (
        lambda: anabranch.grad(double)(X),
        anabranch.GradientError,
        ["starts from a scalar", __file__, "sum the result"],
    ),
    "the gradient of a count": (
        lambda: anabranch.grad(lambda x: np.sum(x > 0))(X),
        anabranch.GradientError,
        ["it is i64[]", __file__, "comparisons and counts end them"],
    ),
    "the gradient of a tuple": (
        lambda: anabranch.grad(lambda x: (total(x), x))(X),
        anabranch.GradientError,
        ["returns a tuple", "has_aux=True"],
    ),
    "the gradient by position of what has a name": (
        lambda: anabranch.grad(total)(x=X),
        anabranch.ArgumentError,
        ["the call has no argument 0", "the others go by name: 'x'"],
    ),
    "no such argument": (
        lambda: anabranch.grad(total, argnums="y")(X),
        anabranch.ArgumentError,
        ["the call has no argument 'y'", "'x'"],
    ),
    "an argument that is left at its default": (
        lambda: anabranch.grad(lambda x, y=2.0: total(x) * y, argnums="y")(X),
        anabranch.ArgumentError,
        ["the call leaves 'y' at its default", "y=..."],
    ),
    "an array called like a function": (
        lambda: anabranch.jit(lambda x: x(0))(X),
        anabranch.TraceError,
        ["a traced array is called like a function", __file__, "x[0]"],
    ),
    "a list for an array, operators": (
        lambda: anabranch.grad(lambda x: np.sum(x**2))([1.0, 2.0]),
        TypeError,
        ["x is a list of numbers", "np.asarray(x)"],
    ),
    "a list for an array, attributes": (
        lambda: anabranch.jit(lambda y: y.shape)(((1.0, 2), (3, 4.0))),
        AttributeError,
        ["y is a list of numbers", "np.asarray(y)"],
    ),
    "a list for an array, functions": (
        lambda: anabranch.grad(
            anabranch.jit(lambda x: np.sum(np.sin(x)), rewrite=False)
        )([1.0, 2.0]),
        anabranch.ConcretizationError,
        [__file__, "x is a list of numbers", "np.asarray(x)"],
    ),
    "an object for an array": (
        lambda: anabranch.jit(total)(object()),
        anabranch.ArgumentError,
        ["argument x is a object", "make it static"],
    ),
    "a text for a type": (
        lambda: anabranch.make_ir(total)("f64[3]"),
        anabranch.ArgumentError,
        ["argument x is a str", 'anabranch.spec("f64[3]")'],
    ),
    "a type for an array": (
        lambda: anabranch.jit(total)(anabranch.spec("f64[3]")),
        anabranch.ArgumentError,
        ["f64[3] is a type", "only make_ir and save take types"],
    ),
    "NumPy's name of a dtype": (
        lambda: anabranch.spec("float64[3]"),
        anabranch.ParseError,
        ["unknown dtype 'float64'", "f32, f64"],
    ),
    "dates": (
        lambda: anabranch.jit(total)(X.astype("M8[s]")),
        anabranch.ArgumentError,
        ["argument x: dtype datetime64", "f32, f64"],
    ),
    "the gradient of a complex number": (
        lambda: anabranch.grad(total)(1 + 2j),
        anabranch.GradientError,
        ["no gradient of a complex result", "holomorphic=True"],
    ),
    "objects": (
        lambda: anabranch.jit(total)(np.array([1, None])),
        anabranch.ArgumentError,
        ["argument x: dtype object"],
    ),
    "too large an integer": (
        lambda: anabranch.jit(total)(2**70),
        anabranch.RangeError,
        [f"the argument {2**70} does not fit into i64[]"],
    ),
    "if": (
        lambda: anabranch.jit(lambda x: x if x > 0 else -x, rewrite=False)(1.0),
        anabranch.ConcretizationError,
        [__file__, "np.where(condition, a, b)"],
    ),
    "Python's max": (
        lambda: anabranch.jit(lambda x: max(x), rewrite=False)(X),
        anabranch.ConcretizationError,
        [__file__, "write np.max(x) for max(x)"],
    ),
    "a shape out of an argument": (
        lambda: anabranch.jit(lambda x, n: x + np.zeros(n))(1.0, np.array([3])),
        anabranch.ConcretizationError,
        ["%n = input()", "static_argnames"],
    ),
    "an array as a static argument": (
        lambda: anabranch.jit(total, static_argnums=0)(X),
        anabranch.ArgumentError,
        ["must be hashable", "an array is an argument like others"],
    ),
    "a result that is no array": (
        lambda: anabranch.jit(lambda x: {"y": x, "name": "net"})(X),
        anabranch.TraceError,
        ["returned a str", "return arrays and numbers"],
    ),
    "a function that is none": (
        lambda: anabranch.grad(total(X)),
        anabranch.ArgumentError,
        ["not a function: "],
    ),
    "out of another structure": (
        lambda: anabranch.jit(double)(X, out=[X]),
        anabranch.ArgumentError,
        ["out is structured as [*], the result as *", "a tree of arrays like the"],
    ),
    "out of another shape": (
        lambda: anabranch.jit(double)(X, out=np.ones(4)),
        anabranch.ArgumentError,
        ["out has an array of float64[4] for float64[3]"],
    ),
    "cotangents of integers": (
        lambda: anabranch.vjp(double, np.arange(3)),
        anabranch.GradientError,
        ["values that are not floats", "x.astype(float)"],
    ),
    "a cotangent of another shape": (
        lambda: anabranch.vjp(double, X)[1](np.ones(4)),
        anabranch.ArgumentError,
        ["is f64[3], its cotangent f64[4]", "the shape of the result"],
    ),
    "a cotangent of another structure": (
        lambda: anabranch.vjp(double, X)[1]([X]),
        anabranch.ArgumentError,
        ["is structured as [*], not *", "a tree of arrays like the result"],
    ),
    "no residuals": (
        lambda: anabranch.fwd_and_bwd(double)[1](X, X),
        anabranch.ArgumentError,
        ["is a ndarray, not residuals", "backward(residuals, cotangent)"],
    ),
    "an argument where a tuple of them is asked for": (
        lambda: anabranch.check_grads(total, X),
        anabranch.ArgumentError,
        ["not the tuple of the arguments", "check_grads(f, (x,))"],
    ),
    "no such backend": (
        lambda: anabranch.jit(total, backend="cuda"),
        anabranch.ArgumentError,
        ["no backend is called 'cuda'", "one of llvm"],
    ),
    "a report before the first call": (
        lambda: anabranch.jit(total).report(),
        anabranch.ArgumentError,
        ["call the function first"],
    ),
    "contributions without a gradient": (
        lambda: anabranch.make_ir(total)(X).contributions("x"),
        anabranch.VerifyError,
        ["no adjoint of %x", "make_ir(grad(f))"],
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_message_says_what_to_do(mistake: str) -> None:
    call, kind, words = MISTAKES[mistake]
    with pytest.raises(kind) as raised:
        call()
    assert type(raised.value) is kind
    assert raised.value.__context__ is None or raised.value.__suppress_context__
    text = "".join(traceback.format_exception_only(raised.value))
    for word in words:
        assert word in text


def test_too_large_an_integer_on_the_fast_path() -> None:
    same = anabranch.jit(double)
    for _ in range(3):
        assert same(2) == 4
    with pytest.raises(anabranch.RangeError, match="does not fit into i64"):
        same(2**70)


def test_other_lists_are_no_mistake() -> None:
    """Of arrays, or where the fault is another one."""

    def failing(x):
        return x[0].nothing

    for error, argument in ((AttributeError, [X, X]), (KeyError, [1.0, 2.0])):
        with pytest.raises(error) as raised:
            anabranch.jit(failing if error is AttributeError else _missing)(argument)
        assert not getattr(raised.value, "__notes__", [])


def _missing(x):
    return {}[x[0].shape]
