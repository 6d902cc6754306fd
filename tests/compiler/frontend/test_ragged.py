"""Slices whose length depends on the counter of a loop that is kept as a loop."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import anabranch
from tests.compiler.frontend.conftest import assert_equal, check_as_python, has_loop

N = 5


def matrix(seed: int = 0) -> Any:
    """A well-conditioned symmetric matrix."""
    half = np.random.default_rng(seed).normal(size=(N, N))
    return half @ half.T / N + np.eye(N)


PROGRAMS: list[Callable[[Any], Any]] = []


def program(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    PROGRAMS.append(function)
    return function


@program
def cholesky(a):
    low = np.zeros((N, N))
    for i in range(N):
        for j in range(i):
            low[i, j] = (a[i, j] - low[i, :j] @ low[j, :j]) / low[j, j]
        low[i, i] = np.sqrt(a[i, i] - np.dot(low[i, :i], low[i, :i]))
    return low


@program
def forward_substitution(a):
    x = np.zeros(N)
    for i in range(N):
        x[i] = (a[0, i] - np.dot(a[i, :i], x[:i])) / a[i, i]
    return x


@program
def back_substitution(a):
    x = np.zeros(N)
    for k in range(N):
        i = N - 1 - k
        x[i] = (a[0, i] - a[i, i + 1 :] @ x[i + 1 :]) / a[i, i]
    return x


@program
def elimination(a):
    u = a.copy()
    for k in range(N - 1):
        for i in range(k + 1, N):
            factor = u[i, k] / u[k, k]
            u[i, k:] -= factor * u[k, k:]
    return u


@program
def carried_number_as_vector(a):
    s = a[0, 0]
    for i in range(N):
        s = np.tanh(s + np.max(a[: N - i] @ np.full(N, s)))
    return s


@program
def product_beside_slice(a):
    s = a[0, 0]
    for i in range(N):
        product = a[i:, N - i :] @ np.arange(i)
        s = np.tanh(s + np.sum(product[:, None] + a[: N - i, N - 1 - i :]))
    return s


@program
def levinson(a):
    r = a[0] / (2 * a[0, 0])
    y = np.zeros(N)
    y[0] = -r[0]
    beta, alpha = 1.0, -r[0]
    for k in range(1, N):
        beta = beta * (1 - alpha * alpha)
        alpha = -(r[k] + np.dot(r[:k][::-1], y[:k])) / beta
        y[:k] = y[:k] + alpha * y[:k][::-1]
        y[k] = alpha
    return y


@program
def reductions(a):
    total = 0.0
    for i in range(1, N):
        row = a[i, :i]
        total = total + row.sum() * np.mean(np.sin(row)) + np.prod(1 + row / 10)
        total = total + np.max(row) * row.min() + np.linalg.norm(row) + abs(row).sum()
        total = total + np.where(row > 0, row, 2 * row).sum()
    return total


@program
def bounds_that_are_cut(a):
    total = 0.0
    for i in range(N + 2):
        total = (
            total + a[0, i - 2 :].sum() + a[1, : i - 2].sum() + a[2, i : i * 2].sum()
        )
        total = total + a[3, i::-1].sum() if i < N else total
    return total


@program
def elements_of_slices(a):
    total = 0.0
    for i in range(2, N):
        part = a[i, :i]
        total = total + part[0] * part[-1] + part[i - 2] + part[1:].sum()
        total = total + part[::-1][0] + np.flip(part)[1]
    return total


@program
def slices_are_views(a):
    b = a.copy()
    total = 0.0
    for i in range(1, N):
        part = b[i, :i]
        doubled = part * 2
        b[i, 0] = 7.0 * a[0, i]
        total = total + part.sum() * doubled.sum()
        part += a[0, :i]
        doubled *= 3
        same = doubled
        same += 1
        total = total + doubled.sum() + b[i, :i].sum()
        part[1:] = 0.5
    return total, b


@program
def overlapping_stores(a):
    x = a[0].copy()
    for i in range(1, N):
        x[1 : i + 1] = x[:i] * 0.5
        x[:i] = x[:i][::-1]
        x[i:] = a[i, i]
        x[:i] += 1
    return x


@program
def rows_of_views(a):
    b = a.copy()
    for i in range(N):
        row = b[i]
        row[: i + 1] = row[: i + 1] * a[: i + 1, i]
        row[i:] -= 1.0
    return b


@pytest.mark.parametrize("function", PROGRAMS, ids=lambda f: f.__name__)
def test_as_a_loop(as_a_loop: Any, function: Any) -> None:
    def total(a):
        made = function(a)
        parts = made if isinstance(made, tuple) else (made,)
        return sum(np.sum(np.sin(part)) for part in parts)

    as_a_loop(total, (matrix(),))


@pytest.mark.parametrize("function", PROGRAMS, ids=lambda f: f.__name__)
@pytest.mark.usefixtures("forced")
def test_arguments_are_as_python_leaves_them(function: Any) -> None:
    check_as_python(function, [(matrix(),), (matrix(1),)], "reference")


@pytest.mark.usefixtures("forced")
def test_the_second_derivative() -> None:
    def total(a: Any) -> Any:
        return np.sum(np.sin(cholesky(a)))

    gradient = anabranch.grad(total, backend="reference")
    anabranch.check_grads(lambda a: np.sum(gradient(a) ** 2), (matrix(),))


@pytest.mark.usefixtures("forced")
def test_lengths_that_differ_are_an_error_when_running(backend: str) -> None:
    def function(x: Any, n: Any) -> Any:
        total = 0.0
        for i in range(4):
            total = total + x[:i] @ x[: i * n.astype(int)]
        return total

    compiled = anabranch.jit(function, backend=backend)
    x = np.arange(20.0)
    assert_equal(compiled(x, np.float64(1)), 0.0 + 1.0 + 5.0)
    with pytest.raises(anabranch.DomainError, match="different lengths"):
        compiled(x, np.float64(2))


@pytest.mark.usefixtures("forced")
def test_an_empty_slice_has_no_maximum(backend: str) -> None:
    def function(x: Any, first: Any) -> Any:
        total = 0.0
        for i in range(3):
            total = total + x[: i + first.astype(int)].max()
        return total

    compiled = anabranch.jit(function, backend=backend)
    assert compiled(np.arange(9.0), np.float64(1)) == 0.0 + 1.0 + 2.0
    with pytest.raises(anabranch.DomainError, match="no largest"):
        compiled(np.arange(9.0), np.float64(0))


@pytest.mark.usefixtures("forced")
@pytest.mark.parametrize(
    "use",
    [
        lambda part, x: np.cumsum(part)[0],
        lambda part, x: (part * x).sum(),
        lambda part, x: np.concatenate([part, part]).sum(),
        lambda part, x: sum(v for v in part),
        lambda part, x: part.sum(dtype=np.float64),
    ],
)
def test_what_needs_a_size_unrolls(use: Any) -> None:
    def function(x):
        total = 0.0
        for i in range(1, 4):
            part = x[:i]
            total = total + use(part, x[0])
        return total

    def unknown(x):
        total = 0.0
        for i in range(1, 4):
            part = x[:i]
            total = total + use(part, x if i > 100 else x[0])
        return total

    for one in (function, unknown):
        check_as_python(one, [(np.arange(1.0, 6.0),)], "reference")


def test_a_result_of_unknown_size_is_refused() -> None:
    with pytest.raises(anabranch.ConcretizationError, match="size of a slice") as found:
        anabranch.jit(lambda x: x[: x.astype(int)[0]] * 2)(np.arange(4.0))
    assert f"{__file__}:" in str(found.value)


@pytest.mark.usefixtures("forced")
def test_the_graph_does_not_grow_with_the_count() -> None:
    sizes: list[int] = []
    for n in (6, 60):
        compiled = anabranch.jit(lambda x, n=n: sum_of_parts(x, n), backend="reference")
        x = np.arange(float(n))
        np.testing.assert_allclose(compiled(x), sum_of_parts(x, n))
        assert has_loop(compiled)
        sizes.append(len(compiled.inspect_ir("forward").splitlines()))
    assert sizes[0] == sizes[1]


def sum_of_parts(x, n):
    total = 0.0
    for i in range(n):
        total = total + x[:i].sum()
    return total


def changed_in_a_branch(x):
    total = 0.0
    for i in range(1, 5):
        part = x[:i] * 2
        if x[i] > 3:
            part *= 3
        total = total + part.sum()
    return total


def changed_in_an_inner_loop(x):
    total = 0.0
    for i in range(1, 5):
        part = x[:i] * 2
        for _ in range(3):
            part *= 2
        total = total + part.sum()
    return total


INPUTS = [(np.arange(1.0, 7.0),), (np.arange(6.0, 0.0, -1.0),)]


@pytest.mark.usefixtures("forced")
@pytest.mark.parametrize("function", [changed_in_a_branch, changed_in_an_inner_loop])
def test_what_is_computed_is_changed_in_blocks(function: Any, backend: str) -> None:
    check_as_python(function, INPUTS, backend)
    compiled = anabranch.jit(function, backend=backend)
    compiled(*INPUTS[0])
    assert has_loop(compiled)


@pytest.mark.usefixtures("forced")
def test_what_no_loop_can_keep_unrolls(backend: str) -> None:
    def read_in_the_next_turn(x):  # where it is bound, as linters cannot see
        total = 0.0
        for i in range(1, 5):
            if i > 1:
                total = total + last.sum()  # noqa: F821  # pyright: ignore[reportPossiblyUnboundVariable]
            last = x[:i] * x[0]  # noqa: F841
        return total

    check_as_python(read_in_the_next_turn, INPUTS, backend)


@pytest.mark.usefixtures("forced")
def test_parts_in_a_list_unroll(backend: str) -> None:
    """They have shapes of their own, so no array holds them all."""
    ends = np.array([0, 2, 2, 5])

    def sums_of_parts(x):
        parts = [x[a:b] for a, b in pairwise(ends)]
        return np.stack([part.sum() for part in parts])

    check_as_python(sums_of_parts, INPUTS, backend)
