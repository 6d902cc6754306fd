"""Python integers beyond the dtype that they meet, as constants and as arguments."""

from __future__ import annotations

import operator

import numpy as np
import pytest

import anabranch

INTEGERS = ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"]
COMPARISONS = ["eq", "ne", "lt", "le", "gt", "ge"]
ARITHMETIC = (
    "add subtract multiply floor_divide remainder fmod power maximum minimum fmax fmin "
    "bitwise_and bitwise_or bitwise_xor left_shift right_shift"
).split()


def ends(dtype):
    info = np.iinfo(dtype)
    return int(info.min), int(info.max)


def elements(dtype):
    low, high = ends(dtype)
    return np.array([low, low + 1, 0, 44, 100, high - 1, high], dtype)


def beyond(dtype):
    """Python integers around the ends of a dtype, and what wraps around to 44."""
    low, high = ends(dtype)
    width = high - low + 1
    around = [low - 1, low, high, high + 1, 44 + width, 44 - width, -1, 2**70, -(2**70)]
    return sorted(set(around))


def arguments(dtype):
    return [n for n in beyond(dtype) if -(2**63) <= n < 2**63]


@pytest.mark.parametrize("name", COMPARISONS)
@pytest.mark.parametrize("dtype", INTEGERS)
def test_comparisons_are_exact(same, dtype, name):
    compare, x = getattr(operator, name), elements(dtype)
    for n in beyond(dtype):
        same(lambda x, n=n: (compare(x, n), compare(n, x)), x)
    for n in arguments(dtype):
        same(lambda x, n: (compare(x, n), compare(n, x)), x, n)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_comparisons_of_other_shapes(same, dtype):
    for x in (elements(dtype)[3], elements(dtype)[:0], elements(dtype).reshape(7, 1)):
        same(lambda x, n: (x == n, x < n, n <= x), x, 300)
        same(lambda x, n: (np.equal(x, n), np.less(n, x)), x, -1)


def test_comparisons_with_computed_arguments(same):
    x = np.array([44, 255], np.uint8)
    same(lambda x, n: (x < n + n, x == -n, x > n - 1), x, 200)


def test_comparisons_of_bools_and_floats_stay(same):
    same(lambda x, n: (x == n, x < n), np.array([True, False]), 2)
    same(lambda x, n: (x == n, x < n), np.array([2.0, 1e30], np.float32), 2**62)


@pytest.mark.parametrize("name", ARITHMETIC)
@pytest.mark.parametrize("dtype", [d for d in INTEGERS if d != "i8"])
def test_arithmetic_with_an_argument_beyond_is_an_error(backend, dtype, name):
    """An `OverflowError` as in NumPy; what fits is computed before and after it."""
    function, x = getattr(np, name), elements(dtype)[2:]
    compiled = anabranch.jit(function, backend=backend)
    low, high = ends(dtype)
    for n in (low - 1, high + 1, 300 + high):
        np.testing.assert_array_equal(compiled(x, 2), function(x, 2))
        if not -(2**63) <= n < 2**63:
            continue
        with pytest.raises(OverflowError):
            function(x, n)
        with pytest.raises(anabranch.RangeError, match=f"for {x.dtype}"):
            compiled(x, n)
        with pytest.raises(OverflowError):
            anabranch.jit(lambda x, n=n: function(x, n), backend=backend)(x)
    np.testing.assert_array_equal(compiled(x, 3), function(x, 3))


def test_the_error_names_the_line(backend):
    def shifted(x, n):
        return x + n  # the user's line

    with pytest.raises(anabranch.RangeError, match=r"return x \+ n  # the"):
        anabranch.jit(shifted, backend=backend)(np.ones(2, np.uint8), 300)


def test_only_narrow_integers_are_checked():
    for x in (
        np.ones(2),
        np.ones(2, np.float32),
        np.ones(2, np.int64),
        np.ones(2, "?"),
    ):
        made = anabranch.jit(lambda x, n: x * n)
        made(x, 3)
        assert "check" not in made.inspect_ir()


