"""Derivatives of orders 1 to 3 at special points, against multiprecision arithmetic.

First-order tests at ordinary points miss rules whose result is right and whose
derivative is not: constants in the place of what happens to be constant at a point,
formulas patched at one point, digits lost where a function saturates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from itertools import product
from math import log10
from typing import Any, TypeAlias

import mpmath
import numpy as np
import pytest
from scipy import special

import anabranch
from anabranch.ir import OPS
from anabranch.ir.ops import NONDIFFERENTIABLE

mp: Any = mpmath.mp.clone()

Function: TypeAlias = Callable[..., Any]
RTOL = {np.float64: 1e-6, np.float32: 1e-4}
MAGNITUDES = [1e-9, 1e-8, 1e-4, 0.1, 0.5, 1.0, 1.5, 2.0, 3.0, 4.5, 9.0, 12.0, 20.0]
FAR = [40.0, -40.0, 300.0, -300.0, 1e10, -1e10, 1e100, -1e100, 1e200]
POINTS = [0.0, *MAGNITUDES, *(-x for x in MAGNITUDES), *FAR]


def sinc(x: Any) -> Any:
    return mp.sinc(mp.pi * x)


def bessel_ratio(order: int) -> Function:
    """The spherical Bessel function of t over t's power, from lower orders."""

    def value(t: Any) -> Any:
        before, made = mp.cos(t), mp.sin(t) / t
        for k in range(order):
            before, made = made, ((2 * k + 1) * made - before) / t**2
        return made

    return value


def op(name: str) -> Function:
    """An op that NumPy has no function for, on traced arrays."""
    from anabranch.compiler.functions import _apply

    return lambda *operands: _apply(name, operands)


def _near(t: float) -> bool:
    return 0 < abs(t) < 50


# Our function, the true one, and where it is defined and smooth.
UNARY: dict[str, tuple[Function, Function, Function]] = {
    "neg": (np.negative, lambda x: -x, lambda x: True),
    "abs": (np.abs, abs, lambda x: x != 0),
    "exp": (np.exp, mp.exp, lambda x: x < 400),
    "exp2": (np.exp2, lambda x: mp.mpf(2) ** x, lambda x: x < 400),
    "expm1": (np.expm1, mp.expm1, lambda x: x < 400),
    "log": (np.log, mp.log, lambda x: x > 0),
    "log2": (np.log2, lambda x: mp.log(x) / mp.log(2), lambda x: x > 0),
    "log10": (np.log10, mp.log10, lambda x: x > 0),
    "log1p": (np.log1p, lambda x: mp.log(1 + x), lambda x: x > -1),
    "sqrt": (np.sqrt, mp.sqrt, lambda x: x > 0),
    "root": (op("root"), mp.sqrt, lambda x: x > 0),
    "cbrt": (np.cbrt, lambda x: mp.sign(x) * mp.cbrt(abs(x)), lambda x: x != 0),
    "sin": (np.sin, mp.sin, lambda x: abs(x) < 1e5),
    "cos": (np.cos, mp.cos, lambda x: abs(x) < 1e5),
    "tan": (np.tan, mp.tan, lambda x: abs(x) < 1e5),
    "arcsin": (np.arcsin, mp.asin, lambda x: abs(x) < 1),
    "arccos": (np.arccos, mp.acos, lambda x: abs(x) < 1),
    "arctan": (np.arctan, mp.atan, lambda x: True),
    "sinh": (np.sinh, mp.sinh, lambda x: abs(x) < 400),
    "cosh": (np.cosh, mp.cosh, lambda x: abs(x) < 400),
    "tanh": (np.tanh, mp.tanh, lambda x: True),
    "arcsinh": (np.arcsinh, mp.asinh, lambda x: True),
    "arccosh": (np.arccosh, mp.acosh, lambda x: x > 1),
    "arctanh": (np.arctanh, mp.atanh, lambda x: abs(x) < 1),
    "erf": (special.erf, mp.erf, lambda x: True),
    "sigmoid": (anabranch.sigmoid, lambda x: 1 / (1 + mp.exp(-x)), lambda x: True),
    "bessel_ratio0": (np.sinc, sinc, lambda x: abs(x) < 10),
    **{
        f"bessel_ratio{k}": (op(f"bessel_ratio{k}"), bessel_ratio(k), _near)
        for k in range(1, 4)
    },
    "identity": (np.positive, lambda x: x, lambda x: True),
    # Lowerings whose formula could lose digits where NumPy's function has them.
    "reciprocal": (np.reciprocal, lambda x: 1 / x, lambda x: x != 0),
    "square of abs": (lambda x: np.abs(x) ** 2, lambda x: x * x, lambda x: True),
    "square of hypot": (
        lambda x: np.hypot(x, 0.0) ** 2,
        lambda x: x * x,
        lambda x: True,
    ),
    "square of sqrt": (lambda x: np.square(np.sqrt(x)), lambda x: x, lambda x: x >= 0),
    "x ** x": (lambda x: x**x, lambda x: x**x, lambda x: 0 < x < 50),
    "(1 + x) ** x": (
        lambda x: (1 + x) ** x,
        lambda x: (1 + x) ** x,
        lambda x: x == 0 or 0.05 < x < 50,
    ),
    **{
        f"x ** {n}": (
            lambda x, n=n: np.power(x, n),
            lambda x, n=n: x**n,
            lambda x, n=n: n >= 0 or x != 0,
        )
        for n in (0.0, 1.0, 2.0, 3.0, -1.0, -2.0)
    },
    "x ** 0.5": (lambda x: x**0.5, mp.sqrt, lambda x: x > 0),
    "x ** 2.5": (lambda x: np.power(x, 2.5), lambda x: x**2.5, lambda x: x > 0),
}


