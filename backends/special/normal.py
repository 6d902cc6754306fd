"""Integrals of the normal distribution, by one polynomial for erfcx.

erfcx(x) = exp(x^2) erfc(x), times 1 + 2 x, is smooth in (x - 4) / (x + 4) from 0 to
infinity (Shepherd and Laframboise, Mathematics of Computation 36, 1981). The square in
the exponent is a sum of two (Dekker, Numerische Mathematik 18, 1971), so tails keep
their digits. Errors are below 5 ulp, of log_ndtr 7, where results are normal numbers.
"""

from __future__ import annotations

__all__ = ["CONSTANTS", "SOURCE"]

CONSTANTS: dict[str, float | tuple[float, ...]] = {
    "HALVES": 134217729.0,  # 2^27 + 1, which cuts a number in two halves
    "SQRT_HALF": 0.7071067811865476,
    "NEARLY_ONE": 0.9999999999999999,
    # erfcx(x) (1 + 2 x) for (x - 4) / (x + 4) from -1 to 1.
    "ERFCX": (
        1.2329951186255526,
        -0.13962111684056228,
        0.01537965210261947,
        0.06809705425466887,
        -0.10103906603629365,
        0.09373283499910107,
        -0.06633036581232582,
        0.03716751552646565,
        -0.01619773405837608,
        0.0050319700683167535,
        -0.0007577732698996928,
        -0.00019925714950889378,
        0.00015062152215684395,
        -2.4397738347537482e-05,
        -1.122136630904404e-05,
        5.706589812508463e-06,
        2.9210319846898963e-07,
        -8.210768209737472e-07,
        7.733002218559195e-08,
        1.063260846306789e-07,
        -2.0465383084276656e-08,
        -1.2341702192987411e-08,
        3.132427486148943e-09,
        9.30248704841359e-10,
        -2.5963331817256665e-10,
    ),
}

SOURCE = """
def exp_square(x, factor):
    # exp(factor x^2) for a factor that is a power of two.
    high = HALVES * x
    high = high - (high - x)
    low = x - high
    square = x * x
    rest = ((high * high - square) + 2.0 * high * low) + low * low
    return exp(factor * square) * (1.0 + factor * rest)

def erfcx_positive(x):
    shape = 0.5 * polynomial(1.0 - 8.0 / (x + 4.0), ERFCX)
    return shape / (0.5 + x)

def erfcx_f64(x):
    size = math.fabs(x)
    tail = erfcx_positive(size)
    power = exp_square(27.0 if size > 27.0 else size, 1.0)
    return 2.0 * power - tail if x < 0.0 else tail

def erfc_f64(x):
    size = math.fabs(x)
    size = 30.0 if size > 30.0 else size
    tail = exp_square(size, -1.0) * erfcx_positive(size)
    return 2.0 - tail if x < 0.0 else tail

def ndtr_f64(x):
    size = math.fabs(x)
    size = 40.0 if size > 40.0 else size
    tail = 0.5 * exp_square(size, -0.5) * erfcx_positive(SQRT_HALF * size)
    return tail if x < 0.0 else 1.0 - tail

def log_ndtr_f64(x):
    # Below 0 the logarithm of erfcx / 2, which is log1p(y - 1), beside the exponent.
    size = math.fabs(x)
    shape = 0.5 * erfcx_positive(SQRT_HALF * size)
    tail = exp_square(40.0 if size > 40.0 else size, -0.5) * shape
    less = 1.0 - shape if x < 0.0 else tail
    value = log1p(-(NEARLY_ONE if less > NEARLY_ONE else less))
    return value - 0.5 * x * x if x < 0.0 else value
"""
