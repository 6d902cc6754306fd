"""Cosine and sine transforms in traced functions: SciPy's numbers, and gradients."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from scipy import fft

import anabranch
from anabranch.ir.errors import DomainError, DTypeError

transforms: Any = fft
NAMES = ("dct", "idct", "dst", "idst")
NORMS = (None, "ortho", "forward")
RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _drawn_anew() -> None:
    """Each test draws the same numbers, whatever ran before it."""
    RNG.bit_generator.state = np.random.default_rng(0).bit_generator.state


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_values_are_scipys(name: str, dtype: Any) -> None:
    """Of all types and norms, of an even, an odd and a small number."""
    transform = getattr(transforms, name)
    for size in (8, 5, 2):
        x = RNG.standard_normal((3, size)).astype(dtype)

        def all_of(x: Any) -> Any:
            return [
                transform(x, type=kind, norm=norm)
                for kind, norm in product((1, 2, 3, 4), NORMS)
            ]

        for made, expected in zip(anabranch.jit(all_of)(x), all_of(x), strict=True):
            assert made.dtype == expected.dtype
            near = 1e-5 if dtype == np.float32 else 1e-13
            np.testing.assert_allclose(made, expected, near, near)


CASES: dict[str, Any] = {
    "one number": lambda x: transforms.dct(x[:1, 0]) + transforms.dst(x[:1, 0]),
    "padded": lambda x: transforms.dct(x, n=9),
    "cut off": lambda x: transforms.dst(x, 3, n=2, axis=0),
    "another axis": lambda x: transforms.idct(x, 1, axis=0),
    "orthogonal ends": lambda x: transforms.dct(x, orthogonalize=True),
    "dctn": lambda x: transforms.dctn(x, norm="ortho"),
    "idctn of a shape": lambda x: transforms.idctn(x, s=(4, 3)),
    "dstn of one axis": lambda x: transforms.dstn(x, axes=(0,)),
    "idstn": lambda x: transforms.idstn(x, 4),
}


@pytest.mark.parametrize("name", CASES)
def test_other_arguments(name: str, backend: str) -> None:
    x = RNG.standard_normal((3, 5))
    made = anabranch.jit(CASES[name], backend=backend)(x)
    np.testing.assert_allclose(made, CASES[name](x), 1e-12, 1e-13)


@pytest.mark.parametrize("name", NAMES)
def test_gradients(name: str) -> None:
    transform = getattr(transforms, name)
    x = RNG.standard_normal((2, 5))
    for kind in (1, 2, 3, 4):
        anabranch.check_grads(
            lambda x, kind=kind: np.sum(np.sin(transform(x, kind, norm="ortho"))),
            (x,),
            order=2,
        )


def test_what_is_refused() -> None:
    x = np.ones(3)
    with pytest.raises(ValueError, match="invalid type 5"):
        anabranch.jit(lambda x: fft.dct(x, type=5))(x)
    with pytest.raises(DTypeError, match="takes real numbers"):
        anabranch.jit(lambda x: fft.dct(x))(x + 0j)
    with pytest.raises(DomainError, match="size < 2"):
        anabranch.jit(lambda x: fft.dct(x[:1], type=1))(x)
    with pytest.raises(ValueError, match="norm='some'"):
        anabranch.jit(lambda x: transforms.dct(x, norm="some"))(x)
