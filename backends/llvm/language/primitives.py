"""The functions that the kernel language has built in: one table, by name.

A call of any other function is that of one which is written in the language, see
`functions`. What vectors, C functions and libm have is described in their modules.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from ...scalars import CASTS
from . import calls, vectors
from .functions import SHORT, TEXTS
from .instructions import Emitter
from .libm import LIBM, beyond, call
from .values import LANES, REGISTERS, SCALARS, Value, literal, vector

if TYPE_CHECKING:
    from .expressions import Expressions

__all__ = ["PRIMITIVES", "is_short"]

OTHER_BITS = {"f64": "i64", "i64": "f64", "f32": "i32", "i32": "f32"}


class Primitive(NamedTuple):
    """How a call is emitted: ``emit(function, *operands)``.

    ``short`` says that it becomes an instruction or two.
    """

    emit: Callable[..., Any]
    short: bool = False


def is_short(name: str) -> bool:
    """Whether a function is an instruction or two, worth to stand in the code twice."""
    return PRIMITIVES[name].short if name in PRIMITIVES else name in SHORT


def _binary(
    function: Emitter, a: Value, b: Value, *, operator: str, flags: str = ""
) -> Value:
    return function.binary(operator, a, b, flags)


def _pointer(
    function: Emitter,
    address: Value,
    label: Value | None = None,
    *,
    dtype: str,
    whole: bool,
) -> Value:
    """The pointer to an address; its label says what it does not overlap."""
    made = function.emit("", f"inttoptr i64 {address.text} to ptr").text
    number = None if label is None else int(label.number or 0)
    return Value(dtype, made, number, whole=whole)


def _settled(function: Emitter, operands: tuple[Value, ...]) -> tuple[Value, ...]:
    """Float operands in one dtype."""
    if len(operands) == 1:
        return (function.settled(operands[0], "f64"),)
    return function.matched(*operands)


def _intrinsic(function: Emitter, *operands: Value, name: str) -> Value:
    """One of LLVM's own functions, which becomes an instruction."""
    settled = _settled(function, operands)
    dtype, lanes = settled[0].dtype, settled[0].lanes
    suffix = settled[0].element if lanes == 1 else f"v{lanes}{settled[0].element}"
    return function.call(f"llvm.{name}.{suffix}", dtype, settled)


def _libm(function: Emitter, *operands: Value, name: str) -> Value:
    return call(function, name, _settled(function, operands))


def _far_by_libm(function: Emitter, x: Value, limit: Value, *, name: str) -> Value:
    """What libm has for x where ``abs(x)`` is above the limit in any lane, else x."""
    x, limit = function.matched(x, limit)
    return beyond(function, x, limit, lambda: call(function, name, [x]))


def _far(function: Expressions, x: Value, limit: Value, *, name: str) -> Value:
    """The same of a function that is written in the language."""
    x, limit = function.matched(x, limit)
    return beyond(function, x, limit, lambda: function.apply(name, [x]))


def _in_f64(function: Expressions, *operands: Value, name: str) -> Value:
    """A function that is written for f64 alone."""
    settled = _settled(function, operands)
    wide = [function.cast(operand, "f64") for operand in settled]
    return function.cast(function.apply(name, wide), settled[0].element)


def _bits(function: Emitter, x: Value) -> Value:
    """The same bits as the integer, or the float, of that width."""
    dtype = vector(OTHER_BITS[x.element], x.lanes)
    line = f"bitcast {REGISTERS[x.dtype]} {x.text} to {REGISTERS[dtype]}"
    return function.emit(dtype, line)


def _width(function: Emitter, x: Value) -> Value:
    return literal(int(x.element[1:]))


def _fmod(function: Expressions, a: Value, b: Value) -> Value:
    if not (a.is_float or a.number is not None):
        return function.apply("fmod", [a, b])
    a, b = function.matched(a, b)
    return function.emit(a.dtype, f"frem {REGISTERS[a.dtype]} {a.text}, {b.text}")


