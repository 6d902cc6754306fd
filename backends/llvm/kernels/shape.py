"""A ramp: 0, 1, 2, ..."""

from __future__ import annotations

from typing import NamedTuple

from ...scalars import CASTS
from .source import read

__all__ = ["RampWords", "ramp_source"]

_RAMP = """
def kernel(buffers, words):
    # buffer, offset, count
    y = {t}_pointer({y}, 0)
    for i in range({size}):
        y[i] = {cast}(i)
    return 0
"""


class RampWords(NamedTuple):
    """The numbers of a ramp, of ``size`` elements."""

    size: int


def ramp_source(dtype: str) -> str:
    """The source of the kernel for a dtype."""
    return _RAMP.lstrip().format(t=dtype, cast=CASTS[dtype], **read(RampWords, "y"))
