"""Numbers taken apart, NumPy's Bessel function, and sorts of complex numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import anabranch
from tests.compiler.everyday import VECTOR, WEIGHTS, X, Y, check_case, check_slope

ODD = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 2.5, -3.0, -0.25])
W = np.sin(np.arange(12.0) ** 2).reshape(3, 4) + 1j * np.cos(np.arange(12.0)).reshape(
    3, 4
)
V = W[0] * 1j
NAN = np.nan
TIES = np.array(
    [2 + 1j, 1 + 3j, complex(NAN, 1), 1 + 2j, complex(1, NAN), complex(NAN, NAN), -1j]
)

SMOOTH: list[Any] = [
    (np.modf, X),
    (lambda x, i: np.ldexp(x, i), WEIGHTS, VECTOR),
    (np.i0, Y),
    (lambda b: np.kaiser(5, b), 0.7),
    (lambda b: np.kaiser(1, b), 0.7),
    (np.real_if_close, X),
    (np.sort_complex, V),
    (np.sort_complex, X),
    (lambda z: np.sort(z, axis=0), W),
    (np.polydiv, X, WEIGHTS[:3]),
    (np.polydiv, X, WEIGHTS[:1]),
    (np.polydiv, V, WEIGHTS[:2]),
    (lambda x: np.polydiv(x, 2.0), X),
    (np.matvec, Y, X[:5]),
    (np.matvec, W, V),
    (lambda a, b: np.matvec(a, b), np.stack([Y, Y**2]), Y[:2]),
    (np.vecmat, X[:4], Y),
    (np.vecmat, V[:3], W),
    (lambda a, b: np.vecmat(a, b), Y[:2, :4], np.stack([Y, Y**2])),
]
EXACT: list[Any] = [
    (np.modf, ODD),
    (np.modf, VECTOR.astype(np.int32)),
    (lambda x: np.ldexp(x, 3), np.array([0.3, 1e30], np.float32)),
    (lambda x, i: np.ldexp(x, i), np.array([1e-300, 1e300, 3.0]), VECTOR[1:] * 600),
    (np.ldexp, ODD, np.arange(8)),
    (np.sort, TIES),
    (np.argsort, TIES),
    (lambda x: np.sort_complex(x), np.array([3, 1, 2], np.int8)),
    (np.i0, np.arange(4)),
    (lambda x: np.require(np.asfortranarray(x)), Y),
]


@pytest.mark.parametrize("number", range(len(SMOOTH + EXACT)))
def test_values(same, number):
    check_case(same, (SMOOTH + EXACT)[number])


@pytest.mark.parametrize("number", range(len(SMOOTH)))
def test_gradients(number):
    check_slope(SMOOTH[number])


def test_a_divisor_that_is_longer(same):
    same(lambda x, y: np.polydiv(x, y), WEIGHTS[:2], X)


def test_what_is_refused_says_what_to_write():
    """And what it says works."""
    for function, instead in (
        (np.emath.sqrt, lambda x: np.sqrt(x + 0j)),
        (np.emath.log, lambda x: np.log(x + 0j)),
        (np.emath.arccos, lambda x: np.arccos(x + 0j)),
    ):
        with pytest.raises(anabranch.TraceError, match="dtype that only its values"):
            anabranch.jit(lambda x, f=function: f(x))(X)
        assert np.allclose(anabranch.jit(instead)(X), function(X + 0j))
    with pytest.raises(anabranch.TraceError, match="dtype that only the values tell"):
        anabranch.jit(np.real_if_close)(V)
    with pytest.raises(TypeError, match="complex"):
        anabranch.jit(np.i0)(V)
