"""Fourier transforms of `numpy.fft` and `scipy.fft`: several axes are one by one."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ...ir.errors import DomainError, DTypeError, ShapeError
from ...ir.graph import Node
from ...ir.types import COMPLEX_OF
from ..tracing.lowerings import lowers, lowers_in
from ..tracing.trace import Trace
from .shapes import as_ints

_SWAPPED = {None: "forward", "backward": "forward", "forward": "backward"}


def _scale(norm: str | None, size: int, forward: bool) -> float:
    """What a transform of so many numbers is multiplied with."""
    if norm not in (None, "backward", "ortho", "forward"):
        message = f"norm={norm!r} is none of 'backward', 'ortho' and 'forward'"
        raise ValueError(message)
    if norm == "ortho":
        return 1 / math.sqrt(size)
    return 1 / size if (norm == "forward") == forward else 1.0


def _scaled(trace: Trace, node: Node, scale: float) -> Node:
    if scale == 1:
        return node
    b = trace.builder
    if not node.type.is_complex:
        return b.mul(node, b.like(node, scale))
    parts = (b.real(node), b.imag(node))
    return b.complex(*(b.mul(part, b.like(part, scale)) for part in parts))


def _part_dtype(x: Any) -> str:
    """The dtype of the parts: NumPy's transforms keep single precision."""
    return "f32" if x.dtype in (np.float32, np.complex64) else "f64"


def sized(x: Any, size: int, axis: int) -> Any:
    """``x`` cut off, or with zeros behind it, to ``size`` along an axis."""
    if size < 1:
        raise DomainError(f"a Fourier transform of {size} numbers has no meaning")
    have = x.shape[axis]
    if have == size:
        return x
    if have > size:
        return x[(*(slice(None),) * axis, slice(size))]
    widths = [(0, size - have if i == axis else 0) for i in range(x.ndim)]
    return np.pad(x, widths)


