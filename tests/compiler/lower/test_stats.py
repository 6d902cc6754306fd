"""`scipy.stats` in traced functions: SciPy's own numbers, and gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats as scipy_stats

import anabranch
from anabranch.compiler.lower.scipy.stats import ALL, methods_of
from anabranch.ir.errors import ConcretizationError, UnsupportedError
from tests.compiler.everyday import check_loss

stats: Any = scipy_stats
PARAMETERS: dict[str, tuple[float, ...]] = {
    "gamma": (2.5,),
    "beta": (1.5, 3.0),
    "t": (4.0,),
    "lognorm": (0.7,),
    "chi2": (3.0,),
    "poisson": (2.5,),
    "binom": (5.0, 0.3),
    "bernoulli": (0.3,),
    "nbinom": (2.5, 0.4),
    "invgamma": (2.5,),
    "weibull_min": (1.7,),
    "pareto": (2.5,),
    "lomax": (2.5,),
    "genpareto": (0.3,),
    "genextreme": (-0.3,),
    "truncnorm": (-1.0, 2.5),
    "skewnorm": (2.0,),
    "exponnorm": (1.5,),
    "vonmises": (2.0,),
    "invgauss": (1.5,),
    "chi": (3.0,),
    "f": (3.0, 5.0),
    "powerlaw": (1.7,),
    "geom": (0.3,),
    "betabinom": (5.0, 1.5, 2.5),
    "hypergeom": (12.0, 5.0, 4.0),
}
# Whose shapes may be negative.
OF_ANY_SHAPE = ("genpareto", "genextreme", "skewnorm", "truncnorm")
# Of which SciPy's integrals are by quadrature, sums or series of its own.
DENSITIES = ("skewnorm", "vonmises", "betabinom", "hypergeom")
X = np.array([-np.inf, -3.0, -0.2, 0.0, 0.3, 0.6, 1.0, 2.0, 5.0, 8.0, np.inf, np.nan])
Q = np.array([-0.1, 0.0, 0.1, 0.5, 0.8, 1.0, 1.2, np.nan])
CASES = [(name, method) for name, d in ALL.items() for method in methods_of(d)]


def test_all_methods_are_there() -> None:
    for name, d in ALL.items():
        densities = {"pmf", "logpmf"} if d.discrete else {"pdf", "logpdf", "ppf"}
        expected = densities | {"cdf", "logcdf", "sf", "logsf"}
        if name in DENSITIES:
            expected = densities - {"ppf"}
        if name in ("exponnorm", "invgauss"):
            expected -= {"ppf"}
        assert expected <= methods_of(d).keys(), name


@pytest.mark.parametrize(("name", "method"), CASES)
def test_values_are_scipys(name: str, method: str, backend: str) -> None:
    """Inside of the support, at its ends, outside; moved and stretched."""
    function = getattr(getattr(stats, name), method)
    x, given = Q if method in ("ppf", "isf") else X, PARAMETERS.get(name, ())
    x = x[1:] if name == "exponnorm" else x  # where SciPy has NaN at -inf
    moves: list[Any] = [()]
    if backend == "reference" or method in ("pdf", "pmf", "ppf"):  # few to compile
        moves.append((0.5,) if ALL[name].discrete else (0.5, 2.0))
    for moved in moves:
        with np.errstate(all="ignore"):
            expected = function(x, *given, *moved)
            made = anabranch.jit(
                lambda x: function(x, *given, *moved),  # noqa: B023
                backend=backend,
            )(x)
        assert made.dtype == expected.dtype
        np.testing.assert_allclose(made, expected, 2e-12, 1e-300)


@pytest.mark.parametrize("name", [name for name in ALL if name not in OF_ANY_SHAPE])
def test_parameters_that_are_none(name: str) -> None:
    d = ALL[name]
    x = np.array([0.0, 1.0])
    for place in range(len(d.shapes) + (not d.discrete)):
        given = [*PARAMETERS.get(name, ()), *([] if d.discrete else [0.0, 1.0])]
        given[place if place < len(d.shapes) else -1] = -1.0
        method = ("pmf" if d.discrete else "pdf") if name in DENSITIES else "cdf"
        function = getattr(stats.__dict__[name], method)
        made = anabranch.jit(lambda x, *p: function(x, *p))(x, *given)  # noqa: B023
        np.testing.assert_array_equal(made, [np.nan, np.nan])


@pytest.mark.parametrize("name", [n for n, d in ALL.items() if not d.discrete])
def test_gradients_of_logarithms_of_densities(name: str) -> None:
    """By the value, the parameters, loc and scale, to order two."""
    x = np.array([0.21, 0.4, 0.65]) + (1.5 if name == "pareto" else 0.0)

    def loss(x: Any, loc: Any, scale: Any, shapes: Any) -> Any:
        return np.sum(getattr(stats, name).logpdf(x, *shapes, loc=loc, scale=scale))

    given = [np.array(p) for p in PARAMETERS.get(name, ())]
    check_loss(loss, (x, np.array(0.05), np.array(1.3), given))


@pytest.mark.parametrize("name", [n for n, d in ALL.items() if d.discrete])
def test_gradients_of_logarithms_of_probabilities(name: str) -> None:
    counts = np.array([0, 1, 1]) + (name == "geom")

    def loss(p: Any) -> Any:
        fixed = PARAMETERS[name][:-1]
        return np.sum(getattr(stats, name).logpmf(counts, *fixed, p))

    check_loss(loss, (np.array(PARAMETERS[name][-1]),))


def test_the_number_of_failures_of_nbinom_has_a_gradient() -> None:
    counts = np.array([0, 1, 4])
    anabranch.check_grads(
        lambda n: np.sum(stats.nbinom.logpmf(counts, n, 0.4)), (np.array(2.5),), order=2
    )


def test_gradients_outside_of_the_support_are_zero() -> None:
    slope = anabranch.grad(lambda x: np.sum(stats.gamma.pdf(x, 2.0)))
    np.testing.assert_array_equal(slope(np.array([-1.0, -0.5])), [0.0, 0.0])


def test_frozen_distributions(backend: str) -> None:
    """Made outside of the function, inside of it, and of traced parameters."""
    x = np.array([0.5, 2.0])
    outside = stats.norm(0.5, 2.0)

    def inside(x: Any, loc: Any) -> Any:
        fixed, moved = stats.gamma(2.0, scale=0.5), stats.norm(loc=loc, scale=2.0)
        return fixed.logpdf(x) + moved.logpdf(x) + outside.sf(x)

    made = anabranch.jit(inside, backend=backend)(x, np.array(0.3))
    np.testing.assert_allclose(made, inside(x, np.array(0.3)), rtol=1e-13)
    anabranch.check_grads(lambda x, m: np.sum(inside(x, m)), (x, np.array(0.3)))


def test_values_to_keep() -> None:
    slope = anabranch.grad(lambda w: stats.norm.logpdf(w).sum())(np.array([0.5, 2.0]))
    np.testing.assert_array_equal(slope, [-0.5, -2.0])


def test_far_tails_keep_their_digits() -> None:
    x = np.array([-40.0, 40.0])
    made = anabranch.grad(lambda x: np.sum(stats.norm.logcdf(x)))(x)
    np.testing.assert_allclose(made, [40.02496885, 0.0], rtol=1e-8, atol=1e-300)


def test_what_is_refused() -> None:
    x = np.array([0.5, 2.0])
    with pytest.raises(UnsupportedError, match="traced parameters has no entropy"):
        anabranch.jit(lambda x: stats.norm(x[0], 1.0).entropy())(x)
    made = anabranch.jit(lambda x: stats.norm.ppf(loc=x, q=0.5))(x)
    np.testing.assert_array_equal(made, x)
    with pytest.raises(TypeError, match="gamma needs a"):
        anabranch.jit(lambda x: stats.gamma.logpdf(x))(x)
    with pytest.raises(TypeError, match="norm takes the parameters loc, scale"):
        anabranch.jit(lambda x: stats.norm.logpdf(x, df=3))(x)
    with pytest.raises(ConcretizationError, match="write the formula of the density"):
        anabranch.jit(lambda x: stats.levy.logpdf(x))(x)
    with pytest.raises(ConcretizationError, match="write the formula of the density"):
        anabranch.jit(lambda x: stats.norm.logpdf(x), rewrite=False)(x)


def test_tails_of_cauchy_keep_their_digits() -> None:
    q = np.array([1e-300, 1e-16, 1e-10, 0.2, 0.25, 0.5, 0.8, 1 - 1e-10])
    for name in ("ppf", "isf"):
        method = getattr(stats.cauchy, name)
        made = anabranch.jit(lambda q: method(q))(q)  # noqa: B023
        np.testing.assert_allclose(made, method(q), 1e-14)
