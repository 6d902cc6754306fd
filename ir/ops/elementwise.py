"""Elementwise ops: equal shapes in, the same shape out.

``scalar`` is the expression for one element, in a small language that every backend
reads: Python arithmetic, comparisons and conditional expressions over the operands
``{0}``, ``{1}``, ..., and the functions of `backends.numba.scalar`. A backend casts
the result of each op to the dtype of its value.

Wherever a cotangent is multiplied by a derivative the rule uses ``chain``: g * d, but
0 where g is 0 although d is infinite or NaN. That is what keeps the branch that
``where`` did not take from poisoning the gradient.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from ..types import DTYPES, TensorType
from .spec import (
    DTYPE,
    NONDIFFERENTIABLE,
    READS,
    Adjoint,
    NonDifferentiable,
    OpDef,
    register,
    require,
    require_dtype,
)

if TYPE_CHECKING:
    from ..builder import Builder
    from ..graph import Node

_INTEGERS = tuple(name for name in DTYPES if name[0] in "iu")
_FLOATS = ("f32", "f64")
_BOOL = ("bool",)
_LOGIC = (*_BOOL, *_INTEGERS)
_NUMBERS = (*_INTEGERS, *_FLOATS)
_ANY = tuple(DTYPES)


def elementwise(
    name: str,
    arity: int,
    reference: Callable[..., Any],
    scalar: str,
    adjoint: Adjoint | NonDifferentiable,
    *,
    dtypes: tuple[str, ...] = _FLOATS,
    result: str | None = None,
    constant_slots: tuple[int, ...] = (),
) -> OpDef:
    """Register an op whose operands share one type among ``dtypes``.

    The value has the operands' type, or the dtype ``result``.
    """

    def type_rule(*types: TensorType) -> TensorType:
        first = types[0]
        for other in types[1:]:
            require(other.shape == first.shape, name, f"{first} and {other} differ")
            require_dtype(other.dtype == first.dtype, name, f"{first} and {other}")
        require_dtype(first.dtype in dtypes, name, f"does not take {first}")
        return first if result is None else first.with_dtype(result)

    return register(
        OpDef(
            name,
            arity,
            type_rule,
            reference,
            adjoint,
            constant_slots=constant_slots,
            scalar=scalar,
        )
    )


def unary(
    name: str, derivative: Callable[[Builder, Node, Node], Node], reference: Any = None
) -> OpDef:
    """Register a float function; ``derivative(b, y, x)`` is y' in terms of x and y."""

    def adjoint(b: Builder, n: Node, g: Node, x: Node) -> tuple[Node]:
        return (b.chain(g, derivative(b, n, x)),)

    function = reference or getattr(np, name)
    return elementwise(name, 1, function, f"{name}({{0}})", adjoint)


def _reciprocal(b: Builder, x: Node) -> Node:
    return b.div(b.like(x, 1.0), x)


def _scaled(b: Builder, x: Node, factor: float) -> Node:
    return b.mul(x, b.like(x, factor))


def _one_minus_square(b: Builder, x: Node) -> Node:
    return b.sub(b.like(x, 1.0), b.mul(x, x))


def _one_plus_square(b: Builder, x: Node) -> Node:
    return b.add(b.like(x, 1.0), b.mul(x, x))


LN2, LN10 = math.log(2.0), math.log(10.0)

