"""log, log1p, log2, log10 in float64: below 1 ulp for log, 1.5 for the others.

By x = 2^k (1 + f), 1 + f in [sqrt(1/2), sqrt(2)), s = f / (2 + f) and the series
log(1 + f) = 2 artanh(s) = f - f^2/2 + s (f^2/2 + s^2 P(s^2)).
"""

from __future__ import annotations

__all__ = ["CONSTANTS", "SOURCE"]

CONSTANTS = {
    "SQRT_HALF_BITS": 0x3FE6A09E667F3BCD,
    "SMALLEST_NORMAL": 2.2250738585072014e-308,
    "LOG2E_REST": 2.0355273740931033e-17,
    "LOG10E": 0.4342944819032518,
    "LOG10E_REST": 1.098319650216765e-17,
    "LOG10_2_HIGH": 0.30102999560767785,  # 33 bits
    "LOG10_2_LOW": 5.630334806675098e-11,
    # (2 artanh(s) / s - 2) / z for z = s^2 up to ((sqrt(2) - 1) / (sqrt(2) + 1))^2.
    "LOG": (
        *(0.6666666666666735, 0.39999999999410407, 0.2857142874329073),
        *(0.22222198482516653, 0.18183569008551426, 0.1531393041920674),
        0.14797161813139378,
    ),
}

SOURCE = """
def split(x):
    # The integer k, also as a float, and f with x = 2**k (1 + f), for finite x > 0.
    tiny = x < SMALLEST_NORMAL
    whole = bits(x * 18014398509481984.0 if tiny else x)
    exponent = (whole - SQRT_HALF_BITS) >> 52
    f = from_bits(whole - (exponent << 52)) - 1.0
    k = exponent - (54 if tiny else 0)
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

def log_f64(x):
    _, k, f = split(x)
    high, low = log_series(f, f / (2.0 + f))
    return log_edges(x, fma(k, LN2_HIGH, high + fma(k, LN2_LOW, low)))

def log1p_f64(x):
    # What 1 + x loses, c, adds c / (1 + f), which to enough bits is c (1 - s)^2.
    u = 1.0 + x
    lost = x - (u - 1.0) if x < 1.0 else 1.0 - (u - x)
    whole, k, f = split(u)
    s = f / (2.0 + f)
    c = lost * from_bits((1023 - whole if whole < 1023 else 0) << 52)
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

def log2_f64(x):
    return log_in_base(x, 1.0, 0.0, LOG2E, LOG2E_REST)

def log10_f64(x):
    return log_in_base(x, LOG10_2_HIGH, LOG10_2_LOW, LOG10E, LOG10E_REST)
"""
