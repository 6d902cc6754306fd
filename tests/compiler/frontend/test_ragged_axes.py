"""Arrays made by the counter, and slices that shrink along two axes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import anabranch
from anabranch.compiler.frontend import control
from tests.compiler.frontend.conftest import check_as_python, has_loop

N = 4


def matrix(seed: int = 0) -> Any:
    """A well-conditioned matrix."""
    return np.random.default_rng(seed).normal(size=(N, N)) + 3 * np.eye(N)


PROGRAMS: list[Callable[[Any], Any]] = []


def program(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    PROGRAMS.append(function)
    return function


@program
def new_arrays(a):
    total = 0.0
    for i in range(N):
        one, two = np.zeros(i + 1), np.ones(N - i)
        for j in range(i + 1):
            one[j] = a[i, j] * (j + 1)
        two *= one[0]
        three = np.full(i + 1, a[0, i])
        four = np.zeros_like(three)
        four[...] = one * three
        five = np.empty((i + 1, 2))
        five[:, 0] = four
        five[:, 1] = np.arange(i + 1) * a[1, 1]
        six = np.full_like(one, 2.0) + np.ones(one.shape) + np.zeros(len(one))
        total = total + two.sum() * five.sum() + (six * one).max()
    return total


@program
def counted_arrays(a):
    total = 0.0
    for i in range(N):
        up, down = np.arange(i, N), np.arange(i, -1, -1)
        odd = np.arange(1, 2 * i, 2)
        total = total + (a[i, i:] * up).sum() + (a[: i + 1, 0] * down).sum()
        total = total + (odd * a[0, i]).sum() + np.arange(2 - i).sum() * a[1, 0]
    return total


@program
def softmax_by_hand(a):
    out = np.zeros((N, N))
    for i in range(N):
        s = a[: i + 1] @ a[i]
        e = np.exp(s - s.max())
        out[i] = e / e.sum() @ a[: i + 1]
    return out


@program
def reflections(a):
    r, q = a.copy(), np.eye(N)
    for k in range(N - 1):
        v = r[k:, k].copy()
        v[0] += np.sign(v[0]) * np.linalg.norm(v)
        v = v / np.linalg.norm(v)
        r[k:, k:] -= 2 * np.outer(v, v @ r[k:, k:])
        q[:, k:] -= 2 * np.outer(q[:, k:] @ v, v)
    return q, r


@program
def elimination_by_outer_products(a):
    u = a.copy()
    for k in range(N - 1):
        u[k + 1 :, k] /= u[k, k]
        u[k + 1 :, k + 1 :] -= np.outer(u[k + 1 :, k], u[k, k + 1 :])
    return u


@program
def products(a):
    total = np.zeros(N)
    for i in range(1, N):
        top, side, corner = a[:i, :], a[:, i:], a[:i, i:]
        total[i] += np.sum(top @ a) + np.sum(a @ side) + np.sum(corner @ side.T)
        total += side @ a[0, i:] + a[0, :i] @ top
        total[i:] += a[1, :i] @ corner
        total[:i] += corner @ a[1, i:] + np.dot(corner, corner[0])
        total[0] += np.sum(np.sin(corner.T @ top)) + np.inner(a[0, :i], a[:i, 0])
    return total


@program
def reductions(a):
    out = np.zeros((4, N))
    for i in range(1, N):
        part = a[:i, i:]
        out[0, i:] = part.sum(axis=0) + np.max(part, axis=0)
        out[1, :i] = part.mean(axis=1) + part.min(axis=-1) + np.std(part, axis=1)
        out[2, :i] += np.linalg.norm(part, axis=1) + np.prod(part, 1)
        shares = np.exp(part - part.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        out[3, i:] += shares[0] + np.var(part) + np.linalg.norm(part)
        out[3, 0] += np.any(part > 1, axis=0).sum() * part[0, 0] + part[-1, -1]
    return out


@program
def stores(a):
    b = a.copy()
    for i in range(1, N):
        b[i:, i:] = b[i - 1 : -1, i:] * 0.5
        b[:i, i:] *= a[i, i]
        b[i:, :] += b[0, :]
        b[:, i:] = b[:, i:][::-1]
        b[i:, i:] = b[i:, i:].T
        b[:i, 1:3] = a[0, 1:3]
        b[i:, 0] = 0.5
    return b


@program
def parts_of_parts(a):
    b, total = a.copy(), 0.0
    for i in range(N):
        corner = b[i:, i:]
        total = total + corner[0, 0] + corner[-1].sum() + corner[:, 0] @ corner[0]
        total = total + corner[1:, :1].sum() + corner[::2, ::-1][0].sum()
        corner[0] *= 0.5
        corner[:, -1] += a[0, i:]
        row = corner[0]
        row[0] = a[i, 0]
        for value in row:
            total = total + np.sin(value)
        for k, value in enumerate(corner[:, 0]):
            total = total + k * value
    return total, b


@program
def computed_once_for_all_readers(a):
    total = 0.0
    for i in range(1, N):
        twice = a[i, :i] * 2
        same = twice
        more = twice + 1
        for j in range(i):
            total = total + twice[j] * a[j, i]
            if a[0, j] > 0:
                same *= 0.5
        twice[0] = 7.0
        total = total + more.sum() + same.sum()
    return total


@pytest.mark.parametrize("function", PROGRAMS, ids=lambda f: f.__name__)
def test_as_a_loop(as_a_loop: Any, function: Any) -> None:
    def total(a):
        made = function(a)
        parts = made if isinstance(made, tuple) else (made,)
        return sum(np.sum(np.sin(part / 20)) for part in parts)

    as_a_loop(total, (matrix(),))


@pytest.mark.parametrize("function", PROGRAMS, ids=lambda f: f.__name__)
@pytest.mark.usefixtures("forced")
def test_arguments_are_as_python_leaves_them(function: Any) -> None:
    check_as_python(function, [(matrix(),), (matrix(1),)], "reference")


@pytest.mark.usefixtures("forced")
@pytest.mark.parametrize("function", [softmax_by_hand, reflections, reductions])
def test_the_second_derivative(
    function: Any, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is that of the loops written out."""

    def total(a: Any) -> Any:
        made = function(a)
        parts = made if isinstance(made, tuple) else (made,)
        return sum(np.sum(np.sin(part / 20)) for part in parts)

    def second(backend: str) -> Any:
        gradient = anabranch.grad(total, backend=backend)
        slope = anabranch.grad(lambda a: np.sum(gradient(a) ** 2), backend=backend)
        return slope(matrix())

    made = second(backend)
    monkeypatch.setattr(control, "MIN_TRIPS", 1 << 40)
    np.testing.assert_allclose(made, second("reference"), rtol=1e-9, atol=1e-11)


