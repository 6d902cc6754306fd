"""Schur's triangular form, and what is solved or made with it column by column.

``schur(a)`` is ``a = Z T Zᴴ`` with a triangle T, of complex numbers. No rule
differentiates it: ``sylvester(a, b, c, value)``, ``sqrtm(a, value)`` and
``logm(a, value)`` hand on what plain nodes make of it, and know their own derivatives.

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
from ..graph import Graph, Output
from ..types import TensorType
from .expm import norm_of, of_adjoined, of_blocks, upper_right
from .lapack import (
    handed_on,
    identity,
    require_square,
    require_wide,
    spread,
    triangle,
)
from .linalg import adjoined
from .mapped import stacked
from .spec import NONDIFFERENTIABLE, OpDef, register, require, require_dtype

if TYPE_CHECKING:
    from ..builder import Builder
    from ..graph import Node

__all__ = [
    "LOGM",
    "SCHUR",
    "SQRTM",
    "SYLVESTER",
    "logarithm",
    "square_root",
    "sylvester",
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


def _form(b: Builder, a: Node) -> tuple[Node, Node]:
    t, z = b.schur(b.cast(b.stop_gradient(a), "c128")).values
    return triangle(b, t, lower=False), z


def _product(b: Builder, *factors: Node) -> Node:
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


def _upper_solved(b: Builder, t: Node, x: Node, *, strict: bool = False) -> Node:
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


def _real(b: Builder, x: Node, what: str) -> Node:
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
    (t, u), (r, v) = _form(b, p), _form(b, q)
    f = _product(b, adjoined(b, u), b.cast(b.stop_gradient(c), "c128"), v)

    def column(b: Builder, k: Node, x: Node, t: Node, r: Node, f: Node) -> Node:
        rest = b.sub(_column(b, f, k), b.matmul(x, _column(b, r, k)))
        return _upper_solved(b, _shifted(b, t, _entry(b, r, k)), rest, strict=True)

    y = _by_columns(b, b.like(f, 0.0), (t, r, f), column)
    made = _product(b, u, y, adjoined(b, v))
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
    t, z = _form(b, a)
    made = _product(b, z, _triangular_root(b, t), adjoined(b, z))
    value = made if a.type.is_complex else _real(b, made, "the square root")
    return b.sqrtm(a, value)


def _triangular_root(b: Builder, t: Node) -> Node:
    """Each column above its diagonal is ``(R + r[k, k]) r[k] = t[k]``."""
    start = b.mul(b.sqrt(t), identity(b, t.type))

    def column(b: Builder, k: Node, r: Node, t: Node) -> Node:
        rows = b.iota(shape=t.type.shape[-2:], axis=0, dtype="i64")
        mask = b.lt(rows, b.broadcast(k, rows.type))
        is_above = b.broadcast(mask, t.type.with_dtype("bool"))
        matrix = _shifted(b, r, _entry(b, r, k))
        wanted = _column(b, b.select(is_above, t, b.like(t, 0.0)), k)
        return _upper_solved(b, b.select(is_above, matrix, identity(b, t.type)), wanted)

    return _by_columns(b, start, (t,), column)


def _function_type(op: str, a: TensorType, value: TensorType) -> TensorType:
    require_square(op, a)
    require_wide(op, a)
    require(value == a, op, f"{value} is not made of {a}")
    return value


def _sqrtm_type(a: TensorType, value: TensorType) -> TensorType:
    return _function_type("sqrtm", a, value)


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


# Logarithms.

NEAR = 0.25
"""How near to 1 a matrix is whose logarithm the quadrature gives to all digits."""
ROOTS = 128
"""No matrix of floats needs as many square roots."""


def logarithm(b: Builder, a: Node) -> Node:
    """The logarithm of each matrix whose eigenvalues are not negative."""
    if 0 in a.type.shape:
        return a
    made = _logarithm_value(b, a)
    value = made if a.type.is_complex else _real(b, made, "the logarithm")
    return b.logm(a, value)


def _logarithm_value(b: Builder, a: Node) -> Node:
    """``log T = 2^k log(1 + X)`` with ``1 + X`` the k-th root; its diagonal is exact.

    ``log(1 + X)`` is the integral of ``X / (1 + s X)`` from 0 to 1, by Gauss.
    """
    t, z = _form(b, a)
    roots, counts = _near_one(b, t)
    one = identity(b, t.type)
    x = b.sub(roots, one)
    total: list[Node] = []
    for place, weight in zip(*np.polynomial.legendre.leggauss(8), strict=True):
        scaled = b.mul(x, b.like(x, (1 + float(place)) / 2))
        part = _upper_solved(b, b.add(one, scaled), x)
        total.append(b.mul(part, b.like(x, float(weight) / 2)))
    power = b.exp2(b.cast(counts, "f64"))
    above = b.mul(b.add_n(*total), spread(b, power, t.type))
    diagonal = b.select(b.ne(one, b.like(one, 0.0)), b.log(t), b.like(t, 0.0))
    made = b.add(triangle(b, above, lower=False, strict=True), diagonal)
    return _product(b, z, made, adjoined(b, z))


def _near_one(b: Builder, t: Node) -> tuple[Node, Node]:
    """Square roots of each matrix until it is near to 1, and how many that took."""
    counts = TensorType("i64", t.type.shape[:-2])
    body = _rooted(t.type, counts, b.source)
    start = b.const(True, "bool"), b.full(counts, 0), t
    _, count, root = b.add_node(
        "loop", *start, regions=(body,), trips=ROOTS, carried=3, test=True
    ).values
    return root, count


def _rooted(type_: TensorType, counts: TensorType, source: Any) -> Graph:
    """The body of that loop."""
    from ..builder import Builder

    b = Builder("body")
    b.source = source
    b.input("i", INDEX)
    b.input("again", TensorType("bool", ()))
    count, t = b.input("count", counts), b.input("t", type_)
    norm = norm_of(b, b.sub(t, identity(b, type_)))
    is_far = b.gt(norm, b.like(norm, NEAR))
    mask = spread(b, is_far, type_.with_dtype("bool"))
    made = b.select(mask, _triangular_root(b, t), t)
    again = b.reduce_any(is_far, axes=tuple(range(counts.rank)))
    count = b.add(count, b.cast(is_far, "i64"))
    return b.build([Output(again.name), Output(count.name), Output(made.name)])


def _logm_type(a: TensorType, value: TensorType) -> TensorType:
    return _function_type("logm", a, value)


def _logm_adjoint(
    b: Builder, n: Node, g: Node, a: Node, value: Node
) -> tuple[Node, None]:
    """``A.bar = L(A, V.barᴴ)ᴴ``, where log [[A, E], [0, A]] has L(A, E) above.

    Higham 2008, 3.2. L is linear in E, which is made as large as A is.
    """
    if 0 in a.type.shape:
        return g, None
    sizes = [norm_of(b, b.stop_gradient(x)) for x in (a, g)]
    is_nothing = b.eq(sizes[1], b.like(sizes[1], 0.0))
    ratio = b.select(is_nothing, b.like(sizes[1], 1.0), b.div(*sizes))
    e = b.mul(adjoined(b, g), spread(b, ratio, g.type))
    whole = of_blocks(b, a, e)
    made = _logarithm_value(b, whole)
    value = made if a.type.is_complex else b.real(made)
    bar = adjoined(b, upper_right(b, b.logm(whole, value)))
    return b.div(bar, spread(b, ratio, bar.type)), None


LOGM = register(
    OpDef(
        "logm",
        2,
        _logm_type,
        handed_on,
        _logm_adjoint,
        constant_slots=(1,),
        tangent=of_adjoined(_logm_adjoint),
        vmap=stacked,
    )
)
