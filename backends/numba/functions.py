"""The functions that printed code calls, as Numba Python.

A function with other bodies for floats, signed and unsigned integers, or for one width
or dtype, has several, told apart by the end of the name. They follow NumPy: division by
zero is 0 for integers, remainders have the divisor's sign, shifts by the width or more
leave 0 or the sign. Numba computes integers in 64 bits, and promises LLVM that signed
ones never overflow; so what may overflow goes by way of unsigned ones.
"""

from __future__ import annotations

import re

from ...ir.ops.slopes import RATIO_NEAR, RATIOS, SIGMOID_NEAR, TANH_NEAR, ratio_series
from .. import special
from .matrices import MATRICES

__all__ = ["HELPERS", "find_function", "helpers_of"]

_SOURCE = '''
def wrapping_add(a, b):
    """``a + b`` of int64, modulo 2^64."""
    return np.int64(np.uint64(a) + np.uint64(b))

def wrapping_subtract(a, b):
    """``a - b`` of int64, modulo 2^64."""
    return np.int64(np.uint64(a) - np.uint64(b))

def wrapping_multiply(a, b):
    """``a * b`` of int64, modulo 2^64."""
    return np.int64(np.uint64(a) * np.uint64(b))

def chain(g, d):
    """``g * d``, and 0 where g is 0 although d is infinite or NaN."""
    product = g * d
    return g - g if g == 0 and product != product else product

def chain_both(g, h):
    """``g * h``, and 0 where either is 0 although the other is infinite or NaN."""
    return chain(h, g) if h == 0 else chain(g, h)

def cosine(x, y):
    """``x / hypot(x, y)``, 0 at the origin, and that of the axis at infinity."""
    size = np.maximum(abs(x), abs(y))
    if size == 0:
        return x
    a = np.copysign(1.0, x) if abs(x) == size else x / size
    b = np.copysign(1.0, y) if abs(y) == size else y / size
    return a / np.sqrt(a * a + b * b)

def floor_divide_float(a, b):
    if b == 0:
        return a / b
    rest = np.fmod(a, b)
    quotient = (a - rest) / b
    if rest != 0 and (b < 0) != (rest < 0):
        quotient -= 1.0
    if quotient == 0:
        return np.copysign(0.0, a / b)
    whole = np.floor(quotient)
    return whole + 1.0 if quotient - whole > 0.5 else whole

def floor_divide_signed(a, b):
    if b == 0:
        return 0
    if b == -1:
        return wrapping_subtract(0, a)
    return a // b

def floor_divide_unsigned(a, b):
    return a // b if b != 0 else b

def remainder_float(a, b):
    rest = np.fmod(a, b)
    if rest == 0:
        return np.copysign(0.0, b) if b != 0 else rest
    return rest + b if (b < 0) != (rest < 0) else rest

def remainder_signed(a, b):
    return 0 if b == 0 or b == -1 else a % b

def remainder_unsigned(a, b):
    return a % b if b != 0 else b

def fmod_signed(a, b):
    if b == 0 or b == -1:
        return 0
    rest = a % b
    return rest - b if rest != 0 and (a < 0) != (b < 0) else rest

def fmod_unsigned(a, b):
    return a % b if b != 0 else b

def power_signed(a, b):
    result, factor, exponent = 1, np.int64(a), np.int64(b)
    while exponent > 0:
        if exponent & 1:
            result = wrapping_multiply(result, factor)
        factor = wrapping_multiply(factor, factor)
        exponent >>= 1
    return result

def power_unsigned(a, b):
    one = np.uint64(1)
    result, factor, exponent = one, np.uint64(a), np.uint64(b)
    while exponent > 0:
        if exponent & one:
            result = result * factor
        factor = factor * factor
        exponent = exponent >> one
    return result

def absolute_signed(a):
    return wrapping_subtract(0, a) if a < 0 else np.int64(a)

def absolute_unsigned(a):
    return a

def exp2_f32(x):
    """``2**x``: one function of Numba's cannot have it for float32 and float64."""
    return np.exp2(x)

def log2_f32(x):
    """The logarithm to base 2, which has the same trouble."""
    return np.log2(x)

def row_step(x):
    """How many bytes lie between two rows of an array, 0 where one is all of them."""
    return x.strides[0] if len(x) > 1 else 0

def to_i32(x):
    """A float as int32, the lowest one for what does not fit."""
    return np.int32(x) if abs(x) < 2.0**31 else np.int32(-(2**31))

def to_i64(x):
    """A float as int64, the lowest one for what does not fit."""
    return np.int64(x) if abs(x) < 2.0**63 else np.int64(-(2**63))

def to_u64(x):
    """A float as uint64: as int64 below 2^63, and by its distance from there on."""
    if x >= 2.0**63:
        return np.uint64(to_i64(x - 2.0**63)) ^ np.uint64(2**63)
    return np.uint64(to_i64(x))
'''

_SHIFTS = '''
def left_shift_{bits}(a, b):
    """``a << b``; 0 for shifts by the width or more, or by less than 0."""
    return a << b if 0 <= b < {bits} else a - a

def right_shift_{bits}(a, b):
    """``a >> b``; 0 or -1, the sign, for shifts by the width or more."""
    return a >> b if 0 <= b < {bits} else (a - a if a >= 0 else ~(a - a))
'''

