"""What is made of loops over elements: values kept from the last iteration, and lanes.

Both look at where elements lie, as sums of values (`linear`).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import combinations

import numpy as np

from ..kernels.scalar_loop import (
    Carried,
    Check,
    Choice,
    Compute,
    Load,
    Loop,
    Statement,
    Store,
    Sweep,
)
from ..language.vectors import SPREAD
from ..machine import current
from .elements import SMALL, Elements, Place, Position, Unfit
from .linear import Linear
from .scalar_builder import Builder
from .scalar_choices import is_inside, unchosen, wanted
from .scalar_cuts import cut
from .scalar_held import held
from .scalar_rows import side_by_side
from .scalar_sums import Places, apart, moved, places_of, summed, totals_of

__all__ = ["fill", "kept_values", "swept"]

LARGE = 2**11  # elements of which kernels of their own make better use

VECTORS = 2  # that are computed at once, where iterations are enough
FEW = 8  # iterations that lanes are not worth
MANY = 16  # statements that are worth an access to elements that are far apart


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
            b.block += swept(b, made)
    b.block += block


def fill(b: Builder, place: Place, value: Elements) -> None:
    """Write every element of a place."""
    if math.prod(place.shape) > SMALL:
        with _each(b, place.shape) as index:
            b.store(place, index, b.element(value, index))
        return
    for index, number in np.ndenumerate(b.numbers(value)):
        b.store(place, [Position((), i) for i in index], int(number))


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
        written = places_of(b, store.where)
        before = moved(written, counter, by)
        if before == written or not _outside(written, counter):
            continue
        for load in [one for one in block if isinstance(one, Load)]:
            if load.memory == store.memory and places_of(b, load.where) == before:
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


def swept(b: Builder, loop: Loop) -> Sequence[Statement]:
    """The loop in lanes, whole or in pieces, or as it is.

    Lanes compute both sides of choices. What stays is held in registers either way.
    """
    flat = unchosen(b, loop)
    if flat is not None:
        with b.inside() as block:
            before, kept, behind = held(b, flat)
            block += before
            made = _in_lanes(b, kept)
        if made is not None:
            return [*block, *made, *behind]
        made = cut(b, flat, partial(_in_lanes, b))
        if made is not None:
            return made
    made = side_by_side(b, loop)
    if made is not None:
        return made
    with b.inside() as block:
        before, kept, behind = held(b, loop)
    return [*block, *before, kept, *behind]


def _in_lanes(b: Builder, loop: Loop) -> Sequence[Statement] | None:
    """The loop in lanes, if its iterations do not depend on each other but for sums.

    What it accesses has to lie side by side or a few elements apart, but for one access
    in many. What it writes it may access elsewhere too, in the same place along the
    axis along which it goes. To what it adds to it may add in several places of the
    last axis, one after the other where these overlap.
    """
    trips = loop.trips
    known = None if trips is None else b.sums.of(trips)
    if trips is None or known is None or loop.test:
        return None
    if not known.terms and known.number < FEW:
        return None
    runs = b.sums.holds(known, 1)
    with b.inside([*loop.body]) as statements:
        totals = totals_of(b, loop)
    if len(totals) < len(loop.carried):
        return None
    made: list[Statement] = []
    places: dict[int, set[Places]] = {}
    written: set[int] = set()
    sums = set(summed(b, loop))
    far = 0  # accesses to elements that are farther apart
    for one in statements:
        match one:
            case Compute():
                made.append(one)
            case Load(memory=memory, where=where) | Store(memory=memory, where=where):
                at = places_of(b, where)
                growth = tuple(x.factor(loop.counter) for x in at)
                moving = [axis for axis, by in enumerate(growth) if by]
                if len(moving) > 1 or not _outside(at, loop.counter):
                    return None
                far += not _are_beside(b, memory, growth)
                before = not moving  # it is loaded in front of the loop
                if before and not runs and not is_inside(b, memory, at):
                    return None
                if isinstance(one, Store):
                    if not moving:
                        return None
                    if memory not in sums or not growth[-1]:
                        written.add(memory)
                places.setdefault(memory, set()).add(at)
                made.append(one._replace(growth=growth))
            case _:
                return None
    if not all(_is_apart(places[memory], loop.counter) for memory in written):
        return None
    if MANY * far > len(made):
        return None
    body = wanted(made, [total.item for total in totals])
    if not body:
        return None
    parts = apart(b, body, sums - written, loop.counter)
    whole = VECTORS * current().vector_bytes // 8  # of f64 or i64
    few = not known.terms and known.number < whole
    return [
        Sweep(
            loop.counter,
            trips,
            _from_the_first(b, loop, part),
            () if number else tuple(totals),
            1 if few else VECTORS,
        )
        for number, part in enumerate(parts)
    ]


def _are_beside(b: Builder, memory: int, growth: Sequence[int]) -> bool:
    """Whether lanes, which go along one axis, are no more than a few elements apart."""
    shape = b.memories[memory].shape
    steps = [by * math.prod(shape[axis + 1 :]) for axis, by in enumerate(growth)]
    return -1 <= sum(steps) <= SPREAD[-1]


def _is_apart(places: Collection[Places], counter: int) -> bool:
    """Whether no two iterations access the same of these places."""
    moving = {
        (axis, x)
        for at in places
        for axis, x in enumerate(at)
        if x.factor(counter) or not any(x.factor(counter) for x in at)
    }
    along = {x for _, x in moving}
    alike = len({axis for axis, _ in moving}) == 1
    return alike and all(
        _never_meet(one, other, counter) for one, other in combinations(along, 2)
    )


def _never_meet(one: Linear, other: Linear, counter: int) -> bool:
    """Whether ``2 * i`` and ``2 * i + 1``, as it were, differ in all iterations."""
    gap, by = one.plus(other, -1), one.factor(counter)
    return not gap.terms and by != 0 and gap.number % by != 0


def _from_the_first(
    b: Builder, loop: Loop, body: Sequence[Statement]
) -> tuple[Statement, ...]:
    """The statements, with the places of the first iteration."""
    made: list[Statement] = []
    for one in body:
        if isinstance(one, (Load, Store)):
            at = [x.without(loop.counter) for x in places_of(b, one.where)]
            one = one._replace(where=tuple((b.number_of(x),) for x in at))
        made.append(one)
    return tuple(made)
