"""Loops whose first or last turns are unlike the others: those run by themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from anabranch import grad, jit, make_ir
from anabranch.compiler.frontend import loops
from anabranch.ir import Graph

X = np.random.default_rng(0).normal(size=40)
PROGRAMS: list[Callable[[Any], Any]] = []


def program(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    PROGRAMS.append(function)
    return function


@program
def first_by_condition(x):
    y = np.zeros(len(x))
    for i in range(len(x)):
        before = y[i - 1] if i > 0 else 1.0
        y[i] = 0.5 * before + x[i] * x[i]
    return np.sum(y * y)


@program
def both_by_condition(x):
    y = 0.0
    for i in range(len(x)):
        if i == 0 or i == len(x) - 1:
            y = y + x[i]
        else:
            y = y * 0.5 + x[i] * x[i + 1] * x[i - 1]
    return y


@program
def wraps_forwards(x):
    y, n = 0.0, len(x)
    for i in range(n):
        y = y + x[i] * x[(i + 1) % n] * x[i]
    return y


@program
def wraps_backwards(x):
    y = 0.0
    for i in range(len(x)):
        y = y + x[i] * x[i - 1] * x[i - 2]
    return y


@program
def backwards(x):
    y, n = x.copy(), len(x)
    for i in range(n - 1, -1, -1):
        if i != n - 1:
            y[i] = y[i] - 0.5 * y[i + 1] * x[i]
    return np.sum(y * y)


@program
def in_two_dimensions(x):
    u = np.reshape(x[:36], (6, 6)) * 1.0
    for _ in range(12):
        for i in range(36):
            j = (i + 1) % 36
            u[i // 6, i % 6] = u[i // 6, i % 6] * 0.5 + 0.25 * u[j // 6, j % 6] ** 2
    return np.sum(u)


def inside(graph: Graph) -> list[str]:
    """The ops in the bodies of the loops of a graph."""
    found: list[str] = []
    for node in graph:
        for region in node.regions:
            found += [inner.op for inner in region] + inside(region)
    return found


@pytest.mark.parametrize("function", PROGRAMS, ids=lambda f: f.__name__)
@pytest.mark.usefixtures("forced")
def test_values_and_gradients(backend: str, function: Any) -> None:
    np.testing.assert_allclose(
        jit(function, backend=backend)(X), function(X), rtol=1e-13
    )
    direction, step = np.cos(np.arange(len(X))), 1e-4
    at = [function(X + k * step * direction) for k in (-2, -1, 1, 2)]
    expected = (at[0] - 8 * at[1] + 8 * at[2] - at[3]) / (12 * step)
    slope = grad(function, backend=backend)(X)
    np.testing.assert_allclose(slope @ direction, expected, rtol=1e-7)


@pytest.mark.parametrize("function", PROGRAMS[:5], ids=lambda f: f.__name__)
@pytest.mark.usefixtures("forced")
def test_the_other_turns_have_no_conditions(function: Any) -> None:
    graph = make_ir(function)(X)
    (loop,) = (node for node in graph if node.op == "loop")
    assert loop.attrs["trips"] in (38, 39)
    assert {"cond", "select", "check", "remainder"}.isdisjoint(inside(graph))


@pytest.mark.usefixtures("forced")
def test_a_condition_in_the_middle_stays() -> None:
    def function(x):
        y = 0.0
        for i in range(len(x)):
            y = y + (x[i] if i < 20 else 2.0 * x[i])
        return y

    graph = make_ir(function)(X)
    (loop,) = (node for node in graph if node.op == "loop")
    assert loop.attrs["trips"] == 40
    assert jit(function)(X) == pytest.approx(function(X), rel=1e-13)


@pytest.mark.usefixtures("forced")
def test_a_short_loop_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loops, "MIN_TRIPS", 10)
    graph = make_ir(first_by_condition)(X[:10])
    trips = [node.attrs["trips"] for node in graph if node.op == "loop"]
    assert trips in ([10], [])


def on_a_torus(u):
    y, (n, m) = 0.0, u.shape
    for i in range(n):
        for j in range(m):
            y = y + u[i, j] * (u[(i + 1) % n, j] + u[i, (j + 1) % m])
    return y


def test_rows_that_wrap_stay_in_the_loop_of_rows() -> None:
    """Their last one is not written out: its elements are in lanes like the others."""
    u = np.random.default_rng(1).normal(size=(20, 25))
    (rows,) = (node for node in make_ir(on_a_torus)(u) if node.op == "loop")
    (elements,) = (node for node in rows.regions[0] if node.op == "loop")
    assert (rows.attrs["trips"], elements.attrs["trips"]) == (20, 24)
    compiled = jit(on_a_torus)
    np.testing.assert_allclose(compiled(u), on_a_torus(u), rtol=1e-13)
    assert compiled.inspect_source().count(" in lanes(") == 1
