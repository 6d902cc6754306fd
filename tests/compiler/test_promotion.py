"""Result dtypes follow NumPy 2: the whole table, and Python scalars are weak."""

from __future__ import annotations

import numpy as np
import pytest

import anabranch

DTYPES = "? i1 i2 i4 i8 u1 u2 u4 u8 f4 f8".split()
UFUNCS = (
    "add subtract multiply divide floor_divide remainder power maximum less equal "
    "bitwise_and left_shift arctan2 copysign logical_or fmod hypot"
).split()
SCALARS = [True, 2, 2.5, 0]
SWAPPED = pytest.mark.parametrize("swapped", [False, True], ids=["right", "left"])


def type_of(function, *args):
    """The dtype of the result, or the kind of error: (None, TypeError)."""
    try:
        with np.errstate(all="ignore"):
            return np.asarray(function(*args)).dtype, None
    except (TypeError, OverflowError, ValueError) as error:
        kind = OverflowError if isinstance(error, OverflowError) else TypeError
        return None, ValueError if isinstance(error, ValueError) else kind


def assert_same_type(function, *args):
    expected, expected_error = type_of(function, *args)
    compiled = anabranch.jit(function, backend="reference")
    if expected == np.float16:
        with pytest.raises(anabranch.DTypeError, match="float16"):
            compiled(*args)
        return
    made, error = type_of(compiled, *args)
    assert (made, error) == (expected, expected_error), (args, expected)


@pytest.mark.parametrize("first", DTYPES)
@pytest.mark.parametrize("name", UFUNCS)
def test_two_arrays(name, first):
    for second in DTYPES:
        assert_same_type(getattr(np, name), np.ones(2, first), np.ones(2, second))


@pytest.mark.parametrize("name", UFUNCS)
@SWAPPED
def test_array_and_python_scalar(name, swapped):
    """Constants of the function, on either side."""
    ufunc = getattr(np, name)
    for dtype in DTYPES:
        for scalar in SCALARS:
            if swapped:
                assert_same_type(lambda x, s=scalar: ufunc(s, x), np.ones(2, dtype))
            else:
                assert_same_type(lambda x, s=scalar: ufunc(x, s), np.ones(2, dtype))


@pytest.mark.parametrize("name", UFUNCS)
@SWAPPED
def test_array_and_python_scalar_argument(name, swapped):
    """Arguments stay weak, although they are traced."""
    ufunc = getattr(np, name)
    for dtype in DTYPES:
        for scalar in SCALARS:
            pair = (scalar, np.ones(2, dtype))
            assert_same_type(ufunc, *(pair if swapped else pair[::-1]))


@pytest.mark.parametrize("name", UFUNCS)
def test_array_and_numpy_scalar(name):
    """NumPy scalars are as strong as arrays, as constants and as arguments."""
    ufunc = getattr(np, name)
    for dtype in DTYPES:
        for kind in DTYPES:
            scalar = np.dtype(kind).type(1)
            assert_same_type(ufunc, np.ones(2, dtype), scalar)
            assert_same_type(lambda x, s=scalar: ufunc(s, x), np.ones(2, dtype))


@pytest.mark.parametrize(
    "operator",
    [
        lambda x, s: x + s,
        lambda x, s: s * x,
        lambda x, s: x / s,
        lambda x, s: x**s,
        lambda x, s: s**x,
        lambda x, s: s // x,
        lambda x, s: x < s,
    ],
)
def test_operators_with_python_scalars(operator):
    for dtype in DTYPES:
        for scalar in SCALARS:
            x = np.ones(2, dtype)
            assert_same_type(lambda x, s=scalar: operator(x, s), x)
            if dtype != "?":  # NumPy's dtype of bool**n depends on the value of n
                assert_same_type(operator, x, scalar)


def test_python_scalars_among_themselves(same):
    """They stay weak: an array that they meet later keeps its dtype."""
    x = np.ones(2, np.float32)
    same(lambda a, b, x: (a + b) * x, 2, 3, x)
    same(lambda a, b, x: (a * b) * x, 2.5, 3, x)
    same(lambda a, x: (-a) * x, 2.5, x)
    same(lambda a, x: (a**2) * x, 2.5, x)
    same(lambda a, x: abs(a) * x + (a > 2), 2.5, x)
    same(lambda a, b: np.ones(2, np.int8) * (a + b), 2, 3)


