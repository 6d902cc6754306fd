"""The functions of `backends.special`: errors in ulp, and corners."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import special

import anabranch
from anabranch.backends.special import NAMES
from anabranch.ir import OPS
from tests.backends.test_vecmath import DTYPES, evaluate
from tests.oracles.special_functions import TRUTH, mp

COUNT = 150
CORNERS = [
    *(0.0, -0.0, np.inf, -np.inf, np.nan, -1.0, -2.0, -1e30, 1e38, 1.0, 2.0, -0.5),
    *(-(2.0**60), 1e-40, -1e-40, 1e-300, -1e-300, 0.5, 3.0, 8.0, 26.0, -27.0, 1e300),
]


def uniform(low: float, high: float) -> np.ndarray:
    return np.random.default_rng(0).uniform(low, high, COUNT)


def scaled(low: float, high: float) -> np.ndarray:
    """Of any magnitude between two."""
    return np.exp(uniform(np.log(low), np.log(high)))


def around(*places: float, by: float = 1e-6) -> np.ndarray:
    shifts = by * np.random.default_rng(0).normal(size=COUNT)
    return np.concatenate([place + shifts for place in places])


POSITIVE = (scaled(1e-30, 1e30), uniform(0, 4), scaled(0.01, 50))
ZEROS = around(1.0, 2.0, 1.4616321449683623)
BESSEL = (uniform(-20, 20), scaled(8, 1e4), scaled(1e-9, 1))
# The largest error in ulp of float64, and where.
ERRORS: dict[str, tuple[float, tuple[np.ndarray, ...]]] = {
    "gammaln": (4.0, (*POSITIVE, ZEROS)),
    "loggamma": (4.0, (*POSITIVE, ZEROS)),
    "digamma": (4.0, (*POSITIVE, ZEROS)),
    "trigamma": (4.0, POSITIVE),
    "erfc": (5.0, (uniform(-6, 26), around(0.0, by=1.0))),
    "erfcx": (4.0, (uniform(-26, 60), around(0.0, by=1.0), scaled(30, 1e4))),
    "ndtr": (5.0, (uniform(-37, 9), around(0.0, by=1.0))),
    "log_ndtr": (7.0, (uniform(-60, 37), around(0.0, by=1.0))),
    "erfinv": (4.0, (uniform(-1, 1), around(0.0, 0.99, -0.9999), 1 - scaled(1e-15, 1))),
    "erfcinv": (4.0, (uniform(0, 2), around(1.0), scaled(1e-305, 1))),
    "ndtri": (5.0, (uniform(0, 1), around(0.5), scaled(1e-305, 1))),
    "log_expit": (2.0, (uniform(-40, 700), around(0.0, by=1.0))),
    "logit": (2.0, (uniform(0, 1), around(0.5, 0.25, 0.75), scaled(1e-300, 0.3))),
    "entr": (2.0, (scaled(1e-300, 1e300), around(1.0))),
    "i0e": (3.0, BESSEL),
    "i1e": (5.0, BESSEL),
    "i2e": (12.0, BESSEL),
}
# Below 0, in units of 2^-52 of the largest term, which is 1 or more.
REFLECTED = {"gammaln": 8.0, "digamma": 8.0, "trigamma": 8.0}
SINGLE = 0.51  # in ulp of float32, but for what is computed in it
OWN_SINGLE = {"log_expit": 2.0, "entr": 2.0}


def inverse(at: Any, is_near: Any) -> Any:
    """The z with erfc(z) = at, near to a number, by steps of Newton's on logarithms."""
    z = mp.mpf(float(is_near))
    for _ in range(4):
        y = mp.erfc(z)
        z += mp.log(y / at) * y * mp.exp(z * z) * mp.sqrt(mp.pi) / 2
    return z


INVERSES: dict[str, Any] = {
    "erfinv": lambda x: mp.sign(x) * inverse(1 - abs(x), special.erfinv(float(abs(x)))),
    "erfcinv": lambda y: inverse(y, special.erfcinv(float(y))),
    "ndtri": lambda p: -mp.sqrt(2) * inverse(2 * p, special.erfcinv(float(2 * p))),
}


def exact(name: str, x: np.ndarray) -> list[Any]:
    truth = TRUTH[name]
    if name == "log_expit":  # that of `TRUTH` has no digits far out
        truth = lambda x: -mp.log1p(mp.exp(-x))  # noqa: E731
    if name in INVERSES:
        return [INVERSES[name](mp.mpf(float(v))) for v in x]
    with mp.workdps(40 + 400 * (name == "log_ndtr")):
        return [mp.re(truth(mp.mpf(float(v)))) for v in x]


