"""From views to a loop nest: the order of the axes, the kernel form, the places."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

from ....ir.types import TensorType
from ..kernels.form import (
    Access,
    Instruction,
    Kernel,
    Nest,
    Place,
    Reduction,
    Write,
    accumulator,
    merge_axes,
)
from ..language.values import whole_rounds
from .view import View

__all__ = ["loop_step", "workspaces"]


def loop_step(
    space: Sequence[int],
    reads: Sequence[View],
    body: Sequence[Instruction],
    writes: Sequence[tuple[View, int]],
    reductions: Sequence[tuple[View, int, str]],
    axes: Sequence[int],
    accumulate: bool,
) -> tuple[Kernel, Nest, list[View]]:
    """The kernel of a loop nest over ``space``, its nest, and the views it touches.

    The places of a row-wise kernel end in those of its `workspaces`, which are yet to
    be added.

    ``reads`` and ``writes`` are views of the shape of the space, writes and reductions
    with the number of their value; a reduction over ``axes`` goes to a view of the
    space without them. With ``accumulate`` the writes add to what is there.
    """
    views = [*reads, *[item[0] for item in writes], *[item[0] for item in reductions]]
    kernel, sizes, strides = _form(
        tuple(space),
        tuple([(view.type.dtype, view.strides) for view in views]),
        len(reads),
        tuple(body),
        tuple([value for _, value in writes]),
        tuple([(value, op) for _, value, op in reductions]),
        tuple(axes),
        accumulate,
    )
    places = [
        Place(view.buffer, view.offset, row)
        for view, row in zip(views, strides, strict=True)
    ]
    return kernel, Nest(sizes, tuple(places)), views


@lru_cache(maxsize=1024)
def _form(
    space: tuple[int, ...],
    operands: tuple[tuple[str, tuple[int, ...]], ...],
    count: int,
    body: tuple[Instruction, ...],
    writes: tuple[int, ...],
    reductions: tuple[tuple[int, str], ...],
    axes: tuple[int, ...],
    accumulate: bool,
) -> tuple[Kernel, tuple[int, ...], list[tuple[int, ...]]]:
    """The kernel, the sizes of its axes, and the strides of each operand along them.

    ``operands`` are dtypes and strides: ``count`` that are read, then what is written,
    then the results. A graph that repeats itself asks for the same again and again.
    """
    stores = count + len(writes)
    every = [
        _with_axes(strides, axes) if place >= stores else strides
        for place, (_, strides) in enumerate(operands)
    ]
    sizes, reduced, merged = merge_axes(
        space, [i in axes for i in range(len(space))], every
    )
    order = _order(reduced)
    sizes = [sizes[axis] for axis in order]
    reduced = [reduced[axis] for axis in order]
    merged = [[row[axis] for axis in order] for row in merged]
    made = [
        _access(dtype, row) for (dtype, _), row in zip(operands, merged, strict=True)
    ]
    written = [
        Write(access, value, accumulate)
        for access, value in zip(made[count:stores], writes, strict=True)
    ]
    combined = [
        Reduction(access, value, op)
        for access, (value, op) in zip(made[stores:], reductions, strict=True)
    ]
    if not any(reduced):  # one value each
        written += [Write(item.access, item.value) for item in combined]
        combined = []
    kernel = Kernel(
        len(sizes),
        tuple(reduced),
        tuple(made[:count]),
        body,
        tuple(written),
        tuple(combined),
    )
    return kernel, tuple(sizes), [tuple(row) for row in merged]


def workspaces(
    kernel: Kernel, nest: Nest, allocate: Callable[[TensorType], View]
) -> tuple[Nest, list[View]]:
    """The nest with, and the views of, what a row-wise kernel keeps its results in."""
    added: list[Place] = []
    rows: list[View] = []
    for item in kernel.reductions if kernel.row_wise else ():
        room = whole_rounds(nest.sizes[-1])
        kept = TensorType(accumulator(item.op, item.access.dtype), (room,))
        row = allocate(kept)
        strides = (*(0,) * (kernel.rank - 1), 1)
        added.append(Place(row.buffer, row.offset, strides))
        rows.append(row)
    return nest._replace(places=(*nest.places, *added)), rows


def _with_axes(strides: Sequence[int], axes: Sequence[int]) -> Sequence[int]:
    """The strides of a result in the rank of the space: 0 along the reduced axes."""
    made = list(strides)
    for axis in sorted(axes):
        made.insert(axis, 0)
    return made


def _order(reduced: Sequence[bool]) -> list[int]:
    """Reduced axes go inside; a last axis that is not reduced stays the innermost."""
    parallel = [axis for axis, flag in enumerate(reduced) if not flag]
    inner = [axis for axis, flag in enumerate(reduced) if flag]
    if inner and parallel and parallel[-1] > inner[-1]:
        return [*parallel[:-1], *inner, parallel[-1]]
    return [*parallel, *inner]


def _access(dtype: str, strides: Sequence[int]) -> Access:
    if not any(strides):
        return Access(dtype, 0, scalar=True)
    return Access(dtype, strides[-1] if strides[-1] in (0, 1, 2) else None)
