"""What is made of factorizations: norms, ranks, pseudo-inverses, powers, products."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from ...ir.builder import Builder
from ...ir.errors import ShapeError, UnsupportedError
from ...ir.graph import Node
from ...ir.ops.linalg import adjoined
from ..tracing.lowerings import lowers
from ..tracing.trace import Trace
from .linalg import lowers_narrowed, matrix, wide
from .orthogonal import eigen, singular
from .reductions import given, root, squares
from .ufuncs import UNSET, reject

__all__ = ["pseudo_inverse"]


# Norms.


@lowers(np.linalg.norm)
def _norm(
    trace: Trace, x: Any, ord: Any = None, axis: Any = None, keepdims: Any = False
) -> Any:
    """Of vectors or of matrices, by how many axes there are."""
    x = trace.array(x)
    if x.dtype.kind not in "fc":
        x = x.astype(np.float64)
    if axis is None and (
        ord is None
        or (ord in ("f", "fro") and x.ndim == 2)
        or (ord == 2 and x.ndim == 1)
    ):
        made = root(trace, np.sum(squares(trace, x)))
        return np.reshape(made, (1,) * x.ndim) if keepdims else made
    axes = normalize_axis_tuple(range(x.ndim) if axis is None else axis, x.ndim)
    if len(axes) == 1:
        return _vector(trace, x, ord, axes, keepdims)
    if len(axes) == 2:
        return _matrix(trace, x, ord, axes, keepdims)
    raise ValueError("Improper number of dimensions to norm.")


def _vector(trace: Trace, x: Any, ord: Any, axes: Any, keepdims: Any) -> Any:
    """``sum(abs(x)**ord)**(1 / ord)`` and its limits."""
    over: Any = {"axis": axes, "keepdims": bool(keepdims)}
    if ord is None or ord == 2:
        return root(trace, np.sum(squares(trace, x), **over))
    if isinstance(ord, str):
        raise ValueError(f"Invalid norm order '{ord}' for vectors")
    if ord == np.inf:
        return _largest(np.abs(x), **over)
    if ord == -np.inf:
        return np.min(np.abs(x), **over)
    size = np.abs(x)
    if ord == 0:
        return np.sum((x != 0).astype(size.dtype), **over)
    if ord == 1:
        return np.sum(size, **over)
    power = size.dtype.type(ord)
    return np.sum(size**power, **over) ** size.dtype.type(1 / ord)


def _largest(x: Any, **over: Any) -> Any:
    """The largest size; of none it is 0."""
    return np.max(x, **over) if x.size else np.max(x, initial=0, **over)


def _of_singular_values(values: Any, ord: Any) -> Any:
    """The sum, the first or the last; of none the first is 0."""
    if ord == "nuc":
        return np.sum(values, axis=-1)
    if not values.shape[-1]:
        return _largest(values, axis=-1) if ord == 2 else np.min(values, axis=-1)
    return values[..., 0 if ord == 2 else -1]


def _matrix(trace: Trace, x: Any, ord: Any, axes: Any, keepdims: Any) -> Any:
    """Norms by entries, by sums of rows and columns, and by singular values."""
    over: Any = {"axis": axes, "keepdims": bool(keepdims)}
    if ord in (None, "fro", "f"):
        return root(trace, np.sum(squares(trace, x), **over))
    moved = np.moveaxis(x, axes, (-2, -1))
    if ord in (1, -1, np.inf, -np.inf):
        sums = np.sum(np.abs(moved), axis=-2 if abs(ord) == 1 else -1)
        made = _largest(sums, axis=-1) if ord > 0 else np.min(sums, axis=-1)
    elif ord in (2, -2, "nuc"):
        values = np.linalg.svd(moved, compute_uv=False)
        made = _of_singular_values(values, ord)
    else:
        raise ValueError("Invalid norm order for matrices.")
    return np.expand_dims(made, axes) if keepdims else made


@lowers(np.linalg.vector_norm)
def _vector_norm(
    trace: Trace, x: Any, /, *, axis: Any = None, keepdims: Any = False, ord: Any = 2
) -> Any:
    x = trace.array(x)
    shape = x.shape
    if axis is None:
        flat, axes = np.reshape(x, -1), (0,)
    else:
        axes = normalize_axis_tuple(axis, x.ndim)
        rest = [k for k in range(x.ndim) if k not in axes]
        flat = np.transpose(x, (*axes, *rest))
        count = math.prod(shape[k] for k in axes)
        flat = np.reshape(flat, (count, *(shape[k] for k in rest)))
    made = np.linalg.norm(flat, ord=ord, axis=0)
    if not keepdims:
        return made
    gone = range(len(shape)) if axis is None else axes
    return np.reshape(made, [1 if k in gone else n for k, n in enumerate(shape)])


@lowers(np.linalg.matrix_norm)
def _matrix_norm(
    trace: Trace, x: Any, /, *, keepdims: Any = False, ord: Any = "fro"
) -> Any:
    return np.linalg.norm(x, ord=ord, axis=(-2, -1), keepdims=keepdims)


@lowers(np.linalg.cond)
def _cond(trace: Trace, x: Any, p: Any = None) -> Any:
    """The largest singular value by the smallest, or a norm times the inverse's."""
    x = trace.array(x)
    if 0 in x.shape[-2:]:
        raise np.linalg.LinAlgError("cond is not defined on empty arrays")
    if p is None or p in (2, -2):
        values = np.linalg.svd(x, compute_uv=False)
        large, small = values[..., 0], values[..., -1]
        return small / large if p == -2 else large / small
    over: Any = {"ord": p, "axis": (-2, -1)}
    return np.linalg.norm(x, **over) * np.linalg.norm(np.linalg.inv(x), **over)


