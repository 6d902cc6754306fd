"""Products of vectors, matrices and stacks."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from ...ir.errors import ShapeError
from ...ir.graph import Node
from ..tracing.lowerings import lowers
from ..tracing.running import as_array
from ..tracing.trace import Trace
from .ufuncs import reject, resolve


@lowers(np.matmul)
def _matmul(trace: Trace, x: Any, y: Any, operator: bool = False, **rest: Any) -> Any:
    reject(rest)
    x, y = trace.array(x), trace.array(y)
    dtype = resolve(np.multiply, x, y)[-1]
    a, b = trace.node(x, dtype), trace.node(y, dtype)
    if a.type.rank == 0 or b.type.rank == 0:
        raise ShapeError(f"matmul: {a.type} and {b.type} need one dimension or more")
    return trace.wrap(matmul_nodes(trace, a, b))


def matmul_nodes(trace: Trace, x: Node, y: Node) -> Node:
    """NumPy's ``x @ y``: vectors get an axis and lose it again, stacks broadcast."""
    b = trace.builder
    row, column = x.type.rank == 1, y.type.rank == 1
    left = b.reshape(x, (1, *x.type.shape)) if row else x
    right = b.reshape(y, (*y.type.shape, 1)) if column else y
    if left.type.shape[-1] != right.type.shape[-2]:
        raise ShapeError(
            f"matmul: inner sizes differ, {left.type.shape[-1]} and "
            f"{right.type.shape[-2]}, of {x.type} and {y.type}"
        )
    product = _stacked(trace, left, right)
    if not (row or column):
        return product
    shape = list(product.type.shape)
    if column:
        del shape[-1]
    if row:
        del shape[-1 if column else -2]
    return b.reshape(product, shape)


def _stacked(trace: Trace, x: Node, y: Node) -> Node:
    """A product whose right side is one matrix is one product of all the rows."""
    b = trace.builder
    lead, rows = x.type.shape[:-2], x.type.shape[-2]
    if y.type.rank == 2 and x.type.rank > 2:
        flat = b.reshape(x, (math.prod(lead) * rows, x.type.shape[-1]))
        return b.reshape(b.matmul(flat, y), (*lead, rows, y.type.shape[-1]))
    if lead == y.type.shape[:-2]:
        return b.matmul(x, y)
    try:
        stack = np.broadcast_shapes(lead, y.type.shape[:-2])
    except ValueError:
        message = f"matmul: the stacks {x.type} and {y.type} do not broadcast"
        raise ShapeError(message) from None
    left = b.broadcast(x, x.type.with_shape((*stack, *x.type.shape[-2:])))
    right = b.broadcast(y, y.type.with_shape((*stack, *y.type.shape[-2:])))
    return b.matmul(left, right)


@lowers(np.dot)
def _dot(trace: Trace, a: Any, b: Any) -> Any:
    a, b = trace.array(a), trace.array(b)
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return np.multiply(a, b)
    if np.ndim(b) <= 2:
        return np.matmul(a, b)
    return np.tensordot(a, b, axes=((-1,), (-2,)))


@lowers(np.matvec)
def _matvec(trace: Trace, x1: Any, x2: Any, **rest: Any) -> Any:
    """Stacks of matrices by stacks of vectors."""
    reject(rest)
    x1, x2 = trace.array(x1), trace.array(x2)
    if np.ndim(x1) < 2 or np.ndim(x2) < 1:
        raise ShapeError(f"matvec: no matrix and vector, {np.shape(x1)} {np.shape(x2)}")
    return np.matmul(x1, np.expand_dims(x2, -1))[..., 0]


@lowers(np.vecmat)
def _vecmat(trace: Trace, x1: Any, x2: Any, **rest: Any) -> Any:
    """Stacks of conjugated vectors by stacks of matrices."""
    reject(rest)
    x1, x2 = trace.array(x1), trace.array(x2)
    if np.ndim(x1) < 1 or np.ndim(x2) < 2:
        raise ShapeError(f"vecmat: no vector and matrix, {np.shape(x1)} {np.shape(x2)}")
    return np.matmul(np.expand_dims(np.conjugate(x1), -2), x2)[..., 0, :]


