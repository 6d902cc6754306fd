"""Computing in place: loops that write a value over an operand that dies there.

A loop visits each point of its index space once: it reads all operands there, then it
writes all values. So a value may take the memory of an operand if

- no later step touches the operand's buffer, and no earlier one that of the value;
- nothing else in the step touches either of them;
- the buffers have one size, and at each point the element that is written has the
  offset, the strides and the dtype of the element that is read.

Then each element is overwritten after it was read, and no other point reads it, nor
another task of the step, which has points of its own. Compilers keep that order because
the kernel says so (`Write.over`): it writes through the pointer that it reads through.
To LLVM the two are one memory, at a distance of 0, which keeps no loop from becoming
vectors. Any two other pointers of a kernel are told not to overlap.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..kernels.form import Kernel, Nest
from .arena import Lifetime

if TYPE_CHECKING:
    from .step import Step

__all__ = ["in_place"]


def in_place(
    steps: Sequence[Step],
    lifetimes: Sequence[Lifetime],
    first: int,
    behind: Callable[[int], Sequence[int]],
) -> tuple[list[Step], list[int]]:
    """The steps, some of them in place, and for each buffer the one that it lies in.

    ``lifetimes`` are those of the scratch buffers. Steps number these from ``first``
    on, the result from 0; a buffer that takes no other's place lies in itself.
    ``behind`` gives a buffer and what it points into.
    """
    made: list[Step] = []
    holder = list(range(len(lifetimes)))
    for number, step in enumerate(steps):
        kernel = step.kernel
        if isinstance(kernel, Kernel) and isinstance(step.words, Nest):
            alive = {b: lifetimes[b - first] for b in step.buffers if b >= first}
            born = {b: x.nbytes for b, x in alive.items() if x.first == number}
            dying = {
                b: x.nbytes for b, x in alive.items() if x.first < x.last == number
            }
            writes = list(kernel.writes)
            for write, read, value, operand in _pairs(
                kernel, step.words, born, dying, behind
            ):
                writes[write] = writes[write]._replace(over=read)
                holder[value - first] = holder[operand - first]
            if writes != list(kernel.writes):
                step = replace(step, kernel=replace(kernel, writes=tuple(writes)))
        made.append(step)
    return made, holder


def _pairs(
    kernel: Kernel,
    nest: Nest,
    born: Mapping[int, int],
    dying: Mapping[int, int],
    behind: Callable[[int], Sequence[int]],
) -> Iterator[tuple[int, int, int, int]]:
    """Writes that may go over reads: the numbers of both, and their buffers.

    ``born`` and ``dying`` are buffers with their sizes.
    """
    if not born or not dying:
        return
    touched = Counter(b for place in nest.places for b in behind(place.buffer))
    middle = len(kernel.reads)
    operands: dict[object, list[tuple[int, int]]] = {}
    for number, access in enumerate(kernel.reads):
        buffer, *place = nest.places[number]
        if buffer in dying and touched[buffer] == 1:
            key = access, dying[buffer], *place
            operands.setdefault(key, []).append((number, buffer))
    for number, write in enumerate(kernel.writes):
        buffer, *place = nest.places[middle + number]
        if buffer in born and touched[buffer] == 1:
            key = write.access, born[buffer], *place
            if operands.get(key):
                read, operand = operands[key].pop(0)
                yield number, read, buffer, operand