def _along(trace: Trace, op: str, a: Any, n: Any, axis: int, norm: str | None) -> Any:
    """One transform along one axis; ``n`` is how many numbers the longer side has."""
    x = trace.array(a)
    if x.ndim == 0:
        raise ShapeError(f"{op}: an array without axes has no Fourier transform")
    axis = normalize_axis_index(axis, x.ndim)
    real_result = op == "irfft"
    length = 2 * (x.shape[axis] - 1) if real_result else x.shape[axis]
    size = length if n is None else operator.index(n)
    x = sized(x, size // 2 + 1 if real_result else size, axis)
    part = _part_dtype(x)
    if op == "rfft" and x.dtype.kind == "c":
        raise DTypeError("rfft: takes real numbers", hint="use fft, or pass x.real")
    node = trace.node(x, part if op == "rfft" else COMPLEX_OF[part])
    b, last = trace.builder, x.ndim - 1
    order = [*(i for i in range(x.ndim) if i != axis), axis]
    attrs = {"size": size} if real_result else {}
    moved = getattr(b, op)(b.transpose(node, order), **attrs)
    made = b.transpose(moved, [order.index(i) for i in range(last + 1)])
    forward = op in ("fft", "rfft")
    return trace.wrap(_scaled(trace, made, _scale(norm, size, forward)))


def _hermitian(trace: Trace, a: Any, n: Any, axis: int, norm: str | None) -> Any:
    """``hfft``: of frequencies that are conjugates of each other."""
    turned = np.conjugate(trace.array(a))
    return _along(trace, "irfft", turned, n, axis, _SWAPPED.get(norm, norm))


def _inverse_hermitian(
    trace: Trace, a: Any, n: Any, axis: int, norm: str | None
) -> Any:
    return np.conjugate(_along(trace, "rfft", a, n, axis, _SWAPPED.get(norm, norm)))


def _sizes_and_axes(
    x: Any, s: Any, axes: Any, last_is_real: bool
) -> tuple[list[Any], list[int]]:
    """How many numbers each axis has, and the axes; those not given are the last."""
    if s is None:
        axes = range(x.ndim) if axes is None else as_ints(axes)
        sizes: list[Any] = [x.shape[axis] for axis in axes]
        if last_is_real and sizes:
            sizes[-1] = 2 * (sizes[-1] - 1)
    else:
        sizes = list(as_ints(s))
        axes = range(-len(sizes), 0) if axes is None else as_ints(axes)
    axes = [normalize_axis_index(axis, x.ndim) for axis in axes]
    if len(axes) != len(sizes):
        raise ShapeError(f"{len(sizes)} sizes for {len(axes)} axes to transform along")
    pairs = zip(sizes, axes, strict=True)
    return [x.shape[axis] if size == -1 else size for size, axis in pairs], axes


def _along_several(
    trace: Trace, op: str, a: Any, s: Any, axes: Any, norm: str | None
) -> Any:
    """One axis after the other; a real transform is real along the last of them."""
    inner = {"rfft": "fft", "irfft": "ifft"}.get(op, op)
    x = trace.array(a)
    sizes, along = _sizes_and_axes(x, s, axes, op == "irfft")
    pairs = list(zip(sizes, along, strict=True))
    if not pairs:
        return trace.wrap(trace.node(x, COMPLEX_OF[_part_dtype(x)]))
    if op == "rfft":
        x = _along(trace, op, x, *pairs.pop(), norm)
    first = pairs[:-1] if op == "irfft" else pairs[::-1]
    for size, axis in first:
        x = _along(trace, inner, x, size, axis, norm)
    return _along(trace, op, x, *pairs[-1], norm) if op == "irfft" else x


def _hermitian_several(
    trace: Trace, a: Any, s: Any, axes: Any, norm: str | None
) -> Any:
    turned = np.conjugate(trace.array(a))
    return _along_several(trace, "irfft", turned, s, axes, _SWAPPED.get(norm, norm))


def _inverse_hermitian_several(
    trace: Trace, a: Any, s: Any, axes: Any, norm: str | None
) -> Any:
    made = _along_several(trace, "rfft", a, s, axes, _SWAPPED.get(norm, norm))
    return np.conjugate(made)


def _register(name: str, transform: Callable[..., Any]) -> None:
    """Register a transform along one axis under the names that both libraries use."""

    def numpys(
        trace: Trace, a: Any, n: Any = None, axis: int = -1, norm: str | None = None
    ) -> Any:
        return transform(trace, a, n, axis, norm)

    def scipys(
        trace: Trace,
        x: Any,
        n: Any = None,
        axis: int = -1,
        norm: str | None = None,
        overwrite_x: bool = False,
        workers: Any = None,
        plan: Any = None,
    ) -> Any:
        return transform(trace, x, n, axis, norm)

    lowers(getattr(np.fft, name))(numpys)
    lowers_in("scipy.fft", name)(scipys)


def _register_several(
    name: str, transform: Callable[..., Any], last: tuple[int, ...] | None
) -> None:
    """Likewise along several axes, by default the ``last`` ones, or all."""

    def numpys(
        trace: Trace, a: Any, s: Any = None, axes: Any = last, norm: str | None = None
    ) -> Any:
        return transform(trace, a, s, axes, norm)

    def scipys(
        trace: Trace,
        x: Any,
        s: Any = None,
        axes: Any = last,
        norm: str | None = None,
        overwrite_x: bool = False,
        workers: Any = None,
        plan: Any = None,
    ) -> Any:
        return transform(trace, x, s, axes, norm)

    if hasattr(np.fft, name):  # the Hermitian ones are SciPy's alone
        lowers(getattr(np.fft, name))(numpys)
    lowers_in("scipy.fft", name)(scipys)


def _transform(op: str) -> Callable[..., Any]:
    return lambda trace, a, n, axis, norm: _along(trace, op, a, n, axis, norm)


def _transform_several(op: str) -> Callable[..., Any]:
    return lambda trace, a, s, axes, norm: _along_several(trace, op, a, s, axes, norm)


for _op in ("fft", "ifft", "rfft", "irfft"):
    _register(_op, _transform(_op))
    _register_several(f"{_op}2", _transform_several(_op), (-2, -1))
    _register_several(f"{_op}n", _transform_several(_op), None)
_register("hfft", _hermitian)
_register("ihfft", _inverse_hermitian)
for _name, _several in (
    ("hfft", _hermitian_several),
    ("ihfft", _inverse_hermitian_several),
):
    _register_several(f"{_name}2", _several, (-2, -1))
    _register_several(f"{_name}n", _several, None)


def _shift(sign: int) -> Callable[..., Any]:
    """Half of each axis to the other end."""

    def lower(trace: Trace, x: Any, axes: Any = None) -> Any:
        x = trace.array(x)
        axes = range(x.ndim) if axes is None else np.ravel(axes).tolist()
        by = [sign * (x.shape[axis] // 2) for axis in axes]
        return np.roll(x, by, tuple(axes)) if by else x

    return lower


for _name, _sign in (("fftshift", 1), ("ifftshift", -1)):
    # SciPy's are NumPy's own in some versions, and then found by either name.
    lowers_in("scipy.fft", _name)(_shift(_sign))
    lowers(getattr(np.fft, _name))(_shift(_sign))
