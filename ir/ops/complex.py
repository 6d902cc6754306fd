"""The parts of complex numbers.

A cotangent of a complex value z is dL/dRe(z) + i dL/dIm(z) for a real loss L: a small
step against it makes L smaller. So the adjoint of a product with d is one with the
conjugate of d, and the real part's cotangent is a real one without an imaginary part.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..literals import NO_ATTRS
from ..types import COMPLEX_OF, TensorType
from .mapped import same
from .spec import EVERY, OPS, TEXT, OpDef, register, require, require_dtype

if TYPE_CHECKING:
    from ..builder import Builder
    from ..graph import Node

__all__ = [
    "COMPLEX_OP",
    "CONJ",
    "IMAG",
    "OF_COMPLEX",
    "REAL",
    "RECIPROCAL",
    "magnitude",
]


def magnitude(b: Builder, x: Node) -> Node:
    """The absolute values, floats."""
    return b.hypot(b.real(x), b.imag(x)) if x.type.is_complex else b.abs(x)


def _conj_type(z: TensorType) -> TensorType:
    require_dtype(z.is_complex, "conj", f"takes complex numbers, not {z}")
    return z


CONJ = register(
    OpDef(
        "conj",
        1,
        _conj_type,
        np.conjugate,
        lambda b, n, g, z: (b.conj(g),),
        linear=((0,),),
        vmap=same,
    )
)


def _reciprocal_type(z: TensorType) -> TensorType:
    require_dtype(z.is_complex, "reciprocal", f"takes complex numbers, not {z}")
    return z


def _reciprocal_adjoint(b: Builder, n: Node, g: Node, z: Node) -> tuple[Node]:
    return (b.neg(b.chain(g, b.conj(b.mul(n, n)))),)


RECIPROCAL = register(  # 1 / z in NumPy's own way; of a real x it is a division
    OpDef(
        "reciprocal",
        1,
        _reciprocal_type,
        np.reciprocal,
        _reciprocal_adjoint,
        vmap=same,
    )
)


def _part_type(name: str, z: TensorType) -> TensorType:
    require_dtype(z.is_complex, name, f"takes complex numbers, not {z}")
    return z.part


def _real_adjoint(b: Builder, n: Node, g: Node, z: Node) -> tuple[Node]:
    return (b.complex(g, b.like(g, 0.0)),)


def _imag_adjoint(b: Builder, n: Node, g: Node, z: Node) -> tuple[Node]:
    return (b.complex(b.like(g, 0.0), g),)


REAL = register(
    OpDef(
        "real",
        1,
        lambda z: _part_type("real", z),
        np.real,
        _real_adjoint,
        linear=((0,),),
        vmap=same,
    )
)
IMAG = register(
    OpDef(
        "imag",
        1,
        lambda z: _part_type("imag", z),
        np.imag,
        _imag_adjoint,
        linear=((0,),),
        vmap=same,
    )
)


def _complex_type(x: TensorType, y: TensorType) -> TensorType:
    require(x.shape == y.shape, "complex", f"{x} and {y} differ")
    require_dtype(x == y and x.is_float, "complex", f"{x} and {y} are no floats")
    return x.with_dtype(COMPLEX_OF[x.dtype])


def _complex(x: Any, y: Any) -> Any:
    x = np.asarray(x)
    made = np.empty(x.shape, np.result_type(x.dtype, np.complex64))
    made.real, made.imag = x, y
    return made


def _complex_adjoint(
    b: Builder, n: Node, g: Node, x: Node, y: Node
) -> tuple[Node, Node]:
    return b.real(g), b.imag(g)


def _of_complex_type(*types: TensorType, function: str) -> TensorType:
    record = OPS.get(function)
    known = record is not None and isinstance(record.reference, np.ufunc)
    require_dtype(known, "of_complex", f"{function} is no ufunc")
    require_dtype(types[0].is_complex, "of_complex", f"takes no {types[0]}")
    made = OPS[function].infer(types, NO_ATTRS)
    require(isinstance(made, TensorType), "of_complex", "makes one value")
    return types[0]


def _of_complex(*operands: Any, function: str) -> Any:
    return OPS[function].reference(*operands)


def _of_complex_adjoint(
    b: Builder, n: Node, g: Node, *operands: Node, function: str
) -> tuple[Node | None, ...]:
    rule: Any = OPS[function].adjoint
    return rule(b, n, g, *operands)


OF_COMPLEX = register(  # a function that is computed on complex numbers as they are
    OpDef(
        "of_complex",
        1,
        _of_complex_type,
        _of_complex,
        _of_complex_adjoint,
        {"function": TEXT},
        variadic=True,
        vmap=same,
    )
)
COMPLEX_OP = register(
    OpDef(
        "complex",
        2,
        _complex_type,
        _complex,
        _complex_adjoint,
        linear=(EVERY,),
        vmap=same,
    )
)
