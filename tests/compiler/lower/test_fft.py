"""Fourier transforms of NumPy and SciPy: values, dtypes, gradients, refusals."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import scipy.fft

import anabranch as ab

RNG = np.random.default_rng(0)
REAL = RNG.normal(size=(3, 4, 5))
COMPLEX = REAL + 1j * RNG.normal(size=REAL.shape)

ONE = ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")
SEVERAL = [f"{op}{end}" for op in ONE for end in "2n"]
NORMS = (None, "backward", "ortho", "forward")


def argument(name: str) -> Any:
    """Real for those that want real numbers."""
    return REAL if name.startswith(("rfft", "ihfft")) else COMPLEX


def function_of(name: str) -> Any:
    """NumPy's; the Hermitian ones of several axes are SciPy's alone."""
    return getattr(np.fft, name, None) or getattr(scipy.fft, name)


def near(made: Any, expected: Any) -> None:
    assert made.dtype == expected.dtype
    rtol = 1e-12 if expected.dtype in (np.float64, np.complex128) else 2e-5
    np.testing.assert_allclose(made, expected, rtol, rtol * np.abs(expected).max())


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", ONE)
def test_along_one_axis(backend: str, name: str, norm: Any) -> None:
    function = getattr(np.fft, name)
    x = argument(name)
    for n, axis in ((None, -1), (None, 0), (4, 1), (7, 2), (1, 1), (3, -2)):

        def run(x: Any, n: Any = n, axis: int = axis) -> Any:
            return function(x, n, axis, norm)

        near(ab.jit(run, backend=backend)(x), run(x))


@pytest.mark.parametrize("name", SEVERAL)
def test_along_several_axes(backend: str, name: str) -> None:
    function = function_of(name)
    x = argument(name)
    options: list[dict[str, Any]] = [
        {},
        {"norm": "ortho"},
        {"axes": (0, 2), "norm": "forward"},
        {"s": (4, 3), "axes": (1, 0)},
        {"s": (2, 6), "axes": (-1, 0)},
    ]
    for given in options:

        def run(x: Any, given: Any = given) -> Any:
            return function(x, **given)

        near(ab.jit(run, backend=backend)(x), run(x))


@pytest.mark.parametrize("dtype", ["f4", "c8", "i4", "f8", "c16"])
def test_dtypes_are_numpys(backend: str, dtype: str) -> None:
    x = (5 * np.abs(REAL)).astype(dtype)
    for name in ("fft", "ifft", "irfft", *(("rfft",) if dtype[0] != "c" else ())):
        function = getattr(np.fft, name)
        near(ab.jit(function, backend=backend)(x), function(x))


@pytest.mark.parametrize("name", [*ONE, *SEVERAL])
def test_gradients_agree_with_differences(backend: str, name: str) -> None:
    """At both orders: the transform, and the size of its square."""
    x = argument(name)[0, :3, :4].copy()
    function = function_of(name)
    ab.check_grads(lambda x: function(x), (x,), backend=backend)
    ab.check_grads(
        lambda x: np.sum(np.abs(function(x)) ** 4), (x,), order=2, backend=backend
    )


def test_odd_and_even_lengths_of_real_transforms(backend: str) -> None:
    for size in (1, 2, 5, 6):
        x = REAL.ravel()[:size].copy()
        y = COMPLEX.ravel()[: size // 2 + 1].copy()
        ab.check_grads(lambda x: np.fft.rfft(x), (x,), backend=backend)
        ab.check_grads(lambda y, n=size: np.fft.irfft(y, n), (y,), backend=backend)


def test_the_shifts_and_the_frequencies(backend: str) -> None:
    for shift, axes in itertools.product(
        (np.fft.fftshift, np.fft.ifftshift), (None, 0, (1, 2), (-1,))
    ):

        def run(x: Any, shift: Any = shift, axes: Any = axes) -> Any:
            return shift(x, axes)

        near(ab.jit(run, backend=backend)(COMPLEX), run(COMPLEX))

    def low(x: Any) -> Any:
        return np.where(np.abs(np.fft.rfftfreq(x.size)) < 0.3, np.fft.rfft(x), 0)

    near(ab.jit(low, backend=backend)(REAL.ravel()), low(REAL.ravel()))


def test_transforms_of_scipy(backend: str) -> None:
    def run(x: Any) -> Any:
        y = scipy.fft.fft(x, axis=0, workers=1)
        z = scipy.fft.irfftn(scipy.fft.rfftn(x), s=x.shape)
        return y, z, scipy.fft.fftshift(scipy.fft.ifft2(y, norm="ortho"))

    for made, expected in zip(
        ab.jit(run, backend=backend)(REAL), run(REAL), strict=True
    ):
        near(made, expected)


def test_long_transforms_and_many_rows(backend: str) -> None:
    x = RNG.normal(size=(300, 257))

    def loss(x: Any) -> Any:
        return np.sum(np.abs(np.fft.rfft(x)) ** 2) + np.sum(np.abs(np.fft.fft(x.T)))

    value, gradient = ab.value_and_grad(loss, backend=backend)(x)
    np.testing.assert_allclose(value, loss(x))
    expected = ab.grad(loss, backend="reference")(x)
    np.testing.assert_allclose(gradient, expected, atol=1e-9)


def test_refusals() -> None:
    with pytest.raises(ValueError, match="norm='none'"):
        ab.jit(lambda x: np.fft.fft(x, norm="none"))(REAL)  # type: ignore[call-overload]
    with pytest.raises(ab.DomainError, match="transform of 0 numbers"):
        ab.jit(lambda x: np.fft.fft(x, 0))(REAL)
    with pytest.raises(ab.ShapeError, match="without axes"):
        ab.jit(lambda x: np.fft.fft(x))(np.float64(1))
    with pytest.raises(ab.DTypeError, match="takes real numbers"):
        ab.jit(lambda x: np.fft.rfft(x))(COMPLEX)
