"""Ufuncs give NumPy's values, element by element."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import anabranch

UNARY = (
    "exp exp2 expm1 log log2 log10 log1p sqrt cbrt sin cos tan arcsin arccos arctan "
    "sinh cosh tanh arcsinh arccosh arctanh square reciprocal absolute fabs negative "
    "positive conjugate sign floor ceil trunc rint isnan isinf isfinite signbit "
    "deg2rad rad2deg degrees radians logical_not"
).split()
EXACT = (
    "square reciprocal absolute fabs negative positive conjugate sign floor ceil trunc "
    "rint isnan isinf isfinite signbit sqrt deg2rad rad2deg degrees radians logical_not"
).split()
BINARY = (
    "add subtract multiply divide floor_divide remainder fmod power maximum "
    "minimum fmax fmin arctan2 hypot logaddexp logaddexp2 copysign heaviside equal "
    "not_equal less less_equal greater greater_equal logical_and logical_or logical_xor"
).split()
EXTREMA = "maximum minimum fmax fmin".split()
ROUNDED = "power arctan2 hypot logaddexp logaddexp2".split()
INTEGER_BINARY = (
    "add subtract multiply divide floor_divide remainder fmod maximum minimum fmax "
    "fmin equal not_equal less less_equal greater greater_equal logical_and "
    "logical_or logical_xor bitwise_and bitwise_or bitwise_xor left_shift "
    "right_shift arctan2 copysign heaviside hypot logaddexp"
).split()
FLOATS = [np.float32, np.float64]
INTEGERS = [np.int8, np.int32, np.int64, np.uint8, np.uint64]
SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, -2.5, 2.675, 7.0, -7.5, 3.0]
EXTREME = [1e-3, 88.0, -90.0, 1e30, -1e30, 1e-40, np.inf, -np.inf, np.nan]


def values(dtype):
    """Floats of every kind: signed zeros, halves, subnormal, large, inf, nan."""
    return np.array([*SPECIAL, *EXTREME], dtype)


def pairs(dtype):
    """Every value against every value."""
    x = values(dtype)
    return np.repeat(x, x.size), np.tile(x, x.size)


def integers(dtype):
    info = np.iinfo(dtype)
    wanted = [0, 1, 2, 3, 7, 8, 31, 100, info.max, info.min, info.max - 1]
    return np.array(wanted + [-1, -2, -7, -8] * (info.min < 0), dtype)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", UNARY)
def test_function_of_floats(same, name, dtype):
    same(getattr(np, name), values(dtype), ulps=0 if name in EXACT else 2)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", BINARY)
def test_function_of_two_floats(same, name, dtype):
    """Which of 0.0 and -0.0 is the larger one is left open, as in NumPy."""
    x, y = pairs(dtype)
    if name in EXTREMA:
        ordered = (x != 0) | (y != 0)
        x, y = x[ordered], y[ordered]
    same(getattr(np, name), x, y, ulps=2 if name in ROUNDED else 0)


def test_float_power(same):
    """NumPy takes another pow here than in np.power; they differ by one ulp."""
    same(np.float_power, *pairs(np.float32), ulps=2)
    same(np.float_power, np.array([1, 2, 3]), np.array([-1, 2, 0]), ulps=2)
    for exponent in (0.5, 2, 3, -1, np.float32(0.5)):
        same(lambda x, e=exponent: np.float_power(x, e), values(np.float64), ulps=2)
        same(np.float_power, values(np.float32), exponent, ulps=2)
        same(np.float_power, np.float64(-np.inf), exponent, ulps=2)


@pytest.mark.parametrize("dtype", [*INTEGERS, np.bool_])
@pytest.mark.parametrize("name", [*EXACT, "invert", "exp", "arctan"])
def test_function_of_integers(same, name, dtype):
    """Including abs and negative of the smallest integer, which wrap around."""
    function = getattr(np, name)
    x = np.array([True, False]) if dtype is np.bool_ else integers(dtype)
    if name == "reciprocal" and dtype is not np.bool_:
        x = x[x != 0]
    try:
        with np.errstate(all="ignore"):
            made = function(x).dtype
    except TypeError:
        with pytest.raises(TypeError):
            anabranch.jit(function, backend="reference")(x)
        return
    if made == np.float16:
        with pytest.raises(anabranch.DTypeError, match="float16"):
            anabranch.jit(function, backend="reference")(x)
        return
    same(function, x, ulps=2)


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("name", INTEGER_BINARY)
def test_function_of_two_integers(same, name, dtype):
    """Including division by zero, the smallest integer over -1, and long shifts."""
    x = integers(dtype)
    function = getattr(np, name)
    if function.resolve_dtypes((x.dtype, x.dtype, None))[-1] == np.float16:
        with pytest.raises(anabranch.DTypeError, match="float16"):
            anabranch.jit(function, backend="reference")(x, x)
        return
    same(function, np.repeat(x, x.size), np.tile(x, x.size), ulps=2)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_power_of_integers_wraps(same, dtype):
    x = integers(dtype)
    exponents = np.array([0, 1, 2, 3, 7, 8, 31, 100], dtype)
    same(np.power, np.repeat(x, 8), np.tile(exponents, x.size))


@pytest.mark.parametrize(
    "name", "maximum minimum fmax fmin equal less greater_equal not_equal".split()
)
def test_bools_compare(same, name):
    x = np.array([True, True, False, False])
    same(getattr(np, name), x, x[::-1] ^ x)


def test_bool_arithmetic(same):
    x, y = np.array([True, True, False, False]), np.array([True, False, True, False])
    for function in (
        np.add,
        np.multiply,
        np.bitwise_and,
        np.bitwise_or,
        np.bitwise_xor,
    ):
        same(function, x, y)


@pytest.mark.parametrize("function", [lambda x: x - x, lambda x: -x])
def test_bools_have_no_subtraction_and_no_sign(backend, function):
    with pytest.raises(TypeError):
        anabranch.jit(function, backend=backend)(np.array([True, False]))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    "exponent", [0, 1, 2, 3, -1, -2, 0.5, 1.5, 2.0, -0.5, -1.0, 0.0]
)
def test_power_operator_with_a_python_number(same, dtype, exponent):
    same(lambda x: x**exponent, values(dtype), ulps=2)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    "exponent", [0.5, np.float64(0.5), np.float32(0.5), np.array(0.5)]
)
def test_half_as_one_number_is_a_square_root(same, backend, dtype, exponent):
    """Of -inf and -0.0 too, where pow has other values; in NumPy itself since 2.3."""
    x = values(dtype)
    same(lambda x: x**0.5, x, ulps=2)
    with np.errstate(invalid="ignore"):
        roots = np.sqrt(x.astype(np.result_type(dtype, exponent)))
    made = anabranch.jit(lambda x: np.power(x, exponent), backend=backend)(x)
    np.testing.assert_array_max_ulp(made, roots, 2)
    np.testing.assert_array_equal(np.signbit(made), np.signbit(roots))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("exponent", [-1, 0, 0.5, 1, 2, 3])
def test_exponents_in_an_array_are_those_of_pow(same, dtype, exponent):
    x = values(dtype)
    same(np.power, x, np.full(x.shape, exponent, dtype), ulps=2)


@pytest.mark.parametrize("exponent", [0, 1, 2, 3, 0.5, 2.0, -1.0])
def test_power_operator_of_integers(same, exponent):
    same(lambda x: x**exponent, np.array([1, 2, -3, 7], np.int32), ulps=2)


def test_power_of_a_number_to_an_array(same):
    x = values(np.float64)
    same(lambda x: 2**x, x, ulps=2)
    same(lambda x: 2.0 ** x.astype(np.float32), np.array([-1, 0, 3]), ulps=2)
    same(lambda k: 2.0**k, np.array([-1, 0, 3]), ulps=2)


@pytest.mark.parametrize("exponent", [-1, np.array([1, -1])])
def test_integers_to_negative_powers_are_an_error(backend, exponent):
    function = anabranch.jit(lambda x: x**exponent, backend=backend)
    with pytest.raises(ValueError, match="negative integer powers"):
        function(np.array([2, 3]))


@pytest.mark.parametrize("exponent", [-1, np.int64(-2)])
def test_no_integers_to_negative_powers(same, exponent):
    same(lambda x: x**exponent, np.ones((0, 3), int))
    same(lambda x, n: x**n, np.ones((0, 3), int), exponent)


def test_negative_power_is_found_while_running(backend):
    function = anabranch.jit(lambda x, n: x**n, backend=backend)
    assert function(np.array([2, 3]), np.array([2, 0])).tolist() == [4, 1]
    with pytest.raises(anabranch.DomainError, match="negative integer powers"):
        function(np.array([2, 3]), np.array([2, -1]))
    assert function(np.array([2, 3]), np.array([1, 3])).tolist() == [2, 27]


def test_operators(same):
    x, y = np.array([7.0, -7.5, 3.0]), np.array([2.0, -2.0, 0.5])
    same(lambda x, y: (x + y, x - y, x * y, x / y, x // y, x % y), x, y)
    same(lambda x, y: divmod(x, y), x, y)
    same(lambda x: (1 + x, 1 - x, 2 * x, 2 / x, 2 // x, 7 % x, divmod(7, x)), x)
    same(lambda x, y: (x < y, x <= y, x > y, x >= y, x == y, x != y), x, y)
    same(lambda x: (-x, +x, abs(x), x == 3, x != 3), x)


def test_integer_operators(same):
    x, y = np.array([12, 7, -5]), np.array([1, 2, 3])
    same(lambda x, y: (x & y, x | y, x ^ y, x << y, x >> y, ~x), x, y)
    same(lambda x: (5 & x, 5 | x, 5 ^ x, 1 << abs(x), 100 >> abs(x)), x)


def test_divmod_function(same):
    same(np.divmod, np.array([7, -7]), np.array([2, 2]))


@pytest.mark.parametrize("dtype", ["f4", "f8", "i8"])
def test_dtype_argument(same, dtype):
    x = np.array([1, 2, 3], np.int32)
    same(lambda x: np.add(x, x, dtype=dtype), x)


def test_dtype_argument_of_a_comparison_is_an_error(backend):
    function = anabranch.jit(lambda x: np.sin(x, dtype=np.int64), backend=backend)
    with pytest.raises(TypeError):
        function(np.ones(3))


def test_broadcasting(same):
    shapes = [(), (1,), (3,), (1, 3), (2, 1), (2, 3), (1, 1, 1), (4, 2, 3)]
    for first in shapes:
        for second in shapes:
            x = np.arange(np.prod(first), dtype=float).reshape(first)
            y = np.arange(np.prod(second), dtype=float).reshape(second) + 2
            same(lambda x, y: (x + y, x * y, np.maximum(x, y)), x, y)


def test_broadcasting_of_nothing(same):
    same(np.add, np.ones((4, 0)), np.ones((4, 1)))
    same(np.add, np.ones((0, 1, 3)), np.ones((2, 1)))
    same(np.exp, np.ones((0,)))


def test_shapes_that_do_not_broadcast_are_named(backend):
    function = anabranch.jit(np.add, backend=backend)
    with pytest.raises(anabranch.ShapeError, match=r"f64\[2\].*f64\[3\]"):
        function(np.ones(2), np.ones(3))


def test_clip(same):
    x = values(np.float64)
    same(lambda x: np.clip(x, -1, 1), x)
    same(lambda x: x.clip(0.5), x)
    same(lambda x: np.clip(x, None, 2.0), x)
    same(lambda x: np.clip(x, min=1), x)
    same(lambda x: x.clip(max=-1), x)
    same(lambda x, lo, hi: np.clip(x, lo, hi), x, np.full(x.size, 0.25), np.float64(3))
    same(lambda x: np.clip(x, 3, 1), x)
    same(lambda x: np.clip(x, 1, 5), np.array([0, 3, 9], np.int8))


def test_rounding(same):
    x = np.array([2.675, 0.5, 1.5, 2.5, -0.5, 1234.5678, -1e10, np.inf, np.nan])
    for decimals in (0, 1, 2, -1, -2):
        same(lambda x, d=decimals: np.round(x, d), x)
        same(lambda x, d=decimals: x.round(d), x.astype(np.float32))
    same(np.round, np.array([1, 2]))
    same(lambda x: np.round(x, -1), np.array([14, 15, 25, -15]))


@pytest.mark.filterwarnings("ignore:numpy.fix is deprecated:DeprecationWarning")
def test_fix(same):
    same(np.fix, np.array([0.5, 1.5, -0.5, -1.5, 1234.5678, -1e10, np.inf, np.nan]))


def test_nan_to_num(same):
    x = np.array([1.0, np.nan, np.inf, -np.inf])
    same(np.nan_to_num, x)
    same(np.nan_to_num, x.astype(np.float32))
    same(lambda x: np.nan_to_num(x, nan=7.0, posinf=8.0, neginf=9.0), x)
    same(np.nan_to_num, np.array([1, 2]))


def test_sinc(same):
    same(np.sinc, np.array([0.0, 0.5, 1.0, -2.5]), ulps=2)
    same(np.sinc, np.array([0.0, 0.5, 1.0, -2.5], np.float32), ulps=2)


@pytest.mark.parametrize("z", [0j, 1e-9j, 0.15 + 0.04j, 0.17 + 0j, 1 - 2j])
def test_sinc_of_complex_numbers(z):
    """It solves z f'' + 2 f' + pi^2 z f = 0, here differentiated once more."""
    first = anabranch.grad(np.sinc, holomorphic=True)
    second = anabranch.grad(first, holomorphic=True)
    third = anabranch.grad(second, holomorphic=True)
    assert np.isclose(anabranch.jit(np.sinc)(z), np.sinc(z), rtol=1e-14)
    terms = z * third(z), 3 * second(z), np.pi**2 * np.sinc(z), np.pi**2 * z * first(z)
    assert abs(sum(terms)) < 1e-12 * np.max(np.abs(terms))


