"""Functions that write into an array: all of it is made anew, and written at once."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...ir.errors import TraceError
from ..tracing.lowerings import lowers
from ..tracing.running import as_array, dtype_of, is_traced
from ..tracing.trace import Trace
from ..tracing.tracer import SETITEM

__all__: list[str] = []


def _target(x: Any, function: str) -> Any:
    if not is_traced(x):
        raise TraceError(f"{function} would write a traced value into a real array")
    return x


@lowers(np.copyto)
def _copyto(
    trace: Trace, dst: Any, src: Any, casting: str = "same_kind", where: Any = True
) -> None:
    dst, src = _target(dst, "np.copyto"), trace.array(src)
    kind = dtype_of(src)
    weak = src.weak if is_traced(src) else type(src) in (int, float)
    # The user's text is any; NumPy raises for what is no rule.
    if not weak and not np.can_cast(kind, dst.dtype, casting):  # type: ignore[arg-type]
        raise TypeError(
            f"Cannot cast array data from {kind} to {dst.dtype} according to the rule "
            f"{casting!r}"
        )
    value = np.broadcast_to(src, dst.shape).astype(dst.dtype)
    dst.write(value if where is True else np.where(where, value, dst))


@lowers(np.putmask)
def _putmask(trace: Trace, a: Any, mask: Any, values: Any) -> None:
    """``a`` has value number k modulo their count where the mask is true at k."""
    a, mask = _target(a, "np.putmask"), trace.array(mask)
    made = np.resize(trace.array(values), a.shape)
    a.write(np.where(np.reshape(mask, a.shape), made.astype(a.dtype), a))


@lowers(np.place)
def _place(trace: Trace, arr: Any, mask: Any, vals: Any) -> None:
    """The values one after the other, from the first again when there are no more."""
    arr, mask = _target(arr, "np.place"), trace.array(mask)
    flat = np.reshape(np.not_equal(mask, 0), -1)
    values = np.reshape(trace.array(vals), -1)
    if values.shape[0] == 0:
        raise ValueError("Cannot insert from an empty array!")
    number = np.remainder(np.cumsum(flat) - 1, values.shape[0])
    chosen = trace.apply(np.take, (values, number), {})
    chosen = np.reshape(chosen, arr.shape)
    arr.write(np.where(np.reshape(flat, arr.shape), chosen.astype(arr.dtype), arr))


@lowers(np.put)
def _put(trace: Trace, a: Any, ind: Any, v: Any, mode: str = "raise") -> None:
    a = _target(a, "np.put")
    ind = trace.array(ind)
    places = np.reshape(as_array(ind), -1)
    if mode == "clip":
        places = np.clip(places, 0, a.size - 1)
    elif mode == "wrap":
        places = places % a.size
    values = np.resize(np.reshape(trace.array(v), -1), places.shape)
    flat = trace.wrap(trace.node(np.reshape(a, -1)))
    trace.apply(SETITEM, (flat, places, values.astype(a.dtype)), {})
    a.write(np.reshape(flat, a.shape))


@lowers(np.put_along_axis)
def _put_along(trace: Trace, arr: Any, indices: Any, values: Any, axis: Any) -> None:
    arr = _target(arr, "np.put_along_axis")
    if axis is None:
        np.put(arr, np.reshape(indices, -1), values)
        return
    where: list[Any] = list(np.ogrid[tuple(slice(n) for n in np.shape(indices))])
    where[axis] = indices
    trace.apply(SETITEM, (arr, tuple(where), values), {})


@lowers(np.fill_diagonal)
def _fill_diagonal(trace: Trace, a: Any, val: Any, wrap: bool = False) -> None:
    """The values along the diagonal, from the first again when there are no more."""
    a = _target(a, "np.fill_diagonal")
    values = np.reshape(trace.array(val), -1)
    number = np.full(a.shape, -1)
    np.fill_diagonal(number, np.arange(values.shape[0]), wrap)
    chosen = np.take(values, np.maximum(number, 0)).astype(a.dtype)
    a.write(np.where(number >= 0, chosen, a))
