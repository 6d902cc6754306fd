"""The inner loops of ufuncs, called at their addresses from a kernel."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from scipy import special

from anabranch.backends import ufuncs as loops
from anabranch.backends.llvm.kernels.ufunc import ufunc_source
from anabranch.backends.ufuncs import loop_of
from anabranch.ir.types import dtype_name
from tests.backends.kernels import run


@pytest.fixture(params=["native", "called"])
def way(request: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Both ways: the loop's own address, and a function that calls the ufunc."""
    if request.param == "called":
        monkeypatch.setattr(loops, "_record", lambda *_: None)
    loop_of.cache_clear()
    yield request.param
    loop_of.cache_clear()


def called(
    ufunc: Any, arrays: Sequence[Any], sizes: Sequence[int], inner: Sequence[int] = ()
) -> str:
    """Run the loop on arrays, results among them, whose first axis is that of rows."""
    dtypes = tuple(dtype_name(array.dtype) for array in arrays)
    loop = loop_of(ufunc, dtypes)
    table = np.zeros(len(arrays), np.int64)
    starts = [word for k in range(1, len(arrays) + 1) for word in (k, 0)]
    steps = [array.strides[0] for array in arrays]
    words = [0, 0, *starts, loop.address, loop.data, *sizes, *steps, *inner]
    status = run(ufunc_source(len(arrays), len(sizes)), [table, *arrays], words)
    assert status == 0
    return "native" if loop.native else "called"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_loop_has_the_bits_of_its_ufunc(way: str, dtype: Any) -> None:
    x = np.linspace(-3, 40, 301).astype(dtype)
    y = np.empty_like(x)
    assert called(special.gammaln, [x, y], [301]) == way
    np.testing.assert_array_equal(y, special.gammaln(x))


def test_operands_are_read_by_their_steps(way: str) -> None:
    """One number for all rows, every other element, and from the end."""
    order = np.lib.stride_tricks.as_strided(np.array([1.5]), (50,), (0,))
    x, y = np.linspace(0, 9, 100)[::2], np.empty(50)[::-1]
    called(special.jv, [order, x, y], [50])
    np.testing.assert_array_equal(y, special.jv(1.5, x))


def test_integers_and_several_results(way: str) -> None:
    n, x, y = np.arange(1, 6), np.linspace(0.1, 2, 5), np.empty(5)
    called(special.expn, [n, x, y], [5])
    np.testing.assert_array_equal(y, special.expn(n, x))
    s, c = np.empty(5), np.empty(5)
    called(special.sici, [x, s, c], [5])
    np.testing.assert_array_equal([s, c], special.sici(x))


def test_core_dimensions_of_a_gufunc(way: str) -> None:
    """Products of matrices, of which one lies in columns."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(4, 2, 3)), rng.normal(size=(4, 5, 3)).mT
    y = np.empty((4, 2, 5))
    inner = [*a.strides[1:], *b.strides[1:], *y.strides[1:]]
    called(np.matmul, [a, b, y], [4, 2, 3, 5], inner)
    np.testing.assert_allclose(y, a @ b, rtol=1e-14)


def test_an_unknown_layout_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A record of other types, and one that is too short, is not believed."""
    signatures = [tuple(map(np.dtype, "dd")), tuple(map(np.dtype, "ff"))]
    assert loops._record(special.gammaln, signatures) is not None
    assert loops._record(special.gammaln, signatures[::-1]) is None
    assert loops._record(special.jv, signatures) is None


def test_a_loop_that_does_not_exist() -> None:
    with pytest.raises(AssertionError, match="gammaln has no loop on i64"):
        loop_of(special.gammaln, ("i64", "f64"))


def test_loops_run_in_threads_of_their_own() -> None:
    """As NumPy runs them: without the GIL, several at once, with the same bits."""
    x = np.linspace(0.1, 30, 20_000)
    expected = special.gammaincc(3.5, x)
    order = np.full_like(x, 3.5)
    results = [np.empty_like(x) for _ in range(4)]
    threads = [
        threading.Thread(
            target=called, args=(special.gammaincc, [order, x, y], [x.size])
        )
        for y in results
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for y in results:
        np.testing.assert_array_equal(y, expected)
