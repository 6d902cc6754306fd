"""Programs that call SciPy: option prices, regressions, a fit by a spline."""

from __future__ import annotations

import numpy as np
from scipy import interpolate, special, stats

from tests.programs.record import program

RNG = np.random.default_rng(20)


@program(100.0, 0.2, 0.03, wrt=(0, 1, 2), second=True)
def black_scholes(s0, sigma, r):
    """The price of a call option (Black and Scholes 1973), for five strikes."""
    k, t = np.array([80.0, 95.0, 100.0, 110.0, 140.0]), 0.75
    d1 = (np.log(s0 / k) + (r + 0.5 * sigma**2) * t) / (sigma * np.sqrt(t))
    d2 = d1 - sigma * np.sqrt(t)
    return s0 * special.ndtr(d1) - k * np.exp(-r * t) * special.ndtr(d2)


COUNTS = RNG.negative_binomial(3, 0.4, 20).astype(float)


@program(
    RNG.normal(size=3) / 3,
    0.4,
    RNG.normal(size=(20, 3)),
    COUNTS,
    wrt=(0, 1),
    second=True,
)
def negative_binomial_regression(beta, log_alpha, x, y):
    """The log-likelihood of counts with a dispersion (Hilbe 2011, chapter 8)."""
    mu, size = np.exp(x @ beta), np.exp(-log_alpha)
    ways = special.gammaln(y + size) - special.gammaln(size) - special.gammaln(y + 1)
    shares = special.xlogy(y, mu / (mu + size)) + size * np.log(size / (mu + size))
    return np.sum(ways + shares)


@program(RNG.normal(size=2) / 5, 0.3, RNG.random(15), wrt=(0, 1), second=True)
def probit_regression(beta, scale, x):
    """A censored model: normal densities inside, and tails beyond the limits."""
    mean = beta[0] + beta[1] * x
    inside = stats.norm.logpdf(x, loc=mean, scale=scale)
    return np.sum(np.where(x < 0.8, inside, stats.norm.logsf(0.8, mean, scale)))


KNOTS = np.linspace(0.0, 2.0, 9)
WAVE = interpolate.CubicSpline(KNOTS, np.sin(2 * KNOTS))


@program(1.2, 0.15, np.linspace(0.1, 1.3, 11), RNG.normal(size=11) / 10, wrt=(0, 1))
def spline_fit(stretch, shift, t, y):
    """The squared distance of samples from a template that is moved in time."""
    return np.sum((WAVE(stretch * t + shift) - y) ** 2)
