"""What the elements of each op depend on, as rules on numbers of sets.

An op that moves elements moves their numbers, by its own reference. Where it moves
them from or to is known only when running, an element depends on all that could be
there. An op without a rule makes values each element of which depends on all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ...ir.graph import Node
from ...ir.ops import OPS, Kind
from ...ir.ops.at import limits
from ...ir.ops.shape import indices
from .regions import body, cond, custom_jvp, custom_vjp, loop
from .unions import Numbers, Sets
from .windows import (
    conv,
    conv_input,
    conv_kernel,
    fold,
    gathered,
    max_pool,
    max_pool_input,
)

if TYPE_CHECKING:
    from .walk import Walk

__all__ = ["rule_of"]

Rule: TypeAlias = "Callable[..., Sets | list[Sets]]"
"""``rule(walk, node, *sets, **attrs)`` gives the sets of the node's value, or of each
of several. ``sets`` has None for operands through which no derivative goes."""
Ints: TypeAlias = tuple[int, ...]

_ROWS = ("fft", "ifft", "rfft", "irfft", "sort", "ranked")
_MATRICES = (
    *("solve_triangular", "lu", "solve_lu", "cholesky", "cholesky_input"),
    *("det", "logdet", "pinv", "qr", "eigh", "svd", "eig"),
)
_ALIKE = ("real", "imag", "conj", "complex", "of_complex", "reciprocal")


def rule_of(node: Node) -> Rule:
    """The rule of a node's op."""
    op = OPS[node.op]
    known = _RULES.get(node.op) or _OF_KIND.get(op.kind)
    if known is not None:
        return known
    return _elementwise if op.ufunc is not None else _everything


def _everything(walk: Walk, node: Node, *sets: Sets, **attrs: Any) -> list[Sets]:
    """Each element of each value depends on all."""
    return walk.everything(node, sets)


def _elementwise(walk: Walk, node: Node, *sets: Sets, **attrs: Any) -> list[Sets]:
    some = [x for x in sets if x is not None]
    made = walk.unions.all(some, node.type.shape) if len(some) > 1 else (*some, None)[0]
    return [made] * len(node.values)


def _share(walk: Walk, node: Node, *sets: Sets, axes: Ints) -> Sets:
    """The derivative of a share of a sum is that of the sum's."""
    return _spread(walk, node, _elementwise(walk, node, *sets)[0], axes)


def _select(walk: Walk, node: Node, c: Sets, x: Sets, y: Sets) -> Sets:
    mask = walk.value(node.operands[0])
    if mask is None:
        return walk.both(x, y)
    made: Numbers = np.where(mask, 0 if x is None else x, 0 if y is None else y)
    return made


def _move(walk: Walk, node: Node, x: Sets, **attrs: Any) -> Sets:
    return None if x is None else OPS[node.op].reference(x, **attrs)


def _pad(walk: Walk, node: Node, x: Sets, **attrs: Any) -> Sets:
    return _move(walk, node, x, **{**attrs, "value": 0})


def _concatenate(walk: Walk, node: Node, *sets: Sets, axis: int) -> Sets:
    if all(x is None for x in sets):
        return None
    parts = [walk.filled(node, slot, x) for slot, x in enumerate(sets)]
    return np.concatenate(parts, axis=axis)


def _reduce(walk: Walk, node: Node, x: Sets, *, axes: Ints) -> Sets:
    return None if x is None else walk.unions.along(x, axes)


def _spread(walk: Walk, node: Node, x: Sets, axes: Ints) -> Sets:
    """The union along axes, at each place along these of the value."""
    if x is None:
        return None
    shape = [1 if axis in axes else size for axis, size in enumerate(x.shape)]
    united = walk.unions.along(x, axes).reshape(shape)
    return np.broadcast_to(united, node.type.shape)


def _rows(walk: Walk, node: Node, x: Sets, **attrs: Any) -> Sets:
    """Each row, which goes along the last axis, is made of one row."""
    return None if x is None else _spread(walk, node, x, (x.ndim - 1,))


