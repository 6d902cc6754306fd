"""The vectorised functions, in ulp against extended precision, and at the corners."""

import numpy as np
import pytest

import anabranch

COUNT = 100_000

RANGES = {
    "exp": ((-745, 709.7), (-1, 1)),
    "expm1": ((-50, 709.7), (-1, 1)),
    "log": ((1e-300, 1e300), (0.3, 3)),
    "log1p": ((1e-300, 1e300), (-0.999, 3)),
    "tanh": ((-25, 25), (-1, 1)),
}
BOUNDS = {"exp": 1.0, "log": 1.0, "expm1": 2.0, "log1p": 2.0, "tanh": 2.0}
CORNERS = [
    *(0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 5e-324, -5e-324, 2e-308, 1e308),
    *(-1e308, -745.2, -744.9, 709.79, 709.8, 22.0, -22.0, 1e-300, -1e-9),
]


def points(name: str, dtype: type) -> np.ndarray:
    """Points over the whole range, near the critical values, and close to 0 or 1."""
    rng = np.random.default_rng(0)
    (low, high), near = RANGES[name]
    wide = (
        np.exp(rng.uniform(np.log(low), np.log(high), COUNT))
        if low > 0
        else rng.uniform(low, high, COUNT)
    )
    small = rng.normal(size=COUNT) * 1e-5 + (1 if name == "log" else 0)
    found = np.concatenate([wide, rng.uniform(*near, COUNT), small])
    return found[np.abs(found) < np.finfo(dtype).max].astype(dtype)


def ulps(value: np.ndarray, exact: np.ndarray, rounded: np.ndarray) -> float:
    """The largest error in units of the last place of the exact value."""
    finite = np.isfinite(rounded)
    spacing = np.spacing(np.abs(rounded[finite])).astype(np.longdouble)
    return float(np.max(np.abs(value[finite] - exact[finite]) / spacing))


@pytest.mark.skipif(
    np.finfo(np.longdouble).nmant < 63, reason="no extended precision to judge by"
)
@pytest.mark.parametrize("name", RANGES)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_error_in_ulp(name: str, dtype: type) -> None:
    function = getattr(np, name)
    x = points(name, dtype)
    with np.errstate(all="ignore"):
        exact = function(x.astype(np.longdouble))
        rounded = exact.astype(dtype)
    bound = 0.51 if dtype is np.float32 else BOUNDS[name]
    assert ulps(anabranch.jit(function)(x), exact, rounded) < bound


@pytest.mark.parametrize("name", RANGES)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_corners_are_those_of_numpy(name: str, dtype: type) -> None:
    function = getattr(np, name)
    with np.errstate(all="ignore"):
        x = np.array(CORNERS).astype(dtype)
        expected = function(x)
    made = anabranch.jit(function)(x)
    numbers = ~np.isnan(expected)
    np.testing.assert_array_equal(np.isnan(made), ~numbers)
    np.testing.assert_array_equal(
        np.signbit(made)[numbers], np.signbit(expected)[numbers]
    )
    np.testing.assert_array_max_ulp(made[numbers], expected[numbers], 2, dtype)
