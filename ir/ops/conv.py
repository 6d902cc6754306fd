"""Convolutions and sliding windows over the trailing axes.

The three products of a convolution (in the sense of machine learning: the kernel is
not flipped) with x of [N, C, *space], w of [O, C, *window], y of [N, O, *places]:

    conv         y[n,o,p] = sum over c,k of  x[n,c,p*stride+k] w[o,c,k]
    conv_input   x[n,c,i] = sum over o,p,k with p*stride+k = i of  y[n,o,p] w[o,c,k]
    conv_kernel  w[o,c,k] = sum over n,p of  x[n,c,p*stride+k] y[n,o,p]

Each is linear in both operands, and the adjoints of each are the other two.
``windows`` is the view [..., *places, *window] of [..., *space]; ``fold`` adds windows
back where they came from. Padding is a node of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ..types import TensorType
from .mapped import in_turn, merged, parted, stacked
from .spec import INTS, Kind, OpDef, register, require, require_dtype

if TYPE_CHECKING:
    from ..builder import Builder
    from ..graph import Node

__all__ = [
    "CONV",
    "CONV_INPUT",
    "CONV_KERNEL",
    "FOLD",
    "WINDOWS",
    "fold",
    "places",
    "sliding_windows",
]

Ints = tuple[int, ...]


def places(op: str, space: Ints, window: Ints, stride: Ints) -> Ints:
    """How many windows fit along each axis; `ShapeError` where none does."""
    require(
        len(space) == len(window) == len(stride) and min((*window, *stride)) >= 1,
        op,
        f"window {window} and stride {stride} do not fit the space {space}",
    )
    fits = all(size <= whole for size, whole in zip(window, space, strict=True))
    require(fits, op, f"the window {window} is larger than the space {space}")
    return tuple(
        (whole - size) // step + 1
        for whole, size, step in zip(space, window, stride, strict=True)
    )


def sliding_windows(x: Any, *, size: Ints, stride: Ints) -> Any:
    """The reference of ``windows``: a view."""
    axes = tuple(range(np.ndim(x) - len(size), np.ndim(x)))
    view = sliding_window_view(x, size, axes)
    steps = tuple(slice(None, None, step) for step in stride)
    lead = (slice(None),) * (np.ndim(x) - len(size))
    return view[(*lead, *steps)]


def _windows_type(x: TensorType, *, size: Ints, stride: Ints) -> TensorType:
    rank = len(size)
    require(1 <= rank <= x.rank, "windows", f"{size} does not fit {x}")
    lead, space = x.shape[: x.rank - rank], x.shape[x.rank - rank :]
    return x.with_shape((*lead, *places("windows", space, size, stride), *size))


def _fold_type(x: TensorType, *, shape: Ints, stride: Ints) -> TensorType:
    rank = len(shape)
    require(1 <= 2 * rank <= x.rank, "fold", f"{x} has no windows over {shape}")
    lead = x.shape[: x.rank - 2 * rank]
    window = x.shape[x.rank - rank :]
    count = places("fold", shape, window, stride)
    fits = count == x.shape[x.rank - 2 * rank : x.rank - rank]
    require(fits, "fold", f"{x} are not the windows of {shape}")
    require_dtype(x.dtype != "bool", "fold", "adds numbers, not bool")
    return x.with_shape((*lead, *shape))


def fold(x: Any, *, shape: Ints, stride: Ints) -> Any:
    """The reference of ``fold``: adds in the order of the offsets in the window."""
    rank = len(shape)
    lead = x.shape[: x.ndim - 2 * rank]
    total = np.zeros((*lead, *shape), x.dtype)
    steps = zip(x.shape[x.ndim - 2 * rank : x.ndim - rank], stride, strict=True)
    spans = [(count - 1) * step + 1 for count, step in steps]
    for offset in np.ndindex(*x.shape[x.ndim - rank :]):
        where = tuple(
            slice(first, first + span, step)
            for first, span, step in zip(offset, spans, stride, strict=True)
        )
        total[(..., *where)] += x[(..., *offset)]
    return total


def _windows_adjoint(
    b: Builder, n: Node, g: Node, x: Node, *, size: Ints, stride: Ints
) -> tuple[Node]:
    shape = x.type.shape[x.type.rank - len(size) :]
    return (b.fold(g, shape=shape, stride=stride),)


def _fold_adjoint(
    b: Builder, n: Node, g: Node, x: Node, *, shape: Ints, stride: Ints
) -> tuple[Node]:
    size = x.type.shape[x.type.rank - len(shape) :]
    return (b.windows(g, size=size, stride=stride),)


WINDOWS = register(
    OpDef(
        "windows",
        1,
        _windows_type,
        sliding_windows,
        _windows_adjoint,
        {"size": INTS, "stride": INTS},
        kind=Kind.VIEW,
        vmap=stacked,
    )
)
FOLD = register(
    OpDef(
        "fold",
        1,
        _fold_type,
        fold,
        _fold_adjoint,
        {"shape": INTS, "stride": INTS},
        linear=((0,),),
        vmap=stacked,
    )
)


def _check_pair(op: str, x: TensorType, y: TensorType, stride: Ints) -> None:
    fits = x.rank == y.rank == len(stride) + 2 and x.rank > 2
    require(fits, op, f"{x} and {y} do not fit a convolution over {len(stride)} axes")
    require_dtype(x.dtype == y.dtype and x.is_float, op, f"{x} and {y} are not floats")


def _conv_type(x: TensorType, w: TensorType, *, stride: Ints) -> TensorType:
    _check_pair("conv", x, w, stride)
    require(
        x.shape[1] == w.shape[1],
        "conv",
        f"{x} has {x.shape[1]} channels, {w} has {w.shape[1]}",
    )
    count = places("conv", x.shape[2:], w.shape[2:], stride)
    return x.with_shape((x.shape[0], w.shape[0], *count))


def _conv_input_type(
    y: TensorType, w: TensorType, *, shape: Ints, stride: Ints
) -> TensorType:
    _check_pair("conv_input", y, w, stride)
    count = places("conv_input", shape, w.shape[2:], stride)
    require(
        y.shape[1] == w.shape[0] and y.shape[2:] == count,
        "conv_input",
        f"{y} is not the convolution of a space {shape} with {w}",
    )
    return y.with_shape((y.shape[0], w.shape[1], *shape))


def _conv_kernel_type(
    x: TensorType, y: TensorType, *, shape: Ints, stride: Ints
) -> TensorType:
    _check_pair("conv_kernel", x, y, stride)
    count = places("conv_kernel", x.shape[2:], shape, stride)
    require(
        x.shape[0] == y.shape[0] and y.shape[2:] == count,
        "conv_kernel",
        f"{y} is not the convolution of {x} with a window {shape}",
    )
    return x.with_shape((y.shape[1], x.shape[1], *shape))


def _axes(rank: int) -> tuple[Ints, Ints]:
    """The axes of the places and of the window in the windows of [N, C, *space]."""
    return tuple(range(2, 2 + rank)), tuple(range(2 + rank, 2 + 2 * rank))


def _conv(x: Any, w: Any, *, stride: Ints) -> Any:
    view = sliding_windows(x, size=w.shape[2:], stride=stride)
    _, window = _axes(len(stride))
    y = np.tensordot(view, w, axes=((1, *window), (1, *range(2, w.ndim))))
    return np.moveaxis(y, -1, 1)


def _conv_input(y: Any, w: Any, *, shape: Ints, stride: Ints) -> Any:
    views = np.tensordot(y, w, axes=((1,), (0,)))
    return fold(np.moveaxis(views, 1 + len(stride), 1), shape=shape, stride=stride)


def _conv_kernel(x: Any, y: Any, *, shape: Ints, stride: Ints) -> Any:
    view = sliding_windows(x, size=shape, stride=stride)
    place, _ = _axes(len(stride))
    return np.tensordot(y, view, axes=((0, *range(2, y.ndim)), (0, *place)))


def _conv_adjoint(
    b: Builder, n: Node, g: Node, x: Node, w: Node, *, stride: Ints
) -> tuple[Node, Node]:
    return (
        b.conv_input(g, w, shape=x.type.shape[2:], stride=stride),
        b.conv_kernel(x, g, shape=w.type.shape[2:], stride=stride),
    )


def _conv_input_adjoint(
    b: Builder, n: Node, g: Node, y: Node, w: Node, *, shape: Ints, stride: Ints
) -> tuple[Node, Node]:
    return (
        b.conv(g, w, stride=stride),
        b.conv_kernel(g, y, shape=w.type.shape[2:], stride=stride),
    )


def _conv_kernel_adjoint(
    b: Builder, n: Node, g: Node, x: Node, y: Node, *, shape: Ints, stride: Ints
) -> tuple[Node, Node]:
    return (
        b.conv_input(y, g, shape=x.type.shape[2:], stride=stride),
        b.conv(x, g, stride=stride),
    )


def _with_axes(*axes: tuple[int, int]) -> Callable[..., Node]:
    """The rule of a product where the examples are a part of a batch or of channels.

    For each operand its axis, and the axis of the value that comes of it. Where both
    operands are of each example, one example follows the other.
    """

    def rule(
        b: Builder,
        n: Node,
        size: int,
        mapped: Sequence[bool],
        /,
        *operands: Node,
        **attrs: Any,
    ) -> Node:
        if all(mapped):
            (made,) = in_turn(b, n, size, mapped, *operands)
            return made
        slot = mapped.index(True)
        given = list(operands)
        axis, place = axes[slot]
        given[slot] = merged(b, operands[slot], axis)
        made = b.add_node(n.op, *given, **attrs)
        return parted(b, made, place, size, n.type.shape[place])

    return rule


CONV = register(
    OpDef(
        "conv",
        2,
        _conv_type,
        _conv,
        _conv_adjoint,
        {"stride": INTS},
        linear=((0,), (1,)),
        vmap=_with_axes((0, 0), (0, 1)),
    )
)
CONV_INPUT = register(
    OpDef(
        "conv_input",
        2,
        _conv_input_type,
        _conv_input,
        _conv_input_adjoint,
        {"shape": INTS, "stride": INTS},
        linear=((0,), (1,)),
        vmap=_with_axes((0, 0), (1, 1)),
    )
)
CONV_KERNEL = register(
    OpDef(
        "conv_kernel",
        2,
        _conv_kernel_type,
        _conv_kernel,
        _conv_kernel_adjoint,
        {"shape": INTS, "stride": INTS},
        linear=((0,), (1,)),
        vmap=_with_axes((1, 1), (1, 0)),
    )
)