@pytest.mark.parametrize("dtype", INTEGERS)
def test_clip_by_what_bounds_nothing(same, dtype):
    x, (low, high) = elements(dtype), ends(dtype)
    for bounds in [(low - 1, high + 1), (0, high + 1), (low - 1, 50), (low, 2**70)]:
        same(lambda x, b=bounds: (np.clip(x, *b), x.clip(*b)), x)
        same(lambda x, b=bounds: (np.clip(x, b[0], None), np.clip(x, None, b[1])), x)
        if all(-(2**63) <= n < 2**63 for n in bounds):
            same(lambda x, a, b: (np.clip(x, a, b), np.clip(x, a, None)), x, *bounds)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_clip_beyond_the_wrong_end(backend, dtype):
    x, (low, high) = elements(dtype), ends(dtype)
    for bounds in [(high + 1, None), (high + 1, high + 2), (None, low - 1)]:
        with pytest.raises(OverflowError):
            np.clip(x, *bounds)
        with pytest.raises(OverflowError):
            anabranch.jit(lambda x, b=bounds: np.clip(x, *b), backend=backend)(x)
        numbers = [n for n in bounds if n is not None]
        if all(-(2**63) <= n < 2**63 for n in numbers):
            clip = anabranch.jit(np.clip, backend=backend)
            with pytest.raises(anabranch.RangeError):
                clip(x, *bounds)


def test_clip_takes_the_common_dtype(same):
    x = np.array([0, 44, 255], np.uint8)
    same(lambda x: (np.clip(x, 300, 0.5), np.clip(x, 0.5, 300)), x)
    same(lambda x: (np.clip(5, x, 300), np.clip(300, 0, x)), x)
    same(lambda x: np.clip(x, 0, np.int64(300)), x)
    same(lambda x, n: (np.clip(n, x, 300), np.clip(x, n, 0.5)), x, 300)
    same(lambda x: np.clip(x, 0, 2), np.array([True, False]))
    same(lambda x: np.clip(x, 0, 2**70), np.array([1e30, 1], np.float32))


@pytest.mark.skipif(
    np.lib.NumpyVersion(np.__version__) >= "2.5.0", reason="NumPy refuses some of it"
)
@pytest.mark.parametrize("n", [300, -1, 2**63])
def test_what_is_stored_wraps(same, n):
    """NumPy casts what `where`, `select` and `pad` take without a look; so do we."""
    c, x = np.array([True, False]), np.array([44, 1], np.uint8)
    same(lambda c, x: (np.where(c, x, n), np.where(c, n, x)), c, x)
    same(lambda c, x: np.select([c], [x], n), c, x)
    same(lambda x: np.pad(x, 1, constant_values=n), x)
    if n < 2**63:
        same(lambda c, x, n: np.where(c, x, n), c, x, n)


@pytest.mark.parametrize("write", ["full_like", "item", "mask", "initial"])
def test_what_is_filled_is_checked(backend, write):
    def fill(x, n):
        if write == "full_like":
            return np.full_like(x, n)
        if write == "initial":
            return np.max(x, initial=n)
        y = x.copy()
        y[0 if write == "item" else y > 1] = n
        return y

    x = np.array([44, 1], np.uint8)
    filled = anabranch.jit(fill, backend=backend)
    np.testing.assert_array_equal(filled(x, 200), fill(x, 200))
    for n in (300, -1):
        with pytest.raises(OverflowError):
            fill(x, n)
        with pytest.raises(OverflowError):
            filled(x, n)
        with pytest.raises(OverflowError):
            anabranch.jit(lambda x, n=n: fill(x, n), backend=backend)(x)


def test_floats_are_stored_without_their_fractions(same):
    x = np.array([44, 1], np.uint8)
    same(lambda x: (np.full_like(x, 7.9), np.pad(x, 1, constant_values=7.9)), x)

    def written(x):
        y = x.copy()
        y[0] = 2.9
        return y

    same(written, x)


def test_integers_beyond_int64_meet_uint64_and_floats(same):
    same(lambda x: (x + 2**63, x > 2**63, x // 2**63), np.array([1, 2**63], np.uint64))
    same(lambda x: (x + 2**63, x * 2**70, x / 2**70), np.array([1, -2], np.float32))
    same(lambda x: x / 2**63, np.array([1, -2]))


def test_the_highest_exponent(same):
    """It is no negative one."""
    same(lambda x, n: x**n, np.array([1, -1, 0]), 2**63 - 1)
    same(lambda x, n: x**n, np.array([1, -1, 0]), np.array([2**63 - 1, 2, 0]))