def derivative(f: Function, order: int, backend: str) -> Function:
    """The derivative of a function of elements, element by element."""
    for _ in range(order):
        f = anabranch.grad(lambda x, f=f: np.sum(f(x)), backend=backend)
    return f


def assert_close(
    made: Any, expected: Sequence[Any], dtype: Any, places: Sequence[Any], what: str
) -> None:
    """To `RTOL` of the truth where that is a normal number, and 0 where it is less."""
    ends, wrong = np.finfo(dtype), list[str]()
    low, high = float(ends.tiny), float(ends.max)
    for got, truth, place in zip(np.atleast_1d(made), expected, places, strict=True):
        size = abs(truth)
        bound = RTOL[dtype] * size if size >= low else low
        if size <= high and not abs(mp.mpf(float(got)) - truth) <= bound:
            wrong.append(f"{what} at {place}: {got}, right {mp.nstr(truth, 12)}")
    assert not wrong, "\n".join(wrong)


@cache
def truth(f: Function, point: tuple[float, ...], orders: tuple[int, ...]) -> Any:
    """The partial derivative, by differences in many more digits than floats have.

    Enough to see exp(-x) beside 1, and 1 beside the third power of x.
    """
    digits = [60 + 4 * abs(log10(abs(x))) + 12 * abs(x) if x else 1000 for x in point]
    most = min(int(max(digits)), 1000)
    with mp.workdps(most):
        exact = tuple(mp.mpf(x) for x in point)
        found = mp.diff(f, exact, orders)
        return found if abs(found) > mp.mpf(10) ** -most else mp.mpf(0)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", UNARY)
def test_functions_of_one_variable(name: str, dtype: Any, backend: str) -> None:
    ours, exact, smooth = UNARY[name]
    with np.errstate(over="ignore"):
        points = np.array([x for x in POINTS if smooth(x)], dtype)
    points = points[np.isfinite(points)]
    for order in 1, 2, 3:
        made = derivative(ours, order, backend)(points)
        expected = [truth(exact, (float(x),), (order,)) for x in points]
        assert_close(made, expected, dtype, list(points), f"{name}, order {order}")


