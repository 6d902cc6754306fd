"""Large steps cut into tasks, which the threads of `pool` share.

A loop nest is cut along its outermost axis. Where that axis is reduced, each task has a
result of its own, and a last step combines them. A product is cut along its stack, its
rows or its columns, convolutions and pooling along the images. What is cut, and where,
depends on the sizes alone and not on the number of threads, and so do the bits of the
results.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

from ....ir.ops import OPS
from ....ir.types import DTYPES
from ..kernels.form import Kernel, Nest, Place, accesses
from ..kernels.products import ProductWords
from ..language.values import whole_rounds
from ..machine import MAX_TASKS

__all__ = [
    "ACCESS",
    "MULTIPLICATION",
    "batch_parts",
    "cut",
    "product_tasks",
    "ranges",
    "task_count",
]

TASK = 30_000.0  # nanoseconds, by the estimates below
ACCESS, SIMPLE, FUNCTION = 0.4, 0.15, 1.5  # nanoseconds for an element
GRAIN = 64  # elements of a vector that stay together
MULTIPLICATION = {"f32": 0.012, "f64": 0.024}
ROWS, COLUMNS = 8, 32  # of a product, that stay together


def cost(kernel: Kernel, nest: Nest) -> float:
    """About how many nanoseconds one core needs for a loop nest."""
    return math.prod(nest.sizes) * _element_cost(kernel)


@lru_cache(maxsize=1024)
def _element_cost(kernel: Kernel) -> float:
    ops = [OPS[item.op] for item in kernel.body]
    functions = sum(op.arity == 1 and "(" in (op.scalar or "") for op in ops)
    moved = sum(not access.scalar for _, access in accesses(kernel))
    return ACCESS * moved + SIMPLE * (len(ops) - functions) + FUNCTION * functions


def task_count(kernel: Kernel, nest: Nest) -> int:
    """Into how many tasks a loop nest is best cut."""
    if kernel.rank == 0 or any(write.accumulate for write in kernel.writes):
        return 1
    if kernel.in_order and kernel.reduced[0]:
        return 1
    outermost = nest.sizes[0]
    wanted = min(MAX_TASKS, int(cost(kernel, nest) / TASK), outermost)
    return len(ranges(outermost, wanted)) if wanted > 1 else 1


def ranges(size: int, count: int, grain: int = GRAIN) -> list[range]:
    """``size`` indices in at most ``count`` ranges; long ones have whole grains."""
    length = -(-size // count)
    if size >= grain * count:
        length = -(-length // grain) * grain
    return [range(i, min(i + length, size)) for i in range(0, size, length)]


def cut(kernel: Kernel, nest: Nest, count: int) -> list[Nest]:
    """The nest of each task.

    Results over a reduced outermost axis and the workspaces of the tasks lie one after
    the other, the first where ``nest`` says.
    """
    sizes = nest.sizes
    shared = len(kernel.reads) + len(kernel.writes)
    tasks: list[Nest] = []
    for number, part in enumerate(ranges(sizes[0], count)):
        places: list[Place] = []
        for access, (name, form) in enumerate(accesses(kernel)):
            place = nest.places[access]
            elements = part.start * place.strides[0]
            if name.startswith("w"):
                elements = number * whole_rounds(sizes[-1])
            elif access >= shared and kernel.reduced[0]:
                elements = number * (1 if kernel.reduced[-1] else sizes[-1])
            places.append(place.after(elements * DTYPES[form.dtype].itemsize))
        tasks.append(Nest((len(part), *sizes[1:]), tuple(places)))
    return tasks


def product_tasks(step: ProductWords, dtype: str) -> list[ProductWords]:
    """The words of each task of a product, or none.

    A right operand whose columns are contiguous is repacked by whoever reads it: then
    columns are cut rather than rows.
    """
    work = step.m * step.n * step.k * step.batch * step.outer
    wanted = min(MAX_TASKS, int(work * MULTIPLICATION[dtype] / TASK))
    if wanted < 2:
        return []
    rows = _Way("m", (step.a_row, 0, step.c_row), ROWS)
    columns = _Way("n", (0, step.b_column, 1), COLUMNS)
    ways = [rows, columns] if step.b_column == 1 else [columns, rows]
    if step.c_batch:
        ways = [_Way("batch", (step.a_batch, step.b_batch, step.c_batch), 1), *ways]
    if step.c_outer:
        ways = [_Way("outer", (step.a_outer, step.b_outer, step.c_outer), 1), *ways]
    way = max(ways, key=lambda way: min(wanted, getattr(step, way.size) // way.grain))
    itemsize = DTYPES[dtype].itemsize
    size = getattr(step, way.size)
    tasks: list[ProductWords] = []
    for part in ranges(size, min(wanted, size), way.grain):
        a, b, c = (part.start * stride * itemsize for stride in way.strides)
        moved = step._replace(
            a_offset=step.a_offset + a,
            b_offset=step.b_offset + b,
            c_offset=step.c_offset + c,
        )
        tasks.append(moved._replace(**{way.size: len(part)}))
    return tasks if len(tasks) > 1 else []


class _Way(NamedTuple):
    """A way to cut a product: the size that is cut, and the operands' strides there."""

    size: str
    strides: tuple[int, int, int]
    grain: int


def batch_parts(batch: int, nanoseconds: float) -> list[range]:
    """The images of each task of a step that takes so long."""
    wanted = min(MAX_TASKS, int(nanoseconds / TASK), batch)
    return ranges(batch, max(wanted, 1), 1)
