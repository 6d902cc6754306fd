"""SciPy's functions are found where user code calls them; matrices made of vectors."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import scipy.linalg

import anabranch as ab

C, R = np.array([1.0, 2.0, 3.0, 4.0]), np.array([9.0, -1.0, 5.0])
CASES: dict[str, Any] = {
    "block_diag": lambda c, r: scipy.linalg.block_diag(c, np.outer(c, r), 2.0),
    "block_diag of one": lambda c, r: scipy.linalg.block_diag(np.outer(r, r)),
    "toeplitz": lambda c, r: scipy.linalg.toeplitz(c),
    "toeplitz with a row": lambda c, r: scipy.linalg.toeplitz(c, r),
    "circulant": lambda c, r: scipy.linalg.circulant(c),
    "circulant of a stack": lambda c, r: scipy.linalg.circulant(np.stack([c, c + 1])),
    "hankel": lambda c, r: scipy.linalg.hankel(c),
    "hankel with a row": lambda c, r: scipy.linalg.hankel(c, r=r),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_matrices_are_scipys(backend, name, dtype):
    c, r = C.astype(dtype), R.astype(dtype)
    made = ab.jit(CASES[name], backend=backend)(c, r)
    expected = CASES[name](c, r)
    assert made.dtype == expected.dtype
    np.testing.assert_array_equal(made, expected)


@pytest.mark.parametrize("name", CASES)
def test_gradients_agree_with_differences(name):
    weights = np.random.default_rng(0).standard_normal((20, 20))

    def loss(c, r):
        made = CASES[name](c, r)
        return np.sum(np.sin(made) * weights[: made.shape[-2], : made.shape[-1]])

    ab.check_grads(loss, (C / 4, R / 4), order=2)


def test_blocks_of_stacks():
    """As SciPy has them from 1.17 on: stacks are broadcast."""
    stack = np.stack([np.outer(C, R), np.outer(C, R) + 1])
    made = ab.jit(lambda x, c: scipy.linalg.block_diag(x, c))(stack, C)
    expected = [scipy.linalg.block_diag(one, C) for one in stack]
    np.testing.assert_array_equal(made, expected)


def test_a_function_under_another_name_is_found():
    from scipy.linalg import circulant as around

    np.testing.assert_array_equal(ab.jit(lambda c: around(c))(C), around(C))


def test_constants_are_scipys_own():
    made = ab.jit(lambda x: scipy.linalg.toeplitz([1.0, 2.0]) @ x)(R[:2])
    np.testing.assert_array_equal(made, scipy.linalg.toeplitz([1.0, 2.0]) @ R[:2])


def test_nothing_imports_scipy_for_those_who_did_not():
    code = (
        "import sys, numpy as np, anabranch as ab\n"
        "ab.grad(lambda x: np.sum(np.diff(x) ** 2))(np.arange(3.0))\n"
        "assert 'scipy.linalg' not in sys.modules\n"
        "assert 'scipy.special' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
