"""Laplace's approximation: a posterior by its highest point and the Hessian there.

The inverse of the Hessian of -log p is the covariance, and its diagonal are the error
bars; the Jacobian of what follows from the parameters carries them on. For a linear
model with normal noise that is the posterior itself. For rates of counts it is nearly
so: with a prior of Gamma(a, b) the posterior is Gamma(a + Σ y, b + n).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.stats import gamma

import anabranch as ab

A, B = 2.0, 1.0


def laplace(cost: Callable[[Any], Any], start: Any) -> tuple[Any, Any]:
    """The mode and the covariance of exp(-cost)."""
    slope, bend = ab.value_and_grad(cost), ab.hessian(cost)
    found = minimize(slope, start, jac=True, hess=bend, method="trust-exact", tol=1e-10)
    return found.x, np.linalg.inv(bend(found.x))


def line(rng: np.random.Generator) -> float:
    """A line through points: the approximation is exact."""
    t = np.linspace(-1.0, 2.0, 30)
    y = 0.5 - 1.5 * t + 0.2 * rng.normal(size=30)
    x = np.stack([np.ones(30), t], axis=1)

    def cost(w: Any) -> Any:
        return np.sum((x @ w - y) ** 2) / (2 * 0.2**2) + np.sum(w**2) / (2 * 10.0**2)

    mode, cov = laplace(cost, np.zeros(2))
    exact = np.linalg.inv(x.T @ x / 0.2**2 + np.eye(2) / 10.0**2)
    assert np.allclose(cov, exact, rtol=1e-10)
    assert np.allclose(mode, exact @ (x.T @ y) / 0.2**2, rtol=1e-8)
    zero = ab.grad(lambda w: -w[0] / w[1])(mode)  # where the line crosses zero
    bar = float(np.sqrt(zero @ cov @ zero))
    print(f"slope {mode[1]:.3f} ± {np.sqrt(cov[1, 1]):.3f}, ", end="")
    print(f"zero at {-mode[0] / mode[1]:.3f} ± {bar:.3f}")
    assert abs(-mode[0] / mode[1] - 0.5 / 1.5) < 3 * bar
    return bar


def rates(rng: np.random.Generator) -> float:
    """Counts at three places: log rates, and the worst error of the quartiles."""
    counts = rng.poisson(np.array([[4.0], [9.0], [25.0]]), size=(3, 40))

    def cost(log_rate: Any) -> Any:
        rate = np.exp(log_rate)
        likely = np.sum(counts * log_rate[:, None] - rate[:, None])
        return -likely - np.sum(A * log_rate - B * rate)

    mode, cov = laplace(cost, np.zeros(3))
    shape, scale = A + counts.sum(axis=1), 1 / (B + 40)
    assert np.allclose(mode, np.log(shape * scale), rtol=1e-8)
    assert np.allclose(cov, np.diag(1 / shape), rtol=1e-8)
    worst = 0.0
    for sign, share in ((-0.6744897501960817, 0.25), (0.6744897501960817, 0.75)):
        ours = np.exp(mode + sign * np.sqrt(np.diag(cov)))
        exact = gamma.ppf(share, shape, scale=scale)
        worst = max(worst, float(np.max(np.abs(ours / exact - 1))))
    print(f"quartiles of rates are off by {worst:.2%}")
    assert worst < 1 / np.min(shape)
    return worst


def main() -> dict[str, float]:
    """Both models."""
    rng = np.random.default_rng(2)
    return {"bar": line(rng), "quartiles": rates(rng)}


if __name__ == "__main__":
    main()
