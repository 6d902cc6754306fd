"""Sets of inputs as numbers: what each element of each value depends on.

Number 0 is the empty set, 1 to ``inputs`` are the single inputs, and each further
number is the union of sets with lower numbers. So an element carries one number, ops
that move elements move numbers, and what a union holds is found at the end, for the
elements that are asked for.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

__all__ = ["MAX_PAIRS", "Crowded", "Numbers", "Sets", "Unions", "expand"]

Numbers: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"
"""The numbers of the sets that the elements of a value depend on, in its shape."""

Sets: TypeAlias = "Numbers | None"
"""The same, None where no element depends on anything."""

MAX_PAIRS = 50_000_000  # of a set and what is in it: a gigabyte or two


class Crowded(Exception):
    """The sets hold too much: what they describe is as good as dense."""


class Unions:
    """The table of sets."""

    def __init__(self, inputs: int) -> None:
        self.inputs = inputs
        self._count = inputs + 1
        self._levels = np.zeros(2 * self._count, np.int64)
        self._edges: list[tuple[Numbers, Numbers]] = []

    def __len__(self) -> int:
        return self._count

    def _new(self, levels: Numbers) -> Numbers:
        """New numbers, one for each level: how many unions deep it is."""
        first, self._count = self._count, self._count + levels.size
        if self._count > self._levels.size:
            grown = np.zeros(2 * self._count, np.int64)
            grown[:first] = self._levels[:first]
            self._levels = grown
        self._levels[first : self._count] = levels
        return np.arange(first, self._count)

    def both(self, a: Numbers, b: Numbers) -> Numbers:
        """The union of two sets for each element."""
        if a is b:
            return a
        made = np.where(a == 0, b, a)
        differ = (a != b) & (a != 0) & (b != 0)
        if differ.any():
            pair = np.stack([a[differ], b[differ]], axis=1)
            made[differ] = self._rows(pair)
        return made

    def all(self, parts: Iterable[Numbers], shape: Sequence[int]) -> Numbers:
        """The union of many sets for each element; of none, the empty one."""
        rest = [part for part in parts if part.any()]
        if len(rest) < 3:
            none = np.zeros(shape, np.int64)
            return none if not rest else self.both(rest[0], rest[-1])
        return self.along(np.stack(rest), (0,))

    def along(self, x: Numbers, axes: Sequence[int]) -> Numbers:
        """The union along axes, which go."""
        kept = [axis for axis in range(x.ndim) if axis not in axes]
        shape = tuple([x.shape[axis] for axis in kept])
        moved = x.transpose(*kept, *axes)
        rows = moved.reshape(math.prod(shape), math.prod(moved.shape[len(kept) :]))
        return self._rows(rows).reshape(shape)

    def _rows(self, rows: Numbers) -> Numbers:
        """The union of each row."""
        if rows.shape[1] == 0:
            return np.zeros(len(rows), np.int64)
        highest = rows.max(1)
        mixed = ((rows != highest[:, None]) & (rows != 0)).any(1)
        if not mixed.any():
            return highest
        members = rows[mixed]
        made = highest.copy()
        made[mixed] = new = self._new(self._levels[members].max(1) + 1)
        owners = np.repeat(new, members.shape[1])
        some = members.reshape(-1) != 0
        self._edges.append((owners[some], members.reshape(-1)[some]))
        return made

    def grouped(self, x: Numbers, group: Numbers, count: int) -> Numbers:
        """The union of those of each of ``count`` groups; both arguments are flat."""
        some = x != 0
        x, group = x[some], group[some]
        highest = np.zeros(count, np.int64)
        np.maximum.at(highest, group, x)
        mixed = np.zeros(count, bool)
        mixed[group[x != highest[group]]] = True
        if not mixed.any():
            return highest
        inside = mixed[group]
        x, group = x[inside], group[inside]
        levels = np.zeros(count, np.int64)
        np.maximum.at(levels, group, self._levels[x])
        highest[mixed] = self._new(levels[mixed] + 1)
        self._edges.append((highest[group], x))
        return highest

    def everything(self, parts: Iterable[Numbers]) -> int:
        """The union of all sets of all elements."""
        found = [part.reshape(-1) for part in parts]
        if not found:
            return 0
        return int(self._rows(_distinct(np.concatenate(found))[None])[0])

    def members(self, sets: Numbers) -> tuple[Numbers, Numbers]:
        """What sets hold, as rows of a sparse matrix: where each begins, and inputs.

        Column j is input number j + 1, and columns rise within a row.
        """
        distinct, which = np.unique(sets, return_inverse=True)
        some = distinct[distinct != 0]
        rows, columns = self._resolved(some) if some.size else (some, some)
        first = 1 if distinct.size and distinct[0] == 0 else 0
        ends = np.searchsorted(rows, np.arange(-first, distinct.size - first + 1))
        return expand(ends, columns - 1, which.reshape(-1))

    def _resolved(self, sets: Numbers) -> tuple[Numbers, Numbers]:
        """The pairs of a place in ``sets`` and an input in that set, sorted."""
        owners, members = self._contracted(sets)
        inputs = np.arange(1, self.inputs + 1)
        if sets.size <= self.inputs:
            table = _Table.of(owners, members, self._count)
            starts = np.arange(sets.size), sets
            row, found = table.closure(starts, inputs, self._levels, -1)
            order = np.lexsort((found, row))
            return row[order], found[order]
        table = _Table.of(members, owners, self._count)
        starts = inputs, inputs
        found, reached = table.closure(starts, sets, self._levels, 1)
        row = np.searchsorted(sets, reached)
        order = np.lexsort((found, row))
        return row[order], found[order]

    def _contracted(self, kept: Numbers) -> tuple[Numbers, Numbers]:
        """The edges without the unions that stand in one other union alone.

        Their members are members of that one. So a sum that grows turn by turn is one
        union and not a chain of them.
        """
        if not self._edges:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        owners, members = map(np.concatenate, zip(*self._edges, strict=True))
        uses = np.bincount(members, minlength=self._count)
        uses[kept] += 2
        uses[: self.inputs + 1] = 2
        into = np.arange(self._count)
        once = uses[members] == 1
        inner = members[once]
        into[inner] = owners[once]
        while not np.array_equal(further := into[into[inner]], into[inner]):
            into[inner] = further
        return into[owners[~once]], members[~once]


def _distinct(x: Numbers) -> Numbers:
    """The numbers that occur, rising; ten times as fast as `np.unique` on many."""
    ordered = np.sort(x)
    first = np.ones(ordered.size, bool)
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    return ordered[first]


def expand(ends: Numbers, columns: Numbers, which: Numbers) -> tuple[Numbers, Numbers]:
    """The rows ``which`` of a sparse matrix, as a sparse matrix."""
    counts = (ends[1:] - ends[:-1])[which]
    made = np.concatenate([[0], np.cumsum(counts)])
    if made[-1] > MAX_PAIRS:
        raise Crowded
    places = np.arange(made[-1]) + np.repeat(ends[which] - made[:-1], counts)
    return made, columns[places]


class _Table(NamedTuple):
    """Edges by where they begin: those of ``k`` are ``ends[k]`` to ``ends[k + 1]``."""

    ends: Numbers
    targets: Numbers

    @classmethod
    def of(cls, sources: Numbers, targets: Numbers, count: int) -> _Table:
        order = np.argsort(sources, kind="stable")
        counts = np.bincount(sources, minlength=count)
        return cls(np.concatenate([[0], np.cumsum(counts)]), targets[order])

    def closure(
        self,
        starts: tuple[Numbers, Numbers],
        goals: Numbers,
        levels: Numbers,
        direction: int,
    ) -> tuple[Numbers, Numbers]:
        """The pairs (row, goal) of which a path leads from the row's start to a goal.

        Paths go through levels in one direction, so each level is done when it is
        met: a pair is followed once, however many paths lead there.
        """
        count = len(self.ends) - 1
        is_goal = np.zeros(count, bool)
        is_goal[goals] = True
        levels = direction * levels
        waiting: dict[int, list[Numbers]] = {}
        found: list[Numbers] = []
        total = 0

        def sort_in(pairs: Numbers) -> None:
            at = levels[pairs % count]
            for level in _distinct(at).tolist():
                waiting.setdefault(level, []).append(pairs[at == level])

        sort_in(starts[0] * count + starts[1])
        while waiting:
            level = min(waiting)
            pairs = _distinct(np.concatenate(waiting.pop(level)))
            rows, here = np.divmod(pairs, count)
            found.append(pairs[is_goal[here]])
            total += pairs.size
            ends, targets = expand(self.ends, self.targets, here)
            if total + targets.size > MAX_PAIRS:
                raise Crowded
            sort_in(np.repeat(rows, ends[1:] - ends[:-1]) * count + targets)
        rows, here = np.divmod(np.concatenate(found), count)
        return rows, here
