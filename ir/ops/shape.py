"""Ops that move elements: each is linear, and its adjoint is another one of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..types import Shape, TensorType
from .mapped import along
from .spec import (
    EVERY,
    INT,
    INTS,
    NUMBER,
    Kind,
    OpDef,
    register,
    require,
    require_dtype,
)

if TYPE_CHECKING:
    from ..builder import Builder
    from ..graph import Node

__all__ = ["BROADCAST_TO", "CONCATENATE", "PAD", "RESHAPE", "SLICE", "TRANSPOSE"]

Ints = tuple[int, ...]


def _reshape_type(x: TensorType, *, shape: Shape) -> TensorType:
    same = x.size == math.prod(shape)
    require(same, "reshape", f"cannot give {x} the shape {shape}")
    return x.with_shape(shape)


RESHAPE = register(
    OpDef(
        "reshape",
        1,
        _reshape_type,
        lambda x, shape: np.reshape(x, shape),
        lambda b, n, g, x, *, shape: (b.reshape(g, x.type.shape),),
        {"shape": INTS},
        kind=Kind.VIEW,
        vmap=along("shape"),
    )
)


def _transpose_type(x: TensorType, *, perm: Ints) -> TensorType:
    fits = sorted(perm) == list(range(x.rank))
    require(fits, "transpose", f"{perm} does not permute the axes of {x}")
    return x.with_shape(tuple(x.shape[axis] for axis in perm))


def _transpose_adjoint(
    b: Builder, n: Node, g: Node, x: Node, *, perm: Ints
) -> tuple[Node]:
    inverse = [0] * len(perm)
    for position, axis in enumerate(perm):
        inverse[axis] = position
    return (b.transpose(g, inverse),)


TRANSPOSE = register(
    OpDef(
        "transpose",
        1,
        _transpose_type,
        lambda x, perm: np.transpose(x, perm),
        _transpose_adjoint,
        {"perm": INTS},
        kind=Kind.VIEW,
        vmap=along("perm"),
    )
)


def _broadcast_type(x: TensorType, *, shape: Shape) -> TensorType:
    extra = len(shape) - x.rank
    fits = extra >= 0 and all(
        dim in (1, new)
        for dim, new in zip(x.shape, shape[max(extra, 0) :], strict=True)
    )
    require(fits, "broadcast_to", f"cannot broadcast {x} to {shape}")
    return x.with_shape(shape)


def _broadcast_adjoint(
    b: Builder, n: Node, g: Node, x: Node, *, shape: Shape
) -> tuple[Node]:
    """Sum over the axes along which the value was repeated."""
    extra = len(shape) - x.type.rank
    repeated = [
        axis
        for axis, dim in enumerate(shape)
        if axis < extra or (x.type.shape[axis - extra] == 1 and dim != 1)
    ]
    summed = b.reduce_sum(g, axes=tuple(repeated)) if repeated else g
    return (b.reshape(summed, x.type.shape),)


def _broadcast_vmap(
    b: Builder, n: Node, size: int, mapped: Ints, x: Node, *, shape: Shape
) -> Node:
    """The axes that are new to the value stand behind that of the examples."""
    ones = (1,) * (len(shape) + 1 - x.type.rank)
    spread = b.reshape(x, (size, *ones, *x.type.shape[1:]))
    return b.broadcast_to(spread, shape=(size, *shape))


BROADCAST_TO = register(
    OpDef(
        "broadcast_to",
        1,
        _broadcast_type,
        lambda x, shape: np.broadcast_to(x, shape),
        _broadcast_adjoint,
        {"shape": INTS},
        kind=Kind.VIEW,
        vmap=_broadcast_vmap,
    )
)


def require_inside(
    op: str, x: TensorType, start: Ints, shape: Ints, step: Ints
) -> None:
    """Raise `ShapeError` unless these places are places of ``x``."""
    require(
        len(start) == len(shape) == len(step) == x.rank,
        op,
        f"start, shape and step need {x.rank} entries",
    )
    for dim, first, count, by in zip(x.shape, start, shape, step, strict=True):
        last = first + (count - 1) * by
        inside = count == 0 or (0 <= first < dim and 0 <= last < dim)
        require(
            count >= 0 and by != 0 and inside,
            op,
            f"{count} from {first} by {by} leaves an axis of {dim}",
        )


def _slice_type(x: TensorType, *, start: Ints, shape: Ints, step: Ints) -> TensorType:
    require_inside("slice", x, start, shape, step)
    return x.with_shape(shape)


def _span(first: int, count: int, by: int) -> slice:
    """``count`` entries from ``first`` on; a stop below 0 would count from the end."""
    stop: Any = first + count * by
    return slice(first, stop if stop >= 0 else None, by) if count else slice(0, 0)


def indices(start: Ints, shape: Ints, step: Ints) -> tuple[slice, ...]:
    """The index that takes these places from a NumPy array."""
    return tuple(map(_span, start, shape, step))


def _slice(x: Any, *, start: Ints, shape: Ints, step: Ints) -> Any:
    return np.asarray(x)[indices(start, shape, step)]


def _slice_adjoint(
    b: Builder, n: Node, g: Node, x: Node, *, start: Ints, shape: Ints, step: Ints
) -> tuple[Node]:
    """Flip what ran backwards, then pad: between the elements and around them."""
    counts, sizes = shape, x.type.shape
    lows = [
        min(first, first + (count - 1) * by) if count else 0
        for first, count, by in zip(start, counts, step, strict=True)
    ]
    gaps = [
        abs(by) - 1 if count > 1 else 0 for count, by in zip(counts, step, strict=True)
    ]
    spans = [
        count + gap * max(count - 1, 0) for count, gap in zip(counts, gaps, strict=True)
    ]
    highs = [
        size - low - span for size, low, span in zip(sizes, lows, spans, strict=True)
    ]
    flipped = flip(b, g, [axis for axis, by in enumerate(step) if by < 0])
    if not any(lows) and not any(highs) and not any(gaps):
        return (flipped,)
    padded = b.pad(
        flipped, low=tuple(lows), high=tuple(highs), interior=tuple(gaps), value=0.0
    )
    return (padded,)


def flip(b: Builder, x: Node, axes: list[int]) -> Node:
    """``x`` with these axes reversed."""
    if not axes:
        return x
    sizes = x.type.shape
    start = tuple(
        max(size - 1, 0) if axis in axes else 0 for axis, size in enumerate(sizes)
    )
    step = tuple(-1 if axis in axes else 1 for axis in range(len(sizes)))
    return b.slice(x, start=start, shape=sizes, step=step)


SLICE = register(
    OpDef(
        "slice",
        1,
        _slice_type,
        _slice,
        _slice_adjoint,
        {"start": INTS, "shape": INTS, "step": INTS},
        kind=Kind.VIEW,
        vmap=along("start", "shape", "step"),
    )
)


def _pad_type(
    x: TensorType, *, low: Ints, high: Ints, interior: Ints, value: complex
) -> TensorType:
    fits = len(low) == len(high) == len(interior) == x.rank
    require(fits, "pad", f"low, high and interior need {x.rank} entries")
    require(min((*low, *high, *interior), default=0) >= 0, "pad", "negative padding")
    require_dtype(_holds(x, value), "pad", f"{value!r} does not fit {x}")
    return x.with_shape(
        tuple(
            before + size + gap * max(size - 1, 0) + after
            for size, before, after, gap in zip(
                x.shape, low, high, interior, strict=True
            )
        )
    )


def _holds(x: TensorType, value: complex) -> bool:
    """Whether a number can be an element of ``x``; a float is rounded to f32."""
    with np.errstate(all="ignore"):
        try:
            made = x.numpy.type(value).item()
        except (OverflowError, ValueError):
            return False
    if type(value) is complex:
        return x.is_complex
    return x.has_gradient or (type(value) in (bool, int) and made == value)


def _interior(x: TensorType, low: Ints, interior: Ints) -> dict[str, Ints]:
    """The attributes of the slice that undoes a pad."""
    step = tuple(gap + 1 for gap in interior)
    return {"start": low, "shape": x.shape, "step": step}


def _pad(x: Any, *, low: Ints, high: Ints, interior: Ints, value: complex) -> Any:
    type_ = TensorType("bool", np.shape(x))
    shape = _pad_type(type_, low=low, high=high, interior=interior, value=False).shape
    padded = np.full(shape, value, np.asarray(x).dtype)
    inside = tuple(
        slice(first, first + (gap + 1) * max(size - 1, 0) + min(size, 1), gap + 1)
        for first, gap, size in zip(low, interior, np.shape(x), strict=True)
    )
    padded[inside] = x
    return padded


def _pad_adjoint(
    b: Builder,
    n: Node,
    g: Node,
    x: Node,
    *,
    low: Ints,
    high: Ints,
    interior: Ints,
    value: complex,
) -> tuple[Node]:
    return (b.slice(g, **_interior(x.type, low, interior)),)


PAD = register(
    OpDef(
        "pad",
        1,
        _pad_type,
        _pad,
        _pad_adjoint,
        {"low": INTS, "high": INTS, "interior": INTS, "value": NUMBER},
        vmap=along("low", "high", "interior"),
    )
)


def _concatenate_type(*types: TensorType, axis: int) -> TensorType:
    first = types[0]
    require(0 <= axis < first.rank, "concatenate", f"no axis {axis} in {first}")
    for other in dict.fromkeys(types):
        rest = other.shape[:axis] + other.shape[axis + 1 :]
        fits = rest == first.shape[:axis] + first.shape[axis + 1 :]
        require(
            other.rank == first.rank and fits,
            "concatenate",
            f"{first} and {other} differ off axis {axis}",
        )
        require_dtype(
            other.dtype == first.dtype, "concatenate", f"{first} and {other} differ"
        )
    total = sum(type_.shape[axis] for type_ in types)
    return first.with_shape((*first.shape[:axis], total, *first.shape[axis + 1 :]))


def _concatenate_adjoint(
    b: Builder, n: Node, g: Node, *parts: Node, axis: int
) -> tuple[Node, ...]:
    step = (1,) * n.type.rank
    slices: list[Node] = []
    offset = 0
    for part in parts:
        start = [0] * n.type.rank
        start[axis] = offset
        slices.append(b.slice(g, start=tuple(start), shape=part.type.shape, step=step))
        offset += part.type.shape[axis]
    return tuple(slices)


CONCATENATE = register(
    OpDef(
        "concatenate",
        1,
        _concatenate_type,
        lambda *parts, axis: np.concatenate(parts, axis=axis),
        _concatenate_adjoint,
        {"axis": INT},
        variadic=True,
        linear=(EVERY,),
        vmap=along("axis"),
    )
)