EXP = unary("exp", lambda b, y, x: y)
EXP2 = unary("exp2", lambda b, y, x: _scaled(b, y, LN2))
EXPM1 = unary("expm1", lambda b, y, x: b.add(y, b.like(y, 1.0)))
LOG = unary("log", lambda b, y, x: _reciprocal(b, x))
LOG2 = unary("log2", lambda b, y, x: _reciprocal(b, _scaled(b, x, LN2)))
LOG10 = unary("log10", lambda b, y, x: _reciprocal(b, _scaled(b, x, LN10)))
LOG1P = unary("log1p", lambda b, y, x: _reciprocal(b, b.add(x, b.like(x, 1.0))))
SQRT = unary("sqrt", lambda b, y, x: b.div(b.like(y, 0.5), y))
CBRT = unary("cbrt", lambda b, y, x: b.div(b.like(y, 1 / 3), b.mul(y, y)))
SIN = unary("sin", lambda b, y, x: b.cos(x))
COS = unary("cos", lambda b, y, x: b.neg(b.sin(x)))
TAN = unary("tan", lambda b, y, x: _one_plus_square(b, y))
ARCSIN = unary(
    "arcsin", lambda b, y, x: _reciprocal(b, b.sqrt(_one_minus_square(b, x)))
)
ARCCOS = unary(
    "arccos", lambda b, y, x: b.neg(_reciprocal(b, b.sqrt(_one_minus_square(b, x))))
)
ARCTAN = unary("arctan", lambda b, y, x: _reciprocal(b, _one_plus_square(b, x)))
SINH = unary("sinh", lambda b, y, x: b.cosh(x))
COSH = unary("cosh", lambda b, y, x: b.sinh(x))
TANH = unary("tanh", lambda b, y, x: _one_minus_square(b, y))
ARCSINH = unary(
    "arcsinh", lambda b, y, x: _reciprocal(b, b.sqrt(_one_plus_square(b, x)))
)
ARCCOSH = unary(
    "arccosh",
    lambda b, y, x: _reciprocal(
        b,
        b.mul(
            b.sqrt(b.sub(x, b.like(x, 1.0))),
            b.sqrt(b.add(x, b.like(x, 1.0))),
        ),
    ),
)
ARCTANH = unary("arctanh", lambda b, y, x: _reciprocal(b, _one_minus_square(b, x)))
ERF = unary(
    "erf",
    lambda b, y, x: _scaled(b, b.exp(b.neg(b.mul(x, x))), 2 / math.sqrt(math.pi)),
    special.erf,
)
SIGMOID = elementwise(
    "sigmoid",
    1,
    special.expit,
    "1.0 / (1.0 + exp(-{0}))",
    lambda b, n, g, x: (b.chain(g, b.mul(n, b.sub(b.like(n, 1.0), n))),),
)

NEG = elementwise(
    "neg", 1, np.negative, "-{0}", lambda b, n, g, x: (b.neg(g),), dtypes=_NUMBERS
)
ABS = elementwise(
    "abs",
    1,
    np.abs,
    "absolute({0})",
    lambda b, n, g, x: (b.chain(g, b.sign(x)),),
    dtypes=_NUMBERS,
)
SIGN = elementwise(
    "sign",
    1,
    np.sign,
    "(1 if {0} > 0 else (-1 if {0} < 0 else (0 if {0} == 0 else {0})))",
    NONDIFFERENTIABLE,
    dtypes=_NUMBERS,
)
for _name in ("floor", "ceil", "trunc", "rint"):
    elementwise(_name, 1, getattr(np, _name), f"{_name}({{0}})", NONDIFFERENTIABLE)
for _name in ("isnan", "isinf", "isfinite", "signbit"):
    elementwise(
        _name,
        1,
        getattr(np, _name),
        f"{_name}({{0}})",
        NONDIFFERENTIABLE,
        result="bool",
    )

ADD = elementwise(
    "add", 2, np.add, "{0} + {1}", lambda b, n, g, x, y: (g, g), dtypes=_NUMBERS
)
SUB = elementwise(
    "sub",
    2,
    np.subtract,
    "{0} - {1}",
    lambda b, n, g, x, y: (g, b.neg(g)),
    dtypes=_NUMBERS,
)
MUL = elementwise(
    "mul",
    2,
    np.multiply,
    "{0} * {1}",
    lambda b, n, g, x, y: (b.chain(g, y), b.chain(g, x)),
    dtypes=_NUMBERS,
)


def _chain_adjoint(b: Builder, n: Node, h: Node, g: Node, d: Node) -> tuple[Node, Node]:
    return b.chain(h, d), b.chain(h, g)


def _chain(g: Any, d: Any) -> Any:
    product = np.multiply(g, d)
    return np.where((g == 0) & np.isnan(product), np.zeros_like(product), product)


