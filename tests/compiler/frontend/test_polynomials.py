"""`numpy.polynomial` and `numpy.poly1d` with traced coefficients and places."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.polynomial import Chebyshev, Polynomial, chebyshev, legendre, polynomial

import anabranch
from tests.compiler.everyday import WEIGHTS, X, Y, check_case, check_slope

SHORT = X[:3]


def sums(a: Any, b: Any, x: Any) -> Any:
    p, q = Polynomial(a), Polynomial(b)
    known = Polynomial([1.0, 2.0])
    return (
        (p + q)(x),
        (p * known - 2.0 * q + 1)(x),
        (p**2).coef,
        (3.0 - p)(x),
        p.deriv()(x) + p.integ(1, 2.0)(x),
        (-p).coef,
    )


def highest_first(a: Any, b: Any, x: Any) -> Any:
    p, q = np.poly1d(a), np.poly1d(b)
    known = np.poly1d([1.0, 2.0, 3.0])
    return (
        (p * q).coeffs,
        (p + q * known)(x),
        (2.0 - p)(x) + (p**2)(x),
        p.deriv()(x) + p.integ(k=1.0)(x),
        known(x) + p.order,
        np.poly1d(b, True)(x),
    )


def functions(a: Any, b: Any, x: Any) -> Any:
    return (
        polynomial.polyadd(a, b),
        polynomial.polysub(a, b),
        polynomial.polymul(a, b),
        polynomial.polydiv(a, b),
        polynomial.polymulx(a),
        polynomial.polypow(b, 3),
        polynomial.polyder(a, 2),
        polynomial.polyint(a, 2, [1.0], 0.5),
        polynomial.polyvander(x, 2),
        polynomial.polyfromroots(b),
        polynomial.polyvalfromroots(x, b),
    )


def of_several(c: Any, x: Any, y: Any) -> Any:
    cube = c[:, :2, None] * y[:3]
    return (
        polynomial.polyval2d(x, y, c),
        polynomial.polygrid2d(x, y[:2], c),
        polynomial.polyval3d(x, y, x * y, cube),
        polynomial.polygrid3d(x[:2], y[:3], x[1:3], cube),
        chebyshev.chebval2d(x, y, c),
        legendre.leggrid2d(x, y, c),
        chebyshev.chebweight(x / 9),
    )


def fits(x: Any, y: Any) -> Any:
    found, spread = np.polyfit(x, y, 1, cov=True)
    return (
        found,
        spread,
        np.polyfit(x, y, 1, cov="unscaled", w=y**2)[1],
        polynomial.polyfit(x, y, 2),
        polynomial.polyfit([0.0, 1.0, 2.0, 3.0], y, 2),
    )


CASES: list[Any] = [
    (sums, WEIGHTS, SHORT, 0.7),
    (highest_first, WEIGHTS, SHORT, 0.7),
    (functions, WEIGHTS, SHORT, X),
    (of_several, Y, WEIGHTS, X[:4]),
    (fits, WEIGHTS, X[:4]),
]


@pytest.mark.parametrize("number", range(len(CASES)))
def test_values(same, number):
    check_case(same, CASES[number], rtol=1e-10)


@pytest.mark.parametrize("number", range(len(CASES)))
def test_gradients(number):
    check_slope(CASES[number])


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda c: Chebyshev(c).deriv()(0.5), r"\.deriv of a polynomial"),
        (lambda c: (Chebyshev(c) * Chebyshev(c))(0.5), "arithmetic of a polynomial"),
        (lambda c: Polynomial(c).roots(), r"\.roots of a polynomial"),
        (lambda c: np.poly1d(c).roots, r"\.roots of a polynomial"),
        (lambda c: chebyshev.chebmul(c, c), "chebmul of traced values"),
        (lambda c: polynomial.polyroots(c), "polyroots of traced values"),
    ],
)
def test_refused_with_the_line(function, message):
    with pytest.raises(anabranch.TraceError, match=message) as raised:
        anabranch.jit(function)(WEIGHTS)
    assert __file__ in str(raised.value)
    assert "hint: " in str(raised.value)


def test_of_known_values_they_are_numpys():
    def function(x):
        return x * chebyshev.chebmul([1.0, 2.0], [3.0])[0] + Polynomial([2, 1]).roots()

    assert np.allclose(anabranch.jit(function)(X), X * 3 - 2)


def test_one_point_more_is_needed_for_a_covariance():
    with pytest.raises(ValueError, match="must exceed order"):
        anabranch.jit(lambda x: np.polyfit(x, x, 1, cov=True))(X[:2])
