"""Schur's triangular form, and what is solved or made with it column by column.

``schur(a)`` is ``a = Z T Zᴴ`` with a triangle T, of complex numbers. No rule
differentiates it: ``sylvester(a, b, c, value)`` and ``sqrtm(a, value)``, and ``logm``
of its own file, hand on what plain nodes make of it, and know their own derivatives.

The formulas: Bartels, Stewart 1972, "Solution of the matrix equation AX + XB = C";
Björck, Hammarling 1983, "A Schur method for the square root of a matrix"; Higham 2008,
"Functions of Matrices" (the logarithm by square roots, 11.5, and the derivatives).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import LinAlgError
from ..graph import Output
from ..types import TensorType
from .lapack import (
    handed_on,
    identity,
    require_square,
    require_wide,
    triangle,
)
from .linalg import adjoined
from .mapped import stacked
from .spec import NONDIFFERENTIABLE, OpDef, register, require, require_dtype

if TYPE_CHECKING:
    from ..builder import Builder
    from ..graph import Node

__all__ = [
    "SCHUR",
    "SQRTM",
    "SYLVESTER",
    "as_real",
    "function_type",
    "product",
    "square_root",
    "sylvester",
    "triangular_form",
    "triangular_root",
    "upper_solved",
]

NO_FORM = "Schur form not found"
INDEX = TensorType("i64", ())


def _schur_type(a: TensorType) -> tuple[TensorType, TensorType]:
    require_square("schur", a)
    require_dtype(a.dtype == "c128", "schur", f"takes c128, not {a}")
    return a, a


def _schur(a: Any) -> tuple[Any, Any]:
    linalg: Any = import_module("scipy.linalg")
    made = np.empty_like(a), np.empty_like(a)
    for place in np.ndindex(a.shape[:-2]) if a.size else ():
        try:
            found = linalg.schur(a[place], output="complex", check_finite=False)
        except np.linalg.LinAlgError:
            raise LinAlgError(NO_FORM) from None
        made[0][place], made[1][place] = found
    return made


SCHUR = register(
    OpDef(
        "schur",
        1,
        _schur_type,
        _schur,
        NONDIFFERENTIABLE,
        fails=("linalg", NO_FORM),
        vmap=stacked,
    )
)


# What rules and values are made of.


def triangular_form(b: Builder, a: Node) -> tuple[Node, Node]:
    """T and Z, which are constant."""
    t, z = b.schur(b.cast(b.stop_gradient(a), "c128")).values
    return triangle(b, t, lower=False), z


def product(b: Builder, *factors: Node) -> Node:
    """Of matrices, from the left."""
    made = factors[0]
    for factor in factors[1:]:
        made = b.matmul(made, factor)
    return made


def _column(b: Builder, x: Node, k: Node) -> Node:
    *lead, n, _ = x.type.shape
    rank = x.type.rank
    return b.slice_at(
        x,
        k,
        axes=(rank - 1,),
        start=(0,) * rank,
        shape=(*lead, n, 1),
        step=(1,) * rank,
    )


def _entry(b: Builder, x: Node, k: Node) -> Node:
    """The k-th number of each diagonal."""
    *lead, _, _ = x.type.shape
    rank = x.type.rank
    return b.slice_at(
        x,
        k,
        k,
        axes=(rank - 2, rank - 1),
        start=(0,) * rank,
        shape=(*lead, 1, 1),
        step=(1,) * rank,
    )


def _shifted(b: Builder, t: Node, by: Node) -> Node:
    """``t`` with a number for each matrix added on its diagonal."""
    return b.add(t, b.mul(b.broadcast(by, t.type), identity(b, t.type)))


def upper_solved(b: Builder, t: Node, x: Node, *, strict: bool = False) -> Node:
    """``t⁻¹ x`` of an upper triangle."""
    flags = {"lower": False, "transposed": False, "unit": False, "strict": strict}
    return b.solve_triangular(t, x, **flags)


def _by_columns(
    b: Builder,
    start: Node,
    given: Sequence[Node],
    column: Callable[..., Node],
) -> Node:
    """``start`` with ``column(b, k, x, *given)`` added to each column, from the left.

    ``x`` is the matrix so far.
    """
    from ..builder import Builder

    body = Builder("body")
    body.source = b.source
    k = body.input("k", INDEX)
    inner = [body.input(f"given.{i}", node.type) for i, node in enumerate(given)]
    x = body.input("x", start.type)
    rank = start.type.rank
    added = column(body, k, x, *inner)
    places = {"axes": (rank - 1,), "start": (0,) * rank, "step": (1,) * rank}
    made = body.add_at(x, added, k, **places)
    return b.add_node(
        "loop",
        *given,
        start,
        regions=(body.build([Output(made.name)]),),
        trips=start.type.shape[-1],
        carried=1,
    )


def as_real(b: Builder, x: Node, what: str) -> Node:
    """The real parts, which are the matrices; raises where they are not."""
    axes = tuple(range(x.type.rank))
    re, im = b.real(x), b.imag(x)
    most, size = (b.reduce_max(b.abs(part), axes=axes) for part in (im, re))
    is_complex = b.gt(most, b.mul(size, b.like(size, 1e-7)))
    message = f"{what} of this real matrix is complex: pass a.astype(complex)"
    count = b.cast(is_complex, "i64")
    checked = b.check(count, low=0, high=1, error="linalg", message=message)
    return b.add(re, b.broadcast(b.cast(checked, re.type.dtype), re.type))


# Sylvester's equation.


def sylvester(b: Builder, p: Node, q: Node, c: Node) -> Node:
    """X of ``p X + X q = c``, of each matrix of stacks."""
    value = c if 0 in c.type.shape else _sylvester_value(b, p, q, c)
    return b.sylvester(p, q, c, value)


def _sylvester_value(b: Builder, p: Node, q: Node, c: Node) -> Node:
    """With triangles T and R each column is ``(T + R[k, k]) x[k] = f[k] - X R[k]``."""
    (t, u), (r, v) = triangular_form(b, p), triangular_form(b, q)
    f = product(b, adjoined(b, u), b.cast(b.stop_gradient(c), "c128"), v)

    def column(b: Builder, k: Node, x: Node, t: Node, r: Node, f: Node) -> Node:
        rest = b.sub(_column(b, f, k), b.matmul(x, _column(b, r, k)))
        return upper_solved(b, _shifted(b, t, _entry(b, r, k)), rest, strict=True)

    y = _by_columns(b, b.like(f, 0.0), (t, r, f), column)
    made = product(b, u, y, adjoined(b, v))
    return made if c.type.is_complex else b.real(made)


def _sylvester_type(
    p: TensorType, q: TensorType, c: TensorType, value: TensorType
) -> TensorType:
    for matrix in (p, q):
        require_square("sylvester", matrix)
    require(
        c.shape == (*p.shape[:-1], q.shape[-1]) and p.shape[:-2] == q.shape[:-2],
        "sylvester",
        f"{p}, {q} and {c} do not fit",
    )
    require_wide("sylvester", c)
    alike = p.dtype == q.dtype == c.dtype and value == c
    require_dtype(alike, "sylvester", f"{p}, {q}, {c} and {value} differ")
    return c


def _sylvester_adjoint(
    b: Builder, n: Node, g: Node, p: Node, q: Node, c: Node, value: Node
) -> tuple[Node, Node, Node, None]:
    """``pᴴ C.bar + C.bar qᴴ = X.bar``, ``p.bar = -C.bar Xᴴ``, ``q.bar = -Xᴴ C.bar``."""
    c_bar = sylvester(b, adjoined(b, p), adjoined(b, q), g)
    turned = adjoined(b, n)
    p_bar, q_bar = b.matmul(c_bar, turned), b.matmul(turned, c_bar)
    return b.neg(p_bar), b.neg(q_bar), c_bar, None


SYLVESTER = register(
    OpDef(
        "sylvester",
        4,
        _sylvester_type,
        handed_on,
        _sylvester_adjoint,
        constant_slots=(3,),
        vmap=stacked,
    )
)


# Square roots.


def square_root(b: Builder, a: Node) -> Node:
    """The root of each matrix whose eigenvalues have no negative real parts."""
    if 0 in a.type.shape:
        return a
    t, z = triangular_form(b, a)
    made = product(b, z, triangular_root(b, t), adjoined(b, z))
    value = made if a.type.is_complex else as_real(b, made, "the square root")
    return b.sqrtm(a, value)


def triangular_root(b: Builder, t: Node) -> Node:
    """Each column above its diagonal is ``(R + r[k, k]) r[k] = t[k]``."""
    start = b.mul(b.sqrt(t), identity(b, t.type))

    def column(b: Builder, k: Node, r: Node, t: Node) -> Node:
        rows = b.iota(shape=t.type.shape[-2:], axis=0, dtype="i64")
        mask = b.lt(rows, b.broadcast(k, rows.type))
        is_above = b.broadcast(mask, t.type.with_dtype("bool"))
        matrix = _shifted(b, r, _entry(b, r, k))
        wanted = _column(b, b.select(is_above, t, b.like(t, 0.0)), k)
        return upper_solved(b, b.select(is_above, matrix, identity(b, t.type)), wanted)

    return _by_columns(b, start, (t,), column)


def function_type(op: str, a: TensorType, value: TensorType) -> TensorType:
    """That of a function of square matrices, which hands on its value."""
    require_square(op, a)
    require_wide(op, a)
    require(value == a, op, f"{value} is not made of {a}")
    return value


def _sqrtm_type(a: TensorType, value: TensorType) -> TensorType:
    return function_type("sqrtm", a, value)


def _sqrtm_adjoint(
    b: Builder, n: Node, g: Node, a: Node, value: Node
) -> tuple[Node, None]:
    """``Xᴴ A.bar + A.bar Xᴴ = X.bar`` (Higham 2008, 6.1)."""
    turned = adjoined(b, n)
    return sylvester(b, turned, turned, g), None


SQRTM = register(
    OpDef(
        "sqrtm",
        2,
        _sqrtm_type,
        handed_on,
        _sqrtm_adjoint,
        constant_slots=(1,),
        vmap=stacked,
    )
)
