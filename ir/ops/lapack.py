"""Factorizations of matrices, and what is solved with their factors.

A factorization is a node of its own, so whatever needs one matrix factored reads one
node: `dedupe` merges the equal ones, and the way back uses the factors of the way
forwards. ``solve_lu(a, factors, order, b)`` computes with the factors and is
differentiated as a function of ``a`` and ``b``: its rule is made of the same op, so it
holds at every order. All operands may be stacks. Where numbers are complex each
transpose of a formula is a conjugate transpose, written ᴴ.

The formulas: Giles 2008, "Collected matrix derivative results"; de Hoog, Anderssen,
Lukas 2011, "Differentiation of matrix functionals using triangular factorization" (LU);
Boeddeker, Hanebrink, Drude, Heymann, Haeb-Umbach 2017, "On the computation of
complex-valued gradients with application to statistically optimum beamforming".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import LinAlgError
from ..types import TensorType
from .linalg import adjoined, transposed
from .mapped import each, merged, parted, stacked
from .spec import FLAG, OpDef, register, require, require_dtype

if TYPE_CHECKING:
    from ..builder import Builder
    from ..graph import Node

__all__ = [
    "LU",
    "SOLVE_LU",
    "SOLVE_TRIANGULAR",
    "diagonal",
    "divided",
    "handed_on",
    "identity",
    "lower_symmetric",
    "require_square",
    "require_wide",
    "scaled_diagonal",
    "spread",
    "triangle",
    "unordered",
]

SINGULAR = "Singular matrix"


def require_square(op: str, a: TensorType) -> None:
    """Raise unless ``a`` is a matrix with as many rows as columns, or a stack.

    Its numbers are floats or complex.
    """
    require(a.rank >= 2, op, f"{a} is not a matrix")
    require(a.shape[-1] == a.shape[-2], op, f"{a} is not square")
    require_dtype(a.has_gradient, op, f"takes floats or complex numbers, not {a}")


def require_wide(op: str, a: TensorType) -> None:
    """Raise unless the numbers are those that NumPy's linear algebra computes with."""
    require_dtype(a.dtype in ("f64", "c128"), op, f"takes f64 or c128, not {a}")


def handed_on(*operands: Any) -> Any:
    """The reference of an op that hands on its last operand."""
    return np.array(operands[-1])


# What rules are made of.


def triangle(b: Builder, x: Node, *, lower: bool, strict: bool = False) -> Node:
    """``x`` with zeros above the diagonal (below it), and on it where ``strict``."""
    type_ = TensorType("i64", x.type.shape[-2:])
    down = b.iota(shape=type_.shape, axis=0, dtype="i64")
    across = b.iota(shape=type_.shape, axis=1, dtype="i64")
    op = ("gt" if strict else "ge") if lower else ("lt" if strict else "le")
    mask = b.add_node(op, down, across)
    return b.select(b.broadcast(mask, x.type.with_dtype("bool")), x, b.like(x, 0.0))


def scaled_diagonal(b: Builder, x: Node, factor: float) -> Node:
    """``x`` with its diagonal multiplied by a number."""
    shape = x.type.shape[-2:]
    down = b.iota(shape=shape, axis=0, dtype="i64")
    across = b.iota(shape=shape, axis=1, dtype="i64")
    mask = b.broadcast(b.eq(down, across), x.type.with_dtype("bool"))
    return b.select(mask, b.mul(x, b.like(x, factor)), x)


def diagonal(b: Builder, a: Node) -> Node:
    """The diagonal of each square matrix."""
    *lead, n, _ = a.type.shape
    flat = b.reshape(a, (*lead, n * n))
    start, step = (0,) * len(lead), (1,) * len(lead)
    return b.slice(flat, start=(*start, 0), shape=(*lead, n), step=(*step, n + 1))


def spread(b: Builder, x: Node, type_: TensorType) -> Node:
    """A number for each matrix, at each of its entries."""
    *lead, _, _ = type_.shape
    shaped = b.reshape(b.cast(x, type_.dtype), (*lead, 1, 1))
    return b.broadcast(shaped, type_)


def identity(b: Builder, type_: TensorType) -> Node:
    """Ones on the diagonal of each matrix, zeros elsewhere."""
    shape = type_.shape[-2:]
    down = b.iota(shape=shape, axis=0, dtype="i64")
    across = b.iota(shape=shape, axis=1, dtype="i64")
    return b.broadcast(b.cast(b.eq(down, across), type_.dtype), type_)


def lower_symmetric(b: Builder, s: Node) -> Node:
    """The cotangent of a Hermitian matrix of which only the lower triangle is read.

    ``s`` is that of all its entries; those above the diagonal count for those below.
    """
    both = b.add(s, adjoined(b, s))
    return triangle(b, scaled_diagonal(b, both, 0.5), lower=True)


# Triangular systems.


def divided(b: Builder, a: Node, x: Node, **attrs: bool) -> Node:
    """``a⁻¹ x`` of a triangular matrix, of which nothing fails."""
    return b.solve_triangular(a, x, unit=False, strict=False, **attrs)


