"""Linear systems, determinants and Cholesky's factors, of `numpy.linalg`.

Whoever needs a matrix factored asks for the node ``lu(a)``; equal ones are merged, so a
function that solves twice with one matrix and takes its determinant factors it once,
and so does its gradient. All is done in float64 or complex128, as NumPy does it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce, wraps
from typing import Any

import numpy as np

from ...ir.builder import Builder
from ...ir.errors import ShapeError
from ...ir.graph import Node
from ...ir.ops.complex import magnitude
from ...ir.ops.lapack import diagonal, identity
from ...ir.ops.linalg import adjoined
from ..tracing.lowerings import lowers
from ..tracing.trace import Trace
from .complex import with_imaginary

__all__ = [
    "broadcast_stacks",
    "determinant",
    "inverse",
    "lowers_narrowed",
    "matrix",
    "narrowed",
    "solved",
    "symmetric",
    "wide",
]


NARROW_OF: dict[Any, Any] = {
    np.dtype(np.float64): np.dtype(np.float32),
    np.dtype(np.complex128): np.dtype(np.complex64),
}


def matrix(trace: Trace, a: Any, what: str, *, square: bool = True) -> Node:
    """``a`` as a matrix of float64 or complex128, or a stack of them."""
    array = trace.array(a)
    if np.ndim(array) < 2:
        raise np.linalg.LinAlgError(
            f"{what}: {np.ndim(array)}-dimensional array given. "
            "Array must be at least two-dimensional"
        )
    if square and array.shape[-1] != array.shape[-2]:
        raise np.linalg.LinAlgError(
            f"{what}: Last 2 dimensions of the array must be square, "
            f"not {tuple(array.shape)}"
        )
    return wide(trace, array)


def wide(trace: Trace, x: Any) -> Node:
    """An array as complex128 where it is complex, else as float64."""
    node = trace.node(x)
    return trace.node(x, "c128" if node.type.is_complex else "f64")


def lowers_narrowed(*functions: Any, arrays: int = 1) -> Callable[[Any], Any]:
    """Register a lowering whose results are narrow where its first arguments are.

    NumPy's linear algebra computes in float64 or complex128, and so does the lowering;
    of float32 and complex64 the results are these.
    """

    def add(lowering: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(lowering)
        def lower(trace: Trace, *args: Any, **named: Any) -> Any:
            given = [*args, *named.values()][:arrays]
            made = lowering(trace, *args, **named)
            kinds = {getattr(trace.array(x), "dtype", None) for x in given}
            return narrowed(made) if kinds <= {*NARROW_OF.values()} else made

        return lowers(*functions)(lower)

    return add


def narrowed(made: Any) -> Any:
    """Floats as float32 and complex numbers as complex64, in a tuple too."""
    if isinstance(made, tuple):
        items = [narrowed(item) for item in made]
        return type(made)(*items) if hasattr(made, "_fields") else tuple(items)
    narrow = NARROW_OF.get(getattr(made, "dtype", None))
    return made if narrow is None else made.astype(narrow)


def broadcast_stacks(trace: Trace, a: Node, x: Node) -> tuple[Node, Node]:
    """Two stacks of matrices as stacks of one shape, of one dtype."""
    if a.type.is_complex or x.type.is_complex:
        a, x = (trace.builder.cast(node, "c128") for node in (a, x))
    stacks = a.type.shape[:-2], x.type.shape[:-2]
    if stacks[0] == stacks[1]:
        return a, x
    try:
        lead = np.broadcast_shapes(*stacks)
    except ValueError:
        message = f"the stacks of {a.type} and {x.type} do not broadcast"
        raise ShapeError(message) from None
    b = trace.builder
    left, right = (
        b.broadcast(node, node.type.with_shape((*lead, *node.type.shape[-2:])))
        for node in (a, x)
    )
    return left, right


def symmetric(b: Builder, a: Node) -> Node:
    """``a``, of which one triangle is read, with the derivative of a Hermitian matrix.

    A change of an entry counts half for it and half for the one across the diagonal.
    """
    both = b.add(a, adjoined(b, a))
    return b.straight_through(a, b.mul(both, b.like(both, 0.5)))


def solved(trace: Trace, a: Node, x: Node, *, is_transposed: bool = False) -> Node:
    """``a⁻¹ x`` for stacks of one shape."""
    b = trace.builder
    factors, order, _ = b.lu(a).values
    return b.solve_lu(a, factors, order, x, transposed=is_transposed, strict=True)


def inverse(trace: Trace, a: Node) -> Node:
    """The inverse of each matrix."""
    return solved(trace, a, identity(trace.builder, a.type))


@lowers_narrowed(np.linalg.solve, arrays=2)
def _solve(trace: Trace, a: Any, b: Any) -> Any:
    """A vector is one right side; NumPy 2 takes anything else for matrices."""
    left, right = matrix(trace, a, "solve"), _right_side(trace, b, "solve")
    build, vector = trace.builder, right.type.rank == 1
    if vector:
        right = build.reshape(right, (*right.type.shape, 1))
    if left.type.shape[-1] != right.type.shape[-2]:
        raise ShapeError(
            f"solve: {left.type} and {right.type} do not have as many rows"
        )
    made = solved(trace, *broadcast_stacks(trace, left, right))
    if vector:
        made = build.reshape(made, made.type.shape[:-1])
    return trace.wrap(made)


def _right_side(trace: Trace, b: Any, what: str) -> Node:
    array = trace.array(b)
    if np.ndim(array) == 0:
        raise ShapeError(f"{what}: the right side has no dimensions")
    return wide(trace, array)


@lowers_narrowed(np.linalg.inv)
def _inv(trace: Trace, a: Any) -> Any:
    return trace.wrap(inverse(trace, matrix(trace, a, "inv")))


@lowers_narrowed(np.linalg.det)
def _det(trace: Trace, a: Any) -> Any:
    return trace.wrap(determinant(trace, matrix(trace, a, "det")))


def determinant(trace: Trace, a: Node) -> Node:
    """The product of the pivots with the sign of their order; a sum for n < 4."""
    b, n = trace.builder, a.type.shape[-1]
    if 0 < n < 4:
        return _expanded(b, a)
    factors, order, sign = b.lu(a).values
    last = (a.type.rank - 2,)
    product = b.reduce_prod(diagonal(b, factors), axes=last)
    value = b.mul(b.cast(sign, a.type.dtype), product)
    return b.det(a, factors, order, value)


# Rows beyond it are scaled, so that no product of three and no sum of six overflow.
_LARGE = 2.0**340


def _expanded(b: Builder, a: Node) -> Node:
    """The determinant of one, two or three rows, along the first.

    Its derivatives are those of the numbers as they are: scaled ones would not do.
    """
    *lead, n, _ = a.type.shape
    start, step = (0,) * len(lead), (1,) * a.type.rank

    def entry(i: int, j: int) -> Node:
        made = b.slice(a, start=(*start, i, j), shape=(*lead, 1, 1), step=step)
        return b.reshape(made, tuple(lead))

    rows = [[entry(i, j) for j in range(n)] for i in range(n)]
    if n == 1:
        return rows[0][0]
    scaled, factors = zip(*(_within_reach(b, row) for row in rows), strict=True)
    minors = _minors(b, scaled[-2:])
    value = minors[0] if n == 2 else _along(b, scaled[0], minors)
    plain = _minors(b, rows[-2:])
    if n == 2:
        return b.straight_through(_times(b, value, factors), plain[0])
    minors = [_times(b, minor, factors[1:]) for minor in minors]
    minors = [b.straight_through(*pair) for pair in zip(minors, plain, strict=True)]
    slopes = _along(b, rows[0], minors)
    return b.straight_through(_times(b, value, factors), slopes)


def _minors(b: Builder, rows: Sequence[Sequence[Node]]) -> list[Node]:
    """The determinants of two rows: without each of the columns, if these are three."""
    upper, lower = rows
    columns = [(0, 1)] if len(upper) == 2 else [(1, 2), (0, 2), (0, 1)]
    return [
        b.sub(b.mul(upper[j], lower[k]), b.mul(upper[k], lower[j])) for j, k in columns
    ]


def _along(b: Builder, row: Sequence[Node], minors: Sequence[Node]) -> Node:
    first, second, third = (b.mul(*pair) for pair in zip(row, minors, strict=True))
    return b.add(b.sub(first, second), third)


def _times(b: Builder, made: Node, factors: Sequence[Node]) -> Node:
    """Unscaled."""
    for factor in factors:
        made = b.mul(made, b.cast(factor, made.type.dtype))
    return made


def _within_reach(b: Builder, row: Sequence[Node]) -> tuple[list[Node], Node]:
    """A row by a power of two where it is very large or small, and that power."""
    size = reduce(b.maximum, [magnitude(b, x) for x in row])
    one, up, down = (b.like(size, x) for x in (1.0, _LARGE**2, _LARGE**-2))
    is_large = b.gt(size, b.like(size, _LARGE))
    is_small = b.lt(size, b.like(size, 1 / _LARGE))

    def chosen(large: Node, small: Node) -> Node:
        return b.select(is_large, large, b.select(is_small, small, one))

    factor = b.cast(chosen(down, up), row[0].type.dtype)
    return [b.mul(x, factor) for x in row], chosen(up, down)


@lowers_narrowed(np.linalg.slogdet)
def _slogdet(trace: Trace, a: Any) -> Any:
    b, node = trace.builder, matrix(trace, a, "slogdet")
    factors, order, odd = b.lu(node).values
    pivots = trace.wrap(diagonal(b, factors))
    sign = trace.wrap(odd) * np.prod(np.sign(pivots), axis=-1)
    value = np.sum(np.log(np.abs(pivots)), axis=-1)
    if node.type.is_complex:
        value = with_imaginary(value, np.angle(sign))
    value = trace.wrap(b.logdet(node, factors, order, trace.node(value)))
    if node.type.is_complex:
        turned = with_imaginary(np.cos(value.imag), np.sin(value.imag))
        sign = b.straight_through(trace.node(sign), trace.node(turned))
        sign, value = trace.wrap(sign), value.real
    return type(np.linalg.slogdet(np.eye(1)))(sign, value)


@lowers_narrowed(np.linalg.cholesky)
def _cholesky(trace: Trace, a: Any, /, *, upper: bool = False) -> Any:
    b, node = trace.builder, matrix(trace, a, "cholesky")
    return trace.wrap(cholesky(b, node, upper=upper))


def cholesky(b: Builder, a: Node, *, upper: bool) -> Node:
    """L of ``a = L Lᴴ``, read from the lower triangle; Lᴴ where ``upper``.

    Then NumPy reads the upper triangle.
    """
    made = b.cholesky(adjoined(b, a) if upper else a)
    return adjoined(b, made) if upper else made


@lowers(np.linalg.tensorsolve)
def _tensorsolve(trace: Trace, a: Any, b: Any, axes: Any = None) -> Any:
    a, b = trace.array(a), trace.array(b)
    if axes is not None:
        others = [k for k in range(a.ndim) if k not in [x % a.ndim for x in axes]]
        a = np.transpose(a, [*others, *(x % a.ndim for x in axes)])
    left = a.shape[np.ndim(b) :]
    size = int(np.prod(left))
    if a.size != size * size:
        raise np.linalg.LinAlgError(
            "Input arrays must satisfy the requirement "
            "prod(a.shape[b.ndim:]) == prod(a.shape[:b.ndim])"
        )
    flat = np.linalg.solve(np.reshape(a, (size, size)), np.reshape(b, -1))
    return np.reshape(flat, left)


@lowers(np.linalg.tensorinv)
def _tensorinv(trace: Trace, a: Any, ind: int = 2) -> Any:
    if ind <= 0:
        raise ValueError("Invalid ind argument.")
    a = trace.array(a)
    left, right = a.shape[:ind], a.shape[ind:]
    flat = np.linalg.inv(np.reshape(a, (int(np.prod(left)), -1)))
    return np.reshape(flat, (*right, *left))
