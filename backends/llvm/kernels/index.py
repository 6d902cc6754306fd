"""Gathers, scatters, stores by index, and the check of indices.

An operand is contiguous, ``[outer, length, inner]``, and its rows are along ``length``.
"""

from __future__ import annotations

from typing import NamedTuple

from .source import plus, read

__all__ = [
    "CheckWords",
    "RowWords",
    "check_source",
    "put_source",
    "scatter_source",
    "take_source",
]

_ROWS = """
def kernel(buffers, words):
    # x, indices, y: buffer and offset each; outer, length, count, inner
    x = {t}_pointer({x}, 0)
    index = i64_pointer({indices}, 1)
    y = {t}_pointer({y}, 2)
    outer, length, count, inner = {outer}, {length}, {rows}, {inner}
    for o in range(outer):
        for m in range(count):
            source = {source} * inner
            target = {target} * inner
            for i in range(inner):
                y[target + i] = {value}
    return 0
"""

_CHECK = """
def kernel(buffers, words):
    # x, y: buffer and offset each; count, low, last, status
    x = i64_pointer({x}, 0)
    y = i64_pointer({y}, 1)
    low, last = {low}, {last}
    bad = False
    for i in range({size}):
        v = x[i]
        bad = bad or v < low or v > last
        y[i] = v
    return {status} if bad else 0
"""

_EACH, _NAMED = "(o * count + m)", "(o * length + index[m])"


class RowWords(NamedTuple):
    """The numbers of what moves rows from x to y.

    One is ``[outer, length, inner]``, the other ``[outer, rows, inner]``, with a row
    for each index.
    """

    outer: int
    length: int
    rows: int
    inner: int


class CheckWords(NamedTuple):
    """The numbers of a check of ``size`` values of x, which are copied to y.

    Where one is below ``low`` or above ``last`` the step has that ``status``.
    """

    size: int
    low: int
    last: int
    status: int


def _moved(dtype: str, source: str, target: str, value: str) -> str:
    return _ROWS.lstrip().format(
        t=dtype,
        source=source,
        target=target,
        value=value,
        **read(RowWords, "x", "indices", "y"),
    )


def take_source(dtype: str) -> str:
    """Copy the rows that the indices name."""
    return _moved(dtype, _NAMED, _EACH, "x[source + i]")


def scatter_source(dtype: str) -> str:
    """Add each row where its index says."""
    return _moved(dtype, _EACH, _NAMED, plus(dtype, "y[target + i]", "x[source + i]"))


def put_source(dtype: str) -> str:
    """Copy each row to where its index says."""
    return _moved(dtype, _EACH, _NAMED, "x[source + i]")


def check_source() -> str:
    """Copy indices; the status tells if one is outside."""
    return _CHECK.lstrip().format(**read(CheckWords, "x", "y"))
