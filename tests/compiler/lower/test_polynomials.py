"""Polynomials and series: NumPy's values, gradients by coefficients and places."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.polynomial import (
    Chebyshev,
    Hermite,
    HermiteE,
    Laguerre,
    Legendre,
    Polynomial,
    chebyshev,
    hermite,
    hermite_e,
    laguerre,
    legendre,
    polynomial,
)

import anabranch
from tests.compiler.everyday import VECTOR, WEIGHTS, X, Y, check_case, check_slope

PLACES = np.linspace(-1, 2, 7)
CASES: list[Any] = [
    (lambda p, t: np.polyval(p, t), WEIGHTS, Y),
    (lambda p: np.polyder(p, 2), WEIGHTS),
    (lambda p: np.polyint(p), WEIGHTS),
    (lambda p: np.polyint(p, 2, k=[1.0, 2]), WEIGHTS),
    (lambda p, q: np.polyadd(p, q), WEIGHTS, X),
    (lambda p, q: np.polysub(p, q), WEIGHTS, X),
    (lambda p, q: np.polymul(p, q), WEIGHTS, X),
    (lambda p: np.poly(p), WEIGHTS),
    (lambda y: np.polyfit(PLACES, y, 3), X),
    (lambda y: np.polyfit(PLACES, y, 2, w=np.arange(1.0, 8)), np.outer(X, WEIGHTS)),
]
FUNCTIONS: list[Any] = [
    *(polynomial.polyval, chebyshev.chebval, legendre.legval),
    *(hermite.hermval, hermite_e.hermeval, laguerre.lagval),
]
CLASSES: list[Any] = [Polynomial, Chebyshev, Legendre, Hermite, HermiteE, Laguerre]


@pytest.mark.parametrize("number", range(len(CASES)))
def test_values_and_gradients(same, number):
    check_case(same, CASES[number], rtol=1e-10)
    check_slope(CASES[number])


@pytest.mark.parametrize("function", FUNCTIONS)
def test_series(same, function):
    cases: list[Any] = [
        (lambda c, x: function(x, c), WEIGHTS, Y),
        (lambda x: function(x, [1, 2, 3, 4, 5.0]), 0.3),
        (lambda x: function(x, [2.0, 1.0]), Y),
        (lambda x: function(x, [2.0]), Y),
        (lambda c: function(PLACES, c), np.outer(WEIGHTS, WEIGHTS)),
        (lambda c: function(PLACES, c), VECTOR),
    ]
    for case in cases:
        check_case(same, case)
    check_slope(cases[0])


@pytest.mark.parametrize("made", CLASSES)
def test_classes(same, made):
    fixed = made([1, 2, 3.0], domain=[0, 4])
    cases: list[Any] = [
        (lambda x: fixed(x), Y),
        (lambda c, x: made(c)(x), WEIGHTS, Y),
        (lambda c, x: made(c, domain=[-1.0, 3])(x), WEIGHTS, Y),
    ]
    for case in cases:
        check_case(same, case)
    check_slope(cases[2])


def test_what_a_traced_polynomial_lacks_is_said():
    with pytest.raises(anabranch.TraceError, match=r"\.roots of a polynomial") as error:
        anabranch.jit(lambda c: Polynomial(c).roots())(WEIGHTS)
    assert "np.polyder" in str(error.value)


def test_the_integral_of_a_polynomial_with_a_traced_constant(backend: str) -> None:
    def program(c: Any) -> Any:
        return np.polynomial.Polynomial(c).integ(1, c[0])(2.0)

    c = np.array([1.0, 2.0, 0.5])
    made = anabranch.jit(program, backend=backend)(c)
    np.testing.assert_allclose(made, program(c), 1e-14)


@pytest.mark.parametrize(
    "p", [[1.0, -3.0, 2.0], [2.0, 1.0, 5.0, -3.0, 7.0], [4, 2], [3]]
)
def test_roots(same, p):
    """NumPy's are real where all are, which only values tell."""
    same(lambda p: np.roots(p) + 0j, np.array(p), rtol=1e-12)


def test_gradients_of_roots():
    p = np.array([2.0, 1.0, 5.0, -3.0, 7.0])
    anabranch.check_grads(lambda p: np.abs(np.roots(p)), (p,), order=2)
    slope = anabranch.grad(lambda p: np.roots(p).imag.max())(np.array([1.0, 0.0, 4.0]))
    np.testing.assert_allclose(slope, [-1.0, 0.0, 0.25], atol=1e-15)


def test_roots_need_a_first_coefficient(backend):
    roots = anabranch.jit(np.roots, backend=backend)
    with pytest.raises(ValueError, match="the first coefficient is 0"):
        roots(np.array([0.0, 1.0, 2.0]))
    with pytest.raises(ValueError, match="rank-1"):
        anabranch.jit(lambda p: np.roots(np.outer(p, p)))(np.ones(2))
