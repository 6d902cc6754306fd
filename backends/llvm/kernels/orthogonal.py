"""Routines of LAPACK called for each matrix of a stack, and what is between them."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import NamedTuple

from ....ir.types import TensorType
from .routines import routine
from .source import read

__all__ = [
    "PairsWords",
    "TriangleWords",
    "pairs_source",
    "routine_source",
    "routine_words",
    "triangle_source",
    "workspace",
]

_TRIANGLE = """
def kernel(buffers, words):
    # x, y: buffer and offset each
    rows, columns, height = {rows}, {columns}, {height}
    for b in range({matrices}):
        x = {t}_pointer({x} + b * {batch} * {size}, 0)
        y = {t}_pointer({y} + b * rows * columns * {size}, 1)
        for i in range(rows):
            for j in range(columns):
                to, of = (i * columns + j) * {parts}, (j * height + i) * {parts}
                for k in range({parts}):
                    y[to + k] = x[of + k] if j >= i else 0.0
    return 0
"""


class TriangleWords(NamedTuple):
    """The numbers of stacks of which upper triangles are copied.

    x lies column by column, ``height`` elements each and ``batch`` elements a matrix; y
    has ``rows`` by ``columns``.
    """

    matrices: int
    rows: int
    columns: int
    height: int
    batch: int


def triangle_source(dtype: str) -> str:
    """Copy the upper triangles, with zeros below."""
    type_ = TensorType(dtype, ())
    kind = {"t": type_.part.dtype, "parts": 2 if type_.is_complex else 1}
    names = read(TriangleWords, "x", "y")
    return _TRIANGLE.lstrip().format(size=type_.nbytes, **kind, **names)


_PAIRS = """
def kernel(buffers, words):
    # re, im, x, w, v: buffer and offset each
    n = {n}
    re = f64_pointer({re}, 0)
    im = f64_pointer({im}, 1)
    x = f64_pointer({x}, 2)
    w = f64_pointer({w}, 3)
    v = f64_pointer({v}, 4)
    for b in range({matrices} * n):
        w[2 * b] = re[b]
        w[2 * b + 1] = im[b]
    if {vectors} != 0:
        for b in range({matrices} * n):
            of_re = b if im[b] >= 0.0 else b - 1
            of_im = of_re + 1 if im[b] != 0.0 else of_re
            sign = 0.0 if im[b] == 0.0 else (1.0 if im[b] > 0.0 else -1.0)
            for i in range(n):
                v[2 * (b * n + i)] = x[of_re * n + i]
                v[2 * (b * n + i) + 1] = sign * x[of_im * n + i]
    return 0
"""


class PairsWords(NamedTuple):
    """The numbers of ``matrices`` matrices of n rows, and whether there are vectors."""

    matrices: int
    n: int
    vectors: int


def pairs_source() -> str:
    """Complex eigenvalues and vectors of the real numbers that geev makes.

    Of two conjugates it has the real parts of a vector, and then the imaginary ones.
    """
    return _PAIRS.lstrip().format(**read(PairsWords, "re", "im", "x", "w", "v"))


def routine_source(memories: int, arguments: str) -> str:
    """Call a routine for each matrix of a stack.

    The words are where each memory starts, then `routine_words`. ``arguments`` has a
    word for each argument: ``m0`` is a memory, as far on as the matrix is, and ``n0`` a
    number. The last memory is a word for the routine's status.
    """
    first = 2 * memories
    steps = first + 3
    numbers = steps + memories

    def passed(argument: str) -> str:
        kind, place = argument[0], int(argument[1:])
        if kind == "n":
            return f"address(words) + {8 * (numbers + place)}"
        return f"m{place} + b * words[{steps + place}]"

    listed = ", ".join(map(passed, arguments.split()))
    lines = [
        "def kernel(buffers, words):",
        *(
            f"    m{i} = buffers[words[{2 * i}]] + words[{2 * i + 1}]"
            for i in range(memories)
        ),
        f"    info = i64_pointer(m{memories - 1}, 0)",
        f"    for b in range(words[{first}]):",
        "        info[0] = 0",
        f"        invoke(words[{first + 1}], {listed}, 1, 1)",
        "        if info[0] != 0:",
        f"            return words[{first + 2}]",
        "    return 0",
        "",
    ]
    return "\n".join(lines)


def routine_words(
    matrices: int, address: int, status: int, steps: list[int], numbers: list[int]
) -> tuple[int, ...]:
    """The words behind the memories: how many bytes each moves on, and the numbers."""
    return matrices, address, status, *steps, *numbers


@cache
def workspace(
    name: str, dtype: str, memories: int, arguments: str, numbers: tuple[int, ...]
) -> int:
    """How many elements of work a routine asks for, given those arguments.

    The length of the work is -1 among the numbers; the answer is in the memory before
    it.
    """
    rooms = [(ctypes.c_double * 8)() for _ in range(memories)]
    words = [ctypes.c_int64(number) for number in numbers]
    listed = arguments.split()
    passed = [
        ctypes.byref((words if kind == "n" else rooms)[int(place)])
        for kind, *digits in listed
        for place in ["".join(digits)]
    ]
    length = f"n{numbers.index(-1)}"
    work = rooms[int(listed[listed.index(length) - 1][1:])]
    function = ctypes.CFUNCTYPE(None)(routine(name, dtype).address)
    function(*passed, ctypes.c_size_t(1), ctypes.c_size_t(1))
    kind = ctypes.c_float if dtype in ("f32", "c64") else ctypes.c_double
    return int(kind.from_buffer(work).value) + 1
