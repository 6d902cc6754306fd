"""What tests of calls share: which way they went, and whether results are the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from anabranch.compiler.tree import flatten

__all__ = ["Layer", "X", "caller_of", "fast_calls", "is_fast", "same"]

X = np.arange(6.0).reshape(2, 3)


class Layer(NamedTuple):
    w: Any
    b: Any


def fast_calls(function: Any) -> Callable[[], int]:
    """How many calls went the fast path since this was made."""
    count = 0
    short = function._fast_path

    def counted(pair: Any) -> Any:
        nonlocal count
        result = short(pair)
        count += result is not NotImplemented
        return result

    function._fast_path = counted
    return lambda: count


def is_fast(function: Any, *args: Any, **kwargs: Any) -> bool:
    """Whether a call like this goes the fast path."""
    return function._fast_path((args, kwargs)) is not NotImplemented


def caller_of(function: Any) -> Any:
    """The caller of a function that has recipes."""
    (caller,) = function._callers.values()
    return caller


def same(one: Any, two: Any) -> None:
    (leaves, structure), (others, other) = flatten(one), flatten(two)
    assert structure == other
    for a, b in zip(leaves, others, strict=True):
        assert type(a) is type(b)
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
