"""Stores: an array after a part of it was written.

A backend may write into the memory of the array where nothing reads its old contents;
in the graph both are values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..types import TensorType
from .mapped import along
from .mapped_places import put_vmap
from .shape import indices, require_inside
from .spec import INT, INTS, Kind, OpDef, register, require, require_dtype

if TYPE_CHECKING:
    from ..builder import Builder
    from ..graph import Node

__all__ = ["PUT", "UPDATE"]

Ints = tuple[int, ...]


def _update_type(
    x: TensorType, v: TensorType, *, start: Ints, step: Ints
) -> TensorType:
    require_dtype(x.dtype == v.dtype, "update", f"cannot store {v} in {x}")
    require(x.rank == v.rank, "update", f"cannot store {v} in {x}")
    require_inside("update", x, start, v.shape, step)
    return x


def _update(x: Any, v: Any, *, start: Ints, step: Ints) -> Any:
    made = np.array(x, order="C")
    made[indices(start, np.shape(v), step)] = v
    return made


def _update_adjoint(
    b: Builder, n: Node, g: Node, x: Node, v: Node, *, start: Ints, step: Ints
) -> tuple[Node, Node]:
    """For y, x but v at the places: v.bar = y.bar there, x.bar = y.bar but 0 there."""
    read = b.slice(g, start=start, shape=v.type.shape, step=step)
    return b.update(g, b.like(v, 0.0), start=start, step=step), read


UPDATE = register(
    OpDef(
        "update",
        2,
        _update_type,
        _update,
        _update_adjoint,
        {"start": INTS, "step": INTS},
        linear=((0, 1),),
        kind=Kind.STORE,
        vmap=along("start", "step"),
    )
)


def _put_type(x: TensorType, v: TensorType, i: TensorType, *, axis: int) -> TensorType:
    require(0 <= axis < x.rank, "put", f"no axis {axis} in {x}")
    rows = x.with_shape((*x.shape[:axis], *i.shape, *x.shape[axis + 1 :]))
    require(v.shape == rows.shape, "put", f"cannot store {v} in {x} at {i}")
    require_dtype(x.dtype == v.dtype, "put", f"cannot store {v} in {x}")
    require_dtype(i.dtype == "i64", "put", f"the positions are {i}, not i64")
    return x


def _put(x: Any, v: Any, i: Any, *, axis: int) -> Any:
    made = np.array(x, order="C")
    made[(*(slice(None),) * axis, i)] = v
    return made


def _put_adjoint(
    b: Builder, n: Node, g: Node, x: Node, v: Node, i: Node, *, axis: int
) -> tuple[Node, Node, None]:
    """Like that of ``update``: the positions are distinct."""
    read = b.take(g, i, axis=axis)
    return b.put(g, b.like(v, 0.0), i, axis=axis), read, None


PUT = register(
    OpDef(
        "put",
        3,
        _put_type,
        _put,
        _put_adjoint,
        {"axis": INT},
        constant_slots=(2,),
        linear=((0, 1),),
        kind=Kind.STORE,
        vmap=put_vmap,
    )
)
