"""Fourier transforms along the last axis, none of them scaled.

    fft    y[k] = sum over j of x[j] e^(-2 pi i j k / n)
    ifft   the same with +
    rfft   the first n // 2 + 1 of fft, of a real x
    irfft  ifft of the n numbers of which these are the first, conjugates behind them

Each is linear, and its adjoint is one of the others: that of fft is ifft. The inner
frequencies of a real transform stand for two, so ``irfft`` counts them twice. The
imaginary parts of the outer ones count as 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..types import COMPLEX_OF, TensorType
from .mapped import stacked
from .spec import INT, OpDef, register, require, require_dtype

if TYPE_CHECKING:
    from ..builder import Builder
    from ..graph import Node

__all__ = ["FFT", "IFFT", "IRFFT", "RFFT"]


def _check(name: str, x: TensorType, is_complex: bool) -> None:
    fits = x.is_complex if is_complex else x.is_float
    kind = "complex numbers" if is_complex else "floats"
    require_dtype(fits, name, f"takes {kind}, not {x}")
    require(x.rank > 0 and x.shape[-1] > 0, name, f"no numbers along an axis of {x}")


def _fft_type(x: TensorType) -> TensorType:
    _check("fft", x, is_complex=True)
    return x


def _ifft_type(x: TensorType) -> TensorType:
    _check("ifft", x, is_complex=True)
    return x


def _rfft_type(x: TensorType) -> TensorType:
    _check("rfft", x, is_complex=False)
    shape = (*x.shape[:-1], x.shape[-1] // 2 + 1)
    return x.with_dtype(COMPLEX_OF[x.dtype]).with_shape(shape)


def _irfft_type(x: TensorType, *, size: int) -> TensorType:
    _check("irfft", x, is_complex=True)
    fits = size > 0 and x.shape[-1] == size // 2 + 1
    require(fits, "irfft", f"{x} has not the frequencies of {size} numbers")
    return x.part.with_shape((*x.shape[:-1], size))


def _ifft(x: Any) -> Any:
    return np.fft.ifft(x, norm="forward")


def _irfft(x: Any, *, size: int) -> Any:
    return np.fft.irfft(x, size, norm="forward")


def _weighted(b: Builder, x: Node, size: int, inner: float) -> Node:
    """Frequencies with those that stand for two times ``inner``."""
    count = x.type.shape[-1]
    outer = b.full(TensorType("bool", (count,)), False)
    for place in [0] if size % 2 else [0, count - 1]:
        there = b.full(TensorType("bool", (1,)), True)
        outer = b.update(outer, there, start=(place,), step=(1,))
    rest = b.full(TensorType(x.type.part.dtype, (count,)), inner)
    weights = b.select(outer, b.like(rest, 1.0), rest)
    spread = b.broadcast(weights, x.type.part)
    return b.complex(b.mul(b.real(x), spread), b.mul(b.imag(x), spread))


def _rfft_adjoint(b: Builder, n: Node, g: Node, x: Node) -> tuple[Node]:
    size = x.type.shape[-1]
    return (b.irfft(_weighted(b, g, size, 0.5), size=size),)


def _irfft_adjoint(b: Builder, n: Node, g: Node, x: Node, *, size: int) -> tuple[Node]:
    return (_weighted(b, b.rfft(g), size, 2.0),)


FFT = register(
    OpDef(
        "fft",
        1,
        _fft_type,
        np.fft.fft,
        lambda b, n, g, x: (b.ifft(g),),
        linear=((0,),),
        vmap=stacked,
    )
)
IFFT = register(
    OpDef(
        "ifft",
        1,
        _ifft_type,
        _ifft,
        lambda b, n, g, x: (b.fft(g),),
        linear=((0,),),
        vmap=stacked,
    )
)
RFFT = register(
    OpDef(
        "rfft", 1, _rfft_type, np.fft.rfft, _rfft_adjoint, linear=((0,),), vmap=stacked
    )
)
IRFFT = register(
    OpDef(
        "irfft",
        1,
        _irfft_type,
        _irfft,
        _irfft_adjoint,
        {"size": INT},
        linear=((0,),),
        vmap=stacked,
    )
)
