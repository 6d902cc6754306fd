"""Sums in loops over elements: of what is carried, and in memory.

Both may be made in lanes, in any order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TypeAlias

from ....ir.types import TensorType
from ..kernels.scalar_loop import Compute, Index, Load, Loop, Statement, Store, Total
from .linear import Linear
from .scalar_builder import Builder

__all__ = ["Places", "apart", "moved", "places_of", "summed", "totals_of"]

NEAR = 64  # elements: what was stored less far away may be on its way to memory

Places: TypeAlias = tuple[Linear, ...]


def places_of(b: Builder, where: Index) -> Places:
    """The position along each axis."""
    found: list[Linear] = []
    for values in where:
        total = Linear(0)
        for value in values:
            total = total.plus(b.sums.of(value))
        found.append(total)
    return tuple(found)


def moved(places: Places, counter: int, by: int) -> Places:
    """The positions so many iterations later."""
    return tuple(x.plus(Linear(by * x.factor(counter))) for x in places)


def summed(b: Builder, loop: Loop) -> Iterator[int]:
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
            and places_of(b, load.where) == places_of(b, store.where)
            and (sum_ := makers.get(store.value)) is not None
            and (sum_.op == "add" or (sum_.op, sum_.operands[0]) == ("sub", load.value))
            and load.value in sum_.operands
            and uses[load.value] == uses[store.value] == 1
            for load, store in pairs
        ):
            yield memory


def totals_of(b: Builder, loop: Loop) -> list[Total]:
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


def apart(
    b: Builder, body: Sequence[Statement], sums: Collection[int], counter: int
) -> list[list[Statement]]:
    """The body in parts, each for a loop of its own in lanes.

    A load of lanes of which a part was just stored waits until that is in memory. So of
    what is added to places that overlap only one is added in the first part. What is
    added to the others is kept in a row.
    """
    made = {one.value: one for one in body if isinstance(one, (Compute, Load))}
    main = [*body]
    parts = [main]
    taken: list[list[tuple[int, Places]]] = [[]]
    kept: dict[int, int] = {}
    for store in body:
        if not isinstance(store, Store) or store.memory not in sums:
            continue
        at = places_of(b, store.where)
        number = 0
        while any(m == store.memory and _near(at, x) for m, x in taken[number]):
            number += 1
            if number == len(taken):
                taken.append([])
                parts.append([])
        taken[number].append((store.memory, at))
        if number:
            sum_ = made[store.value]
            assert isinstance(sum_, Compute), (
                "it is stored in the place of what it adds to"
            )
            x, y = sum_.operands
            first = made.get(x)
            load, item = (x, y) if _loads(b, first, store, at) else (y, x)
            for one in (made[load], sum_, store):
                main.remove(one)
            value = item
            if item in made:
                value = b.fresh(b.types[item])
                if item not in kept:
                    size = b.memories[store.memory].shape[-1]
                    kept[item] = b.memory(TensorType(b.types[item], (size,)))
                    b.scratch.append(kept[item])
                    main.append(Store(kept[item], ((counter,),), item, (1,)))
                parts[number].append(Load(value, kept[item], ((counter,),), (1,)))
            swapped = tuple(value if x == item else x for x in sum_.operands)
            parts[number] += [made[load], sum_._replace(operands=swapped), store]
    return parts


def _loads(b: Builder, one: Statement | None, store: Store, at: Places) -> bool:
    """Whether a statement loads what a store writes over."""
    return (
        isinstance(one, Load)
        and one.memory == store.memory
        and places_of(b, one.where) == at
    )


def _near(one: Places, other: Places) -> bool:
    """Whether lanes there overlap, or may do so in a few iterations."""
    apart_ = one[-1].plus(other[-1], -1)
    beside = one[:-1] == other[:-1] and not apart_.terms
    return beside and 0 < abs(apart_.number) < NEAR