_SLOPES = '''
def tanh_slope_{dtype}(y, x):
    """The derivative of tanh at x, where tanh is y."""
    if abs(x) > {tanh}:
        power = np.exp(-2 * abs(x))
        return 4 * power / ((1 + power) * (1 + power))
    return 1 - y * y

def sigmoid_slope_{dtype}(y, x):
    """The derivative of sigmoid at x, where sigmoid is y."""
    if abs(x) > {sigmoid}:
        power = np.exp(-abs(x))
        return power / ((1 + power) * (1 + power))
    return y * (1 - y)
'''

_RATIO = '''
def bessel_ratio{k}(t):
    """j_{k}(t) / t^{k}, with the spherical Bessel function j_{k}."""
    t = np.float64(t)
    if abs(t) < {near}:
        total = 0.0
        for term in ({terms},):
            total = total * (t * t) + term
        return total
    before, made = np.cos(t), np.sin(t) / t
    for order in range({k}):
        before, made = made, ((2 * order + 1) * made - before) / (t * t)
    return made
'''


_POLYNOMIAL = '''
def polynomial(x, terms):
    """The polynomial with these coefficients, that of the highest power first."""
    total = 0.0
    for term in terms:
        total = total * x + term
    return total
'''


def _numbers(name: str) -> str:
    """The text of a constant of `special`."""
    value = special.CONSTANTS[name]
    if isinstance(value, tuple):
        return f"({', '.join(map(repr, reversed(value)))})"
    return repr(value)


def _widened(found: re.Match[str]) -> str:
    """The head of a function that computes in float64 whatever it is given."""
    name, parameters = found.groups()
    casts = (f"    {one} = np.float64({one})\n" for one in parameters.split(", "))
    return f"def {name}({parameters}):\n{''.join(casts)}"


def _special() -> str:
    """The functions of `special`, with NumPy's below them."""
    text = re.sub(r"\b(exp|log|log1p|sin|cos|sqrt|rint)\(", r"np.\1(", special.SOURCE)
    names = rf"\b({'|'.join(special.CONSTANTS)})\b"
    text = re.sub(names, lambda name: _numbers(name[0]), text)
    text = re.sub(r"^def (\w+)_f64\((.*)\):\n", _widened, text, flags=re.MULTILINE)
    far = "\ndef {0}_far(x, limit):\n    return {0}(x) if abs(x) > limit else x\n"
    return text.replace("_f64(", "(") + "".join(map(far.format, special.FAR))


def _helpers() -> dict[str, str]:
    """The text of each function by its name."""
    parts = [
        _SOURCE,
        MATRICES,
        _POLYNOMIAL,
        _special(),
        *(_SHIFTS.format(bits=bits) for bits in (8, 16, 32, 64)),
    ]
    for dtype in ("f32", "f64"):
        near = {"tanh": TANH_NEAR[dtype], "sigmoid": SIGMOID_NEAR[dtype]}
        parts.append(_SLOPES.format(dtype=dtype, **near))
    for k in range(1, RATIOS + 1):
        terms = ",\n            ".join(map(repr, reversed(ratio_series(k))))
        broken = f"\n            {terms}"
        parts.append(_RATIO.format(k=k, near=RATIO_NEAR, terms=broken))
    _, *texts = re.split(r"^def ", "".join(parts), flags=re.MULTILINE)
    return {text.partition("(")[0]: f"def {text.rstrip()}\n" for text in texts}


HELPERS = _helpers()

_NUMPY = frozenset(
    (
        "exp exp2 expm1 log log2 log10 log1p sqrt cbrt sin cos tan arcsin arccos "
        "arctan sinh cosh tanh arcsinh arccosh arctanh floor ceil trunc rint isnan "
        "isinf isfinite signbit arctan2 hypot logaddexp logaddexp2 copysign fmod power"
    ).split()
)
_BUILTIN = {"absolute": "abs", "erf": "math.erf"}
_KINDS = {"f": "float", "i": "signed", "u": "unsigned"}


def find_function(name: str, dtype: str) -> str:
    """What a function of the scalar language is called for operands of a dtype."""
    bits = dtype.lstrip("fiu")
    for own in (name, f"{name}_{_KINDS.get(dtype[0])}", f"{name}_{bits}"):
        if own in HELPERS:
            return own
    if f"{name}_{dtype}" in HELPERS:
        return f"{name}_{dtype}"
    if name in _BUILTIN:
        return _BUILTIN[name]
    if name not in _NUMPY:
        raise AssertionError(f"no function {name} of {dtype}")
    return f"np.{name}"


def helpers_of(text: str) -> list[str]:
    """The functions that a text calls, and those that they call, those first."""
    found: dict[str, None] = {}

    def look(text: str) -> None:
        for name in re.findall(r"\b([a-z]\w*)\(", re.sub(r"#.*", "", text)):
            if name in HELPERS and name not in found:
                look(HELPERS[name].partition("\n")[2])
                found[name] = None

    look(text)
    return list(found)
