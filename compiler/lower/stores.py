"""``x[...] = v``: what is written to the memory that an array shows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...ir.errors import ShapeError, TraceError
from ...ir.graph import Node
from ..tracing.lowerings import lowers
from ..tracing.ragged import Ragged
from ..tracing.running import is_traced
from ..tracing.trace import Trace
from ..tracing.tracer import GETITEM, SETITEM
from .indexing import ragged_at
from .indices import (
    check_index,
    extent_of,
    is_array,
    is_mask,
    moves_of,
    one_per_axis,
    parts_of,
    positions,
    with_windows,
    wrapped,
)
from .integers import fitted
from .selected.selected import Selected, holds


@lowers(SETITEM)
def _setitem(trace: Trace, x: Any, index: Any, value: Any) -> None:
    """Write ``value`` to the memory that ``x`` shows, at ``index``."""
    x.owner.check_write()
    items = parts_of(trace, index)
    value = value if isinstance(value, Ragged) else trace.array(value)
    if any(is_traced(item) and is_mask(item) for item in items):
        target, mask = _under_mask(trace, x, items)
        target.write(_write_under_mask(trace, target, mask, value))
        return
    check_index(x.shape, items)
    if any(is_traced(item) and item.ndim for item in items):
        x.write(written_at(trace, x, items, value))
        return
    plain: list[Any] = []
    if not any(is_mask(item) and item.ndim == 0 for item in items):
        plain = one_per_axis(items, x.ndim)
        if (found := ragged_at(trace, x, plain)) is not None:
            from .ragged.views import store_ragged

            store_ragged(trace, found, value)
            return
        if isinstance(value, Ragged):
            value.refuse()
        plain = with_windows(trace, x.shape, plain)
        if not any(is_array(item) and item.ndim for item in plain):
            _write_extent(trace, x, plain, value)
            return
        if any(is_traced(item) for item in plain):
            x.write(written_at(trace, x, items, value))
            return
    source = fitted(trace, value, x.type.dtype)
    rows = [axis for axis, item in enumerate(plain) if is_array(item)]
    if len(rows) == 1 and all(is_array(item) or item == slice(None) for item in plain):
        (axis,) = rows
        where = wrapped(plain[axis], x.shape[axis])
        made = _put(trace, trace.node(x), source, where, axis)
    else:
        where, flat = positions(x.shape, items), (x.size,)
        flat_x = trace.builder.reshape(trace.node(x), flat)
        made = _put(trace, flat_x, source, where, 0)
        made = trace.builder.reshape(made, x.shape)
    x.write(trace.wrap(made))


def _under_mask(trace: Trace, x: Any, items: list[Any]) -> tuple[Any, Any]:
    """The view of ``x`` whose leading axes a mask chooses from, and the mask.

    Other axes are indexed first, and those in front of the mask moved behind it.
    """
    place = next(k for k, item in enumerate(items) if is_mask(item))
    mask, others = items[place], items[:place] + items[place + 1 :]
    if mask.ndim == 0 or any(is_array(item) or item is Ellipsis for item in others):
        raise TraceError(
            "a store under a traced mask takes slices and numbers beside the mask",
            hint="choose from arrays of one shape: x[...] = np.where(mask, value, x)",
        )
    check_index(x.shape, items)
    whole = (slice(None),) * mask.ndim
    if others:
        x = trace.apply(GETITEM, (x, (*items[:place], *whole, *items[place + 1 :])), {})
    lead = sum(isinstance(item, slice) for item in items[:place])
    front = [*range(lead, lead + mask.ndim)]
    return (np.moveaxis(x, front, range(mask.ndim)) if lead else x), mask


def _write_under_mask(trace: Trace, x: Any, mask: Any, value: Any) -> Any:
    """``x`` after a store at what a mask over the leading axes chooses.

    The value is one for all, or one for each, in order.
    """
    if isinstance(value, Selected):
        return value.stored(x, mask)
    rest = x.shape[mask.ndim :]
    if np.ndim(value) > len(rest):
        value = _one_for_each(trace, mask, value, rest)
    mask = np.reshape(mask, (*mask.shape, *(1,) * len(rest)))
    return np.where(mask, trace.wrap(fitted(trace, value, x.type.dtype)), x)


def _one_for_each(trace: Trace, mask: Any, value: Any, rest: tuple[int, ...]) -> Any:
    """Values of a sequence at the places of a mask, as an array of its shape."""
    count = np.shape(value)[0]
    if np.ndim(value) > len(rest) + 1 or count == 0:
        raise ShapeError(f"cannot store {np.shape(value)} at what a mask chooses")
    number = np.cumsum(np.reshape(mask, -1)) - 1
    message = (
        f"NumPy boolean array indexing assignment cannot assign {count} input values "
        "where the mask has another number of places"
    )
    fits = count == 1 or holds(trace, number[-1] + 1 == count, "value", message)
    number = np.where(fits, np.clip(number, 0, count - 1), 0)
    value = value if is_traced(value) else trace.wrap(trace.node(value))
    chosen = np.take(value, number, axis=0)
    return np.reshape(chosen, (*mask.shape, *np.shape(value)[1:]))


def written_at(trace: Trace, x: Any, items: list[Any], value: Any) -> Any:
    """``x`` after a store at traced places; the last store to a place stays.

    Rows that are stored whole are chosen by their number, all else by elements.
    """
    rows = len(items) == 1 and is_array(items[0])
    sizes = x.shape[:1] if rows else x.shape
    places: Any = np.arange(math.prod(sizes)).reshape(sizes)
    places = trace.apply(GETITEM, (places, tuple(items)), {})
    rest = x.shape[1:] if rows else ()
    stored = fitted(trace, value, x.type.dtype)
    source = trace.wrap(_fitted(trace, stored, (*places.shape, *rest)))
    if source.size == 0:
        return x
    last = _last_stores(trace, np.reshape(places, -1), math.prod(sizes))
    number = np.maximum(last - 1, 0)
    chosen = np.take(np.reshape(source, (-1, *rest)), number, axis=0)
    stored = np.reshape(last > 0, (*sizes, *(1,) * len(rest)))
    return np.where(stored, np.reshape(chosen, x.shape), x)


def _last_stores(trace: Trace, places: Any, size: int) -> Any:
    """For each of ``size`` places the last of the stores there, from 1 on, or 0."""
    from ..loop import scan  # which imports this package

    def step(last: Any, store: Any) -> Any:
        place, number = store
        last = np.copy(last)
        last[place] = number
        return last, None

    numbers = np.arange(1, places.shape[0] + 1)
    start = trace.wrap(trace.node(np.zeros(size, np.int64)))
    return scan(step, start, (places, numbers))[0]


def _fitted(trace: Trace, source: Node, shape: tuple[int, ...]) -> Node:
    """``source`` broadcast to the shape of what it is written to."""
    b = trace.builder
    extra = max(source.type.rank - len(shape), 0)
    dims = source.type.shape
    pairs = zip(dims[::-1], shape[::-1], strict=False)
    if any(dim != 1 for dim in dims[:extra]) or any(d not in (1, n) for d, n in pairs):
        raise ShapeError(f"cannot broadcast {source.type} into the shape {shape}")
    return b.broadcast(b.reshape(source, dims[extra:]), source.type.with_shape(shape))


def _write_extent(trace: Trace, x: Any, plain: list[Any], value: Any) -> None:
    """A store through the path to ``x[index]``.

    After the write of ``x[i] += v`` the view that it made is stored where it lies.
    """
    extent, shape = extent_of(x.shape, plain)
    path = x.path.sliced(extent, moves_of(trace, x, plain)).reshaped(shape)
    if is_traced(value) and value.memory is x.memory and value.path == path:
        return
    if is_traced(value) and value.memory.is_copy_of(x.memory, path):
        x.memory.settle(value.memory)
    source = fitted(trace, value, x.type.dtype)
    x.store(path, trace.wrap(_fitted(trace, source, shape)))


def _put(trace: Trace, x: Node, source: Node, where: Any, axis: int) -> Node:
    """Rows written at positions along an axis; the last of several writes stays."""
    b = trace.builder
    sizes = x.type.shape
    after = sizes[axis + 1 :]
    source = _fitted(trace, source, (*sizes[:axis], *where.shape, *after))
    flat = where.reshape(-1)
    rows = b.reshape(source, (*sizes[:axis], flat.size, *after))
    if flat.size == 0:
        return x
    last = flat.size - 1 - np.unique(flat[::-1], return_index=True)[1]
    if last.size < flat.size:
        rows, flat = b.take(rows, trace.constant(last), axis=axis), flat[last]
    return b.put(x, rows, trace.constant(flat), axis=axis)
