"""Transcendental functions that LLVM can vectorise: no branches, no calls.

libm's functions are calls, one element at a time. These are straight-line arithmetic
and selections, so a loop over them becomes vector instructions. They are written for
float64; a float32 argument is widened, and the result rounded once.

Errors against the exact value stay below 1 ulp for exp and log in float64, below 2 for
expm1, log1p and tanh, and at half an ulp for all in float32, as the tests measure. At
inf, nan, zeros of both signs, subnormal results and overflow they are NumPy's.

Method: exp by the reduction x = k ln2 + r of Cody and Waite (Software Manual for the
Elementary Functions, 1980, ch. 6) and the Taylor series for abs(r) <= ln2/2; log by
x = 2^k m, m in [sqrt(1/2), sqrt(2)), and the series of 2 artanh(s), s = (m-1)/(m+1).
"""

from __future__ import annotations

__all__ = ["CONSTANTS", "SOURCE", "VECTOR_FUNCTIONS"]

VECTOR_FUNCTIONS = ("exp", "expm1", "log", "log1p", "tanh")

CONSTANTS = {
    "LN2_HIGH": 6.93147180369123816490e-01,  # 33 bits of ln 2: k * LN2_HIGH is exact
    "LN2_LOW": 1.90821492927058770002e-10,
    "LOG2E": 1.4426950408889634,
    "ROUNDER": 6755399441055744.0,  # 1.5 * 2**52: adding it rounds to an integer
    "ROUNDER_BITS": 0x4338000000000000,
    "SQRT_HALF_BITS": 0x3FE6A09E667F3BCD,
    "SMALLEST_NORMAL": 2.2250738585072014e-308,
}

SOURCE = """
def reduce(x):
    # The integer k, and r = x - k ln2 as a sum of two, for x in [-1100, 1100].
    shifted = x * LOG2E + ROUNDER
    k = shifted - ROUNDER
    high = x - k * LN2_HIGH
    low = k * LN2_LOW
    r = high - low
    return bits(shifted) - ROUNDER_BITS, r, (high - r) - low

def expm1_small(r, rest):
    # ``exp(r + rest) - 1`` for abs(r) <= ln2/2 as a sum of two: series to r^15.
    q = 1.0 / 87178291200.0
    q = q * r + 1.0 / 6227020800.0
    q = q * r + 1.0 / 479001600.0
    q = q * r + 1.0 / 39916800.0
    q = q * r + 1.0 / 3628800.0
    q = q * r + 1.0 / 362880.0
    q = q * r + 1.0 / 40320.0
    q = q * r + 1.0 / 5040.0
    q = q * r + 1.0 / 720.0
    q = q * r + 1.0 / 120.0
    q = q * r + 1.0 / 24.0
    q = q * r + 1.0 / 6.0
    q = q * r + 0.5
    higher = r * r * q + rest
    total = r + higher
    return total, higher - (total - r)

def power_of_two(k):
    # ``2**k`` for -1022 <= k <= 1023.
    return from_bits((k + 1023) << 52)

def clamped(x, low, high):
    # ``x`` between the bounds, 0 for NaN.
    above = x if x > low else low
    inside = above if above < high else high
    return inside if x == x else 0.0

def exp_f64(x):
    k, r, rest = reduce(clamped(x, -746.0, 710.0))
    half = k >> 1
    q, _ = expm1_small(r, rest)
    grown = (1.0 + q) * power_of_two(half) * power_of_two(k - half)
    return grown if x == x else x

def expm1_f64(x):
    k, r, rest = reduce(clamped(x, -746.0, 710.0))
    q, lost = expm1_small(r, rest)
    half = k >> 1
    large = (1.0 + q) * power_of_two(half) * power_of_two(k - half) - 1.0
    near = k if k > -60 else -60
    scale = power_of_two(near if near < 60 else 60)
    small = (scale - 1.0) + scale * q
    small += (scale * q - (small - (scale - 1.0))) + scale * lost
    result = small if k > -60 and k < 60 else large
    return result if x == x and x != 0.0 else x

def log_f64(x):
    tiny = x < SMALLEST_NORMAL
    bits = bits(x * 18014398509481984.0 if tiny else x)
    exponent = (bits - SQRT_HALF_BITS) >> 52
    f = from_bits(bits - (exponent << 52)) - 1.0
    k = float64(exponent - 54 if tiny else exponent)
    s = f / (2.0 + f)
    z = s * s
    p = 2.0 / 23.0
    p = p * z + 2.0 / 21.0
    p = p * z + 2.0 / 19.0
    p = p * z + 2.0 / 17.0
    p = p * z + 2.0 / 15.0
    p = p * z + 2.0 / 13.0
    p = p * z + 2.0 / 11.0
    p = p * z + 2.0 / 9.0
    p = p * z + 2.0 / 7.0
    p = p * z + 2.0 / 5.0
    p = p * z + 2.0 / 3.0
    half_square = 0.5 * f * f
    low = s * (half_square + p * z) + k * LN2_LOW
    finite = k * LN2_HIGH - ((half_square - low) - f)
    result = finite if x < math.inf else x
    result = result if x >= 0.0 else math.nan
    return result if x != 0.0 else -math.inf

def log1p_f64(x):
    u = 1.0 + x
    lost = (x - (u - 1.0)) / u
    result = log_f64(u) + lost
    inside = x > -1.0 and x < math.inf and x != 0.0
    edge = x if x == 0.0 or x == math.inf or x != x else log_f64(u)
    return result if inside else edge

def tanh_f64(x):
    size = math.fabs(x)
    t = expm1_f64(2.0 * (size if size < 22.0 else 22.0))
    divisor = t + 2.0
    lost = t - (divisor - 2.0)
    small = t / divisor
    small -= small * (lost / divisor)
    result = math.copysign(1.0 - 2.0 / divisor if size > 0.5 else small, x)
    return result if x == x else x
"""
