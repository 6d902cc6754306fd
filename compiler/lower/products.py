"""Products of vectors, matrices and stacks; `einsum` is written with them."""

from __future__ import annotations

import math
import string
from collections import Counter
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from ...ir.errors import DTypeError, ShapeError
from ...ir.graph import Node
from ...ir.types import dtype_name
from ..trace import Trace, lowers
from .ufuncs import reject, resolve


def _operands(trace: Trace, *values: Any) -> tuple[list[Any], str]:
    """The operands as arrays, and the dtype that NumPy multiplies them in."""
    arrays = [trace.array(value) for value in values]
    dtype = resolve(np.multiply, *arrays)[-1] if len(arrays) > 1 else None
    return arrays, dtype or dtype_name(arrays[0].dtype)


@lowers(np.matmul)
def _matmul(
    trace: Trace, x: Any, y: Any, operator: bool = False, **rest: Any
) -> Any:
    reject(rest)
    arrays, dtype = _operands(trace, x, y)
    a, b = (trace.node(array, dtype) for array in arrays)
    if a.type.rank == 0 or b.type.rank == 0:
        raise ShapeError("matmul: operands need at least one dimension")
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
    lead, rows = x.type.sizes[:-2], x.type.sizes[-2]
    if y.type.rank == 2 and x.type.rank > 2:
        flat = b.reshape(x, (math.prod(lead) * rows, x.type.sizes[-1]))
        return b.reshape(b.matmul(flat, y), (*lead, rows, y.type.sizes[-1]))
    stack = np.broadcast_shapes(lead, y.type.sizes[:-2])
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


@lowers(np.inner)
def _inner(trace: Trace, a: Any, b: Any) -> Any:
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return np.multiply(a, b)
    return np.tensordot(a, b, axes=((-1,), (-1,)))


@lowers(np.vdot)
def _vdot(trace: Trace, a: Any, b: Any) -> Any:
    return np.matmul(np.reshape(a, -1), np.reshape(b, -1))


@lowers(np.outer)
def _outer(trace: Trace, a: Any, b: Any) -> Any:
    a, b = trace.array(a), trace.array(b)
    return np.multiply(np.reshape(a, (-1, 1)), np.reshape(b, (1, -1)))


