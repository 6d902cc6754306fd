"""The functions of the kernel language: some written in it, the rest LLVM's or libm's.

A function with a body for floats, for signed and for unsigned integers has three, told
apart by the end of the name. They follow NumPy: division by zero is 0 for integers,
shifts by the width or more leave 0 or the sign, remainders have the divisor's sign.
``to_i32``, ``to_i64`` and ``to_u64`` convert floats; ``int32(x)`` alone is undefined
for those that are no `int32`, which does no harm where it is not chosen.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from . import vecmath
from .calls import native_primitive
from .instructions import REGISTERS, Value, literal, vector
from .libm import beyond, call
from .syntax import Function
from .vectors import vector_primitive

__all__ = ["find_function", "primitive"]

SOURCE = """
def chain(g, d):
    product = g * d
    return g - g if g == 0 and product != product else product

def chain_both(g, h):
    return chain(h, g) if h == 0 else chain(g, h)

def cosine(x, y):
    size = maximum(fabs(x), fabs(y))
    scale = 1.0 if size == 0 else size
    a = x / scale
    b = y / scale
    return a / sqrt(a * a + b * b) if size != 0 else a

def floor_divide_float(a, b):
    mod = fmod(a, b)
    quotient = (a - mod) / b
    quotient = quotient - 1.0 if mod != 0 and (b < 0) != (mod < 0) else quotient
    whole = floor(quotient)
    whole = whole + 1.0 if quotient - whole > 0.5 else whole
    whole = copysign(0.0, a / b) if quotient == 0 else whole
    return a / b if b == 0 else whole

def remainder_float(a, b):
    mod = fmod(a, b)
    moved = mod + b if (b < 0) != (mod < 0) else mod
    zero = copysign(0.0, b) if b != 0 else mod
    return zero if mod == 0 else moved

def floor_divide_signed(a, b):
    plain = 1 if b == 0 or b == -1 else b
    quotient = truncated(a, plain)
    left = a - quotient * plain
    quotient = quotient - 1 if left != 0 and (left < 0) != (plain < 0) else quotient
    quotient = -a if b == -1 else quotient
    return 0 if b == 0 else quotient

def remainder_signed(a, b):
    plain = 1 if b == 0 or b == -1 else b
    left = a - truncated(a, plain) * plain
    return left + plain if left != 0 and (left < 0) != (plain < 0) else left

def fmod_signed(a, b):
    plain = 1 if b == 0 or b == -1 else b
    return a - truncated(a, plain) * plain

def floor_divide_unsigned(a, b):
    quotient = truncated(a, 1 if b == 0 else b)
    return 0 if b == 0 else quotient

def remainder_unsigned(a, b):
    plain = 1 if b == 0 else b
    return a - truncated(a, plain) * plain

def fmod_unsigned(a, b):
    plain = 1 if b == 0 else b
    return a - truncated(a, plain) * plain

def power_integer(a, b):
    result = a - a + 1
    factor = a
    exponent = b
    while exponent > 0:
        result = result * factor if exponent & 1 != 0 else result
        factor = factor * factor
        exponent = exponent >> 1
    return result

def power_float(a, b):
    return pow(a, b)

def absolute_float(a):
    return fabs(a)

def absolute_signed(a):
    return -a if a < 0 else a

def absolute_unsigned(a):
    return a

def left_shift_signed(a, b):
    inside = b >= 0 and b < width(a)
    return a << (b if inside else 0) if inside else 0

def right_shift_signed(a, b):
    inside = b >= 0 and b < width(a)
    return a >> (b if inside else width(a) - 1)

def left_shift_unsigned(a, b):
    inside = b < width(a)
    return a << (b if inside else 0) if inside else 0

def right_shift_unsigned(a, b):
    inside = b < width(a)
    return a >> (b if inside else 0) if inside else 0

def to_i32(x):
    return int32(x) if fabs(x) < 2147483648.0 else -2147483648

def to_i64(x):
    return int64(x) if fabs(x) < 9223372036854775808.0 else -9223372036854775808

def to_u64(x):
    upper = x >= 9223372036854775808.0
    rest = uint64(to_i64(x - 9223372036854775808.0 if upper else x))
    return rest ^ uint64(9223372036854775808) if upper else rest

def isnan(x):
    return x != x

def isinf(x):
    return fabs(x) == math.inf

def isfinite(x):
    return fabs(x) < math.inf

def signbit(x):
    return copysign(1.0, x) < 0

def logaddexp_f64(a, b):
    high = a if a > b else b
    low = b if a > b else a
    sum = high + log1p(exp(low - high))
    return a + 0.6931471805599453 if a == b else sum

def logaddexp2_f64(a, b):
    high = a if a > b else b
    low = b if a > b else a
    sum = high + 1.4426950408889634 * log1p(exp2(low - high))
    return a + 1.0 if a == b else sum
