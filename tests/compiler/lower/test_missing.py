"""The nan-functions leave out what NumPy leaves out, and no gradient passes there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import anabranch
from tests.compiler.everyday import HOLES, Y, check_slope

ALL = np.array(HOLES)
ALL[1] = np.nan
REDUCTIONS: list[Any] = [
    *(np.nansum, np.nanprod, np.nanmean, np.nanvar, np.nanstd, np.nanmax, np.nanmin)
]
RUNNING: list[Any] = [np.nancumsum, np.nancumprod]
POSITIONS: list[Any] = [np.nanargmax, np.nanargmin]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("function", REDUCTIONS)
def test_reductions(same, function):
    def all_axes(x):
        axes = (None, 0, 1, -1, (0, 1))
        return [
            *(function(x, axis=axis) for axis in axes),
            function(x, axis=1, keepdims=True),
        ]

    same(all_axes, HOLES, rtol=1e-12)
    same(all_axes, ALL, rtol=1e-12)
    same(lambda x: function(x), HOLES.astype("f4"), rtol=1e-5)
    same(lambda x: function(x), np.arange(1, 6), rtol=1e-12)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_arguments_of_reductions(same):
    same(lambda x: np.nanvar(x, 1, ddof=1), HOLES, rtol=1e-12)
    same(lambda x: np.nanstd(x, 0, correction=1), HOLES, rtol=1e-12)
    same(lambda x: np.nanmean(x, 1, where=Y > 0), HOLES, rtol=1e-12)
    same(lambda x: np.nansum(x, where=Y > 0, initial=2.0), HOLES, rtol=1e-12)
    same(lambda x: np.nanmax(x, where=Y > 0, initial=-3.0), HOLES)


@pytest.mark.parametrize("function", RUNNING)
def test_running(same, function):
    for axis in (None, 0, 1):
        same(lambda x, a=axis: function(x, axis=a), HOLES, rtol=1e-12)


@pytest.mark.parametrize("function", POSITIONS)
def test_positions(same, function):
    for axis in (None, 0, 1):
        same(lambda x, a=axis: function(x, axis=a), HOLES)
    same(lambda x: function(x, axis=1, keepdims=True), HOLES)
    with pytest.raises(ValueError, match="All-NaN slice"):
        anabranch.jit(lambda x: function(x, axis=1))(ALL)


@pytest.mark.parametrize("function", [*REDUCTIONS, *RUNNING])
def test_gradients(function):
    missing = np.isnan(HOLES)
    check_slope((lambda y: function(np.where(missing, np.nan, y), axis=1) ** 2, Y))
