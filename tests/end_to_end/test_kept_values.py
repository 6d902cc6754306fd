"""Gradients that people count on, from the programs of users of HIPS autograd."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import special, stats

import anabranch

X = np.array([0.5, 2.0])
A = np.array([[2.0, 1.0], [1.0, 3.0]])
TABLE = np.array([3.0, 5.0, 7.0])


def grown(w: Any) -> Any:
    return np.eye(2) + np.outer(w, w)


KEPT: dict[str, tuple[Any, Any, Any]] = {
    "logsumexp": (special.logsumexp, X, [0.18242552, 0.81757448]),
    "densities": (lambda w: stats.norm.logpdf(w).sum(), X, [-0.5, -2.0]),
    "gammaln": (lambda w: special.gammaln(w).sum(), X, [-1.96351003, 0.42278434]),
    "solve": (
        lambda w: X @ np.linalg.solve(grown(w), X),
        X,
        [-0.15419501, -0.61678005],
    ),
    "slogdet": (lambda w: np.linalg.slogdet(grown(w))[1], X, [0.19047619, 0.76190476]),
    "phases": (
        lambda w: abs(sum(w * np.exp(1j * np.arange(2)))) ** 2,
        X,
        [3.16120922, 4.54030231],
    ),
    "fft": (lambda w: sum(abs(np.fft.fft(w)) ** 2), X, [2.0, 8.0]),
    "table": (lambda w: sum(w * TABLE[np.floor(w).astype(int)]), X, [3.0, 7.0]),
    "cross": (
        lambda w: sum(np.cross(w, [1, 2, 3])),
        np.array([1.0, 0.0, 0.0]),
        [-1.0, 2.0, -1.0],
    ),
    "mask": (lambda w: sum(w[w > 1] ** 2), X, [0.0, 4.0]),
    "solve of a": (
        lambda a: np.linalg.solve(a, [1, 2]).sum(),
        A,
        [[-0.08, -0.24], [-0.04, -0.12]],
    ),
    "cholesky": (
        lambda a: np.log(np.diag(np.linalg.cholesky(a))).sum(),
        A,
        [[0.3, -0.1], [-0.1, 0.2]],
    ),
}


@pytest.mark.parametrize("name", KEPT)
def test_gradients(name: str, backend: str) -> None:
    function, x, expected = KEPT[name]
    made = anabranch.grad(function, backend=backend)(x)
    np.testing.assert_allclose(made, expected, rtol=0, atol=5e-9)
