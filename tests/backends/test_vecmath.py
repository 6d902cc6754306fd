"""The vectorised functions: errors in ulp, corners, bits that no position moves."""

import re
from collections.abc import Callable
from itertools import product

import numpy as np
import pytest

from anabranch.backends.llvm.engine.engine import assembly
from tests.backends.test_language import run, source

COUNT = 100_000
DTYPES = {"f64": np.float64, "f32": np.float32}
POSITIVE = ((1e-320, 1e300), (0.3, 3))

RANGES = {
    "exp": ((-745, 709.7), (-1, 1)),
    "exp2": ((-1074, 1023.9), (-1, 1)),
    "expm1": ((-50, 709.7), (-1, 1)),
    "tanh": ((-25, 25), (-1, 1)),
    "log": POSITIVE,
    "log2": POSITIVE,
    "log10": POSITIVE,
    "log1p": ((1e-300, 1.7e308), (-0.999, 3)),
    "cbrt": ((-1e300, 1e300), (-9, 9)),
    "sin": ((-(2.0**31), 2.0**31), (-10, 10)),
    "cos": ((-(2.0**31), 2.0**31), (-10, 10)),
}
BINARY = ("pow", "hypot")
# In ulp, of which rounding the exact value already takes a half.
BOUNDS = {"cbrt": 0.51, "expm1": 1.2, "tanh": 1.2, "erf": 1.1}
CORNERS = [
    *(0.0, -0.0, np.inf, -np.inf, np.nan, -np.nan, 1.0, -1.0, 5e-324, -5e-324, 2e-308),
    *(1e308, -1e308, -745.2, -744.9, 709.79, 709.8, 22.0, -22.0, 1e-300, -1e-9, 0.5),
    *(-0.5, 2.0, -3.0, 1e22, -(2.0**30), 2.0**53 + 2, 1.7e308, 104.0, -104.0, 88.8),
]


def evaluate(
    name: str, *operands: np.ndarray, loop: str = "lanes(words[0], 16)"
) -> np.ndarray:
    """A function of the kernel language, in a loop."""
    dtype = f"f{8 * operands[0].itemsize}"
    count = len(operands)
    result = np.empty_like(operands[0])
    arguments = ", ".join(f"x{i}[i]" for i in range(count))
    text = source(
        *(f"x{i} = {dtype}_pointer(buffers[{i}], {i})" for i in range(count)),
        f"y = {dtype}_pointer(buffers[{count}], {count})",
        f"for i in {loop}:",
        f"    y[i] = {name}({arguments})",
    )
    assert run(text, [*operands, result], [len(result)]) == 0
    return result


def points(name: str, dtype: str) -> np.ndarray:
    """Points over the whole range, near the critical values, and close to 0 or 1."""
    rng = np.random.default_rng(0)
    (low, high), near = RANGES[name]
    wide = (
        np.exp(rng.uniform(np.log(low), np.log(high), COUNT))
        if low > 0
        else rng.uniform(low, high, COUNT)
    )
    small = rng.normal(size=COUNT) * 1e-5 + (1 if near[0] == 0.3 else 0)
    turns = rng.integers(-(10**6), 10**6, COUNT) * (np.pi / 2 * (near[0] == -10))
    found = np.concatenate([wide, rng.uniform(*near, COUNT), small, turns])
    found = found[np.abs(found) < np.finfo(DTYPES[dtype]).max]
    return found.astype(DTYPES[dtype])


def ulps(value: np.ndarray, exact: np.ndarray) -> float:
    """The largest error in units of the last place of the exact value."""
    with np.errstate(all="ignore"):
        rounded = exact.astype(value.dtype)
    finite = np.isfinite(rounded)
    np.testing.assert_array_equal(value[~finite], rounded[~finite])
    spacing = np.spacing(np.abs(rounded[finite])).astype(np.longdouble)
    errors = np.abs(value[finite] - exact[finite]) / spacing
    return float(np.max(errors, initial=0.0))


extended = pytest.mark.skipif(
    np.finfo(np.longdouble).nmant < 63, reason="no extended precision to judge by"
)


