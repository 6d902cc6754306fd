"""Elementwise ops: equal shapes in, the same shape out.

``scalar`` is the expression for one element, in a small language that every backend
reads: Python arithmetic, comparisons and conditional expressions over the operands
``{0}``, ``{1}``, ..., and functions by name; `backends.scalars` says how it is read. A
backend casts the result of each op to the dtype of its value.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..types import COMPLEX, DTYPES, FLOATS, INEXACT, TensorType
from .spec import (
    DTYPE,
    EVERY,
    NONDIFFERENTIABLE,
    Adjoint,
    Kind,
    NonDifferentiable,
    OpDef,
    register,
    require,
    require_dtype,
)

if TYPE_CHECKING:
    from ..builder import Builder
    from ..graph import Node

INTEGERS = tuple(name for name in DTYPES if name[0] in "iu")
BOOL = ("bool",)
REALS = (*INTEGERS, *FLOATS)
NUMBERS = (*REALS, *COMPLEX)
ORDERED = (*BOOL, *REALS)
ANY = tuple(DTYPES)


def elementwise(
    name: str,
    arity: int,
    reference: Callable[..., Any],
    scalar: str,
    adjoint: Adjoint | NonDifferentiable,
    *,
    dtypes: tuple[str, ...] = FLOATS,
    result: str | None = None,
    constant_slots: tuple[int, ...] = (),
    slope_of: str | None = None,
    linear: tuple[tuple[int, ...], ...] = (),
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
            kind=Kind.ELEMENTWISE,
            scalar=scalar,
            slope_of=slope_of,
            linear=linear,
        )
    )


def reciprocal(b: Builder, x: Node) -> Node:
    """``1 / x``."""
    return b.div(b.like(x, 1.0), x)


NEG = elementwise(
    "neg",
    1,
    np.negative,
    "-{0}",
    lambda b, n, g, x: (b.neg(g),),
    dtypes=NUMBERS,
    linear=(EVERY,),
)
ABS = elementwise(
    "abs",
    1,
    np.abs,
    "absolute({0})",
    lambda b, n, g, x: (b.chain(g, b.sign(x)),),
    dtypes=REALS,
)
SIGN = elementwise(
    "sign",
    1,
    np.sign,
    "(1 if {0} > 0 else (-1 if {0} < 0 else (0 if {0} == 0 else {0})))",
    NONDIFFERENTIABLE,
    dtypes=REALS,
)

ADD = elementwise(
    "add",
    2,
    np.add,
    "{0} + {1}",
    lambda b, n, g, x, y: (g, g),
    dtypes=NUMBERS,
    linear=(EVERY,),
)
SUB = elementwise(
    "sub",
    2,
    np.subtract,
    "{0} - {1}",
    lambda b, n, g, x, y: (g, b.neg(g)),
    dtypes=NUMBERS,
    linear=(EVERY,),
)
MUL = elementwise(
    "mul",
    2,
    np.multiply,
    "{0} * {1}",
    lambda b, n, g, x, y: (b.chain(g, b.conj(y)), b.chain(g, b.conj(x))),
    dtypes=NUMBERS,
    linear=((0,), (1,)),
)


def by_parts(
    product: Callable[[Any, Any], Any], x: Any, y: Any, dtype: np.dtype[Any]
) -> Any:
    """The complex product of x and y, made of four products of their parts."""
    made = np.empty(np.shape(x), dtype)
    made.real = product(x.real, y.real) - product(x.imag, y.imag)
    made.imag = product(x.real, y.imag) + product(x.imag, y.real)
    return made


def chain_reference(g: Any, d: Any) -> Any:
    """The reference of ``chain``."""
    g, d = np.asarray(g), np.asarray(d)
    if g.dtype.kind == "c":
        return by_parts(chain_reference, g, d, g.dtype)
    product = np.multiply(g, d)
    return np.where((g == 0) & np.isnan(product), np.zeros_like(product), product)


def _chain_both(g: Any, h: Any) -> Any:
    g, h = np.asarray(g), np.asarray(h)
    if g.dtype.kind == "c":
        return by_parts(_chain_both, g, h, g.dtype)
    return np.where(h == 0, chain_reference(h, g), chain_reference(g, h))


CHAIN = elementwise(
    "chain",
    2,
    chain_reference,
    "chain({0}, {1})",
    lambda b, n, h, g, d: (b.chain(h, b.conj(d)), b.chain_both(h, b.conj(g))),
    dtypes=INEXACT,
    linear=((0,), (1,)),
)
CHAIN_BOTH = elementwise(
    "chain_both",
    2,
    _chain_both,
    "chain_both({0}, {1})",
    lambda b, n, k, g, h: (
        b.chain_both(k, b.conj(h)),
        b.chain_both(k, b.conj(g)),
    ),
    dtypes=INEXACT,
    linear=((0,), (1,)),
)


def _div_adjoint(b: Builder, n: Node, g: Node, x: Node, y: Node) -> tuple[Node, Node]:
    divisor = b.literal(y)
    plain = divisor is not None and divisor != 0 and math.isfinite(divisor)
    turned = b.conj(y)
    x_bar = b.div(g, turned) if plain else b.chain(g, reciprocal(b, turned))
    return x_bar, b.neg(b.chain(g, b.conj(b.div(n, y))))


DIV = elementwise(
    "div",
    2,
    np.true_divide,
    "{0} / {1}",
    _div_adjoint,
    dtypes=INEXACT,
    linear=((0,),),
)
FLOOR_DIVIDE = elementwise(
    "floor_divide",
    2,
    np.floor_divide,
    "floor_divide({0}, {1})",
    NONDIFFERENTIABLE,
    dtypes=REALS,
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
    dtypes=REALS,
)
FMOD = elementwise("fmod", 2, np.fmod, "fmod({0}, {1})", _fmod_adjoint, dtypes=REALS)

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
        dtypes=BOOL,
    )
for _name, _sign in (("and", "&"), ("or", "|"), ("xor", "^")):
    elementwise(
        f"bitwise_{_name}",
        2,
        getattr(np, f"bitwise_{_name}"),
        f"{{0}} {_sign} {{1}}",
        NONDIFFERENTIABLE,
        dtypes=INTEGERS,
    )
LOGICAL_NOT = elementwise(
    "logical_not", 1, np.logical_not, "not {0}", NONDIFFERENTIABLE, dtypes=BOOL
)
INVERT = elementwise("invert", 1, np.invert, "~{0}", NONDIFFERENTIABLE, dtypes=INTEGERS)
for _side in ("left", "right"):
    elementwise(
        f"{_side}_shift",
        2,
        getattr(np, f"{_side}_shift"),
        f"{_side}_shift({{0}}, {{1}})",
        NONDIFFERENTIABLE,
        dtypes=INTEGERS,
    )


def _cast_type(x: TensorType, *, dtype: str) -> TensorType:
    return x.with_dtype(dtype)


def _cast(x: Any, *, dtype: str) -> Any:
    """``astype``; floats become integers as NumPy's scalar code on x86-64 makes them.

    A complex number becomes a real one by its real part.

    In C a float outside of the integer's range is undefined, and NumPy's answer depends
    on the processor and on the number of elements. Ours is one: by way of `int32` to
    the integers of 8 and 16 bits, by way of `int64` to `uint32`; and `uint64` is an
    `int64` to which 2^63 is added behind the conversion, not before.
    """
    x = np.asarray(x)
    if x.dtype.kind == "c" and dtype in REALS:
        x = x.real
    if x.dtype.kind != "f" or dtype not in INTEGERS:
        return x.astype(DTYPES[dtype])
    if dtype == "u64":
        upper = x >= 2.0**63
        rest = _signed(np.where(upper, x - 2.0**63, x), "i64").astype(np.uint64)
        return np.where(upper, rest ^ np.uint64(2**63), rest)
    wide = "i64" if dtype in ("i64", "u32") else "i32"
    return _signed(x, wide).astype(DTYPES[dtype])


def _signed(x: Any, dtype: str) -> Any:
    """Floats without their fractions; the lowest integer for what is none."""
    lowest = np.iinfo(DTYPES[dtype].name).min
    inside = np.abs(x) < -float(lowest)
    return np.where(inside, np.where(inside, x, 0).astype(DTYPES[dtype]), lowest)


def _cast_adjoint(
    b: Builder, n: Node, g: Node, x: Node, *, dtype: str
) -> tuple[Node | None]:
    """A real x gets the real part; what x lost of its imaginary part is 0."""
    return (b.cast(g, x.type.dtype) if x.type.has_gradient else None,)


CAST = register(
    OpDef(
        "cast",
        1,
        _cast_type,
        _cast,
        _cast_adjoint,
        {"dtype": DTYPE},
        kind=Kind.ELEMENTWISE,
        scalar="{0}",
        linear=((0,),),
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
        kind=Kind.ELEMENTWISE,
        scalar="{0}",
        linear=(EVERY,),
    )
)
STOP_GRADIENT = register(
    OpDef(
        "stop_gradient",
        1,
        _same,
        np.copy,
        NONDIFFERENTIABLE,
        kind=Kind.ELEMENTWISE,
        scalar="{0}",
    )
)
STRAIGHT_THROUGH = elementwise(  # the value of one operand, the derivative of another
    "straight_through",
    2,
    lambda x, y: np.copy(x),
    "{0}",
    lambda b, n, g, x, y: (None, g),
    dtypes=INEXACT,
    constant_slots=(0,),
)


def _add_n_type(*types: TensorType) -> TensorType:
    first = types[0]
    require(all(t == first for t in types), "add_n", "the contributions differ in type")
    require_dtype(first.dtype in NUMBERS, "add_n", f"does not take {first}")
    return first


def _add_n(*terms: Any) -> Any:
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
        variadic=True,
        kind=Kind.ELEMENTWISE,
        scalar=" + ",
        linear=(EVERY,),
    )
)
