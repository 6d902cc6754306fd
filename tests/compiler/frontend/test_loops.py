"""Python loops as one node: as in Python, as unrolled, and against differences."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import anabranch
from anabranch import ConcretizationError, clear_caches, grad, jit, value_and_grad
from anabranch.compiler.frontend import control, loops

X = np.array([0.5, -1.0, 2.0, 1.5])
W = np.random.default_rng(0).normal(size=(4, 4)) * 0.4
XS = np.random.default_rng(1).normal(size=(7, 4))

Program = Callable[..., Any]
KEPT: list[tuple[Program, tuple[Any, ...]]] = []
PYTHON: list[tuple[Program, tuple[Any, ...]]] = []


def kept(*args: Any) -> Callable[[Program], Program]:
    """A program of floats whose loop becomes one node."""

    def note(function: Program) -> Program:
        KEPT.append((function, args))
        return function

    return note


def runs_in_python(*args: Any) -> Callable[[Program], Program]:
    """A program whose loop cannot be one node, and unrolls."""

    def note(function: Program) -> Program:
        PYTHON.append((function, args))
        return function

    return note


def has_loop(compiled: Any) -> bool:
    graph = anabranch.parse(compiled.inspect_ir("forward"))
    return any(node.op == "loop" for node in graph)


@kept(X, 0.3)
def runge_kutta(x, c):
    def slope(x):
        return np.array([x[1], -x[0] - c * x[1], x[3], -x[2]])

    dt = 0.1
    for _ in range(6):
        k1 = slope(x)
        k2 = slope(x + dt / 2 * k1)
        x = x + dt * k2
    return np.sum(x**2)


@kept(X, 0.2)
def diffusion(u, a):
    u = u.copy()
    for _ in range(5):
        u[1:-1] += a * (u[2:] - 2 * u[1:-1] + u[:-2])
    return np.sum(u**3)


@kept(W, XS)
def recurrent_net(w, xs):
    h, total = np.zeros(4), 0.0
    for t in range(len(xs)):
        h = np.tanh(xs[t] + h @ w)
        total += np.sum(h * h)
    return total + h[0] * t  # pyright: ignore[reportPossiblyUnboundVariable]


@kept(1.5)
def swapped(a):
    b = 1.0
    for _ in range(5):
        a, b = b, 0.5 * (a + b)
    return a * b


@kept(X, 2.0)
def branches_inside(x, limit):
    s, count = 0.0, 0
    for i in range(6):
        v = np.sum(x) * i - limit
        if v > 0:
            s += v * v
            count += 1
        else:
            s = s - 0.5 * v
    return s + count


@kept({"w": X, "b": 0.5}, X)
def descent(p, x):
    for _ in range(5):
        residual = p["w"] * x + p["b"] - 1.0
        p = {"w": p["w"] - 0.1 * residual * x, "b": p["b"] - 0.1 * np.mean(residual)}
    return np.sum(p["w"] ** 2) + p["b"]


@kept({"w": X, "b": 0.5}, X)
def entries_that_are_bound_anew(p, x):
    p = dict(p)
    for _ in range(4):
        p["w"] = np.sin(p["w"] * x)
        p["b"] = p["b"] * 0.5 + np.sum(p["w"])
    return p["b"]


@kept(X)
def loop_in_a_loop(x):
    for i in range(3):
        for _ in range(4):
            x = np.cos(x) + 0.1 * i
    return np.sum(x)


@kept(X)
def other_ranges(x):
    s = 0.0
    for i in range(10, 1, -3):
        s = s * 0.5 + i * np.sum(x)
    return s


@kept(X)
def temporaries_and_the_variable_afterwards(x):
    for i in range(4):
        y = x * i
        x = np.sin(y) + 1.0
    return np.sum(y) + i  # pyright: ignore[reportPossiblyUnboundVariable]


@kept(W)
def rows_of_two_axes(w):
    s = 0.0
    for i in range(4):
        s = np.tanh(s + w[i, 1:] @ w[i][:3])
    return s


@kept(2.0)
def math_functions(a):
    x = a
    for _ in range(5):
        x = math.sqrt(x + a) + math.sin(x)
    return x


@kept(X, 0.3)
def functions_of_the_body(x, c):
    for t in range(5):
        squash = lambda v: np.sin(v) * c + 0.1 * t  # noqa: E731, B023

        def moved(v, by=0.5, *, to=0.2):
            return squash(v) * by + to * np.sum(x)  # noqa: B023

        x = moved(x) + squash(x)
    for _ in range(3):
        squash = lambda v: np.cos(v) * c  # noqa: E731
        x = squash(x)
    return np.sum(squash(x)) + np.sum(moved(x))  # pyright: ignore[reportPossiblyUnboundVariable]


@kept(X)
def names_for_what_is_no_array(x):
    s = 0.0
    for i in range(4):
        kind, f, nothing = "odd", np.cos, None
        if kind == "odd" and nothing is None:
            s = s + np.sum(f(x * i))
    return f(s) if kind == "odd" else s  # pyright: ignore[reportPossiblyUnboundVariable]


@kept(X)
def what_the_first_turn_makes(x):
    best: Any = None
    last: Any = None
    where = 0
    for i in range(4):
        v = x[i] * x[i] - x[i]
        if best is None or v < best:
            best, where = v, i
        last = x * i if last is None else last + x
    return best + where + np.sum(last)


@kept(X)
def an_array_in_place_of_a_number(x):
    total, m = 0, 1
    for i in range(4):
        total = total + x * i
        m = m * 0.5
    return np.sum(total * m)


@kept(X)
def lists_that_are_one_expression(x):
    squares = [v * v for v in x]
    pairs = [(i * np.sin(v), x[i - 1]) for i, v in enumerate(x) if i < 9]
    total = sum(np.cos(v) * x[k] for k, v in enumerate(squares))
    largest = max(a * b for a, b in pairs) - min([a for a, _ in pairs])
    return np.sum(np.array(squares)) * total + largest + sum(squares, x[0])


@kept(X)
def lists_in_lists(x):
    table = [[np.sin(x[i] * x[j]) for j in range(3)] for i in range(4)]
    flat = [x[i] * x[j] for i in range(4) for j in range(i)]
    return np.sum(np.array(table)) + sum(flat) + any(v > 100 for v in flat)


@runs_in_python(X)
def a_function_of_the_counter(x):
    s = 0.0
    for i in range(3):
        f = lambda v, i=i: v * i  # noqa: E731
        s = s + np.sum(f(x))
    return f(s)  # pyright: ignore[reportPossiblyUnboundVariable]


@runs_in_python(X)
def a_function_that_was_made(x):
    def times(k):
        return lambda v: v * k

    s = 0.0
    for i in range(3):
        f = times(np.sum(x) * i)
        s = s + np.sum(f(x))
    return f(s)  # pyright: ignore[reportPossiblyUnboundVariable]


@kept(X)
def another_text_after_the_first_turn(x):
    kind = "first"
    for _ in range(3):
        x = x * 2 if kind == "first" else x + 1
        kind = "other"
    return np.sum(x)


@kept(X)
def a_list_that_grows(x):
    made = []
    for i in range(4):
        made.append(x * i)  # noqa: PERF401
    return np.sum(made[2])


@runs_in_python(X)
def a_shape_by_the_counter(x):
    s = 0.0
    for i in range(1, 4):
        s += np.sum(np.eye(i)) * x[i]
    return s


@runs_in_python(X)
def a_list_of_the_counter_alone(x):
    odd = [2 * k + 1 for k in range(6)]
    return x * odd[3] + np.ones(odd[1] + 1)


@kept([X, 2 * X, 3 * X])
def an_index_of_a_list(xs):
    s = 0.0
    for i in range(3):
        s = s + np.sum(xs[i]) * s
    return s + np.sum(xs[0])


@runs_in_python([X, np.outer(X, X), 3 * X])
def an_index_of_a_list_of_other_shapes(xs):
    s = 0.0
    for i in range(3):
        s = s + np.sum(xs[i]) * s
    return s + np.sum(xs[0])


@kept(X)
def a_row_that_is_written(x):
    a = np.outer(x, x)
    for i in range(4):
        a[i][2] = i
    return np.sum(a * x)


@runs_in_python(X)
def written_and_then_another(x):
    y = x.copy()
    z = y
    for _ in range(3):
        y *= 2
        y = y + 1
    return np.sum(y + z)


@kept(X)
def another_name_of_an_array(x):
    y = x.copy()
    for _ in range(3):
        z = y
    z[0] = 5.0  # pyright: ignore[reportPossiblyUnboundVariable]
    return np.sum(y * x)


@kept(np.stack([X, 2 * X, X - 1, X * X]))
def the_row_of_the_turn_before(rows):
    """Two variables hold one row; the next turn reads it by one of them."""
    before, state, total = np.ones(rows.shape[1]), np.ones(rows.shape[1]), 0.0
    for t in range(len(rows)):
        row = rows[t]
        state = np.tanh(before + row)
        before = row
        total = total + np.sum(before * state)
    return total + np.sum(before * row)  # pyright: ignore[reportPossiblyUnboundVariable]


def ids(case: Any) -> str:
    return case.__name__ if callable(case) else ""


@runs_in_python(X)
def another_text_by_turn(x):
    kind = ""
    for _ in range(3):
        kind += "a"
        x = x * 2 if kind == "aa" else x + 1
    return np.sum(x)


@pytest.mark.usefixtures("forced")
@pytest.mark.parametrize(("function", "args"), KEPT + PYTHON, ids=ids)
def test_as_in_python(backend: str, function: Program, args: tuple[Any, ...]) -> None:
    compiled = jit(function, backend=backend)
    np.testing.assert_allclose(compiled(*args), function(*args), rtol=1e-12)
    assert has_loop(compiled) == ((function, args) in KEPT)


def leaves(tree: Any) -> list[Any]:
    return list(tree.values()) if isinstance(tree, dict) else [tree]


@pytest.mark.parametrize(("function", "args"), KEPT, ids=ids)
def test_gradient_is_that_of_the_unrolled_loop(
    backend: str, function: Program, args: tuple[Any, ...], monkeypatch: Any
) -> None:
    which = tuple(range(len(args)))
    unrolled = value_and_grad(function, which, backend=backend)(*args)
    monkeypatch.setattr(control, "MIN_TRIPS", 2)
    monkeypatch.setattr(loops, "MIN_NODES", 0)
    clear_caches()
    made = value_and_grad(function, which, backend=backend)
    value, gradient = made(*args)
    assert has_loop(made)
    np.testing.assert_allclose(value, unrolled[0], rtol=1e-12)
    for one, other in zip(gradient, unrolled[1], strict=True):
        for a, b in zip(leaves(one), leaves(other), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


@pytest.mark.usefixtures("forced")
def test_another_dtype_after_the_first_turn() -> None:
    def function(x):
        for _ in range(3):
            x = x * np.float64(1.5)
        return x

    compiled = jit(function)
    x = X.astype(np.float32)
    np.testing.assert_array_equal(compiled(x), function(x))
    assert compiled(x).dtype == np.float64
    assert has_loop(compiled)


@pytest.mark.usefixtures("forced")
@pytest.mark.parametrize(("function", "args"), KEPT, ids=ids)
def test_gradient_against_differences(function: Program, args: tuple[Any, ...]) -> None:
    anabranch.check_grads(function, args, order=2, backend="reference")


@pytest.mark.usefixtures("forced")
def test_a_loop_whose_elements_are_read_costs_one_node() -> None:
    small = jit(recurrent_net)
    large = jit(recurrent_net)
    small(W, XS)
    large(W, np.tile(XS, (30, 1)))
    sizes = [len(f.inspect_ir("forward").splitlines()) for f in (small, large)]
    assert sizes[0] == sizes[1]


def test_long_loops_are_nodes_and_short_ones_unroll() -> None:
    def function(x, n):
        for _ in range(n):
            x = np.sin(x) * np.cos(x) + 0.5
        return x

    compiled = jit(function, static_argnames="n")
    compiled(X, n=20)
    assert not has_loop(compiled)
    found = compiled(X, n=9000)
    assert has_loop(compiled)
    np.testing.assert_allclose(found, function(X, 9000), rtol=1e-12)


def newton(a):
    x, d = a, 1.0
    while abs(d) > 1e-12:
        d = (x * x - a) / (2 * x)
        x = x - d
    return x


def collatz(n):
    count = 0
    while n != 1:
        if n % 2 == 0:  # noqa: SIM108
            n = n // 2
        else:
            n = 3 * n + 1
        count += 1
    return count


def halved(x):
    s = x.sum()
    while s > 1:
        s = s / 2
    return s


def until_a_break(x):
    s = x[0]
    while True:
        s += 1
        if s > 3:
            break
    return s


def settles(x):
    change = 1.0  # the first test is known, the others are not
    while change > 1e-9:
        new = np.cos(x)
        change = np.max(np.abs(new - x))
        x = new
    return x


@pytest.mark.parametrize(
    ("function", "inputs"),
    [
        (newton, [2.0, 9.0, 0.25]),
        (collatz, [6, 27, 1]),
        (halved, [X, 10 * X, -X]),
        (until_a_break, [X, -5 * X]),
        (settles, [X, np.zeros(4)]),
    ],
    ids=ids,
)
def test_while_on_traced_values(
    backend: str, function: Program, inputs: list[Any]
) -> None:
    compiled = jit(function, backend=backend)
    for x in inputs:
        np.testing.assert_allclose(compiled(x), function(x), rtol=1e-12)
    assert compiled.compile_count == 1


def test_a_while_loop_that_cannot_be_one_says_why() -> None:
    def function(x):
        made = []
        while x < 10:
            made.append(x)
            x = x * 2
        return made

    with pytest.raises(ConcretizationError, match="cannot be one loop") as raised:
        jit(function)(1.0)
    assert "while x < 10" in str(raised.value)
    assert "while_loop" in str(raised.value.hint)


def test_the_gradient_of_a_while_loop(backend: str) -> None:
    root = np.sqrt(2.0)
    assert grad(newton, backend=backend)(2.0) == pytest.approx(0.5 / root, rel=1e-9)
    second = grad(grad(newton, backend=backend), backend=backend)(2.0)
    assert second == pytest.approx(-0.25 / root**3, rel=1e-9)


@pytest.mark.usefixtures("forced")
def test_what_may_be_a_view_is_not_written() -> None:
    def function(x):
        a = np.outer(x, x)
        for i in range(4):
            row = a[i * i % 3]
        row[0] = 55  # pyright: ignore[reportPossiblyUnboundVariable]
        return a

    with pytest.raises(anabranch.TraceError, match="another name may refer to it"):
        jit(function)(X)


def test_a_while_loop_without_a_turn_keeps_each_value(backend: str) -> None:
    def two_names(x):
        while np.max(np.abs(x)) > 1:
            new = x / 2
            x = new
        return x

    def two_values(x, a, b):
        while x > 1:
            a = b = x * np.ones(2)
            x = x / 2
        return a, b, x

    def two_numbers(x, a, b):
        while x > 1:
            a, b, x = 1, 1, x / 2
        return a, b, x

    compiled = jit(two_names, backend=backend)
    for x in (0.1 * X, 10 * X):
        np.testing.assert_allclose(compiled(x), two_names(x), rtol=1e-14)
    for function, starts in (
        (two_values, (np.zeros(2), np.full(2, 7.0))),
        (two_numbers, (5, 7)),
    ):
        compiled = jit(function, backend=backend)
        for x in (0.5, 9.0):
            found, wanted = compiled(x, *starts), function(x, *starts)
            for one, other in zip(found, wanted, strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-14)


def test_a_value_of_no_turn_is_an_error_where_it_is_read(backend: str) -> None:
    def function(x):
        while x > 1:
            y = x * 3
            x = x / 2
        return y  # pyright: ignore[reportPossiblyUnboundVariable]

    compiled = jit(function, backend=backend)
    assert compiled(4.0) == function(4.0)
    with pytest.raises(anabranch.UnboundError, match="y has no value"):
        compiled(0.5)
