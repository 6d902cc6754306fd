"""Random programs of stores, views and reads between: NumPy's values, and gradients.

A program is a seed. It runs in NumPy as it is traced; its gradient is held against
five-point differences of NumPy's values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.random import Generator

import anabranch

ROUNDS = 8


def index_of(rng: Generator, shape: tuple[int, ...]) -> tuple[Any, ...]:
    """Integers and slices, backwards and in steps, for some of the axes."""
    items: list[Any] = []
    for size in shape:
        kind = rng.random()
        if size and kind < 0.3:
            items.append(int(rng.integers(-size, size)))
        elif kind < 0.4:
            items.append(slice(None))
        else:
            low, high = sorted(int(n) for n in rng.integers(0, size + 1, 2))
            by = int(rng.choice([1, 1, 2, 3, -1, -2]))
            back = slice(max(high - 1, 0), low - 1 if low else None, by)
            items.append(slice(low, high, by) if by > 0 else back)
        if rng.random() < 0.15:
            break
    return tuple(items)


def program(seed: int) -> tuple[Callable[[Any], list[Any]], Any]:
    """A function of one array, and a point."""
    rng = np.random.default_rng(seed)
    shape = tuple(int(n) for n in rng.integers(1, 5, rng.integers(1, 4)))
    moves = [
        (float(rng.random()), int(rng.integers(2**31)))
        for _ in range(rng.integers(2, ROUNDS + 1))
    ]

    def function(x: Any) -> list[Any]:
        y = x * 1.0 if seed % 2 else x.copy()
        arrays, results = [y], []
        for kind, number in moves:
            rng = np.random.default_rng(number)
            a = arrays[int(rng.integers(len(arrays)))]
            if kind < 0.12:
                view = a[index_of(rng, a.shape)]
                arrays += [view] if view.ndim else []
            elif kind < 0.27:
                turn = [np.transpose, np.flip, lambda v: v[None]][number % 3]
                arrays.append(turn(a))
            elif kind < 0.34:
                results.append(np.sin(a))
            elif kind < 0.4:
                arrays.append(a * 1.5)
            elif kind < 0.47:
                a *= 1.25
            elif kind < 0.55 and a.size:
                rows = rng.integers(0, a.shape[0], 3)
                a[rows] = np.tanh(a[rows]) * 1.1
            elif kind < 0.6:
                results.append(np.sum(a * a))
            else:
                store(rng, a, arrays, x)
        return [y, *(v * 1.0 for v in arrays[1:] if seed % 3), *results]

    return function, rng.uniform(-1, 1, shape)


def store(rng: Generator, a: Any, arrays: list[Any], x: Any) -> None:
    """One store into a part of ``a``: of numbers, sums, or parts that may overlap."""
    place = index_of(rng, a.shape)
    old, other = a[place], arrays[int(rng.integers(len(arrays)))]
    kind = rng.random()
    if kind < 0.3:
        a[place] = np.tanh(old) + x.ravel()[0]
    elif kind < 0.5:
        a[place] += np.sum(other) * 0.1
    elif kind < 0.6:
        a[place] = 0.5
    elif kind < 0.7:
        a[place] *= 2
    elif kind < 0.8 and old.shape == other.shape:
        a[place] = other
    else:
        source = index_of(rng, a.shape)
        fits = a[source].shape == old.shape
        a[place] = a[source] if fits else x.ravel()[-1] * 3


def check(seed: int, backend: str) -> None:
    function, x = program(seed)
    expected = function(x.copy())
    for made, wanted in zip(
        anabranch.jit(function, backend=backend)(x), expected, strict=True
    ):
        np.testing.assert_allclose(made, wanted, rtol=1e-10, atol=1e-12)
    rng = np.random.default_rng(seed)
    weights = [rng.uniform(-1, 1, np.shape(value)) for value in expected]

    def loss(x: Any) -> Any:
        parts = zip(function(x), weights, strict=True)
        return sum(np.sum(value * weight) for value, weight in parts)

    direction, h = rng.uniform(-1, 1, x.shape), 1e-3
    near, far = (loss(x + k * direction) - loss(x - k * direction) for k in (h, 2 * h))
    slope = np.sum(anabranch.grad(loss, backend=backend)(x) * direction)
    np.testing.assert_allclose(slope, (8 * near - far) / (12 * h), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("first", range(0, 300, 30))
def test_random_stores(first: int) -> None:
    for seed in range(first, first + 30):
        check(seed, "reference")


@pytest.mark.parametrize("first", range(1000, 1040, 4))
def test_random_stores_compiled(first: int) -> None:
    for seed in range(first, first + 4):
        check(seed, "llvm")
