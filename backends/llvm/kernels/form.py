"""The kernel form: one loop nest over an index space, as data.

A kernel walks ``rank`` axes. It reads operands through affine maps (an offset and a
stride per axis, so that broadcasts, transposes, slices and windows cost nothing), runs
a list of scalar instructions, and writes values, adds them into memory, or reduces them
over the axes marked in ``reduced``. Sizes, offsets and strides are words, given at run
time; only what changes the code is in the form: dtypes, the number of axes, which axes
are reduced, and whether the stride along the innermost axis is 0, 1, 2 or another one.
Two nodes with equal forms share one compiled kernel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple

from ...scalars import accumulator, combination

__all__ = [
    "Access",
    "Instruction",
    "Kernel",
    "Nest",
    "Place",
    "Reduction",
    "Write",
    "accesses",
    "merge_axes",
]


class Access(NamedTuple):
    """How an operand is addressed. ``inner`` is the innermost stride: 0, 1, 2 or None.

    Two apart are the parts of complex numbers, which lanes load side by side.
    ``scalar`` says that no stride differs from 0: the element is read once.
    """

    dtype: str
    inner: int | None
    scalar: bool = False


class Instruction(NamedTuple):
    """``value = op(operands)`` in ``dtype``.

    Values are numbered: the reads of the kernel first, then the instructions.
    """

    op: str
    operands: tuple[int, ...]
    dtype: str


class Write(NamedTuple):
    """Store value number ``value`` at each point, or add it with ``accumulate``.

    ``over`` is the number of a read whose memory this is: see `inplace`.
    """

    access: Access
    value: int
    accumulate: bool = False
    over: int | None = None


class Reduction(NamedTuple):
    """Combine value number ``value`` over the reduced axes by ``op``, and store it.

    The strides of the access are 0 along reduced axes.
    """

    access: Access
    value: int
    op: str


@dataclass(frozen=True, slots=True)
class Kernel:
    """One loop nest; axes are listed from the outermost loop to the innermost.

    Reduced axes either come last, and the results are kept in registers, or the last
    axis is not reduced and the results of one row are kept in ``workspace``: for each
    reduction one more access, contiguous along that axis.
    """

    rank: int
    reduced: tuple[bool, ...]
    reads: tuple[Access, ...]
    body: tuple[Instruction, ...]
    writes: tuple[Write, ...] = ()
    reductions: tuple[Reduction, ...] = ()
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        parts = (self.rank, self.reduced, self.reads, self.body)
        object.__setattr__(self, "_hash", hash((*parts, self.writes, self.reductions)))

    def __hash__(self) -> int:
        """Kept, for plans of many steps look their kernels up again and again."""
        return self._hash

    @property
    def row_wise(self) -> bool:
        """Whether results are kept in the workspace."""
        return bool(self.reductions) and any(self.reduced) and not self.reduced[-1]

    @property
    def in_order(self) -> bool:
        """Whether reduced axes are walked in order, and by one task.

        Products of floats are: 0 times what overflowed is NaN.
        """
        return any(
            combination(item.op).op == "mul" and item.access.dtype[0] == "f"
            for item in self.reductions
        )

    def dtypes(self) -> list[str]:
        """The dtype of each value."""
        return [access.dtype for access in self.reads] + [i.dtype for i in self.body]


def merge_axes(
    sizes: Sequence[int], reduced: Sequence[bool], strides: Sequence[Sequence[int]]
) -> tuple[list[int], list[bool], list[list[int]]]:
    """Drop axes of size 1 and merge neighbours that every operand walks as one."""
    kept = [i for i, size in enumerate(sizes) if size != 1]
    new_sizes: list[int] = []
    new_reduced: list[bool] = []
    new_strides: list[list[int]] = [[] for _ in strides]
    for i in kept:
        step = [row[i] for row in strides]
        joins = bool(new_sizes) and new_reduced[-1] == reduced[i]
        if joins and all(
            made[-1] == by * sizes[i]
            for made, by in zip(new_strides, step, strict=True)
        ):
            new_sizes[-1] *= sizes[i]
            for made, by in zip(new_strides, step, strict=True):
                made[-1] = by
            continue
        new_sizes.append(sizes[i])
        new_reduced.append(reduced[i])
        for made, by in zip(new_strides, step, strict=True):
            made.append(by)
    return new_sizes, new_reduced, new_strides


class Place(NamedTuple):
    """Where an access of one step starts, in bytes, and its strides in elements."""

    buffer: int
    offset: int
    strides: tuple[int, ...]

    def after(self, nbytes: int) -> Place:
        """The same access so many bytes further on."""
        return self._replace(offset=self.offset + nbytes)


class Nest(NamedTuple):
    """What one step of a kernel runs over: its sizes, and a place for each access."""

    sizes: tuple[int, ...]
    places: tuple[Place, ...]

    @property
    def words(self) -> tuple[int, ...]:
        """The words that the kernel reads: see `printer`."""
        rows = ((at.buffer, at.offset, *at.strides) for at in self.places)
        return (*self.sizes, *chain.from_iterable(rows))


def accesses(kernel: Kernel) -> list[tuple[str, Access]]:
    """Every access with the name of its pointer, in the order of the words."""
    found = [(f"x{i}", access) for i, access in enumerate(kernel.reads)]
    found += [(f"y{i}", write.access) for i, write in enumerate(kernel.writes)]
    found += [(f"r{i}", item.access) for i, item in enumerate(kernel.reductions)]
    if kernel.row_wise:
        found += [
            (f"w{i}", Access(accumulator(item.op, item.access.dtype), 1))
            for i, item in enumerate(kernel.reductions)
        ]
    return found
