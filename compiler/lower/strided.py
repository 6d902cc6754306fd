"""`as_strided`: elements of an array at places that known strides count."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ...ir.errors import BoundsError, ShapeError, UnsupportedError
from ..tracing.lowerings import lowers
from ..tracing.running import find_trace
from ..tracing.trace import Trace
from .shapes import as_ints

__all__: list[str] = []


@lowers(as_strided, view=True)
def _as_strided(
    trace: Trace,
    x: Any,
    shape: Any = None,
    strides: Any = None,
    subok: bool = False,
    writeable: bool | None = None,
) -> Any:
    """A gather of elements that are inside of the array; nobody may write into it."""
    x = trace.array(x)
    if find_trace((shape, strides)) is not None:
        raise UnsupportedError(
            "as_strided with a traced shape or traced strides is not supported",
            hint="index with an array of places: x[i + np.arange(n)]",
        )
    own, item = x.strides, x.dtype.itemsize  # refused where the layout is not known
    sizes = x.shape if shape is None else as_ints(shape)
    steps = own if strides is None else as_ints(strides)
    if len(sizes) != len(steps):
        raise ShapeError(f"as_strided: {len(steps)} strides for the shape {sizes}")
    if any(step % item for step in steps):
        raise UnsupportedError(
            f"as_strided: strides {steps} are no multiples of {item} bytes, the size "
            f"of an element of {x.dtype}"
        )
    places = np.zeros(sizes, np.int64)
    for axis, (size, step) in enumerate(zip(sizes, steps, strict=True)):
        along = np.arange(size) * (step // item)
        places += np.reshape(along, [-1 if k == axis else 1 for k in range(len(sizes))])
    if places.size and not 0 <= places.min() <= places.max() < x.size:
        raise BoundsError(
            f"as_strided reads places {places.min()} to {places.max()} of an array of "
            f"{x.size} elements"
        )
    made: Any = trace.apply(np.take, (np.reshape(x, -1), places), {})
    made.path = made.path._replace(frozen=True)
    return made
