"""Faddeeva's and Lambert's functions: derivatives in the complex plane."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import special

import anabranch
from tests.oracles.special_functions import mp

Z = np.array([0.3 + 0.2j, -1.0 + 0.5j, 2.0 - 0.3j, 0.0, 1e-9, 3.0j])


def lambertw(k: int) -> Any:
    return lambda z: special.lambertw(z, k)


CASES: dict[str, tuple[Any, Any, Any]] = {
    "wofz": (special.wofz, lambda z: mp.exp(-z * z) * mp.erfc(-1j * z), Z),
    "lambertw": (lambertw(0), lambda z: mp.lambertw(z), Z),
    "lambertw below": (lambertw(-1), lambda z: mp.lambertw(z, -1), Z[:3]),
    "lambertw above": (lambertw(2), lambda z: mp.lambertw(z, 2), Z[:3]),
    "lambertw real below": (
        lambertw(-1),
        lambda z: mp.lambertw(z, -1),
        np.array([-0.1, -0.3]) + 0j,
    ),
}


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("name", CASES)
def test_derivatives(name: str, order: int, backend: str) -> None:
    function, right, z = CASES[name]
    for _ in range(order):
        inner = function
        function = anabranch.grad(
            lambda z, f=inner: np.sum(f(z)), holomorphic=True, backend=backend
        )
    with mp.workdps(40):
        expected = [complex(mp.diff(right, mp.mpc(point), order)) for point in z]
    np.testing.assert_allclose(function(z), expected, 1e-9, 1e-12)


def test_numbers_of_64_bits_stay(backend: str) -> None:
    z = Z.astype(np.complex64)
    made = anabranch.jit(special.wofz, backend=backend)(z)
    np.testing.assert_array_equal(made, special.wofz(z))
    assert made.dtype == np.complex64


def test_losses_of_real_numbers() -> None:
    x = np.array([0.3, 1.0, 4.0])
    anabranch.check_grads(lambda x: np.sum(special.lambertw(x).real), (x,), order=2)
    anabranch.check_grads(
        lambda x, y: np.sum(np.sin(special.wofz(x + 1j * y)).imag),
        (x, x[::-1].copy()),
        order=2,
    )
