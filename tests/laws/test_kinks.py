"""The conventions at kinks and corners: each row of docs/kinks.md.

The numbers are those of the published table, not of our own output. A gradient is held
bit for bit, except for the sign of a zero.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import special

import anabranch

inf, nan = np.inf, np.nan
MASK = np.array([True, False, True])
TABLE = Path(__file__).parents[2] / "anabranch" / "docs" / "kinks.md"

Row = tuple[str, Callable[..., Any], tuple[Any, ...], Any]


def norm(x: Any) -> Any:
    return np.sqrt(np.sum(x * x))


# The case as the table names it, the function, the point, the gradient there.
KINKS: list[Row] = [
    ("`abs(x)` at 0", np.abs, (0.0,), 0.0),
    ("`copysign(x, 2)` at 0", lambda x: np.copysign(x, 2.0), (0.0,), 0.0),
    ("`sqrt(x)` at 0", np.sqrt, (0.0,), inf),
    ("`x**0.5` at 0", lambda x: x**0.5, (0.0,), inf),
    ("`cbrt(x)` at 0", np.cbrt, (0.0,), inf),
    ("`log(x)` at 0", np.log, (0.0,), inf),
    ("`1 / x` at 0", lambda x: 1 / x, (0.0,), -inf),
    ("`arcsin(x)` at 1", np.arcsin, (1.0,), inf),
    ("`x**0.0` at 0", lambda x: x**0.0, (0.0,), 0.0),
    ("`x**1.0` at 0", lambda x: x**1.0, (0.0,), 1.0),
    ("`x**2.0` at 0", lambda x: x**2.0, (0.0,), 0.0),
    ("`0**b` at b = 2", lambda b: np.power(0.0, b), (2.0,), 0.0),
    ("`0**b` at b = 0", lambda b: np.power(0.0, b), (0.0,), 0.0),
    ("`0**b` at b = -1", lambda b: np.power(0.0, b), (-1.0,), -inf),
    ("`x**b` at x = 0.5, b = inf", np.power, (0.5, inf), 0.0),
    ("`x**b` at x = 1, b = inf", np.power, (1.0, inf), inf),
    ("`(-2)**b` at b = 2", lambda b: np.power(-2.0, b), (2.0,), nan),
    ("`sqrt(sum(x * x))` at [0, 0]", norm, (np.zeros(2),), [nan, nan]),
    ("`linalg.norm(x)` at [0, 0]", np.linalg.norm, (np.zeros(2),), [0, 0]),
    ("`hypot(x, y)` at 0, 0", np.hypot, (0.0, 0.0), 0.0),
    ("`arctan2(y, x)` at 0, 0", np.arctan2, (0.0, 0.0), nan),
    ("`max(x)` at [2, 2, 1]", np.max, (np.array([2.0, 2.0, 1.0]),), [0.5, 0.5, 0]),
    ("`min(x)` at [1, 2, 1]", np.min, (np.array([1.0, 2.0, 1.0]),), [0.5, 0, 0.5]),
    ("`max(x)` at [1, nan]", np.max, (np.array([1.0, nan]),), [0, nan]),
    (
        "`sum(max_pool(x, 2))` at [2, 2, 1, nan]",
        lambda x: np.sum(anabranch.max_pool(x.reshape(1, 1, 4), 2)),
        (np.array([2.0, 2.0, 1.0, nan]),),
        [0.5, 0.5, 0, nan],
    ),
    ("`median(x)` at [2, 2, 1]", np.median, (np.array([2.0, 2.0, 1.0]),), [1, 0, 0]),
    (
        "`sum(sort(x)[1:])` at [2, 2, 2]",
        lambda x: np.sum(np.sort(x)[1:]),
        (np.full(3, 2.0),),
        [0, 1, 1],
    ),
    *(
        (
            f"`interp(x, [0, 1, 3], [0, 2, 3])` at {at}",
            lambda x: np.interp(x, [0, 1, 3], [0, 2, 3]),
            (float(at),),
            0.5,
        )
        for at in (1, 3)
    ),
    ("`maximum(x, 2)` at 2", lambda x: np.maximum(x, 2.0), (2.0,), 0.5),
    ("`maximum(x, x)`", lambda x: np.maximum(x, x), (2.0,), 1.0),
    ("`minimum(x, 2)` at 2", lambda x: np.minimum(x, 2.0), (2.0,), 0.5),
    ("`maximum(x, nan)`", lambda x: np.maximum(x, nan), (1.0,), nan),
    ("`fmax(x, nan)`", lambda x: np.fmax(x, nan), (1.0,), 1.0),
    ("`relu(x)` at 0", anabranch.relu, (0.0,), 0.5),
    ("`clip(x, 0, 1)` at 0", lambda x: np.clip(x, 0, 1), (0.0,), 0.5),
    ("`clip(x, 0, 1)` at 1", lambda x: np.clip(x, 0, 1), (1.0,), 0.5),
    (
        "`where(x > 0, x, sqrt(-x))` at 1",
        lambda x: np.where(x > 0, x, np.sqrt(-x)),
        (1.0,),
        1.0,
    ),
    (
        "`where(x < 1, x, sqrt(x))` at 0",
        lambda x: np.where(x < 1, x, np.sqrt(x)),
        (0.0,),
        1.0,
    ),
    (
        "`where(x > 0, 0, x * inf)` at 1",
        lambda x: np.where(x > 0, 0, x * inf),
        (1.0,),
        0.0,
    ),
    (
        "`where(mask, x, 0).sum()`, x a scalar",
        lambda x: np.where(MASK, x, 0.0).sum(),
        (3.0,),
        2.0,
    ),
    ("`prod(x)` at [0, 2, 3]", np.prod, (np.array([0.0, 2.0, 3.0]),), [6, 0, 0]),
    ("`prod(x)` at [0, 0, 3]", np.prod, (np.array([0.0, 0.0, 3.0]),), [0, 0, 0]),
    (
        "`sum(cumprod(x))` at [2, 0, 3]",
        lambda x: np.sum(np.cumprod(x)),
        (np.array([2.0, 0.0, 3.0]),),
        [1, 8, 0],
    ),
    ("`std(x)` at [1, 1, 1]", np.std, (np.ones(3),), [0, 0, 0]),
    (
        "`logsumexp(x)` at [-inf, -inf]",
        anabranch.logsumexp,
        (np.full(2, -inf),),
        [nan, nan],
    ),
    ("`logaddexp(x, y)` at -inf, -inf", np.logaddexp, (-inf, -inf), nan),
    ("`floor(x)`, `ceil(x)`, `rint(x)`, `trunc(x)`", np.floor, (1.0,), 0.0),
    ("`sign(x)` at 0", np.sign, (0.0,), 0.0),
    ("`x % 1` at 2", lambda x: x % 1, (2.0,), 1.0),
    ("`5 % y` at 2", lambda y: 5 % y, (2.0,), -2.0),
    ("`xlogy(x, 0)` at 0", lambda x: special.xlogy(x, 0.0), (0.0,), -inf),
    ("`xlogy(0, y)` at 0", lambda y: special.xlogy(0.0, y), (0.0,), 0.0),
    ("`xlogy(x, x)` at 0", lambda x: special.xlogy(x, x), (0.0,), -inf),
    ("`entr(x)` at 0", lambda x: special.entr(x), (0.0,), inf),
    ("`rel_entr(x, 0)` at 0", lambda x: special.rel_entr(x, 0.0), (0.0,), nan),
    ("`rel_entr(0, y)` at 0", lambda y: special.rel_entr(0.0, y), (0.0,), 0.0),
    ("`i0e(x)` at 0", lambda x: special.i0e(x), (0.0,), 0.0),
    ("`huber(1, x)` at 1", lambda x: special.huber(1.0, x), (1.0,), 1.0),
    ("`sum(x)` of no elements", np.sum, (np.zeros(0),), np.zeros(0)),
    ("`mean(x)` of no elements", np.mean, (np.zeros(0),), np.zeros(0)),
    ("`prod(x)` of no elements", np.prod, (np.zeros(0),), np.zeros(0)),
    ("`sum(x)` of shape (3, 0)", np.sum, (np.zeros((3, 0)),), np.zeros((3, 0))),
    (
        "`sum(x @ y)` of (2, 0) and (0, 3)",
        lambda x, y: np.sum(x @ y),
        (np.zeros((2, 0)), np.zeros((0, 3))),
        np.zeros((2, 0)),
    ),
]


@pytest.mark.parametrize(("case", "function", "point", "expected"), KINKS)
def test_gradient_at_a_kink(
    backend: str,
    case: str,
    function: Callable[..., Any],
    point: tuple[Any, ...],
    expected: Any,
) -> None:
    made = anabranch.grad(function, backend=backend)(*point)
    assert np.shape(made) == np.shape(point[0]), case
    np.testing.assert_array_equal(made, expected, case)


def first(function: Callable[..., Any]) -> Callable[..., Any]:
    """The derivative by the first number of the argument."""
    gradient = anabranch.grad(function)
    return lambda x: np.ravel(gradient(x))[0]


# The second derivatives of the table: by the first number, then all.
SECOND: list[Row] = [
    ("`abs(x)**2` at 0", lambda x: np.abs(x) ** 2, (0.0,), 2.0),
    ("`hypot(x, 0)**2` at 0", lambda x: np.hypot(x, 0.0) ** 2, (0.0,), 2.0),
    (
        "`linalg.norm(x)**2` at [0, 0], by the first entry",
        lambda x: np.linalg.norm(x) ** 2,
        (np.zeros(2),),
        [2.0, 0.0],
    ),
    (
        "`std(x)**2` at [1, 1], by the first entry",
        lambda x: np.std(x) ** 2,
        (np.ones(2),),
        [0.5, -0.5],
    ),
    ("`sqrt(x)**2` at 0", lambda x: np.sqrt(x) ** 2, (0.0,), 0.0),
    ("`abs(x)` at 0", np.abs, (0.0,), 0.0),
    ("`abs(x)**3` at 0", lambda x: np.abs(x) ** 3, (0.0,), 0.0),
    ("`log_ndtr(x)` at -inf", lambda x: special.log_ndtr(x), (-inf,), -1.0),
    ("`exprel(x)` at inf", lambda x: special.exprel(x), (inf,), inf),
    (
        "`where(x > 0, exp(-1 / x), 0)` at 0",
        lambda x: np.where(x > 0, np.exp(-1 / x), 0.0),
        (0.0,),
        0.0,
    ),
]


@pytest.mark.parametrize(("case", "function", "point", "expected"), SECOND)
def test_second_derivative_at_a_kink(
    backend: str,
    case: str,
    function: Callable[..., Any],
    point: tuple[Any, ...],
    expected: Any,
) -> None:
    made = anabranch.grad(first(function), backend=backend)(*point)
    np.testing.assert_array_equal(made, expected, case)


def test_a_square_of_a_root_is_what_the_root_was_of(backend: str) -> None:
    slope = anabranch.grad(lambda x: np.sqrt(x) ** 2, backend=backend)
    assert slope(0.0) == slope(2.0) == 1.0
    assert np.isnan(slope(-1.0))


def test_a_product_of_two_functions_has_the_limits_of_neither(backend: str) -> None:
    """Of `x * log(x)` as the page says it, and of the one op that has the limit."""
    for function, forward in (
        (lambda x: x * np.log(x), nan),
        (lambda x: special.xlogy(x, x), -inf),
    ):
        assert anabranch.grad(function, backend=backend)(0.0) == -inf
        _, pushed = anabranch.jvp(function, (0.0,), (1.0,), backend=backend)
        np.testing.assert_array_equal(pushed, forward)


@pytest.mark.parametrize("function", [np.floor, np.ceil, np.rint, np.trunc, np.sign])
@pytest.mark.parametrize("x", [-1.0, 0.0, 0.5, 2.5])
def test_steps_have_gradient_zero(
    backend: str, function: Callable[..., Any], x: float
) -> None:
    assert anabranch.grad(function, backend=backend)(x) == 0.0


def test_maximum_of_no_elements_is_an_error(backend: str) -> None:
    with pytest.raises(ValueError, match="reduce_max: no identity"):
        anabranch.grad(np.max, backend=backend)(np.zeros(0))


def test_second_operand_of_an_empty_product_has_its_shape(backend: str) -> None:
    made = anabranch.grad(lambda x, y: np.sum(x @ y), 1, backend=backend)(
        np.zeros((2, 0)), np.zeros((0, 3))
    )
    assert made.shape == (0, 3)


def test_the_table_has_each_case() -> None:
    rows = TABLE.read_text(encoding="utf-8")
    missing = [case for case, *_ in KINKS + SECOND if f"| {case} |" not in rows]
    assert not missing