@lowers(np.inner)
def _inner(trace: Trace, a: Any, b: Any) -> Any:
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return np.multiply(a, b)
    return np.tensordot(a, b, axes=((-1,), (-1,)))


@lowers(np.vdot)
def _vdot(trace: Trace, a: Any, b: Any) -> Any:
    return np.matmul(np.conj(np.reshape(a, -1)), np.reshape(b, -1))


@lowers(np.outer)
def _outer(trace: Trace, a: Any, b: Any) -> Any:
    a, b = trace.array(a), trace.array(b)
    return np.multiply(np.reshape(a, (-1, 1)), np.reshape(b, (1, -1)))


@lowers(np.tensordot)
def _tensordot(trace: Trace, a: Any, b: Any, axes: Any = 2) -> Any:
    a, b = (as_array(trace.array(x)) for x in (a, b))
    if isinstance(axes, int):
        axes = (tuple(range(a.ndim - axes, a.ndim)), tuple(range(axes)))
    ours, theirs = (
        normalize_axis_tuple(axis, array.ndim)
        for axis, array in zip(axes, (a, b), strict=True)
    )
    if [a.shape[i] for i in ours] != [b.shape[i] for i in theirs]:
        raise ShapeError(f"tensordot: axes {axes} of {a.shape} and {b.shape} differ")
    kept_a = [i for i in range(a.ndim) if i not in ours]
    kept_b = [i for i in range(b.ndim) if i not in theirs]
    inner = math.prod(a.shape[i] for i in ours)
    rows = math.prod(a.shape[i] for i in kept_a)
    columns = math.prod(b.shape[i] for i in kept_b)
    left = np.reshape(np.transpose(a, (*kept_a, *ours)), (rows, inner))
    right = np.reshape(np.transpose(b, (*theirs, *kept_b)), (inner, columns))
    shape = [a.shape[i] for i in kept_a] + [b.shape[i] for i in kept_b]
    return np.reshape(np.matmul(left, right), shape)


@lowers(np.trace)
def _trace(
    trace: Trace, a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1
) -> Any:
    return np.sum(np.diagonal(a, offset, axis1, axis2), axis=-1)


@lowers(np.diagonal, view=True)
def _diagonal(
    trace: Trace, a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1
) -> Any:
    moved = np.moveaxis(a, (axis1, axis2), (-2, -1))
    rows, columns = moved.shape[-2:]
    flat = np.reshape(moved, (*moved.shape[:-2], rows * columns))
    where = np.diagonal(np.arange(rows * columns).reshape(rows, columns), offset)
    return np.take(flat, np.ascontiguousarray(where), axis=-1)


@lowers(np.vecdot)
def _vecdot(trace: Trace, x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    if axis != -1:
        x1, x2 = (np.moveaxis(trace.array(x), axis, -1) for x in (x1, x2))
    if np.ndim(x1) == 0 or np.ndim(x2) == 0:
        raise ShapeError("vecdot: operands need at least one dimension")
    if np.shape(x1)[-1] != np.shape(x2)[-1]:
        raise ShapeError(f"vecdot: {np.shape(x1)} and {np.shape(x2)} differ at the end")
    product = np.multiply(np.conj(x1), x2)
    return np.sum(product, axis=-1, dtype=product.dtype)


@lowers(np.kron)
def _kron(trace: Trace, a: Any, b: Any) -> Any:
    a, b = trace.array(a), trace.array(b)
    rank = max(np.ndim(a), np.ndim(b))
    rows, columns = ((1,) * (rank - np.ndim(x)) + np.shape(x) for x in (a, b))
    left = np.reshape(a, [size for row in rows for size in (row, 1)])
    right = np.reshape(b, [size for column in columns for size in (1, column)])
    shape = [row * column for row, column in zip(rows, columns, strict=True)]
    return np.reshape(np.multiply(left, right), shape)


@lowers(np.linalg.matmul)
def _linalg_matmul(trace: Trace, x1: Any, x2: Any, /) -> Any:
    return np.matmul(x1, x2)


@lowers(np.linalg.outer)
def _linalg_outer(trace: Trace, x1: Any, x2: Any, /) -> Any:
    if np.ndim(x1) != 1 or np.ndim(x2) != 1:
        raise ShapeError(f"outer: {np.shape(x1)} and {np.shape(x2)} are not vectors")
    return np.outer(x1, x2)
