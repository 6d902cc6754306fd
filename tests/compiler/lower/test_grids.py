"""`RegularGridInterpolator` and `interpn`, by traced values and at traced places."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from scipy import interpolate

import anabranch
from anabranch.ir.errors import ShapeError, UnsupportedError
from tests.compiler.everyday import check_refused

GRID = np.array([0.0, 1, 3, 4]), np.array([5.0, 4, 2])
RNG = np.random.default_rng(0)
VALUES = RNG.standard_normal((4, 3, 2))
PLACES = np.stack([RNG.uniform(0, 4, 9), RNG.uniform(2, 5, 9)], axis=-1)
BEYOND = np.concatenate([PLACES, [[-1, 3], [np.nan, 3], [4, 5], [0, 2], [2, 7]]])
make: Any = interpolate.RegularGridInterpolator


@pytest.mark.parametrize("method", ["linear", "nearest"])
@pytest.mark.parametrize("fill", [np.nan, 0.5, None])
def test_values(same, method, fill):
    options: dict[str, Any] = {
        "method": method,
        "bounds_error": False,
        "fill_value": fill,
    }
    known = make(GRID, VALUES, **options)
    same(lambda v: make(GRID, v, **options)(BEYOND), VALUES, rtol=1e-12)
    same(lambda x: known(x), BEYOND, rtol=1e-12)
    same(lambda v: interpolate.interpn(GRID, v, BEYOND, **options), VALUES, rtol=1e-12)


def test_forms_of_places(same):
    known, line = make(GRID, VALUES), make(GRID[:1], VALUES[:, 0, 0])
    same(lambda x: known((x[:, 0], 2.5)), PLACES, rtol=1e-12)
    same(lambda x: known(x[0]), PLACES, rtol=1e-12)
    same(lambda x: known(x.reshape(3, 3, 2), method="nearest"), PLACES, rtol=1e-12)
    same(lambda x: line(x[:, 0]), PLACES, rtol=1e-12)
    same(lambda v: make(GRID, v)((2.5, 3.0)), (9 * VALUES).astype(int), rtol=1e-12)


def test_gradients():
    def read(v: Any, x: Any) -> Any:
        return interpolate.interpn(GRID, v * v, x)

    known = make(GRID, VALUES, bounds_error=False, fill_value=None)
    anabranch.check_grads(lambda v: read(v, PLACES), (VALUES,), order=2)
    anabranch.check_grads(lambda x: known(x) ** 2, (PLACES,), order=2)


def test_what_is_refused():
    refused = partial(check_refused, (VALUES,))
    no = UnsupportedError
    refused(lambda v: make(GRID, v, method="cubic"), no, "linear and nearest")
    refused(lambda v: make(GRID, v)(PLACES, method="slinear"), no, "method='slinear'")
    refused(lambda v: make((v[:, 0, 0], GRID[1]), v), no, "grid of traced places")
    refused(lambda v: make(GRID, v[:3]), ShapeError, "places for values")
    refused(lambda v: make(GRID, v)(np.ones((2, 3))), ShapeError, "the grid 2 axes")
    refused(lambda v: make((GRID[0] % 3, GRID[1]), v), ValueError, "strictly ascending")
