"""Kernels that are not loop nests of the kernel form: their source, by name and dtype.

A name is a kind and a dtype, ``take f64``. All work on contiguous operands seen as
``[outer, length, inner]``. The words of each stand in its docstring line.
"""

from __future__ import annotations

from collections.abc import Callable

from ...scalars import CASTS
from .blas import gemm_source
from .correlation import correlation_source
from .pooling import POOLS, pool_source
from .products import KINDS, product_source

__all__ = ["library_source"]

_RAMP = """
def kernel(buffers, words):
    # buffer, offset, count
    y = {t}_pointer(buffers[words[0]] + words[1], 0)
    for i in range(words[2]):
        y[i] = {cast}(i)
    return 0
"""

_TAKE = """
def kernel(buffers, words):
    # x, indices, y: buffer and offset each; outer, length, count, inner
    x = {t}_pointer(buffers[words[0]] + words[1], 0)
    index = i64_pointer(buffers[words[2]] + words[3], 1)
    y = {t}_pointer(buffers[words[4]] + words[5], 2)
    outer, length, count, inner = words[6], words[7], words[8], words[9]
    for o in range(outer):
        for m in range(count):
            source = (o * length + index[m]) * inner
            target = (o * count + m) * inner
            for i in range(inner):
                y[target + i] = x[source + i]
    return 0
"""

_SCATTER = """
def kernel(buffers, words):
    # x, indices, y: buffer and offset each; outer, length, count, inner
    x = {t}_pointer(buffers[words[0]] + words[1], 0)
    index = i64_pointer(buffers[words[2]] + words[3], 1)
    y = {t}_pointer(buffers[words[4]] + words[5], 2)
    outer, length, count, inner = words[6], words[7], words[8], words[9]
    for o in range(outer):
        for m in range(count):
            source = (o * count + m) * inner
            target = (o * length + index[m]) * inner
            for i in range(inner):
                y[target + i] = {sum_yx}
    return 0
"""

_PUT = _SCATTER.replace("{sum_yx}", "x[source + i]")

_CHECK = """
def kernel(buffers, words):
    # x, y: buffer and offset each; count, low, last, number of the step
    x = i64_pointer(buffers[words[0]] + words[1], 0)
    y = i64_pointer(buffers[words[2]] + words[3], 1)
    low, last = words[5], words[6]
    bad = False
    for i in range(words[4]):
        v = x[i]
        bad = bad or v < low or v > last
        y[i] = v
    return words[7] if bad else 0
"""

_BRANCH = """
@written_out
def kernel(buffers, words):
    # condition: buffer and offset; RUN; rows and steps of then, and of else
    condition = bool_pointer(buffers[words[0]] + words[1], 0)
    rows, steps = words[5], words[6]
    if condition[0]:
        rows, steps = words[3], words[4]
    return invoke(words[2], rows, steps, address(buffers), 0, 0) >> 32
"""

_LOOP = """
@written_out
def kernel(buffers, words):
    # place of RUN; trips or -1; limit: buffer or -1, offset; counter: buffer, offset;
    # test; reverse; how many move, how many are carried
    # of each that moves: its entry; buffer, offset, bytes of an iteration
    # of each carried: its entry, that of the next; buffer and offset of three: where it
    # begins, where the first iteration makes it, and where the second does
    # RUN; rows and steps of the body; rows and steps of the end
    trips = words[1]
    if words[2] >= 0:
        given = i64_pointer(buffers[words[2]] + words[3], 0)
        wanted = given[0]
        wanted = 0 if wanted < 0 else wanted
        trips = wanted if trips < 0 or wanted < trips else trips
    counter = i64_pointer(buffers[words[4]] + words[5], 1)
    moving, carried = words[8], words[9]
    begin = 10 + 4 * moving
    for i in range(carried):
        w = begin + 8 * i
        buffers[words[w]] = buffers[words[w + 2]] + words[w + 3]
        buffers[words[w + 1]] = buffers[words[w + 4]] + words[w + 5]
    run = words[0]
    go = trips != 0
    if words[6] != 0:
        flag = bool_pointer(buffers[words[begin]], 2)
        go = go and flag[0]
    status = 0
    done = 0
    while go:
        t = trips - 1 - done if words[7] != 0 else done
        counter[0] = t
        for i in range(moving):
            w = 10 + 4 * i
            buffers[words[w]] = buffers[words[w + 1]] + words[w + 2] + t * words[w + 3]
        at = address(buffers)
        status = invoke(words[run], words[run + 1], words[run + 2], at, 0, 0) >> 32
        done += 1
        for i in range(carried):
            w = begin + 8 * i
            before = buffers[words[w]]
            buffers[words[w]] = buffers[words[w + 1]]
            other = buffers[words[w + 6]] + words[w + 7]
            buffers[words[w + 1]] = other if done == 1 else before
        go = status == 0 and done != trips
        if words[6] != 0:
            again = bool_pointer(buffers[words[begin]], 3)
            go = go and again[0]
    if status != 0:
        return status
    at = address(buffers)
    return invoke(words[run], words[run + 3], words[run + 4], at, 0, 0) >> 32
"""

