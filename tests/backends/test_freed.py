"""Memory that is kept between calls, and complex numbers in lanes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from anabranch import jit
from anabranch.backends.llvm.run import freed


@pytest.mark.parametrize(("n", "expected"), [(2**10, False), (2**16, True)])
def test_large_plans_keep_what_is_freed(
    monkeypatch: pytest.MonkeyPatch, n: int, expected: bool
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(freed, "_keep", lambda: asked.append(n))
    x = np.random.default_rng(0).normal(size=n)
    found = jit(lambda x: np.sum(np.abs(np.fft.rfft(x))))(x)
    np.testing.assert_allclose(found, np.sum(np.abs(np.fft.rfft(x))))
    assert bool(asked) == expected


@pytest.mark.parametrize("n", [1, 7, 64, 101])
@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_parts_of_complex_numbers_are_loaded_side_by_side(n: int, dtype: str) -> None:
    """Their stride is part of the kernel, alone and beside others, in rows too."""
    rng = np.random.default_rng(n)
    z = (rng.normal(size=(3, n)) + 1j * rng.normal(size=(3, n))).astype(dtype)
    w = rng.normal(size=n).astype(np.dtype(dtype).char.lower())

    def function(z: Any, w: Any) -> Any:
        return z * w + z.conj(), np.sum(z.imag * w, axis=0), z[:, ::2].real * 2

    compiled = jit(function)
    for one, other in zip(compiled(z, w), function(z, w), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    assert n == 1 or " * 2]" in compiled.inspect_source()
