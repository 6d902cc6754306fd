"""sin and cos, below 1 ulp.

By x = n pi/2 + r, ``abs(r) <= pi/4``, with pi/2 as a sum of three (Cody and Waite,
Software Manual for the Elementary Functions, 1980, ch. 8) and r as a sum of two: n P1
is subtracted exactly, as x - n P1 has few bits. Arguments beyond 2^30, in float32 2^17,
are libm's.
"""

from __future__ import annotations

__all__ = ["CONSTANTS", "SOURCE"]

CONSTANTS = {
    "TWO_OVER_PI": (0.6366197723675814, 0.6366197466850281),
    "PI_2_HIGH": (1.5707963267948966, 1.5707963705062866),
    "PI_2_MIDDLE": (6.123233995736766e-17, -4.371138828673793e-08),
    "PI_2_LOW": (-1.4973849048591698e-33, -1.7151245100058819e-15),
    "FAR": (2.0**30, 2.0**17),
    "SIGN_OF_TWO": (62, 30),  # moves the bit of 2 to that of the sign
    # (sin(r) / r - 1) / z and (cos(r) - 1 + z/2) / z^2 for z = r^2 up to (pi/4)^2.
    "SIN": (
        (
            *(-0.16666666666666632, 0.008333333333322472, -0.00019841269829833956),
            *(2.755731369608146e-06, -2.5050758194856494e-08, 1.5896774125276662e-10),
        ),
        (-0.16666655242443085, 0.008332191035151482, -0.0001951861340785399),
    ),
    "COS": (
        (
            *(0.0416666666666666, -0.0013888888888874463, 2.480158728965885e-05),
            *(-2.755731439588396e-07, 2.0875728405789324e-09, -1.1359880877459851e-11),
        ),
        (0.04166664555668831, -0.00138873013202101, 2.4430661142105237e-05),
    ),
}

SOURCE = """
def quarter_turns(x):
    # The integer n in the low bits, and x - n pi/2 as a sum of two, up to FAR.
    shifted = fma(x, TWO_OVER_PI, ROUNDER)
    n = shifted - ROUNDER
    high = fma(n, -PI_2_HIGH, x)
    product = n * PI_2_MIDDLE
    r = high - product
    lost = fma(n, PI_2_LOW, fma(n, PI_2_MIDDLE, -product))
    return bits(shifted), r, ((high - r) - product) - lost

def wave(n, r, rest):
    # The sine of ``r + rest + n pi/2``.
    z = r * r
    sine = r + fma(r * z, polynomial(z, SIN), rest * fma(-0.5, z, 1.0))
    flat = fma(-0.5, z, 1.0)
    curved = fma(z * z, polynomial(z, COS), -r * rest)
    cosine = flat + (fma(-0.5, z, 1.0 - flat) + curved)
    size = cosine if n & 1 != 0 else sine
    return from_bits(bits(size) ^ ((n & 2) << SIGN_OF_TWO))

def sin(x):
    n, r, rest = quarter_turns(x)
    near = x if x == 0.0 else wave(n, r, rest)
    return sin_far(x, FAR) if math.fabs(x) > FAR else near

def cos(x):
    n, r, rest = quarter_turns(x)
    near = wave(n + 1, r, rest)
    return cos_far(x, FAR) if math.fabs(x) > FAR else near
"""
