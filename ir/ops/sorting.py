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
from .spec import FLAG, INTS, NONDIFFERENTIABLE, OpDef, register, require, require_dtype

if TYPE_CHECKING:
    from ..builder import Builder
    from ..graph import Node

__all__ = ["ARGRANKED", "ARGSORT", "RANKED", "SEARCHSORTED", "SORT", "flat_places"]


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


def _brought_back(b: Builder, g: Node, positions: Node, x: Node) -> tuple[Node]:
    """Cotangents of entries of rows of x, where these entries were."""
    count = (g.type.size,)
    places = flat_places(b, positions, x.type.shape[-1])
    rows, places = b.reshape(g, count), b.reshape(places, count)
    back = b.scatter_add(rows, places, axis=0, size=x.type.size)
    return (b.reshape(back, x.type.shape),)


def _sort_adjoint(b: Builder, n: Node, g: Node, x: Node) -> tuple[Node]:
    return _brought_back(b, g, b.argsort(x), x)


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


def _ranked_type(x: TensorType, *, places: tuple[int, ...]) -> TensorType:
    _check("ranked", x)
    inside = all(0 <= place < x.shape[-1] for place in places)
    require(inside and len(places) > 0, "ranked", f"{places} are no places in {x}")
    return TensorType(x.dtype, (*x.shape[:-1], len(places)))


def _ranked_adjoint(
    b: Builder, n: Node, g: Node, x: Node, *, places: tuple[int, ...]
) -> tuple[Node]:
    return _brought_back(b, g, b.argranked(x, n, places=places), x)


RANKED = register(
    OpDef(
        "ranked",
        1,
        _ranked_type,
        lambda x, *, places: np.sort(x)[..., list(places)],
        _ranked_adjoint,
        {"places": INTS},
        vmap=stacked,
    )
)
"""The entries at some places of each row in order: a slice of `sort`."""


def _argranked_type(
    x: TensorType, values: TensorType, *, places: tuple[int, ...]
) -> TensorType:
    made = _ranked_type(x, places=places)
    require(values == made, "argranked", f"{values} are not {made}, the values there")
    return made.with_dtype("i64")


ARGRANKED = register(
    OpDef(
        "argranked",
        2,
        _argranked_type,
        lambda x, values, *, places: np.argsort(x, kind="stable")[..., list(places)],
        NONDIFFERENTIABLE,
        {"places": INTS},
        vmap=stacked,
    )
)
"""The positions of `ranked` values, found by these: the same places of `argsort`.

What it gives for other values is left open.
"""


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
