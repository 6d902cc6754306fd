"""erf in float64, below 1 ulp.

Up to 1 an odd polynomial; above, 1 - exp(-x^2) g(x), with g(x) = exp(x^2) erfc(x) as a
polynomial of (x - 2) / (x + 2.5), up to 6, where erf is 1.
"""

from __future__ import annotations

__all__ = ["CONSTANTS", "SOURCE"]

CONSTANTS = {
    # erf(x) / x - 1 for z = x^2 up to 1.
    "ERF_SMALL": (
        *(0.12837916709551256, -0.37612638903183343, 0.11283791670936964),
        *(-0.02686617064196202, 0.005223977596751249, -0.0008548325484774931),
        *(0.00012055280446082062, -1.4924463572751356e-05, 1.644410879370441e-06),
        *(-1.6183528795295188e-07, 1.3614019403368132e-08, -7.601445268178896e-10),
    ),
    "ERF_LARGE": (
        *(0.25539567631050575, -0.4805840783407042, 0.3659216618806871),
        *(-0.1964232141685525, 0.06342414004156736, -0.003429173300696528),
        *(-0.0060798160025788426, 0.0013006263821936197, 0.0007774599765583179),
        *(-0.0002082044194364866, -0.00014366937932801648, 2.1373301773502207e-05),
        2.660990783955736e-05,
    ),
}

SOURCE = """
def erf_f64(x):
    size = clamped(math.fabs(x), 0.0, 6.0)
    small = fma(x, polynomial(x * x, ERF_SMALL), x)
    shape = polynomial((size - 2.0) / (size + 2.5), ERF_LARGE)
    large = 1.0 - exp_f64(-size * size) * shape
    return math.copysign(large, x) if size > 1.0 else small
"""
