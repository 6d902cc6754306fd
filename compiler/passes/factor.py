"""Sums over products of values that do not have all of the axes.

    sum over i of  x[i, j] y[i, k]        is a product of matrices,
    sum over j, k of  x[i, j] y[i, k]     is a product of sums.

The array of all products, which may be far larger than its factors, is not made. So the
sum of the gradients of many examples costs what the gradient of their sum does, each of
them scaled or not, and the norm of each costs next to nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from ...ir.builder import Builder
from ...ir.graph import Graph, Node
from ...ir.types import Shape
from .rewrite import rewrite

__all__ = ["LIMIT", "factor"]

LIMIT = 2**12
"""Products of fewer elements are summed as they are, in the kernel around them."""
MOST = 8
"""Products of more factors stay as they are."""

Axes = frozenset[int]


class Factor(NamedTuple):
    """A value with as many axes as the product, which are of size 1 but for its own."""

    value: Node
    axes: Axes


def factor(graph: Graph) -> Graph:
    """Take sums over products apart, up to rounding.

    before:
        graph f(%x: f64[20,30], %y: f64[20,40]) {
          %a = reshape(%x) {shape=(20, 30, 1)}        : f64[20,30,1]
          %b = broadcast_to(%a) {shape=(20, 30, 40)}  : f64[20,30,40]
          %c = reshape(%y) {shape=(20, 1, 40)}        : f64[20,1,40]
          %d = broadcast_to(%c) {shape=(20, 30, 40)}  : f64[20,30,40]
          %p = mul(%b, %d)                            : f64[20,30,40]
          %s = reduce_sum(%p) {axes=(0,)}             : f64[30,40]
          return %s
        }
    after:
        graph f(%x: f64[20,30], %y: f64[20,40]) {
          %a = reshape(%x) {shape=(20, 30, 1)}        : f64[20,30,1]
          %b = broadcast_to(%a) {shape=(20, 30, 40)}  : f64[20,30,40]
          %c = reshape(%y) {shape=(20, 1, 40)}        : f64[20,1,40]
          %d = broadcast_to(%c) {shape=(20, 30, 40)}  : f64[20,30,40]
          %p = mul(%b, %d)                            : f64[20,30,40]
          %reshape.0 = reshape(%a) {shape=(20, 30)}   : f64[20,30]
          %transpose.0 = transpose(%reshape.0) {perm=(1, 0)} : f64[30,20]
          %reshape.1 = reshape(%c) {shape=(20, 40)}   : f64[20,40]
          %matmul.0 = matmul(%transpose.0, %reshape.1) : f64[30,40]
          return %matmul.0
        }
    """
    return rewrite(graph, {"reduce_sum": _sum})


def _sum(b: Builder, node: Node, x: Node) -> Node | None:
    if x.op != "mul" or not x.type.is_float or x.type.size < LIMIT:
        return None
    found = _factors(b, x)
    sizes = x.type.shape
    every = _axes(found)
    lost = any(size != 1 and axis not in every for axis, size in enumerate(sizes))
    if lost or not 2 <= len(found) <= MOST:
        return None
    axes: Any = node.attrs["axes"]
    wanted = every & set(axes)
    left, rest = _eliminated(b, found, wanted, sizes)
    made = _matrices(b, left, rest, sizes) if rest else None
    if made is None and rest != wanted:
        made = _added(b, _multiplied(b, left), rest).value
    return None if made is None else b.reshape(made, node.type.shape)


def _axes(found: Iterable[Factor]) -> Axes:
    return frozenset[int]().union(*(one.axes for one in found))


def _eliminated(
    b: Builder, found: Sequence[Factor], summed: Axes, sizes: Shape
) -> tuple[list[Factor], Axes]:
    """The factors after sums over axes that few of them have, and what is left to sum.

    Such a sum is one over the product of these, if that is less than half of all.
    """
    left = list(found)
    for axis in sorted(summed):
        having = [one for one in left if axis in one.axes]
        size = math.prod(sizes[other] for other in _axes(having))
        if 2 * size <= math.prod(sizes):
            place = left.index(having[0])
            made = _added(b, _multiplied(b, having), frozenset({axis}))
            left[place] = made
            left = [one for one in left if one is made or one not in having]
            summed -= {axis}
    return left, summed


def _factors(b: Builder, x: Node) -> list[Factor]:
    """The factors of a product, those of its factors among them, from left to right."""
    if x.op == "mul":
        return [one for name in x.operands for one in _factors(b, b[name])]
    value, rank = x, x.type.rank
    if x.op == "broadcast_to":
        value = b[x.operands[0]]
        value = b.reshape(value, (1,) * (rank - value.type.rank) + value.type.shape)
    own = [axis for axis, size in enumerate(value.type.shape) if size != 1]
    return [Factor(value, frozenset(own))]


def _groups(found: Sequence[Factor], by: Axes) -> list[list[Factor]]:
    """The factors in groups, such that none has one of these axes with another."""
    groups: list[tuple[Axes, list[Factor]]] = []
    for one in found:
        axes, members = one.axes & by, [one]
        apart: list[tuple[Axes, list[Factor]]] = []
        for other, theirs in groups:
            if other & axes:
                axes, members = axes | other, theirs + members
            else:
                apart.append((other, theirs))
        groups = [*apart, (axes, members)]
    return [members for _, members in groups]


def _multiplied(b: Builder, found: Sequence[Factor]) -> Factor:
    """The product of some factors, as small as it can be."""
    shapes = [one.value.type.shape for one in found]
    shape = tuple([max(sizes) for sizes in zip(*shapes, strict=True)])
    type_ = found[0].value.type.with_shape(shape)
    made = b.broadcast(found[0].value, type_)
    for one in found[1:]:
        made = b.mul(made, b.broadcast(one.value, type_))
    return Factor(made, _axes(found))


def _added(b: Builder, one: Factor, axes: Axes) -> Factor:
    """The sum of a factor over those of its axes."""
    over = one.axes & axes
    if not over:
        return one
    shape = one.value.type.shape
    kept = [1 if axis in over else size for axis, size in enumerate(shape)]
    made = b.reduce_sum(one.value, axes=tuple(sorted(over)))
    return Factor(b.reshape(made, kept), one.axes - over)


def _matrices(
    b: Builder, found: Sequence[Factor], summed: Axes, sizes: Shape
) -> Node | None:
    """A product of matrices, where two groups share no axis that is kept."""
    kept = frozenset(range(len(sizes))) - summed
    groups = _groups(found, kept)
    both = [group for group in groups if any(one.axes & kept for one in group)]
    if len(both) != 2:
        return None
    for group in groups:
        if group not in both:
            min(both, key=_size).extend(group)
    left, right = (_multiplied(b, group) for group in both)
    shared = left.axes & right.axes
    if not shared or shared != summed:
        return None
    rows, columns = sorted(left.axes - shared), sorted(right.axes - shared)
    inner = sorted(shared)
    x = _matrix(b, left, rows, inner, sizes)
    y = _matrix(b, right, inner, columns, sizes)
    made = b.matmul(x, y)
    order = [*rows, *columns]
    shaped = b.reshape(made, [sizes[axis] for axis in order])
    return b.transpose(shaped, [order.index(axis) for axis in sorted(order)])


def _size(group: list[Factor]) -> int:
    return max(one.value.type.size for one in group)


def _matrix(
    b: Builder, one: Factor, rows: list[int], columns: list[int], sizes: Shape
) -> Node:
    """A factor as a matrix of these axes; it has no others."""
    own = sorted(one.axes)
    value = b.reshape(one.value, [sizes[axis] for axis in own])
    turned = b.transpose(value, [own.index(axis) for axis in (*rows, *columns)])
    count = math.prod(sizes[axis] for axis in rows)
    return b.reshape(turned, (count, math.prod(sizes[axis] for axis in columns)))
