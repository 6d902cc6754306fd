"""Products of known sparse matrices and traced arrays: SciPy's numbers, gradients."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from scipy import sparse

import anabranch
from anabranch.ir.errors import ConcretizationError, ShapeError, UnsupportedError
from tests.compiler.everyday import check_refused

FORMATS = "bsr coo csc csr dia lil".split()
X = np.array([0.3, 0.5, 2.0])
D = np.array([[1.0, 0.0, -2.0], [0.0, 0.0, 0.5], [0.0, 0.0, 0.0], [3.0, 1.5, 0.0]])
S: Any = sparse.csr_array(D)
CASES: dict[str, Any] = {
    "@": lambda x: S @ x,
    "@ a matrix": lambda x: S @ np.outer(x, X),
    "dot": lambda x: S.dot(x),
    "T": lambda x: S.T @ np.append(x, x[0]),
    "from the right": lambda x: np.append(x, x[0]) @ S,
    "a matrix from the right": lambda x: np.outer(x, D @ x) @ S,
    "a quadratic form": lambda x: x @ (S.T @ (S @ x)),
    "in place": lambda x: _in_place(x),
}


def _in_place(x: Any) -> Any:
    y = np.append(x, x[0])
    y @= S @ D.T
    return y


@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients(name: str, backend: str) -> None:
    function = CASES[name]
    made, expected = anabranch.jit(function, backend=backend)(X), function(X)
    assert np.shape(made) == np.shape(expected)
    np.testing.assert_allclose(made, expected, 1e-13)
    anabranch.check_grads(lambda x: np.sum(np.sin(function(x))), (X,), order=2)


@pytest.mark.parametrize("kind", ["matrix", "array"])
@pytest.mark.parametrize("format_", FORMATS)
def test_formats(format_: str, kind: str) -> None:
    matrix: Any = getattr(sparse, f"{format_}_{kind}")(D)
    made = anabranch.jit(lambda x: (matrix @ x, matrix.dot(x)))(X)
    np.testing.assert_allclose(made, [D @ X, D @ X], 1e-14)


def test_entries_at_one_place_are_added() -> None:
    places = np.array([0, 0, 2]), np.array([1, 1, 0])
    twice: Any = sparse.coo_array((np.array([1.0, 2.0, 4.0]), places), (3, 3))
    made = anabranch.jit(lambda x: twice @ x)(X)
    np.testing.assert_array_equal(made, twice @ X)


@pytest.mark.parametrize("dtype", [np.float32, np.complex128, np.int64])
def test_dtypes(dtype: Any) -> None:
    x = np.array([1, 2, 3]).astype(dtype)
    for matrix in (S, S.astype(np.float32), S.astype(np.complex64)):
        made = anabranch.jit(lambda x: matrix @ x)(x)  # noqa: B023
        expected = matrix @ x
        assert made.dtype == expected.dtype
        np.testing.assert_allclose(made, expected, 1e-6)


def test_nothing_in_it() -> None:
    empty: Any = sparse.csr_array((2, 3))
    np.testing.assert_array_equal(anabranch.jit(lambda x: empty @ x)(X), [0.0, 0.0])


def test_what_is_refused() -> None:
    refused = partial(check_refused, (X,))
    x = UnsupportedError
    refused(lambda x: S @ x[:2], ShapeError, r"a sparse \(4, 3\) times a dense \(2,\)")
    refused(lambda x: S @ np.reshape(x, (3, 1, 1)), x, "a dense one of 3")
    old: Any = sparse.csr_matrix(D)
    refused(lambda x: old * x, ConcretizationError, "write A @ x instead")
