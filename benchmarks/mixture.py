"""The log likelihood of a Gaussian mixture.

The objective of ADBench (Šrajer, Kukelova, Fitzgibbon: A benchmark of selected
algorithmic differentiation tools, 2018), up to a constant: the factor of each inverse
covariance is lower triangular with the exponential of ``log_diagonal`` on the diagonal;
a Wishart prior with weight 1 and no extra degrees of freedom keeps the factors small.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .model import Loss, Model, Product

__all__ = ["MIXTURE"]


def _mixture(xp: Any) -> Loss:
    def loss(
        alphas: Any, means: Any, log_diagonal: Any, lower: Any,
        x: Any, below: Any, eye: Any,
    ) -> Any:  # fmt: skip
        below_diagonal = lower * below
        diagonal = xp.exp(log_diagonal)
        factors = below_diagonal + diagonal[:, :, None] * eye
        z = (x[None, :, :] - means[:, None, :]) @ factors.swapaxes(1, 2)
        log_determinant = xp.sum(log_diagonal, axis=1)
        exponents = (alphas + log_determinant)[:, None] - 0.5 * xp.sum(z * z, axis=2)
        likelihood = xp.sum(xp.logsumexp(exponents, axis=0))
        normalizer = x.shape[0] * xp.logsumexp(alphas, axis=0)
        norms = xp.sum(diagonal * diagonal) + xp.sum(below_diagonal * below_diagonal)
        return likelihood - normalizer + 0.5 * norms - xp.sum(log_determinant)

    return loss


def _arguments(rng: np.random.Generator, n: int, d: int, k: int) -> list[Any]:
    return [
        rng.normal(size=k),
        rng.normal(size=(k, d)),
        0.1 * rng.normal(size=(k, d)),
        rng.normal(size=(k, d, d)) / np.sqrt(d),
        rng.normal(size=(n, d)),
        np.tril(np.ones((d, d)), -1),
        np.eye(d),
    ]


MIXTURE = Model(
    "Gaussian mixture 1000, d=32, K=25, f64",
    _mixture,
    lambda rng: _arguments(rng, 1000, 32, 25),
    4,
    # All components at once: L x and L mu apart, and x needs no gradient.
    products=(Product(1000, 32, 25 * 32), Product(32, 1000, 25 * 32)),
)
