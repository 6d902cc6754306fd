"""No function takes a complex number for its real part."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.integrate
import scipy.linalg
import scipy.ndimage

import anabranch as ab


def _matrix() -> Any:
    rng = np.random.default_rng(3)
    return rng.normal(size=(3, 3)) + 1j * rng.normal(size=(3, 3))


@pytest.mark.parametrize(
    "function",
    [
        lambda z: np.cov(z),
        lambda z: np.cov(z[0], z[1]),
        lambda z: np.corrcoef(z),
        lambda z: np.correlate(z[0], z[1, :2], "full"),
        lambda z: np.correlate(z[0, :2], z[1], "full"),
        lambda z: scipy.linalg.toeplitz(z[0]),
    ],
)
def test_conjugates_within_functions(function: Any) -> None:
    z = _matrix()
    for backend in ("reference", "llvm"):
        made = ab.jit(function, backend=backend)(z)
        np.testing.assert_allclose(made, function(z), rtol=1e-12, atol=1e-12)
    ab.check_grads(lambda z: np.sum(np.abs(function(z)) ** 2), (z,))


@pytest.mark.parametrize(
    "function",
    [
        lambda z: np.linalg.solve(z.real, z[0]),
        lambda z: np.linalg.eigvalsh(z),
        lambda z: np.linalg.norm(z, 2),
        lambda z: scipy.linalg.solve_triangular(z, z[0]),
        lambda z: scipy.linalg.lu(z),
        lambda z: scipy.integrate.simpson(z),
        lambda z: scipy.ndimage.convolve(z[0], z[1].real),
        lambda z: np.interp(z.real, [0.0, 1.0], z[0, :2]),
        lambda z: np.nanmean(z),
    ],
)
def test_no_imaginary_part_is_lost_unasked(function: Any) -> None:
    """Right, or refused; never the result of the real parts alone."""
    z = _matrix()
    try:
        made = ab.jit(function)(z)
    except ab.DTypeError:
        return
    np.testing.assert_allclose(made, function(z), rtol=1e-12)
