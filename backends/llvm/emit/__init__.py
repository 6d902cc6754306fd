"""All emitters, by family: importing this module registers them."""

from __future__ import annotations

from ..plan.planner import make_plan
from . import (
    at,
    callback,
    checkpoint,
    complex,
    cond,
    conv,
    fft,
    index,
    lapack,
    linalg,
    loop,
    orthogonal,
    pooling,
    shape,
    sorting,
    special,
    update,
)
from . import running as reduce

__all__ = [
    "at",
    "callback",
    "checkpoint",
    "complex",
    "cond",
    "conv",
    "fft",
    "index",
    "lapack",
    "linalg",
    "loop",
    "make_plan",
    "orthogonal",
    "pooling",
    "reduce",
    "shape",
    "sorting",
    "special",
    "update",
]
