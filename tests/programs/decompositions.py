"""Programs that decompose matrices: a driven spin, components of data, factors."""

from __future__ import annotations

import numpy as np
from scipy.linalg import expm

from tests.programs.record import program

RNG = np.random.default_rng(21)
SIGMA_X = np.array([[0, 1], [1, 0]], dtype=complex)
SIGMA_Y = np.array([[0, -1j], [1j, 0]])
SIGMA_Z = np.array([[1, 0], [0, -1]], dtype=complex)


@program(np.array([0.8, 0.3, -0.5, 1.1]), 0.4, 0.7, wrt=(0, 1, 2), second=True)
def two_level_system(pulses, phase, detuning):
    """The chance that pulses turn a spin over (Rabi 1937), step by step."""
    state = np.array([1, 0], dtype=complex)
    for pulse in pulses:
        axis = np.cos(phase) * SIGMA_X + np.sin(phase) * SIGMA_Y
        hamiltonian = 0.5 * (detuning * SIGMA_Z + pulse * axis)
        state = expm(-1j * hamiltonian * 0.9) @ state
    return np.abs(state[1]) ** 2


SOURCES = np.stack([RNG.laplace(size=50), RNG.uniform(-1, 1, 50), RNG.normal(size=50)])


@program(
    RNG.normal(size=(3, 3)) @ SOURCES, np.eye(3) + RNG.normal(size=(3, 3)) / 4, wrt=0
)
def independent_components(x, w):
    """Whitened by eigenvalues, and turned until they are (Hyvärinen 1999)."""
    x = x - x.mean(axis=1, keepdims=True)
    values, vectors = np.linalg.eigh(x @ x.T / x.shape[1])
    x = (vectors / np.sqrt(values)) @ vectors.T @ x
    for _ in range(3):
        u, _, vt = np.linalg.svd(w)
        w = u @ vt
        y = np.tanh(w @ x)
        w = y @ x.T / x.shape[1] - np.mean(1 - y**2, axis=1)[:, None] * w
    return np.mean(np.log(np.cosh(w @ x)), axis=1)


@program(
    RNG.normal(size=(5, 2)),
    np.zeros(5) - 0.3,
    RNG.normal(size=(20, 5)),
    wrt=(0, 1),
    second=True,
)
def factor_analysis(loadings, log_noise, x):
    """The log-likelihood of two factors (Jöreskog 1967)."""
    x = x - x.mean(axis=0)
    covariance = loadings @ loadings.T + np.diag(np.exp(log_noise))
    sample = x.T @ x / len(x)
    _, logdet = np.linalg.slogdet(covariance)
    fit = np.trace(np.linalg.solve(covariance, sample))
    return -0.5 * len(x) * (len(covariance) * np.log(2 * np.pi) + logdet + fit)


@program(RNG.normal(size=(12, 4)) * [3.0, 2.0, 1.0, 0.5], second=True)
def principal_components(x):
    """What the two largest components leave, and explain (Pearson 1901)."""
    centred = x - x.mean(axis=0)
    u, s, vt = np.linalg.svd(centred, full_matrices=False)
    scores = u[:, :2] * s[:2]
    left = np.sum((centred - scores @ vt[:2]) ** 2)
    return left, np.cumsum(s**2) / np.sum(s**2), np.abs(vt[:2])
