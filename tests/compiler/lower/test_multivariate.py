"""`scipy.stats`: distributions of vectors, summaries of samples, kernel densities."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from scipy import stats as scipy_stats

import anabranch
from anabranch.ir.errors import LinAlgError, ShapeError, TraceError, UnsupportedError
from tests.compiler.everyday import check_loss, check_refused

stats: Any = scipy_stats
normal, student = stats.multivariate_normal, stats.multivariate_t
X = np.array([0.3, 0.5, 0.2])
A = np.array([[2.0, 0.3, 0.1], [0.3, 1.5, -0.2], [0.1, -0.2, 1.0]])
ROWS = np.random.default_rng(0).normal(size=(4, 3))
COUNTS = np.array([[1, 2, 3], [4, 1, 1]])
FROZEN = normal(np.ones(3), A), student(np.ones(3), A, df=4)
KERNELS = stats.gaussian_kde(ROWS[:, 0])
WEIGHTED = stats.gaussian_kde(
    np.random.default_rng(1).normal(size=(3, 20)), weights=np.arange(1.0, 21.0)
)


def share(x: Any) -> Any:
    return x / np.sum(x)


def row(x: Any) -> Any:
    return np.concatenate([x, x**2])


CASES: dict[str, Any] = {
    "a normal vector": lambda x: normal.logpdf(x, np.zeros(3), A),
    "normal rows, all traced": lambda x: normal.pdf(ROWS * x, x, A + np.outer(x, x)),
    "one variance": lambda x: normal.logpdf(ROWS + x, mean=x, cov=2.0),
    "a variance each": lambda x: normal.logpdf(ROWS + x, x, cov=x),
    "normal numbers": lambda x: normal.logpdf(x),
    "a matrix of normal vectors": lambda x: normal.logpdf(
        ROWS.reshape(2, 2, 3) * x, cov=A
    ),
    "a frozen normal": lambda x: FROZEN[0].logpdf(ROWS * x),
    "a normal frozen inside": lambda x: normal(x, A).pdf(ROWS),
    "multivariate_t": lambda x: student.logpdf(ROWS * x, x, A, 3.5),
    "a frozen multivariate_t": lambda x: FROZEN[1].pdf(x),
    "a multivariate_t frozen inside": lambda x: student(x, A, df=2).pdf(ROWS),
    "dirichlet": lambda x: stats.dirichlet.logpdf(share(x), x + 1),
    "dirichlet of columns": lambda x: stats.dirichlet.pdf(
        np.array([[0.2, 0.3], [0.5, 0.5]]), x + 1
    ),
    "a frozen dirichlet": lambda x: stats.dirichlet(np.ones(3) + 1).pdf(share(x)),
    "multinomial": lambda x: stats.multinomial.logpmf(COUNTS, 6, share(x)),
    "a multinomial frozen inside": lambda x: stats.multinomial(6, share(x)).pmf(
        [1, 2, 3]
    ),
    "zscore": lambda x: stats.zscore(ROWS * x, axis=1, ddof=1),
    "zscore of all": lambda x: stats.zscore(ROWS * x, axis=None),
    "skew": lambda x: stats.skew(ROWS * x + x**2),
    "skew without bias": lambda x: stats.skew(ROWS * x, axis=None, bias=False),
    "kurtosis": lambda x: stats.kurtosis(ROWS * x, bias=False),
    "Pearson's kurtosis": lambda x: stats.kurtosis(
        ROWS * x, axis=1, fisher=False, keepdims=True
    ),
    "moment": lambda x: stats.moment(ROWS * x, 3),
    "the first moment": lambda x: stats.moment(ROWS * x, 1),
    "a moment about a center": lambda x: stats.moment(ROWS * x, 2, center=0.5),
    "gmean": lambda x: stats.gmean(np.abs(ROWS * x)),
    "gmean with weights": lambda x: stats.gmean(
        np.abs(ROWS * x), axis=1, weights=[1, 2, 3]
    ),
    "hmean": lambda x: stats.hmean(np.abs(ROWS * x), axis=None),
    "sem": lambda x: stats.sem(ROWS * x),
    "entropy": lambda x: stats.entropy(x),
    "relative entropy": lambda x: stats.entropy(x, x[::-1] ** 2, base=2),
    "pearsonr": lambda x: stats.pearsonr(row(x), np.arange(6.0) ** 2).statistic,
    "pearsonr's p-value": lambda x: stats.pearsonr(row(x), np.arange(6.0) ** 2)[1],
    "kernels": lambda x: KERNELS(x),
    "kernels with weights": lambda x: WEIGHTED.logpdf(np.outer(x, x)),
    "kernels at one point": lambda x: WEIGHTED.pdf(x),
}


@pytest.mark.parametrize("name", CASES)
def test_values_are_scipys(name: str, backend: str) -> None:
    made, expected = anabranch.jit(CASES[name], backend=backend)(X), CASES[name](X)
    assert np.shape(made) == np.shape(expected)
    np.testing.assert_allclose(made, expected, 1e-11)


@pytest.mark.parametrize("name", CASES)
def test_gradients(name: str) -> None:
    check_loss(lambda x: np.sum(np.sin(CASES[name](x))), (X,))


def test_the_gradient_by_a_covariance() -> None:
    """Of its lower triangle and the upper one alike: the matrix is symmetric."""

    def loss(scale: Any, x: Any) -> Any:
        return np.sum(normal.logpdf(ROWS, x, scale @ scale.T + np.eye(3)))

    check_loss(loss, (A, X))


def test_what_is_outside() -> None:
    made = anabranch.jit(lambda p: stats.multinomial.pmf(COUNTS, 5, p))(X)
    np.testing.assert_array_equal(made, [0.0, 0.0])
    made = anabranch.jit(lambda p: stats.multinomial.logpmf(COUNTS, 6, p))(X + 1)
    np.testing.assert_array_equal(made, [np.nan, np.nan])
    made = anabranch.jit(lambda x: stats.dirichlet.logpdf(x, np.ones(3)))(X + 1)
    assert np.isnan(made)


def test_what_is_refused() -> None:
    refused = partial(check_refused, (X,))
    x = UnsupportedError
    refused(lambda x: normal.logpdf(x, x, A, allow_singular=True), x, "allow_singular=")
    refused(lambda x: normal.logpdf(x, x, A[:2, :2]), ShapeError, "a covariance")
    refused(lambda x: normal.logpdf(x[:2], x, A), ShapeError, "no 3 components")
    refused(lambda x: normal.logpdf(x, x, np.outer(x, -x)), LinAlgError, "definite")
    refused(lambda x: normal(x, A).cdf(x), x, "traced parameters has no cdf")
    refused(lambda x: stats.zscore(x, nan_policy="omit"), x, "nan_policy=")
    refused(lambda x: stats.pearsonr(x, x, alternative="less"), x, "alternative=")


DRAWING: dict[str, Any] = {
    "rvs": lambda x: x + stats.norm.rvs(size=3),
    "rvs of traced parameters": lambda x: stats.gamma.rvs(x),
    "rvs of a frozen one": lambda x: x + stats.norm(0.0, 1.0).rvs(3),
    "rvs of vectors": lambda x: normal.rvs(x),
    "resample": lambda x: x + KERNELS.resample(3)[0],
}


@pytest.mark.parametrize("name", DRAWING)
def test_drawing_is_refused_and_says_what_to_do(name: str) -> None:
    with pytest.raises(TraceError, match="random numbers at each call") as caught:
        anabranch.jit(DRAWING[name])(X)
    assert "pass the numbers as an argument" in str(caught.value)
    assert "anabranch.random" in str(caught.value)


def test_drawing_by_a_seed_gives_the_same_numbers() -> None:
    def function(x: Any) -> Any:
        return x + stats.norm.rvs(size=3, random_state=3)

    np.testing.assert_array_equal(anabranch.jit(function)(X), function(X))


def test_a_frozen_one_of_traced_parameters_says_how_to_draw() -> None:
    for function in (lambda x: stats.norm(x, 1).rvs(), lambda x: normal(x).rvs()):
        with pytest.raises(UnsupportedError, match="has no rvs") as caught:
            anabranch.jit(function)(X)
        assert "anabranch.random" in str(caught.value)
