"""The functions that the scalar expressions of `ir.ops` may call, for Numba.

Each takes and returns scalars of one dtype and follows NumPy at the corners: integer
division by zero is 0, shifts by the width or more leave 0 or the sign, remainders take
the sign of the divisor. None of them can raise.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload, register_jitable

from ...ir.ops.slopes import RATIO_NEAR, RATIOS, ratio_series
from .types import NAMESPACE

__all__ = ["FUNCTIONS"]

_subtract = NAMESPACE["wrapping_subtract"]
_multiply = NAMESPACE["wrapping_multiply"]


def _by_kind(name: str, on_floats: Any, on_integers: Any) -> Any:
    """A function with one body for floats and another for integers.

    ``on_integers(wide)`` makes the latter for operands of a type that is not wider than
    ``wide``, int64 or uint64: Numba computes in these anyhow, and a body that names
    the type neither mixes them nor lets a literal turn uint64 into float64.
    """

    def function(*operands: Any) -> Any:
        raise TypeError(f"{name} is for compiled code")

    def choose(*operands: Any) -> Any:
        if isinstance(operands[0], types.Float):
            return on_floats
        return on_integers(types.int64 if operands[0].signed else types.uint64)

    function.__name__ = name
    overload(function, strict=False, jit_options={"error_model": "numpy"})(choose)
    return function


@register_jitable
def chain(g: Any, d: Any) -> Any:
    """``g * d``, and 0 where g is 0 although d is infinite or NaN."""
    product = g * d
    return g - g if g == 0 and product != product else product


@register_jitable
def chain_both(g: Any, h: Any) -> Any:
    """``g * h``, and 0 where either is 0 although the other is infinite or NaN."""
    return chain(h, g) if h == 0 else chain(g, h)


def _divide_floats(a: Any, b: Any) -> Any:
    if b == 0:
        return a / b
    mod = np.fmod(a, b)
    quotient = (a - mod) / b
    if mod != 0 and (b < 0) != (mod < 0):
        quotient -= 1.0
    if quotient == 0:
        return math.copysign(0.0, a / b)
    whole = np.floor(quotient)
    return whole + 1.0 if quotient - whole > 0.5 else whole


def _divide_integers(wide: Any) -> Any:
    def divide(a: Any, b: Any) -> Any:
        if b == 0:
            return wide(0)
        if b < wide(0) and b == wide(-1):
            return _subtract(wide(0), wide(a))
        return wide(a) // wide(b)

    return divide


def _remainder_floats(a: Any, b: Any) -> Any:
    mod = np.fmod(a, b)
    if mod == 0:
        return math.copysign(0.0, b) if b != 0 else mod
    return mod + b if (b < 0) != (mod < 0) else mod


def _remainder_integers(wide: Any) -> Any:
    def remainder(a: Any, b: Any) -> Any:
        if b == 0 or (b < wide(0) and b == wide(-1)):
            return wide(0)
        return wide(a) % wide(b)

    return remainder


def _fmod_floats(a: Any, b: Any) -> Any:
    return np.fmod(a, b)


def _fmod_integers(wide: Any) -> Any:
    def fmod(a: Any, b: Any) -> Any:
        if b == 0 or (b < wide(0) and b == wide(-1)):
            return wide(0)
        mod = wide(a) % wide(b)
        return mod - wide(b) if mod != 0 and (a < 0) != (b < 0) else mod

    return fmod


def _power_floats(a: Any, b: Any) -> Any:
    return math.pow(a, b)


def _power_integers(wide: Any) -> Any:
    def power(a: Any, b: Any) -> Any:
        result, factor, exponent = wide(1), wide(a), wide(b)
        while exponent > 0:
            if exponent & wide(1):
                result = _multiply(result, factor)
            factor = _multiply(factor, factor)
            exponent >>= wide(1)
        return result

    return power


def _absolute_floats(a: Any) -> Any:
    return math.fabs(a)


def _absolute_integers(wide: Any) -> Any:
    return lambda a: _subtract(wide(0), wide(a)) if a < 0 else wide(a)


def _bits(kind: Any) -> int:
    return int(kind.bitwidth)


def left_shift(a: Any, b: Any) -> Any:
    """``a << b``; 0 for shifts by the width or more, or by less than 0."""
    raise TypeError("left_shift is for compiled code")


@overload(left_shift, strict=False)
def _left_shift(a: Any, b: Any) -> Any:
    width = _bits(a)
    return lambda a, b: a << b if 0 <= b < width else a - a


def right_shift(a: Any, b: Any) -> Any:
    """``a >> b``; 0 or -1, the sign, for shifts by the width or more."""
    raise TypeError("right_shift is for compiled code")


@overload(right_shift, strict=False)
def _right_shift(a: Any, b: Any) -> Any:
    width = _bits(a)
    return lambda a, b: a >> b if 0 <= b < width else (a - a if a >= 0 else ~(a - a))


@register_jitable
def cosine(x: Any, y: Any) -> Any:
    """``x / hypot(x, y)``, 0 at the origin."""
    length = np.hypot(x, y)
    return x / length if length > 0 or length != length else x


@register_jitable
def tanh_slope(y: Any, x: Any) -> Any:
    """The derivative of tanh at x, where tanh is y."""
    power = math.exp(-2.0 * abs(x))
    far = abs(x) > 3.5
    return 4.0 * power / ((1.0 + power) * (1.0 + power)) if far else 1.0 - y * y


@register_jitable
def sigmoid_slope(y: Any, x: Any) -> Any:
    """The derivative of sigmoid at x, where sigmoid is y."""
    power = math.exp(-abs(x))
    far = abs(x) > 7.0
    return power / ((1.0 + power) * (1.0 + power)) if far else y * (1.0 - y)


@register_jitable
def tanh_and_slope(x: Any) -> Any:
    """Tanh at x, and its derivative."""
    y = np.tanh(x)
    return y, tanh_slope(y, x)


@register_jitable
def sigmoid_and_slope(x: Any) -> Any:
    """Sigmoid at x, and its derivative."""
    y = 1.0 / (1.0 + math.exp(-x))
    return y, sigmoid_slope(y, x)


def _bessel_ratio(k: int) -> Any:
    """``j_k(t) / t^k`` with the spherical Bessel function j_k."""
    series = np.array(ratio_series(k))

    @register_jitable(inline="always")
    def ratio(t: Any) -> Any:
        total = 0.0
        for n in range(len(series)):
            total = total * t * t + series[len(series) - 1 - n]
        inverse = math.pow(t, -1.0)
        before, made = math.cos(t), math.sin(t) * inverse
        for n in range(k):
            before, made = made, ((2 * n + 1) * made - before) * inverse * inverse
        return total if abs(t) < RATIO_NEAR else made

    return ratio


@register_jitable
def to_i32(x: Any) -> Any:
    """A float as int32, the lowest one for what does not fit."""
    return types.int32(x) if math.fabs(x) < 2.0**31 else types.int32(-(2**31))


@register_jitable
def to_i64(x: Any) -> Any:
    """A float as int64, the lowest one for what does not fit."""
    return types.int64(x) if math.fabs(x) < 2.0**63 else types.int64(-(2**63))


@register_jitable
def to_u64(x: Any) -> Any:
    """A float as uint64: as int64 below 2^63, and by its distance from there on."""
    if x >= 2.0**63:
        return types.uint64(to_i64(x - 2.0**63)) ^ types.uint64(2**63)
    return types.uint64(to_i64(x))


_NUMPY = (
    "exp exp2 expm1 log log2 log10 log1p sqrt cbrt sin cos tan arcsin arccos arctan "
    "sinh cosh tanh arcsinh arccosh arctanh floor ceil trunc rint isnan isinf "
    "isfinite signbit arctan2 hypot logaddexp logaddexp2 copysign maximum minimum"
).split()

FUNCTIONS: dict[str, Any] = {
    **{name: getattr(np, name) for name in _NUMPY},
    "erf": math.erf,
    "chain": chain,
    "chain_both": chain_both,
    "cosine": cosine,
    "tanh_slope": tanh_slope,
    "sigmoid_slope": sigmoid_slope,
    "tanh_and_slope": tanh_and_slope,
    "sigmoid_and_slope": sigmoid_and_slope,
    **{f"bessel_ratio{k}": _bessel_ratio(k) for k in range(1, RATIOS + 1)},
    "absolute": _by_kind("absolute", _absolute_floats, _absolute_integers),
    "floor_divide": _by_kind("floor_divide", _divide_floats, _divide_integers),
    "remainder": _by_kind("remainder", _remainder_floats, _remainder_integers),
    "fmod": _by_kind("fmod", _fmod_floats, _fmod_integers),
    "power": _by_kind("power", _power_floats, _power_integers),
    "left_shift": left_shift,
    "right_shift": right_shift,
    "to_i32": to_i32,
    "to_i64": to_i64,
    "to_u64": to_u64,
}
