"""What is made of loops over elements: values kept from the last iteration, and lanes.

Both look at where elements lie, as sums of values (`linear`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeAlias

import numpy as np

from ..kernels.scalar_loop import (
    Carried,
    Check,
    Choice,
    Compute,
    Index,
    Load,
    Loop,
    Statement,
    Store,
    Sweep,
    Total,
)
from .elements import SMALL, Builder, Elements, Place, Position, Unfit
from .linear import Linear

__all__ = ["fill", "kept_values", "swept"]

LARGE = 2**11  # elements of which kernels of their own make better use

FEW = 8  # iterations that lanes are not worth

Places: TypeAlias = tuple[Linear, ...]


@contextmanager
def _each(b: Builder, shape: Sequence[int]) -> Generator[list[Position]]:
    """Loops over a shape around what is appended meanwhile; gives the index."""
    if math.prod(shape) > LARGE:
        raise Unfit("a large array")
    b.weigh(2 * len(shape))
    sizes = [b.word(size, "i64") for size in shape]
    counters = [b.fresh("i64") for _ in shape]
    for counter, size in zip(counters, sizes, strict=True):
        b.sums.count(counter, size)
    with b.inside() as block:
        yield [Position((counter,)) for counter in counters]
    for counter, size in zip(reversed(counters), reversed(sizes), strict=True):
        made = Loop(counter, size, False, False, (), tuple(block))
        with b.inside() as block:
            b.block.append(swept(b, made))
    b.block += block


def fill(b: Builder, place: Place, value: Elements) -> None:
    """Write every element of a place."""
    if math.prod(place.shape) > SMALL:
        with _each(b, place.shape) as index:
            b.store(place, index, b.element(value, index))
        return
    for index, number in np.ndenumerate(b.numbers(value)):
        b.store(place, [Position((), i) for i in index], int(number))


def _places(b: Builder, where: Index) -> Places:
    """The position along each axis."""
    found: list[Linear] = []
    for values in where:
        total = Linear(0)
        for value in values:
            total = total.plus(b.sums.of(value))
        found.append(total)
    return tuple(found)


def _moved(places: Places, counter: int, by: int) -> Places:
    """The positions so many iterations later."""
    return tuple(x.plus(Linear(by * x.factor(counter))) for x in places)


def _outside(places: Places, counter: int) -> bool:
    """Whether they are made of the counter and of what was there before the loop."""
    return all(value <= counter for x in places for value, _ in x.terms)


def _touched(statements: Sequence[Statement]) -> Iterator[tuple[int, bool]]:
    """The memories that statements access, and whether they write there."""
    for statement in statements:
        match statement:
            case Load(memory=memory):
                yield memory, False
            case Store(memory=memory):
                yield memory, True
            case Loop(body=body) | Sweep(body=body):
                yield from _touched(body)
            case Choice(then=then, other=other):
                yield from _touched((*then, *other))
            case _:
                pass


def _may_leave(statements: Sequence[Statement]) -> bool:
    """Whether there is a check among them."""
    for statement in statements:
        match statement:
            case Check():
                return True
            case Loop(body=body) if _may_leave(body):
                return True
            case Choice(then=then, other=other) if _may_leave((*then, *other)):
                return True
            case _:
                pass
    return False


def kept_values(
    b: Builder, counter: int, trips: int, reverse: bool, block: list[Statement]
) -> list[Carried]:
    """Carry what an iteration stores to the next one, which would load it there.

    ``u[i] = f(u[i - 1])`` waits for its memory otherwise. The loads go out of the
    block; the first of each stands before the loop, if there is an iteration. Nothing
    is loaded before a check that may be in its way.
    """
    found: list[Carried] = []
    if _may_leave(block):
        return found
    inner = [one for one in block if isinstance(one, (Loop, Sweep, Choice))]
    busy = {memory for memory, _ in _touched(inner)}
    stores = [one for one in block if isinstance(one, Store)]
    by = 1 if reverse else -1
    for store in stores:
        if store.memory in busy or [x.memory for x in stores].count(store.memory) > 1:
            continue
        written = _places(b, store.where)
        before = _moved(written, counter, by)
        if before == written or not _outside(written, counter):
            continue
        for load in [one for one in block if isinstance(one, Load)]:
            if load.memory == store.memory and _places(b, load.where) == before:
                start = _first(b, load, before, counter, trips, reverse)
                found.append(Carried(load.value, start, store.value))
                block.remove(load)
    return found


def _first(
    b: Builder, load: Load, places: Places, counter: int, trips: int, reverse: bool
) -> int:
    """What the first iteration would load."""
    first = b.sums.of(trips).plus(Linear(-1)) if reverse else Linear(0)
    dtype = b.types[load.value]
    some = b.sums.holds(b.sums.of(trips), 1)

    def loaded() -> int:
        where = [
            b.number_of(x.without(counter).plus(first, x.factor(counter)))
            for x in places
        ]
        value = b.fresh(dtype)
        b.block.append(Load(value, load.memory, tuple((x,) for x in where)))
        return value

    if some:
        return loaded()
    flag = b.compute("lt", (b.literal(0), trips), "bool")
    nothing = b.word(0, dtype)
    with b.inside() as block:
        value = loaded()
    chosen = b.fresh(dtype)
    b.block.append(Choice(flag, tuple(block), (), ((chosen, value, nothing),)))
    return chosen


def swept(b: Builder, loop: Loop) -> Loop | Sweep:
    """The loop in lanes, if its iterations do not depend on each other but for sums.

    What it accesses has to lie side by side, and what it writes it may read in the same
    place only. To what it adds to it may add in several places.
    """
    trips = loop.trips
    known = None if trips is None else b.sums.of(trips)
    if trips is None or known is None or loop.test:
        return loop
    if not known.terms and known.number < FEW:
        return loop
    runs = b.sums.holds(known, 1)
    with b.inside([*loop.body]) as statements:
        totals = _totals(b, loop)
    if len(totals) < len(loop.carried):
        return loop
    made: list[Statement] = []
    places: dict[int, set[Places]] = {}
    written: list[int] = []
    sums = set(_summed(b, loop))
    for one in statements:
        match one:
            case Compute():
                made.append(one)
            case Load(memory=memory, where=where) | Store(memory=memory, where=where):
                at = _places(b, where)
                growth = tuple(x.factor(loop.counter) for x in at)
                beside = not any(growth[:-1]) and (not growth or abs(growth[-1]) <= 1)
                if not beside or not _outside(at, loop.counter):
                    return loop
                if not any(growth) and not runs:  # loaded in front of the loop
                    return loop
                if isinstance(one, Store):
                    if not any(growth) or memory in written:
                        return loop
                    if memory not in sums:
                        written.append(memory)
                places.setdefault(memory, set()).add(at)
                made.append(one._replace(growth=growth))
            case _:
                return loop
    if any(len(places[memory]) > 1 for memory in written):
        return loop
    body = _wanted(made, totals)
    if not body:
        return loop
    moved: list[Statement] = []
    for one in body:
        if isinstance(one, (Load, Store)):
            at = [x.without(loop.counter) for x in _places(b, one.where)]
            one = one._replace(where=tuple((b.number_of(x),) for x in at))
        moved.append(one)
    return Sweep(loop.counter, trips, tuple(moved), tuple(totals))


def _summed(b: Builder, loop: Loop) -> Iterator[int]:
    """The memories to which the body adds, and does nothing else.

    Each access is a load, of which a sum is stored in the same place before the next.
    """
    makers = {one.value: one for one in loop.body if isinstance(one, Compute)}
    uses = Counter(x for one in makers.values() for x in one.operands)
    uses.update(one.value for one in loop.body if isinstance(one, Store))
    uses.update(one.end for one in loop.carried)
    accesses: dict[int, list[Load | Store]] = {}
    for one in loop.body:
        if isinstance(one, (Load, Store)):
            accesses.setdefault(one.memory, []).append(one)
    for memory, found in accesses.items():
        pairs = list(zip(found[::2], found[1::2], strict=False))
        if 2 * len(pairs) == len(found) and all(
            isinstance(load, Load)
            and isinstance(store, Store)
            and _places(b, load.where) == _places(b, store.where)
            and (sum_ := makers.get(store.value)) is not None
            and (sum_.op == "add" or (sum_.op, sum_.operands[0]) == ("sub", load.value))
            and load.value in sum_.operands
            and uses[load.value] == uses[store.value] == 1
            for load, store in pairs
        ):
            yield memory


def _totals(b: Builder, loop: Loop) -> list[Total]:
    """The carried values that only add up, with what an iteration adds to each.

    Where that is several numbers, statements are appended that add them up.
    """
    made = {one.value: one for one in loop.body if isinstance(one, Compute)}
    uses = Counter(x for one in made.values() for x in one.operands)
    uses.update(one.value for one in loop.body if isinstance(one, Store))
    uses.update(one.end for one in loop.carried)
    sums = {one.value for one in loop.carried}
    found: list[Total] = []
    for value, start, end in loop.carried:
        dtype = b.types[value]
        items = _items(made, uses, value, end) if dtype[0] == "f" else []
        if not items or not sums.isdisjoint(item for item, _ in items):
            continue
        away = all(sign == "sub" for _, sign in items)
        items.sort(key=lambda item: item[1])
        (item, _), *rest = items
        for other, sign in rest:
            item = b.compute("add" if away else sign, (item, other), dtype)
        found.append(Total(value, start, item, dtype, away))
    return found


def _items(
    made: Mapping[int, Compute], uses: Mapping[int, int], value: int, end: int
) -> list[tuple[int, str]]:
    """What is added to a value or taken away, one after the other, until its end.

    None of it where a value in between is used for anything else.
    """
    items: list[tuple[int, str]] = []
    sums = {value}
    for one in made.values():
        if sums.isdisjoint(one.operands):
            continue
        x, y = one.operands if one.op in ("add", "sub") else (0, 0)
        if x not in sums and one.op == "add":
            x, y = y, x
        if x not in sums or y in sums or uses[x] != 1:
            return []
        items.append((y, one.op))
        sums.add(one.value)
    return items if end in sums and uses[end] == 1 else []


def _wanted(
    statements: Sequence[Statement], totals: Sequence[Total]
) -> list[Statement]:
    """The statements that stores and totals are made of."""
    wanted = {total.item for total in totals}
    kept: list[Statement] = []
    for one in reversed(statements):
        match one:
            case Store(value=value):
                wanted.add(value)
            case Compute(value=value, operands=operands) if value in wanted:
                wanted.update(operands)
            case Load(value=value) if value in wanted:
                pass
            case _:
                continue
        kept.append(one)
    return kept[::-1]
