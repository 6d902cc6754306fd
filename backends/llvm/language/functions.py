"""The functions that are written in the kernel language.

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

from ... import special
from . import vecmath
from .values import Value, literal

__all__ = ["SHORT_TEXTS", "TEXTS", "find_constant", "find_function"]

# Those that become an instruction or two.
SHORT_SOURCE = """
def chain(g, d):
    product = g * d
    return g - g if g == 0 and product != product else product

def chain_both(g, h):
    return chain(h, g) if h == 0 else chain(g, h)

def to_i32(x):
    return int32(x) if fabs(x) < 2147483648.0 else -2147483648

def to_i64_float(x):
    return int64(x) if fabs(x) < 9223372036854775808.0 else -9223372036854775808

def to_u64(x):
    upper = x >= 9223372036854775808.0
    rest = uint64(to_i64(x - 9223372036854775808.0 if upper else x))
    return rest ^ uint64(9223372036854775808) if upper else rest
"""

SOURCE = """
def cosine(x, y):
    size = maximum(fabs(x), fabs(y))
    scale = 1.0 if size == 0 else size
    a = copysign(1.0, x) if fabs(x) == scale else x / scale
    b = copysign(1.0, y) if fabs(y) == scale else y / scale
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


def _split(source: str) -> dict[str, str]:
    """The text of each function, by name."""
    _, *parts = re.split(r"^def ", source, flags=re.MULTILINE)
    return {part.partition("(")[0]: f"def {part}" for part in parts}


SHORT_TEXTS = _split(SHORT_SOURCE)
TEXTS = SHORT_TEXTS | _split(SOURCE + vecmath.SOURCE + special.SOURCE)


@cache
def _definition(name: str) -> ast.FunctionDef:
    """One of them; only those that are called are parsed."""
    parsed: Any = ast.parse(TEXTS[name])
    return parsed.body[0]


def find_function(name: str, dtypes: Sequence[str]) -> ast.FunctionDef | None:
    """The definition of a function for operands of these dtypes, if there is one."""
    kind = {"f": "float", "u": "unsigned", "i": "signed"}.get(dtypes[0][0], "")
    whole = "integer" if dtypes[0][0] in "iu" else kind
    names = (f"{name}_{kind}", f"{name}_{whole}", name)
    return next((_definition(known) for known in names if known in TEXTS), None)


def find_constant(name: str, *, narrow: bool) -> Value | tuple[Value, ...] | None:
    """A constant of `special`, or one of `vecmath` for float64 or float32."""
    if name in vecmath.CONSTANTS:
        found = vecmath.CONSTANTS[name][narrow]
    elif name in special.CONSTANTS:
        found = special.CONSTANTS[name]
    else:
        return None
    return tuple(map(literal, found)) if isinstance(found, tuple) else literal(found)
