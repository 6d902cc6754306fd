"""Rodas, a Rosenbrock method of order 4 for stiff systems.

Hairer and Wanner, Solving Ordinary Differential Equations II, 2nd edition, section
IV.7, in the variables u of (7.25): with J = ∂f/∂y each stage is one linear system,

    (I / hγ - J) u_i = f(t + α_i h, y + Σ a_ij u_j) + Σ c_ij u_j / h + h γ_i ∂f/∂t,

all of one matrix, which is factorized once. The method is L-stable.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .constants import eye
from .implicit import lenient_solve
from .runge_kutta import Made, Slope, weighted

__all__ = ["rodas"]

_GAMMA = 0.25
_NODES = 0.0, 0.386, 0.21, 0.63, 1.0, 1.0
_SHIFTS = 0.25, -0.1043, 0.1035, -0.0362, 0.0, 0.0
_A = (
    (),
    (1.544,),
    (0.9466785280815826, 0.2557011698983284),
    (3.314825187068521, 2.896124015972201, 0.9986419139977817),
    (1.221224509226641, 6.019134481288629, 12.53708332932087, -0.687886036105895),
)
_C = (
    (),
    (-5.6688,),
    (-2.430093356833875, -0.2063599157091915),
    (-0.1073529058151375, -9.594562251023355, -20.47028614809616),
    (7.496443313967647, -10.24680431464352, -33.99990352819905, 11.7089089320616),
    (
        *(8.083246795921522, -7.981132988064893, -31.52159432874371),
        *(16.31930543123136, -6.058818238834054),
    ),
)
_DENSE = (
    (
        *(10.12623508344586, -7.487995877610167, -34.80091861555747),
        *(-7.992771707568823, 1.025137723295662),
    ),
    (
        *(-0.6762803392801253, 6.087714651680015, 16.43084320892478),
        *(24.76722511418386, -6.594389125716872),
    ),
)


def rodas(
    slope: Slope,
    derivatives: Callable[[Any, Any], tuple[Any, Any]],
    t: Any,
    y: Any,
    k: Any,
    h: Any,
) -> Made:
    """A step; ``derivatives(t, y)`` are those by t and by y."""
    by_t, by_y = derivatives(t, y)
    matrix = eye(y.shape[0], y.dtype) / (h * _GAMMA) - by_y
    made: list[Any] = []
    at = y
    for stage, (node, shift) in enumerate(zip(_NODES, _SHIFTS, strict=True)):
        if stage == 5:  # which begins where the fifth ends
            at = at + made[4]
        elif stage:
            at = y + weighted(_A[stage], made)
        right = slope(t + node * h, at) if stage else k
        if stage:
            right = right + weighted(_C[stage], made) / h
        if shift:
            right = right + shift * h * by_t
        made.append(lenient_solve(matrix, right))
    new = at + made[5]
    a, b = [weighted(weights, made) for weights in _DENSE]
    rows = np.stack([new - y + a, b - a, -b])
    return Made(new, slope(t + h, new), made[5], rows)
