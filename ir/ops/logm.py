"""The logarithm of matrices, by square roots of their triangular form.

Higham 2008, "Functions of Matrices", 11.5, and 3.2 for the derivative.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..graph import Graph, Output
from ..types import TensorType
from .expm import norm_of, of_adjoined, of_blocks, upper_right
from .lapack import handed_on, identity, spread, triangle
from .linalg import adjoined
from .mapped import stacked
from .schur import (
    as_real,
    function_type,
    product,
    triangular_form,
    triangular_root,
    upper_solved,
)
from .spec import OpDef, register

if TYPE_CHECKING:
    from ..builder import Builder
    from ..graph import Node

__all__ = ["LOGM", "logarithm"]

INDEX = TensorType("i64", ())
NEAR = 0.25
"""How near to 1 a matrix is whose logarithm the quadrature gives to all digits."""
ROOTS = 128
"""No matrix of floats needs as many square roots."""


def logarithm(b: Builder, a: Node) -> Node:
    """The logarithm of each matrix whose eigenvalues are not negative."""
    if 0 in a.type.shape:
        return a
    made = _logarithm_value(b, a)
    value = made if a.type.is_complex else as_real(b, made, "the logarithm")
    return b.logm(a, value)


def _logarithm_value(b: Builder, a: Node) -> Node:
    """``log T = 2^k log(1 + X)`` with ``1 + X`` the k-th root; its diagonal is exact.

    ``log(1 + X)`` is the integral of ``X / (1 + s X)`` from 0 to 1, by Gauss.
    """
    t, z = triangular_form(b, a)
    roots, counts = _near_one(b, t)
    one = identity(b, t.type)
    x = b.sub(roots, one)
    total: list[Node] = []
    for place, weight in zip(*np.polynomial.legendre.leggauss(8), strict=True):
        scaled = b.mul(x, b.like(x, (1 + float(place)) / 2))
        part = upper_solved(b, b.add(one, scaled), x)
        total.append(b.mul(part, b.like(x, float(weight) / 2)))
    power = b.exp2(b.cast(counts, "f64"))
    above = b.mul(b.add_n(*total), spread(b, power, t.type))
    diagonal = b.select(b.ne(one, b.like(one, 0.0)), b.log(t), b.like(t, 0.0))
    made = b.add(triangle(b, above, lower=False, strict=True), diagonal)
    return product(b, z, made, adjoined(b, z))


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
    made = b.select(mask, triangular_root(b, t), t)
    again = b.reduce_any(is_far, axes=tuple(range(counts.rank)))
    count = b.add(count, b.cast(is_far, "i64"))
    return b.build([Output(again.name), Output(count.name), Output(made.name)])


def _logm_type(a: TensorType, value: TensorType) -> TensorType:
    return function_type("logm", a, value)


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
