"""Indexing by arrays: gather, scatter-add, and the check in front of both."""

from __future__ import annotations

from typing import Any

from ...ir.graph import Node
from .access import Access
from .printer import Printer, prints
from .scalars import combined, literal

__all__ = ["RAISED"]

# What a check raises where there are no errors of ours: their base classes.
RAISED = {
    "index": "IndexError",
    "value": "ValueError",
    "overflow": "OverflowError",
    "unbound": "UnboundLocalError",
}


@prints("take")
def _take(p: Printer, node: Node) -> Access:
    axis: Any = node.attrs["axis"]
    end = axis + p.types(node)[1].rank
    made = p.new(p.name(node), node.type)
    with p.lines.loops(node.type.shape) as point:
        where = p.operand(node, 1).at(point[axis:end])
        value = p.operand(node).at([*point[:axis], where, *point[end:]])
        p.store(made, point, value)
    return made


@prints("scatter_add")
def _scatter_add(p: Printer, node: Node) -> Access:
    axis: Any = node.attrs["axis"]
    added, positions = p.types(node)
    end = axis + positions.rank
    made = p.new(p.name(node), node.type, literal(0, node.type.dtype))
    with p.lines.loops(added.shape) as point:
        where = p.operand(node, 1).at(point[axis:end])
        total = made.at([*point[:axis], where, *point[end:]])
        value = p.operand(node).at(point)
        p.lines.add(combined("reduce_sum", total, value, node.type.dtype))
    return made


@prints("check")
def _check(p: Printer, node: Node) -> Access:
    """The value is its operand, read behind the check."""
    low, high = node.attrs["low"], node.attrs["high"]
    error, message = str(node.attrs["error"]), node.attrs["message"]
    source = p.operand(node)
    with p.lines.loops(node.type.shape) as point:
        condition = f"not {low} <= {source.at(point)} < {high}"
        with p.lines.indented(f"if {condition}:"):
            p.lines.add(f"raise {RAISED[error]}({message!r})")
    return source
