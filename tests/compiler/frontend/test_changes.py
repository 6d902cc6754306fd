"""What a branch changes by functions and methods of Python's, and what it advances."""

from __future__ import annotations

import bisect
import heapq
import itertools
import operator
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import anabranch
from tests.compiler.frontend.conftest import assert_equal


class Point:
    shared = 1.0

    def __init__(self) -> None:
        self.a, self.n = 0.0, 0

    def __setitem__(self, k, v):
        self.n += 1
        self.a = v * (k + 1)

    def __getitem__(self, k):
        return self.a if self.a > k else -self.a

    def __iadd__(self, v):
        self.n += 1
        self.a = self.a + v
        return self

    @classmethod
    def share(cls, v):
        cls.shared = v


CASES: list[Callable[..., Any]] = []


def case(function: Callable[..., Any]) -> Callable[..., Any]:
    CASES.append(function)
    return function


@case
def attributes_by_functions(x):
    p, q = Point(), Point()
    if x > 0:
        setattr(p, "a", x)  # noqa: B010  # the call is the case
        object.__setattr__(q, "a", x * 2)
    return p.a, q.a


@case
def attributes_of_classes(x):
    Point.shared = 1.0
    if x > 0:
        Point.share(x)
    else:
        Point.shared = 5.0
    made = Point.shared
    Point.shared = 1.0
    return made


@case
def operators_of_the_user(x):
    p = Point()
    if x > 0:
        p[1] = x
        p += 3.0
    return p.a, p.n, p[0.5]


@case
def operators_by_name(x):
    entries, y = [1.0, 2.0], np.zeros(2)
    if x > 0:
        operator.setitem(entries, 0, x)
        y = operator.iadd(y, x)
    return entries, y, operator.getitem(entries, 0)


@pytest.mark.parametrize("function", CASES)
def test_the_other_way_knows_nothing_of_it(function: Callable[..., Any], backend: str):
    compiled = anabranch.jit(function, backend=backend)
    for x in (1.5, -1.5):
        assert_equal(compiled(x), function(x))


def changed(change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def asks(x):
        held = [1.0, 2.0]
        if x > 0:
            change(held)
        return len(held)

    return asks


def moved(x):
    held = OrderedDict(a=1.0, b=2.0)
    if x > 0:
        held.move_to_end("a")
    return next(iter(held.values()))


@pytest.mark.parametrize(
    "function",
    [
        changed(lambda held: heapq.heappush(held, 0.5)),
        changed(lambda held: bisect.insort(held, 0.5)),
        changed(lambda held: operator.iadd(held, [3.0])),
        moved,
    ],
)
def test_containers_that_one_branch_changed(function: Callable[..., Any]):
    with pytest.raises(anabranch.TraceError, match="is changed in one branch"):
        anabranch.jit(function)(1.0)


def numbered():
    k = 0.0
    while True:
        yield k
        k += 1


@pytest.mark.parametrize(
    ("make", "advance", "what"),
    [
        (lambda: iter([1.0, 2.0]), next, "an iterator"),
        (numbered, next, "an iterator"),
        (itertools.count, next, "an iterator"),
        (lambda: enumerate([1.0, 2.0]), lambda it: next(it)[1], "an iterator"),
        (lambda: iter([1.0, 2.0]), sum, "an iterator"),
        (lambda: np.random.default_rng(0), lambda g: g.normal(), "of random numbers"),
    ],
)
def test_what_a_branch_advances_it_made(make: Any, advance: Any, what: str):
    def around(x):
        it, y = make(), 0.0
        if x > 0:
            y = advance(it)
        return y

    def inside(x):
        y = 0.0
        if x > 0:
            y = advance(make())
        return y

    said = f"{what} from around it is advanced in a branch or a loop on traced values"
    with pytest.raises(anabranch.TraceError, match=said) as caught:
        anabranch.jit(around)(1.0)
    assert __file__ in str(caught.value)
    for x in (1.0, -1.0):
        assert anabranch.jit(inside)(x) == inside(x)


def test_what_a_function_hands_on_it_did_not_make():
    def handed(x):
        it, y = iter([1.0, 2.0]), 0.0

        def get():
            return it

        if x > 0:
            y = next(iter(get()))
        return y

    with pytest.raises(anabranch.TraceError, match="an iterator from around it"):
        anabranch.jit(handed)(1.0)


def test_a_loop_that_advances_something_unrolls():
    def drawn(x):
        rng, it = np.random.default_rng(0), iter([0.1 * k for k in range(300)])
        for _ in range(300):
            x = 0.9 * np.sin(x) * np.cos(x) + 0.1 * rng.normal() + next(it)
        return x

    assert anabranch.jit(drawn)(0.5) == pytest.approx(drawn(0.5), rel=1e-12)


def test_a_loop_may_advance_what_its_turn_makes():
    def each(v):
        for k in range(3):
            yield v * k

    def summed(x):
        for _ in range(300):
            x = 0.5 * np.sin(x) + 0.01 * sum(each(x)) + 0.1 * next(iter([x, 1.0]))
            for q in (w * 0.01 for w in (x, x)):
                x = x - q
            x = x + next(v * 0.01 for v in [x, 2.0])
            x = x + sum(map(np.sin, [x, 1.0])) * 0.01
        return x

    compiled = anabranch.jit(summed)
    assert compiled(0.5) == pytest.approx(summed(0.5), rel=1e-12)
    assert "kept as one loop" in str(compiled.report().loops[-1])
