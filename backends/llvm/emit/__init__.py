"""All emitters, by family: importing this module registers them."""

from __future__ import annotations

from ..plan.planner import make_plan
from . import at, cond, conv, index, linalg, loop, pooling, shape, sorting, update
from . import running as reduce

__all__ = [
    "at",
    "cond",
    "conv",
    "index",
    "linalg",
    "loop",
    "make_plan",
    "pooling",
    "reduce",
    "shape",
    "sorting",
    "update",
]
