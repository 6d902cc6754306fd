"""Matrix products: kernels of our own and BLAS for floats, plain loops for integers."""

from __future__ import annotations

import itertools
import math
import operator
from typing import Any

from ....ir.graph import Node
from ..kernels.blas import Layout, gemm_source, gemm_words, layout_of
from ..kernels.form import Instruction, merge_axes
from ..kernels.linalg import MatmulWords, matmul_source
from ..kernels.products import ProductWords, kernel_for, product_source
from ..kernels.source import Source
from ..plan.planner import Planner, emits
from ..plan.tasks import product_tasks
from ..plan.view import View
from .small import small_product


def product(
    p: Planner,
    node: Node,
    left: View,
    right: View,
    target: View,
    accumulate: bool = False,
) -> None:
    """``target = left @ right`` for stacks of matrices, or ``+=`` (floats only).

    Where the target has no axes of a stack, the products are summed into it. The left
    operand may have any strides, the right one is copied unless one of its last two
    axes has stride 1. The target has stride 1 along one of these.
    """
    if target.type.dtype not in ("f32", "f64"):
        _integers(p, node, left, right, target)
    elif 0 in target.type.shape:
        return
    elif 0 in left.type.shape:
        if not accumulate:
            p.fill(node, target, 0.0)
    elif target.type.shape[-2:] == (1, 1) and not accumulate:
        _dot(p, node, left, right, target)
    elif not accumulate and small_product(p, node, left, right, target):
        return
    elif target.strides[-2] == 1 and _stride(target, -1) != 1:
        a, b, c = swapped(right), swapped(left), swapped(target)
        _floats(p, node, a, b, c, accumulate)
    else:
        _floats(p, node, left, right, target, accumulate)


def _stride(view: View, axis: int) -> int:
    """The stride of an axis, 0 where there is but one element."""
    return view.strides[axis] if view.type.shape[axis] > 1 else 0


def swapped(stack: View) -> View:
    """A stack of matrices transposed."""
    *sizes, rows, columns = stack.type.shape
    *strides, down, across = stack.strides
    return stack.moved((*sizes, columns, rows), (*strides, across, down))


def _dot(p: Planner, node: Node, left: View, right: View, target: View) -> None:
    """Inner products are a loop nest like any other sum."""
    *stack, _, inner = left.type.shape
    space = (*stack, inner)
    reads = [
        left.moved(space, (*left.strides[:-2], left.strides[-1])),
        right.moved(space, right.strides[:-1]),
    ]
    kept = target.moved(target.type.shape[:-2], target.strides[:-2])
    p.loop(
        node,
        "dot",
        space,
        reads,
        [Instruction("mul", (0, 1), target.type.dtype)],
        reductions=[(kept, 2, "reduce_sum")],
        axes=range(kept.type.rank, len(space)),
    )


def _floats(
    p: Planner, node: Node, left: View, right: View, target: View, accumulate: bool
) -> None:
    """A step takes two axes of the stack; of further ones, each index is a step."""
    right = _with_unit_stride(p, node, right)
    m, k = left.type.shape[-2:]
    n = right.type.shape[-1]
    by_rows = right.strides[-1] == 1
    kind = kernel_for(m, n, k, by_rows, left.strides[-1] == 1)
    layout = *left.strides[-2:], *right.strides[-2:]
    if kind == "gemm":
        (left, first), (right, second) = (
            _for_blas(p, node, view) for view in (left, right)
        )
        layout = (first.flag, second.flag, first.leading, second.leading)
    stack = left.type.shape[:-2]
    views = left, right, target
    strides = [view.strides[:-2] or (0,) * len(stack) for view in views]
    sizes, _, strides = merge_axes(stack, [False] * len(stack), strides)
    *loops, outer, inner = 1, 1, *sizes
    steps = [(0, 0, *row) for row in strides]
    dtype, itemsize = target.type.dtype, target.type.numpy.itemsize
    for index in itertools.product(*map(range, loops)):
        starts = [
            view.offset + itemsize * sum(map(operator.mul, index, row))
            for view, row in zip(views, steps, strict=True)
        ]
        words = ProductWords._make(
            [
                *(view.buffer for view in views),
                *starts,
                *(m, n, k),
                *layout,
                target.strides[-2] if m > 1 else n,
                *(inner, *(row[-1] for row in steps)),
                int(accumulate or (target.type.rank == 2 and any(index))),
                *(outer, *(row[-2] for row in steps)),
            ]
        )
        count = m * n * k * inner * outer
        if kind == "gemm":
            kernel = Source.of(gemm_source, dtype=dtype)
            more = gemm_words(dtype)
            p.step(node, kind, kernel, (*words, *more), views, (), count)
        else:
            kernel = Source.of(product_source, kind=kind, dtype=dtype)
            tasks = product_tasks(words, dtype)
            p.step(node, kind, kernel, words, views, tasks, count)