def _truncated(function: Emitter, a: Value, b: Value) -> Value:
    """Integer division towards zero; the divisor is not 0."""
    a, b = function.matched(a, b)
    instruction = "sdiv" if a.dtype[0] == "i" else "udiv"
    line = f"{instruction} {REGISTERS[a.dtype]} {a.text}, {b.text}"
    return function.emit(a.dtype, line)


def _polynomial(function: Emitter, x: Value, coefficients: tuple[Value, ...]) -> Value:
    """Horner's rule; the coefficient of the lowest power comes first."""
    total = coefficients[-1]
    for coefficient in reversed(coefficients[:-1]):
        total = _intrinsic(function, total, x, coefficient, name="fma")
    return total


PRIMITIVES: dict[str, Primitive] = {
    # Conversions. Of floats to integers, if they fit.
    **{
        name: Primitive(partial(Emitter.cast, dtype=dtype), short=True)
        for dtype, name in CASTS.items()
    },
    "float": Primitive(partial(Emitter.cast, dtype="f64")),
    "bits": Primitive(_bits),
    "from_bits": Primitive(_bits),
    "width": Primitive(_width),
    # Memory.
    **{
        f"{dtype}_{kind}": Primitive(partial(_pointer, dtype=dtype, whole=whole))
        for dtype in SCALARS
        for kind, whole in (("pointer", False), ("room", True))
    },
    "call_memory": Primitive(vectors.call_memory),
    "prefetch": Primitive(vectors.prefetch),
    # Arithmetic.
    **{
        f"wrapping_{name}": Primitive(partial(_binary, operator=operator), short=True)
        for name, operator in (
            ("add", "Add"),
            ("subtract", "Sub"),
            ("multiply", "Mult"),
        )
    },
    "reassociated_add": Primitive(
        partial(_binary, operator="Add", flags=" reassoc"), short=True
    ),
    "truncated": Primitive(_truncated),
    "fmod": Primitive(_fmod),
    "polynomial": Primitive(_polynomial),
    "multiply_add": Primitive(vectors.multiply_add),
    # LLVM's own functions.
    **{
        name: Primitive(partial(_intrinsic, name=name), short=True)
        for name in ("maximum", "minimum", "sqrt", "fabs", "copysign")
    },
    **{
        name: Primitive(partial(_intrinsic, name=name))
        for name in ("floor", "ceil", "trunc", "rint", "fma")
    },
    # libm's, by NumPy's names.
    **{name: Primitive(partial(_libm, name=symbol)) for name, symbol in LIBM.items()},
    "sin_far": Primitive(partial(_far_by_libm, name="sin")),
    "cos_far": Primitive(partial(_far_by_libm, name="cos")),
    # Written in the language, but called in another way.
    "tanh_tail_far": Primitive(partial(_far, name="tanh_tail")),
    **{
        name.removesuffix("_f64"): Primitive(partial(_in_f64, name=name))
        for name in TEXTS
        if name.endswith("_f64")
    },
    # Vectors.
    **{
        f"{dtype}_{name}": Primitive(partial(emit, dtype=dtype))
        for dtype in LANES
        if dtype[0] == "f"
        for name, emit in (
            ("splat", vectors.splat),
            ("mask", vectors.lanes_before),
            ("load", vectors.load),
            ("store", vectors.store),
        )
    },
    "interleaved": Primitive(vectors.interleaved),
    "lane_sums": Primitive(vectors.lane_sums),
    # C functions, addresses, atomic words.
    "address": Primitive(calls.address),
    "invoke": Primitive(calls.invoke),
    "atomic_add": Primitive(partial(calls.atomic, kind="add")),
    "atomic_exchange": Primitive(partial(calls.atomic, kind="xchg")),
    "atomic_load": Primitive(calls.atomic_load),
    "gemm": Primitive(calls.gemm),
}
