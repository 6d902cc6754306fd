"""exp, expm1, exp2, tanh: below 1 ulp for exp and exp2, 1.2 for expm1 and tanh.

By the reduction x = k ln2 + r of Cody and Waite (Software Manual for the Elementary
Functions, 1980, ch. 6), ``abs(r) <= ln2/2``, and a polynomial for expm1(r). Where
expm1 itself is wanted, what r and the polynomial lack is carried along.
"""

from __future__ import annotations

__all__ = ["CONSTANTS", "SOURCE"]

CONSTANTS = {
    "FRACTION": (52, 23),  # the bits of a float below its exponent
    "BIAS": (1023, 127),
    "ROUNDER": (1.5 * 2**52, 1.5 * 2**23),  # adding it rounds to an integer
    "ROUNDER_BITS": (0x4338000000000000, 0x4B400000),
    "LN2": (0.6931471805599453, 0.6931471824645996),
    "LN2_REST": (2.3190468138462996e-17, -1.9046542121259336e-09),
    "LN2_HIGH": (0.6931471804855391, 0.693145751953125),  # k * LN2_HIGH is exact
    "LN2_LOW": (7.440617110012397e-11, 1.428606765330187e-06),
    "LOG2E": (1.4426950408889634, 1.4426950216293335),
    "EXP_LOW": (-746.0, -104.0),
    "EXP_HIGH": (710.0, 89.0),
    "EXP2_LOW": (-1076.0, -151.0),
    "EXP2_HIGH": (1025.0, 129.0),
    "EXPM1_LOW": (-40.0, -20.0),
    "TANH_END": (355.0, 44.4),  # where its slope has left the normal numbers
    # (expm1(r) - r) / r**2 for abs(r) <= ln2/2, to 2**-61 and 2**-31.
    "EXP": (
        (
            *(0.5, 0.16666666666666677, 0.04166666666666668, 0.008333333333321442),
            *(0.0013888888888875543, 0.00019841269886574842, 2.4801587345033366e-05),
            *(2.7557243778632277e-06, 2.7557255057021735e-07, 2.5109181809589113e-08),
            2.0920863143557564e-09,
        ),
        (
            *(0.5, 0.1666666716337204, 0.041666481643915176, 0.00833318755030632),
            *(0.001393335871398449, 0.00019962721853516996),
        ),
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
    rest = k - half
    once = x * from_bits((half + BIAS) << FRACTION)
    return once * from_bits((rest + BIAS) << FRACTION)

def exp(x):
    k, r, _ = reduced(clamped(x, EXP_LOW, EXP_HIGH))
    return scaled(1.0 + fma(r * r, polynomial(r, EXP), r), k)

def exp2(x):
    inside = clamped(x, EXP2_LOW, EXP2_HIGH)
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
    scale = from_bits((k + BIAS - 1) << FRACTION)
    base = scale - 0.5
    total = fma(scale, q, base)
    return total, fma(scale, lost, fma(scale, q, base - total))

def expm1(x):
    total, rest = half_expm1(clamped(x, EXPM1_LOW, EXP_HIGH))
    half = total + rest
    return math.copysign(half + half, x)

def tanh(x):
    y, _ = tanh_and_slope(x)
    return y

def tanh_and_slope(x):
    # expm1(2x) / (expm1(2x) + 2), the quotient corrected by what it leaves.
    size = math.fabs(x)
    total, rest = half_expm1(2.0 * clamped(size, 0.0, TANH_END))
    divisor = total + 1.0
    inverse = 1.0 / divisor
    quotient = total * inverse
    missing = fma(-quotient, divisor, total) + rest
    missing = fma(-quotient, (total - (divisor - 1.0)) + rest, missing)
    slope = (total + 0.5) * inverse * (2.0 * inverse)
    y = math.copysign(fma(missing, inverse, quotient), x)
    return y, 0.0 if size > TANH_END else slope
"""
