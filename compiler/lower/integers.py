"""Python integers beyond the dtype that they meet.

NumPy compares them exactly, takes them as bounds that bound nothing in ``np.clip``, and
lets ``np.where`` wrap them around; anywhere else they are an `OverflowError`. Constants
are known while tracing. An argument is a weak int64, known when the function runs, so
that what happens to it stands in the graph.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...ir.graph import Node
from ...ir.ops.elementwise import CAST
from ...ir.types import DTYPES
from ..tracing.running import dtype_of, is_traced
from ..tracing.trace import Trace

__all__ = ["bound", "compare_exactly", "fitted", "within_reach", "wrapped"]

_LOW, _HIGH, _NEAREST = range(3)

# ``x op n`` by the comparison with the number nearest to n that x may be: what else has
# to hold, or makes it true by itself, of n and the lowest, highest or nearest number.
_BEYOND = {
    "eq": ("logical_and", "eq", _NEAREST),
    "ne": ("logical_or", "ne", _NEAREST),
    "lt": ("logical_or", "gt", _HIGH),
    "le": ("logical_and", "ge", _LOW),
    "gt": ("logical_or", "lt", _LOW),
    "ge": ("logical_and", "le", _HIGH),
}


def _limits(dtype: str) -> tuple[int, int]:
    """The lowest and the highest int64 that an integer dtype holds."""
    ends = np.iinfo(DTYPES[dtype].name)
    return ends.min, min(ends.max, 2**63 - 1)


def _is_argument(value: Any) -> bool:
    """Whether a value is a Python integer that is known when the function runs."""
    return is_traced(value) and value.weak and value.dtype == np.int64


def _is_narrow(dtype: str) -> bool:
    """Whether there are int64 that an integer dtype does not hold."""
    return dtype[0] in "iu" and dtype != "i64"


def fitted(trace: Trace, value: Any, dtype: str) -> Node:
    """``value`` cast to a dtype; a Python integer that does not fit is an error."""
    if not (_is_argument(value) and _is_narrow(dtype)):
        return trace.node(value, dtype)
    low, high = _limits(dtype)
    message = f"a Python integer is out of bounds for {DTYPES[dtype].name}"
    checked = trace.builder.check(
        trace.node(value), low=low, high=high + 1, error="overflow", message=message
    )
    return trace.builder.cast(checked, dtype)


def wrapped(value: Any, dtype: str) -> Any:
    """A value that is stored in an array of a dtype, whatever of it is left there."""
    if type(value) is not int:
        return value
    return CAST.reference(value, dtype=dtype).item()


def within_reach(value: Any, other: Any) -> Any:
    """A constant to compare with integers that cannot reach it: as a float.

    Beyond their range the float has the same order to all of them.
    """
    if type(value) is not int:
        return value
    dtype = dtype_of(other)
    if dtype.kind not in "iu" or np.iinfo(dtype).min <= value <= np.iinfo(dtype).max:
        return value
    return math.copysign(math.inf, value)


def compare_exactly(trace: Trace, op: str, x: Any, n: Any) -> Node | None:
    """``x op n`` for an argument n and integers x of a narrower dtype, else None.

    The loop compares in the dtype of x; what is beyond it is about n alone.
    """
    if not _is_argument(n) or getattr(x, "weak", False) or isinstance(x, (int, float)):
        return None
    node, number, b = trace.node(x), trace.node(n), trace.builder
    if not _is_narrow(node.type.dtype):
        return None
    low, high = (b.const(end, "i64") for end in _limits(node.type.dtype))
    nearest = b.minimum(b.maximum(number, low), high)
    near = b.broadcast(b.cast(nearest, node.type.dtype), node.type)
    combine, test, end = _BEYOND[op]
    beyond = b.add_node(test, number, (low, high, nearest)[end])
    compared = b.add_node(op, node, near)
    return b.add_node(combine, compared, b.broadcast(beyond, compared.type))


def bound(trace: Trace, value: Any, dtype: str, *, upper: bool) -> Any:
    """A bound of ``np.clip`` on integers of a dtype; None where it bounds nothing.

    An argument that bounds nothing becomes the end of the dtype; one at the wrong end
    stays, and is an error.
    """
    if type(value) is int:
        ends = np.iinfo(DTYPES[dtype].name)
        return None if (value >= ends.max if upper else value <= ends.min) else value
    if not (_is_argument(value) and _is_narrow(dtype)):
        return value
    b, (low, high) = trace.builder, _limits(dtype)
    nearer, end = (b.minimum, high) if upper else (b.maximum, low)
    return trace.wrap(nearer(trace.node(value), b.const(end, "i64")), weak=True)
