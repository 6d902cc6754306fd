"""The kernel language: what it computes, and that it refuses everything else."""

import ctypes
import gc
import re

import numpy as np
import pytest

from anabranch.backends.llvm.engine.engine import (
    assembly,
    compile_kernel,
    executor,
    failure,
    kernel_llvm,
)
from anabranch.backends.llvm.language.functions import TEXTS
from anabranch.backends.llvm.language.primitives import PRIMITIVES
from anabranch.backends.llvm.language.values import LanguageError
from anabranch.backends.llvm.machine import current, using
from tests.backends.kernels import run

HEAD = "def kernel(buffers, words):\n"


def source(*lines: str) -> str:
    return HEAD + "".join(f"    {line}\n" for line in (*lines, "return 0"))


def loop(dtype: str, expression: str) -> str:
    """``y[i] = expression`` of ``v = x[i]``."""
    return source(
        f"x = {dtype}_pointer(buffers[0], 0)",
        f"y = {dtype}_pointer(buffers[1], 1)",
        "for i in range(words[0]):",
        "    v = x[i]",
        f"    y[i] = {expression}",
    )


@pytest.mark.parametrize(
    ("expression", "function"),
    [
        ("v * 2.0 + 1.0", lambda v: v * 2 + 1),
        ("1 if v > 0 else (-1 if v < 0 else v)", np.sign),
        ("v if v >= 0 or v != v else -v", np.abs),
        (
            "float64(v < 0.5 and not v < -0.5)",
            lambda v: ((v < 0.5) & (v >= -0.5)) * 1.0,
        ),
        ("floor_divide(v, 0.3)", lambda v: v // 0.3),
        ("remainder(v, -0.3)", lambda v: v % -0.3),
    ],
)
def test_expressions(expression: str, function) -> None:
    x = np.array([-2.5, -0.4, -0.0, 0.0, 0.25, 0.5, 3.0, 1e300])
    y = np.empty_like(x)
    assert run(loop("f64", expression), [x, y], [len(x)]) == 0
    np.testing.assert_array_equal(y, function(x))


@pytest.mark.parametrize("dtype", ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"])
def test_integers_wrap_in_their_own_width(dtype: str) -> None:
    info = np.iinfo(dtype)
    x = np.array([info.min, info.max, 0, 1, 7], dtype)
    y = np.empty_like(x)
    name = {"i": "i", "u": "u"}[dtype[0]] + str(8 * int(dtype[1]))
    assert run(loop(name, "wrapping_add(v, v * v)"), [x, y], [len(x)]) == 0
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(y, x + x * x)


@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("turns", ["range(words[0])", "lanes(words[0], 4)"])
@pytest.mark.parametrize("features", [None, ""])
def test_floats_that_no_integer_has_become_the_lowest(
    dtype: str, turns: str, features: str | None
) -> None:
    machine = current()
    if features is not None:
        processor = machine.processor._replace(features=features)
        machine = machine._replace(processor=processor)
    text = source(
        f"x = {dtype}_pointer(buffers[0], 0)",
        "y = i64_pointer(buffers[1], 1)",
        f"for i in {turns}:",
        "    y[i] = to_i64(x[i])",
    )
    edge = 2.0**63
    inside = [-2.5, -0.0, 0.99, 2.0**40, edge - 2.0**39, -edge]
    outside = [edge, -2 * edge, np.inf, -np.inf, np.nan]
    x = np.array([*inside, *outside], {"f32": np.float32, "f64": np.float64}[dtype])
    y = np.empty(len(x), np.int64)
    with using(machine):
        assert run(text, [x, y], [len(x)]) == 0
    lowest = np.iinfo(np.int64).min
    assert y.tolist() == [*map(int, x[: len(inside)]), *[lowest] * len(outside)]


def test_a_variable_may_be_assigned_in_a_loop() -> None:
    text = source(
        "x = i64_pointer(buffers[0], 0)",
        "total = 0",
        "for i in range(1, words[0]):",
        "    if x[i] > 2:",
        "        total += x[i]",
        "while total > 100:",
        "    total = total - 100",
        "x[0] = total",
    )
    x = np.array([0, 1, 2, 3, 250], np.int64)
    assert run(text, [x], [5]) == 0
    assert x[0] == 53


def test_the_status_says_which_step_failed() -> None:
    text = HEAD + "    return words[0]\n"
    tables = [np.array([status], np.int64) for status in (0, 0, 7, 0)]
    address = compile_kernel(text)
    program = np.array([(address, t.ctypes.data) for t in tables], np.int64).reshape(-1)
    assert failure(executor()(program.ctypes.data, 4, 0, None, 0)) == (2, 7)


@pytest.mark.parametrize(
    "line",
    [
        "import os",
        "x = 'text'",
        "x = [1, 2]",
        "x = unknown",
        "x = system(1)",
        "x = __import__",
        "x = (lambda: 1)()",
        "del words",
        "for i in words: i",
        "x = words.shape",
        "x = 1.5 + words[0]",
        "with words: x = 1",
    ],
)
def test_everything_else_is_refused(line: str) -> None:
    with pytest.raises(LanguageError):
        kernel_llvm(source(line))


def test_a_function_is_built_in_or_written_in_the_language() -> None:
    """One place for each: the table would hide a text of the same name."""
    assert not PRIMITIVES.keys() & TEXTS.keys()


def test_a_sum_uses_vector_registers() -> None:
    text = source(
        "x = f64_pointer(buffers[0], 0)",
        "s = float64(0)",
        "for i in range(words[0]):",
        "    s = reassociated_add(s, x[i])",
        "x[0] = s",
    )
    assert "fadd reassoc double" in kernel_llvm(text)
    assert re.search(r"vaddpd|fadd\s+v\d+\.2d|addpd", assembly(text))


class Heap(ctypes.Structure):
    """The C library's account of its heap: ``struct mallinfo2``."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks"),
            *("uordblks", "fordblks", "keepcost"),
        )
    )


def test_compiling_keeps_no_memory():
    """What LLVM makes for one kernel is freed: some 3 kB stay of each, not 50."""
    mallinfo = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if mallinfo is None:
        pytest.skip("another C library")
    mallinfo.restype = Heap

    def used() -> int:
        gc.collect()
        heap = mallinfo()
        return heap.uordblks + heap.hblkhd

    text = loop("f64", "exp(v)")
    assembly(text)
    before = used()
    for _ in range(20):
        assembly(text)
    assert used() - before < 20 * 10_000
