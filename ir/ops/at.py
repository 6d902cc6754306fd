"""Slices at positions that are known only when running: read, stored, added to.

An op names ``axes`` in rising order and has a 0-d i64 operand for each. The slice
begins at ``start[axis]`` plus that position along these axes, at ``start[axis]`` along
the others. Positions are trusted: whoever builds such a node knows that the slice is
inside, or puts a ``check`` in front; `limits` says what is inside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import BoundsError
from ..types import Shape, TensorType
from .mapped_places import add_at_vmap, slice_at_vmap, update_at_vmap
from .shape import indices, require_inside
from .spec import INTS, Kind, OpDef, register, require, require_dtype

if TYPE_CHECKING:
    from ..builder import Builder
    from ..graph import Node

__all__ = ["ADD_AT", "AT", "SLICE_AT", "STORES", "UPDATE_AT", "limits"]

Ints = tuple[int, ...]

AT = {"slice_at": 1, "update_at": 2, "add_at": 2}
"""The ops with positions, and the slot of the first."""

STORES = ("update", "update_at", "add_at")
"""The ops that write a slice."""


def limits(
    sizes: Shape, axes: Ints, start: Ints, shape: Shape, step: Ints
) -> list[tuple[int, int]]:
    """For each of ``axes`` the lowest and the highest position of a slice inside.

    A slice of no elements is inside anywhere along its axes, which 0 stands for.

    >>> limits((9, 5), (0,), (-1, 0), (3, 5), (2, 1))
    [(1, 5)]
    """
    found: list[tuple[int, int]] = []
    for axis in axes:
        reach = (shape[axis] - 1) * step[axis]
        low = -start[axis] - min(reach, 0)
        high = sizes[axis] - 1 - start[axis] - max(reach, 0)
        found.append((low, high) if shape[axis] else (0, 0))
    return found


def _require_fits(
    op: str,
    x: TensorType,
    positions: tuple[TensorType, ...],
    axes: Ints,
    start: Ints,
    shape: Shape,
    step: Ints,
) -> None:
    """Raise unless some positions make this a slice inside of ``x``."""
    known = all(0 <= axis < x.rank for axis in axes)
    rising = list(axes) == sorted(set(axes))
    require(known and rising and bool(axes), op, f"{axes} are no rising axes of {x}")
    require(len(positions) == len(axes), op, f"needs a position for each of {axes}")
    for position in positions:
        whole = position == TensorType("i64", ())
        require_dtype(whole, op, f"a position is {position}, not i64[]")
    first = list(start)
    for axis in axes if len(start) == len(shape) == len(step) == x.rank else ():
        reach = (shape[axis] - 1) * step[axis]
        first[axis] = max(-reach, 0)
    require_inside(op, x, tuple(first), shape, step)


def _places(
    op: str,
    sizes: Shape,
    positions: tuple[Any, ...],
    axes: Ints,
    start: Ints,
    shape: Shape,
    step: Ints,
) -> tuple[slice, ...]:
    """The index of the slice in a NumPy array, which is inside."""
    first = list(start)
    inside = limits(sizes, axes, start, shape, step)
    for axis, i, (low, high) in zip(axes, map(int, positions), inside, strict=True):
        if shape[axis] and not low <= i <= high:
            raise BoundsError(f"{op}: position {i} is not from {low} to {high}")
        first[axis] += i
    return indices(tuple(first), shape, step)


def _slice_at_type(
    x: TensorType,
    *positions: TensorType,
    axes: Ints,
    start: Ints,
    shape: Shape,
    step: Ints,
) -> TensorType:
    _require_fits("slice_at", x, positions, axes, start, shape, step)
    return x.with_shape(shape)


def _slice_at(
    x: Any, *positions: Any, axes: Ints, start: Ints, shape: Shape, step: Ints
) -> Any:
    x = np.asarray(x)
    return x[_places("slice_at", x.shape, positions, axes, start, shape, step)]


def _slice_at_adjoint(
    b: Builder,
    n: Node,
    g: Node,
    x: Node,
    *positions: Node,
    axes: Ints,
    start: Ints,
    shape: Shape,
    step: Ints,
) -> tuple[Node | None, ...]:
    """x.bar is y.bar at the places, and 0 elsewhere."""
    zeros = b.like(x, 0.0)
    made = b.add_at(zeros, g, *positions, axes=axes, start=start, step=step)
    return made, *(None for _ in positions)


_ATTRS = {"axes": INTS, "start": INTS, "step": INTS}

SLICE_AT = register(
    OpDef(
        "slice_at",
        2,
        _slice_at_type,
        _slice_at,
        _slice_at_adjoint,
        _ATTRS | {"shape": INTS},
        variadic=True,
        linear=((0,),),
        vmap=slice_at_vmap,
    )
)


def _update_at_type(
    x: TensorType,
    v: TensorType,
    *positions: TensorType,
    axes: Ints,
    start: Ints,
    step: Ints,
) -> TensorType:
    require_dtype(x.dtype == v.dtype, "update_at", f"cannot store {v} in {x}")
    _require_fits("update_at", x, positions, axes, start, v.shape, step)
    return x


def _update_at(
    x: Any, v: Any, *positions: Any, axes: Ints, start: Ints, step: Ints
) -> Any:
    made = np.array(x, order="C")
    sizes, shape = made.shape, np.shape(v)
    made[_places("update_at", sizes, positions, axes, start, shape, step)] = v
    return made


def _update_at_adjoint(
    b: Builder,
    n: Node,
    g: Node,
    x: Node,
    v: Node,
    *positions: Node,
    axes: Ints,
    start: Ints,
    step: Ints,
) -> tuple[Node | None, ...]:
    """As of ``update``: v.bar = y.bar there, x.bar = y.bar but 0 there."""
    where = {"axes": axes, "start": start, "step": step}
    read = b.slice_at(g, *positions, shape=v.type.shape, **where)
    rest = b.update_at(g, b.like(v, 0.0), *positions, **where)
    return rest, read, *(None for _ in positions)


UPDATE_AT = register(
    OpDef(
        "update_at",
        3,
        _update_at_type,
        _update_at,
        _update_at_adjoint,
        _ATTRS,
        variadic=True,
        linear=((0, 1),),
        kind=Kind.STORE,
        vmap=update_at_vmap,
    )
)


def _add_at_type(
    x: TensorType,
    v: TensorType,
    *positions: TensorType,
    axes: Ints,
    start: Ints,
    step: Ints,
) -> TensorType:
    require_dtype(x.dtype == v.dtype, "add_at", f"cannot add {v} to {x}")
    require_dtype(x.dtype != "bool", "add_at", "adds numbers, not bool")
    _require_fits("add_at", x, positions, axes, start, v.shape, step)
    return x


def _add_at(
    x: Any, v: Any, *positions: Any, axes: Ints, start: Ints, step: Ints
) -> Any:
    made = np.array(x, order="C")
    sizes, shape = made.shape, np.shape(v)
    made[_places("add_at", sizes, positions, axes, start, shape, step)] += v
    return made


def _add_at_adjoint(
    b: Builder,
    n: Node,
    g: Node,
    x: Node,
    v: Node,
    *positions: Node,
    axes: Ints,
    start: Ints,
    step: Ints,
) -> tuple[Node | None, ...]:
    """For y = x + v at the places: x.bar = y.bar, v.bar = y.bar there."""
    shape = v.type.shape
    read = b.slice_at(g, *positions, axes=axes, start=start, shape=shape, step=step)
    return g, read, *(None for _ in positions)


ADD_AT = register(
    OpDef(
        "add_at",
        3,
        _add_at_type,
        _add_at,
        _add_at_adjoint,
        _ATTRS,
        variadic=True,
        linear=((0, 1),),
        kind=Kind.STORE,
        vmap=add_at_vmap,
    )
)