@lowers(np.linalg.matrix_rank)
def _rank(
    trace: Trace, A: Any, tol: Any = None, hermitian: Any = False, *, rtol: Any = None
) -> Any:
    """How many singular values are above ``tol``, or ``rtol`` times the largest."""
    a = trace.array(A)
    if a.ndim < 2:
        return np.any(np.not_equal(a, 0)).astype(np.int64)
    if hermitian:
        values = np.abs(np.linalg.eigvalsh(a))
    else:
        values = np.linalg.svd(a, compute_uv=False)
    if tol is None:
        if rtol is None:
            rtol = max(a.shape[-2:]) * np.finfo(values.dtype).eps
        largest = _largest(values, axis=-1, keepdims=True)
        tol = largest * np.expand_dims(trace.array(rtol), -1)
    else:
        tol = np.expand_dims(trace.array(tol), -1)
    return np.sum((values > tol).astype(np.int64), axis=-1)


# Pseudo-inverses.


def pseudo_inverse(b: Builder, a: Node, rcond: float, symmetric: bool) -> Node:
    """``v diag(1 / s) uᴴ`` of the singular values above ``rcond`` times the largest.

    With the derivative of a pseudo-inverse whose rank stays, see ``pinv``.
    """
    *lead, rows, columns = a.type.shape
    if a.type.size == 0:
        return b.full(a.type.with_shape((*lead, columns, rows)), 0.0)
    if symmetric:
        s, right = eigen(b, a)
        left, size = right, b.abs(s)
    else:
        left, s, vt = singular(b, a)
        right, size = adjoined(b, vt), s
    last = len(lead)
    top = b.reshape(b.reduce_max(size, axes=(last,)), (*lead, 1))
    limit = b.broadcast(b.mul(top, b.like(top, rcond)), s.type)
    is_kept = b.gt(size, limit)
    inverse = b.select(is_kept, b.div(b.like(s, 1.0), s), b.like(s, 0.0))
    row = b.reshape(b.cast(inverse, right.type.dtype), (*lead, 1, s.type.shape[-1]))
    scale = b.broadcast(row, right.type)
    return b.pinv(a, b.matmul(b.mul(right, scale), adjoined(b, left)))


@lowers_narrowed(np.linalg.pinv)
def _pinv(
    trace: Trace,
    a: Any,
    rcond: Any = None,
    hermitian: bool = False,
    *,
    rtol: Any = UNSET,
) -> Any:
    narrow = trace.array(a).dtype in ("f4", "c8")
    node = matrix(trace, a, "pinv", square=False)
    if given(rtol) is not None:
        rcond = rtol
    elif rcond is None and rtol is UNSET:
        rcond = 1e-15
    elif rcond is None:
        eps = np.finfo(np.float32 if narrow else np.float64).eps
        rcond = max(node.type.shape[-2:]) * eps
    number = _number(rcond, "pinv")
    return trace.wrap(pseudo_inverse(trace.builder, node, number, hermitian))


def _number(rcond: Any, what: str) -> float:
    try:
        return float(rcond)
    except TypeError:
        raise UnsupportedError(f"{what}: rcond is one number of the program") from None


@lowers_narrowed(np.linalg.lstsq, arrays=2)
def _lstsq(trace: Trace, a: Any, b: Any, rcond: Any = None) -> Any:
    """The solution of least norm; residuals as of a matrix of full rank.

    NumPy leaves them out where the rank is less, which only running tells.
    """
    narrow = trace.array(a).dtype in ("f4", "c8")
    node = matrix(trace, a, "lstsq", square=False)
    if node.type.rank != 2:
        raise np.linalg.LinAlgError("lstsq: takes one matrix, no stack")
    rows, columns = node.type.shape
    right = trace.wrap(wide(trace, trace.array(b)))
    if right.shape[0] != rows:
        raise np.linalg.LinAlgError("Incompatible dimensions")
    if rcond is None:
        kind = np.float32 if narrow else np.float64
        rcond = np.finfo(kind).eps * max(rows, columns)
    elif rcond == -1:
        rcond = np.finfo(np.float64).eps
    number = _number(rcond, "lstsq")
    build = trace.builder
    x = trace.wrap(pseudo_inverse(build, node, number, False)) @ right
    wrapped = trace.wrap(node)
    residuals = np.sum(squares(trace, wrapped @ x - right), axis=0)
    kept = np.reshape(residuals, -1) if rows > columns else np.zeros(0)
    values = np.linalg.svd(wrapped, compute_uv=False)
    above = values > np.max(values, initial=0.0) * number
    return x, kept, np.sum(above.astype(np.int64)).astype(np.int32), values


