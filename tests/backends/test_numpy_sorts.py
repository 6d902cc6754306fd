"""NumPy's sorts, called at their addresses from a kernel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from anabranch.backends.llvm.kernels import numpy_sorts
from anabranch.backends.llvm.kernels.numpy_sorts import sort_address
from anabranch.backends.llvm.kernels.sorting import argsort_source, sort_source
from anabranch.ir.types import DTYPES
from tests.backends.kernels import run

REAL = [name for name in DTYPES if name[0] != "c"]


@pytest.fixture(params=["native", "called"])
def way(request: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Both ways: the function's own address, and one that calls NumPy."""
    if request.param == "called":
        none = [None] * (numpy_sorts.SORTS + 3)
        monkeypatch.setattr(numpy_sorts, "_functions", lambda dtype: none)
    sort_address.cache_clear()
    yield request.param
    sort_address.cache_clear()


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("dtype", REAL)
def test_rows_of_each_dtype(dtype: str) -> None:
    x = (50 * np.random.default_rng(0).normal(size=(3, 200))).astype(DTYPES[dtype])
    expected = np.sort(x)
    address = sort_address(dtype)
    assert run(sort_source(dtype), [x], [0, 0, *x.shape, address]) == 0
    np.testing.assert_array_equal(x, expected)


@pytest.mark.usefixtures("way")
def test_positions() -> None:
    x = np.round(np.random.default_rng(0).normal(size=(3, 200)), 1)
    places, room = np.zeros(x.shape, np.int64), np.zeros(200, np.uint64)
    words = [0, 0, 1, 0, 2, 0, *x.shape, 8, sort_address("u64")]
    assert run(argsort_source("f64"), [x, places, room], words) == 0
    np.testing.assert_array_equal(places, np.argsort(x, kind="stable"))