def test_numpy_functions_make_python_scalars_strong(same):
    x = np.ones(2, np.float32)
    same(lambda a, x: np.sin(a) * x, 0.5, x)
    same(lambda a, b, x: np.add(a, b) * x, 2.5, 3.5, x)
    same(lambda a, x: x * np.sum(a), 2.5, x)
    same(lambda a, x: np.maximum(a, 0) * x, 2.5, x)
    same(lambda a, x: np.where(True, a, 0) * x, 2.5, x)


def test_where_is_weak_too(same):
    x = np.array([1, -1], np.float32)
    for value in (0, 0.0, True, np.float64(0), np.int8(1), np.ones(2, np.int64)):
        same(lambda x, v=value: np.where(x > 0, x, v), x)
        same(lambda x, v=value: np.where(x > 0, v, x), x)
        same(lambda x, v: np.where(x > 0, v, x), x, value)
    same(lambda x: np.where(x > 0, 1, 0), x)
    same(lambda x: np.where(x > 0, 1, 0.5), x)
    same(lambda x: np.where(x > 0, True, False), x)
    same(lambda x: np.where(x > 0, True, 2), x)


@pytest.mark.parametrize("scalar", [256, -1, 2**63, 2**64, -(2**63) - 1])
@pytest.mark.parametrize("dtype", ["i1", "u1", "i8", "u8", "f4"])
def test_integer_outside_of_the_dtype(dtype, scalar):
    assert_same_type(lambda x: x + scalar, np.ones(2, dtype))


@pytest.mark.parametrize("scalar", [256, -1, 300.5])
def test_comparison_with_what_the_dtype_cannot_hold(same, scalar):
    x = np.array([0, 255], np.uint8)
    same(lambda x: (x < scalar, x == scalar, scalar <= x, x != scalar), x)
    same(lambda x: np.less(x, scalar), x)


@pytest.mark.parametrize("name", "equal not_equal less less_equal greater".split())
def test_signed_and_unsigned_compare_exactly(same, name):
    """NumPy has no common integer dtype for them, but compares without rounding."""
    signed = np.array([-1, 0, 1, 2**62, 2**63 - 1])
    unsigned = np.array([0, 1, 2**63 - 1, 2**63, 2**64 - 1], np.uint64)
    x, y = np.repeat(signed, 5), np.tile(unsigned, 5)
    same(getattr(np, name), x, y)
    same(getattr(np, name), y, x)
    same(getattr(np, name), y, x.astype(np.int8))


def test_float_constant_outside_of_float32(same):
    """NumPy overflows to infinity."""
    with np.errstate(over="ignore"):
        same(lambda x: x * 1e200, np.ones(2, np.float32))


def test_integer_corners(same):
    low = np.iinfo(np.int64).min
    same(lambda x: x + 1, np.array([255], np.uint8))
    same(lambda x: x * 2, np.array([100], np.int8))
    same(lambda x: (x // -1, x % -1, abs(x), -x), np.array([low]))
    same(lambda x: (x // 0, x % 0, x / 0), np.array([-1, 0, 1]))
    same(lambda x: (x // 0.0, x % 0.0, x / 0.0), np.array([-1.0, 0.0, 1.0]))
    same(lambda x: (1 << x, 8 >> x, -8 >> x), np.array([0, 63, 64, 70]))


@pytest.mark.parametrize("dtype", DTYPES)
def test_reductions(same, dtype):
    x = np.array([[1, 0], [1, 1]], dtype)
    same(lambda x: (np.sum(x), np.sum(x, axis=0), np.prod(x, axis=1)), x)
    same(lambda x: (np.mean(x), np.var(x, axis=0), np.std(x, axis=1)), x, rtol=1e-6)
    same(lambda x: (np.max(x), np.argmax(x, axis=0), np.cumsum(x)), x)
    same(lambda x: (np.any(x), np.all(x, axis=0), np.count_nonzero(x, axis=1)), x)


@pytest.mark.parametrize("first", DTYPES)
def test_products_and_joins(first):
    for second in DTYPES:
        x, y = np.ones((2, 2), first), np.ones((2, 2), second)
        for function in (
            np.matmul,
            np.dot,
            np.outer,
            lambda x, y: np.einsum("ij,jk", x, y),
            lambda x, y: np.concatenate([x, y]),
            lambda x, y: np.stack([x, y]),
            lambda x, y: np.where(x > 0, x, y),
        ):
            assert_same_type(function, x, y)


def test_stack_of_python_scalars(same):
    same(lambda a, x: np.stack([a, x[0]]), 2, np.ones(2, np.float32))
    same(lambda a, b: np.stack([a, b]), 2, 3)
    same(lambda x: np.stack([x[0], 2.5, 1]), np.ones(2, np.float32))
