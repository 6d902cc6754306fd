"""The derivatives of softmax and its kin, which keep their digits where one share is 1.

Values are made by plain graphs; these ops hand them on and know their derivatives.
``share(p, x)`` is p = softmax(x), whose derivative is made of p itself: no graph can
say that without an op. ``log_share(y, p, rest, x)`` is y = log(p); ``rest`` is the sum
of the other shares in rows with a large one, and anything elsewhere.
``with_slope(x, d)`` is x, as a function whose slope is d.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..types import TensorType
from .elementwise import elementwise
from .mapped import along
from .reduce import Axes, restore
from .spec import INTS, Adjoint, Kind, OpDef, register, require, require_dtype

if TYPE_CHECKING:
    from ..builder import Builder
    from ..graph import Node

__all__ = ["LARGE_SHARE", "LOG_SHARE", "SHARE", "WITH_SLOPE"]

LARGE_SHARE = 0.75
"""What is left of 1 beside a share beyond this is the sum of the others.

At most one in a row is. Any limit between 1/2 and 1 will do, away from both.
"""

WITH_SLOPE = elementwise(
    "with_slope",
    2,
    lambda x, d: np.copy(x),
    "{0}",
    lambda b, n, g, x, d: (b.chain(g, d), None),
    constant_slots=(1,),
)


def _first_of(
    name: str, arity: int, adjoint: Adjoint, tangent: Callable[..., tuple[Node]]
) -> OpDef:
    """Register an op with its first operand as value and a derivative by its last."""

    def type_rule(*types: TensorType, axes: Axes) -> TensorType:
        first = types[0]
        for other in types[1:]:
            require(other.shape == first.shape, name, f"{first} and {other} differ")
            require_dtype(other.dtype == first.dtype, name, f"{first} and {other}")
        require_dtype(first.is_float, name, f"does not take {first}")
        fits = list(axes) == sorted(set(axes)) and set(axes) <= set(range(first.rank))
        require(fits, name, f"axes {axes} do not fit {first}")
        return first

    return register(
        OpDef(
            name,
            arity,
            type_rule,
            lambda first, *others, axes: np.copy(first),
            adjoint,
            {"axes": INTS},
            constant_slots=tuple(range(arity - 1)),
            kind=Kind.ELEMENTWISE,
            scalar="{0}",
            tangent=tangent,
            vmap=along("axes"),
        )
    )


def _total(b: Builder, n: Node, axes: Axes) -> Callable[[Node], Node]:
    """Sums over the axes, as large as ``n``."""
    return lambda x: restore(b, b.reduce_sum(x, axes=axes), n.type, axes)


def _share_adjoint(
    b: Builder, n: Node, g: Node, p: Node, x: Node, *, axes: Axes
) -> tuple[None, Node]:
    """``p_i (g_i - sum_k p_k g_k)``, without a difference of numbers that are alike.

    Let m be the place of the large share, and h = g - g_m, which is 0 there. All p add
    up to 1, so the contribution is p_i (h_i - sum_k p_k h_k) as well, and

        sum_k p_k h_k = sum_{k != m} p_k g_k - g_m sum_{k != m} p_k

    is made of three sums that one pass can take. Without a large share g_m is 0.
    """
    total, zero = _total(b, n, axes), b.like(n, 0.0)
    large = b.gt(n, b.like(n, LARGE_SHARE))
    rest = b.select(large, zero, n)
    pivot = total(b.select(large, g, zero))
    mean = b.sub(total(b.chain(g, rest)), b.chain(pivot, total(rest)))
    relative = b.select(large, zero, b.sub(g, pivot))
    return None, b.chain(b.sub(relative, mean), n)


def _log_share_adjoint(
    b: Builder, n: Node, g: Node, y: Node, p: Node, rest: Node, x: Node, *, axes: Axes
) -> tuple[None, None, None, Node]:
    """``g_i - p_i sum_k g_k``; at the place m of the large share g_m would cancel:

    (sum_{k != m} p_k) sum_k g_k - sum_{k != m} g_k
    """
    total, zero = _total(b, n, axes), b.like(n, 0.0)
    large = b.gt(p, b.like(p, LARGE_SHARE))
    others = total(b.select(large, zero, g))
    whole = b.add(others, total(b.select(large, g, zero)))
    at_large = b.sub(b.chain(whole, rest), others)
    elsewhere = b.sub(g, b.chain(whole, p))
    return None, None, None, b.select(large, at_large, elsewhere)


def _share_tangent(
    b: Builder, n: Node, dots: Sequence[Node | None], p: Node, x: Node, *, axes: Axes
) -> tuple[Node]:
    """The Jacobian of softmax is symmetric."""
    dot = dots[1]
    assert dot is not None, "no other operand has a tangent"
    return (_share_adjoint(b, n, dot, p, x, axes=axes)[1],)


def _log_share_tangent(
    b: Builder,
    n: Node,
    dots: Sequence[Node | None],
    y: Node,
    p: Node,
    rest: Node,
    x: Node,
    *,
    axes: Axes,
) -> tuple[Node]:
    """``x_i.dot - sum_k p_k x_k.dot``; at the place m of the large share it is

    x_m.dot sum_{k != m} p_k - sum_{k != m} p_k x_k.dot
    """
    dot = dots[3]
    assert dot is not None, "no other operand has a tangent"
    total, zero = _total(b, n, axes), b.like(n, 0.0)
    large = b.gt(p, b.like(p, LARGE_SHARE))
    parts = b.chain(dot, p)
    others = total(b.select(large, zero, parts))
    mean = b.add(others, total(b.select(large, parts, zero)))
    return (b.select(large, b.sub(b.chain(dot, rest), others), b.sub(dot, mean)),)


SHARE = _first_of("share", 2, _share_adjoint, _share_tangent)
LOG_SHARE = _first_of("log_share", 4, _log_share_adjoint, _log_share_tangent)
