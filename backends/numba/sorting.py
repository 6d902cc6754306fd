"""Positions that sort rows, and places in sorted rows."""

from __future__ import annotations

from ...ir.graph import Node
from .access import Access
from .printer import Printer, prints

__all__: list[str] = []


def _by_rows(p: Printer, node: Node, x: Access, order: str) -> Access:
    """A NumPy function of each row."""
    type_ = p.types(node)[0]
    array = p.array(f"{p.name(node)}_rows", x, type_)
    made = p.new(p.name(node), node.type)
    with p.lines.loops(node.type.shape[:-1]) as point:
        row = ", ".join([*point, ":"])
        p.lines.add(f"{made.array}[{row}] = {order.format(f'{array}[{row}]')}")
    return made


@prints("sort")
def _sort(p: Printer, node: Node, x: Access) -> Access:
    return _by_rows(p, node, x, "np.sort({})")


@prints("argsort")
def _argsort(p: Printer, node: Node, x: Access) -> Access:
    return _by_rows(p, node, x, "np.argsort({}, kind='mergesort')")


@prints("argranked")
def _argranked(
    p: Printer, node: Node, x: Access, values: Access, *, places: tuple[int, ...]
) -> Access:
    order = f"np.argsort({{}}, kind='mergesort')[np.array({places})]"
    return _by_rows(p, node, x, order)


@prints("searchsorted")
def _searchsorted(
    p: Printer, node: Node, a: Access, v: Access, *, right: bool
) -> Access:
    row, _ = p.types(node)
    array = p.array(f"{p.name(node)}_row", a, row)
    made = p.new(p.name(node), node.type)
    side = "right" if right else "left"
    with p.lines.loops(node.type.shape) as point:
        found = f"np.searchsorted({array}, {v.at(point)}, side={side!r})"
        p.store(made, point, found)
    return made
