"""pow, below 1 ulp: exp(y log(abs(x))) with the logarithm as a sum of two.

In float64 the logarithm is right to 2^-65 of itself, so that y log(x) up to 745 is
right to 2^-55; in float32 to 2^-33 and up to 104. Of the series of 2 artanh(s),
2s + s^3 (2/3 + z P(z)) with z = s^2, all but P is a sum of two.
"""

from __future__ import annotations

__all__ = ["CONSTANTS", "SOURCE"]

CONSTANTS = {
    "TWO_THIRDS": (0.6666666666666666, 0.6666666865348816),
    "TWO_THIRDS_REST": (3.700743415417188e-17, -1.9868215517249155e-08),
    "LARGE_POWER": (1e19, 1e10),  # takes every number but 1 to 0 or infinity
    # ((2 artanh(s) / s - 2) / z - 2/3) / z, to 2**-73 and 2**-36 of the logarithm.
    "POW": (
        (
            *(0.3999999999999998, 0.2857142857144385, 0.22222222217785176),
            *(0.18181818844718486, 0.15384558370529372, 0.13336266985268735),
            *(0.1167572611732433, 0.11982236160723225),
        ),
        (0.40000152587890625, 0.28547096252441406, 0.23419411480426788),
    ),
}

SOURCE = """
def log_pair(x):
    # ``log(x)`` as a sum of two, for finite x > 0.
    _, k, f = split(x)
    divisor = 2.0 + f
    inverse = 1.0 / divisor
    s = f * inverse
    s_low = fma(-s, f - (divisor - 2.0), fma(-s, divisor, f)) * inverse
    z = s * s
    z_low = fma(s, s, -z) + 2.0 * s * s_low
    cube = s * z
    cube_low = fma(s, z, -cube) + fma(s, z_low, s_low * z)
    tail = z * polynomial(z, POW)
    factor = TWO_THIRDS + tail
    factor_low = ((TWO_THIRDS - factor) + tail) + TWO_THIRDS_REST
    term = cube * factor
    term_low = fma(cube, factor, -term) + fma(cube, factor_low, cube_low * factor)
    twice = 2.0 * s
    part = twice + term
    part_low = ((twice - part) + term) + fma(2.0, s_low, term_low)
    whole = k * LN2_HIGH
    total = whole + part
    rest = ((whole - total) + part) + fma(k, LN2_LOW, part_low)
    high = total + rest
    return high, (total - high) + rest

def pow(x, y):
    size = math.fabs(x)
    high, low = log_pair(size)
    high = high if size < math.inf else size
    high = high if size != 0.0 else -math.inf
    inside = clamped(y, -LARGE_POWER, LARGE_POWER)
    product = inside * high
    lost = fma(inside, high, -product) + inside * low
    k, near, rest = reduced(clamped(product, EXP_LOW, EXP_HIGH))
    rest += lost if math.fabs(product) < 800.0 else 0.0
    r = near + rest
    rest = (near - r) + rest
    power = scaled(1.0 + (r + fma(r * r, polynomial(r, EXP), rest)), k)
    whole = rint(y) == y
    odd = whole and rint(0.5 * y) != 0.5 * y
    power = math.copysign(power, x) if odd else power
    power = math.nan if x < 0.0 and size < math.inf and not whole else power
    return 1.0 if x == 1.0 or y == 0.0 else power
"""
