"""log, log1p, log2, log10: below 1 ulp.

By x = 2^k (1 + f), 1 + f in [sqrt(1/2), sqrt(2)), s = f / (2 + f) and the series
log(1 + f) = 2 artanh(s) = f - f^2/2 + s (f^2/2 + s^2 P(s^2)).
"""

from __future__ import annotations

__all__ = ["CONSTANTS", "SOURCE"]

CONSTANTS = {
    "SQRT_HALF_BITS": (0x3FE6A09E667F3BCD, 0x3F3504F3),
    "SMALLEST_NORMAL": (2.0**-1022, 2.0**-126),
    "GROWTH": (2.0**54, 2.0**25),
    "GROWTH_POWER": (54, 25),
    "LOG2E_REST": (2.0355273740931033e-17, 1.925963033500011e-08),
    "LOG10E": (0.4342944819032518, 0.4342944920063019),
    "LOG10E_REST": (1.098319650216765e-17, -1.0103049952192578e-08),
    "LOG10_2_HIGH": (0.30102999560767785, 0.301025390625),  # as LN2_HIGH
    "LOG10_2_LOW": (5.630334806675098e-11, 4.605039066518657e-06),
    # (2 artanh(s) / s - 2) / z for z = s^2 up to ((sqrt(2) - 1) / (sqrt(2) + 1))^2.
    "LOG": (
        (
            *(0.6666666666666735, 0.39999999999410407, 0.2857142874329073),
            *(0.22222198482516653, 0.18183569008551426, 0.1531393041920674),
            0.14797161813139378,
        ),
        (0.6666677594184875, 0.39977583289146423, 0.2987085282802582),
    ),
}

SOURCE = """
def split(x):
    # The integer k, also as a float, and f with x = 2**k (1 + f), for finite x > 0.
    tiny = x < SMALLEST_NORMAL
    whole = bits(x * GROWTH if tiny else x)
    exponent = (whole - SQRT_HALF_BITS) >> FRACTION
    f = from_bits(whole - (exponent << FRACTION)) - 1.0
    k = exponent - GROWTH_POWER if tiny else exponent
    return k, from_bits(k + ROUNDER_BITS) - ROUNDER, f

def log_series(f, s):
    # ``log(1 + f)`` as a sum of two.
    half_square = 0.5 * f * f
    z = s * s
    total = f - half_square
    low = s * fma(polynomial(z, LOG), z, half_square)
    return total, ((f - total) - half_square) + low

def log_edges(x, finite):
    # The logarithm of ``x``, which is ``finite`` inside its domain.
    inside = finite if x < math.inf else x
    result = inside if x >= 0.0 else math.nan
    return result if x != 0.0 else -math.inf

def log(x):
    _, k, f = split(x)
    high, low = log_series(f, f / (2.0 + f))
    return log_edges(x, fma(k, LN2_HIGH, high + fma(k, LN2_LOW, low)))

def log1p(x):
    # What 1 + x loses, c, adds c / (1 + f), which to enough bits is c (1 - s)^2.
    u = 1.0 + x
    lost = x - (u - 1.0) if x < 1.0 else 1.0 - (u - x)
    whole, k, f = split(u)
    s = f / (2.0 + f)
    c = lost * from_bits((BIAS - whole if whole < BIAS else 0) << FRACTION)
    high, low = log_series(f, s)
    low += fma(k, LN2_LOW, c * (1.0 - s) * (1.0 - s))
    return math.copysign(log_edges(u, fma(k, LN2_HIGH, high + low)), x)

def log_in_base(x, power_high, power_low, factor, factor_rest):
    # k (power_high + power_low) + log(1 + f) (factor + factor_rest).
    _, k, f = split(x)
    high, low = log_series(f, f / (2.0 + f))
    product = high * factor
    rest = fma(high, factor, -product) + fma(high, factor_rest, low * factor)
    whole = k * power_high
    total = whole + product
    rest += ((whole - total) + product) + k * power_low
    return log_edges(x, total + rest)

def log2(x):
    return log_in_base(x, 1.0, 0.0, LOG2E, LOG2E_REST)

def log10(x):
    return log_in_base(x, LOG10_2_HIGH, LOG10_2_LOW, LOG10E, LOG10E_REST)
"""
