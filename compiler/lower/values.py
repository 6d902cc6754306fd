"""Functions that choose, fill and round, and those that ask for a shape."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ...ir.errors import ShapeError
from ...ir.types import dtype_name
from ..tracing.lowerings import lowers
from ..tracing.running import is_traced
from ..tracing.trace import Trace
from .complex import with_imaginary
from .integers import bound, fitted, wrapped
from .shapes import as_ints
from .ufuncs import UNSET, broadcast_nodes, reject, resolve


@lowers(np.where)
def _where(trace: Trace, condition: Any, x: Any = None, y: Any = None) -> Any:
    if x is None and y is None:
        return np.nonzero(condition)
    if x is None or y is None:
        raise ValueError("either both or neither of x and y should be given")
    dtype = resolve(np.add, x, y)[-1] if _not_bool(x, y) else "bool"
    b = trace.builder
    mask = trace.node(trace.array(condition), "bool")
    values = [trace.node(wrapped(trace.array(v), dtype), dtype) for v in (x, y)]
    return trace.wrap(b.select(*broadcast_nodes(trace, mask, *values)))


@lowers(np.select)
def _select(trace: Trace, condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    """The first choice whose condition holds."""
    if len(condlist) != len(choicelist) or not condlist:
        raise ShapeError("select: as many conditions as choices, at least one")
    choices = [trace.array(choice) for choice in (*choicelist, default)]
    to = np.result_type(*(_stand_in(choice) for choice in choices))
    name = dtype_name(to)
    values = [trace.wrap(trace.node(wrapped(c, name), name)) for c in choices]
    chosen = values.pop()
    for condition, choice in zip(condlist[::-1], values[::-1], strict=True):
        chosen = np.where(condition, choice, chosen)
    return chosen


def _not_bool(*values: Any) -> bool:
    return any(np.dtype(getattr(v, "dtype", type(v))) != bool for v in values)


@lowers(np.clip)
def _clip(
    trace: Trace, a: Any, a_min: Any = None, a_max: Any = None, **rest: Any
) -> Any:
    low, high = rest.pop("min", a_min), rest.pop("max", a_max)
    reject(rest)
    low = None if low is UNSET else trace.array(low)
    high = None if high is UNSET else trace.array(high)
    x = trace.node(trace.array(a))
    if x.type.numpy.kind in "iu":
        low = bound(trace, low, x.type.dtype, upper=False)
        high = bound(trace, high, x.type.dtype, upper=True)
    given = [value for value in (low, high) if value is not None]
    common = np.result_type(x.type.numpy, *map(_stand_in, given))
    result = trace.wrap(trace.builder.cast(x, dtype_name(common)))
    result = result if low is None else np.maximum(result, low)
    result = result if high is None else np.minimum(result, high)
    return result if given else np.copy(result)


def _like(value: Any) -> Any:
    def lower(trace: Trace, a: Any, dtype: Any = None, **rest: Any) -> Any:
        return np.full_like(a, value, dtype=dtype, shape=rest.get("shape"))

    return lower


lowers(np.zeros_like)(_like(0))
lowers(np.ones_like)(_like(1))


@lowers(np.empty_like)
def _empty_like(trace: Trace, prototype: Any, dtype: Any = None, **rest: Any) -> Any:
    return np.zeros_like(prototype, dtype, shape=rest.get("shape"))


@lowers(np.full_like)
def _full_like(
    trace: Trace, a: Any, fill_value: Any, dtype: Any = None, **rest: Any
) -> Any:
    b = trace.builder
    type_ = trace.node(a).type
    if dtype is not None:
        type_ = type_.with_dtype(dtype_name(dtype))
    if rest.get("shape") is not None:
        type_ = type_.with_shape(as_ints(rest["shape"]))
    return trace.wrap(b.broadcast(fitted(trace, fill_value, type_.dtype), type_))


@lowers(np.shape)
def _shape(trace: Trace, a: Any) -> Any:
    return trace.array(a).shape


@lowers(np.ndim)
def _ndim(trace: Trace, a: Any) -> Any:
    return trace.array(a).ndim


@lowers(np.size)
def _size(trace: Trace, a: Any, axis: Any = None) -> Any:
    return a.size if axis is None else a.shape[axis]


@lowers(np.result_type)
def _result_type(trace: Trace, *values: Any) -> Any:
    return np.result_type(*(_stand_in(value) for value in values))


def _stand_in(value: Any) -> Any:
    """What has the place of a tracer in NumPy's promotion."""
    if not is_traced(value):
        return value
    return value.dtype.type(0).item() if value.weak else value.dtype


@lowers(np.nan_to_num)
def _nan_to_num(
    trace: Trace,
    x: Any,
    copy: bool = True,
    nan: Any = 0.0,
    posinf: Any = None,
    neginf: Any = None,
) -> Any:
    x = trace.array(x)
    if x.dtype.kind == "c":
        more = {"nan": nan, "posinf": posinf, "neginf": neginf}
        return with_imaginary(*(np.nan_to_num(y, **more) for y in (x.real, x.imag)))
    if x.dtype.kind != "f":
        return np.copy(x)
    info = np.finfo(x.dtype)
    top = info.max if posinf is None else posinf
    bottom = info.min if neginf is None else neginf
    finite = np.where(np.isnan(x), x.dtype.type(nan), x)
    capped = np.where(np.equal(finite, np.inf), x.dtype.type(top), finite)
    return np.where(np.equal(capped, -np.inf), x.dtype.type(bottom), capped)


@lowers(np.sinc)
def _sinc(trace: Trace, x: Any) -> Any:
    """``sin(pi x) / (pi x)``, 1 at 0."""
    angle = np.multiply(np.pi, x)
    if angle.dtype.kind == "c":
        return _complex_ratio(angle)
    return trace.wrap(trace.builder.bessel_ratio0(trace.node(angle)))


def _complex_ratio(x: Any) -> Any:
    """``sin(x) / x``, near 0 by its series, so that its derivatives keep digits."""
    near = np.abs(x) < 0.5
    one = x.dtype.type(1)
    w = np.where(near, x * x, x.dtype.type(0))
    series = one
    for k in range(8, 0, -1):
        series = one - w * series / (2 * k * (2 * k + 1))
    far = np.where(near, one, x)
    return np.where(near, series, np.sin(far) / far)


@lowers(np.round, np.around)
def _round(trace: Trace, a: Any, decimals: int = 0) -> Any:
    """Scaled by a power of ten, rounded half to even, scaled back, as NumPy does."""
    a, decimals = trace.array(a), operator.index(decimals)
    if a.dtype.kind in "iu":
        return np.copy(a) if decimals >= 0 else _round_integers(a, decimals)
    if decimals == 0:
        return np.rint(a)
    if a.dtype.kind == "c":
        return with_imaginary(*(np.round(x, decimals) for x in (a.real, a.imag)))
    scale = a.dtype.type(10.0 ** abs(decimals))
    return np.rint(a * scale) / scale if decimals > 0 else np.rint(a / scale) * scale


def _round_integers(a: Any, decimals: int) -> Any:
    return np.round(a.astype(np.float64), decimals).astype(a.dtype)


lowers(np.fix)(lambda trace, x: np.trunc(x))