@lowers(np.tensordot)
def _tensordot(trace: Trace, a: Any, b: Any, axes: Any = 2) -> Any:
    a, b = trace.array(a), trace.array(b)
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
def _trace(trace: Trace, a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    return np.sum(np.diagonal(a, offset, axis1, axis2), axis=-1)


@lowers(np.diagonal)
def _diagonal(
    trace: Trace, a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1
) -> Any:
    moved = np.moveaxis(a, (axis1, axis2), (-2, -1))
    rows, columns = moved.shape[-2:]
    flat = np.reshape(moved, (*moved.shape[:-2], rows * columns))
    where = np.diagonal(np.arange(rows * columns).reshape(rows, columns), offset)
    return np.take(flat, np.ascontiguousarray(where), axis=-1)


@lowers(np.einsum)
def _einsum(trace: Trace, *operands: Any, **rest: Any) -> Any:
    rest.pop("optimize", None)
    reject(rest)
    if not isinstance(operands[0], str):
        raise DTypeError("einsum: write the subscripts as a string first")
    arrays, _ = _operands(trace, *operands[1:])
    inputs, output = _subscripts(operands[0], arrays)
    terms = [
        _diagonals(labels, array)
        for labels, array in zip(inputs, arrays, strict=True)
    ]
    _check_sizes(terms)
    labels, result = terms[0]
    for position, (other, array) in enumerate(terms[1:], 2):
        later = set(output).union(*(labels for labels, _ in terms[position:]))
        labels, result = _contract(labels, result, other, array, later)
    gone = tuple(i for i, label in enumerate(labels) if label not in output)
    if gone:
        result = np.sum(result, axis=gone, dtype=result.dtype)
        labels = "".join(label for label in labels if label in output)
    return np.transpose(result, [labels.index(label) for label in output])


def _subscripts(text: str, arrays: list[Any]) -> tuple[list[str], str]:
    """The labels of each operand and of the output; an ellipsis gets labels too."""
    text = text.replace(" ", "")
    left, arrow, output = text.partition("->")
    inputs = left.split(",")
    if len(inputs) != len(arrays):
        raise ShapeError(f"einsum: {text} needs {len(inputs)} operands")
    free = [c for c in string.ascii_letters if c not in text]
    counts = [
        array.ndim - len(labels.replace("...", ""))
        for labels, array in zip(inputs, arrays, strict=True)
    ]
    dots = "".join(free[: max(0, *counts)])
    full = [
        labels.replace("...", dots[len(dots) - count :])
        for labels, count in zip(inputs, counts, strict=True)
    ]
    for labels, array in zip(full, arrays, strict=True):
        if len(labels) != array.ndim or not set(labels) <= set(string.ascii_letters):
            raise ShapeError(f"einsum: {labels!r} does not fit the shape {array.shape}")
    if not arrow:
        once = Counter("".join(full))
        kept = sorted(c for c in once if once[c] == 1 and c not in dots)
        return full, dots + "".join(kept)
    output = output.replace("...", dots)
    if len(set(output)) != len(output) or not set(output) <= set("".join(full)):
        raise ShapeError(f"einsum: the output {output!r} does not follow from {left!r}")
    return full, output


def _diagonals(labels: str, array: Any) -> tuple[str, Any]:
    """A label that an operand has twice means its diagonal."""
    while len(set(labels)) != len(labels):
        twice = next(c for c in labels if labels.count(c) > 1)
        first = labels.index(twice)
        second = labels.index(twice, first + 1)
        if array.shape[first] != array.shape[second]:
            raise ShapeError(f"einsum: {twice!r} has two sizes in {array.shape}")
        array = np.diagonal(array, 0, first, second)
        rest = [c for i, c in enumerate(labels) if i not in (first, second)]
        labels = "".join(rest) + twice
    return labels, array


def _check_sizes(terms: list[tuple[str, Any]]) -> None:
    sizes: dict[str, int] = {}
    for labels, array in terms:
        for label, size in zip(labels, array.shape, strict=True):
            known = sizes.setdefault(label, size)
            if known != size and 1 not in (known, size):
                raise ShapeError(f"einsum: {label!r} has the sizes {known} and {size}")
            sizes[label] = max(known, size) if 0 not in (known, size) else 0


def _contract(
    labels: str, x: Any, other: str, y: Any, later: set[str]
) -> tuple[str, Any]:
    """Multiply two terms and sum over what nothing needs later: a stack of products."""
    x, labels = _sum_out(x, labels, set(other) | later)
    y, other = _sum_out(y, other, set(labels) | later)
    shared = [c for c in labels if c in other]
    stretched = [
        c for c in shared if x.shape[labels.index(c)] != y.shape[other.index(c)]
    ]
    batch = [c for c in shared if c in later or c in stretched]
    inner = [c for c in shared if c not in batch]
    rows = [c for c in labels if c not in shared]
    columns = [c for c in other if c not in shared]
    size = {
        c: max(array.shape[i], 1) if c in stretched else array.shape[i]
        for text, array in ((labels, x), (other, y))
        for i, c in enumerate(text)
        if c not in stretched or array.shape[i] != 1
    }

    def matrices(array: Any, text: str, left: list[str], right: list[str]) -> Any:
        moved = np.transpose(array, [text.index(c) for c in (*batch, *left, *right)])
        lead = moved.shape[: len(batch)]
        wide = math.prod(moved.shape[len(batch) : len(batch) + len(left)])
        return np.reshape(
            moved, (*lead, wide, math.prod(moved.shape[len(batch) + len(left) :]))
        )

    product = np.matmul(
        matrices(x, labels, rows, inner), matrices(y, other, inner, columns)
    )
    made = "".join((*batch, *rows, *columns))
    return made, np.reshape(product, [size.get(c, 1) for c in made])


def _sum_out(array: Any, labels: str, needed: set[str]) -> tuple[Any, str]:
    gone = tuple(i for i, label in enumerate(labels) if label not in needed)
    if not gone:
        return array, labels
    kept = "".join(label for label in labels if label in needed)
    return np.sum(array, axis=gone, dtype=array.dtype), kept
