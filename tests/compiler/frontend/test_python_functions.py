"""Functions of Python's own library, of traced numbers: as Python has them."""

from __future__ import annotations

import cmath
import functools
import itertools
import math
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import anabranch
from tests.compiler.frontend.conftest import assert_equal, has_loop

X = np.array([0.7, -1.3, 2.1, 0.4, -0.2])
CASES: list[Callable[..., Any]] = []


def case(function: Callable[..., Any]) -> Callable[..., Any]:
    CASES.append(function)
    return function


class Size:
    def __init__(self, v):
        self.v = v if v > 0 else -v


@case
def sorted_numbers(x):
    ordered = list(x)
    ordered.sort(reverse=True)
    return sorted(x), ordered, sorted(x, key=lambda v: (v - 0.5) ** 2)


@case
def sorted_places(x):
    order = sorted(range(len(x)), key=lambda i: -x[i])
    return sum(rank * x[i] for rank, i in enumerate(order)), order


@case
def sorted_tuples(x):
    points = [(x[i], i, x[i : i + 2]) for i in range(4)]
    points.sort(key=lambda p: -p[0])
    tied = sorted([(x[0], 2.0), (x[1], 1.0), (x[0], 1.0)])
    stable = sorted([(x[0], 2.0), (x[1], 1.0), (x[0], 1.0)], key=lambda p: p[0])
    back = sorted([(x[0], 2.0), (x[0], 1.0)], key=lambda p: p[0], reverse=True)
    return points, tied, stable, back


@case
def extremes(x):
    pairs = [(i, j) for i in range(4) for j in range(i + 1, 5)]
    i, j = min(pairs, key=lambda p: abs(x[p[0]] - x[p[1]]))
    points = [x[:2], x[1:3], x[2:4]]
    best = max((v * v, -k) for k, v in enumerate(x))
    last = max(enumerate(x), key=lambda p: p[1])
    tie = min([(x[0], 3.0, 1), (x[0], 2.0, 2), (x[0], 2.0, 0)])
    return (
        i,
        j,
        min(points, key=np.linalg.norm),
        best,
        last,
        tie,
        max(x[0], x[1], key=abs),
    )


@case
def mapped(x):
    rows = [[x[0], x[1]], [x[2], 1.0]]
    return (
        list(map(np.array, zip(x, x[::-1], strict=True))),
        list(map(np.linalg.norm, rows)),
        sum(map(float, x)),
        [size.v for size in map(Size, x)],
        list(map(max, zip(x, x[::-1], strict=True))),
        sum(map(math.sin, x)),
    )


def greater(a, b):
    return a if a > b else b


@case
def of_itertools(x):
    return (
        list(itertools.accumulate(x, max)),
        list(itertools.starmap(greater, [(x[0], x[1]), (x[1], x[2])])),
        functools.reduce(greater, x),
        functools.reduce(np.dot, [np.outer(x, x) / 8] * 3),
    )


@case
def of_math(x):
    return (
        math.hypot(*x),
        math.hypot(x[1]),
        math.dist(x[:3], [1, 2, 3]),
        math.fsum(x),
        math.erf(x[0]) + math.erfc(x[1]) + math.gamma(x[2]) + math.lgamma(x[2]),
        math.cbrt(x[1]) + math.exp2(x[0]) + math.ldexp(x[0], 3),
        math.modf(x[1]),
        [round(v) for v in x],
        round(x[0] * 0 + 2.5),
    )


@case
def close(x):
    return [
        math.isclose(a, b, rel_tol=1e-3, abs_tol=c)
        for a, b, c in [
            (x[0], 0.7001, 0.0),
            (x[0], 0.71, 0.0),
            (x[0], 0.71, 0.1),
            (x[0] * math.inf, math.inf, 0.0),
            (x[0] * math.inf, 1.0, 0.0),
            (x[0] * math.nan, math.nan, 0.0),
        ]
    ]


@case
def of_cmath(x):
    z = complex(x[0], x[1])
    size, angle = cmath.polar(z)
    turned = cmath.rect(x[2], x[0])
    made = cmath.exp(z) * cmath.atan(z) + cmath.sqrt(x[1]) + turned
    return size, angle, cmath.phase(z), made.real, made.imag


@pytest.mark.parametrize("function", CASES)
def test_python_s_functions(function: Callable[..., Any], backend: str):
    assert_equal(anabranch.jit(function, backend=backend)(X.copy()), function(X))


def weighted(value: Any) -> Any:
    """A number that depends on all floats of a result."""
    if isinstance(value, (list, tuple)):
        return sum(weighted(part) * (k + 1.5) for k, part in enumerate(value))
    return np.sum(np.sin(value))


@pytest.mark.parametrize("function", [f for f in CASES if f is not close])
def test_their_derivatives(function: Callable[..., Any]):
    anabranch.check_grads(lambda x: weighted(function(x)), (X,))