def _matrices(walk: Walk, node: Node, *sets: Sets, **attrs: Any) -> list[Sets]:
    """All that is made of one matrix of a stack is made of all of that matrix."""
    ranks = [walk.operand(node, slot).type.rank for slot in range(len(sets))]
    lead = max(ranks) - 2
    united: Sets = None
    for x in sets:
        if x is not None:
            one = walk.unions.along(x, tuple(range(lead, x.ndim)))
            united = walk.both(united, one)
    assert united is not None, "a visited node has an operand that depends"
    return [
        np.broadcast_to(
            united.reshape(united.shape + (1,) * (value.type.rank - lead)),
            value.type.shape,
        )
        for value in node.values
    ]


def _scan(walk: Walk, node: Node, *sets: Sets, axis: int, reverse: bool) -> Sets:
    """Each element depends on those before it: twice as far with each step."""
    x = _elementwise(walk, node, *sets)[0]
    if x is None:
        return None
    made = np.moveaxis(np.array(x), axis, 0)
    made = made[::-1] if reverse else made
    step = 1
    while step < len(made):
        made[step:] = walk.unions.both(made[step:], made[:-step].copy())
        step *= 2
    return np.moveaxis(made[::-1] if reverse else made, 0, axis)


def _take(walk: Walk, node: Node, x: Sets, i: Sets, *, axis: int) -> Sets:
    if x is None:
        return None
    places = walk.value(node.operands[1])
    if places is not None:
        return np.take(x, places, axis=axis, mode="clip")
    united = walk.unions.along(x, (axis,))
    rank = node.type.rank - united.ndim
    return np.broadcast_to(
        np.expand_dims(united, tuple(range(axis, axis + rank))), node.type.shape
    )


def _scatter_add(
    walk: Walk, node: Node, x: Sets, i: Sets, *, axis: int, size: int
) -> Sets:
    if x is None:
        return None
    shape = node.type.shape
    places = walk.value(node.operands[1])
    if places is None:
        rank = walk.operand(node, 1).type.rank
        united = walk.unions.along(x, tuple(range(axis, axis + rank)))
        return np.broadcast_to(np.expand_dims(united, axis), shape)
    where = np.arange(node.type.size).reshape(shape)
    return gathered(walk, node, x, np.take(where, places, axis=axis, mode="clip"))


class _Places:
    """The elements of a value that a slice at positions may have, axis by axis."""

    def __init__(
        self,
        walk: Walk,
        positions: Sequence[str],
        sizes: Ints,
        shape: Ints,
        *,
        start: Ints,
        step: Ints,
        axes: Ints = (),
    ) -> None:
        first = list(start)
        found: list[int] = []
        inside = limits(sizes, axes, start, shape, step)
        for axis, name, (low, high) in zip(axes, positions, inside, strict=True):
            position = walk.value(name)
            if position is None:
                found.append(axis)
            else:
                first[axis] += min(max(int(position), low), high)
        index = list(indices(tuple(first), shape, step))
        for axis in found:
            index[axis] = slice(None)
        self.unknown = tuple(found)
        self.index = tuple(index)


def _slice_at(
    walk: Walk, node: Node, x: Sets, *positions: Sets, shape: Ints, **where: Any
) -> Sets:
    if x is None:
        return None
    places = _Places(walk, node.operands[1:], x.shape, shape, **where)
    part = x[places.index]
    return _spread(walk, node, part, places.unknown) if places.unknown else part


def _stored(walk: Walk, node: Node, x: Sets, v: Sets, places: _Places) -> Sets:
    """A store: what was there stays where it is not known to be stored, or added."""
    if x is None and v is None:
        return None
    made = walk.target(node, x)
    there = made[places.index]
    v = walk.filled(node, 1, v)
    if places.unknown:
        kept = [1 if a in places.unknown else n for a, n in enumerate(v.shape)]
        v = np.broadcast_to(
            walk.unions.along(v, places.unknown).reshape(kept), there.shape
        )
    adds = places.unknown or node.op == "add_at"
    made[places.index] = walk.unions.both(there, v) if adds else v
    return made


