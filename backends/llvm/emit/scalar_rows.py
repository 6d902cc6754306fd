"""Nests of loops over elements whose rows are computed side by side.

In ``c[i, j] = d + min(c[i - 1, j], c[i, j - 1])`` every element waits for the one
before it in its row, and the processor waits with it. So a few rows go on together,
each by an element at a time ("unroll and jam"), where a later one needs no more than
what the earlier ones have made by then. Every element is made of the same numbers in
the same order, so no bit changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..kernels.scalar_loop import Carried, Compute, Load, Loop, Statement, Store
from .linear import Linear
from .scalar_builder import Builder
from .scalar_choices import work
from .scalar_copies import copied
from .scalar_sums import Places, moved, places_of

__all__ = ["side_by_side"]

ROWS = 4  # that go on together
FEW = 8  # rows, or elements of a row, that are not worth it
MOST = 40  # statements that are not written out again
IN_PARALLEL = 16  # operations that run while one waits for the one before it


class _Nest(NamedTuple):
    """A loop of so many rows, and in it one of elements, with what is around that."""

    rows: Loop
    many: int
    before: Sequence[Statement]
    elements: Loop
    behind: Sequence[Statement]


class _Access(NamedTuple):
    """A load or a store of a row."""

    memory: int
    stores: bool
    at: Places
    stage: int


BEFORE, ELEMENTS, BEHIND = range(3)


def side_by_side(b: Builder, loop: Loop) -> list[Statement] | None:
    """The rows of a nest in groups, and those that are left; None where it is none."""
    nest = _nest(b, loop)
    if nest is None or not _is_worth(b, nest) or not _is_legal(b, nest):
        return None
    groups, left = divmod(nest.many, ROWS)
    weight = b.weight
    with b.inside() as block:
        first = b.word(nest.many - left, "i64")
        block += [
            _rows(b, nest, ROWS, Linear(0), b.word(groups, "i64")),
            _rows(b, nest, 1, Linear(0, ((first, 1),)), b.word(left, "i64")),
        ]
    b.weight = weight  # no more of it runs than before
    return block


def _nest(b: Builder, loop: Loop) -> _Nest | None:
    """The only loop in a loop, if all else is without blocks."""
    inner = [one for one in loop.body if isinstance(one, Loop)]
    if loop.trips is None or loop.test or loop.carried or len(inner) != 1:
        return None
    (elements,) = inner
    many = b.sums.of(loop.trips)
    if elements.trips is None or elements.test or many.terms:
        return None
    at = loop.body.index(elements)
    before, behind = loop.body[:at], loop.body[at + 1 :]
    every = (*before, *elements.body, *behind)
    plain = all(isinstance(one, (Compute, Load, Store)) for one in every)
    if not plain or len(every) > MOST:
        return None
    return _Nest(loop, many.number, before, elements, behind)


def _is_worth(b: Builder, nest: _Nest) -> bool:
    """Whether there are enough rows, all alike, whose elements wait for each other."""
    length = b.sums.of(nest.elements.trips or 0)
    alike = all(value < nest.rows.counter for value, _ in length.terms)
    enough = nest.many >= FEW and b.sums.holds(length, FEW)
    return (
        alike
        and enough
        and work(nest.elements.body) <= IN_PARALLEL * _chain(b, nest.elements)
    )


def _chain(b: Builder, loop: Loop) -> int:
    """How many operations stand between one iteration and the next, one by one.

    What is carried stands between them, and what one stores and the next one loads.
    """
    passed = [(one.value, one.end) for one in loop.carried]
    stores = [one for one in loop.body if isinstance(one, Store)]
    for one in loop.body:
        if isinstance(one, Load):
            passed += [
                (one.value, store.value)
                for store in stores
                if store.memory == one.memory
                and places_of(b, one.where)
                == moved(
                    places_of(b, store.where), loop.counter, 1 if loop.reverse else -1
                )
            ]
    depth = {value: 0 for value, _ in passed}
    for one in loop.body:
        if isinstance(one, Compute):
            found = [depth[x] for x in one.operands if x in depth]
            if found:
                depth[one.value] = max(found) + 1
    return max((depth.get(end, 0) for _, end in passed), default=0)


def _is_legal(b: Builder, nest: _Nest) -> bool:
    """Whether accesses of a place by several rows of a group keep their order."""
    accesses = list(_accesses(b, nest))
    return all(
        _in_order(nest, one, other, distance)
        for one in accesses
        for other in accesses
        if one.memory == other.memory and (one.stores or other.stores)
        for distance in range(1, ROWS)
    )


def _accesses(b: Builder, nest: _Nest) -> Iterator[_Access]:
    """What a row accesses."""
    stages = (nest.before, nest.elements.body, nest.behind)
    for stage, statements in enumerate(stages):
        for one in statements:
            if isinstance(one, (Load, Store)):
                at = places_of(b, one.where)
                yield _Access(one.memory, isinstance(one, Store), at, stage)


def _in_order(nest: _Nest, one: _Access, other: _Access, distance: int) -> bool:
    """Whether an access comes before another one, of a row so much later.

    Where they meet, it must not be in a later element.
    """
    if one.stage == BEFORE or other.stage == BEHIND:
        return True
    pairs = zip(one.at, other.at, strict=True)
    found = [_gaps(nest, x, y, distance) for x, y in pairs]
    known = [gaps for gaps in found if gaps is not None]
    both = set[int].intersection(*known) if known else None
    if both and one.stage == other.stage == ELEMENTS:
        return max(both) <= 0
    return both == set()


def _gaps(nest: _Nest, x: Linear, y: Linear, distance: int) -> set[int] | None:
    """By how many elements ``x`` may be behind where it is ``y``; None is by any."""
    rows, elements = nest.rows, nest.elements
    by, along = x.factor(rows.counter), x.factor(elements.counter)
    away = x.plus(y, -1)
    fixed = all(
        value <= rows.counter or value == elements.counter for value, _ in x.terms
    )
    if away.terms or not fixed:
        return None
    by *= -1 if rows.reverse else 1
    along *= -1 if elements.reverse else 1
    gap = by * distance - away.number
    if not along:
        return set() if gap else None
    return set() if gap % along else {gap // along}


def _rows(b: Builder, nest: _Nest, together: int, first: Linear, count: int) -> Loop:
    """A loop over groups of rows, from one on."""
    loop, counter = nest.rows, b.fresh("i64")
    b.sums.count(counter, count)
    with b.inside() as block:
        rows: list[dict[int, int]] = []
        for number in range(together):
            at = first.plus(Linear(number, ((counter, together),)))
            if loop.reverse:
                at = Linear(-1, ((loop.trips or 0, 1),)).plus(at, -1)
            rows.append({loop.counter: b.number_of(at)})
            copied(b, nest.before, rows[-1])
        block.append(_elements(b, nest.elements, rows))
        for names in rows:
            copied(b, nest.behind, names)
    return Loop(counter, count, False, False, (), tuple(block))


def _elements(b: Builder, loop: Loop, rows: Sequence[dict[int, int]]) -> Loop:
    """A loop over the elements of rows; each has names for the values of its own."""
    counter = b.fresh("i64")
    b.sums.count(counter, loop.trips)
    carried: list[Carried] = []
    with b.inside() as block:
        for names in rows:
            now = {one.value: b.fresh(b.types[one.value]) for one in loop.carried}
            inside = names | now | {loop.counter: counter}
            copied(b, loop.body, inside)
            for one in loop.carried:
                start, end = (
                    names.get(one.start, one.start),
                    inside.get(one.end, one.end),
                )
                carried.append(Carried(now[one.value], start, end))
            names.update(now)
    return Loop(counter, loop.trips, False, loop.reverse, tuple(carried), tuple(block))