@extended
@pytest.mark.parametrize("name", RANGES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_error_in_ulp(name: str, dtype: str) -> None:
    x = points(name, dtype)
    with np.errstate(all="ignore"):
        exact = getattr(np, name)(x.astype(np.longdouble))
    assert ulps(evaluate(name, x), exact) < BOUNDS.get(name, 1.0)


@extended
@pytest.mark.parametrize("spread", [700, 1, 1e-6])
@pytest.mark.parametrize("dtype", DTYPES)
def test_error_of_pow(spread: float, dtype: str) -> None:
    """Exponents that take the result anywhere from 0 to infinity."""
    rng = np.random.default_rng(0)
    spread = max(min(spread, 87), 1e-3) if dtype == "f32" else spread
    x = np.exp(rng.uniform(-spread, spread, COUNT)).astype(DTYPES[dtype])
    x = x[x != 1]
    result = rng.uniform(-750, 710, len(x)) * (1 if dtype == "f64" else 0.14)
    y = (result / np.log(x.astype(np.float64))).astype(DTYPES[dtype])
    with np.errstate(all="ignore"):
        exact = np.power(x.astype(np.longdouble), y.astype(np.longdouble))
    assert ulps(evaluate("pow", x, y), exact) < 1.0


@extended
@pytest.mark.parametrize("spread", [20, 1, 1e-3])
@pytest.mark.parametrize("dtype", DTYPES)
def test_error_of_hypot(spread: float, dtype: str) -> None:
    """Of any size, and one nearly as large as the other."""
    rng = np.random.default_rng(0)
    most = 950 if dtype == "f64" else 80
    x = np.exp2(rng.uniform(-most, most, COUNT)).astype(DTYPES[dtype])
    y = (x * np.exp(rng.uniform(-spread, spread, COUNT))).astype(DTYPES[dtype])
    exact = np.hypot(x.astype(np.longdouble), y.astype(np.longdouble))
    assert ulps(evaluate("hypot", x, y), exact) < 1.0


@extended
@pytest.mark.parametrize("dtype", DTYPES)
def test_error_of_erf(dtype: str) -> None:
    mpmath = pytest.importorskip("mpmath")
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.uniform(-7, 7, 2000), rng.uniform(0.8, 1.3, 2000)])
    x = np.concatenate([x, rng.normal(size=500) * 1e-5]).astype(DTYPES[dtype])
    with mpmath.workprec(80):
        exact = np.array([np.longdouble(str(mpmath.erf(float(v)))) for v in x])
    assert ulps(evaluate("erf", x), exact) < BOUNDS["erf"]


@pytest.mark.parametrize("stride", [99_991, pytest.param(7, marks=pytest.mark.fuzz)])
@pytest.mark.parametrize("name", RANGES)
def test_float32_over_all_bit_patterns(name: str, stride: int) -> None:
    """Judged by NumPy in float64."""
    for start in range(0, 2**32, stride * 2**20):
        stop = min(start + stride * 2**20, 2**32)
        x = np.arange(start, stop, stride).astype(np.uint32).view(np.float32)
        with np.errstate(all="ignore"):
            exact = getattr(np, name)(x.astype(np.float64))
        assert ulps(evaluate(name, x), exact) < BOUNDS.get(name, 1.0)


def reference(name: str) -> Callable[..., np.ndarray]:
    if name == "erf":
        special = pytest.importorskip("scipy.special")
        return special.erf
    return np.power if name == "pow" else getattr(np, name)


@pytest.mark.parametrize("name", [*RANGES, "erf", *BINARY])
@pytest.mark.parametrize("dtype", DTYPES)
def test_corners_are_those_of_numpy(name: str, dtype: str) -> None:
    with np.errstate(all="ignore"):
        corners = np.array(CORNERS).astype(DTYPES[dtype])
        rows = product(corners, corners) if name in BINARY else ((x,) for x in corners)
        operands = [np.array(column) for column in zip(*rows, strict=True)]
        expected = reference(name)(*operands)
    made = evaluate(name, *operands)
    numbers = ~np.isnan(expected)
    np.testing.assert_array_equal(np.isnan(made), ~numbers)
    np.testing.assert_array_equal(
        np.signbit(made)[numbers], np.signbit(expected)[numbers]
    )
    np.testing.assert_array_max_ulp(made[numbers], expected[numbers], 2)


@pytest.mark.parametrize("name", [*RANGES, "erf", *BINARY])
@pytest.mark.parametrize("dtype", DTYPES)
def test_bits_do_not_depend_on_the_position(name: str, dtype: str) -> None:
    """Alone, in any lane, in the rest of a loop, beside arguments that take a call."""
    rng = np.random.default_rng(0)
    x = rng.uniform(0.1, 5, 75).astype(DTYPES[dtype])
    x[[3, 70]] = 1e12
    operands = (x, x) if name in BINARY else (x,)
    whole = evaluate(name, *operands)
    for i in range(len(x)):
        rest = evaluate(name, *(operand[i:].copy() for operand in operands))
        np.testing.assert_array_equal(rest, whole[i:])
    scalar = evaluate(name, *operands, loop="range(words[0])")
    np.testing.assert_array_equal(scalar, whole)


@pytest.mark.parametrize("name", [*RANGES, "erf", *BINARY])
@pytest.mark.parametrize("dtype", DTYPES)
def test_loops_use_vector_registers(name: str, dtype: str) -> None:
    text = source(
        f"x = {dtype}_pointer(buffers[0], 0)",
        f"y = {dtype}_pointer(buffers[1], 1)",
        "for i in lanes(words[0], 16):",
        f"    y[i] = {name}(x[i]{', x[i]' if name in BINARY else ''})",
    )
    assert re.search(r"mulp[ds]|fmul\s+v\d+\.[24][sd]", assembly(text))
