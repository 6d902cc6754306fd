"""Tables of calls that are held against NumPy, and their gradients against differences.

A case is a function and its arguments; `grads` are those whose gradients are checked.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import anabranch
from anabranch.compiler.tree import flatten

__all__ = [
    "HOLES",
    "VECTOR",
    "WEIGHTS",
    "X",
    "Y",
    "Z",
    "check_case",
    "check_loss",
    "check_refused",
    "check_said",
    "check_slope",
]

_RNG = np.random.default_rng(0)
X = _RNG.normal(size=7)
Y = _RNG.normal(size=(4, 5))
Z = _RNG.normal(size=(2, 3, 4))
WEIGHTS = np.array([0.3, 1.7, 0.4, 2.1])
VECTOR = np.array([0, 3, 1, 3])
HOLES = np.where(_RNG.random((4, 5)) < 0.3, np.nan, Y)


def check_case(same: Any, case: tuple[Any, ...], rtol: float = 1e-12) -> None:
    """The compiled function has NumPy's result."""
    function, *args = case
    same(function, *args, rtol=rtol)


def check_slope(case: tuple[Any, ...], order: int = 2) -> None:
    """Its gradient is that of differences."""
    function, *args = case
    anabranch.check_grads(function, args, order=order)


def check_loss(loss: Any, args: tuple[Any, ...]) -> None:
    """Its gradients of two orders are those of differences, where it is interpreted.

    Compiled, which takes long, is the first one only.
    """
    anabranch.check_grads(loss, args, order=2, backend="reference")
    which = tuple(range(len(args)))
    made, expected = (
        flatten(anabranch.grad(loss, which, backend=backend)(*args))[0]
        for backend in ("llvm", "reference")
    )
    for one, other in zip(made, expected, strict=True):
        scale = max(1.0, float(np.max(np.abs(other))))
        np.testing.assert_allclose(one, other, 0, 1e-11 * scale)


def check_refused(
    args: tuple[Any, ...], function: Any, error: type[Exception], match: str
) -> None:
    """The error says so itself, and not by the user's line, which may say the same."""
    with pytest.raises(error) as raised:
        anabranch.jit(function)(*args)
    said = getattr(raised.value, "what", raised.value.args[0])
    hint = getattr(raised.value, "hint", None)
    assert re.search(match, f"{said}\n{hint}"), said


def check_said(function: Any, given: Any, kind: type[Exception], message: str) -> Any:
    """The error has these words, and the line in the file of the function; its hint."""
    with pytest.raises(kind) as raised:
        anabranch.jit(function)(given)
    error = raised.value
    assert message in getattr(error, "what", str(error))
    if not isinstance(error, AttributeError):  # whose line is in the traceback
        texts = str(error), *getattr(error, "__notes__", [])
        assert any(f"{function.__code__.co_filename}:" in text for text in texts)
    return getattr(error, "hint", None)
