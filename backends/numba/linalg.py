"""Matrix products: BLAS for floats, plain loops for integers."""

from __future__ import annotations

import math
from typing import NamedTuple

from ...ir.graph import Node
from .blas import gemm_words
from .plan import Planner, emits
from .shape import reshaped_strides
from .view import View


class Matrices(NamedTuple):
    """How BLAS sees a stack of matrices."""

    view: View
    transposed: bool
    leading: int
    stride: int


def as_matrices(view: View) -> Matrices | None:
    """The stack as BLAS can take it, None where it would need a copy."""
    *stack, rows, columns = view.type.sizes
    *steps, down, across = view.strides
    if 0 in view.type.sizes:  # nothing to read: any layout will do
        return Matrices(view, False, columns, 0)
    merged = reshaped_strides(stack, steps, (math.prod(stack),))
    if merged is None:
        return None
    if across == 1 or columns == 1:
        leading = down if rows > 1 else columns
        if leading >= columns:
            return Matrices(view, False, leading, merged[0])
    if down == 1 or rows == 1:
        leading = across if columns > 1 else rows
        if leading >= rows:
            return Matrices(view, True, leading, merged[0])
    return None


def matrices(planner: Planner, node: Node, view: View) -> Matrices:
    """The stack for BLAS, copied if need be."""
    found = as_matrices(view) or as_matrices(planner.contiguous(node, view))
    if found is None:
        raise AssertionError(f"%{node.name}: a contiguous stack has a layout")
    return found


def product(
    planner: Planner, node: Node, left: View, right: View, target: View
) -> None:
    """``target = left @ right`` for stacks of matrices.

    Where the target has no axes of a stack, the products are summed into it.
    """
    rows, inner = left.type.sizes[-2:]
    columns = right.type.sizes[-1]
    batch = math.prod(left.type.sizes[:-2])
    sums = target.type.rank == 2
    if target.type.dtype not in ("f32", "f64"):
        _integers(planner, node, left, right, target)
        return
    a, b = matrices(planner, node, left), matrices(planner, node, right)
    words = gemm_words(
        target.type.dtype,
        buffers=(a.view.buffer, b.view.buffer, target.buffer),
        offsets=(a.view.offset, b.view.offset, target.offset),
        sizes=(rows, columns, inner),
        transposed=(a.transposed, b.transposed),
        leading=(a.leading, b.leading, columns),
        batch=batch,
        strides=(a.stride, b.stride, 0 if sums else rows * columns),
    )
    touched = (a.view, b.view, target)
    planner.step(node, "gemm", f"gemm {target.type.dtype}", words, touched)


def _integers(
    planner: Planner, node: Node, left: View, right: View, target: View
) -> None:
    a, b = (planner.contiguous(node, view) for view in (left, right))
    rows, inner = left.type.sizes[-2:]
    words = [
        *(word for view in (a, b, target) for word in (view.buffer, view.offset)),
        math.prod(left.type.sizes[:-2]),
        rows,
        right.type.sizes[-1],
        inner,
    ]
    planner.step(node, "matmul", f"matmul {target.type.dtype}", words, (a, b, target))


@emits("matmul")
def matmul(planner: Planner, node: Node) -> View:
    """One BLAS call for each matrix of the stack."""
    left, right = planner.operands(node)
    target = planner.allocate(node.type, node.name)
    product(planner, node, left, right, target)
    return target
