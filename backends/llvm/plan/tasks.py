"""Large steps cut into tasks, which the threads of `pool` share.

A loop nest is cut along its outermost axis. Where that axis is reduced, each task has a
result of its own, and a last step combines them. A product is cut along its stack, its
rows or its columns, convolutions and pooling along the images. What is cut, and where,
depends on the sizes alone and not on the number of threads, and so do the bits of the
results.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

from ....ir.ops import OPS
from ....ir.types import DTYPES
from ..kernels.form import Kernel, accesses
from ..language.vectors import whole_rounds
from ..machine import MAX_TASKS

__all__ = [
    "ACCESS",
    "MULTIPLICATION",
    "batch_parts",
    "cut",
    "product_tasks",
    "task_count",
]

TASK = 30_000.0  # nanoseconds, by the estimates below
ACCESS, SIMPLE, FUNCTION = 0.4, 0.15, 1.5  # nanoseconds for an element
GRAIN = 64  # elements of a vector that stay together
MULTIPLICATION = {"f32": 0.012, "f64": 0.024}
ROWS, COLUMNS = 8, 32  # of a product, that stay together


def cost(kernel: Kernel, words: Sequence[int]) -> float:
    """About how many nanoseconds one core needs for a loop nest."""
    return math.prod(words[: kernel.rank]) * _element_cost(kernel)


@lru_cache(maxsize=1024)
def _element_cost(kernel: Kernel) -> float:
    ops = [OPS[item.op] for item in kernel.body]
    functions = sum(op.arity == 1 and "(" in (op.scalar or "") for op in ops)
    moved = sum(not access.scalar for _, access in accesses(kernel))
    return ACCESS * moved + SIMPLE * (len(ops) - functions) + FUNCTION * functions


def task_count(kernel: Kernel, words: Sequence[int]) -> int:
    """Into how many tasks a loop nest is best cut."""
    if kernel.rank == 0 or any(write.accumulate for write in kernel.writes):
        return 1
    if kernel.in_order and kernel.reduced[0]:
        return 1
    wanted = min(MAX_TASKS, int(cost(kernel, words) / TASK), words[0])
    return len(_ranges(words[0], wanted)) if wanted > 1 else 1


def _ranges(size: int, count: int, grain: int = GRAIN) -> list[range]:
    """``size`` indices in at most ``count`` ranges; long ones have whole grains."""
    length = -(-size // count)
    if size >= grain * count:
        length = -(-length // grain) * grain
    return [range(i, min(i + length, size)) for i in range(0, size, length)]


def cut(kernel: Kernel, words: Sequence[int], count: int) -> list[tuple[int, ...]]:
    """The words of each task.

    Results over a reduced outermost axis and the workspaces of the tasks lie one after
    the other, the first where ``words`` says.
    """
    sizes = words[: kernel.rank]
    shared = len(kernel.reads) + len(kernel.writes)
    tasks: list[tuple[int, ...]] = []
    for number, part in enumerate(_ranges(sizes[0], count)):
        task = [len(part), *words[1:]]
        for place, (name, access) in enumerate(accesses(kernel)):
            at = kernel.rank + place * (2 + kernel.rank)
            itemsize = DTYPES[access.dtype].itemsize
            elements = part.start * words[at + 2]
            if name.startswith("w"):
                elements = number * whole_rounds(sizes[-1])
            elif place >= shared and kernel.reduced[0]:
                elements = number * (1 if kernel.reduced[-1] else sizes[-1])
            task[at + 1] += elements * itemsize
        tasks.append(tuple(task))
    return tasks


def product_tasks(words: Sequence[int], dtype: str) -> list[tuple[int, ...]]:
    """The words of each task of a product with the words of `products`, or none.

    A right operand whose columns are contiguous is repacked by whoever reads it: then
    columns are cut rather than rows.
    """
    m, n, k = words[6:9]
    each = MULTIPLICATION[dtype]
    wanted = min(MAX_TASKS, int(m * n * k * words[14] * words[19] * each / TASK))
    if wanted < 2:
        return []
    rows = 6, (words[9], 0, words[13]), ROWS
    columns = 7, (0, words[12], 1), COLUMNS
    by_stack = [
        (place, words[place + 1 : place + 4], 1)
        for place in (19, 14)
        if words[place + 3] != 0
    ]
    ways = by_stack + ([rows, columns] if words[12] == 1 else [columns, rows])
    place, strides, grain = max(
        ways, key=lambda way: min(wanted, words[way[0]] // way[2])
    )
    itemsize = DTYPES[dtype].itemsize
    tasks: list[tuple[int, ...]] = []
    for part in _ranges(words[place], min(wanted, words[place]), grain):
        task = list(words)
        task[place] = len(part)
        for operand, stride in enumerate(strides):
            task[3 + operand] += part.start * stride * itemsize
        tasks.append(tuple(task))
    return tasks if len(tasks) > 1 else []


def batch_parts(batch: int, nanoseconds: float) -> list[range]:
    """The images of each task of a step that takes so long."""
    wanted = min(MAX_TASKS, int(nanoseconds / TASK), batch)
    return _ranges(batch, max(wanted, 1), 1)
