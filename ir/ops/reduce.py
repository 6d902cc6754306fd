"""Reductions over axes, and running sums along one.

A reduction drops its axes; whoever wants them kept reshapes. The cotangent of a
reduction is broadcast back over the axes that it lost (`restore`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from ..types import DTYPES, TensorType
from .mapped import along
from .spec import (
    FLAG,
    INT,
    INTS,
    NONDIFFERENTIABLE,
    Adjoint,
    Combination,
    Kind,
    NonDifferentiable,
    OpDef,
    register,
    require,
    require_dtype,
)

if TYPE_CHECKING:
    from ..builder import Builder
    from ..graph import Node

Axes = tuple[int, ...]


def restore(b: Builder, reduced: Node, full: TensorType, axes: Axes) -> Node:
    """Broadcast a reduced value back to the type it was reduced from."""
    kept = [1 if axis in axes else dim for axis, dim in enumerate(full.shape)]
    return b.broadcast(b.reshape(reduced, kept), full)


def _check_axes(name: str, x: TensorType, axes: Axes) -> None:
    ordered = all(a < b for a, b in pairwise(axes))
    inside = all(0 <= axis < x.rank for axis in axes)
    require(ordered and inside, name, f"axes {axes} do not fit {x}")


def reduction(
    name: str,
    reference: Callable[..., Any],
    adjoint: Adjoint | NonDifferentiable,
    combine: Combination,
    *,
    dtypes: str = "numbers",
    has_identity: bool = True,
    linear: tuple[tuple[int, ...], ...] = (),
) -> OpDef:
    """Register a reduction; ``dtypes`` is ``numbers``, ``bool`` or ``ordered``."""

    def type_rule(x: TensorType, *, axes: Axes) -> TensorType:
        _check_axes(name, x, axes)
        fits = (dtypes == "bool") == (x.dtype == "bool")
        if dtypes == "ordered":
            require_dtype(not x.is_complex, name, f"{x} has no order")
            fits = True
        require_dtype(fits, name, f"takes {dtypes}, not {x}")
        empty = not has_identity and any(x.shape[axis] == 0 for axis in axes)
        require(not empty, name, f"no identity for a zero-size reduction of {x}")
        kept = (dim for axis, dim in enumerate(x.shape) if axis not in axes)
        return x.with_shape(tuple(kept))

    def apply(x: Any, *, axes: Axes) -> Any:
        return reference(x, axis=axes)

    return register(
        OpDef(
            name,
            1,
            type_rule,
            apply,
            adjoint,
            {"axes": INTS},
            kind=Kind.REDUCTION,
            combine=combine,
            linear=linear,
        )
    )


def _sum_adjoint(b: Builder, n: Node, g: Node, x: Node, *, axes: Axes) -> tuple[Node]:
    return (restore(b, g, x.type, axes),)


def _extremum_adjoint(
    b: Builder, n: Node, g: Node, x: Node, *, axes: Axes
) -> tuple[Node]:
    """Ties share the cotangent equally; a NaN stays with the entries that are NaN."""
    hit = b.eq(x, restore(b, n, x.type, axes))
    count = b.reduce_sum(b.cast(hit, x.type.dtype), axes=axes)
    share = restore(b, b.div(g, count), x.type, axes)
    lost = b.chain(restore(b, g, x.type, axes), x)
    return (b.select(hit, share, b.select(b.isnan(x), lost, b.like(x, 0.0))),)


def _prod_adjoint(b: Builder, n: Node, g: Node, x: Node, *, axes: Axes) -> tuple[Node]:
    """``x_i.bar = g * prod(x_j, j != i)``, from running products: zeros are safe."""
    kept = [axis for axis in range(x.type.rank) if axis not in axes]
    perm = (*kept, *axes)
    moved = b.transpose(x, perm)
    rows = n.type.shape
    count = math.prod(x.type.shape[axis] for axis in axes)
    flat = b.reshape(moved, (*rows, count))
    others = b.mul(_running(b, flat, False), _running(b, flat, True))
    spread = b.broadcast(b.reshape(g, (*rows, 1)), flat.type)
    back = b.reshape(b.chain(spread, b.conj(others)), moved.type.shape)
    return (b.transpose(back, tuple(int(i) for i in np.argsort(perm))),)


def _running(b: Builder, x: Node, reverse: bool) -> Node:
    """The product of the elements before each one (after it, if reversed)."""
    axis = x.type.rank - 1
    length = x.type.shape[axis]
    if length == 0:
        return x
    order = 1 if reverse else -1
    one = b.full(x.type.with_shape((*x.type.shape[:-1], 1)), 1.0)
    start = [0] * x.type.rank
    start[axis] = 1 if reverse else 0
    shape = (*x.type.shape[:-1], length - 1)
    rest = b.slice(x, start=tuple(start), shape=shape, step=(1,) * x.type.rank)
    parts = (rest, one)[::order]
    factors = b.concatenate(*parts, axis=axis)
    first = (b.like(rest, 0.0), one)[::order]
    seeds = b.concatenate(*first, axis=axis)
    return b.recurrence(factors, seeds, axis=axis, reverse=reverse)


def _total(x: Any, axis: Axes) -> Any:
    return np.sum(x, axis=axis, dtype=x.dtype)


def _product(x: Any, axis: Axes) -> Any:
    return np.prod(x, axis=axis, dtype=x.dtype)


def _ends(dtype: str) -> tuple[bool | int | float, bool | int | float]:
    """The lowest and the highest value of a dtype."""
    if dtype == "bool":
        return False, True
    if dtype[0] == "f":
        return -math.inf, math.inf
    limits = np.iinfo(DTYPES[dtype].name)
    return int(limits.min), int(limits.max)


_SUM = Combination("add", lambda dtype: 0)
_PRODUCT = Combination("mul", lambda dtype: 1)
_LARGEST = Combination("maximum", lambda dtype: _ends(dtype)[0])
_SMALLEST = Combination("minimum", lambda dtype: _ends(dtype)[1])
_ANY = Combination("logical_or", lambda dtype: False)
_ALL = Combination("logical_and", lambda dtype: True)

REDUCE_SUM = reduction("reduce_sum", _total, _sum_adjoint, _SUM, linear=((0,),))
REDUCE_PROD = reduction("reduce_prod", _product, _prod_adjoint, _PRODUCT)
REDUCE_MAX = reduction(
    "reduce_max",
    np.max,
    _extremum_adjoint,
    _LARGEST,
    dtypes="ordered",
    has_identity=False,
)
REDUCE_MIN = reduction(
    "reduce_min",
    np.min,
    _extremum_adjoint,
    _SMALLEST,
    dtypes="ordered",
    has_identity=False,
)
REDUCE_ANY = reduction("reduce_any", np.any, NONDIFFERENTIABLE, _ANY, dtypes="bool")
REDUCE_ALL = reduction("reduce_all", np.all, NONDIFFERENTIABLE, _ALL, dtypes="bool")


def position(name: str, reference: Callable[..., Any]) -> OpDef:
    """Register an op that finds the index of an extremum along one axis."""

    def type_rule(x: TensorType, *, axis: int) -> TensorType:
        require_dtype(not x.is_complex, name, f"{x} has no order")
        require(0 <= axis < x.rank, name, f"no axis {axis} in {x}")
        require(x.shape[axis] != 0, name, f"no element along axis {axis} of {x}")
        kept = x.shape[:axis] + x.shape[axis + 1 :]
        return TensorType("i64", kept)

    def apply(x: Any, *, axis: int) -> Any:
        return reference(x, axis=axis)

    return register(
        OpDef(
            name,
            1,
            type_rule,
            apply,
            NONDIFFERENTIABLE,
            {"axis": INT},
            vmap=along("axis"),
        )
    )


ARGMAX = position("argmax", np.argmax)
ARGMIN = position("argmin", np.argmin)


def _cumsum_type(x: TensorType, *, axis: int, reverse: bool) -> TensorType:
    require(0 <= axis < x.rank, "cumsum", f"no axis {axis} in {x}")
    require_dtype(x.dtype != "bool", "cumsum", "takes numbers, not bool")
    return x


def _cumsum(x: Any, *, axis: int, reverse: bool) -> Any:
    if reverse:
        return np.flip(np.cumsum(np.flip(x, axis), axis=axis, dtype=x.dtype), axis)
    return np.cumsum(x, axis=axis, dtype=x.dtype)


def _cumsum_adjoint(
    b: Builder, n: Node, g: Node, x: Node, *, axis: int, reverse: bool
) -> tuple[Node]:
    return (b.cumsum(g, axis=axis, reverse=not reverse),)


CUMSUM = register(
    OpDef(
        "cumsum",
        1,
        _cumsum_type,
        _cumsum,
        _cumsum_adjoint,
        {"axis": INT, "reverse": FLAG},
        linear=((0,),),
        vmap=along("axis"),
    )
)


def _recurrence_type(
    a: TensorType, x: TensorType, *, axis: int, reverse: bool
) -> TensorType:
    require(a == x, "recurrence", f"operands differ, {a} and {x}")
    return _cumsum_type(x, axis=axis, reverse=reverse)


def _recurrence(a: Any, x: Any, *, axis: int, reverse: bool) -> Any:
    """``s[k] = a[k] * s[k-1] + x[k]``, from ``s[0] = x[0]``."""
    a, x = np.moveaxis(a, axis, 0), np.moveaxis(x, axis, 0)
    if reverse:
        a, x = a[::-1], x[::-1]
    state = np.empty_like(x)
    for k in range(len(x)):
        state[k] = a[k] * state[k - 1] + x[k] if k else x[k]
    return np.moveaxis(state[::-1] if reverse else state, 0, axis)


def _recurrence_adjoint(
    b: Builder, n: Node, g: Node, a: Node, x: Node, *, axis: int, reverse: bool
) -> tuple[Node, Node]:
    """``x.bar`` runs the recurrence the other way; ``a[k].bar = x[k].bar s[k-1]``."""
    shifted = b.conj(shift(b, a, axis, -1 if reverse else 1))
    x_bar = b.recurrence(shifted, g, axis=axis, reverse=not reverse)
    before = shift(b, n, axis, 1 if reverse else -1)
    return b.chain(x_bar, b.conj(before)), x_bar


def shift(b: Builder, x: Node, axis: int, by: int) -> Node:
    """``y[k] = x[k + by]`` along an axis, zero outside."""
    if x.type.shape[axis] == 0:
        return x
    start = [0] * x.type.rank
    start[axis] = max(by, 0)
    shape = list(x.type.shape)
    shape[axis] -= abs(by)
    kept = b.slice(x, start=tuple(start), shape=tuple(shape), step=(1,) * x.type.rank)
    low, high, none = [0] * x.type.rank, [0] * x.type.rank, (0,) * x.type.rank
    low[axis], high[axis] = max(-by, 0), max(by, 0)
    return b.pad(kept, low=tuple(low), high=tuple(high), interior=none, value=0.0)


RECURRENCE = register(
    OpDef(
        "recurrence",
        2,
        _recurrence_type,
        _recurrence,
        _recurrence_adjoint,
        {"axis": INT, "reverse": FLAG},
        linear=((1,),),
        vmap=along("axis"),
    )
)
