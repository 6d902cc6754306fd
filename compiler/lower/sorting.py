"""Sorting: the positions that sort rows, and gathers by them.

A row goes along the last axis: other axes are moved there and back. Equal values stay
in order and NaN comes last, whatever kind of sort is asked for, so a result does not
depend on the backend. A partition is a whole sort.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ...ir.errors import ShapeError
from ...ir.graph import Node
from ..lowerings import lowers
from ..trace import Trace
from .ufuncs import reject

__all__ = ["as_row", "gathered", "sorted_rows"]


def gathered(trace: Trace, rows: Node, places: Node) -> Node:
    """Entries of each row, at places that are known to be inside of it."""
    b = trace.builder
    *outer, length = rows.type.shape
    if not outer:
        return b.take(rows, places, axis=0)
    ramp = b.iota(shape=tuple(outer), axis=0, dtype="i64")
    first = b.like(ramp, 0)
    stride = length
    for axis in reversed(range(len(outer))):
        ramp = b.iota(shape=tuple(outer), axis=axis, dtype="i64")
        first = b.add(first, b.mul(ramp, b.like(ramp, stride)))
        stride *= outer[axis]
    first = b.broadcast(b.reshape(first, (*outer, 1)), places.type)
    flat = b.reshape(rows, (rows.type.size,))
    return b.take(flat, b.add(places, first), axis=0)


def as_row(trace: Trace, a: Any, axis: Any) -> tuple[Any, int]:
    """``a`` with an axis moved to the end, and that axis; flat where it is None."""
    a = trace.array(a)
    if axis is None or a.ndim == 0:
        if axis is not None:
            normalize_axis_index(axis, 0)
        return np.reshape(a, -1), 0
    along = normalize_axis_index(axis, a.ndim)
    return np.moveaxis(a, along, -1), along


def sorted_rows(trace: Trace, rows: Any) -> tuple[Any, Any]:
    """Each row in order, and the positions where its entries were."""
    node = trace.node(rows)
    if node.type.is_complex:
        places = _by_parts(trace, rows)
    else:
        places = trace.builder.argsort(node)
    return trace.wrap(gathered(trace, node, places)), trace.wrap(places)


def _by_parts(trace: Trace, rows: Any) -> Node:
    """The positions that sort by the real part, then by the imaginary one.

    Numbers of which a part is NaN come last: first those with a real part, then those
    with an imaginary one, as NumPy has it.
    """
    missing = 2 * np.isnan(rows.real).astype(np.int64) + np.isnan(rows.imag)
    return trace.node(np.lexsort((rows.imag, rows.real, missing)))


@lowers(np.sort_complex)
def _sort_complex(trace: Trace, a: Any) -> Any:
    a = np.sort(trace.array(a))
    if a.dtype.kind == "c":
        return a
    small = a.dtype.itemsize < 4 and a.dtype.kind in "iu"
    return a.astype(np.complex64 if small else np.complex128)


def _sort(trace: Trace, a: Any, axis: Any, which: int) -> Any:
    rows, along = as_row(trace, a, axis)
    return np.moveaxis(sorted_rows(trace, rows)[which], -1, along)


@lowers(np.sort)
def _sorted(
    trace: Trace,
    a: Any,
    axis: Any = -1,
    kind: Any = None,
    order: Any = None,
    stable: Any = None,
) -> Any:
    reject({"order": order})
    return _sort(trace, a, axis, 0)


@lowers(np.argsort)
def _argsort(
    trace: Trace,
    a: Any,
    axis: Any = -1,
    kind: Any = None,
    order: Any = None,
    stable: Any = None,
) -> Any:
    reject({"order": order})
    return _sort(trace, a, axis, 1)


def _check_kth(a: Any, kth: Any, axis: Any) -> None:
    """Raise what NumPy raises where no entry has that rank."""
    length = np.size(a) if axis is None else np.shape(a)[axis]
    np.partition(np.broadcast_to(np.int8(0), (length,)), kth)


@lowers(np.partition)
def _partition(
    trace: Trace,
    a: Any,
    kth: Any,
    axis: Any = -1,
    kind: str = "introselect",
    order: Any = None,
) -> Any:
    reject({"order": order})
    _check_kth(a, kth, axis)
    return _sort(trace, a, axis, 0)


@lowers(np.argpartition)
def _argpartition(
    trace: Trace,
    a: Any,
    kth: Any,
    axis: Any = -1,
    kind: str = "introselect",
    order: Any = None,
) -> Any:
    reject({"order": order})
    _check_kth(a, kth, axis)
    return _sort(trace, a, axis, 1)


@lowers(np.lexsort)
def _lexsort(trace: Trace, keys: Any, axis: Any = -1) -> Any:
    """By the last key, ties by the one before it: stable sorts from the first on."""
    rows = [as_row(trace, key, axis) for key in keys]
    if not rows or len({np.shape(row) for row, _ in rows}) > 1:
        raise ShapeError("lexsort: needs keys of one shape, at least one")
    b = trace.builder
    nodes = [trace.node(row) for row, _ in rows]
    places = b.argsort(nodes[0])
    for node in nodes[1:]:
        again = b.argsort(gathered(trace, node, places))
        places = gathered(trace, places, again)
    found: Any = trace.wrap(places)
    return np.moveaxis(found, -1, rows[0][1])
