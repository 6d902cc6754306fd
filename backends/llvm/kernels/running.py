"""What walks an axis in order: places of extrema, running sums, recurrences.

Operands are contiguous, ``[outer, length, inner]``, and are walked along ``length``.
"""

from __future__ import annotations

from typing import NamedTuple

from .source import plus, read, times

__all__ = [
    "PositionWords",
    "WalkWords",
    "cumsum_source",
    "position_source",
    "recurrence_source",
]

_POSITION = """
def kernel(buffers, words):
    # x, y: buffer and offset each; outer, length, inner
    x = {t}_pointer({x}, 0)
    y = i64_pointer({y}, 1)
    outer, length, inner = {outer}, {length}, {inner}
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
    x = {t}_pointer({x}, 0)
    y = {t}_pointer({y}, 1)
    outer, length, inner, first, step = {outer}, {length}, {inner}, {first}, {step}
"""

_RECURRENCE = """
def kernel(buffers, words):
    # a, x, y: buffer and offset each; outer, length, inner, first, step
    a = {t}_pointer({a}, 0)
    x = {t}_pointer({x}, 1)
    y = {t}_pointer({y}, 2)
    outer, length, inner = {outer}, {length}, {inner}
    first, step = {first}, {step}
"""

_WALK = """\
    for o in range(outer):
        at = (o * length + first) * inner
        for i in range(inner):
            y[at + i] = x[at + i]
        for k in range(1, length):
            before = at
            at += step * inner
            for i in range(inner):
                y[at + i] = {value}
    return 0
"""


class PositionWords(NamedTuple):
    """The numbers of what is searched; y is ``[outer, inner]``."""

    outer: int
    length: int
    inner: int


class WalkWords(NamedTuple):
    """The numbers of a walk: from place ``first`` on, ``step`` at a time."""

    outer: int
    length: int
    inner: int
    first: int
    step: int


def position_source(dtype: str, sign: str) -> str:
    """The first x that is ``sign`` (">" or "<") all others; the first NaN, if any."""
    return _POSITION.lstrip().format(
        t=dtype, sign=sign, **read(PositionWords, "x", "y")
    )


def cumsum_source(dtype: str) -> str:
    """y[k] = y[k - 1] + x[k], and y[first] = x[first]."""
    value = plus(dtype, "y[before + i]", "x[at + i]")
    template = _CUMSUM.lstrip() + _WALK
    return template.format(t=dtype, value=value, **read(WalkWords, "x", "y"))


def recurrence_source(dtype: str) -> str:
    """y[k] = a[k] y[k - 1] + x[k], and y[first] = x[first]."""
    value = plus(dtype, times(dtype, "a[at + i]", "y[before + i]"), "x[at + i]")
    template = _RECURRENCE.lstrip() + _WALK
    return template.format(t=dtype, value=value, **read(WalkWords, "a", "x", "y"))
