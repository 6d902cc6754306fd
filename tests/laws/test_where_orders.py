"""``where`` never lets the branch that was not taken reach a derivative of any order.

Where the mask is false the operand is what the branch cannot take: zeros, infinities,
NaN, what is outside of its domain. There every derivative is that of the other branch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pytest

import anabranch
from tests.laws.test_orders import BINARY, UNARY, derivative

Function: TypeAlias = Callable[..., Any]

BAD = np.array(
    [0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 1e-300, 1e200, 800.0, np.inf, -np.inf, np.nan]
)
GOOD = 0.37
X = np.concatenate([BAD, [GOOD]])
MASK = X == GOOD
ORDERS = (1, 2, 3, 4)


def shifted(name: str) -> tuple[Function, float]:
    """The function, and a point inside of its domain."""
    ours, _, smooth = UNARY[name]
    return ours, next(x for x in (GOOD, 1 + GOOD) if smooth(x))


def assert_masked(made: Any, alone: Any, what: str) -> None:
    """Zeros where the mask is false, and elsewhere what the branch has alone."""
    np.testing.assert_array_equal(made[~MASK], np.zeros(len(BAD)), what)
    np.testing.assert_allclose(made[MASK], alone, rtol=1e-12, err_msg=what)


@pytest.mark.parametrize("name", UNARY)
def test_branches_of_one_variable(name: str, backend: str) -> None:
    ours, point = shifted(name)
    x = np.where(MASK, point, X)
    for order in ORDERS:
        made = derivative(lambda x: np.where(MASK, ours(x), 0.0), order, backend)(x)
        alone = derivative(ours, order, "reference")(np.array([point]))
        assert_masked(made, alone, f"{name}, order {order}")


@pytest.mark.parametrize("name", UNARY)
def test_masked_derivatives(name: str, backend: str) -> None:
    """The mask around a derivative, and derivatives of that."""
    ours, point = shifted(name)
    x = np.where(MASK, point, X)
    inner = derivative(ours, 1, backend)
    for order in 1, 2:
        made = derivative(lambda x: np.where(MASK, inner(x), 0.0), order, backend)(x)
        alone = derivative(ours, 1 + order, "reference")(np.array([point]))
        assert_masked(made, alone, f"{name}, order {order} of a masked derivative")


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("slot", [0, 1])
def test_branches_of_two_variables(name: str, slot: int, backend: str) -> None:
    """Both operands are bad, and one moves."""
    ours = BINARY[name][0]
    both = [np.where(MASK, GOOD, X), np.where(MASK, 1 + GOOD, X[::-1])]

    def along(x: Any) -> Any:
        operands = list(both)
        operands[slot] = x
        return ours(*operands)

    def alone(x: Any) -> Any:
        operands = [np.array([GOOD]), np.array([1 + GOOD])]
        operands[slot] = x
        return ours(*operands)

    for order in ORDERS:
        made = derivative(lambda x: np.where(MASK, along(x), 0.0), order, backend)
        expected = derivative(alone, order, "reference")(both[slot][MASK])
        assert_masked(made(both[slot]), expected, f"{name}, order {order}")


ROWS = np.array(
    [
        [0.0, 0.0, 0.0],
        [np.inf, 1.0, -np.inf],
        [np.nan, 1.0, 2.0],
        [-np.inf, -np.inf, -np.inf],
        [5.0, 5.0, 5.0],
        [1e200, -1e200, 1e-200],
        [0.3, -1.2, 2.1],
    ]
)
KEPT = np.arange(len(ROWS)) == len(ROWS) - 1

OF_ROWS: dict[str, Function] = {
    "norm": lambda x: np.linalg.norm(x, axis=1),
    "norm ** 2": lambda x: np.linalg.norm(x, axis=1) ** 2,
    "std": lambda x: np.std(x, axis=1),
    "var": lambda x: np.var(x, axis=1),
    "mean": lambda x: np.mean(x, axis=1),
    "max": lambda x: np.max(x, axis=1),
    "min": lambda x: np.min(x, axis=1),
    "sum of logs": lambda x: np.sum(np.log(x * x), axis=1),
    "logsumexp": lambda x: anabranch.logsumexp(x, axis=1),
    "softmax": lambda x: anabranch.softmax(x, axis=1)[:, 0],
    "log_softmax": lambda x: anabranch.log_softmax(x, axis=1)[:, 0],
    "quotient": lambda x: x[:, 0] / x[:, 1],
}


@pytest.mark.parametrize("name", OF_ROWS)
def test_masked_rows(name: str, backend: str) -> None:
    rows = OF_ROWS[name]

    def masked(x: Any) -> Any:
        return np.sum(np.where(KEPT, rows(x), 0.0))

    def alone(x: Any) -> Any:
        return np.sum(rows(x))

    weights = np.array([1.0, 0.7, -0.4])
    for order in range(len(ORDERS)):
        made, expected = masked, alone
        for _ in range(order):
            made = along(made, weights, backend)
            expected = along(expected, weights, "reference")
        got = anabranch.grad(made, backend=backend)(ROWS)
        right = anabranch.grad(expected, backend="reference")(ROWS[KEPT])
        what = f"{name}, order {order + 1}"
        np.testing.assert_array_equal(got[~KEPT], np.zeros_like(ROWS[:-1]), what)
        np.testing.assert_allclose(got[KEPT], right, rtol=1e-9, atol=1e-12)


def along(f: Function, weights: Any, backend: str) -> Function:
    """The derivative along one direction, of each row."""
    gradient = anabranch.grad(f, backend=backend)
    return lambda x: np.sum(gradient(x) * weights)


def test_masked_softmax(backend: str) -> None:
    """Attention with a mask: what is masked has no part in any derivative."""
    seen = np.array([[True, True, False], [False, False, False], [True, False, False]])

    def attend(x: Any) -> Any:
        scores = anabranch.softmax(np.where(seen, x, -np.inf), axis=1)
        return np.where(seen, scores, 0.0)

    x = np.where(seen, np.arange(9.0).reshape(3, 3) / 7, np.nan)
    weights = np.array([[0.3, -1.0, 2.0]])
    f: Function = lambda x: np.sum(attend(x) * weights)  # noqa: E731
    for order in ORDERS:
        made = anabranch.grad(f, backend=backend)(x)
        assert np.all(np.isfinite(made)), order
        np.testing.assert_array_equal(made[~seen], 0.0)
        np.testing.assert_allclose(made[2], 0.0, atol=1e-15)
        f = along(f, weights, backend)


@pytest.mark.parametrize("x", [0.0, -1.0, -1e-300])
def test_a_bump_is_flat_where_it_ends(x: float, backend: str) -> None:
    """exp(-1/x) to the right of 0: every derivative at 0 is 0."""

    def bump(x: Any) -> Any:
        return np.where(x > 0, np.exp(-1 / x), 0.0)

    f: Function = bump
    for _ in ORDERS:
        f = anabranch.grad(f, backend=backend)
        assert f(x) == 0.0


def test_entropy_has_a_hessian_beside_empty_states(backend: str) -> None:
    def entropy(p: Any) -> Any:
        return np.sum(np.where(p > 0, p * np.log(p), 0.0))

    p = np.array([0.0, 0.5])
    hessian = anabranch.grad(
        lambda p: np.sum(anabranch.grad(entropy, backend=backend)(p)), backend=backend
    )
    np.testing.assert_array_equal(hessian(p), [0.0, 2.0])
