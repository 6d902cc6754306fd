"""Random numbers and clocks inside of a traced function are refused, but for seeds."""

from __future__ import annotations

import datetime
import functools
import os
import random
import time
import uuid
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from anabranch import TraceError, grad, jit, value_and_grad

X = np.array([1.0, 2.0, 3.0])
OUTSIDE = np.random.default_rng(0)
DRAWS: dict[str, Callable[[], Any]] = {
    "legacy": lambda: np.random.normal(size=3),
    "a generator from outside": lambda: OUTSIDE.normal(size=3),
    "no seed": lambda: np.random.default_rng().normal(size=3),
    "a seed of None": lambda: np.random.default_rng(None).normal(size=3),
    "random": lambda: random.random(),
    "time": lambda: time.time(),
    "perf_counter": lambda: time.perf_counter(),
    "urandom": lambda: len(os.urandom(4)),
    "uuid": lambda: uuid.uuid4().int % 7,
    "now": lambda: datetime.datetime.now().year,
    "partial": functools.partial(OUTSIDE.normal, size=3),
}


@pytest.mark.parametrize("what", DRAWS)
def test_refused_with_the_line_and_two_ways(what: str) -> None:
    draw = DRAWS[what]

    def function(x: Any) -> Any:
        return np.sum(x * draw())

    for compiled in (jit(function), grad(function), value_and_grad(jit(function))):
        with pytest.raises(TraceError, match="at each call") as raised:
            compiled(X)
        assert "test_chance.py" in str(raised.value)
        assert "as an argument, or a seed" in str(raised.value.hint)
        assert "allow_random=True" in str(raised.value.hint)


@pytest.mark.parametrize("what", DRAWS)
def test_allowed_where_the_user_says_so(what: str) -> None:
    draw = DRAWS[what]
    compiled = jit(lambda x: x * draw(), allow_random=True)
    np.testing.assert_array_equal(compiled(X), compiled(X))
    grad(jit(lambda x: np.sum(x * draw()), allow_random=True))(X)


@pytest.mark.parametrize(
    "make",
    [
        np.random.default_rng,
        np.random.RandomState,
        lambda seed: np.random.default_rng(seed=seed),
        lambda seed: np.random.Generator(np.random.PCG64(seed)),
    ],
)
def test_a_seed_gives_the_same_numbers_as_in_python(make: Any) -> None:
    def function(x: Any, seed: int) -> Any:
        return x * make(seed).normal(size=3)

    compiled = jit(function, static_argnames="seed")
    for seed in (3, 4, 3):
        np.testing.assert_allclose(compiled(X, seed), function(X, seed), rtol=1e-14)


def test_python_generators_of_seeds() -> None:
    def function(x: Any) -> Any:
        return x * random.Random(5).random()

    np.testing.assert_allclose(jit(function)(X), function(X), rtol=1e-14)


def test_outside_of_a_trace_nothing_is_refused() -> None:
    assert np.random.normal(size=3).shape == (3,)
    jit(np.tanh)(X)
    assert 0.0 <= random.random() < 1.0