CHAIN = elementwise("chain", 2, _chain, "chain({0}, {1})", _chain_adjoint)


def _div_adjoint(b: Builder, n: Node, g: Node, x: Node, y: Node) -> tuple[Node, Node]:
    divisor = b.literal(y)
    plain = divisor is not None and divisor != 0 and math.isfinite(divisor)
    x_bar = b.div(g, y) if plain else b.chain(g, _reciprocal(b, y))
    return x_bar, b.neg(b.chain(g, b.div(n, y)))


DIV = elementwise("div", 2, np.true_divide, "{0} / {1}", _div_adjoint)
FLOOR_DIVIDE = elementwise(
    "floor_divide",
    2,
    np.floor_divide,
    "floor_divide({0}, {1})",
    NONDIFFERENTIABLE,
    dtypes=_NUMBERS,
)


def _remainder_adjoint(
    b: Builder, n: Node, g: Node, x: Node, y: Node
) -> tuple[Node, Node]:
    """``x - y * floor(x / y)``"""
    return g, b.neg(b.chain(g, b.floor_divide(x, y)))


def _fmod_adjoint(b: Builder, n: Node, g: Node, x: Node, y: Node) -> tuple[Node, Node]:
    return g, b.neg(b.chain(g, b.trunc(b.div(x, y))))


REMAINDER = elementwise(
    "remainder",
    2,
    np.remainder,
    "remainder({0}, {1})",
    _remainder_adjoint,
    dtypes=_NUMBERS,
)
FMOD = elementwise("fmod", 2, np.fmod, "fmod({0}, {1})", _fmod_adjoint, dtypes=_NUMBERS)


def _power_adjoint(b: Builder, n: Node, g: Node, x: Node, y: Node) -> tuple[Node, Node]:
    """``x.bar = y x^(y-1)``, 0 for y = 0; ``y.bar = x^y log x``, 0 where 0^y is."""
    zero, one = b.like(x, 0.0), b.like(x, 1.0)
    slope = b.mul(y, b.power(x, b.sub(y, one)))
    x_bar = b.select(b.eq(y, zero), zero, b.chain(g, slope))
    is_zero = b.logical_and(b.eq(x, zero), b.ge(y, zero))
    log_x = b.log(b.select(is_zero, one, x))
    return x_bar, b.chain(g, b.chain(log_x, n))


