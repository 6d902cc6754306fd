"""``np.add.at`` and ``np.subtract.at``: the transpose of a gather.

``x[index]`` of the positions 0, 1, 2, ... says where in the flat array each element of
the operand is added, whatever the index is; equal positions are added each.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...ir.errors import DTypeError
from ...ir.types import DTYPES
from ..tracing.lowerings import lowers
from ..tracing.running import find_trace
from ..tracing.trace import Trace
from ..tracing.tracer import GETITEM
from .ufuncs import resolve


@lowers((np.add, "at"))
def _add_at(trace: Trace, a: Any, indices: Any, b: Any) -> None:
    a.write(a + _scattered(trace, np.add, a, indices, b))


@lowers((np.subtract, "at"))
def _subtract_at(trace: Trace, a: Any, indices: Any, b: Any) -> None:
    a.write(a - _scattered(trace, np.subtract, a, indices, b))


def _scattered(trace: Trace, ufunc: np.ufunc, x: Any, index: Any, value: Any) -> Any:
    """What is added to each element of ``x``."""
    value = trace.array(value)
    made = DTYPES[resolve(ufunc, x, value)[-1]]
    if x.dtype == bool or not np.can_cast(made, x.dtype, "same_kind"):
        raise DTypeError(
            f"np.{ufunc.__name__}.at into an array of {x.dtype} makes {made}"
        )
    places: Any = np.arange(x.size).reshape(x.shape)
    if find_trace(index) is None:
        places = places[index]
    else:
        places = trace.apply(GETITEM, (places, index), {})
    rows = np.reshape(np.broadcast_to(value, places.shape), -1)
    node = trace.node(rows, x.type.dtype)
    flat = trace.node(np.reshape(places, -1), "i64")
    total = trace.builder.scatter_add(node, flat, axis=0, size=x.size)
    return np.reshape(trace.wrap(total), x.shape)
