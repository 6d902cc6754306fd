"""Complex numbers: what ufuncs do with them, their parts, and warnings about them.

A function of a complex z that no op computes is made of its real and imaginary part,
by NumPy's own formula, so that it has NumPy's special values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...ir.builder import Builder
from ...ir.graph import Node
from ...ir.ops.complex import magnitude
from ..tracing.lowerings import lowers
from ..tracing.running import is_traced
from ..tracing.trace import Trace
from ..tracing.tracer import SET_IMAG, SET_REAL

__all__ = ["ON_COMPLEX", "by_parts", "number", "square_of_size", "with_imaginary"]


def by_parts(b: Builder, function: Callable[[Node], Node], z: Node) -> Node:
    """A function of floats, of the real and of the imaginary part."""
    return b.complex(function(b.real(z)), function(b.imag(z)))


def number(b: Builder, node: Node) -> bool | int | float | None:
    """The real number that a constant is, whatever its dtype."""
    value = node.attrs["value"] if node.op == "const" else None
    if isinstance(value, complex):
        return value.real if value.imag == 0 else None
    return b.literal(node)


def square_of_size(b: Builder, z: Node) -> Node:
    """``|z|^2``, a float."""
    x, y = b.real(z), b.imag(z)
    return b.add(b.mul(x, x), b.mul(y, y))


def _sign(b: Builder, z: Node) -> Node:
    """``z / |z|``, 0 at 0; the axis of a part that alone is infinite."""
    parts = b.real(z), b.imag(z)
    zero, nan = b.like(parts[0], 0.0), b.like(parts[0], np.nan)
    ends = [b.isinf(part) for part in parts]
    nothing = b.logical_and(*(b.eq(part, zero) for part in parts))
    made: list[Node] = []
    for (x, y), end in zip((parts, parts[::-1]), ends, strict=True):
        along = b.select(end, b.sign(x), zero)
        infinite = b.select(b.logical_and(*ends), nan, along)
        finite = b.select(nothing, zero, b.cosine(x, y))
        made.append(b.select(b.logical_or(*ends), infinite, finite))
    return b.complex(*made)


def _less(b: Builder, x: Node, y: Node, *, or_equal: bool) -> Node:
    """The order of NumPy: by the real parts, then by the imaginary ones.

    Nothing is less than a number of which a part is NaN, nor is that less.
    """
    (a, c), (p, q) = ((b.real(z), b.imag(z)) for z in (x, y))
    ordered = b.logical_not(b.logical_or(b.isnan(c), b.isnan(q)))
    tie = b.le(c, q) if or_equal else b.lt(c, q)
    first = b.logical_and(b.lt(a, p), ordered)
    return b.logical_or(first, b.logical_and(b.eq(a, p), tie))


def _chosen(b: Builder, x: Node, y: Node, order: Node, nan_wins: bool) -> Node:
    """X where ``order`` says so, or where a NaN decides."""
    if nan_wins:
        return b.select(b.logical_or(order, b.isnan(x)), x, y)
    return b.select(b.logical_or(order, b.isnan(y)), x, y)


ON_COMPLEX: dict[str, Callable[..., Node]] = {
    "abs": magnitude,
    "sign": _sign,
    "identity": lambda b, z: b.identity(z),
    "rint": lambda b, z: by_parts(b, b.rint, z),
    "lt": lambda b, x, y: _less(b, x, y, or_equal=False),
    "le": lambda b, x, y: _less(b, x, y, or_equal=True),
    "gt": lambda b, x, y: _less(b, y, x, or_equal=False),
    "ge": lambda b, x, y: _less(b, y, x, or_equal=True),
    "maximum": lambda b, x, y: _chosen(b, x, y, _less(b, y, x, or_equal=True), True),
    "minimum": lambda b, x, y: _chosen(b, x, y, _less(b, x, y, or_equal=True), True),
    "fmax": lambda b, x, y: _chosen(b, x, y, _less(b, y, x, or_equal=True), False),
    "fmin": lambda b, x, y: _chosen(b, x, y, _less(b, x, y, or_equal=True), False),
    "float_power": lambda b, x, y: b.power(x, y),
}
"""What ufuncs are made of where their op does not take complex numbers."""


def _is_complex(x: Any) -> bool:
    return np.dtype(getattr(x, "dtype", type(x))).kind == "c"


@lowers(np.conjugate)
def _conjugate(trace: Trace, x: Any, operator: bool = False) -> Any:
    node = trace.node(trace.array(x))
    b = trace.builder
    weak = is_traced(x) and x.weak and operator
    if node.type.dtype == "bool":  # as NumPy's ufunc has it
        node = b.cast(node, "i8")
    return trace.wrap(b.conj(node) if node.type.is_complex else b.identity(node), weak)


@lowers(np.real, view=True)
def _real(trace: Trace, val: Any) -> Any:
    x = trace.array(val)
    return trace.wrap(trace.builder.real(trace.node(x))) if _is_complex(x) else x


@lowers(np.imag, view=True)
def _imag(trace: Trace, val: Any) -> Any:
    x = trace.array(val)
    if _is_complex(x):
        return trace.wrap(trace.builder.imag(trace.node(x)))
    return np.zeros_like(x)


def with_imaginary(x: Any, y: Any) -> Any:
    """The complex array of two real ones, of which one is traced."""
    x, y = np.broadcast_arrays(x, y)
    dtype = np.result_type(x.dtype, y.dtype, np.float32)
    [traced] = [z for z in (x, y) if is_traced(z)][:1]
    trace: Trace = traced.owner.innermost
    parts = [trace.node(z, "f32" if dtype == np.float32 else "f64") for z in (x, y)]
    return trace.wrap(trace.builder.complex(*parts))


@lowers(SET_REAL)
def _set_real(trace: Trace, x: Any, value: Any) -> None:
    x[...] = with_imaginary(value, x.imag) if _is_complex(x) else value


@lowers(SET_IMAG)
def _set_imag(trace: Trace, x: Any, value: Any) -> None:
    if not _is_complex(x):
        raise TypeError("the imaginary part of a real array cannot be set")
    x[...] = with_imaginary(x.real, value)


@lowers(np.angle)
def _angle(trace: Trace, z: Any, deg: bool = False) -> Any:
    z = trace.array(z)
    zero = z.dtype.type(0)
    parts = (z.imag, z.real) if _is_complex(z) else (zero, z)
    found = np.arctan2(*parts)
    return found * (180 / np.pi) if deg else found


@lowers(np.iscomplexobj)
def _iscomplexobj(trace: Trace, x: Any) -> bool:
    return _is_complex(trace.array(x))


@lowers(np.isrealobj)
def _isrealobj(trace: Trace, x: Any) -> bool:
    return not _is_complex(trace.array(x))


@lowers(np.iscomplex)
def _iscomplex(trace: Trace, x: Any) -> Any:
    return np.not_equal(np.imag(trace.array(x)), 0)


@lowers(np.isreal)
def _isreal(trace: Trace, x: Any) -> Any:
    return np.equal(np.imag(trace.array(x)), 0)
