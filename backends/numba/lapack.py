"""Factorizations of matrices, and what is solved with their factors."""

from __future__ import annotations

from collections.abc import Sequence

from ...ir.graph import Node
from ...ir.ops.index import failure
from .access import Access, whole
from .index import RAISED
from .printer import Printer, prints

__all__: list[str] = []


def part(array: str, point: Sequence[str]) -> str:
    """One of the arrays of a stack."""
    return f"{array}[{', '.join(point)}]" if point else array


def operand(p: Printer, node: Node, slot: int, source: Access) -> str:
    """An operand as a contiguous array."""
    return p.array(node.operands[slot], source, p.types(node)[slot])


def fail_if(p: Printer, node: Node, condition: str) -> None:
    """Raise the node's error where a condition holds."""
    found = failure(node)
    assert found is not None, "the node may fail"
    error, message = found
    with p.lines.indented(f"if {condition}:"):
        p.lines.add(f"raise {RAISED[error]}({message!r})")


@prints("cholesky")
def _cholesky(p: Printer, node: Node, a: Access) -> Access:
    made = p.copy(p.name(node), a, node.type)
    with p.lines.loops(node.type.shape[:-2]) as point:
        fail_if(p, node, f"not cholesky_over({part(made.array, point)})")
    return made


@prints("cholesky_input")
def _cholesky_input(p: Printer, node: Node, factor: Access, bar: Access) -> Access:
    low = operand(p, node, 0, factor)
    made = p.copy(p.name(node), bar, node.type)
    with p.lines.loops(node.type.shape[:-2]) as point:
        taken = f"{part(low, point)}, {part(made.array, point)}"
        p.lines.add(f"undo_cholesky({taken})")
    return made


@prints("solve_triangular")
def _solve_triangular(
    p: Printer,
    node: Node,
    a: Access,
    x: Access,
    *,
    lower: bool,
    transposed: bool,
    unit: bool,
    strict: bool,
) -> Access:
    matrix = operand(p, node, 0, a)
    made = p.copy(p.name(node), x, node.type)
    with p.lines.loops(node.type.shape[:-2]) as point:
        one = part(matrix, point)
        if strict and not unit:
            fail_if(p, node, f"has_zero({one})")
        flags = f"{lower}, {transposed}, {unit}"
        p.lines.add(f"divide_triangular({one}, {part(made.array, point)}, {flags})")
    return made


@prints("lu")
def _lu(p: Printer, node: Node, a: Access) -> list[Access]:
    _, order, sign = node.values
    made = p.copy(p.name(node), a, node.type)
    places = p.new(p.name(order), order.type)
    signs = p.new(p.name(sign), sign.type)
    with p.lines.loops(sign.type.shape) as point:
        taken = f"{part(made.array, point)}, {part(places.array, point)}"
        p.store(signs, point, f"lu_over({taken})")
    return [made, places, signs]


@prints("solve_lu")
def _solve_lu(
    p: Printer,
    node: Node,
    a: Access,
    factors: Access,
    order: Access,
    x: Access,
    *,
    transposed: bool,
    strict: bool,
) -> Access:
    matrix, places = operand(p, node, 1, factors), operand(p, node, 2, order)
    made = p.copy(p.name(node), x, node.type)
    with p.lines.loops(node.type.shape[:-2]) as point:
        one = part(matrix, point)
        if strict:
            fail_if(p, node, f"has_zero({one})")
        taken = f"{one}, {part(places, point)}, {part(made.array, point)}"
        p.lines.add(f"divide_lu({taken}, {transposed})")
    return whole(made.array, node.type.shape)


@prints("det", "logdet", "pinv", "expm", "sqrtm", "logm", "sylvester")
def _handed_on(p: Printer, node: Node, *operands: Access) -> Access:
    """The value, the last operand, is read where it is."""
    return operands[-1]
