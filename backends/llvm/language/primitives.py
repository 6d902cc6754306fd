"""The functions that the kernel language has built in: one table, by name.

A call of any other function is that of one which is written in the language, see
`functions`. What vectors, C functions and libm have is described in their modules.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from ... import special
from ...scalars import CASTS
from ..machine import current
from . import calls, vectors
from .functions import SHORT_TEXTS, TEXTS
from .instructions import Emitter
from .libm import LIBM, beyond, call
from .values import LANES, REGISTERS, SCALARS, Value, literal, vector

if TYPE_CHECKING:
    from .expressions import Expressions

__all__ = ["PRIMITIVES", "is_short"]

Emit: TypeAlias = "Callable[..., Any]"  # emit(function, *operands)

OTHER_BITS = {"f64": "i64", "i64": "f64", "f32": "i32", "i32": "f32"}


def _pointer(
    function: Emitter,
    address: Value,
    label: Value | None = None,
    *,
    dtype: str,
    whole: bool = False,
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


def _far(function: Emitter, x: Value, limit: Value, *, compute: Emit) -> Value:
    """A function of x where ``abs(x)`` is above the limit in any lane, else x."""
    x, limit = function.matched(x, limit)
    return beyond(function, x, limit, lambda: compute(function, x))


def _applied(function: Expressions, x: Value, *, name: str) -> Value:
    return function.apply(name, [x])


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


def _to_i64(function: Expressions, x: Value) -> Value:
    """The i64 of a float, the lowest where there is none: x86's instruction does so."""
    x = function.settled(x, "f64")
    if x.lanes > 1 or not current().is_x86:
        return function.apply("to_i64", [x])
    kind = "<2 x double>"
    wide = function.cast(x, "f64").text
    pair = function.emit("", f"insertelement {kind} undef, double {wide}, i64 0").text
    symbol = "llvm.x86.sse2.cvttsd2si64"
    function.linkage.declare(symbol, "i64", [kind])
    return function.emit("i64", f"call i64 @{symbol}({kind} {pair})")


# An instruction or two: loops over lanes may have these twice, see `lanes`.
SHORT: dict[str, Emit] = {
    **{name: partial(Emitter.cast, dtype=dtype) for dtype, name in CASTS.items()},
    "to_i64": _to_i64,
    "wrapping_add": lambda function, a, b: function.binary("Add", a, b),
    "wrapping_subtract": lambda function, a, b: function.binary("Sub", a, b),
    "wrapping_multiply": lambda function, a, b: function.binary("Mult", a, b),
    "reassociated_add": lambda function, a, b: function.binary("Add", a, b, " reassoc"),
    **{
        name: partial(_intrinsic, name=name)
        for name in ("maximum", "minimum", "sqrt", "fabs", "copysign")
    },
}
OTHERS: dict[str, Emit] = {
    "float": partial(Emitter.cast, dtype="f64"),
    "bits": _bits,
    "from_bits": _bits,
    "width": lambda function, x: literal(int(x.element[1:])),
    "truncated": _truncated,
    "fmod": _fmod,
    "polynomial": _polynomial,
    # LLVM's own functions, and libm's by NumPy's names.
    **{
        name: partial(_intrinsic, name=name)
        for name in ("floor", "ceil", "trunc", "rint", "fma")
    },
    **{name: partial(_libm, name=symbol) for name, symbol in LIBM.items()},
    "sin_far": partial(_far, compute=partial(_libm, name="sin")),
    "cos_far": partial(_far, compute=partial(_libm, name="cos")),
    # What is written in the language, but called in another way.
    **{
        f"{name}_far": partial(_far, compute=partial(_applied, name=name))
        for name in ("tanh_tail", *special.FAR)
    },
    **{
        name.removesuffix("_f64"): partial(_in_f64, name=name)
        for name in TEXTS
        if name.endswith("_f64")
    },
    # Memory and vectors.
    **{f"{dtype}_pointer": partial(_pointer, dtype=dtype) for dtype in SCALARS},
    **{
        f"{dtype}_room": partial(_pointer, dtype=dtype, whole=True) for dtype in SCALARS
    },
    **{
        f"{dtype}_{name}": partial(emit, dtype=dtype)
        for dtype in LANES
        if dtype[0] == "f"
        for name, emit in vectors.OF_DTYPE.items()
    },
    "multiply_add": vectors.multiply_add,
    "interleaved": vectors.interleaved,
    "lane_sums": vectors.lane_sums,
    "call_memory": vectors.call_memory,
    "prefetch": vectors.prefetch,
    # C functions, addresses, atomic words.
    "address": calls.address,
    "invoke": calls.invoke,
    "atomic_add": partial(calls.atomic, kind="add"),
    "atomic_exchange": partial(calls.atomic, kind="xchg"),
    "atomic_load": calls.atomic_load,
    "gemm": calls.gemm,
}
PRIMITIVES = SHORT | OTHERS


def is_short(name: str) -> bool:
    """Whether a function is an instruction or two."""
    return name in SHORT or name in SHORT_TEXTS
