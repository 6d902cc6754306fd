"""What walks an axis in order: places of extrema, running sums, recurrences.

Operands are contiguous, ``[outer, length, inner]``, and are walked along ``length``.
"""

from __future__ import annotations

from typing import NamedTuple

from .source import plus, read, times

__all__ = [
    "CumsumWords",
    "PositionWords",
    "RecurrenceWords",
    "cumsum_source",
    "position_source",
    "recurrence_source",
]

_POSITION = """
def kernel(buffers, words):
    # x, y: buffer and offset each; outer, length, inner
    x = {t}_pointer(buffers[{x}] + {x_offset}, 0)
    y = i64_pointer(buffers[{y}] + {y_offset}, 1)
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
    x = {t}_pointer(buffers[{x}] + {x_offset}, 0)
    y = {t}_pointer(buffers[{y}] + {y_offset}, 1)
    outer, length, inner, first, step = {outer}, {length}, {inner}, {first}, {step}
"""

_RECURRENCE = """
def kernel(buffers, words):
    # a, x, y: buffer and offset each; outer, length, inner, first, step
    a = {t}_pointer(buffers[{a}] + {a_offset}, 0)
    x = {t}_pointer(buffers[{x}] + {x_offset}, 1)
    y = {t}_pointer(buffers[{y}] + {y_offset}, 2)
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
    """The words of the place in x of each extremum; y is ``[outer, inner]``."""

    x: int
    x_offset: int
    y: int
    y_offset: int
    outer: int
    length: int
    inner: int


class CumsumWords(NamedTuple):
    """The words of a running sum of x, from place ``first`` on, ``step`` at a time."""

    x: int
    x_offset: int
    y: int
    y_offset: int
    outer: int
    length: int
    inner: int
    first: int
    step: int


class RecurrenceWords(NamedTuple):
    """The words of y[k] = a[k] y[k - 1] + x[k], walked as a running sum is."""

    a: int
    a_offset: int
    x: int
    x_offset: int
    y: int
    y_offset: int
    outer: int
    length: int
    inner: int
    first: int
    step: int


def position_source(dtype: str, sign: str) -> str:
    """The first x that is ``sign`` (">" or "<") all others; the first NaN, if any."""
    return _POSITION.lstrip().format(t=dtype, sign=sign, **read(PositionWords))


def cumsum_source(dtype: str) -> str:
    """Each x added to the sum before it."""
    value = plus(dtype, "y[before + i]", "x[at + i]")
    template = _CUMSUM.lstrip() + _WALK
    return template.format(t=dtype, value=value, **read(CumsumWords))


def recurrence_source(dtype: str) -> str:
    """Each x added to what is made of the value before it."""
    value = plus(dtype, times(dtype, "a[at + i]", "y[before + i]"), "x[at + i]")
    template = _RECURRENCE.lstrip() + _WALK
    return template.format(t=dtype, value=value, **read(RecurrenceWords))
