"""How programs in plain NumPy are held against themselves, compiled."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import anabranch
from anabranch.compiler.frontend import control


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


def has_loop(compiled: Any) -> bool:
    """Whether the graph of a compiled function has a loop, in a region or not."""
    return "= loop(" in compiled.inspect_ir("forward")


@pytest.fixture
def as_a_loop(backend: str, forced: None, monkeypatch: Any) -> Callable[..., None]:
    """``as_a_loop(f, args)``: with loops as nodes f is what it is in Python.

    Its gradient is that of the unrolled loops, and what differences say.
    """

    def check(function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        which = tuple(range(len(args)))
        compiled = anabranch.jit(function, backend=backend)
        made = compiled(*copy.deepcopy(args))
        assert_equal(made, function(*copy.deepcopy(args)))
        assert has_loop(compiled)
        gradient = anabranch.grad(function, which, backend=backend)(*args)
        if backend == "reference":
            anabranch.check_grads(function, args, backend=backend)
        monkeypatch.setattr(control, "MIN_TRIPS", 1 << 40)
        unrolled = anabranch.grad(function, which, backend=backend)(*args)
        for one, other in zip(gradient, unrolled, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)

    return check


@pytest.fixture
def as_python(backend: str) -> Callable[..., None]:
    """``as_python(f, *inputs)`` is `check_as_python` with the backend of the test."""

    def check(function: Callable[..., Any], *inputs: tuple[Any, ...]) -> None:
        check_as_python(function, inputs, backend)

    return check