def test_numbers_that_python_wants_to_know():
    def uses(x, n):
        last = deque(x, maxlen=n)
        last.append(x[0])
        zeros = [0.0] * n
        zeros[0] = x[1]
        text = "ab" * n
        pairs = itertools.permutations(x, n)
        parts = itertools.islice(x, 1, None, n)
        return list(last), np.array(zeros), len(text), sum(map(sum, pairs)), list(parts)

    compiled = anabranch.jit(uses)
    for n in (2, 3, 2):
        assert_equal(compiled(X, n), uses(X, n))


def test_numbers_of_numpy_are_sizes():
    def uses(x, n):
        return np.zeros(n) + x[0] * n, x[:n], [x[0]] * n

    compiled = anabranch.jit(uses)
    for n in (np.int64(2), np.array(2), 2, np.int32(3), np.array(3)):
        made, plain = compiled(X, n), uses(X, n[()] if isinstance(n, np.ndarray) else n)
        assert_equal(made, plain)
        assert made[0].dtype == plain[0].dtype
    assert compiled.compile_count == 4


def test_what_a_traced_list_is_repeated_by_has_to_be_known():
    def repeats(x):
        n = int(np.argmax(x))
        return np.array([0.0] * n)

    with pytest.raises(anabranch.ConcretizationError, match=r"\[0\.0\] \* n"):
        anabranch.jit(repeats)(X)


@pytest.mark.parametrize("last", [3, 4])
def test_a_recursion_that_ends_on_an_integer(last: int):
    def fraction(x, n):
        def rest(k):
            return x / (k + rest(k + 1)) if k < n else x / k

        return rest(1)

    compiled = anabranch.jit(fraction)
    assert compiled(0.3, last) == pytest.approx(fraction(0.3, last), rel=1e-12)


def test_what_cannot_be_sorted_says_so():
    with pytest.raises(anabranch.TraceError, match="no arrays or numbers of one shape"):
        anabranch.jit(lambda x: sorted([(x[0], "a"), (x[1], "b")], key=lambda p: p[0]))(
            X
        )
    with pytest.raises(anabranch.TraceError, match="or tuples of as many numbers"):
        anabranch.jit(lambda x: sorted([(x[0],), (x[1], 1.0)]))(X)
    with pytest.raises(TypeError, match="sin takes 1, not 2"):
        anabranch.jit(lambda x: sine(x[0], x[1]))(X)
    with pytest.raises(ValueError, match="the same number of dimensions"):
        anabranch.jit(lambda x: math.dist(x, x[1:]))(X)
    with pytest.raises(anabranch.TraceError, match=r"np\.nditer of a traced array"):
        anabranch.jit(lambda x: list(np.nditer(x)))(X)


GRID = np.random.default_rng(3).normal(size=(5, 4))
sine: Any = math.sin
GRIDS: list[Callable[..., Any]] = []


def grid(function: Callable[..., Any]) -> Callable[..., Any]:
    GRIDS.append(function)
    return function


@grid
def relaxed(u):
    u = u.copy()
    for i, j in itertools.product(range(1, 4), range(1, 3)):
        u[i, j] = 0.25 * (u[i - 1, j] + u[i + 1, j] + u[i, j - 1] + u[i, j + 1])
    for i, j in itertools.product(range(4), repeat=2):
        u[i, j] += np.sin(u[i + 1, j]) * (i - 2 * j)
    return np.sum(u * u)


@grid
def by_places(u):
    out = np.zeros(u.shape)
    for index in np.ndindex(u.shape):
        out[index] = np.tanh(u[index]) + out[index[0], index[1] - 1]
    for i, j in np.ndindex(5, 4):
        out[i, j] *= i + j
    return np.sum(out)


@grid
def with_their_places(u):
    total = 0.0
    for (i, j), v in np.ndenumerate(u.T):
        total = np.sin(total) + v * (i - 0.5 * j)
    return total


@grid
def of_arrays(u):
    total = 0.0
    for a, b in itertools.product(u[0], u[1]):
        total += np.tanh(a * b + total)
    return total


@pytest.mark.parametrize("function", GRIDS)
def test_loops_over_pairs_are_loops(
    function: Callable[..., Any], as_a_loop: Callable[..., None]
):
    as_a_loop(function, (GRID,))


def test_short_ones_and_others_as_in_python(as_python: Callable[..., None]):
    def short(u):
        total = u[0, 0] * 0
        for i, (j, k) in enumerate(itertools.product(range(2), "ab")):
            total = total * 0.9 + u[i, j] * len(k)
        for nothing in itertools.product():
            total += 1 + len(nothing)
        for nothing in np.ndindex():
            total += 1 + len(nothing)
        for _ in np.ndindex(0, 3):
            total += 100
        turns = enumerate(u[0])
        for one, other in zip(turns, turns, strict=False):
            total += (one[0] - other[0]) * one[1]
        return total, list(itertools.product(range(2), range(2)))

    as_python(short, (GRID,))
    assert not has_loop_of(short)


def has_loop_of(function: Callable[..., Any]) -> bool:
    compiled = anabranch.jit(function)
    compiled(GRID)
    return has_loop(compiled)
