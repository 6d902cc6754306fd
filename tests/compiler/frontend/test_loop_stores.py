"""Loops as nodes that store at the counter, alone and inside of each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

X = np.array([0.5, -1.0, 2.0, 1.5, 0.3, -0.7])
W = np.random.default_rng(0).normal(size=(6, 6)) * 0.4
LENGTHS = np.random.default_rng(5).permutation(36).reshape(6, 6) ** 1.5 + 1.0

Program = Callable[..., Any]
CASES: list[tuple[Program, tuple[Any, ...]]] = []


def case(*args: Any) -> Callable[[Program], Program]:
    def note(function: Program) -> Program:
        CASES.append((function, args))
        return function

    return note


@case(X)
def elementwise(x):
    y = np.zeros(6)
    for t in range(6):
        y[t] = np.sin(x[t])
    return np.sum(y * x)


@case(X)
def from_the_one_before(x):
    y = np.empty(7)
    y[0] = x[0]
    for t in range(6):
        y[t + 1] = np.tanh(y[t] + x[t])
    return np.sum(y**2)


@case(X)
def from_the_end(x):
    y, n = np.zeros_like(x), len(x)
    for i in range(n):
        y[n - 1 - i] = x[i - 1] * x[-1 - i]
    return np.sum(y * x)


@case(W)
def slices_of_rows(w):
    a = np.zeros((6, 6))
    for i in range(6):
        a[i, 1:-1] = w[i, 2:] - w[i, :-2]
        a[:, i] += 0.1 * w[i]
    return np.sum(a * w)


@case(W)
def nested(w):
    a = w.copy()
    for i in range(1, 6):
        for j in range(1, 6):
            a[i, j] += 0.5 * a[i - 1, j] * a[i, j - 1]
    return np.sum(np.sin(a))


@case(X)
def overlapping_slices(u):
    u = u.copy()
    for _ in range(5):
        u[1:-1] = u[:-2] + 0.2 * u[2:]
    return np.sum(u * u)


@case(X)
def all_times_of_a_rod(u):
    h = np.zeros((5, len(u)))
    h[0] = u
    for t in range(4):
        h[t + 1, 1:-1] = h[t, 1:-1] + 0.1 * (h[t, 2:] - 2 * h[t, 1:-1] + h[t, :-2])
    return np.sum(h**2)


@case(X)
def by_a_helper(x):
    y = np.zeros(6)

    def put(i, v):
        y[i] = v * 2

    for i in range(6):
        put(i, x[i] * x[0])
    return np.sum(y * x)


@case(X)
def through_views(x):
    y = np.zeros((3, 6))
    second = y[1]
    for i in range(6):
        second[i] = x[i] * 2
        y[2, i] = second[i] + 1
        y.T[i][0] = second[i - 1]
    return np.sum(y**2 * x)


@case(W)
def rows_that_are_written(w):
    a = w.copy()
    for i in range(6):
        row = a[i]
        row *= 0.5
        row[2] = row[1] + i
    row[0] = 3 * a[2, 2]  # pyright: ignore[reportPossiblyUnboundVariable]
    return np.sum(a * w)


@case(W)
def views_of_what_is_written(w):
    u = w @ w.T
    for _ in range(4):
        inner = u[1:-1, 1:-1]
        inner += 0.1 * u[:-2, 1:-1]
        left = u[0]
        u[0, 1] = np.sum(left) * 0.01
    inner[0, 0] = u[5, 5]  # pyright: ignore[reportPossiblyUnboundVariable]
    return np.sum(u * u)


@case(W)
def triangular_ranges(w):
    a = w.copy()
    for i in range(5):
        for j in range(i + 1, 6):
            a[j] = a[j] - 0.3 * a[j, i] * a[i]
        for j in range(i):
            a[i, j] += np.sin(a[j, i])
    return np.sum(a**2)


@case(W)
def cholesky(w):
    a = w @ w.T + 6 * np.eye(6)
    n = len(a)
    lower = np.zeros((n, n))
    for i in range(n):
        for j in range(i + 1):
            s = a[i, j]
            for k in range(j):
                s -= lower[i, k] * lower[j, k]
            lower[i, j] = np.sqrt(s) if i == j else s / lower[j, j]
    return np.sum(lower * w)


@case(LENGTHS)
def shortest_paths(lengths):
    d = lengths.copy()
    n = len(d)
    for k in range(n):
        for i in range(n):
            for j in range(n):
                d[i, j] = min(d[i, j], d[i, k] + d[k, j])
    return np.sum(d)


@case(X)
def gauss_seidel(x):
    u = np.outer(x, x)
    for _ in range(3):
        for i in range(1, 5):
            for j in range(1, 5):
                u[i, j] = 0.25 * (u[i - 1, j] + u[i + 1, j] + u[i, j - 1] + u[i, j + 1])
    return np.sum(u**2)


@case(X)
def windows(x):
    y = np.zeros(6)
    for i in range(1, 5):
        y[i - 1] = np.sum(x[i - 1 : i + 2] * np.array([1.0, 2.0, 3.0]))
        y[i - 1 : i + 2] += x[i] * x[i - 1 : i + 2]
        y[i : i - 1 : -1] *= x[5 - i : 6 - i]
    return np.sum(y * x)


@case(X)
def positions_by_a_remainder(x):
    y = np.zeros(3)
    for i in range(6):
        y[i % 3] += x[i] * x[i // 2]
    return np.sum(y**2)


@case(X)
def stores_under_a_condition(x):
    y = x.copy()
    for i in range(1, 6):
        if y[i] < y[i - 1]:
            y[i] = y[i - 1] * x[i]
        else:
            y[i - 1] += 1
    return np.sum(y * x)


@case(X)
def known_until_it_is_stored(x):
    places, y = np.arange(6)[::-1], np.zeros(6)
    for i in range(6):
        y[places[i]] = x[i] * i
    return np.sum(y * x)


@case(X)
def buffers_of_an_object(x):
    class Filter:
        def __init__(self):
            self.past, self.count = np.zeros(3), 0

        def step(self, v):
            self.past[1:] = self.past[:-1]
            self.past[0] = v
            self.count += 1
            return self.past.mean()

    work, out = Filter(), np.zeros(6)
    for i in range(6):
        out[i] = work.step(x[i])
    return np.sum(out * x) + work.count + work.past[0]


@pytest.mark.parametrize(
    ("function", "args"), CASES, ids=[c[0].__name__ for c in CASES]
)
def test_as_a_loop(
    as_a_loop: Callable[..., None], function: Program, args: tuple[Any, ...]
) -> None:
    as_a_loop(function, args)