def test_warnings_of_numpy_do_not_leak(same):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = anabranch.jit(lambda x: np.log(x) + 1 / x, backend="reference")(
            np.zeros(2)
        )
    assert np.isnan(made).all()


def test_where_argument_needs_out(backend):
    function = anabranch.jit(
        lambda x: np.add(x, 1, where=np.array([True, False])), backend=backend
    )
    with pytest.raises(anabranch.UnsupportedError) as raised:
        function(np.ones(2))
    assert "np.add with where= leaves the rest" in raised.value.what
    assert "np.where(mask, f(x), other), or out=" in str(raised.value.hint)


def test_where_argument_keeps_the_rest_of_out(same):
    def kept(x, out):
        made = out * 1
        np.multiply(x, 2, where=x > 1, out=made)
        np.exp(x, made, where=np.array([True, False, False]))
        return made

    x = np.array([0.5, 2.0, 3.0])
    same(kept, x, x[::-1].copy(), ulps=2)
    same(kept, x, x.astype("f4"), ulps=2)
    anabranch.check_grads(kept, (x, x[::-1].copy()), order=2)


def test_each_of_several_results_goes_to_its_out(same):
    def parts(x):
        low, high = x * 0, x * 0
        only_first: Any = (low, None)
        _, other = np.divmod(x, 2.0, out=only_first)
        np.divmod(x, 3.0, out=(high, low), where=x > 2)
        whole, rest = np.zeros(3), np.zeros(3)
        np.modf(x, out=(whole, rest))
        return low, high, other, whole, rest

    same(parts, np.array([1.0, 3.5, 5.0]))


