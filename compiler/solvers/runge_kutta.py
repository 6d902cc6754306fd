"""Steps of explicit Runge-Kutta methods.

A step from (t, y) of length h makes the new y, the slope there, an estimate of the
error, and the rows q of a polynomial between: y(θ) = y + Σ_j q_j θ^(j + 1), where θ
goes from 0 to 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

__all__ = ["Made", "Slope", "dormand_prince", "rk4", "weighted"]

Slope: TypeAlias = Callable[[Any, Any], Any]


class Made(NamedTuple):
    """What a step makes."""

    y: Any
    slope: Any
    error: Any
    rows: Any


def weighted(weights: Sequence[float], values: Sequence[Any]) -> Any:
    """The sum of values times weights, of which some are 0."""
    terms = [w * v for w, v in zip(weights, values, strict=False) if w]
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


# Dormand and Prince, A Family of Embedded Runge-Kutta Formulae, Journal of
# Computational and Applied Mathematics 6, 1980, table 2.
_NODES = 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0
_STAGES = (
    (1 / 5,),
    (3 / 40, 9 / 40),
    (44 / 45, -56 / 15, 32 / 9),
    (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
    (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
)
_WEIGHTS = 35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84
_ERROR = (
    *(71 / 57600, 0.0, -71 / 16695, 71 / 1920),
    *(-17253 / 339200, 22 / 525, -1 / 40),
)
# Shampine, Some Practical Runge-Kutta Formulas, Mathematics of Computation 46, 1986.
_DENSE = (
    (1.0,),
    (
        *(-8048581381 / 2820520608, 0.0, 131558114200 / 32700410799),
        *(-1754552775 / 470086768, 127303824393 / 49829197408),
        *(-282668133 / 205662961, 40617522 / 29380423),
    ),
    (
        *(8663915743 / 2820520608, 0.0, -68118460800 / 10900136933),
        *(14199869525 / 1410260304, -318862633887 / 49829197408),
        *(2019193451 / 616988883, -110615467 / 29380423),
    ),
    (
        *(-12715105075 / 11282082432, 0.0, 87487479700 / 32700410799),
        *(-10690763975 / 1880347072, 701980252875 / 199316789632),
        *(-1453857185 / 822651844, 69997945 / 29380423),
    ),
)


def dormand_prince(slope: Slope, t: Any, y: Any, k: Any, h: Any) -> Made:
    """A step of order 5, whose last slope is the first one of the next step."""
    slopes = [k]
    for node, stage in zip(_NODES, _STAGES, strict=True):
        slopes.append(slope(t + node * h, y + h * weighted(stage, slopes)))
    new = y + h * weighted(_WEIGHTS, slopes)
    slopes.append(slope(t + h, new))
    rows = np.stack([h * weighted(weights, slopes) for weights in _DENSE])
    return Made(new, slopes[-1], h * weighted(_ERROR, slopes), rows)


def rk4(slope: Slope, t: Any, y: Any, h: Any) -> Any:
    """The y after a step of the classical method of order 4."""
    k1 = slope(t, y)
    k2 = slope(t + h / 2, y + h / 2 * k1)
    k3 = slope(t + h / 2, y + h / 2 * k2)
    k4 = slope(t + h, y + h * k3)
    return y + h / 6 * (k1 + 2 * (k2 + k3) + k4)
