"""cbrt, below 0.51 ulp, and hypot, below 1 ulp.

By x = 2^(3q) m, m = 2^r (1 + f), r one of -1, 0, 1, 1 + f in [sqrt(1/2), sqrt(2)). A
polynomial and the cube root of 2^r make y, and of what y^3 lacks of m, exactly,
cbrt(m) = y (1 - e)^(-1/3) with e = (m - y^3) / m, to the square of e.

hypot of numbers scaled by a power of two, where squares would overflow or have no
digits; the root is corrected by what its square lacks, exactly, of theirs (Borges,
"Algorithm 1014: An improved algorithm for hypot", 2020).
"""

from __future__ import annotations

__all__ = ["CONSTANTS", "SOURCE"]

POWERS = {"LARGE": 500, "SMALL": -500, "SCALE_UP": 600, "SCALE_DOWN": -600}
CONSTANTS = {
    # hypot computes in float64 alone.
    **{name: (2.0**power,) * 2 for name, power in POWERS.items()},
    "THIRD": (0.3333333333333333, 0.3333333432674408),
    "TWO_NINTHS": (0.2222222222222222, 0.2222222238779068),
    "CBRT_TWO": (1.2599210498948732, 1.2599210739135742),
    "CBRT_HALF": (0.7937005259840998, 0.7937005162239075),
    # cbrt(1 + f) for 1 + f in [sqrt(1/2), sqrt(2)), to 2**-22 and 2**-13 of itself.
    "CBRT": (
        (
            *(0.9999998765901513, 0.3333356794086923, -0.11108612958322348),
            *(0.06156229363381426, -0.04181651301774215, 0.033460386699996535),
            -0.02038163121046647,
        ),
        (
            *(1.000069260597229, 0.33362236618995667, -0.115716353058815),
            0.058220818638801575,
        ),
    ),
}

SOURCE = """
def cbrt(x):
    size = math.fabs(x)
    exponent, k, f = split(size)
    shifted = fma(k, THIRD, ROUNDER)
    third = bits(shifted) - ROUNDER_BITS
    left = exponent - (third + third + third)
    m = (1.0 + f) * from_bits((left + BIAS) << FRACTION)
    y = polynomial(f, CBRT)
    y = y * CBRT_HALF if left < 0 else y
    y = y * CBRT_TWO if left > 0 else y
    square = y * y
    cube = square * y
    lost = fma(square, y, -cube) + fma(y, y, -square) * y
    e = ((m - cube) - lost) / m
    root = fma(y * e, fma(e, TWO_NINTHS, THIRD), y)
    root = root * from_bits((third + BIAS) << FRACTION)
    inside = root if size < math.inf else size
    return math.copysign(inside if size > 0.0 else size, x)

def hypot_f64(x, y):
    a = math.fabs(x)
    b = math.fabs(y)
    size = a if a > b else b
    scale = SCALE_DOWN if size > LARGE else 1.0
    scale = SCALE_UP if size < SMALL else scale
    back = SCALE_UP if size > LARGE else 1.0
    back = SCALE_DOWN if size < SMALL else back
    a = a * scale
    b = b * scale
    aa = a * a
    bb = b * b
    root = sqrt(aa + bb)
    square = root * root
    high = aa if aa > bb else bb
    low = bb if aa > bb else aa
    lost = fma(root, root, -square) - fma(a, a, -aa) - fma(b, b, -bb)
    lost += (square - high) - low
    root = (root - 0.5 * lost / root if root > 0.0 else root) * back
    root = root if size < math.inf else size
    return math.inf if math.fabs(x) == math.inf or math.fabs(y) == math.inf else root
"""
