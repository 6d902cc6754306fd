"""Functions that change variables around them, called in branches and loops."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

X = np.array([0.3, 0.7, -0.2])
POINTS = [(X,), (-X,), (X[::-1].copy(),)]
calls = 0


def tick(v):
    global calls
    calls += 1
    return v * calls


def a_global_variable(x):
    global calls
    calls = 0
    y = tick(x) if x[0] > 0 else tick(tick(x))
    return y, calls


def counted_in_branches(x):
    count, z = 0, 1.0

    def bump(v):
        nonlocal count, z
        count += 1
        z = z * 0.5 + v
        return z

    if x[0] > 0:
        bump(x[1])
    elif x[1] > 0:
        bump(x[0])
        bump(2.0)
    last = bump(x[2]) if x[2] > 0 else 0.0
    return count, z, last


def counted_before_and_in_the_branch(x):
    count = 0

    def bump():
        nonlocal count
        count += 1

    if x[0] > 0:
        count += 10
        bump()
    else:
        bump()
        count *= 5
        if x[1] > 0:
            bump()
    return count


def evaluations_of_a_search(x):
    best, evaluations = np.inf, 0

    def f(v):
        nonlocal best, evaluations
        evaluations += 1
        found = (v - x[1]) ** 2
        if found < best:
            best = found
        return found

    a, b = x[0] - 2, x[0] + 3
    while b - a > 1e-3:
        c, d = a + 0.382 * (b - a), a + 0.618 * (b - a)
        if f(c) < f(d):
            b = d
        else:
            a = c
    return a, evaluations, best


def a_generator(x):
    count = 0

    def each():
        nonlocal count
        for v in x:
            count += 1
            yield v * count

    total = sum(each())
    if x[0] > 0:
        total += sum(each())
    return total, count


@dataclass
class Cell:
    w: Any
    k: int = 0


def an_object_that_a_branch_chose_and_changed(x):
    cell = Cell(x[1])
    if x[0] > 10:
        pass
    else:
        if x[1] > 0:
            cell = replace(cell, k=cell.k + 1)
        cell.k += 1
        cell.w = cell.w * 2
    return cell.k, cell.w


@pytest.mark.parametrize(
    "function",
    [
        a_generator,
        a_global_variable,
        an_object_that_a_branch_chose_and_changed,
        counted_before_and_in_the_branch,
        counted_in_branches,
        evaluations_of_a_search,
    ],
)
def test_only_what_runs_counts(
    function: Callable[..., Any], as_python: Callable[..., None]
):
    as_python(function, *POINTS)


def test_loops_carry_them(as_a_loop: Callable[..., None]):
    def smoothed(x):
        count, z = 0, x[0]

        def bump(v):
            nonlocal count, z
            count += 1
            z = np.tanh(z * 0.5 + v) + np.sin(z) * 0.3

        for i in range(12):
            bump(x[i % 3])
            if z > 0.5:
                bump(-z)
        return z * count

    as_a_loop(smoothed, (X,))