SIDES = [0.0, 1.0, -1.0, 2.0, 3.0, 0.5, 40.0, -40.0, 1e-8]
POSITIVE = [1.0, 23.0, 2.0, 0.5, 1e-8, 1e8]

# Our function, the true one, and the values that each argument takes.
BINARY: dict[str, tuple[Function, Function, list[float], list[float]]] = {
    "add": (np.add, lambda x, y: x + y, SIDES, SIDES),
    "sub": (np.subtract, lambda x, y: x - y, SIDES, SIDES),
    "mul": (np.multiply, lambda x, y: x * y, SIDES, SIDES),
    "div": (np.divide, lambda x, y: x / y, SIDES, POSITIVE),
    "power": (np.power, lambda x, y: x**y, POSITIVE, [0.0, 1.0, 2.0, 3.0, -1.0, 0.5]),
    "float_power": (
        np.float_power,
        lambda x, y: x**y,
        POSITIVE,
        [0.0, 1.0, 2.0, 3.0, -1.0, 0.5],
    ),
    "arctan2": (np.arctan2, mp.atan2, [0.0, 0.5, -2.0, 1e-200, 1e200], [1.0, 1e200]),
    "hypot": (np.hypot, mp.hypot, [0.0, 1.0, -2.0, 1e-8], [1.0, -3.0, 1e-8]),
    "logaddexp": (
        np.logaddexp,
        lambda x, y: mp.log(mp.exp(x) + mp.exp(y)),
        SIDES,
        SIDES,
    ),
    "logaddexp2": (
        np.logaddexp2,
        lambda x, y: mp.log(mp.mpf(2) ** x + mp.mpf(2) ** y) / mp.log(2),
        SIDES,
        SIDES,
    ),
    "remainder": (
        np.remainder,
        lambda x, y: x - y * mp.floor(x / y),
        [0.5, -0.75, 10.1],
        [1.0, 2.0, -3.0],
    ),
    "maximum": (np.maximum, max, [1.0, -2.0], [0.0, 3.0]),
    "minimum": (np.minimum, min, [1.0, -2.0], [0.0, 3.0]),
    "fmax": (np.fmax, max, [1.0, -2.0], [0.0, 3.0]),
    "fmin": (np.fmin, min, [1.0, -2.0], [0.0, 3.0]),
    "copysign": (
        np.copysign,
        lambda x, y: abs(x) * mp.sign(y),
        [1.0, -2.0],
        [0.5, -3.0],
    ),
    "fmod": (
        np.fmod,
        lambda x, y: x - y * mp.sign(x / y) * mp.floor(abs(x / y)),
        [0.5, -0.75, 10.1],
        [1.0, 2.0, -3.0],
    ),
}


def log_sum(*xs: Any) -> Any:
    return mp.log(mp.fsum(mp.exp(x) for x in xs))


def variance(*xs: Any) -> Any:
    mean = mp.fsum(xs) / len(xs)
    return mp.fsum((x - mean) ** 2 for x in xs) / len(xs)


def norm(*xs: Any) -> Any:
    return mp.sqrt(mp.fsum(x * x for x in xs))


def log_softmax(k: int) -> Function:
    return lambda *xs: -mp.log(mp.fsum(mp.exp(x - xs[k]) for x in xs))


ROWS = [(0.0, 0.0, 0.0), (1.0, 1.0, -2.0), (40.0, 0.0, 1.0), (0.5, -45.0, 3.0)]
DISTINCT = [(1.0, 2.0, 4.0), (-3.0, 0.5, 40.0), (1e-8, 1.0, 0.0)]

