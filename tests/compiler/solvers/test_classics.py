"""`solve_ivp` on problems that are known for being hard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import scipy.integrate

import anabranch


def lorenz(t: Any, y: Any) -> Any:
    return [10 * (y[1] - y[0]), y[0] * (28 - y[2]) - y[1], y[0] * y[1] - 8 / 3 * y[2]]


def van_der_pol(t: Any, y: Any) -> Any:
    return [y[1], 1000 * (1 - y[0] ** 2) * y[1] - y[0]]


MOON = 0.012277471


def satellite(t: Any, y: Any) -> Any:
    """Between the earth and the moon, on a way that returns (Arenstorf)."""
    x, z, u, w = y[0], y[1], y[2], y[3]
    earth = ((x + MOON) ** 2 + z**2) ** 1.5
    moon = ((x - 1 + MOON) ** 2 + z**2) ** 1.5
    return [
        u,
        w,
        x + 2 * w - (1 - MOON) * (x + MOON) / earth - MOON * (x - 1 + MOON) / moon,
        z - 2 * u - (1 - MOON) * z / earth - MOON * z / moon,
    ]


def hires(t: Any, y: Any) -> Any:
    """Eight reactions by which plants see light."""
    fast = 280 * y[5] * y[7]
    return [
        -1.71 * y[0] + 0.43 * y[1] + 8.32 * y[2] + 0.0007,
        1.71 * y[0] - 8.75 * y[1],
        -10.03 * y[2] + 0.43 * y[3] + 0.035 * y[4],
        8.32 * y[1] + 1.71 * y[2] - 1.12 * y[3],
        -1.745 * y[4] + 0.43 * y[5] + 0.43 * y[6],
        -fast + 0.69 * y[3] + 1.71 * y[4] - 0.43 * y[5] + 0.69 * y[6],
        fast - 1.81 * y[6],
        -fast + 1.81 * y[6],
    ]


class Problem(NamedTuple):
    """``wanted`` is what is there at the end: None where SciPy says it."""

    f: Callable[..., Any]
    end: float
    start: list[float]
    method: str
    wanted: list[float] | None
    error: float


_ORBIT = [0.994, 0.0, 0.0, -2.00158510637908252240537862224]

# Hairer and Wanner, Solving Ordinary Differential Equations, I, section II.0, and II,
# section IV.10; the ends of van der Pol's and HIRES from Mazzia and Magherini, Test Set
# for Initial Value Problem Solvers.
PROBLEMS = {
    "Lorenz": Problem(lorenz, 5.0, [1.0, 1.0, 1.0], "RK45", None, 1e-7),
    "van der Pol": Problem(
        van_der_pol,
        2000.0,
        [2.0, 0.0],
        "Rodas4",
        [1.706167732170483, -0.8928097010247975e-3],
        1e-7,
    ),
    "Arenstorf": Problem(
        satellite, 17.0652165601579625588917206249, _ORBIT, "RK45", _ORBIT, 1e-3
    ),
    "HIRES": Problem(
        hires,
        321.8122,
        [1.0, *[0.0] * 6, 0.0057],
        "Rodas4",
        [
            *(0.7371312573325668e-3, 0.1442485726316185e-3, 0.5888729740967575e-4),
            *(0.1175651343283149e-2, 0.2386356198831331e-2, 0.6238968252742796e-2),
            *(0.2849998395185769e-2, 0.2850001604814231e-2),
        ],
        1e-6,
    ),
}


@pytest.mark.parametrize("name", list(PROBLEMS))
def test_the_end_is_where_it_is_known_to_be(name: str) -> None:
    f, end, start, method, wanted, error = PROBLEMS[name]
    tight: Any = {"rtol": 1e-10, "atol": 1e-12}
    made = anabranch.solve_ivp(f, (0, end), start, method=method, **tight)
    if wanted is None:
        exact: Any = {"rtol": 1e-12, "atol": 1e-14, "method": "DOP853"}
        wanted = scipy.integrate.solve_ivp(f, (0, end), start, **exact).y[:, -1]
    scale = np.where(np.equal(wanted, 0), 1, np.abs(wanted))
    apart = np.abs(made.y[:, -1] - wanted) / scale
    np.testing.assert_array_less(apart, error)