def test_operand_that_is_no_array(backend):
    function = anabranch.jit(lambda x: x + "a", backend=backend)
    with pytest.raises(TypeError):
        function(np.ones(2))
    function = anabranch.jit(lambda x: x == None, backend=backend)  # noqa: E711 (what is tested)
    with pytest.raises(TypeError):
        function(np.ones(2))


def beside(dtype: Any) -> Any:
    """Numbers where steps change, and some of any bits."""
    info: Any = np.finfo(dtype)
    powers = np.ldexp(1.0, np.arange(info.minexp - info.nmant, info.maxexp))
    with np.errstate(over="ignore"):
        rows = [powers, np.array([0.0, np.inf, np.nan, 1.5, info.max])]
        rows += [np.nextafter(powers.astype(dtype), dtype(0)), powers * 1.7]
        rows = [row.astype(dtype) for row in rows]
    unsigned = f"u{np.dtype(dtype).itemsize}"
    rng = np.random.default_rng(0)
    bits = rng.integers(0, np.iinfo(unsigned).max, 2000, dtype=unsigned)
    some = np.concatenate(rows)
    return np.concatenate([some, -some, bits.view(dtype)])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_numbers_beside_a_number(same, dtype):
    x = beside(dtype)
    y = np.random.default_rng(1).permutation(x)
    for other in (np.inf, -np.inf, 0.0, -0.0, np.nan):
        same(np.nextafter, x, np.full_like(x, other))
    same(lambda x, y: (np.nextafter(x, y), np.nextafter(x, x)), x, y)
    same(np.spacing, x)


def test_slopes_of_the_numbers_beside(backend):
    x = np.array([1.0, -2.5, 0.0])
    slopes = anabranch.grad(
        lambda x, y: np.sum(np.nextafter(x, y) ** 2), (0, 1), backend=backend
    )(x, 1 + x)
    np.testing.assert_allclose(slopes[0], 2 * x, atol=1e-300)
    np.testing.assert_array_equal(slopes[1], 0 * x)
    steps = anabranch.grad(lambda x: np.sum(np.spacing(x)), backend=backend)
    np.testing.assert_array_equal(steps(x), 0 * x)
