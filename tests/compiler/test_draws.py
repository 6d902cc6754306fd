"""Numbers from keys by other laws: their distributions, their gradients, refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats as scipy_stats

import anabranch
from anabranch import random
from anabranch.ir.errors import ArgumentError, GradientError

stats: Any = scipy_stats
KEY = random.key(3)
COUNT = 4000
COV = np.array([[2.0, 0.6], [0.6, 1.0]])
LAWS: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "laplace": (lambda k: random.laplace(k, COUNT, 1.0, 2.0), stats.laplace(1, 2)),
    "logistic": (lambda k: random.logistic(k, COUNT, 1.0, 2.0), stats.logistic(1, 2)),
    "cauchy": (lambda k: random.cauchy(k, COUNT, 1.0, 2.0), stats.cauchy(1, 2)),
    "truncated_normal": (
        lambda k: random.truncated_normal(k, -0.5, 2.0, COUNT),
        stats.truncnorm(-0.5, 2.0),
    ),
    "truncated_normal far out": (
        lambda k: random.truncated_normal(k, 9.0, 10.0, COUNT),
        stats.truncnorm(9.0, 10.0),
    ),
    "truncated_normal at the right": (
        lambda k: random.truncated_normal(k, 40.0, 41.0, COUNT),
        stats.truncnorm(40.0, 41.0),
    ),
    "truncated_normal at the left": (
        lambda k: random.truncated_normal(k, -41.0, -40.0, COUNT),
        stats.truncnorm(-41.0, -40.0),
    ),
    "gamma": (lambda k: random.gamma(k, 0.4, COUNT, 3.0), stats.gamma(0.4, scale=3)),
    "beta": (lambda k: random.beta(k, 0.5, 2.0, COUNT), stats.beta(0.5, 2.0)),
    "the first of dirichlet": (
        lambda k: random.dirichlet(k, np.array([1.5, 2.0, 0.5]), COUNT)[:, 0],
        stats.beta(1.5, 2.5),
    ),
    "the first of multivariate_normal": (
        lambda k: random.multivariate_normal(k, np.ones(2), COV, COUNT)[:, 0],
        stats.norm(1.0, 2.0**0.5),
    ),
}


@pytest.mark.parametrize("name", LAWS)
def test_laws(name: str) -> None:
    """No distance of Kolmogorov's from the law is beyond what one in a million has."""
    draw, law = LAWS[name]
    assert stats.kstest(draw(KEY), law.cdf).pvalue > 1e-6


@pytest.mark.parametrize("name", LAWS)
def test_compiled_numbers_are_those_of_plain_calls(name: str, backend: str) -> None:
    draw, _ = LAWS[name]
    made = anabranch.jit(draw, backend=backend)(KEY)
    np.testing.assert_allclose(made, draw(KEY), 1e-10)


def test_counts_of_poisson(backend: str) -> None:
    def draw(key: Any, mean: Any) -> Any:
        return random.poisson(key, mean, COUNT)

    counts = anabranch.jit(draw, backend=backend)(KEY, 2.5)
    np.testing.assert_array_equal(counts, draw(KEY, 2.5))
    assert counts.dtype == np.int64
    found = np.bincount(counts, minlength=12)[:12] / COUNT
    np.testing.assert_allclose(found, stats.poisson.pmf(np.arange(12), 2.5), atol=0.03)


@pytest.mark.parametrize("mean", [2e6, 1e12])
def test_large_counts_of_poisson(mean: float) -> None:
    counts = anabranch.jit(lambda key: random.poisson(key, mean, COUNT))(KEY)
    away = (counts - mean) / np.sqrt(mean)
    assert abs(np.mean(away)) < 5 / np.sqrt(COUNT)
    assert abs(np.std(away) - 1) < 5 / np.sqrt(COUNT)


def test_covariances_are_right() -> None:
    made = random.multivariate_normal(KEY, np.zeros(2), COV, COUNT)
    np.testing.assert_allclose(np.cov(made.T), COV, atol=0.15)


def test_gradients_go_through_parameters() -> None:
    def loss(loc: Any, scale: Any, low: Any, factor: Any) -> Any:
        cov = factor @ factor.T + np.eye(2)
        return (
            np.sum(random.laplace(KEY, 3, loc, scale) ** 2)
            + np.sum(random.gamma(KEY, 2.0, 3, scale) ** 2)
            + np.sum(random.truncated_normal(KEY, low, 1.5, 3) ** 2)
            + np.sum(random.multivariate_normal(KEY, np.stack([loc, loc]), cov) ** 2)
        )

    given = np.array(0.5), np.array(1.5), np.array(-0.7), COV
    anabranch.check_grads(loss, given, order=2)


def test_the_shape_of_gamma_is_refused() -> None:
    with pytest.raises(GradientError, match="order of gammaincinv"):
        anabranch.grad(lambda a: np.sum(random.gamma(KEY, a, 3)))(2.0)


def test_sizes_that_do_not_fit() -> None:
    with pytest.raises(ArgumentError, match="one square matrix of its size"):
        random.multivariate_normal(KEY, np.zeros(3), COV)
