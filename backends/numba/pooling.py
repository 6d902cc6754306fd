"""The maximum over windows, and its adjoint, as loops."""

from __future__ import annotations

from ...ir.graph import Node
from .access import Access, Term
from .printer import Printer, prints
from .scalars import combined, initial, literal
from .shape import in_windows

__all__: list[str] = []

Ints = tuple[int, ...]


@prints("max_pool")
def _max_pool(p: Printer, node: Node, x: Access, *, size: Ints, stride: Ints) -> Access:
    windows = x.moved(in_windows(node.type.rank, stride))
    made = p.new(p.name(node), node.type)
    best = p.lines.names.new(f"{p.name(node)}_best")
    with p.lines.loops(node.type.shape) as place:
        _find_best(p, node, windows, place, size, best)
        p.store(made, place, best)
    return made


def _find_best(
    p: Printer, node: Node, windows: Access, place: list[str], size: Ints, best: str
) -> None:
    dtype = node.type.dtype
    p.lines.add(f"{best} = {initial('reduce_max', dtype)}")
    with p.lines.loops(size) as offset:
        value = windows.at([*place, *offset])
        p.lines.add(combined("reduce_max", best, value, dtype))


@prints("max_pool_input")
def _max_pool_input(
    p: Printer, node: Node, g: Access, x: Access, *, size: Ints, stride: Ints
) -> Access:
    """Windows are walked from the last on: the reference adds in that order."""
    g_type, x_type = p.types(node)
    rank, lead = x_type.rank, x_type.rank - len(size)
    back = [Term(0, ((axis, 1),)) for axis in range(rank + len(size))]
    for axis in range(lead, rank):
        back[axis] = Term(g_type.shape[axis] - 1, ((axis, -1),))
    terms = in_windows(rank, stride)
    made = p.new(p.name(node), node.type, literal(0.0, node.type.dtype))
    windows = x.moved(terms).moved(back)
    target = made.moved(terms).moved(back)
    g = g.moved(back[:rank])
    best = p.lines.names.new(f"{p.name(node)}_best")
    count = p.lines.names.new(f"{p.name(node)}_count")
    share = p.lines.names.new(f"{p.name(node)}_share")
    one = literal(1.0, node.type.dtype)
    with p.lines.loops(g_type.shape) as place:
        _find_best(p, node, windows, place, size, best)
        p.lines.add(f"{count} = {literal(0.0, node.type.dtype)}")
        with p.lines.loops(size) as offset:
            value = windows.at([*place, *offset])
            with p.lines.indented(f"if {value} == {best}:"):
                p.lines.add(f"{count} += {one}")
        p.lines.add(f"{share} = {g.at(place)} / {count}")
        with p.lines.loops(size) as offset:
            point = [*place, *offset]
            value = windows.at(point)
            with p.lines.indented(f"if {value} == {best}:"):
                p.lines.add(f"{target.at(point)} += {share}")
            unordered = f"elif {value} != {value} and {g.at(place)} != 0:"
            with p.lines.indented(unordered):
                p.lines.add(f"{target.at(point)} += {g.at(place)} * {value}")
    return made
