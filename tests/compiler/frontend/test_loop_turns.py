"""What loops that are nodes go over, the lists they fill, and how they end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import anabranch
from anabranch import grad, jit

X = np.array([0.5, -1.0, 2.0, 1.5, 0.3, -0.7])
W = np.random.default_rng(0).normal(size=(6, 6)) * 0.4
XS = np.random.default_rng(1).normal(size=(7, 6))

Program = Callable[..., Any]
CASES: list[tuple[Program, tuple[Any, ...]]] = []


def case(*args: Any) -> Callable[[Program], Program]:
    def note(function: Program) -> Program:
        CASES.append((function, args))
        return function

    return note


@case(XS)
def over_an_array(xs):
    h = np.zeros(6)
    for x in xs:
        h = np.tanh(h + x)
    return np.sum(h)


@case(XS, X)
def over_enumerate(xs, x):
    s = 0.0
    for i, row in enumerate(xs):
        s = np.tanh(s + i * np.sum(row * x))
    for i, t in enumerate(range(2, 8), 1):
        s = s * 0.5 + i * t
    for i, (v, row) in enumerate(zip(x, xs, strict=False)):
        s = s * v + row[i]
    return s


@case(XS, W)
def over_zip(xs, w):
    s = 0.0
    for row, v, t in zip(xs, w, range(1, 20, 3), strict=False):
        s = s * 0.5 + np.sum(row * v) * t
    return s


@case(X)
def backwards(x):
    s = 0.0
    for i in reversed(range(6)):
        s = 0.5 * s + x[i]
    for i in range(5, -1, -1):
        s = 0.5 * s * x[i] + x[i]
    for v in reversed(x):
        s = np.sin(s + v)
    for v in x[::-2]:
        s = np.cos(s * v)
    return s


@case(X)
def by_steps(x):
    s = 0.0
    for i in range(1, 6, 2):
        s += x[i] * x[i - 1] * i
    return s


@case(XS, W)
def a_list_of_states(xs, w):
    h, kept = np.zeros(6), []
    for x in xs:
        h = np.tanh(x + h @ w)
        kept.append(h)
    return np.sum(np.stack(kept) ** 2) + np.sum(kept[3] * kept[-1]) + len(kept)


@case(X)
def lists_that_go_on_from_their_last_item(x):
    ys, ts = [x * 1.0], [0.0]
    for _ in range(5):
        ys.append(np.sin(ys[-1]) + x)
        ts.append(ts[-1] + 0.1 * ys[-1][0])
    return np.sum(np.array(ys) ** 2) + np.sum(np.array(ts)) + ys[0][1]


@case(X)
def pairs_in_a_list(x):
    out = []
    for i in range(6):
        out.append((x[i] * i, {"next": x[i] + 1}))  # noqa: PERF401
    s = 0.0
    for a, b in out:
        s = s + a * b["next"]
    return s


@case(XS)
def a_list_that_is_gone_over(xs):
    kept = []
    for x in xs:
        kept += [np.sin(x)]
        kept.append(x * 2)
    s = 0.0
    for row in kept:
        s = np.tanh(s + np.sum(row))
    kept[2][1] = 5.0
    return s + np.sum(kept[2] * kept[3])


@case(X)
def shifted_names(x):
    before, now = x * 0.9, x * 1.0
    for _ in range(5):
        after = 2 * now - before - 0.1 * now
        before, now = now, after
    return np.sum(now * before)


@case(X)
def until_a_break(x):
    s, i = 0.0, 0
    for i in range(6):
        s = s + x[i] ** 2
        if s > 4:
            break
        s = s * 0.9
    else:
        s = s * 100
    return s * x[0] + i


@case(X)
def containers_of_one_turn(x):
    s = 0.0
    for i in range(5):
        parts = []
        parts.append(x[i])
        parts.append(s)
        named = {}
        named["product"] = parts[0] * parts[1]
        s = s + np.sin(named["product"]) + parts[0]
    return s


@case(W, XS)
def objects(w, xs):
    class Net:
        def __init__(self):
            self.h, self.turns = np.zeros(6), 0

        def step(self, x):
            self.h = np.tanh(w @ self.h + x)
            self.turns += 1
            return self.h

    net, s = Net(), 0.0
    for x in xs:
        s += np.sum(net.step(x))
    return s + net.turns + np.sum(net.h)


@case(W)
def a_matrix_from_lists(w):
    rows = []
    for i in range(6):
        row = []
        for j in range(6):
            row.append(w[i, j] * w[j, i])  # noqa: PERF401
        rows.append(row)
    return np.sum(np.array(rows) @ w)


@pytest.mark.parametrize(
    ("function", "args"), CASES, ids=[c[0].__name__ for c in CASES]
)
def test_as_a_loop(
    as_a_loop: Callable[..., None], function: Program, args: tuple[Any, ...]
) -> None:
    as_a_loop(function, args)


def total(x, n):
    s = x[0]
    for i in range(n):
        s = s * 0.5 + np.sum(x) * i
    return s


def limits(x, n):
    y = np.zeros(6)
    for i in range(n - 1, 1, -1):
        y[i] = x[i] + y[i - 1]
    last = 0
    for i in range(0, n, 2):
        y[i] += i
        last = i
    return y, last


@pytest.mark.parametrize("function", [total, limits])
def test_a_traced_count_takes_one_compilation(backend: str, function: Program) -> None:
    compiled = jit(function, backend=backend)
    for n in (0, 1, 3, 6):
        found, wanted = compiled(X, n), function(X, n)
        for one, other in zip(
            found if isinstance(found, tuple) else [found],
            wanted if isinstance(wanted, tuple) else [wanted],
            strict=True,
        ):
            np.testing.assert_allclose(one, other, rtol=1e-13)
    assert compiled.compile_count == 1


def test_a_position_beyond_an_array_is_an_error(backend: str) -> None:
    compiled = jit(limits, backend=backend)
    with pytest.raises(IndexError, match="out of bounds for an axis of size 6"):
        compiled(X, 8)


def test_a_gradient_is_for_all_counts(backend: str) -> None:
    slope = grad(jit(total), backend=backend)
    for n in (3, 4, 0):
        unrolled = grad(lambda x, n=n: total(x, n), backend=backend)(X)
        np.testing.assert_allclose(slope(X, n), unrolled, rtol=1e-13)
    assert slope.compile_count == 1


def test_the_gradient_of_a_computed_count(backend: str) -> None:
    def function(x):
        return total(x, x.astype(int)[2])

    np.testing.assert_allclose(jit(function)(X), total(X, 2), rtol=1e-14)
    unrolled = grad(lambda x: total(x, 2), backend=backend)(X)
    np.testing.assert_allclose(grad(function, backend=backend)(X), unrolled, rtol=1e-13)


def test_a_variable_of_a_loop_without_turns_is_an_error(backend: str) -> None:
    def function(x, n):
        for i in range(n):
            y = x * i
        return y  # pyright: ignore[reportPossiblyUnboundVariable]

    compiled = jit(function, backend=backend)
    np.testing.assert_array_equal(compiled(X, 3), X * 2)
    with pytest.raises(anabranch.UnboundError, match="y has no value"):
        compiled(X, 0)


@pytest.mark.usefixtures("forced")
def test_the_length_of_a_list_that_grows_is_not_that_of_one_turn(backend: str) -> None:
    def by_length(x):
        kept, s = [], 0.0
        for i in range(4):
            kept.append(x[i])
            s = s + len(kept) * x[0] + kept[0] + kept[-1]
            if kept == [] or len([v for v in kept]) > 2:  # noqa: C416
                s = s + 10
        return s

    compiled = jit(by_length, backend=backend)
    np.testing.assert_allclose(compiled(X), by_length(X), rtol=1e-14)


@pytest.mark.usefixtures("forced")
def test_items_that_are_one_array_are_not_written() -> None:
    def function(x):
        kept, h = [], x
        for _ in range(4):
            h = h * 2
            kept.append(h)
        h[0] = 5
        return kept[-1], kept[0]

    with pytest.raises(anabranch.TraceError, match="another name may refer to it"):
        jit(function)(X)


@pytest.mark.usefixtures("forced")
def test_an_array_that_is_appended_again_and_again_stays_one(backend: str) -> None:
    def function(x):
        kept, h = [], x * 1.0
        for i in range(3):
            h[i] = i
            kept.append(h)
        h[3] = 7
        return np.stack(kept), kept[0]

    compiled = jit(function, backend=backend)
    for one, other in zip(compiled(X), function(X), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.usefixtures("forced")
def test_lists_of_many_items_cost_what_one_array_does() -> None:
    def function(x, n):
        kept, h = [], x
        for _ in range(n):
            h = np.sin(h)
            kept.append(h)
        return np.sum(np.array(kept)) + len(kept)

    compiled = jit(function, static_argnames="n")
    sizes = []
    for n in (5, 500):
        np.testing.assert_allclose(compiled(X, n=n), function(X, n), rtol=1e-13)
        sizes.append(len(compiled.inspect_ir("forward").splitlines()))
    assert sizes[0] == sizes[1]


def twice(n):
    numbers, total = range(n), 0
    for i in numbers:
        total += i
    for i in numbers:
        total += 2 * i
    return total


RANGES: list[Callable[[Any], Any]] = [
    twice,
    lambda n: range(n)[0] + range(2, n)[-1],
    lambda n: sum(range(1, n, 3)[2:]),
    lambda n: len(range(n)) + len(range(n)[::2]),
    lambda n: (3 in range(n), 3 in range(4, n), n in range(n)),
    lambda n: range(n).stop + range(2, n).start + range(n, 0, -2).step,
    lambda n: 1 if range(n) else 2,
    lambda n: [i * i for i in reversed(range(n))][:3],
]


@pytest.mark.parametrize("function", RANGES)
def test_a_range_with_a_traced_end_is_what_ranges_are(function: Any) -> None:
    compiled = jit(function)
    for n in (30, 40):
        np.testing.assert_array_equal(compiled(n), function(n))


def test_a_number_of_a_range_that_nobody_knows_is_refused() -> None:
    def function(x):
        return range(x.astype(int)[0])[0]

    with pytest.raises(anabranch.ConcretizationError, match="needs the value") as error:
        jit(function)(X)
    assert "return range(x.astype(int)[0])[0]" in str(error.value)
