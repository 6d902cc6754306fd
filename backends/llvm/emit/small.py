"""Small matrices by kernels of our own, see `kernels.small`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from ....ir.graph import Node
from ....ir.types import TensorType
from ..kernels.small import (
    LARGEST,
    LARGEST_FACTOR,
    CholeskyWords,
    LuWords,
    ProductWords,
    SolveWords,
    lanes_for,
    small_cholesky_source,
    small_lu_source,
    small_product_source,
    small_solve_source,
    small_triangular_source,
)
from ..kernels.source import Source
from ..plan.planner import Planner
from ..plan.tasks import ACCESS, batch_parts
from ..plan.view import View, reshaped_strides

__all__ = [
    "is_small",
    "small_cholesky",
    "small_lu",
    "small_product",
    "small_solve",
    "small_solve_triangular",
]


class Stack(NamedTuple):
    """A view whose axes in front of the last ``rank`` are one, with one stride."""

    view: View
    strides: tuple[int, ...]


def is_small(*types: TensorType) -> bool:
    """Whether matrices have a kernel of their own here: no axis is long or empty."""
    return all(
        type_.size and max(type_.shape[-2:]) <= LARGEST and type_.is_float
        for type_ in types
    )


def small_lu(p: Planner, node: Node, a: View) -> list[View]:
    """The factors, order and sign, whose stacks come last in memory.

    Where only `small_solve` is to read them nothing is computed, for it reads ``a``.
    """
    n, count = _sizes(node)
    if _is_only_solved(p, node):
        return [a, *(_nothing(p, value.type) for value in node.values[1:])]
    given = _stack(p, node, a, 2)
    made = [
        _beside(p, value.type, rank)
        for value, rank in zip(node.values, (2, 1, 0), strict=True)
    ]
    factors, order, _ = made
    words = LuWords(count, *given.strides, *factors.strides[1:], *order.strides[1:])
    lanes = lanes_for(a.type.dtype, count)
    kernel = Source.of(small_lu_source, dtype=a.type.dtype, n=n, lanes=lanes)
    _call(p, node, "small lu", kernel, [given, *made], words, n)
    return [
        _unfolded(stack, value.type)
        for stack, value in zip(made, node.values, strict=True)
    ]


def small_solve(
    p: Planner, node: Node, a: View, x: View, *, transposed: bool, strict: bool
) -> View:
    """From the matrix itself."""
    return _solve(
        p, node, a, x, "small solve", small_solve_source,
        transposed=transposed, strict=strict,
    )  # fmt: skip


def small_solve_triangular(
    p: Planner, node: Node, a: View, x: View, *, strict: bool, **flags: bool
) -> View:
    """By substitution."""
    return _solve(
        p, node, a, x, "small triangular", small_triangular_source,
        strict=strict and not flags["unit"], **flags,
    )  # fmt: skip


def _solve(
    p: Planner, node: Node, a: View, x: View, label: str, write: Any, **flags: bool
) -> View:
    n, count = a.type.shape[-1], math.prod(node.type.shape[:-2])
    target, dtype = _target(p, node), node.type.dtype
    stacks = [_stack(p, node, view, 2) for view in (a, x, target)]
    words = SolveWords(
        count,
        *(step for stack in stacks for step in stack.strides),
        status=p.status(node) if flags["strict"] else 0,
    )
    kernel = Source.of(
        write,
        dtype=dtype,
        n=n,
        columns=node.type.shape[-1],
        lanes=lanes_for(dtype, count),
        **flags,
    )
    _call(p, node, label, kernel, stacks, words, n)
    return target


def small_cholesky(p: Planner, node: Node, a: View) -> View:
    """Row by row, from the lower triangle."""
    n, count = _sizes(node)
    target = _target(p, node)
    stacks = [_stack(p, node, view, 2) for view in (a, target)]
    words = CholeskyWords(
        count,
        *(step for stack in stacks for step in stack.strides),
        status=p.status(node),
    )
    dtype = node.type.dtype
    lanes = lanes_for(dtype, count)
    kernel = Source.of(small_cholesky_source, dtype=dtype, n=n, lanes=lanes)
    _call(p, node, "small cholesky", kernel, stacks, words, n)
    return target


def small_product(
    p: Planner, node: Node, left: View, right: View, target: View
) -> bool:
    """Products of many small matrices; whether they were planned."""
    views = left, right, target
    sizes = {size for view in views for size in view.type.shape[-2:]}
    lead, dtype = target.type.shape[:-2], target.type.dtype
    count, lanes = math.prod(lead), lanes_for(dtype, 2)
    if max(sizes) > LARGEST_FACTOR or count < lanes:
        return False
    steps = [reshaped_strides(lead, view.strides[:-2], (count,)) for view in views]
    stacks = [
        Stack(view, (*step, *view.strides[-2:]))
        for view, step in zip(views, steps, strict=True)
        if step is not None
    ]
    if len(stacks) < len(views):
        return False
    words = ProductWords(count, *(step for stack in stacks for step in stack.strides))
    (m, k), n = left.type.shape[-2:], right.type.shape[-1]
    kernel = Source.of(small_product_source, dtype=dtype, m=m, k=k, n=n, lanes=lanes)
    _call(p, node, "small product", kernel, stacks, words, max(sizes))
    return True


def _sizes(node: Node) -> tuple[int, int]:
    """How many rows the matrices have, and how many there are."""
    *lead, n, _ = node.type.shape
    return n, math.prod(lead)


def _stack(p: Planner, node: Node, view: View, rank: int) -> Stack:
    """A view with one stride from one of its stack to the next, copied if need be."""
    lead = view.type.shape[: view.type.rank - rank]
    count = math.prod(lead)
    steps = reshaped_strides(lead, view.strides[: len(lead)], (count,))
    if steps is None:
        view = p.contiguous(node, view)
        steps = (math.prod(view.type.shape[len(lead) :]),)
    return Stack(view, (*steps, *view.strides[len(lead) :]))


def _target(p: Planner, node: Node) -> View:
    """Memory for the value of a node, in its place if that has one stride."""
    target = p.allocate(node.type, node.name)
    lead = node.type.shape[:-2]
    known = reshaped_strides(lead, target.strides[:-2], (math.prod(lead),))
    return p.allocate(node.type) if known is None else target


def _beside(p: Planner, type_: TensorType, rank: int) -> Stack:
    """New memory in which what is at one place of each matrix is side by side."""
    lead, own = type_.shape[: type_.rank - rank], type_.shape[type_.rank - rank :]
    count = math.prod(lead)
    memory = p.allocate(type_.with_shape((*own, count)))
    return Stack(memory, (1, *memory.strides[:-1]))


def _is_only_solved(p: Planner, node: Node) -> bool:
    """Whether all that reads what ``lu`` makes is done by `small_solve`."""
    names = [value.name for value in node.values]
    reads = p.graph.reads
    readers = [p.graph[read.consumer] for name in names for read in reads[name]]
    return not any(name in p.graph.results for name in names) and all(
        reader.op == "solve_lu" and is_small(reader.type) for reader in readers
    )


def _nothing(p: Planner, type_: TensorType) -> View:
    """A value that is not read."""
    return p.constant(0, type_.dtype).moved(type_.shape, (0,) * type_.rank)


def _unfolded(stack: Stack, type_: TensorType) -> View:
    """The memory of `_beside` as a value of the node."""
    own = stack.strides[1:]
    lead = type_.shape[: type_.rank - len(own)]
    steps = [math.prod(lead[i + 1 :]) for i in range(len(lead))]
    return stack.view.moved(type_.shape, (*steps, *own))


def _call(
    p: Planner,
    node: Node,
    label: str,
    kernel: Source,
    stacks: Sequence[Stack],
    words: Any,
    n: int,
) -> None:
    """A step, in tasks where there are many matrices."""

    def part(first: int, count: int) -> tuple[int, ...]:
        starts = [
            word
            for stack in stacks
            for word in stack.view.start(first * stack.strides[0])
        ]
        return (*starts, *words._replace(matrices=count))

    parts = batch_parts(words.matrices, words.matrices * n**3 * ACCESS)
    tasks = [part(rows.start, len(rows)) for rows in parts] if len(parts) > 1 else []
    views = [stack.view for stack in stacks]
    p.step(node, label, kernel, part(0, words.matrices), views, tasks)
