"""Order: what puts rows in order, and where values have their place in sorted ones.

Positions have no derivative. That of sorted values is a permutation, the same at every
order: the adjoint brings each cotangent back to where its value was. NaN comes after
all numbers, as in NumPy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..types import TensorType
from .mapped import stacked
from .mapped_places import searchsorted_vmap
from .spec import FLAG, NONDIFFERENTIABLE, OpDef, register, require, require_dtype

if TYPE_CHECKING:
    from ..builder import Builder
    from ..graph import Node

__all__ = ["ARGSORT", "SEARCHSORTED", "SORT", "flat_places"]


def flat_places(b: Builder, places: Node, length: int) -> Node:
    """Places in rows of a length, as places in all rows laid one after the other."""
    *outer, _ = places.type.shape
    if not outer:
        return places
    ramp = b.iota(shape=tuple(outer), axis=0, dtype="i64")
    first = b.like(ramp, 0)
    stride = length
    for axis in reversed(range(len(outer))):
        ramp = b.iota(shape=tuple(outer), axis=axis, dtype="i64")
        first = b.add(first, b.mul(ramp, b.like(ramp, stride)))
        stride *= outer[axis]
    first = b.broadcast(b.reshape(first, (*outer, 1)), places.type)
    return b.add(places, first)


def _check(name: str, x: TensorType) -> None:
    require_dtype(not x.is_complex, name, f"{x} has no order")
    require(x.rank > 0, name, f"{x} has no axis")


def _sort_type(x: TensorType) -> TensorType:
    _check("sort", x)
    return x


def _sort_adjoint(b: Builder, n: Node, g: Node, x: Node) -> tuple[Node]:
    size = x.type.size
    places = flat_places(b, b.argsort(x), x.type.shape[-1])
    rows, places = b.reshape(g, (size,)), b.reshape(places, (size,))
    back = b.scatter_add(rows, places, axis=0, size=size)
    return (b.reshape(back, x.type.shape),)


SORT = register(OpDef("sort", 1, _sort_type, np.sort, _sort_adjoint, vmap=stacked))
"""The entries of each row, which goes along the last axis, in order.

Which of two zeros comes first is left open.
"""


def _argsort_type(x: TensorType) -> TensorType:
    _check("argsort", x)
    return x.with_dtype("i64")


ARGSORT = register(
    OpDef(
        "argsort",
        1,
        _argsort_type,
        lambda x: np.argsort(x, axis=-1, kind="stable"),
        NONDIFFERENTIABLE,
        vmap=stacked,
    )
)
"""The positions that sort each row, which goes along the last axis; ties in order."""


def _searchsorted_type(a: TensorType, v: TensorType, *, right: bool) -> TensorType:
    require_dtype(not a.is_complex, "searchsorted", f"{a} has no order")
    require(a.rank == 1, "searchsorted", f"{a} is no row")
    require_dtype(a.dtype == v.dtype, "searchsorted", f"{v} is searched in {a}")
    return v.with_dtype("i64")


def _searchsorted(a: Any, v: Any, *, right: bool) -> Any:
    return np.asarray(np.searchsorted(a, v, "right" if right else "left"))


SEARCHSORTED = register(
    OpDef(
        "searchsorted",
        2,
        _searchsorted_type,
        _searchsorted,
        NONDIFFERENTIABLE,
        {"right": FLAG},
        vmap=searchsorted_vmap,
    )
)
"""How many entries of the sorted row ``a`` are below each ``v``; ``right``: not above.

What it gives for a row that is not sorted is left open.
"""
