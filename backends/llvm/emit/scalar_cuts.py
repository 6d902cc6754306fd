"""Loops over elements that are cut where a place that stays meets those that move.

In ``d[i, j] = min(d[i, j], d[i, k] + d[k, j])`` the iterations over j depend on each
other by ``d[i, k]`` alone, which one of them writes: that of j = k. Those before it can
be computed in lanes, and those behind it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..kernels.scalar_loop import (
    Carried,
    Compute,
    Index,
    Load,
    Loop,
    Statement,
    Store,
)
from .linear import Linear
from .scalar_builder import Builder
from .scalar_copies import copied
from .scalar_sums import places_of

__all__ = ["cut"]

FEW = 16  # iterations that three loops are not worth


class _Sum(NamedTuple):
    """What is added up in a place that stays."""

    load: Load
    sum: Compute
    store: Store


class _Cut(NamedTuple):
    """The iteration that is apart; what the others load once, and what they add up."""

    at: Linear
    loads: list[Load]
    sums: list[_Sum]


class _Piece(NamedTuple):
    """So many iterations from one on."""

    start: int
    trips: int


def cut(
    b: Builder, loop: Loop, in_lanes: Callable[[Loop], Sequence[Statement] | None]
) -> list[Statement] | None:
    """The iterations before some one of a loop, that one, and those behind it.

    All but that one are in lanes; None where they cannot be. In those a place that
    stays is loaded once, or added up and stored once. If nothing is added up, the one
    comes first, then those behind it: the last round of those before it stores a part
    of its lanes, and what is loaded beside them waits for that.
    """
    trips = loop.trips
    if trips is None or loop.test or loop.carried:
        return None
    found = _found(b, loop) if b.sums.holds(b.sums.of(trips), FEW) else None
    if found is None:
        return None

    def swept(piece: _Piece, loaded: dict[int, int]) -> bool:
        return _swept(b, loop, piece, loaded, found.sums, in_lanes)

    with b.inside() as block:
        before, single, behind = _pieces(b, found.at, trips)
        first, last = (behind, before) if loop.reverse else (before, behind)
        early = _loaded(b, found.loads)
        if found.sums and not swept(first, early):
            return None
        b.block.append(_iterations(b, loop, single, {}, {}, ()))
        late = _loaded(b, found.loads)
        if found.sums:
            return block if swept(last, late) else None
        known = {first: early, last: late}
        done = all(swept(piece, known[piece]) for piece in (behind, before))
        return block if done else None


def _pieces(b: Builder, at: Linear, trips: int) -> tuple[_Piece, _Piece, _Piece]:
    """The iterations before some one, that one, if there is such, and the others."""

    def i64(op: str, x: int, y: int) -> int:
        return b.compute(op, (x, y), "i64")

    zero, one = b.literal(0), b.literal(1)
    single = i64("minimum", i64("maximum", b.number_of(at), zero), trips)
    behind = i64("minimum", i64("add", single, one), trips)
    return (
        _Piece(zero, single),
        _Piece(single, i64("sub", behind, single)),
        _Piece(behind, i64("sub", trips, behind)),
    )


def _found(b: Builder, loop: Loop) -> _Cut | None:
    """Where a loop is to be cut, if there is one such iteration."""
    accesses = [one for one in loop.body if isinstance(one, (Load, Store))]
    if len(accesses) + sum(isinstance(x, Compute) for x in loop.body) < len(loop.body):
        return None
    written = {one.memory for one in accesses if isinstance(one, Store)}
    moving: dict[int, set[Linear]] = {memory: set() for memory in written}
    staying: dict[int, list[Load | Store]] = {}
    for one in accesses:
        at = places_of(b, one.where)
        growth = [x.factor(loop.counter) for x in at]
        before = all(value <= loop.counter for x in at for value, _ in x.terms)
        if any(growth[:-1]) or growth[-1:] not in ([], [0], [1]) or not before:
            return None
        if not any(growth):
            staying.setdefault(one.memory, []).append(one)
        elif one.memory in written:
            moving[one.memory].add(at[-1].without(loop.counter))
    meetings = {
        places_of(b, one.where)[-1].plus(first, -1)
        for memory in written
        for first in moving[memory]
        for one in staying.get(memory, ())
    }
    if len(meetings) != 1:
        return None
    loads: list[Load] = []
    sums: list[_Sum] = []
    for same in staying.values():
        if all(isinstance(one, Load) for one in same):
            loads += [one for one in same if isinstance(one, Load)]
            continue
        added = _sum(b, loop, same)
        if added is None:
            return None
        sums.append(added)
    (meeting,) = meetings
    return _Cut(meeting, loads, sums)


def _sum(b: Builder, loop: Loop, same: Sequence[Load | Store]) -> _Sum | None:
    """The sum in one place of a memory, if its accesses that stay are that."""
    made = {one.value: one for one in loop.body if isinstance(one, Compute)}
    uses = Counter(x for one in made.values() for x in one.operands)
    uses.update(one.value for one in loop.body if isinstance(one, Store))
    match same:
        case [Load() as load, Store() as store] if store.value in made:
            sum_ = made[store.value]
        case _:
            return None
    adds = sum_.op == "add" or (sum_.op, sum_.operands[0]) == ("sub", load.value)
    once = uses[load.value] == uses[store.value] == 1
    here = places_of(b, load.where) == places_of(b, store.where)
    whole = adds and once and here and load.value in sum_.operands
    return _Sum(load, sum_, store) if whole else None


def _loaded(b: Builder, loads: Sequence[Load]) -> dict[int, int]:
    """Loads of places that stay, made now: what stands for the value of each."""
    names: dict[int, int] = {}
    for load in loads:
        names[load.value] = b.fresh(b.types[load.value])
        b.block.append(Load(names[load.value], load.memory, _where(b, load)))
    return names


def _where(b: Builder, one: Load | Store) -> Index:
    """A place that stays, without what the body makes."""
    return tuple((b.number_of(x),) for x in places_of(b, one.where))


def _swept(
    b: Builder,
    loop: Loop,
    piece: _Piece,
    loaded: dict[int, int],
    sums: Sequence[_Sum],
    in_lanes: Callable[[Loop], Sequence[Statement] | None],
) -> bool:
    """Append a piece in lanes, if it can be."""
    begun = _loaded(b, [one.load for one in sums])
    names = loaded | {value: b.fresh(b.types[value]) for value in begun}
    made = _iterations(b, loop, piece, names, begun, sums)
    statements = in_lanes(made)
    if statements is None:
        return False
    b.block += statements
    for load, _, store in sums:
        b.block.append(Store(store.memory, _where(b, store), names[load.value]))
    return True


def _iterations(
    b: Builder,
    loop: Loop,
    piece: _Piece,
    names: dict[int, int],
    begun: dict[int, int],
    sums: Sequence[_Sum],
) -> Loop:
    """The loop of a piece; ``names`` have what stands for the values of some loads.

    The sums are carried, and begin with what ``begun`` has for their loads.
    """
    names = dict(names)
    gone: set[Statement] = {one.store for one in sums}
    gone |= {x for x in loop.body if isinstance(x, Load) and x.value in names}
    counter = b.fresh("i64")
    b.sums.count(counter, piece.trips)
    with b.inside() as block:
        names[loop.counter] = b.compute("add", (piece.start, counter), "i64")
        copied(b, [one for one in loop.body if one not in gone], names)
    carried = [
        Carried(names[load.value], begun[load.value], names[sum_.value])
        for load, sum_, _ in sums
    ]
    return Loop(counter, piece.trips, False, loop.reverse, tuple(carried), tuple(block))
