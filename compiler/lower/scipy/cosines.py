"""Cosine and sine transforms of `scipy.fft`, by Fourier transforms of longer rows.

Types 1 to 4 as SciPy defines them. With x even or odd beyond its ends the sums are
those of a Fourier transform: Makhoul, "A fast cosine transform in one and two
dimensions", IEEE Transactions on Acoustics, Speech and Signal Processing 28, 1980.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ....ir.errors import DomainError, DTypeError
from ...tracing.lowerings import lowers_in
from ...tracing.trace import Trace
from ..fft import sized

__all__: list[str] = []

MODULE = "scipy.fft"
_INVERSE = {1: 1, 2: 3, 3: 2, 4: 4}


def _turns(x: Any, angles: Any) -> Any:
    """``exp(-i angles)`` in the precision of x."""
    made = np.exp(-1j * np.asarray(angles))
    return made.astype(np.complex64) if x.dtype == np.float32 else made


def _long(x: Any, size: int) -> Any:
    """The first frequencies of rows with as many zeros behind them."""
    return np.fft.fft(x, 2 * size)[..., :size]


def _cosines(x: Any, kind: int) -> Any:
    """Of rows, without scaling."""
    size = np.shape(x)[-1]
    k = np.arange(size)
    if kind == 1:
        even = np.concatenate([x, x[..., -2:0:-1]], axis=-1)
        return np.real(np.fft.fft(even))[..., :size]
    if kind == 2:
        even = np.concatenate([x, x[..., ::-1]], axis=-1)
        turned = np.fft.fft(even)[..., :size] * _turns(x, math.pi / (2 * size) * k)
        return np.real(turned)
    turned = x * _turns(x, math.pi / (2 * size) * k)
    if kind == 3:
        return 2 * np.real(_long(turned, size)) - x[..., :1]
    last = _turns(x, math.pi / (4 * size) * (2 * k + 1))
    return 2 * np.real(_long(turned, size) * last)


def _sines(x: Any, kind: int) -> Any:
    size = np.shape(x)[-1]
    if kind == 1:
        zero = np.zeros_like(x[..., :1])
        odd = np.concatenate([zero, x, zero, -x[..., ::-1]], axis=-1)
        return -np.imag(np.fft.fft(odd))[..., 1 : size + 1]
    signs = ((-1.0) ** np.arange(size)).astype(x.dtype)
    if kind == 2:
        return _cosines(x * signs, 2)[..., ::-1]
    return _cosines(x[..., ::-1], kind) * signs


def _weights(size: int, places: tuple[int, ...], weight: float, dtype: Any) -> Any:
    made = np.ones(size, dtype)
    made[list(places)] = weight
    return made


# Where orthogonal transforms have another weight: in front of them, behind them.
_ENDS: dict[tuple[str, int], tuple[tuple[int, ...], tuple[int, ...]]] = {
    ("c", 1): ((0, -1), (0, -1)),
    ("c", 2): ((), (0,)),
    ("c", 3): ((0,), ()),
    ("s", 2): ((), (-1,)),
    ("s", 3): ((-1,), ()),
}


def _rows(
    x: Any, letter: str, kind: int, norm: str | None, orthogonalize: Any, forward: bool
) -> Any:
    if norm not in (None, "backward", "ortho", "forward"):
        message = f"norm={norm!r} is none of 'backward', 'ortho' and 'forward'"
        raise ValueError(message)
    kind = kind if forward else _INVERSE[kind]
    size = np.shape(x)[-1]
    if letter == "c" and kind == 1 and size < 2:
        raise DomainError("DCT-I is not defined for size < 2")
    whole = 2 * (size + {1: -1 if letter == "c" else 1}.get(kind, 0))
    orthogonal = norm == "ortho" if orthogonalize is None else orthogonalize
    before, behind = _ENDS.get((letter, kind), ((), ())) if orthogonal else ((), ())
    x = x * _weights(size, before, math.sqrt(2), x.dtype) if before else x
    made = (_cosines if letter == "c" else _sines)(x, kind)
    if behind:
        made = made * _weights(size, behind, math.sqrt(0.5), x.dtype)
    if norm == "ortho":
        return made * (1 / math.sqrt(whole))
    return made * (1 / whole) if (norm == "forward") == forward else made


def _along(
    trace: Trace,
    letter: str,
    forward: bool,
    x: Any,
    type_: Any,
    n: Any,
    axis: int,
    norm: str | None,
    orthogonalize: Any,
) -> Any:
    kind = operator.index(type_)
    if kind not in _INVERSE:
        raise ValueError(f"invalid type {kind}, there are 1 to 4")
    x = trace.array(x)
    if x.dtype.kind == "c":
        raise DTypeError(
            f"d{letter}t: takes real numbers", hint="transform z.real and z.imag"
        )
    x = x if x.dtype == np.float32 else x.astype(np.float64)
    axis = normalize_axis_index(axis, x.ndim)
    size = x.shape[axis] if n is None else operator.index(n)
    rows = np.moveaxis(sized(x, size, axis), axis, -1)
    made = _rows(rows, letter, kind, norm, orthogonalize, forward)
    return np.moveaxis(made, -1, axis)


def _register(letter: str, forward: bool) -> None:
    name = f"{'' if forward else 'i'}d{letter}t"

    @lowers_in(MODULE, name)
    def one(
        trace: Trace,
        x: Any,
        type: Any = 2,
        n: Any = None,
        axis: int = -1,
        norm: str | None = None,
        overwrite_x: bool = False,
        workers: Any = None,
        orthogonalize: Any = None,
    ) -> Any:
        return _along(trace, letter, forward, x, type, n, axis, norm, orthogonalize)

    @lowers_in(MODULE, f"{name}n")
    def several(
        trace: Trace,
        x: Any,
        type: Any = 2,
        s: Any = None,
        axes: Any = None,
        norm: str | None = None,
        overwrite_x: bool = False,
        workers: Any = None,
        *,
        orthogonalize: Any = None,
    ) -> Any:
        x = trace.array(x)
        if axes is None:
            axes = range(-np.size(s), 0) if s is not None else range(x.ndim)
        axes = np.ravel(axes).tolist()
        sizes = [None] * len(axes) if s is None else np.ravel(s).tolist()
        for axis, n in zip(axes, sizes, strict=True):
            x = _along(trace, letter, forward, x, type, n, axis, norm, orthogonalize)
        return x


for _letter in "cs":
    _register(_letter, forward=True)
    _register(_letter, forward=False)