_POSITION = """
def kernel(buffers, words):
    # x, y: buffer and offset each; outer, length, inner
    x = {t}_pointer(buffers[words[0]] + words[1], 0)
    y = i64_pointer(buffers[words[2]] + words[3], 1)
    outer, length, inner = words[4], words[5], words[6]
    for o in range(outer):
        for i in range(inner):
            best = x[o * length * inner + i]
            place = 0
            for k in range(1, length):
                v = x[(o * length + k) * inner + i]
                if best == best and (v {sign} best or v != v):
                    best = v
                    place = k
            y[o * inner + i] = place
    return 0
"""

_CUMSUM = """
def kernel(buffers, words):
    # x, y: buffer and offset each; outer, length, inner, first, step
    x = {t}_pointer(buffers[words[0]] + words[1], 0)
    y = {t}_pointer(buffers[words[2]] + words[3], 1)
    outer, length, inner, first, step = words[4], words[5], words[6], words[7], words[8]
    for o in range(outer):
        at = (o * length + first) * inner
        for i in range(inner):
            y[at + i] = x[at + i]
        for k in range(1, length):
            before = at
            at += step * inner
            for i in range(inner):
                y[at + i] = {sum_before}
    return 0
"""

_RECURRENCE = """
def kernel(buffers, words):
    # a, x, y: buffer and offset each; outer, length, inner, first, step
    a = {t}_pointer(buffers[words[0]] + words[1], 0)
    x = {t}_pointer(buffers[words[2]] + words[3], 1)
    y = {t}_pointer(buffers[words[4]] + words[5], 2)
    outer, length, inner = words[6], words[7], words[8]
    first, step = words[9], words[10]
    for o in range(outer):
        at = (o * length + first) * inner
        for i in range(inner):
            y[at + i] = x[at + i]
        for k in range(1, length):
            before = at
            at += step * inner
            for i in range(inner):
                y[at + i] = {recurrence}
    return 0
"""

_MATMUL = """
def kernel(buffers, words):
    # x, y, z: buffer and offset each; batch, rows, columns, inner
    x = {t}_pointer(buffers[words[0]] + words[1], 0)
    y = {t}_pointer(buffers[words[2]] + words[3], 1)
    z = {t}_pointer(buffers[words[4]] + words[5], 2)
    batch, rows, columns, inner = words[6], words[7], words[8], words[9]
    for b in range(batch):
        for i in range(rows):
            row = (b * rows + i) * columns
            for j in range(columns):
                z[row + j] = {zero}
            for k in range(inner):
                v = x[(b * rows + i) * inner + k]
                for j in range(columns):
                    w = y[(b * inner + k) * columns + j]
                    z[row + j] = {multiply_add}
    return 0
"""


def _position(sign: str) -> str:
    return _POSITION.replace("{sign}", sign)


_TEMPLATES: dict[str, str] = {
    "ramp": _RAMP,
    "take": _TAKE,
    "scatter": _SCATTER,
    "put": _PUT,
    "check": _CHECK,
    "branch": _BRANCH,
    "loop": _LOOP,
    "argmax": _position(">"),
    "argmin": _position("<"),
    "cumsum": _CUMSUM,
    "recurrence": _RECURRENCE,
    "matmul": _MATMUL,
}


def _arithmetic(
    dtype: str,
) -> tuple[Callable[[str, str], str], Callable[[str, str], str]]:
    """How sums and products of two expressions are written for a dtype."""
    if dtype == "bool":
        return (lambda a, b: f"{a} or {b}"), (lambda a, b: f"({a} and {b})")
    if dtype[0] == "f":
        return (lambda a, b: f"{a} + {b}"), (lambda a, b: f"{a} * {b}")
    return (
        lambda a, b: f"wrapping_add({a}, {b})",
        lambda a, b: f"wrapping_multiply({a}, {b})",
    )


def library_source(name: str) -> str:
    """The source of a library kernel: ``take f64``."""
    kind, dtype, *rest = name.split()
    if kind in POOLS:
        return pool_source(kind, dtype, *rest)
    if rest:
        return correlation_source(kind, dtype, *rest)
    if kind == "gemm":
        return gemm_source(dtype)
    if kind in KINDS:
        return product_source(kind, dtype)
    plus, times = _arithmetic(dtype)
    return (
        _TEMPLATES[kind]
        .lstrip()
        .format(
            t=dtype,
            cast=CASTS[dtype],
            zero="False" if dtype == "bool" else f"{CASTS[dtype]}(0)",
            sum_yx=plus("y[target + i]", "x[source + i]"),
            sum_before=plus("y[before + i]", "x[at + i]"),
            recurrence=plus(times("a[at + i]", "y[before + i]"), "x[at + i]"),
            multiply_add=plus("z[row + j]", times("v", "w")),
        )
    )
