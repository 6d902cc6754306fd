"""``loop`` as a ``for`` or ``while`` statement with the body below it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...ir.graph import Node
from ...ir.ops.parts import split_operands
from ...ir.types import TensorType
from .access import Access, whole
from .printer import Printer, prints
from .scalars import literal

__all__: list[str] = []


@prints("loop")
def _loop(
    p: Printer,
    node: Node,
    *operands: Access,
    trips: int | None = None,
    test: bool = False,
    reverse: bool = False,
    **others: Any,
) -> list[Access]:
    """Carried values are variables that each iteration sets at its end.

    An iteration makes arrays of its own for them, so none is written while it is read.
    """
    typed = list(zip(operands, p.types(node), strict=True))
    parts = split_operands(node.attrs, typed)
    count = len(parts.carried)
    values = [p.graph[name] for name in node.names]
    for value, (access, type_) in zip(values, parts.carried, strict=False):
        p.copy(p.name(value), access, type_)
    rows = values[count:]
    for value in rows:
        p.new(p.name(value), value.type, literal(0, value.type.dtype))
    arrays = [p.array("stacked", *operand) for operand in parts.stacked]
    carried = [_variable(p, value) for value in values[:count]]
    counter = p.lines.names.new("t")
    if test:
        p.lines.add(f"{counter} = 0")
    last = str(trips)
    if parts.limit:
        given = f"max({parts.limit[0][0].at(())}, 0)"
        last = given if trips is None else f"min({given}, {trips})"
    head = f"for {counter} in range({last}):"
    if reverse:
        head = f"for {counter} in range({last} - 1, -1, -1):"
    if test:
        bound = "" if last == "None" else f" and {counter} < {last}"
        head = f"while {carried[0].at(())}{bound}:"
    (region,) = node.regions
    with p.lines.indented(head):
        inside = Printer(p.lines, region)
        elements = [
            _element(p, f"{array}[{counter}]", type_)
            for array, (_, type_) in zip(arrays, parts.stacked, strict=True)
        ]
        invariants = [access for access, _ in parts.invariants]
        made = inside.block([Access(counter), *invariants, *carried, *elements])
        types = [region[name].type for name in region.results]
        for row, access, type_ in zip(rows, made[count:], types[count:], strict=True):
            _set_row(p, p.name(row), counter, access, type_)
        if carried:
            names = ", ".join(p.name(value) for value in values[:count])
            ends = _ends(inside, made[:count], types[:count])
            p.lines.add(f"{names} = {', '.join(ends)}")
        if test:
            p.lines.add(f"{counter} += 1")
    return [_variable(p, value) for value in values]


def _variable(p: Printer, value: Node) -> Access:
    name = p.name(value)
    return whole(name, value.type.shape) if value.type.rank else Access(name)


def _ends(p: Printer, made: Sequence[Access], types: Sequence[TensorType]) -> list[str]:
    """Expressions of what is carried on, each in an array that nothing else has."""
    inputs = {node.name for node in p.graph.inputs}
    free = {p.name(node) for name, node in p.graph.nodes.items() if name not in inputs}
    ends: list[str] = []
    for access, type_ in zip(made, types, strict=True):
        if not type_.rank:
            ends.append(access.at(()))
            continue
        fits = access.is_whole(type_.shape) or access.is_reshaped(type_.shape)
        if not fits or p.memory(access.array) not in free:
            access = p.copy(p.lines.names.new("carried"), access, type_)
        free.discard(p.memory(access.array))
        ends.append(p.array("carried", access, type_))
    return ends


def _element(p: Printer, text: str, type_: TensorType) -> Access:
    """A row of a stacked value: a number, or an array that shares its memory."""
    name = p.lines.names.new("row")
    p.lines.add(f"{name} = {text}")
    shape = type_.shape[1:]
    return whole(name, shape) if shape else Access(name)


def _set_row(
    p: Printer, name: str, counter: str, access: Access, type_: TensorType
) -> None:
    with p.lines.loops(type_.shape) as point:
        place = ", ".join([counter, *point])
        p.lines.add(f"{name}[{place}] = {access.at(point)}")
