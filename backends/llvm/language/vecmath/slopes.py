"""Derivatives with ops of their own (`ir.ops.slopes`), below 4 ulp of what y allows.

In the kernel of the function itself, they share its exponential. Elsewhere they are
made of the value y where that has the digits; the tails, which need an exponential, are
computed only if some lane is beyond.
"""

from __future__ import annotations

from .....ir.ops.slopes import RATIO_NEAR, RATIOS, SIGMOID_NEAR, TANH_NEAR, ratio_series

__all__ = ["CONSTANTS", "SOURCE"]

CONSTANTS = {
    "TANH_NEAR": (TANH_NEAR["f64"], TANH_NEAR["f32"]),
    "SIGMOID_NEAR": (SIGMOID_NEAR["f64"] / 2, SIGMOID_NEAR["f32"] / 2),  # of x / 2
    **{f"RATIO{k}": (ratio_series(k),) * 2 for k in range(1, RATIOS + 1)},
}

_RATIO = """
def bessel_ratio{k}_f64(t):
    size = math.fabs(t)
    far = {near} if size < {near} else size
    square = far * far
    a0 = sin(far) / far
    a1 = (a0 - cos(far)) / square
    {steps}
    return polynomial(size * size, RATIO{k}) if size < {near} else a{k}
"""


def _ratio(k: int) -> str:
    """The series near 0, else the recurrence of spherical Bessel functions."""
    steps = [
        f"a{n + 1} = ({2.0 * n + 1} * a{n} - a{n - 1}) / square" for n in range(1, k)
    ]
    return _RATIO.format(k=k, near=RATIO_NEAR, steps="\n    ".join(steps))


SOURCE = """
def tanh_tail(x):
    power = exp(-2.0 * math.fabs(x))
    once = 1.0 + power
    return 4.0 * power / (once * once)

def tanh_slope(y, x):
    tail = tanh_tail_far(x, TANH_NEAR)
    return tail if math.fabs(x) > TANH_NEAR else 1.0 - y * y

def sigmoid_and_slope(x):
    power = exp(-x)
    y = 1.0 / (1.0 + power)
    return y, power * y * y if x > 0 else y * (1.0 - y)

def sigmoid_slope(y, x):
    tail = tanh_tail_far(0.5 * x, SIGMOID_NEAR)
    return 0.25 * tail if math.fabs(x) > 2.0 * SIGMOID_NEAR else y * (1.0 - y)
""" + "".join(_ratio(k) for k in range(1, RATIOS + 1))
