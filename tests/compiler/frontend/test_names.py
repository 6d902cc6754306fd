"""Functions that NumPy does not dispatch, and methods: as in NumPy, or refused."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import anabranch
from tests.compiler.everyday import VECTOR, WEIGHTS, X, Y, check_case, check_slope

Z = WEIGHTS * (1 + 2j)


@np.vectorize
def soft(a: Any, b: Any = 1.0) -> Any:
    return np.log1p(np.exp(a * b)) if a < 2 else a


def kinds(a: Any, f: Any) -> Any:
    """Of each way to make one, with what is around it."""
    return (
        np.vectorize(lambda v: v * v if v > 0 else 0.1 * v)(a),
        np.vectorize(lambda v, w: (v + w, v * w))(a, f)[1],
        np.vectorize(lambda v, w: v * w, excluded={1})(a, f),
        np.vectorize(lambda v, w=2.0: v * w, excluded=["w"])(a, w=f),
        np.vectorize(lambda v: f * v)(np.arange(3.0)),
        np.vectorize(lambda v: v * 2, otypes=[float])(a[:, None] + a),
        soft(a, f) + soft(a),
    )


def with_signature(m: Any, x: Any) -> Any:
    return (
        np.vectorize(lambda r: r @ r, signature="(n)->()")(m),
        np.vectorize(np.convolve, signature="(n),(k)->(l)")(m, x[:2]),
        np.vectorize(lambda a, b: (a @ b, a * b), signature="(n),(n)->(),(n)")(m, x),
    )


def grids(f: Any, g: Any) -> Any:
    return (
        np.mgrid[0:f:5j],
        np.mgrid[0:f:5j, 1:g:3j],
        np.mgrid[f:g:1j, 0:3],
        np.ogrid[0:f:5j, 0:g:3j][1],
        np.r_[0:3, f, 0:g:4j],
        np.c_[0:2:3j, np.r_[f, g, 1.0]],
    )


def flats(m: Any, f: Any) -> Any:
    a, b, c = m.copy(), m.copy(), m.copy()
    a.flat[3] = f
    b.flat[::5] *= f
    c.flat = [f, 2.0]
    total = 0.0
    for v in m.flat:
        total += v**2
    return a, b, c, total, m.flat[2:5], m.flat[[1, 2]], len(m.flat) * m[0], m.T.flat[1]


def methods(m: Any, f: Any) -> Any:
    a, b = m.copy(), m.copy()
    a.put([0, 2], f)
    b.view()[0] = f
    row = np.array(m[0].tolist())
    return (
        a,
        b,
        row * m[1].item(2) + m.item(3) * m.item((1, 2)) + m.item(1, 1),
        m.view(np.ndarray),
        np.sum(m).item() * m[0],
        m.to_device("cpu"),
        np.fromiter((v * f for v in m[0]), float),
        np.fromiter(m[1], float, count=2),
        np.asfortranarray(m) + np.require(m) + np.asarray_chkfinite(m),
    )


CASES: list[Any] = [
    (kinds, WEIGHTS, 0.7),
    (with_signature, Y[:, :4], WEIGHTS),
    (grids, 0.7, 2.6),
    (flats, Y, 0.7),
    (methods, Y, 0.7),
    (
        lambda m, f: np.apply_along_axis(lambda r: f * r, 1, np.ones((2, 3))) * m,
        2.0,
        0.5,
    ),
]


@pytest.mark.parametrize("number", range(len(CASES)))
def test_values(same, number):
    check_case(same, CASES[number])


@pytest.mark.parametrize("number", range(len(CASES)))
def test_gradients(number):
    check_slope(CASES[number])


def test_exact(same):
    same(lambda i: i.choose([WEIGHTS, 2 * WEIGHTS, 0 * WEIGHTS, WEIGHTS]), VECTOR)
    same(lambda x: np.ravel(x, order="K"), X)
    same(lambda x: x.copy().reshape(2, 10, order="A"), Y)
    same(lambda x: np.vectorize(lambda v: v + 1)(x), np.arange(3))


def test_a_vectorized_function_of_numbers_is_known():
    def function(x):
        n = np.vectorize(lambda v: v + 1)(np.arange(3))
        return x[: n[1]]

    assert anabranch.jit(function)(X).shape == (2,)


def test_functions_of_njit_are_traced():
    numba = pytest.importorskip("numba")
    square = numba.njit(lambda x: x * x)
    gradient = anabranch.grad(lambda x: np.sum(square(x)))(X)
    assert np.allclose(gradient, 2 * X)


def set_shape(x: Any) -> Any:
    y = x.copy()
    y.shape = (7, 1)
    return y


def lost(x: Any) -> Any:
    y = x[:4, None] * x[:4]
    np.einsum("ii->i", y)[...] = 0.0
    return y


REFUSED: list[Any] = [
    (lambda x: np.arange(x[0], x[0] + 3), "only its values tell", "np.linspace"),
    (lambda x: np.mgrid[x[0] : 3.0], "only its values tell", "np.linspace"),
    (lambda x: np.r_["0,2", x, x], "with a text", "np.stack"),
    (lambda x: np.frombuffer(x), "np.frombuffer", "np.ravel"),
    (lambda x: np.bmat([[x, x]]), "np.bmat", "np.block"),
    (lambda x: np.asmatrix(x), "np.asmatrix", "arrays of two axes"),
    (lambda x: x.view(complex), r"\.view\(complex128\)", "parts of complex"),
    (lambda x: x.tobytes(), r"\.tobytes", "after the call"),
    (lambda x: x.strides, r"\.strides", r"x\.copy\(\) is in C order"),
    (lambda x: x.resize(3), r"\.resize", r"np\.resize"),
    (lambda x: np.ravel(np.outer(x, x), "K"), "follows the layout", "order='C'"),
    (set_shape, "shape that can be set", "reshape"),
    (lost, r"another name[\s\S]*einsum", "make the view again"),
]


@pytest.mark.parametrize(("function", "message", "hint"), REFUSED)
def test_refused_with_the_line_and_what_to_write(function, message, hint):
    with pytest.raises(anabranch.TraceError, match=message) as raised:
        anabranch.jit(function)(X)
    text = str(raised.value)
    assert __file__ in text
    assert re.search(rf"hint: [\s\S]*{hint}", text)


def test_what_the_hints_say_works(same):
    def function(x):
        ramp = x[0] + np.arange(3)
        return ramp, np.linspace(x[0], x[1], 4), np.block([[x, x]]), np.resize(x, 3)

    same(function, X)
    same(lambda z: np.stack((z.real, z.imag), axis=-1), Z)
