"""Vectors of the kernel language."""

import re

import numpy as np
import pytest

from anabranch.backends.llvm.engine.engine import assembly, kernel_llvm
from anabranch.backends.llvm.language.values import LanguageError
from tests.backends.kernels import run

FLOATS = {"f32": np.float32, "f64": np.float64}
HEAD = "def kernel(buffers, words):\n"


def over(
    lines: list[str], dtype: str, *arrays: np.ndarray, words: tuple[int, ...] = ()
) -> None:
    """Run a kernel whose pointers x, y, z are the arrays."""
    pointers = [
        f"{name} = {dtype}_pointer(buffers[{i}], {i})"
        for i, name in zip(range(len(arrays)), "xyz", strict=False)
    ]
    text = HEAD + "".join(f"    {line}\n" for line in (*pointers, *lines, "return 0"))
    assert run(text, arrays, words) == 0


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("lanes", [2, 4, 8, 16])
def test_lanes_from_the_count_on_are_not_accessed(dtype: str, lanes: int) -> None:
    vector = f"{dtype}x{lanes}"
    lines = [
        f"v = {vector}_load(x, 1, words[0])",
        f"{vector}_store(y, 1, v, words[1])",
        f"{vector}_store(z, 1, v, {lanes})",
    ]
    x = np.arange(1, lanes + 2).astype(FLOATS[dtype])
    for load in (-3, 0, 1, lanes - 1, lanes, lanes + 5):
        for store in (-1, 0, 1, lanes, lanes + 1):
            y, z = np.full((2, lanes + 2), -1, x.dtype)
            over(lines, dtype, x, y, z, words=(load, store))
            loaded = np.where(np.arange(lanes) < load, x[1:], 0)
            np.testing.assert_array_equal(z, [-1, *loaded, -1])
            kept = np.where(np.arange(lanes) < store, loaded, -1)
            np.testing.assert_array_equal(y, [-1, *kept, -1])


@pytest.mark.parametrize("dtype", FLOATS)
def test_a_vector_may_say_which_lanes(dtype: str) -> None:
    lines = [
        f"v = {dtype}x4_load(x, 0, 4)",
        f"{dtype}x4_store(y, 0, {dtype}x4_splat(x[0]), v)",
        f"{dtype}x4_store(z, 0, {dtype}x4_load(x, 0, v), 4)",
    ]
    x = np.array([5, 0, -0.0, np.nan], FLOATS[dtype])
    y, z = np.full((2, 4), -1, x.dtype)
    over(lines, dtype, x, y, z)
    np.testing.assert_array_equal(y, [5, -1, -1, 5])
    np.testing.assert_array_equal(z, x)


def test_what_is_prefetched_need_not_exist() -> None:
    lines = [f"prefetch(x, {place})" for place in (0, -1, 2, 10**12)]
    x = np.array([1.0, 2.0])
    over([*lines, "x[1] = x[0]"], "f64", x)
    np.testing.assert_array_equal(x, [1.0, 1.0])
    text = HEAD + "    prefetch(f64_pointer(buffers[0], 0), 0)\n    return 0\n"
    assert "llvm.prefetch" in kernel_llvm(text)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("lanes", [2, 4, 8, 16])
def test_a_mask_stands_for_a_count(dtype: str, lanes: int) -> None:
    vector = f"{dtype}x{lanes}"
    lines = [
        f"m = {vector}_mask(words[0])",
        "for i in range(2):",
        f"    v = {vector}_load(x, i * {lanes}, m)",
        f"    {vector}_store(y, i * {lanes}, v + {vector}_splat(1.0), m)",
        f"    {vector}_store(z, i * {lanes}, v, {lanes})",
    ]
    x = np.arange(1, 2 * lanes + 1).astype(FLOATS[dtype]).reshape(2, lanes)
    for count in (-3, 0, 1, lanes - 1, lanes, lanes + 5, 2**40, -(2**40)):
        inside = np.arange(lanes) < count
        y, z = np.full((2, *x.shape), -1, x.dtype)
        over(lines, dtype, x, y, z, words=(count,))
        np.testing.assert_array_equal(y, np.where(inside, x + 1, -1))
        np.testing.assert_array_equal(z, np.where(inside, x, 0))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("lanes", [2, 4, 8, 16])
