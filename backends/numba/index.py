"""Indexing by arrays: gather, scatter-add, and the check in front of both."""

from __future__ import annotations

from ...ir.graph import Node
from ...ir.ops.index import ERRORS
from .access import Access
from .printer import Printer, prints
from .scalars import combined, literal

__all__ = ["RAISED"]

# What a check raises where there are no errors of ours: what those are of Python's.
RAISED = {
    name: next(base.__name__ for base in kind.__mro__ if base.__module__ == "builtins")
    for name, kind in ERRORS.items()
}
RAISED["linalg"] = "np.linalg.LinAlgError"


@prints("take")
def _take(p: Printer, node: Node, x: Access, i: Access, *, axis: int) -> Access:
    end = axis + p.types(node)[1].rank
    made = p.new(p.name(node), node.type)
    with p.lines.loops(node.type.shape) as point:
        where = i.at(point[axis:end])
        value = x.at([*point[:axis], where, *point[end:]])
        p.store(made, point, value)
    return made


@prints("scatter_add")
def _scatter_add(
    p: Printer, node: Node, x: Access, i: Access, *, axis: int, size: int
) -> Access:
    added, positions = p.types(node)
    end = axis + positions.rank
    made = p.new(p.name(node), node.type, literal(0, node.type.dtype))
    with p.lines.loops(added.shape) as point:
        where = i.at(point[axis:end])
        total = made.at([*point[:axis], where, *point[end:]])
        value = x.at(point)
        p.lines.add(combined("reduce_sum", total, value, node.type.dtype))
    return made


@prints("check")
def _check(
    p: Printer, node: Node, x: Access, *, low: int, high: int, error: str, message: str
) -> Access:
    """The value is its operand, read behind the check."""
    with p.lines.loops(node.type.shape) as point:
        condition = f"not {low} <= {x.at(point)} <= {high - 1}"
        with p.lines.indented(f"if {condition}:"):
            p.lines.add(f"raise {RAISED[error]}({message!r})")
    return x