# Products.


@lowers(np.linalg.matrix_power)
def _power(trace: Trace, a: Any, n: Any) -> Any:
    """By squaring; negative powers are those of the inverse."""
    a, n = trace.array(a), operator.index(n)
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise np.linalg.LinAlgError(
            f"matrix_power: Last 2 dimensions of the array must be square, "
            f"not {tuple(a.shape)}"
        )
    if n == 0:
        return np.zeros_like(a) + np.eye(a.shape[-1], dtype=a.dtype)
    if n < 0:
        a, n = np.linalg.inv(a), -n
    if n == 3:
        return (a @ a) @ a
    made: Any = None
    square = a
    while True:
        if n & 1:
            made = square if made is None else made @ square
        n >>= 1
        if not n:
            return np.copy(made) if made is a else made
        square = square @ square


@lowers(np.linalg.multi_dot)
def _multi_dot(trace: Trace, arrays: Any, **rest: Any) -> Any:
    """A product of matrices, in the order of the fewest multiplications."""
    reject(rest)
    factors = [trace.array(array) for array in arrays]
    if len(factors) < 2:
        raise ValueError("Expecting at least two arrays.")
    row, column = factors[0].ndim == 1, factors[-1].ndim == 1
    if row:
        factors[0] = np.reshape(factors[0], (1, -1))
    if column:
        factors[-1] = np.reshape(factors[-1], (-1, 1))
    if any(np.ndim(factor) != 2 for factor in factors):
        raise np.linalg.LinAlgError("multi_dot: takes matrices, vectors at the ends")
    made = _chained(factors)
    shape = made.shape[1 if row else 0 : 1 if column else 2]
    return np.reshape(made, shape)


def _chained(factors: list[Any]) -> Any:
    sizes = [factors[0].shape[0], *(factor.shape[1] for factor in factors)]
    best: dict[tuple[int, int], tuple[int, int]] = {}
    count = len(factors)
    for length in range(count):
        for i in range(count - length):
            j = i + length
            cuts = [
                (
                    best[i, k][0]
                    + best[k + 1, j][0]
                    + sizes[i] * sizes[k + 1] * sizes[j + 1],
                    k,
                )
                for k in range(i, j)
            ]
            best[i, j] = min(cuts, default=(0, i))

    def product(i: int, j: int) -> Any:
        if i == j:
            return factors[i]
        cut = best[i, j][1]
        return product(i, cut) @ product(cut + 1, j)

    return product(0, count - 1)


@lowers(np.cross)
def _cross(
    trace: Trace,
    a: Any,
    b: Any,
    axisa: int = -1,
    axisb: int = -1,
    axisc: int = -1,
    axis: Any = None,
) -> Any:
    """The vector at right angles to two; of vectors of two numbers its length."""
    if axis is not None:
        axisa, axisb, axisc = (axis,) * 3
    x = np.moveaxis(trace.array(a), axisa, -1)
    y = np.moveaxis(trace.array(b), axisb, -1)
    if x.shape[-1] not in (2, 3) or y.shape[-1] not in (2, 3):
        raise ShapeError("cross: incompatible dimensions for cross product")
    flat = x.shape[-1] == y.shape[-1] == 2
    x, y = (
        [v[..., k] if k < v.shape[-1] else np.zeros((), v.dtype) for k in range(3)]
        for v in (x, y)
    )

    def part(i: int, j: int) -> Any:
        return x[i] * y[j] - x[j] * y[i]

    if flat:
        return part(0, 1)
    parts = np.broadcast_arrays(part(1, 2), part(2, 0), part(0, 1))
    return np.moveaxis(np.stack(parts, axis=-1), -1, axisc)


@lowers(np.linalg.cross)
def _linalg_cross(trace: Trace, x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    if np.shape(x1)[axis] != 3 or np.shape(x2)[axis] != 3:
        raise ShapeError("cross: both vectors have three numbers")
    return np.cross(x1, x2, axis=axis)


@lowers(np.linalg.diagonal)
def _diagonal(trace: Trace, x: Any, /, *, offset: int = 0) -> Any:
    return np.diagonal(x, offset, axis1=-2, axis2=-1)


@lowers(np.linalg.trace)
def _trace(trace: Trace, x: Any, /, *, offset: int = 0, dtype: Any = None) -> Any:
    return np.sum(np.diagonal(x, offset, axis1=-2, axis2=-1), axis=-1, dtype=dtype)


@lowers(np.linalg.vecdot)
def _vecdot(trace: Trace, x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    return np.vecdot(x1, x2, axis=axis)  # type: ignore[call-overload]  # of its stub


@lowers(np.linalg.matrix_transpose)
def _matrix_transpose(trace: Trace, x: Any, /) -> Any:
    return np.matrix_transpose(x)


@lowers(np.linalg.tensordot)
def _tensordot(trace: Trace, x1: Any, x2: Any, /, *, axes: Any = 2) -> Any:
    return np.tensordot(x1, x2, axes=axes)
