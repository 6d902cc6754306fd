"""exp, expm1, exp2, tanh in float64: below 1 ulp for exp and exp2, 1.5 for the others.

By the reduction x = k ln2 + r of Cody and Waite (Software Manual for the Elementary
Functions, 1980, ch. 6), ``abs(r) <= ln2/2``, and a polynomial for expm1(r). Where
expm1 itself is wanted, what r and the polynomial lack is carried along.
"""

from __future__ import annotations

__all__ = ["CONSTANTS", "SOURCE"]

CONSTANTS = {
    "LN2": 0.6931471805599453,
    "LN2_REST": 2.3190468138462996e-17,
    "LN2_HIGH": 0.6931471804855391,  # 33 bits of ln 2: k * LN2_HIGH is exact
    "LN2_LOW": 7.440617110012397e-11,
    "LOG2E": 1.4426950408889634,
    "ROUNDER": 6755399441055744.0,  # 1.5 * 2**52: adding it rounds to an integer
    "ROUNDER_BITS": 0x4338000000000000,
    # (expm1(r) - r) / r**2 for abs(r) <= ln2/2, to 2**-61.
    "EXP": (
        *(0.5, 0.16666666666666677, 0.04166666666666668, 0.008333333333321442),
        *(0.0013888888888875543, 0.00019841269886574842, 2.4801587345033366e-05),
        *(2.7557243778632277e-06, 2.7557255057021735e-07, 2.5109181809589113e-08),
        2.0920863143557564e-09,
    ),
}

SOURCE = """
def clamped(x, low, high):
    # ``x`` between the bounds; NaN stays.
    above = low if x < low else x
    return high if above > high else above

def reduced(x):
    # The integer k, and r = x - k ln2 as a sum of two, for x in [-1100, 1100].
    shifted = fma(x, LOG2E, ROUNDER)
    k = shifted - ROUNDER
    high = fma(k, -LN2_HIGH, x)
    r = fma(k, -LN2_LOW, high)
    return bits(shifted) - ROUNDER_BITS, r, fma(k, -LN2_LOW, high - r)

def scaled(x, k):
    # ``x * 2**k``, rounded once, for x near 1 and any k of `reduced`.
    half = k >> 1
    return x * from_bits((half + 1023) << 52) * from_bits((k - half + 1023) << 52)

def exp_f64(x):
    k, r, _ = reduced(clamped(x, -746.0, 710.0))
    return scaled(1.0 + fma(r * r, polynomial(r, EXP), r), k)

def exp2_f64(x):
    inside = clamped(x, -1076.0, 1025.0)
    shifted = inside + ROUNDER
    f = inside - (shifted - ROUNDER)
    r = f * LN2
    rest = fma(f, LN2, -r) + f * LN2_REST
    small = r + fma(r * r, polynomial(r, EXP), rest)
    return scaled(1.0 + small, bits(shifted) - ROUNDER_BITS)

def half_expm1(x):
    # ``expm1(x) / 2`` as a sum of two, for x in [-40, 710].
    k, r, rest = reduced(x)
    higher = fma(r * r, polynomial(r, EXP), rest)
    q = r + higher
    lost = higher - (q - r)
    scale = from_bits((k + 1022) << 52)
    base = scale - 0.5
    total = fma(scale, q, base)
    return total, fma(scale, lost, fma(scale, q, base - total))

def expm1_f64(x):
    total, rest = half_expm1(clamped(x, -40.0, 710.0))
    half = total + rest
    return math.copysign(half + half, x)

def tanh_f64(x):
    # expm1(2x) / (expm1(2x) + 2), the quotient corrected by what it leaves.
    size = math.fabs(x)
    total, rest = half_expm1(2.0 * (20.0 if size > 20.0 else size))
    divisor = total + 1.0
    inverse = 1.0 / divisor
    quotient = total * inverse
    missing = fma(-quotient, divisor, total) + rest
    missing = fma(-quotient, (total - (divisor - 1.0)) + rest, missing)
    return math.copysign(fma(missing, inverse, quotient), x)
"""
