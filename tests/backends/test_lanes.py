"""Loops over lanes compute what plain loops do, and touch nothing else."""

import numpy as np
import pytest

from anabranch.backends.llvm.engine.engine import kernel_llvm
from anabranch.backends.llvm.language.values import LanguageError
from tests.backends.test_language import run, source

SIZES = (0, 1, 7, 8, 9, 31, 32, 33, 70)
NAMES = {
    **{f"i{8 * size}": f"i{size}" for size in (1, 2, 4, 8)},
    **{f"u{8 * size}": f"u{size}" for size in (1, 2, 4, 8)},
    **{"f32": "f4", "f64": "f8", "bool": "?"},
}


def data(dtype: str, *shape: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(0, 100, shape).astype(NAMES[dtype])


@pytest.mark.parametrize("lanes", [2, 8, 64])
@pytest.mark.parametrize("dtype", NAMES)
@pytest.mark.parametrize("stride", [1, 2, 3, 4, 5])
def test_only_elements_of_the_loop_are_touched(
    dtype: str, lanes: int, stride: int
) -> None:
    step = {1: "i", 5: "i * words[1]"}.get(stride, f"i * {stride}")
    text = source(
        f"x = {dtype}_pointer(buffers[0] + words[2], 0)",
        f"y = {dtype}_pointer(buffers[1] + words[2], 1)",
        f"for i in lanes(words[0], {lanes}):",
        f"    y[{step}] = x[1 + {step}]",
    )
    for size in SIZES:
        x = data(dtype, size * stride + 3)
        y, expected = (data(dtype, len(x))[::-1].copy() for _ in range(2))
        where = 1 + stride * np.arange(size)
        expected[where] = x[1 + where]
        assert run(text, [x, y], [size, stride, x.itemsize]) == 0
        np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("apart", [2, 3, 4])
def test_loads_a_few_apart_are_loads_side_by_side(apart: int) -> None:
    """They reach from the first element to the last one, and are no gathers."""
    text = source(
        "x = f64_pointer(buffers[0], 0)",
        "y = f64_pointer(buffers[1], 1)",
        "for i in lanes(words[0], 8):",
        f"    y[i] = x[i * {apart}]",
    )
    code = kernel_llvm(text)
    assert "gather" not in code
    assert code.count("masked.load.v8f64.p0(ptr align") == apart
    x = np.arange(apart * 13 - (apart - 1.0))
    y = np.zeros(13)
    assert run(text, [x, y], [13]) == 0
    np.testing.assert_array_equal(y, x[::apart])


def test_room_is_accessed_in_whole_rounds() -> None:
    text = source(
        "x = i64_room(buffers[0], 0)",
        "for i in lanes(words[0], 8):",
        "    x[i] = x[i] + 1",
    )
    x = np.zeros(64, np.int64)
    assert run(text, [x], [11]) == 0
    np.testing.assert_array_equal(x, [1] * 16 + [0] * 48)


@pytest.mark.parametrize("outer", [0, 1, 3])
def test_totals_go_through_a_nest(outer: int) -> None:
    """Lanes beyond the end count in none of them, though their elements are 0."""
    text = source(
        "x = i64_pointer(buffers[0], 0)",
        "y = i64_pointer(buffers[1], 1)",
        "low = 1000",
        "product = 1",
        "some = False",
        "for i in range(words[0]):",
        "    for j in lanes(words[1], 8):",
        "        v = x[i * words[1] + j]",
        "        odd = v & 1 != 0",
        "        product = wrapping_multiply(product, v)",
        "        low = low if low <= v else v",
        "        some = some or odd",
        "y[0] = low",
        "y[1] = product",
        "y[2] = int64(some)",
    )
    for size in SIZES:
        x = 2 * data("i64", outer, size) + 2
        x.reshape(-1)[-1:] += 1
        y = np.zeros(3, np.int64)
        assert run(text, [x, y], [outer, size]) == 0
        expected = np.min(x, initial=1000), np.prod(x, initial=1), np.any(x & 1)
        np.testing.assert_array_equal(y, expected)


def test_what_a_total_adds_stays_what_it_was() -> None:
    """It has its value from before the loop, which the total is made of."""
    text = source(
        "x = f64_pointer(buffers[0], 0)",
        "term = x[0] * 2.0",
        "total = 0.0",
        "for i in lanes(words[0], 8):",
        "    total = total + term",
        "x[0] = total",
        "x[1] = term",
    )
    for size in SIZES:
        x = np.array([1.5, 0.0])
        assert run(text, [x], [size]) == 0
        np.testing.assert_array_equal(x, [3.0 * size, 3.0])


def test_the_name_is_a_number_too() -> None:
    text = source(
        "x = f64_pointer(buffers[0], 0)",
        "for i in lanes(words[0], 8):",
        "    x[i] = float64(i * i)",
    )
    x = np.full(20, -1.0)
    assert run(text, [x], [19]) == 0
    np.testing.assert_array_equal(x, [*np.arange(19.0) ** 2, -1])


def test_what_is_the_same_in_all_lanes_is_made_once() -> None:
    text = source(
        "x = f64_pointer(buffers[0], 0)",
        "y = f64_pointer(buffers[1], 1)",
        "for i in lanes(words[0], 8):",
        "    a = y[words[1]]",
        "    b = a + 1.0",
        "    x[i] = x[i] * b + a",
    )
    x, y = np.arange(11.0), np.arange(5.0)
    assert run(text, [x, y], [11, 3]) == 0
    np.testing.assert_array_equal(x, np.arange(11.0) * 4 + 3)
    before, _, loop = kernel_llvm(text).partition("head")
    assert "fadd double" in before
    assert "fadd double" not in loop


def test_a_while_of_a_function_ends_lane_by_lane() -> None:
    text = source(
        "x = i64_pointer(buffers[0], 0)",
        "y = i64_pointer(buffers[1], 1)",
        "for i in lanes(words[0], 8):",
        "    y[i] = power(x[i], x[i])",
    )
    x = np.arange(13)
    y = np.empty_like(x)
    assert run(text, [x, y], [13]) == 0
    np.testing.assert_array_equal(y, x**x)


@pytest.mark.parametrize("name", ["arctan2", "hypot"])
@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_libm_is_called_lane_by_lane(name: str, dtype: str) -> None:
    text = source(
        f"x = {dtype}_pointer(buffers[0], 0)",
        f"y = {dtype}_pointer(buffers[1], 1)",
        f"for i in lanes(words[0], {8}):",
        f"    y[i] = {name}(x[i], y[i])",
    )
    x = data(dtype, 21)
    y = x[::-1].copy()
    expected = getattr(np, name)(x, y)
    assert run(text, [x, y], [21]) == 0
    np.testing.assert_array_max_ulp(y, expected, 1)


@pytest.mark.parametrize(
    "lines",
    [
        ["for i in lanes(words[0], 3):", "    x[i] = 1.0"],
        ["for i in lanes(words[0], words[1]):", "    x[i] = 1.0"],
        ["for i in lanes(words[0]):", "    x[i] = 1.0"],
        ["for i in lanes(words[0], 8):", "    x[i * i] = 1.0"],
        ["for i in lanes(words[0], 8):", "    x[words[i]] = 1.0"],
        ["for i in lanes(words[0], 8):", "    x[0] = x[i]"],
        ["for i in lanes(words[0], 8):", "    if x[i] > 0:", "        x[i] = 1.0"],
        ["for i in lanes(words[0], 8):", "    x[i] += 1.0"],
    ],
)
def test_what_has_no_lanes_is_refused(lines: list[str]) -> None:
    with pytest.raises(LanguageError):
        kernel_llvm(source("x = f64_pointer(buffers[0], 0)", *lines))
