"""Matrix products: NumPy's ``dot`` for floats, loops for integers and bools."""

from __future__ import annotations

from ...ir.graph import Node
from .access import Access, Term, whole
from .printer import Printer, prints
from .scalars import combined, expression, initial

__all__: list[str] = []


@prints("matmul")
def _matmul(p: Printer, node: Node, x: Access, y: Access) -> Access:
    if not node.type.is_float:
        return _product(p, node, x, y)
    rank = node.type.rank
    left, right = _operand(p, node, 0, x), _operand(p, node, 1, y)
    if rank == 2:
        p.lines.add(f"{p.name(node)} = np.dot({left.format('')}, {right.format('')})")
        return whole(p.name(node), node.type.shape)
    made = p.new(p.name(node), node.type)
    with p.lines.loops(node.type.shape[: rank - 2]) as point:
        at = f"[{', '.join(point)}]"
        p.lines.add(f"np.dot({left.format(at)}, {right.format(at)}, {made.array}{at})")
    return made


def _operand(p: Printer, node: Node, slot: int, source: Access) -> str:
    """An operand with a place for the index in the stack: ``x{}`` or ``x{}.T``.

    BLAS takes matrices as they lie and transposed, so neither is copied.
    """
    type_ = p.types(node)[slot]
    *lead, rows, columns = range(type_.rank)
    order = [*lead, columns, rows]
    swapped = source.moved([Term(0, ((axis, 1),)) for axis in order])
    sizes = [type_.shape[axis] for axis in order]
    name = node.operands[slot]
    if not source.is_reshaped(type_.shape) and swapped.is_whole(sizes):
        return f"{source.array}{{}}.T"
    return f"{p.array(name, source, type_)}{{}}"


@prints("matmul_add")
def _matmul_add(p: Printer, node: Node, x: Access, y: Access, z: Access) -> Access:
    made = _matmul(p, node, x, y)
    with p.lines.loops(node.type.shape) as point:
        p.lines.add(f"{made.at(point)} += {z.at(point)}")
    return made


def _product(p: Printer, node: Node, x: Access, y: Access) -> Access:
    """Rows by columns: integers wrap, and of bools it is any(and)."""
    dtype, inner = node.type.dtype, p.types(node)[0].shape[-1]
    total = p.lines.names.new(f"{p.name(node)}_total")
    sums, times = (
        ("reduce_any", "logical_and") if dtype == "bool" else ("reduce_sum", "mul")
    )
    made = p.new(p.name(node), node.type)
    with p.lines.loops(node.type.shape) as point:
        *lead, row, column = point
        p.lines.add(f"{total} = {initial(sums, dtype)}")
        with p.lines.loops([inner]) as (k,):
            names = [x.at([*lead, row, k]), y.at([*lead, k, column])]
            value = expression(times, names, dtype, dtype)
            p.lines.add(combined(sums, total, f"({value})", dtype))
        p.store(made, point, total)
    return made
