"""Sum nodes over padded values: the values side by side.

The gradient of a value that is cut into slices is a sum node over slices that are
padded with zeros to the value's size. Where they do not overlap they are a
concatenation, and the zeros are neither written nor added. The tangent of such a sum of
two is an `add`.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Any, NamedTuple

from ...ir.builder import Builder
from ...ir.graph import Graph, Node
from .rewrite import instead, rewrite

__all__ = ["join"]


class Piece(NamedTuple):
    """The nodes that pad values from ``start`` to ``stop`` along an axis."""

    start: int
    stop: int
    nodes: list[Node]


def join(graph: Graph) -> Graph:
    """Concatenate the padded operands of a sum that do not overlap.

    before:
        graph f(%x: f64[2], %y: f64[3], %z: f64[7]) {
          %a = pad(%x) {low=(0,), high=(5,), interior=(0,), value=0.0} : f64[7]
          %b = pad(%y) {low=(4,), high=(0,), interior=(0,), value=0.0} : f64[7]
          %s = add_n(%b, %z, %a) : f64[7]
          return %s
        }
    after:
        graph f(%x: f64[2], %y: f64[3], %z: f64[7]) {
          %a = pad(%x) {low=(0,), high=(5,), interior=(0,), value=0.0} : f64[7]
          %b = pad(%y) {low=(4,), high=(0,), interior=(0,), value=0.0} : f64[7]
          %const.0 = const() {value=0.0} : f64[]
          %broadcast_to.0 = broadcast_to(%const.0) {shape=(2,)} : f64[2]
          %concatenate.0 = concatenate(%x, %broadcast_to.0, %y) {axis=0} : f64[7]
          %s = add_n(%z, %concatenate.0) : f64[7]
          return %s
        }

    Values that were padded alike are added before. Keeps results, but for the order of
    additions and the sign of a zero: -0.0 + 0.0 is 0.0.
    """
    return rewrite(graph, {"add_n": _joined, "add": _joined})


def _joined(b: Builder, node: Node, *operands: Node) -> Node | None:
    """The sum of the concatenations and of the other operands."""
    others: list[Node] = []
    pieces: dict[int, dict[tuple[int, int], Piece]] = {}
    for operand in operands:
        axis = _padded_axis(operand)
        if axis is None:
            others.append(operand)
        else:
            start, stop = _span(b, operand, axis)
            found = pieces.setdefault(axis, {})
            found.setdefault((start, stop), Piece(start, stop, [])).nodes.append(
                operand
            )
    joined: list[tuple[int, list[Node]]] = []
    for axis, found in pieces.items():
        for row in _rows(list(found.values())):
            if len(row) == len(row[0].nodes) == 1:
                others += row[0].nodes
            else:
                joined.append((axis, _filled(b, row, axis)))
    if not joined:
        return None
    if len(joined) == 1 and not others:
        ((axis, parts),) = joined
        return b.append(instead(node, "concatenate", *parts, axis=axis))
    terms = [b.concatenate(*parts, axis=axis) for axis, parts in joined]
    return b.append(instead(node, "add_n", *others, *terms))


def _padded_axis(node: Node) -> int | None:
    """The one axis along which a node pads with zeros around, if it does."""
    if node.op != "pad" or node.attrs["value"] != 0:
        return None
    interior: Any = node.attrs["interior"]
    low: Any = node.attrs["low"]
    high: Any = node.attrs["high"]
    axes = [axis for axis, pair in enumerate(zip(low, high, strict=True)) if any(pair)]
    return axes[0] if len(axes) == 1 and not any(interior) else None


def _span(b: Builder, node: Node, axis: int) -> tuple[int, int]:
    """From where to where the values lie between the zeros."""
    low: Any = node.attrs["low"]
    return low[axis], low[axis] + b[node.operands[0]].type.shape[axis]


def _rows(pieces: Sequence[Piece]) -> list[list[Piece]]:
    """The pieces in rows without overlap: each into the row that ends first."""
    rows: list[list[Piece]] = []
    ends: list[tuple[int, int]] = []
    for piece in sorted(pieces, key=lambda piece: piece[:2]):
        if ends and ends[0][0] <= piece.start:
            _, number = heapq.heappop(ends)
        else:
            number = len(rows)
            rows.append([])
        rows[number].append(piece)
        heapq.heappush(ends, (piece.stop, number))
    return rows


def _filled(b: Builder, row: Sequence[Piece], axis: int) -> list[Node]:
    """The values of a row, with zeros where it has none."""
    type_ = row[0].nodes[0].type
    parts: list[Node] = []
    end = 0

    def zeros(count: int) -> None:
        if count:
            shape = [*type_.shape]
            shape[axis] = count
            parts.append(b.full(type_.with_shape(tuple(shape)), 0))

    for piece in row:
        zeros(piece.start - end)
        parts.append(_added(b, [b[node.operands[0]] for node in piece.nodes]))
        end = piece.stop
    zeros(type_.shape[axis] - end)
    return parts


def _added(b: Builder, values: Sequence[Node]) -> Node:
    """The sum of the values, before a reshape that all of them end in."""
    if len(values) == 1:
        return values[0]
    inner = [b[value.operands[0]] for value in values if value.op == "reshape"]
    if len(inner) == len(values) and len({value.type for value in inner}) == 1:
        return b.reshape(b.add_n(*inner), values[0].type.shape)
    return b.add_n(*values)
