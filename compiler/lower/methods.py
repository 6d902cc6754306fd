"""The methods of ufuncs: reduce, accumulate, outer, at, reduceat.

What has no op of its own is a loop over the axis that does what NumPy does, one entry
after the other: ``y[k] = f(y[k - 1], x[k])``. So values are NumPy's bit for bit, and
gradients are those of the function, its kinks too.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ...ir.errors import DTypeError, ShapeError, TraceError
from ...ir.types import DTYPES
from ..tracing.lowerings import lowering_of, lowers
from ..tracing.running import as_array, find_trace, is_traced
from ..tracing.trace import Trace
from ..tracing.tracer import GETITEM
from .reductions import along_first, axes_of, given
from .ufuncs import UNSET, resolve

__all__ = ["BINARY", "CLOSED", "UNARY"]

BINARY = (
    *(np.add, np.subtract, np.multiply, np.divide, np.floor_divide, np.remainder),
    *(np.power, np.float_power, np.fmod, np.arctan2, np.hypot, np.copysign),
    *(np.maximum, np.minimum, np.fmax, np.fmin, np.logaddexp, np.logaddexp2),
    *(np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal),
    *(np.logical_and, np.logical_or, np.logical_xor, np.heaviside),
    *(np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.left_shift, np.right_shift),
)
CLOSED = (
    *(np.add, np.subtract, np.multiply, np.divide, np.maximum, np.minimum, np.fmax),
    *(np.fmin, np.logaddexp, np.logaddexp2, np.hypot, np.logical_and),
    *(np.logical_or, np.logical_xor, np.bitwise_and, np.bitwise_or, np.bitwise_xor),
    *(np.floor_divide, np.remainder, np.fmod, np.power, np.float_power, np.arctan2),
    *(np.copysign, np.heaviside, np.left_shift, np.right_shift),
)
"""The ufuncs whose results are operands again."""
UNARY = (
    *(np.negative, np.positive, np.absolute, np.fabs, np.sign, np.conjugate),
    *(np.square, np.reciprocal, np.sqrt, np.cbrt, np.exp, np.exp2, np.expm1, np.log),
    *(np.log2, np.log10, np.log1p, np.sin, np.cos, np.tan, np.arcsin, np.arccos),
    *(np.arctan, np.sinh, np.cosh, np.tanh, np.arcsinh, np.arccosh, np.arctanh),
    *(np.deg2rad, np.radians, np.rad2deg, np.degrees, np.floor, np.ceil, np.trunc),
    *(np.rint, np.logical_not, np.invert),
)


def _outer(ufunc: Any) -> None:
    @lowers((ufunc, "outer"))
    def outer(trace: Trace, a: Any, b: Any, **named: Any) -> Any:
        a, b = as_array(trace.array(a)), as_array(trace.array(b))
        return ufunc(np.reshape(a, (*a.shape, *(1,) * b.ndim)), b, **named)


for _ufunc in BINARY:
    _outer(_ufunc)


def _row(trace: Trace, ufunc: Any, a: Any, axis: int, dtype: Any) -> Any:
    """The entries along an axis first, in the dtype that the ufunc computes in."""
    a = as_array(trace.array(a))
    if dtype is None:
        logical = ufunc.__name__.startswith("logical")
        dtype = bool if logical else DTYPES[resolve(ufunc, a, a)[-1]]
    return np.moveaxis(a.astype(dtype), axis, 0)


def _folded(
    ufunc: Any, rows: Any, first: Any = None, mask: Any = None
) -> tuple[Any, Any]:
    """What is left at the end, and what there was after each entry.

    With a mask there is a first value too, which is kept where that is false.
    """
    from ..loop import scan  # which imports this package

    def step(before: Any, entry: Any) -> Any:
        made = ufunc(before, entry)
        return made, made

    def masked(before: Any, given: Any) -> Any:
        made = np.where(given[1], ufunc(before, given[0]), before)
        return made, made

    if mask is not None and rows.shape[0]:
        return scan(masked, first, (rows, mask))

    start = rows[0] if first is None else first
    rest = rows[1:] if first is None else rows
    if rest.shape[0] == 0:
        return start, rest
    return scan(step, start, rest)


def _accumulate(ufunc: Any) -> None:
    @lowers((ufunc, "accumulate"))
    def accumulate(trace: Trace, a: Any, axis: Any = 0, dtype: Any = None) -> Any:
        if axis is None and np.ndim(a) > 1:
            raise ShapeError("accumulate: an array of several axes needs axis=")
        along = normalize_axis_index(axis or 0, np.ndim(a))
        rows = _row(trace, ufunc, a, along, dtype)
        if rows.shape[0] == 0:
            return np.moveaxis(rows, 0, along)
        _, made = _folded(ufunc, rows)
        return np.moveaxis(np.concatenate((rows[:1], made)), 0, along)


def _reduce(ufunc: Any) -> None:
    def lower(
        trace: Trace,
        a: Any,
        axis: Any = None,
        dtype: Any = None,
        keepdims: Any = False,
        initial: Any = UNSET,
        where: Any = UNSET,
    ) -> Any:
        a = as_array(trace.array(a))
        axes = axes_of(a.ndim, axis)
        mask = None if where is True else given(where)
        if len(axes) > 1 and ufunc.identity is None and not _is_idempotent(ufunc):
            raise ValueError(
                f"reduction operation {ufunc.__name__!r} is not reorderable"
            )
        kept = [k for k in range(a.ndim) if k not in axes]
        flat = np.transpose(a, (*axes, *kept))
        flat = np.reshape(flat, (-1, *(a.shape[k] for k in kept)))
        rows = _row(trace, ufunc, flat, 0, dtype)
        start = given(initial)
        if mask is not None:
            mask = np.broadcast_to(trace.array(mask), a.shape)
            mask = np.reshape(np.transpose(mask, (*axes, *kept)), flat.shape)
        if start is None and (rows.shape[0] == 0 or mask is not None):
            start = ufunc.identity
            if start is None and mask is not None:
                raise ValueError(
                    f"reduction operation {ufunc.__name__!r} does not have an "
                    "identity, so to use a where mask one has to specify 'initial'"
                )
            if start is None:
                raise ValueError(
                    f"zero-size array to reduction operation {ufunc.__name__} which "
                    "has no identity"
                )
        if start is not None:
            start = np.broadcast_to(as_array(start), rows.shape[1:]).astype(rows.dtype)
        made = rows[0] if start is None and rows.shape[0] == 1 else None
        if made is None:
            made, _ = _folded(ufunc, rows, start, mask)
        made = trace.wrap(trace.node(made))
        if given(keepdims):
            made = np.reshape(
                made, [1 if k in axes else n for k, n in enumerate(a.shape)]
            )
        return made

    lowers((ufunc, "reduce"))(along_first(lower))


def _is_idempotent(ufunc: Any) -> bool:
    return ufunc in (np.maximum, np.minimum, np.fmax, np.fmin)


def _at(ufunc: Any) -> None:
    @lowers((ufunc, "at"))
    def at(trace: Trace, a: Any, indices: Any, *b: Any) -> None:
        """One entry after the other, for a place may be named more than once."""
        from ..loop import scan  # which imports this package

        if not is_traced(a):
            raise TraceError(
                f"np.{ufunc.__name__}.at would write a traced value into a real array",
                hint="copy the array in the function first: a = np.copy(a)",
            )
        values = [as_array(trace.array(value)) for value in b]
        made = bool if ufunc.__name__.startswith("logical") else None
        made = made or DTYPES[resolve(ufunc, a, *values)[-1]]
        if not np.can_cast(made, a.dtype, "same_kind"):
            raise DTypeError(
                f"np.{ufunc.__name__}.at into an array of {a.dtype} makes {made}"
            )
        places: Any = np.arange(a.size).reshape(a.shape)
        if find_trace(indices) is None:
            places = places[indices]
        else:
            places = trace.apply(GETITEM, (places, indices), {})
        rows = [np.reshape(np.broadcast_to(v, np.shape(places)), -1) for v in values]
        places = np.reshape(places, -1)
        if places.shape[0] == 0:
            return

        def step(flat: Any, given: Any) -> Any:
            place, *entries = given
            flat = np.copy(flat)
            flat[place] = ufunc(flat[place], *entries).astype(flat.dtype)
            return flat, None

        flat, _ = scan(step, np.copy(np.reshape(a, -1)), (places, *rows))
        a.write(np.reshape(flat, a.shape))


def _reduceat(ufunc: Any) -> None:
    @lowers((ufunc, "reduceat"))
    def reduceat(
        trace: Trace, a: Any, indices: Any, axis: Any = 0, dtype: Any = None
    ) -> Any:
        """The reduction from each index to the next; one entry where that is before."""
        a = as_array(trace.array(a))
        along = normalize_axis_index(axis, a.ndim)
        length = a.shape[along]
        if find_trace(indices) is not None:
            raise TraceError(
                f"np.{ufunc.__name__}.reduceat at traced places has pieces that only "
                "they tell",
                hint=f"number the pieces: np.{ufunc.__name__}.at(total, number, x) "
                "takes traced ones",
            )
        starts = np.asarray(indices).tolist()
        if any(not 0 <= start < length for start in starts):
            raise IndexError(f"an index of reduceat is out of bounds for {length}")
        lead = (slice(None),) * along
        parts: list[Any] = []
        for start, end in zip(starts, [*starts[1:], length], strict=True):
            cut = slice(start, end if end > start else start + 1)
            piece = a[(*lead, cut)]
            parts.append(ufunc.reduce(piece, along, dtype=dtype, keepdims=True))
        if not parts:
            return a[(*lead, slice(0, 0))]
        return np.concatenate(parts, axis=along)


for _ufunc in CLOSED:
    _reduceat(_ufunc)
    for _method, _add in (("accumulate", _accumulate), ("reduce", _reduce)):
        if lowering_of((_ufunc, _method)) is None:
            _add(_ufunc)
for _ufunc in (*BINARY, *UNARY):
    if lowering_of((_ufunc, "at")) is None:
        _at(_ufunc)
