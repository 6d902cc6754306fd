"""How programs in plain NumPy are held against themselves, compiled."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
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


def check_as_python(
    function: Callable[..., Any], inputs: Sequence[tuple[Any, ...]], backend: str
) -> None:
    """Results and arguments are as Python leaves them, for each tuple of arguments.

    The function is traced once.
    """
    compiled = anabranch.jit(function, backend=backend)
    for args in inputs:
        plain, ours = copy.deepcopy(args), copy.deepcopy(args)
        with np.errstate(all="ignore"):
            expected = function(*plain)
        assert_equal(compiled(*ours), expected)
        assert_equal(ours, plain)
    assert compiled.compile_count == 1


@pytest.fixture
def as_python(backend: str) -> Callable[..., None]:
    """``as_python(f, *inputs)`` is `check_as_python` with the backend of the test."""

    def check(function: Callable[..., Any], *inputs: tuple[Any, ...]) -> None:
        check_as_python(function, inputs, backend)

    return check