POWER = elementwise(
    "power", 2, np.power, "power({0}, {1})", _power_adjoint, dtypes=_NUMBERS
)


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
)
MAXIMUM = elementwise(
    "maximum",
    2,
    np.maximum,
    "({0} if {0} >= {1} or {0} != {0} else {1})",
    _maximum_adjoint,
    dtypes=_ANY,
)
MINIMUM = elementwise(
    "minimum",
    2,
    np.minimum,
    "({0} if {0} <= {1} or {0} != {0} else {1})",
    _minimum_adjoint,
    dtypes=_ANY,
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


def _arctan2_adjoint(
    b: Builder, n: Node, g: Node, y: Node, x: Node
) -> tuple[Node, Node]:
    squares = b.add(b.mul(x, x), b.mul(y, y))
    return b.chain(g, b.div(x, squares)), b.neg(b.chain(g, b.div(y, squares)))


ARCTAN2 = elementwise("arctan2", 2, np.arctan2, "arctan2({0}, {1})", _arctan2_adjoint)


def _hypot_adjoint(b: Builder, n: Node, g: Node, x: Node, y: Node) -> tuple[Node, Node]:
    """``x / n`` and ``y / n``, 0 at the origin as for the absolute value."""
    zero = b.like(n, 0.0)
    origin = b.eq(n, zero)
    return (
        b.chain(g, b.select(origin, zero, b.div(x, n))),
        b.chain(g, b.select(origin, zero, b.div(y, n))),
    )


HYPOT = elementwise("hypot", 2, np.hypot, "hypot({0}, {1})", _hypot_adjoint)
LOGADDEXP = elementwise(
    "logaddexp",
    2,
    np.logaddexp,
    "logaddexp({0}, {1})",
    lambda b, n, g, x, y: (
        b.chain(g, b.exp(b.sub(x, n))),
        b.chain(g, b.exp(b.sub(y, n))),
    ),
)
LOGADDEXP2 = elementwise(
    "logaddexp2",
    2,
    np.logaddexp2,
    "logaddexp2({0}, {1})",
    lambda b, n, g, x, y: (
        b.chain(g, b.exp2(b.sub(x, n))),
        b.chain(g, b.exp2(b.sub(y, n))),
    ),
)
COPYSIGN = elementwise(
    "copysign",
    2,
    np.copysign,
    "copysign({0}, {1})",
    lambda b, n, g, x, y: (
        b.chain(g, b.mul(b.sign(x), b.copysign(b.like(y, 1.0), y))),
        None,
    ),
    constant_slots=(1,),
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
        dtypes=_ANY,
        result="bool",
    )
for _name, _scalar in (
    ("and", "{0} and {1}"),
    ("or", "{0} or {1}"),
    ("xor", "{0} != {1}"),
):
    elementwise(
        f"logical_{_name}",
        2,
        getattr(np, f"logical_{_name}"),
        _scalar,
        NONDIFFERENTIABLE,
        dtypes=_BOOL,
    )
for _name, _sign in (("and", "&"), ("or", "|"), ("xor", "^")):
    elementwise(
        f"bitwise_{_name}",
        2,
        getattr(np, f"bitwise_{_name}"),
        f"{{0}} {_sign} {{1}}",
        NONDIFFERENTIABLE,
        dtypes=_INTEGERS,
    )
LOGICAL_NOT = elementwise(
    "logical_not", 1, np.logical_not, "not {0}", NONDIFFERENTIABLE, dtypes=_BOOL
)
INVERT = elementwise(
    "invert", 1, np.invert, "~{0}", NONDIFFERENTIABLE, dtypes=_INTEGERS
)
for _side in ("left", "right"):
    elementwise(
        f"{_side}_shift",
        2,
        getattr(np, f"{_side}_shift"),
        f"{_side}_shift({{0}}, {{1}})",
        NONDIFFERENTIABLE,
        dtypes=_INTEGERS,
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
        scalar="({1} if {0} else {2})",
    )
)


def _cast_type(x: TensorType, *, dtype: str) -> TensorType:
    return x.with_dtype(dtype)


def _cast(x: Any, *, dtype: str) -> Any:
    return np.asarray(x).astype(DTYPES[dtype])


def _cast_adjoint(b: Builder, n: Node, g: Node, x: Node) -> tuple[Node | None]:
    return (b.cast(g, x.type.dtype) if x.type.is_float else None,)


CAST = register(
    OpDef(
        "cast",
        1,
        _cast_type,
        _cast,
        _cast_adjoint,
        {"dtype": DTYPE},
        scalar="{0}",
    )
)


def _same(x: TensorType) -> TensorType:
    return x


IDENTITY = register(
    OpDef(
        "identity",
        1,
        _same,
        np.copy,
        lambda b, n, g, x: (g,),
        scalar="{0}",
    )
)
STOP_GRADIENT = register(
    OpDef("stop_gradient", 1, _same, np.copy, NONDIFFERENTIABLE, scalar="{0}")
)


def _add_n_type(
    *types: TensorType, reads: tuple[tuple[str, int], ...] = ()
) -> TensorType:
    first = types[0]
    require(all(t == first for t in types), "add_n", "the contributions differ in type")
    require_dtype(first.dtype in _NUMBERS, "add_n", f"does not take {first}")
    return first


def _add_n(*terms: Any, reads: tuple[tuple[str, int], ...] = ()) -> Any:
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


ADD_N = register(
    OpDef(
        "add_n",
        1,
        _add_n_type,
        _add_n,
        lambda b, n, g, *terms: (g,) * len(terms),
        {"reads": READS},
        optional=("reads",),
        scalar=" + ",
        variadic=True,
    )
)
