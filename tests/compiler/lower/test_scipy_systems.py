"""Systems, pseudo-inverses and eigenvalues of `scipy.linalg`: values and gradients."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
import scipy.linalg

import anabranch
from anabranch.ir.errors import ShapeError, UnsupportedError
from tests.compiler.everyday import check_refused

sl: Any = scipy.linalg
RNG = np.random.default_rng(3)
A = RNG.standard_normal((3, 3)) / 3 + np.eye(3)
TURN = 1j * RNG.standard_normal((3, 3))
Q = RNG.standard_normal((3, 3))

CASES: dict[str, Any] = {
    "norm": lambda a: (sl.norm(a), sl.norm(a, 1, axis=0, keepdims=True)),
    "pinv": lambda a: (sl.pinv(a[:, :2]), sl.pinv(a, rtol=1e-9)),
    "pinvh": lambda a: sl.pinvh(a @ a.conj().T),
    "pinvh by the upper triangle": lambda a: sl.pinvh(a @ a.conj().T, lower=False),
    "lstsq": lambda a: sl.lstsq(a[:, :2], a[:, 2])[0],
    "eig": lambda a: np.sum(sl.eig(a)[0] ** 3),
    "eig by values": lambda a: np.sum(sl.eig(a, right=False) ** 3),
    "eigvals": lambda a: np.sum(sl.eigvals(a) ** 2),
    "continuous": lambda a: sl.solve_continuous_lyapunov(a, Q + a),
    "discrete": lambda a: sl.solve_discrete_lyapunov(a / 4, Q + a),
    "bilinear": lambda a: sl.solve_discrete_lyapunov(a / 4, Q, method="bilinear"),
    "toeplitz": lambda a: sl.solve_toeplitz(a[0] + np.array([3, 0, 0]), a),
    "toeplitz of two": lambda a: sl.solve_toeplitz((a[0] * [5, 1, 1], a[1]), a[2]),
    "circulant": lambda a: sl.solve_circulant(a[0] + np.array([3, 0, 0]), a),
    "khatri_rao": lambda a: sl.khatri_rao(a, a[:2]),
    **{
        f"convolution_matrix {mode}": lambda a, mode=mode: (
            sl.convolution_matrix(a[0], 4, mode),
            sl.convolution_matrix(a[0], 2, mode),
        )
        for mode in ("full", "same", "valid")
    },
    **{
        name: lambda a, name=name: getattr(sl, name)(a / 2)
        for name in ("cosm", "sinm", "tanm", "coshm", "sinhm", "tanhm")
    },
    "expm_frechet": lambda a: sl.expm_frechet(a, Q),
    "frechet alone": lambda a: sl.expm_frechet(Q, a, compute_expm=False),
}


@pytest.mark.parametrize("name", CASES)
def test_values(same: Any, name: str) -> None:
    same(CASES[name], A, rtol=1e-10)
    same(CASES[name], A + TURN, rtol=1e-10)


@pytest.mark.parametrize("name", [*CASES][::2])
def test_gradients(name: str) -> None:
    anabranch.check_grads(CASES[name], (A,), order=1)


def test_dtypes_of_narrow_numbers(same: Any) -> None:
    a = A.astype("f4")
    for name in ("norm", "pinv", "continuous", "circulant", "khatri_rao", "tanhm"):
        same(CASES[name], a, rtol=1e-4)
    same(lambda a: sl.lstsq(a[:, :2], a)[3], A, rtol=1e-14)


@pytest.mark.parametrize("dtype", ["f4", "f8", "c8", "c16"])
def test_what_counts_as_0_is_a_matter_of_precision(same: Any, dtype: str) -> None:
    a = np.array([[1.0, 0.0], [0.0, 1e-9], [0.0, 0.0]], dtype)
    same(lambda a: np.int64(sl.lstsq(a, a[:, 0])[2]), a)


def test_what_is_refused() -> None:
    refused = partial(check_refused, (A,))
    no = UnsupportedError
    refused(lambda a: sl.pinv(a, atol=0.1), no, "the argument atol=")
    refused(lambda a: sl.eig(a, a), no, "the argument b=")
    refused(lambda a: sl.solve_circulant(a[0], a, baxis=1), no, "the argument baxis=")
    refused(lambda a: sl.solve_circulant(a, a), ShapeError, "solve_circulant")
    refused(lambda a: sl.khatri_rao(a, a[:, :2]), ShapeError, "khatri_rao")
    refused(
        lambda a: sl.solve_discrete_lyapunov(a, a, "x"), ValueError, "direct or bili"
    )