def _store(
    walk: Walk, node: Node, x: Sets, v: Sets, *positions: Sets, **where: Any
) -> Sets:
    shapes = node.type.shape, walk.operand(node, 1).type.shape
    places = _Places(walk, node.operands[2:], *shapes, **where)
    return _stored(walk, node, x, v, places)


def _put(walk: Walk, node: Node, x: Sets, v: Sets, i: Sets, *, axis: int) -> Sets:
    if x is None and v is None:
        return None
    places = walk.value(node.operands[2])
    made, v = walk.target(node, x), walk.filled(node, 1, v)
    if places is None:
        rank = walk.operand(node, 2).type.rank
        united = walk.unions.along(v, tuple(range(axis, axis + rank)))
        spread = np.broadcast_to(np.expand_dims(united, axis), made.shape)
        return walk.unions.both(made, spread)
    made[(*(slice(None),) * axis, places.clip(0, node.type.shape[axis] - 1))] = v
    return made


def _matmul(walk: Walk, node: Node, x: Sets, y: Sets, *more: Sets) -> Sets:
    left = None if x is None else _product(walk, node, x, walk.nonzero(node, 1))
    right = None
    if y is not None:
        there = walk.nonzero(node, 0)
        turned = None if there is None else there.swapaxes(-1, -2)
        made = _product(walk, node, y.swapaxes(-1, -2), turned, flipped=True)
        right = made.swapaxes(-1, -2)
    return walk.both(walk.both(left, right), more[0] if more else None)


def _product(
    walk: Walk,
    node: Node,
    x: Numbers,
    nonzero: Any,
    *,
    flipped: bool = False,
) -> Numbers:
    """What ``x`` gives to x @ y, of which it may be known where y is not zero."""
    shape = node.type.shape
    shape = (*shape[:-2], shape[-1], shape[-2]) if flipped else shape
    if nonzero is None or nonzero.all():
        united = walk.unions.along(x, (x.ndim - 1,))[..., None]
        return np.broadcast_to(united, shape)
    count, rows, columns = int(np.prod(shape[:-2])), shape[-2], shape[-1]
    stack = x.reshape(count, rows, -1)
    which, inner, column = np.nonzero(nonzero.reshape(count, -1, columns))
    taken = stack[which, :, inner]
    target = (which[:, None] * rows + np.arange(rows)) * columns + column[:, None]
    flat = taken.reshape(-1), target.reshape(-1)
    return walk.unions.grouped(*flat, count * rows * columns).reshape(shape)


_OF_KIND: Mapping[Kind, Rule] = {
    Kind.ELEMENTWISE: _elementwise,
    Kind.REDUCTION: _reduce,
    Kind.VIEW: _move,
}
_RULES: Mapping[str, Rule] = {
    "select": _select,
    "share": _share,
    "log_share": _share,
    "pad": _pad,
    "concatenate": _concatenate,
    "cumsum": _scan,
    "recurrence": _scan,
    "take": _take,
    "scatter_add": _scatter_add,
    "fold": fold,
    "conv": conv,
    "conv_input": conv_input,
    "conv_kernel": conv_kernel,
    "max_pool": max_pool,
    "max_pool_input": max_pool_input,
    "slice_at": _slice_at,
    "update": _store,
    "update_at": _store,
    "add_at": _store,
    "put": _put,
    "matmul": _matmul,
    "matmul_add": _matmul,
    "cond": cond,
    "checkpoint": body,
    "recompute": body,
    "custom_jvp": custom_jvp,
    "custom_vjp": custom_vjp,
    "loop": loop,
    **dict.fromkeys(_ROWS, _rows),
    **dict.fromkeys(_MATRICES, _matrices),
    **dict.fromkeys(_ALIKE, _elementwise),
}
