"""Differences, integrals and convolutions along an axis."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from ...ir.errors import DomainError, ShapeError
from ..tracing.lowerings import lowers
from ..tracing.running import as_array, dtype_of, find_trace
from ..tracing.trace import Trace
from .ufuncs import resolve

__all__: list[str] = []


def _floats(trace: Trace, x: Any) -> Any:
    """An array of floats: integers become float64."""
    x = as_array(trace.array(x))
    return x.astype(np.float64) if x.dtype.kind in "iu" else x


@lowers(np.ediff1d)
def _ediff1d(trace: Trace, ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    flat = as_array(np.reshape(trace.array(ary), -1))
    parts = [flat[1:] - flat[:-1]]
    for part, place in ((to_begin, 0), (to_end, len(parts))):
        if part is not None:
            end = as_array(np.reshape(trace.array(part), -1))
            if not np.can_cast(end.dtype, flat.dtype, "same_kind"):
                raise TypeError(f"dtype of {end.dtype} does not fit {flat.dtype}")
            parts.insert(place if place == 0 else len(parts), end.astype(flat.dtype))
    return np.concatenate(parts) if len(parts) > 1 else parts[0]


@lowers(np.trapezoid)
def _trapezoid(
    trace: Trace, y: Any, x: Any = None, dx: Any = 1.0, axis: Any = -1
) -> Any:
    y = trace.array(y)
    along = normalize_axis_index(axis, np.ndim(y))
    width: Any = dx
    if x is not None:
        x = trace.array(x)
        if np.ndim(x) == 1:
            lengths = [1] * np.ndim(y)
            lengths[along] = -1
            width = np.reshape(np.diff(x), lengths)
        else:
            width = np.diff(x, axis=along)
    lead = (slice(None),) * along
    both = y[(*lead, slice(1, None))] + y[(*lead, slice(None, -1))]
    return np.sum(width * both / 2.0, axis=along)


@lowers(np.gradient)
def _gradient(
    trace: Trace, f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1
) -> Any:
    f = _floats(trace, f)
    rank = np.ndim(f)
    axes = range(rank) if axis is None else normalize_axis_tuple(axis, rank)
    steps: list[Any]
    if not varargs:
        steps = [1.0] * len(axes)
    elif len(varargs) == 1 and np.ndim(varargs[0]) == 0:
        steps = [varargs[0]] * len(axes)
    elif len(varargs) == len(axes):
        pairs = zip(varargs, axes, strict=True)
        steps = [_steps(trace, step, f.shape[along]) for step, along in pairs]
    else:
        raise TypeError("invalid number of arguments")
    if edge_order not in (1, 2):
        raise DomainError("gradient: edge_order is 1 or 2")
    made = [
        np.moveaxis(
            _slope(np.moveaxis(f, along, -1), step, edge_order).astype(f.dtype),
            -1,
            along,
        )
        for along, step in zip(axes, steps, strict=True)
    ]
    return made[0] if len(made) == 1 else tuple(made)


def _steps(trace: Trace, places: Any, length: int) -> Any:
    """The distance between neighbours: one number where it is all the same."""
    if np.ndim(places) == 0:
        return places
    if np.ndim(places) != 1 or np.shape(places)[0] != length:
        raise ShapeError("gradient: the places along an axis are as many as it has")
    apart = np.diff(_floats(trace, places))
    known = find_trace(apart) is None
    return apart[0] if known and np.all(apart == apart[0]) else apart


def _slope(f: Any, step: Any, edge_order: int) -> Any:
    """Differences of second order inside, of ``edge_order`` at both ends."""
    if f.shape[-1] < edge_order + 1:
        raise ValueError(
            "Shape of array too small to calculate a numerical gradient, at least "
            "(edge_order + 1) elements are required."
        )
    a, b, c = f[..., :-2], f[..., 1:-1], f[..., 2:]
    uniform = np.ndim(step) == 0
    if uniform:
        inner = (c - a) / (2.0 * step)
        first, last = step, step
    else:
        one, two = step[:-1], step[1:]
        inner = (
            -two / (one * (one + two)) * a
            + (two - one) / (one * two) * b
            + one / (two * (one + two)) * c
        )
        first, last = step[0], step[-1]
    if edge_order == 1:
        start = (f[..., 1:2] - f[..., :1]) / first
        end = (f[..., -1:] - f[..., -2:-1]) / last
    else:
        second, before = (step, step) if uniform else (step[1], step[-2])
        start = _edge(f[..., :1], f[..., 1:2], f[..., 2:3], first, second)
        end = -_edge(f[..., -1:], f[..., -2:-1], f[..., -3:-2], last, before)
    return np.concatenate((start, inner, end), axis=-1)


def _edge(f: Any, next: Any, other: Any, one: Any, two: Any) -> Any:
    """The slope at an end, from it and its two neighbours at distances one and two."""
    return (
        -(2.0 * one + two) / (one * (one + two)) * f
        + (one + two) / (one * two) * next
        - one / (two * (one + two)) * other
    )


@lowers(np.unwrap)
def _unwrap(
    trace: Trace,
    p: Any,
    discont: Any = None,
    axis: Any = -1,
    *,
    period: Any = 2 * np.pi,
) -> Any:
    p = trace.array(p)
    rise = as_array(np.diff(p, axis=axis))
    discont = period / 2 if discont is None else discont
    whole = np.result_type(rise.dtype, period).kind in "iu"
    high, rest = divmod(period, 2) if whole else (period / 2, 0)
    turned = np.remainder(rise + high, period) - high
    if rest == 0:
        up = np.logical_and(np.equal(turned, -high), rise > 0)
        turned = np.where(up, high, turned)
    shift = np.where(np.abs(rise) < discont, np.zeros((), rise.dtype), turned - rise)
    lead = (slice(None),) * normalize_axis_index(axis, np.ndim(p))
    first, others = p[(*lead, slice(1))], p[(*lead, slice(1, None))]
    moved = others + np.cumsum(shift, axis)
    return np.concatenate((first.astype(dtype_of(moved)), moved), axis=axis)


_MODES = {0: "valid", 1: "same", 2: "full"}


def _part(whole: Any, mode: Any, long: int, short: int, start: int) -> Any:
    """What a mode keeps of all sums of products."""
    mode = _MODES.get(mode, mode) if isinstance(mode, int) else mode
    if mode == "full":
        return whole
    if mode == "valid":
        return whole[short - 1 : long]
    if mode == "same":
        return whole[start : start + long]
    raise ValueError("mode must be one of 'valid', 'same', or 'full'")


def _all_products(trace: Trace, a: Any, v: Any) -> Any:
    """The convolution at each place where the rows meet; ``v`` is not the longer."""
    for name, row in (("a", a), ("v", v)):
        if np.ndim(row) > 1:
            raise ValueError("object too deep for desired array")
        if np.shape(row) == (0,):
            raise ValueError(f"{name} cannot be empty")
    bools = {dtype_of(a), dtype_of(v)} == {np.dtype(bool)}
    to = "bool" if bools else resolve(np.multiply, a, v)[-1]
    b = trace.builder
    x, y = trace.node(np.reshape(a, -1), to), trace.node(np.reshape(v, -1)[::-1], to)
    count, edge = x.type.size, y.type.size - 1
    padded = trace.node(np.pad(trace.wrap(x), edge))
    padded = b.reshape(padded, (1, 1, count + 2 * edge))
    if x.type.is_float:
        kernel = b.reshape(y, (1, 1, edge + 1))
        made = b.conv(padded, kernel, stride=(1,))
        return trace.wrap(b.reshape(made, (count + edge,)))
    views = b.windows(padded, size=(edge + 1,), stride=(1,))
    rows = trace.wrap(b.reshape(views, (count + edge, edge + 1)))
    return np.matmul(rows, trace.wrap(y))


@lowers(np.convolve)
def _convolve(trace: Trace, a: Any, v: Any, mode: Any = "full") -> Any:
    a, v = np.atleast_1d(trace.array(a)), np.atleast_1d(trace.array(v))
    if np.shape(a)[0] < np.shape(v)[0]:
        a, v = v, a
    long, short = np.shape(a)[0], np.shape(v)[0]
    whole = _all_products(trace, a, v)
    return _part(whole, mode, long, short, short - 1 - short // 2)


@lowers(np.correlate)
def _correlate(trace: Trace, a: Any, v: Any, mode: Any = "valid") -> Any:
    """A convolution with the conjugate of the second row, reversed."""
    a, v = np.atleast_1d(trace.array(a)), np.atleast_1d(trace.array(v))[::-1]
    v = np.conj(v) if dtype_of(v).kind == "c" else v
    n, m = np.shape(a)[0], np.shape(v)[0]
    if n < m:
        return _part(_all_products(trace, v, a), mode, m, n, n // 2)
    return _part(_all_products(trace, a, v), mode, n, m, m - 1 - m // 2)
