"""How programs in plain NumPy are held against themselves, compiled."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import anabranch


def assert_equal(made: Any, expected: Any) -> None:
    """Structure, shapes and values, to rounding."""
    if isinstance(expected, (tuple, list)):
        assert type(made) is type(expected)
        assert len(made) == len(expected)
        for one, other in zip(made, expected, strict=True):
            assert_equal(one, other)
    elif isinstance(expected, dict):
        assert list(made) == list(expected)
        assert_equal(list(made.values()), list(expected.values()))
    elif expected is None:
        assert made is None
    else:
        assert np.shape(made) == np.shape(expected)
        np.testing.assert_allclose(made, expected, rtol=1e-12, atol=1e-12)


@pytest.fixture
def as_python(backend: str) -> Callable[..., None]:
    """``as_python(f, *inputs)``: results and arguments are as Python leaves them.

    Traced once, the function is called with each tuple of arguments.
    """

    def check(function: Callable[..., Any], *inputs: tuple[Any, ...]) -> None:
        compiled = anabranch.jit(function, backend=backend)
        for args in inputs:
            plain, ours = copy.deepcopy(args), copy.deepcopy(args)
            with np.errstate(all="ignore"):
                expected = function(*plain)
            assert_equal(compiled(*ours), expected)
            assert_equal(ours, plain)
        assert compiled.compile_count == 1

    return check
