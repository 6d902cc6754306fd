"""A Gaussian process that classifies, by Laplace's approximation.

Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006, chapter 3. The
mode of the latent values is a minimum, which Newton-CG finds by products with the
Hessian alone; the variance at a new point is a linear system with the same products
(`hvp`); and how well a length scale explains the labels has a derivative through the
mode, by the implicit function theorem.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import anabranch

X = np.linspace(-3.0, 3.0, 25)
LABELS = np.sign(np.sin(1.5 * X) + 1e-9)
NOISE = 1e-6


def kernel(x: Any, y: Any, scale: Any) -> Any:
    """The covariances of points, of variance 4."""
    return 4.0 * np.exp(-0.5 * ((x[:, None] - y[None, :]) / scale) ** 2)


def root_of(scale: Any) -> Any:
    """The L with L Lᵀ = K: the latent values are f = L v with a standard normal v."""
    return np.linalg.cholesky(kernel(X, X, scale) + NOISE * np.eye(X.size))


def objective(v: Any, scale: Any) -> Any:
    """The negative logarithm of likelihood and prior."""
    return np.sum(np.logaddexp(0, -LABELS * (root_of(scale) @ v))) + 0.5 * np.sum(v * v)


def mode(scale: Any) -> Any:
    """The most likely v."""
    return anabranch.minimize(
        objective, np.zeros(X.size), scale, method="newton-cg", tol=1e-9
    ).x


def evidence(scale: Any) -> Any:
    """The logarithm of the marginal likelihood, (3.32) there."""
    v = mode(scale)
    half = 0.5 * (1 + np.tanh(0.5 * root_of(scale) @ v))
    weights = half * (1 - half)
    low = root_of(scale)
    inner = np.eye(X.size) + low.T @ (weights[:, None] * low)
    return -objective(v, scale) - 0.5 * np.linalg.slogdet(inner)[1]


def variance(scale: Any, at: Any) -> Any:
    """Of the latent value at a point, from the Hessian at the mode."""
    v = mode(scale)
    times = anabranch.hvp(lambda u: objective(u, scale))
    across = np.linalg.solve(root_of(scale), kernel(X, np.array([at]), scale)[:, 0])
    solved = anabranch.linear_solve(lambda u: times(v, u), across, method="cg").x
    return 4.0 - across @ across + across @ solved


def by_newton(scale: float) -> Any:
    """The latent values by algorithm 3.1 there, in plain NumPy."""
    k = kernel(X, X, scale) + NOISE * np.eye(X.size)
    f = np.zeros(X.size)
    for _ in range(50):
        half = 1 / (1 + np.exp(-f))
        w = half * (1 - half)
        b = w * f + (LABELS + 1) / 2 - half
        s = np.sqrt(w)
        inner = np.eye(X.size) + s[:, None] * k * s
        f = k @ (b - s * np.linalg.solve(inner, s * (k @ b)))
    return f


def main() -> dict[str, float]:
    """Fit the length scale; what was found."""
    assert np.allclose(root_of(1.0) @ mode(1.0), by_newton(1.0), atol=1e-6)

    slope = anabranch.grad(evidence)(1.0)
    apart = (evidence(1.0 + 1e-5) - evidence(1.0 - 1e-5)) / 2e-5
    assert np.isclose(slope, apart, rtol=1e-5)

    best = anabranch.minimize(lambda log: -evidence(np.exp(log)), 0.0, tol=1e-6)
    scale = float(np.exp(best.x))
    inside, outside = [float(variance(scale, at)) for at in (0.1, 5.0)]
    print(f"length scale {scale:.3f}, evidence {-best.fun:.3f}")
    print(f"variance {inside:.3f} among the points, {outside:.3f} far from them")
    assert -best.fun > evidence(1.0)
    assert abs(anabranch.grad(evidence)(scale)) < 1e-5
    assert inside < outside < 4.0 + 1e-6
    return {"scale": scale, "inside": inside, "outside": outside}


if __name__ == "__main__":
    main()
