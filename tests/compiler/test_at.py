"""Reads and writes at positions that are known only when running."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import anabranch as ab
from anabranch import BoundsError, TraceError

A = np.arange(20.0).reshape(4, 5) / 7


def element(a: Any, i: Any, j: Any) -> Any:
    return a[i, j] * 2 + a[i][j]


def row(a: Any, i: Any, j: Any) -> Any:
    return a[i] + a[j % 4, ::-1]


def column(a: Any, i: Any, j: Any) -> Any:
    return a[:, j] * a[i, 0]


def part(a: Any, i: Any, j: Any) -> Any:
    return a[i, 1:3] + a[1:3, j]


def new_axes(a: Any, i: Any, j: Any) -> Any:
    return a[i, None, :, ...] + a[None, i, j]


def slice_of_slice(a: Any, i: Any, j: Any) -> Any:
    return a[::2][i % 2] + a[:, ::-2][i][j % 3]


def beside_a_list(a: Any, i: Any, j: Any) -> Any:
    return a[i, [0, 2, 1]] + a[[1, 2, 0], j]


def store(a: Any, i: Any, j: Any) -> Any:
    b = a.copy()
    b[i, j] = 7
    b[i, 1:3] = b[:2, 0]
    b[:, j] = np.sin(b[:, 0])
    return b


def overlap(a: Any, i: Any, j: Any) -> Any:
    b = a.copy()
    b[i] = b[1]
    b[:, j] = b[:, (j - 1) % 5]
    b[i, 1:] = b[i, :-1]
    b[1] = b[i, ::-1]
    return b


def added(a: Any, i: Any, j: Any) -> Any:
    b = a.copy()
    b[i, j] += 3
    b[i] -= b[0] * b[i]
    b[:, j] *= 2
    b[i, j] = b[0, 0] + b[i, j]
    return b


def view(a: Any, i: Any, j: Any) -> Any:
    b = a.copy()
    r = b[i + 0]
    r[j] = 100
    b[0, 0] = -1
    r += 1
    return b + r.sum()


def view_of_view(a: Any, i: Any, j: Any) -> Any:
    b = a.copy()
    q = b[1:][i % 3]
    q[:] = 100
    b[1:][i % 3] += 1
    r = b[:, ::-1]
    r[i, j] = 9
    s = r[:, ::2]
    s[i, j % 3] += 1
    s[:, j % 3][1:] = 4
    return b + q.sum()


def transposed(a: Any, i: Any, j: Any) -> Any:
    b = a.copy()
    r = b.T[j + 0]
    r[i] = 5
    r += 1
    return b


def made_inside(a: Any, i: Any, j: Any) -> Any:
    b = np.zeros((4, 5))
    r = b[i + 0]
    b[1] = 3
    before = r.sum()
    r[j] = 5
    b[i] += a[i]
    return b + r + before


def squares(a: Any, i: Any, j: Any) -> Any:
    b = a[:4, :4].copy()
    b[i % 4] = b[i % 4] @ b.T + b[:, j % 4]
    b[:2, :2][i % 2, j % 2] += b[3, 3]
    return b


CASES: list[Callable[..., Any]] = [
    *(element, row, column, part, new_axes, slice_of_slice, beside_a_list, store),
    *(overlap, added, view, view_of_view, transposed, made_inside, squares),
]
PLACES = [(1, 2), (-1, 4), (3, -5), (0, 0)]


@pytest.mark.parametrize("function", CASES)
def test_equals_numpy(function: Callable[..., Any], backend: str) -> None:
    compiled = ab.jit(function, backend=backend)
    for i, j in PLACES:
        expected = function(A.copy(), i, j)
        np.testing.assert_allclose(compiled(A, i, j), expected, rtol=1e-14)
        again = compiled(A, np.int64(i), np.int64(j))
        np.testing.assert_allclose(again, expected, rtol=1e-14)


@pytest.mark.parametrize("function", CASES)
def test_gradients(function: Callable[..., Any], backend: str) -> None:
    def loss(a: Any, i: int, j: int) -> Any:
        return np.sum(np.sin(function(a, i, j)))

    slope = ab.grad(loss, argnums=0, backend=backend)
    for i, j in PLACES[:2]:
        moved = np.cos(A)
        step = 1e-6
        up, down = loss(A + step * moved, i, j), loss(A - step * moved, i, j)
        found = np.sum(slope(A, i, j) * moved)
        np.testing.assert_allclose(found, (up - down) / (2 * step), rtol=1e-6)


@pytest.mark.parametrize("function", [element, store, added, view_of_view])
def test_second_derivatives(function: Callable[..., Any]) -> None:
    ab.check_grads(lambda a: np.sum(np.sin(function(a, 1, 2))), (A,), order=2)


@pytest.mark.parametrize("function", [element, store, added])
@pytest.mark.parametrize("place", [(4, 0), (-5, 0), (0, 5), (0, -6), (2**62, 0)])
def test_outside_is_an_error(
    function: Callable[..., Any], place: tuple[int, int], backend: str
) -> None:
    with pytest.raises(BoundsError, match="out of bounds for an axis of size"):
        ab.jit(function, backend=backend)(A, *place)


def test_adding_is_one_node() -> None:
    ops = [node.op for node in ab.make_ir(added)(A, 1, 2)]
    assert ops.count("add_at") == 3
    assert ops.count("update_at") == 1


def test_a_row_at_an_array_may_be_a_copy() -> None:
    """NumPy copies at an array of rank 0, which looks like a number."""

    def written(a: Any, i: Any) -> Any:
        b = a.copy()
        r = b[i]
        r[0] = 5
        return b

    def read(a: Any, i: Any) -> Any:
        b = a.copy()
        r = b[i]
        b[i] += 1
        return r

    for function in (written, read):
        with pytest.raises(TraceError, match="through another name"):
            ab.jit(function)(A, np.array(1))


def test_counters_need_no_check(backend: str) -> None:
    def total(a: Any) -> Any:
        def step(t: Any, carry: Any) -> Any:
            def inner(k: Any, value: Any) -> Any:
                return value + a[t, k] * a[3 - t, -k - 1] + a[(t + k) % 4, 0]

            return ab.fori_loop(0, 5, inner, carry)

        return ab.fori_loop(0, 4, step, 0.0)

    graph = ab.make_ir(total)(A)
    assert "check" not in str(graph)
    rows = [(t, k) for t in range(4) for k in range(5)]
    expected = sum(A[t, k] * A[3 - t, -k - 1] + A[(t + k) % 4, 0] for t, k in rows)
    found = ab.jit(total, backend=backend)(A)
    np.testing.assert_allclose(found, expected, rtol=1e-13)
