"""SciPy's optimisers with exact derivatives: three small programs.

`least_squares` takes a Jacobian, `minimize` a Hessian or products with it, `root` a
Jacobian. Without, SciPy takes differences: a call of the function for each unknown, and
half of the digits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import least_squares, minimize, root

import anabranch as ab

T = np.linspace(0.0, 4.0, 40)


def fit() -> float:
    """A decaying oscillation, from data without noise: what was put in comes out."""

    def curve(p: Any) -> Any:
        height, rate, frequency, floor = p
        return height * np.exp(-rate * T) * np.cos(frequency * T) + floor

    truth = np.array([2.0, 0.5, 3.0, 0.25])
    data = curve(truth)
    residuals = ab.jit(lambda p: curve(p) - data)
    jacobian: Any = ab.jacobian(residuals)
    found = least_squares(residuals, [1.0, 1.0, 2.8, 0.0], jac=jacobian, xtol=1e-15)
    assert found.success
    assert np.allclose(found.x, truth, rtol=1e-10)
    return float(found.cost)


def rosenbrock(x: Any) -> Any:
    """A bent valley, lowest at ones."""
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def descend() -> tuple[float, float]:
    """A trust region by the Hessian, and by products with it: the same steps."""
    start = np.linspace(-1.0, 1.5, 20)
    ways: dict[str, Any] = {"hess": ab.hessian(rosenbrock), "hessp": ab.hvp(rosenbrock)}
    slope = ab.value_and_grad(rosenbrock)
    ends: list[float] = []
    for name, way in ways.items():
        found = minimize(
            slope, start, jac=True, method="trust-ncg", tol=1e-9, **{name: way}
        )
        assert found.success
        assert np.max(np.abs(ab.grad(rosenbrock)(found.x))) < 1e-8
        assert np.linalg.eigvalsh(ab.hessian(rosenbrock)(found.x))[0] > 0
        ends.append(float(found.fun))
    assert np.isclose(*ends, atol=1e-12)
    return ends[0], ends[1]


def burn(points: int = 39) -> float:
    """Bratu's equation u'' + exp(u) = 0 with u = 0 at both ends of [0, 1].

    Its solution is -2 log(cosh((x - 1/2) k / 2) / cosh(k / 4)) with k = √2 cosh(k / 4).
    """
    h = 1 / (points + 1)

    def left_over(u: Any) -> Any:
        inside = np.concatenate([np.zeros(1), u, np.zeros(1)])
        return (inside[2:] - 2 * u + inside[:-2]) / h**2 + np.exp(u)

    start = np.zeros(points)
    found = root(ab.jit(left_over), start, jac=ab.jacobian(left_over), tol=1e-12)
    assert found.success
    k = root(lambda k: k - np.sqrt(2) * np.cosh(k / 4), 1.5).x[0]
    x = np.linspace(h, 1 - h, points)
    exact = -2 * np.log(np.cosh((x - 0.5) * k / 2) / np.cosh(k / 4))
    error = float(np.max(np.abs(found.x - exact)))
    assert error < 0.1 * h**2  # that of the differences
    return error


def main() -> dict[str, float]:
    """Solve all three; what is left of each."""
    cost, (by_matrix, by_products), error = fit(), descend(), burn()
    print(f"fit {cost:.1e}, valley {by_matrix:.1e}, equation off by {error:.1e}")
    return {"fit": cost, "hess": by_matrix, "hessp": by_products, "bratu": error}


if __name__ == "__main__":
    main()