"""

# LLVM's own, which become instructions.
INTRINSICS = (
    "maximum",
    "minimum",
    "sqrt",
    "fabs",
    "copysign",
    "floor",
    "ceil",
    "trunc",
    "rint",
    "fma",
)

# libm's, by NumPy's names; the float32 ones end in f.
LIBM = {
    **{name: name for name in ("sin", "cos", "tan", "sinh", "cosh", "hypot")},
    **{f"arc{name}": f"a{name}" for name in ("sin", "cos", "tan", "sinh", "cosh")},
    **{"arctanh": "atanh", "arctan2": "atan2"},
}

OTHER_BITS = {"f64": "i64", "i64": "f64", "f32": "i32", "i32": "f32"}


@cache
def _texts() -> dict[str, str]:
    """Every function that is written in the language, by name."""
    _, *parts = re.split(r"^def ", SOURCE + vecmath.SOURCE, flags=re.MULTILINE)
    return {part.partition("(")[0]: f"def {part}" for part in parts}


@cache
def _definition(name: str) -> ast.FunctionDef:
    """One of them; only those that are called are parsed."""
    parsed: Any = ast.parse(_texts()[name])
    return parsed.body[0]


def find_function(name: str, dtypes: Sequence[str]) -> ast.FunctionDef | None:
    """The definition of a function for operands of these dtypes, if there is one."""
    kind = {"f": "float", "u": "unsigned", "i": "signed"}.get(dtypes[0][0], "")
    whole = "integer" if dtypes[0][0] in "iu" else kind
    names = (f"{name}_{kind}", f"{name}_{whole}", name)
    return next((_definition(known) for known in names if known in _texts()), None)


def primitive(function: Function, name: str, operands: list[Any]) -> object | None:
    """Emit what the language cannot say, None where it can.

    Without operands ``name`` is a constant of `vecmath`.
    """
    if not operands:
        return _constant(name, function.narrow)
    first = operands[0]
    if name in _texts():
        return None
    if f"{name}_f64" in _texts():
        settled = _settled(function, operands)
        made = function.apply(
            f"{name}_f64", [function.cast(operand, "f64") for operand in settled]
        )
        return function.cast(made, settled[0].element)
    if name == "polynomial":
        return _polynomial(function, *operands)
    if name.endswith("_far"):
        x, limit = function.matched(*operands)
        near = name.removesuffix("_far")
        if near in LIBM:
            return beyond(function, x, limit, lambda: call(function, LIBM[near], [x]))
        return beyond(function, x, limit, lambda: function.apply(near, [x]))
    if name in ("bits", "from_bits"):
        dtype = vector(OTHER_BITS[first.element], first.lanes)
        source, target = REGISTERS[first.dtype], REGISTERS[dtype]
        return function.emit(dtype, f"bitcast {source} {first.text} to {target}")
    if name == "width":
        return literal(int(first.element[1:]))
    if name == "truncated":
        return _truncated(function, *function.matched(*operands))
    if name == "fmod" and (first.is_float or first.number is not None):
        return _floats(function, "frem", operands)
    if name in INTRINSICS:
        return _intrinsic(function, name, operands)
    if name in LIBM:
        return call(function, LIBM[name], _settled(function, operands))
    if name == "gemm":
        return _gemm(function, operands)
    found = native_primitive(function, name, operands)
    return vector_primitive(function, name, operands) if found is None else found


def _settled(function: Function, operands: list[Value]) -> list[Value]:
    """Float operands in one dtype."""
    if len(operands) == 1:
        return [function.settled(operands[0], "f64")]
    return list(function.matched(*operands))


def _floats(function: Function, instruction: str, operands: list[Value]) -> Value:
    a, b = _settled(function, operands)
    return function.emit(
        a.dtype, f"{instruction} {REGISTERS[a.dtype]} {a.text}, {b.text}"
    )


def _intrinsic(function: Function, name: str, operands: list[Value]) -> Value:
    settled = _settled(function, operands)
    dtype, lanes = settled[0].dtype, settled[0].lanes
    suffix = settled[0].element if lanes == 1 else f"v{lanes}{settled[0].element}"
    return function.call(f"llvm.{name}.{suffix}", dtype, settled)


def _constant(name: str, narrow: bool) -> object | None:
    """A constant of `vecmath` for float64, or for float32."""
    if name not in vecmath.CONSTANTS:
        return None
    found = vecmath.CONSTANTS[name][narrow]
    return tuple(map(literal, found)) if isinstance(found, tuple) else literal(found)


def _polynomial(function: Function, x: Value, coefficients: Sequence[Value]) -> object:
    """Horner's rule; the coefficient of the lowest power comes first."""
    total = coefficients[-1]
    for coefficient in reversed(coefficients[:-1]):
        total = _intrinsic(function, "fma", [total, x, coefficient])
    return total


def _truncated(function: Function, a: Value, b: Value) -> Value:
    """Integer division towards zero; the divisor is not 0."""
    instruction = "sdiv" if a.dtype[0] == "i" else "udiv"
    kind = REGISTERS[a.dtype]
    return function.emit(a.dtype, f"{instruction} {kind} {a.text}, {b.text}")


def _gemm(function: Function, operands: list[Value]) -> Value:
    """BLAS's gemm, as `blas` says: words, addresses of A, B, C, the word of beta."""
    words, a, b, c, beta = operands

    def word(index: str) -> str:
        step = f"getelementptr i64, ptr {words.text}, i64 {index}"
        return function.emit("", step).text

    def pointer(address: Value) -> str:
        return function.emit("", f"inttoptr i64 {address.text} to ptr").text

    listed = [
        *(word(str(i)) for i in (10, 9, 7, 6, 8, 23)),
        *(pointer(b), word("12"), pointer(a), word("11")),
        *(word(function.typed(beta, "i64").text), pointer(c), word("13")),
    ]
    place = word("25")
    address = function.emit("i64", f"load i64, ptr {place}")
    routine = function.emit("", f"inttoptr i64 {address.text} to ptr").text
    arguments = ", ".join(f"ptr {operand}" for operand in listed)
    function.lines.append(f"call void {routine}({arguments})")
    return literal(0)