def ulps(made: np.ndarray, right: list[Any]) -> float:
    spacing = np.spacing(np.abs(np.array(right, made.dtype)))
    errors = [
        float(abs(mp.mpf(float(one)) - other) / float(unit))
        for one, other, unit in zip(made, right, spacing, strict=True)
    ]
    return max(errors)


def test_every_function_has_a_bound() -> None:
    assert ERRORS.keys() | {"xlogy"} == {name for name in NAMES if name in OPS}


@pytest.mark.parametrize("name", ERRORS)
def test_error_in_ulp(name: str) -> None:
    bound, parts = ERRORS[name]
    x = np.concatenate(parts)
    x = x[x != 0]
    right = exact(name, x)
    assert ulps(evaluate(name, x), right) < bound


@pytest.mark.parametrize("name", ERRORS)
def test_error_in_single_precision(name: str) -> None:
    parts = ERRORS[name][1]
    x = np.concatenate(parts)
    x = x[(np.abs(x) > 1e-30) & (np.abs(x) < 1e30)].astype(np.float32)
    x = x[np.isfinite(OPS[name].reference(x))]
    right = exact(name, x)
    largest = np.finfo(np.float32).max
    fits = [1e-37 < abs(value) < largest for value in right]
    right = [value for value, fit in zip(right, fits, strict=True) if fit]
    made = evaluate(name, x[fits])
    assert ulps(made, right) < OWN_SINGLE.get(name, SINGLE)


@pytest.mark.parametrize("name", REFLECTED)
def test_error_below_zero(name: str) -> None:
    """A sum of two terms, which may cancel."""
    x = -np.concatenate([scaled(1e-10, 30), uniform(0, 6)])
    right = exact(name, x)
    made = evaluate(name, x)
    for one, other, at in zip(made, right, x, strict=True):
        near = abs(float(at) - round(float(at)))
        term = max(1.0, abs(float(other)), 1 / near if name != "gammaln" else 0.0)
        error = abs(float(mp.mpf(float(one)) - other))
        assert error < REFLECTED[name] * 2.0**-52 * term, at


def assert_near(made: np.ndarray, expected: np.ndarray) -> None:
    """Equal infinities, NaNs and zeros; numbers as near as SciPy's are."""
    assert made.dtype == expected.dtype
    plain = np.isfinite(expected) & (expected != 0)
    np.testing.assert_array_equal(made[~plain], expected[~plain])
    numbers = ~np.isnan(expected)
    signs = np.signbit(made) == np.signbit(expected)
    assert np.all(signs[numbers])
    tiny = np.finfo(made.dtype).tiny
    rtol = 1e-12 if made.dtype == np.float64 else 3e-7
    np.testing.assert_allclose(made[plain], expected[plain], rtol, tiny)


@pytest.mark.parametrize("dtype", DTYPES)
def test_corners_are_those_of_scipy(dtype: str) -> None:
    with np.errstate(all="ignore"):
        x = np.array(CORNERS).astype(DTYPES[dtype])
        for name in ERRORS:
            assert_near(evaluate(name, x), OPS[name].reference(x))


@pytest.mark.parametrize("dtype", DTYPES)
def test_corners_in_numba(dtype: str) -> None:
    names = [name for name in ERRORS if OPS[name].ufunc]

    def all_of_them(x: Any) -> Any:
        return [getattr(special, name)(x) for name in names]

    with np.errstate(all="ignore"):
        x = np.array(CORNERS).astype(DTYPES[dtype])
        made = anabranch.jit(all_of_them, backend="numba")(x)
        for one, other in zip(made, all_of_them(x), strict=True):
            assert_near(one, other)


def test_corners_of_xlogy() -> None:
    x, y = map(np.ravel, np.meshgrid(CORNERS, CORNERS))
    with np.errstate(all="ignore"):
        expected = special.xlogy(x, y)
    np.testing.assert_array_max_ulp(evaluate("xlogy", x, y), expected, 2)


@pytest.mark.parametrize("name", ERRORS)
def test_bits_do_not_depend_on_the_position(name: str) -> None:
    """Alone, in any lane, in the rest of a loop, beside arguments below 0."""
    x = np.random.default_rng(0).uniform(0.1, 5, 75)
    x[[3, 70]] = -2.5
    whole = evaluate(name, x)
    for i in range(0, len(x), 7):
        np.testing.assert_array_equal(evaluate(name, x[i:].copy()), whole[i:])
    scalar = evaluate(name, x, loop="range(words[0])")
    np.testing.assert_array_equal(scalar, whole)
