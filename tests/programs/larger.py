"""The programs on larger arguments, by the number of turns of their longest loops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["LARGER"]

Rng = np.random.Generator


def _definite(rng: Rng, n: int) -> Any:
    made = rng.normal(size=(n, n))
    return made @ made.T / n + np.eye(n)


def _dominant(rng: Rng, n: int) -> Any:
    return rng.normal(size=(n, n)) + 2 * n * np.eye(n)


def _chances(rng: Rng, *shape: int) -> Any:
    made = 0.2 + rng.random(shape)
    return made / made.sum(axis=-1, keepdims=True)


def _hidden(rng: Rng, n: int) -> tuple[Any, ...]:
    seen = rng.integers(0, 7, n)
    return _chances(rng, 10), _chances(rng, 10, 10), _chances(rng, 10, 7), seen


LARGER: dict[str, Callable[[Rng, int], tuple[Any, ...]]] = {
    "n_body": lambda rng, n: (
        rng.normal(size=(n, 3)),
        np.zeros((n, 3)),
        0.5 + rng.random(n),
    ),
    "lennard_jones": lambda rng, n: (2 * n**0.33 * rng.random((n, 3)), 0.8),
    "smoothed_particles": lambda rng, n: (
        rng.random((n, 2)),
        0.3 * rng.normal(size=(n, 2)),
        0.45,
    ),
    "cholesky": lambda rng, n: (_definite(rng, n),),
    "lu_in_place": lambda rng, n: (_dominant(rng, n),),
    "gram_schmidt": lambda rng, n: (rng.normal(size=(2 * n, n)),),
    "householder": lambda rng, n: (rng.normal(size=(2 * n, n)),),
    "forward_substitution": lambda rng, n: (
        np.tril(_dominant(rng, n)),
        rng.normal(size=n),
    ),
    "back_substitution": lambda rng, n: (
        np.triu(_dominant(rng, n)),
        rng.normal(size=n),
    ),
    "levinson_durbin": lambda rng, n: (0.5 ** np.arange(n + 1.0),),
    "gauss_seidel": lambda rng, n: (_dominant(rng, n), rng.normal(size=n)),
    "stencil_in_1d": lambda rng, n: (0.1 * rng.random(n), 0.1),
    "stencil_in_2d": lambda rng, n: (rng.normal(size=(n, n)), 0.3),
    "heat": lambda rng, n: (rng.random((n, n)), 0.2),
    "crank_nicolson": lambda rng, n: (rng.normal(size=n), 0.4),
    "wave": lambda rng, n: (np.exp(-(np.linspace(-2, 2, n) ** 2)), 0.8),
    "shallow_water": lambda rng, n: (1.0 + 0.2 * rng.random((n, n)),),
    "alternating_directions": lambda rng, n: (rng.normal(size=(n, n)), 0.5),
    "finite_difference_time_domain": lambda rng, n: (1.0 + rng.random(n),),
    "floyd_warshall": lambda rng, n: (
        np.where(np.eye(n) == 1, 0.1, 1.0 + 5.0 * rng.random((n, n))),
    ),
    "time_warping": lambda rng, n: (rng.normal(size=n), rng.normal(size=n)),
    "forward_of_a_markov_model": _hidden,
    "viterbi": _hidden,
    "kalman_filter": lambda rng, n: (rng.normal(size=n), 0.1, 0.5),
    "horner": lambda rng, n: (rng.normal(size=n), 0.999),
    "clenshaw": lambda rng, n: (rng.normal(size=n), np.linspace(-0.9, 0.9, 100)),
    "ising_energy": lambda rng, n: (
        np.where(rng.random((n, n)) < 0.5, -1.0, 1.0),
        0.7,
        0.2,
    ),
    "metropolis": lambda rng, n: (
        0.3,
        np.zeros(2),
        rng.normal(size=(n, 2)),
        rng.random(n),
    ),
    "k_means": lambda rng, n: (rng.normal(size=(n, 2)), rng.normal(size=(4, 2))),
    "weighted_histogram": lambda rng, n: (rng.random(n), rng.normal(size=n), 20),
    "black_scholes_by_simulation": lambda rng, n: (
        100.0,
        0.2,
        0.03,
        rng.normal(size=(n, 50)),
    ),
    "plackett_luce": lambda rng, n: (
        rng.normal(size=20),
        np.array([rng.permutation(20) for _ in range(n)]),
    ),
    "cubic_spline": lambda rng, n: (
        np.linspace(0.0, 4.0, 20),
        rng.normal(size=20),
        4 * rng.random(n),
    ),
    "convolution": lambda rng, n: (rng.normal(size=(n, n)), rng.normal(size=(2, 3, 3))),
    "max_pooling": lambda rng, n: (rng.normal(size=(2 * n, 2 * n)),),
    "causal_attention": lambda rng, n: (
        rng.normal(size=(n, 8)),
        rng.normal(size=(n, 8)),
        rng.normal(size=(n, 8)),
    ),
    "long_short_term_memory": lambda rng, n: (
        {"w": 0.2 * rng.normal(size=(64, 19)), "b": np.zeros(64)},
        rng.normal(size=(n, 3)),
    ),
    "gated_recurrent_unit": lambda rng, n: (
        *(0.2 * rng.normal(size=(3, 16, 3)), 0.2 * rng.normal(size=(3, 16, 16))),
        rng.normal(size=(n, 3)),
    ),
    "elman_network": lambda rng, n: (
        *(0.5 * rng.normal(size=(3, 3)), 0.5 * rng.normal(size=(3, 3))),
        rng.normal(size=(n, 3)),
    ),
}
