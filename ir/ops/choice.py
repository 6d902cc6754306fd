"""Elementwise choices: comparisons, the larger and the smaller, ``select``.

At a tie both sides get half of the cotangent. What was not chosen gets exactly 0, by
selection and not by a product, for the cotangent may be infinite.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..types import TensorType
from .elementwise import ANY, ORDERED, elementwise
from .spec import NONDIFFERENTIABLE, Kind, OpDef, register, require, require_dtype

if TYPE_CHECKING:
    from ..builder import Builder
    from ..graph import Node


def _maximum_adjoint(
    b: Builder, n: Node, g: Node, x: Node, y: Node
) -> tuple[Node, Node]:
    return b.pick(g, x, y), b.pick(g, y, x)


def _minimum_adjoint(
    b: Builder, n: Node, g: Node, x: Node, y: Node
) -> tuple[Node, Node]:
    return b.pick(g, y, x), b.pick(g, x, y)


def _pick(g: Any, x: Any, y: Any) -> Any:
    """All of g where x > y, half of it where they are equal; NaN beside a NaN."""
    zero = np.zeros_like(g)
    unordered = np.where(g == 0, zero, np.asarray(x) + y)
    tied = np.where(x == y, 0.5 * g, unordered)
    return np.where(x > y, g, np.where(x < y, zero, tied))


PICK = elementwise(
    "pick",
    3,
    _pick,
    "({0} if {1} > {2} else (0.0 if {1} < {2} else "
    "(0.5 * {0} if {1} == {2} else (0.0 if {0} == 0.0 else {1} + {2}))))",
    lambda b, n, h, g, x, y: (b.pick(h, x, y), None, None),
    constant_slots=(1, 2),
    linear=((0,),),
)
MAXIMUM = elementwise(
    "maximum",
    2,
    np.maximum,
    "({0} if {0} >= {1} or {0} != {0} else {1})",
    _maximum_adjoint,
    dtypes=ORDERED,
)
MINIMUM = elementwise(
    "minimum",
    2,
    np.minimum,
    "({0} if {0} <= {1} or {0} != {0} else {1})",
    _minimum_adjoint,
    dtypes=ORDERED,
)


def _numeric_share(
    b: Builder, g: Node, x: Node, y: Node, larger: Node, smaller: Node
) -> Node:
    """What x gets of fmax(x, y) or fmin(x, y): all of it where y is NaN."""
    zero = b.like(g, 0.0)
    either = b.select(b.isnan(x), zero, b.pick(g, larger, smaller))
    return b.select(b.isnan(y), g, either)


FMAX = elementwise(
    "fmax",
    2,
    np.fmax,
    "({0} if {0} >= {1} or {1} != {1} else {1})",
    lambda b, n, g, x, y: (
        _numeric_share(b, g, x, y, x, y),
        _numeric_share(b, g, y, x, y, x),
    ),
)
FMIN = elementwise(
    "fmin",
    2,
    np.fmin,
    "({0} if {0} <= {1} or {1} != {1} else {1})",
    lambda b, n, g, x, y: (
        _numeric_share(b, g, x, y, y, x),
        _numeric_share(b, g, y, x, x, y),
    ),
)


HEAVISIDE = elementwise(
    "heaviside",
    2,
    np.heaviside,
    "({0} if {0} != {0} else (0.0 if {0} < 0.0 else ({1} if {0} == 0.0 else 1.0)))",
    lambda b, n, g, x, y: (
        None,
        b.select(b.eq(x, b.like(x, 0.0)), g, b.like(g, 0.0)),
    ),
    constant_slots=(0,),
)

for _name, _function, _sign in (
    ("eq", np.equal, "=="),
    ("ne", np.not_equal, "!="),
    ("lt", np.less, "<"),
    ("le", np.less_equal, "<="),
    ("gt", np.greater, ">"),
    ("ge", np.greater_equal, ">="),
):
    elementwise(
        _name,
        2,
        _function,
        f"{{0}} {_sign} {{1}}",
        NONDIFFERENTIABLE,
        dtypes=ANY if _name in ("eq", "ne") else ORDERED,
        result="bool",
    )


def _select_type(c: TensorType, x: TensorType, y: TensorType) -> TensorType:
    require_dtype(c.dtype == "bool", "select", f"the condition is {c}, not bool")
    require(c.shape == x.shape == y.shape, "select", f"{c}, {x} and {y} differ")
    require_dtype(x.dtype == y.dtype, "select", f"{x} and {y} differ")
    return x


def _select_adjoint(
    b: Builder, n: Node, g: Node, c: Node, x: Node, y: Node
) -> tuple[None, Node, Node]:
    zero = b.like(g, 0.0)
    return None, b.select(c, g, zero), b.select(c, zero, g)


SELECT = register(
    OpDef(
        "select",
        3,
        _select_type,
        np.where,
        _select_adjoint,
        constant_slots=(0,),
        kind=Kind.ELEMENTWISE,
        scalar="({1} if {0} else {2})",
        linear=((1, 2),),
    )
)