def _with_unit_stride(p: Planner, node: Node, view: View) -> View:
    """The stack with a stride of 1 along one of the last two axes, copied if need be.

    What the stride of an axis of size 1 is called makes no difference.
    """
    *_, rows, columns = view.type.shape
    *steps, down, across = view.strides
    if across == 1 or columns == 1:
        return view.moved(view.type.shape, (*steps, down, 1))
    if down == 1 or rows == 1:
        return view.moved(view.type.shape, (*steps, 1, across))
    return _copied(p, node, view)


def _copied(p: Planner, node: Node, view: View) -> View:
    """A contiguous copy, in which what is repeated is still one."""
    repeated = [stride == 0 for stride in view.strides[:-2]] + [False, False]
    sizes = view.type.shape
    once = [1 if flag else size for flag, size in zip(repeated, sizes, strict=True)]
    copy = p.contiguous(node, view.moved(once, view.strides))
    pairs = zip(repeated, copy.strides, strict=True)
    return copy.moved(sizes, [0 if flag else step for flag, step in pairs])


def _for_blas(p: Planner, node: Node, view: View) -> tuple[View, Layout]:
    """The stack as BLAS can read it, copied if need be."""
    layout = layout_of(view.type.shape[-2:], view.strides[-2:])
    if layout is None:
        view = _copied(p, node, view)
        layout = layout_of(view.type.shape[-2:], view.strides[-2:])
    if layout is None:
        raise AssertionError(f"%{node.name}: contiguous matrices have a layout")
    return view, layout


def _integers(p: Planner, node: Node, left: View, right: View, target: View) -> None:
    a, b = (p.contiguous(node, view) for view in (left, right))
    rows, inner = left.type.shape[-2:]
    words = MatmulWords(
        batch=math.prod(left.type.shape[:-2]),
        rows=rows,
        columns=right.type.shape[-1],
        inner=inner,
    )
    kernel = Source.of(matmul_source, dtype=target.type.dtype)
    p.call(node, "matmul", kernel, (a, b, target), words)


@emits("matmul")
def matmul(p: Planner, node: Node, left: View, right: View) -> View:
    """One product for each matrix of the stack."""
    target = _target(p, node)
    product(p, node, left, right, target)
    return target


@emits("matmul_add")
def matmul_add(p: Planner, node: Node, left: View, right: View, addend: View) -> View:
    """Adds to the product before it where that lies, to anything else in a copy."""
    target = addend
    if _next_sum(p, p.graph[node.operands[2]]) is None:
        target = _target(p, node)
        p.copy(node, addend, target)
    product(p, node, left, right, target, accumulate=True)
    return target


def _next_sum(p: Planner, node: Node) -> Node | None:
    """What adds another product to this one, where nothing else reads it."""
    reader = p.only_reader(node)
    if reader is None or reader.op != "matmul_add":
        return None
    added = reader.operands[2] == node.name and node.op in ("matmul", "matmul_add")
    return reader if added else None


def _target(p: Planner, node: Node) -> View:
    """Memory for a product: the place of what all products to come are added to.

    Where a transpose is the only reader of that, the place has the order that it wants,
    if what comes last there are the columns or the rows of the product.
    """
    while (following := _next_sum(p, node)) is not None:
        node = following
    reader = p.only_reader(node)
    if reader is not None and reader.op == "transpose":
        perm: Any = reader.attrs["perm"]
        if perm[-1] >= len(perm) - 2 and node.type.is_float:
            memory = p.allocate(reader.type, reader.name)
            strides = [memory.strides[perm.index(axis)] for axis in range(len(perm))]
            return memory.moved(node.type.shape, strides)
    return p.allocate(node.type, node.name)
