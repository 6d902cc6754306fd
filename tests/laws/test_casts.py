"""Floats become the same integers on every path, those beyond the range included.

The oracle is the rule of the page numpy.md in Python's integers. Of NumPy only the
scalar code is asked, where it runs on x86-64: its vector code has other answers.
"""

from __future__ import annotations

import hashlib
import math
import platform

import numpy as np
import pytest

import anabranch
from anabranch.backends.llvm.machine import using
from tests.laws.op_samples import INTEGERS, Array
from tests.machines import MACHINES

FLOATS = ("f4", "f8")
ON_X86 = platform.machine().lower() in ("x86_64", "amd64")


def beyond(dtype: str) -> Array:
    """A thousand floats: most of them outside of some integer's range."""
    rng = np.random.default_rng(0)
    powers = 2.0 ** np.array([7, 8, 15, 16, 31, 32, 63, 64])
    edges = np.concatenate([powers - 1, powers - 0.5, powers, powers * 1.001])
    edges = np.concatenate([edges, [0.0, 0.5, 1.5, 300, 1e30, np.inf, np.nan]])
    sizes = np.exp(rng.uniform(0, 50, 500 - edges.size))
    both = np.concatenate([edges, sizes, -edges, -sizes])
    return rng.permutation(both).astype(dtype)


def by_the_rule(x: float, dtype: str) -> int:
    """What ``x`` is as an integer of this dtype."""
    unsigned, bits = dtype[0] == "u", int(dtype[1:])
    if dtype == "u64":
        if x >= 2.0**63:
            return int(x) if x < 2.0**64 else 0
        return int(x) % 2**64 if x > -(2.0**63) else 2**63
    wide = 64 if dtype in ("i64", "u32") else 32
    whole = int(x) if math.isfinite(x) else 2**64
    inside = -(2 ** (wide - 1)) <= whole < 2 ** (wide - 1)
    low = (whole if inside else 2 ** (wide - 1)) % 2**bits
    return low if unsigned or low < 2 ** (bits - 1) else low - 2**bits


def by_numpy(x: Array, dtype: str) -> list[int]:
    with np.errstate(invalid="ignore"):
        return [value.astype(f"{dtype[0]}{int(dtype[1:]) // 8}") for value in x]


def casts(dtype: str, backend: str = "llvm") -> anabranch.Compiled:
    """A function that casts to an integer of this dtype."""
    name = f"{dtype[0]}{int(dtype[1:]) // 8}"
    return anabranch.jit(lambda x: x.astype(name), backend=backend)


@pytest.mark.parametrize("floats", FLOATS)
@pytest.mark.parametrize("dtype", INTEGERS)
def test_every_size_and_place(floats: str, dtype: str, backend: str) -> None:
    """Scalar code, whole vectors and the rest behind them: sizes 0 to 100."""
    x = beyond(floats)
    expected = np.array([by_the_rule(float(v), dtype) for v in x], dtype=object)
    cast = casts(dtype, backend)
    np.testing.assert_array_equal(cast(x), expected)
    for size in range(0, 101, 1 if backend == "llvm" else 20):
        at = 9 * size
        np.testing.assert_array_equal(cast(x[at : at + size]), expected[at : at + size])
    every_other = np.repeat(x, 2)[::2]
    np.testing.assert_array_equal(cast(every_other), expected)
    assert cast(x[0]) == expected[0]


@pytest.mark.skipif(not ON_X86, reason="C leaves these casts to the processor")
@pytest.mark.parametrize("floats", FLOATS)
@pytest.mark.parametrize("dtype", INTEGERS)
def test_the_rule_is_that_of_numpys_scalars(floats: str, dtype: str) -> None:
    x = beyond(floats)
    assert [by_the_rule(float(v), dtype) for v in x] == by_numpy(x, dtype)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_casts_of_constants(dtype: str, backend: str) -> None:
    """What is folded when the function is compiled."""
    for value in (300.0, -1.0, 3e9, 1e30, math.nan):
        cast = casts(dtype, backend)
        constant = anabranch.jit(lambda x, v=value, c=cast: c(np.full_like(x, v)))
        assert constant(np.ones(3))[0] == by_the_rule(value, dtype)


def digest() -> str:
    """All casts, at sizes of every remainder by 32."""
    total = hashlib.sha256()
    for floats in FLOATS:
        x = beyond(floats)
        for dtype in INTEGERS:
            cast = casts(dtype)
            for size in range(1, 101, 3):
                total.update(cast(x[9 * size : 10 * size]).tobytes())
            total.update(cast(x).tobytes())
    return total.hexdigest()


@pytest.mark.skipif(not ON_X86, reason="the widths are x86-64's")
def test_every_width_of_vectors() -> None:
    expected = digest()
    for name, machine in MACHINES.items():
        with using(machine):
            assert digest() == expected, name