# Functions of three numbers: ours of their array, the true one, and where it is smooth.
OF_ROWS: dict[str, tuple[Function, Function, list[tuple[float, ...]]]] = {
    "logsumexp": (anabranch.logsumexp, log_sum, ROWS),
    **{
        f"log_softmax {k}": (
            lambda x, k=k: anabranch.log_softmax(x)[k],
            log_softmax(k),
            ROWS,
        )
        for k in (0, 2)
    },
    **{
        f"softmax {k}": (
            lambda x, k=k: anabranch.softmax(x)[k],
            lambda *xs, k=k: mp.exp(log_softmax(k)(*xs)),
            ROWS,
        )
        for k in (0, 2)
    },
    "norm": (np.linalg.norm, norm, DISTINCT),
    "norm ** 2": (lambda x: np.linalg.norm(x) ** 2, lambda *xs: norm(*xs) ** 2, ROWS),
    "std": (np.std, lambda *xs: mp.sqrt(variance(*xs)), DISTINCT),
    "std ** 2": (lambda x: np.std(x) ** 2, variance, ROWS),
    "var": (np.var, variance, ROWS),
    "mean": (np.mean, lambda *xs: mp.fsum(xs) / 3, ROWS),
    "prod": (np.prod, lambda x, y, z: x * y * z, ROWS),
    "cumprod": (lambda x: np.cumprod(x)[2], lambda x, y, z: x * y * z, ROWS),
    "max": (np.max, max, DISTINCT),
    "min": (np.min, min, DISTINCT),
    "ptp": (np.ptp, lambda *xs: max(xs) - min(xs), DISTINCT),
}


def partial(f: Function, slots: Sequence[int], backend: str) -> Function:
    """The derivative by the arguments in ``slots``, the first of them first."""
    for slot in slots:
        f = anabranch.grad(
            lambda x, y, f=f: np.sum(f(x, y)), argnums=slot, backend=backend
        )
    return f


@pytest.mark.parametrize("name", BINARY)
def test_functions_of_two_variables(name: str, backend: str) -> None:
    """Mixed derivatives in every order of taking them."""
    ours, exact, first, second = BINARY[name]
    places = list(product(first, second))
    x, y = (np.array(column) for column in zip(*places, strict=True))
    for order in 1, 2, 3:
        for slots in product((0, 1), repeat=order):
            made = partial(ours, slots, backend)(x, y)
            orders = (slots.count(0), slots.count(1))
            expected = [truth(exact, place, orders) for place in places]
            what = f"{name}, by {slots}"
            assert_close(made, expected, np.float64, places, what)


@pytest.mark.parametrize("name", OF_ROWS)
def test_functions_of_rows(name: str, backend: str) -> None:
    """By the first, by the last, and mixed."""
    ours, exact, rows = OF_ROWS[name]
    for slots in ((0,), (2,), (0, 0), (0, 2), (0, 0, 0), (0, 2, 2), (1, 0, 2)):
        made = ours
        for slot in slots:
            gradient = anabranch.grad(made, backend=backend)
            made = lambda x, g=gradient, slot=slot: g(x)[slot]  # noqa: E731
        orders = tuple(slots.count(place) for place in range(3))
        got = [made(np.array(row)) for row in rows]
        expected = [truth(exact, row, orders) for row in rows]
        assert_close(got, expected, np.float64, rows, f"{name}, by {slots}")


WITHOUT_TRUTH = {
    *("chain", "chain_both", "pick", "straight_through", "select", "heaviside"),
    *("tanh_slope", "sigmoid_slope", "cosine", "stop_gradient", "cast", "add_n"),
    *("with_slope", "share", "log_share", "trigamma", "i2e"),
    *(f"power_log{k}" for k in range(1, 5)),
    *(f"bessel_ratio{k}" for k in range(4, 6)),
}
"""Ops that only derivatives are made of, or that move numbers."""


def test_every_elementwise_op_is_held_against_the_truth() -> None:
    differentiable = {
        name
        for name, op in OPS.items()
        if op.scalar is not None
        and op.adjoint is not NONDIFFERENTIABLE
        and op.ufunc is None  # see `test_special`
    }
    assert differentiable - WITHOUT_TRUTH <= UNARY.keys() | BINARY.keys()
