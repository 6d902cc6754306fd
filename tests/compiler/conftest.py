"""How the tests of tracing compare a compiled function with NumPy."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import anabranch

ULPS = 2  # what a compiled elementwise function may differ by


def assert_same(made: Any, expected: Any, rtol: float = 0.0, ulps: int = 0) -> None:
    """Type, dtype, shape and value of a result, through tuples and lists."""
    if isinstance(expected, (tuple, list)):
        assert type(made) is type(expected)
        assert len(made) == len(expected)
        for one, other in zip(made, expected, strict=True):
            assert_same(one, other, rtol, ulps)
        return
    if isinstance(expected, np.ndarray) and expected.ndim == 0:
        expected = expected[()]
    assert type(made) is type(expected)
    assert made.dtype == expected.dtype
    assert made.shape == expected.shape
    if rtol:
        np.testing.assert_allclose(made, expected, rtol=rtol, atol=rtol)
    elif ulps and made.dtype.kind == "f":
        finite = np.isfinite(expected)
        np.testing.assert_array_equal(made[~finite], expected[~finite])
        if finite.any():
            np.testing.assert_array_max_ulp(made[finite], expected[finite], ulps)
    else:
        np.testing.assert_array_equal(made, expected)
        if made.dtype.kind == "f":
            known = ~np.isnan(expected)
            signs = np.signbit(made)[known], np.signbit(expected)[known]
            np.testing.assert_array_equal(*signs)


@pytest.fixture
def same(backend: str) -> Callable[..., Any]:
    """``same(f, *args)``: the compiled function returns what NumPy's returns.

    Bit for bit, or to ``rtol`` relative and absolute, or, with ``ulps``, to that many
    units in the last place for what is compiled. The arguments stay as they were.
    """

    def check(
        function: Callable[..., Any], *args: Any, rtol: float = 0.0, ulps: int = 0
    ) -> Any:
        before = copy.deepcopy(args)
        with np.errstate(all="ignore"):
            expected = function(*copy.deepcopy(args))
        made = anabranch.jit(function, backend=backend)(*args)
        assert_same(made, expected, rtol, 0 if backend == "reference" else ulps)
        np.testing.assert_equal(args, before)
        return made

    return check