def _solve_type(op: str, a: TensorType, x: TensorType) -> TensorType:
    require_square(op, a)
    require(
        x.rank == a.rank and x.shape[:-1] == a.shape[:-1],
        op,
        f"{a} and {x} do not have as many rows, or are not stacks of one shape",
    )
    require_dtype(a.dtype == x.dtype, op, f"{a} and {x} differ in dtype")
    return x


def _triangular_type(a: TensorType, x: TensorType, **attrs: bool) -> TensorType:
    return _solve_type("solve_triangular", a, x)


def _solve_triangular(
    a: Any, x: Any, *, lower: bool, transposed: bool, unit: bool, strict: bool
) -> Any:
    """By substitution: forwards for a lower triangle, else backwards."""
    n = a.shape[-1]
    if strict and not unit and np.any(_diagonal(a) == 0):
        raise LinAlgError(SINGULAR)
    matrix = np.swapaxes(a, -1, -2) if transposed else a
    forwards = lower != transposed
    made = np.array(x)
    for i in range(n) if forwards else range(n - 1, -1, -1):
        done = slice(0, i) if forwards else slice(i + 1, n)
        row = matrix[..., i : i + 1, done] @ made[..., done, :]
        made[..., i, :] -= row[..., 0, :]
        if not unit:
            made[..., i, :] /= matrix[..., i, i][..., None]
    return made


def _diagonal(a: Any) -> Any:
    return np.diagonal(a, axis1=-2, axis2=-1)


def _triangular_adjoint(
    b: Builder,
    n: Node,
    g: Node,
    a: Node,
    x: Node,
    *,
    lower: bool,
    transposed: bool,
    unit: bool,
    strict: bool,
) -> tuple[Node, Node]:
    """``y = T⁻¹ x``;  ``x.bar = T⁻ᴴ y.bar``,  ``T.bar = -x.bar yᴴ`` where T is read."""
    flags = {"lower": lower, "transposed": not transposed, "unit": unit}
    x_bar = b.solve_triangular(b.conj(a), g, **flags, strict=False)
    a_bar = triangle(b, _matrix_bar(b, n, x_bar, transposed), lower=lower, strict=unit)
    return a_bar, x_bar


def _matrix_bar(b: Builder, n: Node, x_bar: Node, is_transposed: bool) -> Node:
    """``-x.bar nᴴ``, and its transpose where the transposed matrix is solved with."""
    n = b.conj(n)
    rows, columns = n.type.shape[-2:]
    is_smaller = columns <= rows  # than the product: that one is negated
    x_bar = b.neg(x_bar) if is_smaller else x_bar
    sides = (n, x_bar) if is_transposed else (x_bar, n)
    made = b.matmul(sides[0], transposed(b, sides[1]))
    return made if is_smaller else b.neg(made)


def _solve_vmap(
    b: Builder,
    n: Node,
    size: int,
    mapped: Sequence[bool],
    *operands: Node,
    **attrs: Any,
) -> Node:
    """More columns where all examples share the matrix, else a stack of systems."""
    if any(mapped[:-1]):
        pairs = zip(operands, mapped, strict=True)
        return b.add_node(n.op, *(each(b, x, size, one) for x, one in pairs), **attrs)
    *matrix, x = operands
    axis = n.type.rank - 1
    made = b.add_node(n.op, *matrix, merged(b, x, axis), **attrs)
    return parted(b, made, axis, size, n.type.shape[axis])


_FLAGS = {"lower": FLAG, "transposed": FLAG, "unit": FLAG, "strict": FLAG}
SOLVE_TRIANGULAR = register(
    OpDef(
        "solve_triangular",
        2,
        _triangular_type,
        _solve_triangular,
        _triangular_adjoint,
        _FLAGS,
        linear=((1,),),
        fails=("linalg", SINGULAR),
        vmap=_solve_vmap,
    )
)


# LU.


def _lu_type(a: TensorType) -> tuple[TensorType, TensorType, TensorType]:
    require_square("lu", a)
    return a, TensorType("i64", a.shape[:-1]), TensorType("i64", a.shape[:-2])


def _lu(a: Any) -> tuple[Any, Any, Any]:
    """``a[order] = L U`` with L (unit) and U in one matrix, and the order's sign.

    The row of the largest element is taken next, by LAPACK's size of a complex number:
    its parts' sizes added up. There may be zeros on the diagonal.
    """
    n, count = a.shape[-1], math.prod(a.shape[:-2])
    factors = np.array(a).reshape(count, n, n)
    order = np.tile(np.arange(n), (count, 1))
    sign = np.ones(count, np.int64)
    for number, matrix in enumerate(factors):
        for k in range(n):
            best = k + int(np.argmax(_size(matrix[k:, k])))
            if best != k:
                matrix[[k, best]] = matrix[[best, k]]
                order[number, [k, best]] = order[number, [best, k]]
                sign[number] = -sign[number]
            if matrix[k, k] != 0:
                matrix[k + 1 :, k] /= matrix[k, k]
            matrix[k + 1 :, k + 1 :] -= np.outer(matrix[k + 1 :, k], matrix[k, k + 1 :])
    return (
        factors.reshape(a.shape),
        order.reshape(a.shape[:-1]),
        sign.reshape(a.shape[:-2]),
    )


