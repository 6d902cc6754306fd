"""Sampling, likelihoods, clusters and prices."""

from __future__ import annotations

import math

import numpy as np

from tests.programs.record import program

RNG = np.random.default_rng(6)
SPINS = np.where(RNG.random((4, 4)) < 0.5, -1.0, 1.0)


@program(SPINS, 0.7, 0.2, wrt=(0, 1, 2), second=True)
def ising_energy(spins, coupling, field):
    n, m = spins.shape
    energy = 0.0
    for i in range(n):
        for j in range(m):
            right, below = spins[i, (j + 1) % m], spins[(i + 1) % n, j]
            energy -= coupling * spins[i, j] * (right + below)
            energy -= field * spins[i, j]
    return energy


@program(0.3, np.zeros(2), RNG.normal(size=(12, 2)), RNG.random(12), wrt=(0, 1, 2))
def metropolis(scale, x, moves, chances):
    """Samples of a banana, given the random numbers."""

    def log_density(x):
        return -0.5 * x[0] ** 2 - 2.0 * (x[1] - x[0] ** 2) ** 2

    chain = np.zeros((len(moves), 2))
    accepted = 0
    now = log_density(x)
    for t in range(len(moves)):
        proposal = x + scale * moves[t]
        new = log_density(proposal)
        if math.log(chances[t]) < new - now:
            x, now = proposal, new
            accepted += 1
        chain[t] = x
    return chain, accepted


@program(
    np.concatenate([RNG.normal(size=(3, 2)), 4 + RNG.normal(size=(3, 2))]),
    np.array([[0.5, 0.0], [3.0, 3.0]]),
    wrt=(0, 1),
)
def k_means(points, centres):
    count = len(centres)
    labels = np.zeros(len(points), dtype=int)
    for _ in range(3):
        for i in range(len(points)):
            labels[i] = np.argmin(np.sum((centres - points[i]) ** 2, axis=1))
        for k in range(count):
            total, members = np.zeros(2), 0
            for i in range(len(points)):
                if labels[i] == k:
                    total += points[i]
                    members += 1
            if members > 0:
                centres[k] = total / members
    return labels


@program(
    RNG.random(9),
    RNG.normal(size=9),
    4,
    wrt=1,
)
def weighted_histogram(x, w, bins):
    counts = np.zeros(bins)
    for i in range(len(x)):
        k = int(x[i] * bins)
        if 0 <= k < bins:
            counts[k] += w[i]
    return counts


@program(100.0, 0.2, 0.03, RNG.normal(size=(8, 4)), wrt=(0, 1, 2), second=True)
def black_scholes_by_simulation(s0, sigma, r, z):
    paths, steps = z.shape
    dt, strike = 1.0 / steps, 95.0
    payoff = np.zeros(paths)
    for p in range(paths):
        s = s0
        for t in range(steps):
            s *= np.exp((r - 0.5 * sigma**2) * dt + sigma * np.sqrt(dt) * z[p, t])
        payoff[p] = max(s - strike, 0.0)
    return np.exp(-r) * np.mean(payoff)


@program(100.0, 0.25, 0.02, wrt=(0, 1, 2))
def binomial_option(s0, sigma, r):
    n, strike = 6, 103.0
    dt = 1.0 / n
    up = np.exp(sigma * np.sqrt(dt))
    p = (np.exp(r * dt) - 1 / up) / (up - 1 / up)
    value = np.zeros(n + 1)
    for i in range(n + 1):
        value[i] = max(strike - s0 * up ** (2.0 * i - n), 0.0)
    for step in range(n - 1, -1, -1):
        for i in range(step + 1):
            hold = np.exp(-r * dt) * (p * value[i + 1] + (1 - p) * value[i])
            exercise = strike - s0 * up ** (2.0 * i - step)
            value[i] = max(hold, exercise)
    return value[0]


@program(
    RNG.normal(size=4),
    np.array([[2, 0, 3, 1], [1, 2, 0, 3], [3, 2, 1, 0]]),
    second=True,
)
def plackett_luce(utility, rankings):
    total = 0.0
    for r in range(rankings.shape[0]):
        for i in range(rankings.shape[1] - 1):
            rest = 0.0
            for j in range(i, rankings.shape[1]):
                rest += np.exp(utility[rankings[r, j]])
            total += utility[rankings[r, i]] - np.log(rest)
    return total


@program(0.7, 2.1, wrt=(0, 1))
def quadrature(a, b):
    n = 21
    h = (b - a) / (n - 1)
    total = 0.0
    for i in range(n):
        x = a + i * h
        if i == 0 or i == n - 1:
            weight = 1.0
        elif i % 2 == 1:
            weight = 4.0
        else:
            weight = 2.0
        y = np.sin(x) if x < 1.53 else 2.0 - x
        total += weight * y
    return total * h / 3
