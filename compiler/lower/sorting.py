"""Sorting: the positions that sort rows, and gathers by them.

A row goes along the last axis: other axes are moved there and back. NaN comes last.
Positions are those of a stable sort, whatever kind is asked for, so they do not depend
on the backend. A partition is a whole sort.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ...ir.errors import ShapeError
from ...ir.graph import Node
from ...ir.ops.sorting import flat_places
from ..tracing.lowerings import lowers
from ..tracing.trace import Trace
from .ufuncs import reject

__all__ = ["as_row", "gathered", "sorted_rows"]


def gathered(trace: Trace, rows: Node, places: Node) -> Node:
    """Entries of each row, at places that are known to be inside of it."""
    b, length = trace.builder, rows.type.shape[-1]
    flat = b.reshape(rows, (rows.type.size,))
    return b.take(flat, flat_places(b, places, length), axis=0)


def as_row(trace: Trace, a: Any, axis: Any) -> tuple[Any, int]:
    """``a`` with an axis moved to the end, and that axis; flat where it is None."""
    a = trace.array(a)
    if axis is None or a.ndim == 0:
        if axis is not None:
            normalize_axis_index(axis, 0)
        return np.reshape(a, -1), 0
    along = normalize_axis_index(axis, a.ndim)
    return np.moveaxis(a, along, -1), along


def sorted_rows(trace: Trace, rows: Any) -> Any:
    """Each row in order."""
    node = trace.node(rows)
    if node.type.is_complex:
        return _stably_sorted_rows(trace, rows)
    return trace.wrap(trace.builder.sort(node))


def _places(trace: Trace, rows: Any) -> Node:
    """The positions that sort, by the real part and then by the imaginary one.

    Numbers of which a part is NaN come last: first those with a real part, then those
    with an imaginary one, as NumPy has it.
    """
    node = trace.node(rows)
    if not node.type.is_complex:
        return trace.builder.argsort(node)
    missing = 2 * np.isnan(rows.real).astype(np.int64) + np.isnan(rows.imag)
    return trace.node(np.lexsort((rows.imag, rows.real, missing)))


@lowers(np.sort_complex)
def _sort_complex(trace: Trace, a: Any) -> Any:
    a = np.sort(trace.array(a))
    if a.dtype.kind == "c":
        return a
    small = a.dtype.itemsize < 4 and a.dtype.kind in "iu"
    return a.astype(np.complex64 if small else np.complex128)


def _along(trace: Trace, a: Any, axis: Any, order: Callable[[Trace, Any], Any]) -> Any:
    """What ``order`` makes of rows along an axis."""
    rows, along = as_row(trace, a, axis)
    return np.moveaxis(order(trace, rows), -1, along)


def _argsorted_rows(trace: Trace, rows: Any) -> Any:
    return trace.wrap(_places(trace, rows))


def _stably_sorted_rows(trace: Trace, rows: Any) -> Any:
    """Zeros of both signs, which are equal, stay in order."""
    return trace.wrap(gathered(trace, trace.node(rows), _places(trace, rows)))


@lowers(np.sort)
def _sort(
    trace: Trace,
    a: Any,
    axis: Any = -1,
    kind: Any = None,
    order: Any = None,
    stable: Any = None,
) -> Any:
    reject({"order": order})
    keeps = stable or kind in ("stable", "mergesort")
    return _along(trace, a, axis, _stably_sorted_rows if keeps else sorted_rows)


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
    return _along(trace, a, axis, _argsorted_rows)


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
    return _along(trace, a, axis, sorted_rows)


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
    return _along(trace, a, axis, _argsorted_rows)


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