def _size(x: Any) -> Any:
    return np.abs(x.real) + np.abs(x.imag) if np.iscomplexobj(x) else np.abs(x)


def _lu_adjoint(
    b: Builder, n: Node, g: tuple[Node | None, ...], a: Node
) -> tuple[Node]:
    """``A.bar = Pᵀ L⁻ᴴ (tril₋(Lᴴ L.bar) + triu(U.bar Uᴴ)) U⁻ᴴ``.

    De Hoog, Anderssen, Lukas 2011; tril₋ has zeros on the diagonal.
    """
    bar = g[0]
    assert bar is not None, "the other values are integers"
    below = triangle(b, n, lower=True, strict=True)
    unit = b.add(below, identity(b, n.type))
    upper = triangle(b, n, lower=False)
    of_lower = b.matmul(adjoined(b, unit), triangle(b, bar, lower=True, strict=True))
    of_upper = b.matmul(triangle(b, bar, lower=False), adjoined(b, upper))
    inner = b.add(
        triangle(b, of_lower, lower=True, strict=True),
        triangle(b, of_upper, lower=False),
    )
    # X U⁻ᴴ is (U⁻¹ Xᴴ)ᴴ.
    right = divided(b, n, adjoined(b, inner), lower=False, transposed=False)
    left = b.solve_triangular(
        b.conj(n),
        adjoined(b, right),
        lower=True,
        transposed=True,
        unit=True,
        strict=False,
    )
    return (unordered(b, left, n.values[1]),)


def unordered(b: Builder, x: Node, order: Node) -> Node:
    """The rows where ``order`` says that they come from."""
    permutation = b.cast(_permutation(b, order), x.type.dtype)
    return b.matmul(transposed(b, permutation), x)


def _permutation(b: Builder, order: Node) -> Node:
    """The matrix P with ``P x = x[order]``, of bools."""
    *stack, n = order.type.shape
    type_ = TensorType("i64", (*stack, n, n))
    rows = b.broadcast(b.reshape(order, (*stack, n, 1)), type_)
    across = b.broadcast(b.iota(shape=(n,), axis=0, dtype="i64"), type_)
    return b.eq(rows, across)


LU = register(OpDef("lu", 1, _lu_type, _lu, _lu_adjoint, vmap=stacked))


def _solve_lu_type(
    a: TensorType, factors: TensorType, order: TensorType, x: TensorType, **attrs: bool
) -> TensorType:
    made = _solve_type("solve_lu", a, x)
    require(
        (factors, order) == _lu_type(a)[:2],
        "solve_lu",
        f"{factors} and {order} are not what lu makes of {a}",
    )
    return made


def _solve_lu(
    a: Any, factors: Any, order: Any, x: Any, *, transposed: bool, strict: bool
) -> Any:
    if strict and np.any(_diagonal(factors) == 0):
        raise LinAlgError(SINGULAR)
    places = np.broadcast_to(order[..., None], x.shape)
    rest = {"transposed": transposed, "strict": False}
    with np.errstate(all="ignore"):
        if not transposed:
            moved = np.take_along_axis(x, places, -2)
            half = _solve_triangular(factors, moved, lower=True, unit=True, **rest)
            return _solve_triangular(factors, half, lower=False, unit=False, **rest)
        half = _solve_triangular(factors, x, lower=False, unit=False, **rest)
        moved = _solve_triangular(factors, half, lower=True, unit=True, **rest)
    made = np.empty_like(moved)
    np.put_along_axis(made, places, moved, -2)
    return made


def _solve_lu_adjoint(
    b: Builder,
    n: Node,
    g: Node,
    a: Node,
    factors: Node,
    order: Node,
    x: Node,
    *,
    transposed: bool,
    strict: bool,
) -> tuple[Node, None, None, Node]:
    """``y = A⁻¹ x``;  ``x.bar = A⁻ᴴ y.bar`` by the same factors, ``A.bar = -x.bar yᴴ``.

    Giles 2008, 2.2.3. A⁻ᴴ y is the conjugate of A⁻ᵀ times the conjugate of y.
    """
    flags = {"transposed": not transposed, "strict": strict}
    x_bar = b.conj(b.solve_lu(a, factors, order, b.conj(g), **flags))
    return _matrix_bar(b, n, x_bar, transposed), None, None, x_bar


SOLVE_LU = register(
    OpDef(
        "solve_lu",
        4,
        _solve_lu_type,
        _solve_lu,
        _solve_lu_adjoint,
        {"transposed": FLAG, "strict": FLAG},
        constant_slots=(1, 2),
        linear=((3,),),
        fails=("linalg", SINGULAR),
        vmap=_solve_vmap,
    )
)
