"""`np.pad` by every mode, of floats and of integers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import anabranch
from tests.compiler.everyday import X, Y, check_case, check_slope

pad: Any = np.pad
OPTIONS: list[dict[str, Any]] = [
    {"mode": "linear_ramp"},
    {"mode": "linear_ramp", "end_values": (1.5, -2.0)},
    {"mode": "maximum"},
    {"mode": "minimum", "stat_length": 2},
    {"mode": "mean", "stat_length": ((1, 3),)},
    {"mode": "median"},
    {"mode": "empty"},
    {"mode": "reflect", "reflect_type": "odd"},
    {"mode": "symmetric", "reflect_type": "odd"},
]


def padded(widths: Any, **options: Any) -> Any:
    def function(x: Any) -> Any:
        made = pad(x, widths, **options)
        if options["mode"] != "empty":
            return made
        middle = tuple(
            slice(a, a + n) for (a, _), n in zip(widths, x.shape, strict=True)
        )
        return made[middle]

    return function


CASES: list[Any] = [
    case
    for options in OPTIONS
    for case in (
        (padded(((2, 1),), **options), X),
        (padded(((1, 2), (0, 3)), **options), Y),
    )
]
TRACED: list[Any] = [
    (lambda x, f: pad(x, 2, constant_values=f), Y, 0.7),
    (lambda x, f: pad(x, (1, 2), constant_values=(f, 2.0)), X, 0.7),
    (lambda x, f: pad(x, 2, mode="linear_ramp", end_values=f), X, 0.7),
]


@pytest.mark.parametrize("number", range(len(CASES + TRACED)))
def test_values(same, number):
    check_case(same, (CASES + TRACED)[number])


@pytest.mark.parametrize("number", range(len(CASES)))
def test_integers(same, number):
    function, x = CASES[number]
    same(function, (7 * x).astype(np.int32))


@pytest.mark.parametrize("number", range(len(CASES + TRACED)))
def test_gradients(number):
    check_slope((CASES + TRACED)[number])


MODES = "edge linear_ramp maximum mean median minimum reflect symmetric wrap".split()


@pytest.mark.parametrize("mode", MODES)
def test_axes_without_entries(same, mode):
    for shape in ((0,), (0, 3), (3, 0)):
        x = np.zeros(shape)
        empty = shape.index(0)
        widths = [(0, 0) if axis == empty else (1, 2) for axis in range(x.ndim)]
        same(lambda x, widths=widths: pad(x, widths, mode=mode), x)
        with pytest.raises(ValueError, match=f"can't extend empty axis {empty}"):
            anabranch.jit(lambda x: pad(x, 1, mode=mode))(x)


def test_constants_around_nothing(same):
    x = np.zeros((3, 0))
    same(lambda x, f: pad(x, 1, constant_values=f), x, 2.5)
    made = anabranch.jit(lambda x: pad(x, 1, mode="empty"))(x)
    assert made.shape == (5, 2)


def test_what_is_refused():
    with pytest.raises(anabranch.UnsupportedError, match="wider than the array"):
        anabranch.jit(lambda x: pad(x, 9, mode="reflect", reflect_type="odd"))(X)
    with pytest.raises(anabranch.UnsupportedError, match="the modes are edge, reflect"):
        anabranch.jit(lambda x: pad(x, 1, mode="nearest"))(X)
