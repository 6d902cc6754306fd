"""The maximum over windows of the trailing axes, and its adjoint.

    max_pool        y[..., p] = max over k of x[..., p*stride+k]
    max_pool_input  x[..., i] = sum over p,k with p*stride+k = i of share(p,k) g[..., p]

Equal maxima of a window share its cotangent equally. A NaN stays with the entries that
are NaN, and the others get 0. The operands of ``max_pool_input`` are g and the x that
was pooled; it is linear in g and constant in x. Windows have one to three axes. Padding
is a node of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..types import TensorType
from .conv import fold, places, sliding_windows
from .mapped import stacked
from .reduce import restore
from .spec import INTS, OpDef, register, require, require_dtype

if TYPE_CHECKING:
    from ..builder import Builder
    from ..graph import Node

__all__ = ["MAX_POOL", "MAX_POOL_INPUT"]

Ints = tuple[int, ...]
ATTRS = {"size": INTS, "stride": INTS}


def _pooled(op: str, x: TensorType, size: Ints, stride: Ints) -> TensorType:
    rank = len(size)
    require(1 <= rank <= min(x.rank, 3), op, f"{size} does not fit {x}")
    require_dtype(x.is_float, op, f"takes floats, not {x}")
    lead, space = x.shape[: x.rank - rank], x.shape[x.rank - rank :]
    return x.with_shape((*lead, *places(op, space, size, stride)))


def _max_pool_type(x: TensorType, *, size: Ints, stride: Ints) -> TensorType:
    return _pooled("max_pool", x, size, stride)


def _max_pool_input_type(
    g: TensorType, x: TensorType, *, size: Ints, stride: Ints
) -> TensorType:
    made = _pooled("max_pool_input", x, size, stride)
    require(g == made, "max_pool_input", f"{g} is not {made}, what {x} is pooled to")
    return x


def _max_pool(x: Any, *, size: Ints, stride: Ints) -> Any:
    windows = sliding_windows(x, size=size, stride=stride)
    return np.max(windows, axis=tuple(range(x.ndim, x.ndim + len(size))))


def _max_pool_input(g: Any, x: Any, *, size: Ints, stride: Ints) -> Any:
    windows = sliding_windows(x, size=size, stride=stride)
    window = tuple(range(x.ndim, x.ndim + len(size)))
    hit = windows == np.max(windows, axis=window, keepdims=True)
    count = np.sum(hit, axis=window, keepdims=True, dtype=x.dtype)
    whole = np.expand_dims(g, window)
    zero = x.dtype.type(0)
    lost = np.where(np.isnan(windows) & (whole != 0), whole * windows, zero)
    shares = np.where(hit, whole / count, lost)
    return fold(shares, shape=x.shape[x.ndim - len(size) :], stride=stride)


def _max_pool_adjoint(
    b: Builder, n: Node, g: Node, x: Node, *, size: Ints, stride: Ints
) -> tuple[Node]:
    return (b.max_pool_input(g, x, size=size, stride=stride),)


def _max_pool_input_adjoint(
    b: Builder, n: Node, h: Node, g: Node, x: Node, *, size: Ints, stride: Ints
) -> tuple[Node, None]:
    """What ``share`` weighs, added up over each window."""
    seen = b.windows(x, size=size, stride=stride)
    axes = tuple(range(x.type.rank, seen.type.rank))
    hit = b.eq(seen, restore(b, b.reduce_max(seen, axes=axes), seen.type, axes))
    count = b.reduce_sum(b.cast(hit, x.type.dtype), axes=axes)
    moved = b.windows(h, size=size, stride=stride)
    share = b.div(moved, restore(b, count, seen.type, axes))
    lost = b.select(b.isnan(seen), b.chain(moved, seen), b.like(seen, 0.0))
    return b.reduce_sum(b.select(hit, share, lost), axes=axes), None


MAX_POOL = register(
    OpDef(
        "max_pool",
        1,
        _max_pool_type,
        _max_pool,
        _max_pool_adjoint,
        ATTRS,
        vmap=stacked,
    )
)
MAX_POOL_INPUT = register(
    OpDef(
        "max_pool_input",
        2,
        _max_pool_input_type,
        _max_pool_input,
        _max_pool_input_adjoint,
        ATTRS,
        constant_slots=(1,),
        linear=((0,),),
        vmap=stacked,
    )
)