def beside(a):
    out, total = np.zeros((N, N)), 0.0
    for i in range(1, N):
        low = a[i, :i]
        e = np.exp(low - low.max())
        part = a[i:, :i]
        made = np.zeros(i)
        made += np.sqrt(np.abs(low)) + 1 / (low + 9)
        out[i, :i] = e / e.sum() * made + np.outer(low, low).sum(axis=0)
        total = total + np.log(9 + low).sum() + np.linalg.norm(part)
        total = total + low.min() + low @ low + np.prod(low)
    return out, total


@pytest.mark.usefixtures("forced")
def test_what_is_beside_a_slice_is_not_met(backend: str) -> None:
    """Neither in a value nor in a gradient of any order."""

    def loss(a: Any) -> Any:
        out, total = beside(a)
        return np.sum(np.sin(out)) + total

    def slope(a: Any) -> Any:
        return np.sum(np.tril(gradient(a), -1) ** 2)

    gradient = anabranch.grad(loss, backend=backend)
    second = anabranch.grad(slope, backend=backend)
    clean = np.tril(matrix(), -1)
    for made in (anabranch.jit(loss, backend=backend), gradient, second):
        expected = made(clean)
        assert np.all(np.isfinite(expected))
        for odd in (np.nan, np.inf, -np.inf):
            dirty = clean.copy()
            dirty[np.triu_indices(N)] = odd
            np.testing.assert_allclose(made(dirty), expected, rtol=1e-12, atol=1e-14)
    assert has_loop_of(beside)


@pytest.mark.usefixtures("forced")
def test_a_norm_of_nothing_has_no_slope(backend: str) -> None:
    def total(a):
        made = 0.0
        for i in range(N):
            made = made + np.linalg.norm(a[i:, :i]) + np.std(a[:1, i:])
        return made

    found = anabranch.grad(total, backend=backend)(np.zeros((N, N)))
    np.testing.assert_array_equal(found, np.zeros((N, N)))


@pytest.mark.usefixtures("forced")
@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda x, n: np.zeros(3 - n), "negative dimensions"),
        (lambda x, n: x[:n, 0][3], "out of bounds for a slice"),
        (lambda x, n: x[:n, n:].max(axis=0), "no largest"),
        (lambda x, n: x[:n, 0] + x[0, : n * n], "different lengths"),
    ],
)
def test_errors_are_raised_when_running(use: Any, message: str, backend: str) -> None:
    def function(x: Any, first: Any) -> Any:
        total = 0.0
        for i in range(2):
            total = total + np.sum(use(x, i + first.astype(int).clip(0, 4)))
        return total

    compiled = anabranch.jit(function, backend=backend)
    bad = 0.0 if "largest" in message else 3.0
    with pytest.raises(anabranch.AnabranchError, match=message):
        compiled(np.ones((5, 5)), np.float64(bad))


def test_sizes_by_an_argument_are_static() -> None:
    def function(x: Any, n: int) -> Any:
        total = np.zeros(n)
        for i in range(n):
            total[: i + 1] += x[:n][i]
        return total

    compiled = anabranch.jit(function)
    for n in (3, 4):
        np.testing.assert_allclose(
            compiled(np.arange(9.0), n), function(np.arange(9.0), n)
        )


def test_a_size_that_may_be_anything_is_refused() -> None:
    def function(x: Any) -> Any:
        return np.zeros(x.astype(int)[0]) + 1

    with pytest.raises(anabranch.ConcretizationError, match="shape") as found:
        anabranch.jit(function)(np.arange(4.0))
    assert f"{__file__}:" in str(found.value)


@pytest.mark.usefixtures("forced")
@pytest.mark.parametrize(
    "use",
    [
        lambda part: np.cumsum(part)[0],
        lambda part: np.concatenate([part, part]).sum(),
        lambda part: part.reshape(-1).sum(),
        lambda part: np.einsum("ij,ij->", part, part),
        lambda part: np.linalg.norm(part, "fro"),
        lambda part: part.sum(dtype=np.float64),
        lambda part: (part + np.ones(5)[: part.shape[1]]).sum(),
    ],
)
def test_what_no_rule_is_for_is_as_python(use: Any) -> None:
    def function(x):
        total = 0.0
        for i in range(1, 4):
            total = total + use(x[:i, i:])
        return total

    check_as_python(function, [(matrix(),)], "reference")


def has_loop_of(function: Any) -> bool:
    compiled = anabranch.jit(function, backend="reference")
    compiled(matrix())
    return has_loop(compiled)