def test_interleaved_and_lane_sums(dtype: str, lanes: int) -> None:
    vector = f"{dtype}x{lanes}"
    names = [f"v{i}" for i in range(lanes)]
    loads = [
        f"{name} = {vector}_load(x, {i * lanes}, {lanes})"
        for i, name in enumerate(names)
    ]
    x = np.arange(lanes * lanes).astype(FLOATS[dtype]).reshape(lanes, lanes)
    for count in (1, 2, 4, 8, 16):
        if count > lanes:
            continue
        made = [f"w{i}" for i in range(count)]
        call = f"interleaved({', '.join(names[:count])})"
        stores = [
            f"{vector}_store(y, {i * lanes}, {name}, {lanes})"
            for i, name in enumerate(made)
        ]
        y = np.empty_like(x[:count])
        over([*loads, f"{', '.join(made)}, = {call}", *stores], dtype, x, y)
        np.testing.assert_array_equal(y.ravel(), x[:count].T.ravel())
    z = np.empty(lanes, x.dtype)
    total = f"{vector}_store(z, 0, lane_sums({', '.join(names)}), {lanes})"
    over([*loads, total], dtype, x, z, z)
    np.testing.assert_array_equal(z, x.sum(1))


@pytest.mark.parametrize("dtype", FLOATS)
def test_arithmetic_lane_by_lane(dtype: str) -> None:
    lines = [
        f"v = {dtype}x4_load(x, 0, 4)",
        f"w = {dtype}x4_splat({dtype}_pointer(buffers[0], 0)[1])",
        f"{dtype}x4_store(y, 0, multiply_add(v, w, v - x[1]) / v, 4)",
    ]
    x = np.array([1, 2, 4, 8], FLOATS[dtype])
    y = np.empty_like(x)
    over(lines, dtype, x, y)
    np.testing.assert_array_equal(y, (x * 2 + (x - 2)) / x)


def test_memory_of_the_call() -> None:
    lines = [
        "memory = f64_pointer(call_memory(128), 1)",
        "for i in range(2):",
        "    f64x8_store(memory, i * 8, f64x8_load(x, 8 - i * 8, 8), 8)",
        "for i in rolled(16):",
        "    x[i] = memory[i] * 2.0",
    ]
    x = np.arange(16.0)
    over(lines, "f64", x)
    np.testing.assert_array_equal(x, np.r_[8:16, 0:8] * 2.0)


def test_a_rolled_loop_is_not_unrolled() -> None:
    def products(kind: str) -> int:
        lines = [
            "x = f64_pointer(buffers[0], 0)",
            "s = x[0]",
            f"for i in {kind}(4):",
            "    s = s * s + 1.0",
            "x[0] = s",
        ]
        text = HEAD + "".join(f"    {line}\n" for line in (*lines, "return 0"))
        return len(re.findall(r"\bv?f?mul|\bv?fmadd", assembly(text)))

    assert products("rolled") == 1 < products("range")


def test_a_rolled_loop_is_vectorised_but_not_interleaved() -> None:
    def vectors(kind: str) -> int:
        lines = [
            "x = f32_pointer(buffers[0], 0)",
            f"for i in {kind}(words[0]):",
            "    x[i] = x[i] * 3.0",
        ]
        text = HEAD + "".join(f"    {line}\n" for line in (*lines, "return 0"))
        return len(re.findall(r"mulps|fmul\s+v\d+\.4s", assembly(text)))

    assert 1 <= vectors("rolled") < vectors("range")


@pytest.mark.parametrize(
    "line",
    [
        "v = f32x3_splat(x[0])",
        "v = f64x2_splat(x[0])",
        "v = interleaved(f32x4_splat(x[0]), f32x8_splat(x[1]))",
        "v = interleaved(f32x4_splat(0.0), f32x4_splat(1.0), f32x4_splat(2.0))",
        "v = lane_sums(x[0], x[1])",
        "v = f32x4_splat(x[0]) + f32x8_splat(x[0])",
    ],
)
def test_what_does_not_fit_is_refused(line: str) -> None:
    text = HEAD + f"    x = f32_pointer(buffers[0], 0)\n    {line}\n    return 0\n"
    with pytest.raises(LanguageError):
        kernel_llvm(text)


def test_a_kernel_that_is_written_out_computes_the_same() -> None:
    lines = ["x = f64_pointer(buffers[0], 0)", "for i in range(9):"]
    lines += ["    x[i] = x[i] * x[i] + 1.0", "return 0"]
    text = HEAD + "".join(f"    {line}\n" for line in lines)
    plain, marked = np.arange(9.0), np.arange(9.0)
    assert run(text, [plain], []) == run("@written_out\n" + text, [marked], []) == 0
    np.testing.assert_array_equal(marked, plain)
    with pytest.raises(LanguageError):
        kernel_llvm("@unknown\n" + text)
