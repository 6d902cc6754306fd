"""Places that a loop over elements accesses in every iteration: held in registers.

``a[i] += x[j]`` in a loop over j loads and stores one place. It is loaded in front of
the loop, carried, and stored behind it. So the next iteration does not wait for the
memory, and what only adds up may be added in lanes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..kernels.scalar_loop import Carried, Compute, Load, Loop, Statement, Store
from .linear import Linear
from .scalar_builder import Builder
from .scalar_choices import is_inside
from .scalar_sums import Places, places_of

__all__ = ["Held", "held"]


class Held(NamedTuple):
    """A loop, and the statements before it and behind it."""

    before: list[Statement]
    loop: Loop
    behind: list[Statement]


def held(b: Builder, loop: Loop) -> Held:
    """The loop that carries what it stores in places that stay.

    No other access of the loop may touch such a place, and there has to be an iteration
    or the place.
    """
    places = [] if loop.test else _places(b, loop)
    before: list[Statement] = []
    behind: list[Statement] = []
    body = [*loop.body]
    carried = [*loop.carried]
    for memory, place in places:
        dtype = b.memories[memory].dtype
        where = tuple((b.number_of(x),) for x in place)
        start, value = b.fresh(dtype), b.fresh(dtype)
        before.append(Load(start, memory, where))
        body, names, end = _without(b, body, memory, place, value)
        carried = [x._replace(end=names.get(x.end, x.end)) for x in carried]
        carried.append(Carried(value, start, end))
        behind.append(Store(memory, where, value))
    return Held(before, loop._replace(carried=tuple(carried), body=tuple(body)), behind)


def _places(b: Builder, loop: Loop) -> list[tuple[int, Places]]:
    """The places that stay, are stored to, and are apart from what else is accessed."""
    found: dict[tuple[int, Places], None] = {}
    every: dict[int, set[Places]] = {}
    for one in loop.body:
        match one:
            case Load(memory=memory, where=where) | Store(memory=memory, where=where):
                at = places_of(b, where)
                every.setdefault(memory, set()).add(at)
                stays = all(value < loop.counter for x in at for value, _ in x.terms)
                if stays and isinstance(one, Store):
                    found[memory, at] = None
            case Compute():
                pass
            case _:
                return []
    trips = loop.trips
    runs = trips is not None and b.sums.holds(b.sums.of(trips), 1)
    return [
        (memory, at)
        for memory, at in found
        if b.memories[memory].is_float
        and (runs or is_inside(b, memory, at))
        and all(other == at or _are_apart(b, at, other) for other in every[memory])
    ]


def _are_apart(b: Builder, one: Places, other: Places) -> bool:
    """Whether two places of a memory are never the same."""
    for x, y in zip(one, other, strict=True):
        away = x.plus(y, -1)
        if b.sums.bounded(away) and (
            b.sums.holds(away, 1) or b.sums.holds(Linear(0).plus(away, -1), 1)
        ):
            return True
    return False


def _without(
    b: Builder, body: Sequence[Statement], memory: int, place: Places, value: int
) -> tuple[list[Statement], dict[int, int], int]:
    """The body that does not access a place, in which ``value`` is at first.

    With what stands for the values that it loaded there, and what is there at the end.
    """
    names: dict[int, int] = {}
    kept: list[Statement] = []
    for one in body:
        match one:
            case Load(made, m, where) if m == memory and places_of(b, where) == place:
                names[made] = value
            case Store(m, where, end) if m == memory and places_of(b, where) == place:
                value = names.get(end, end)
            case Store(value=end):
                kept.append(one._replace(value=names.get(end, end)))
            case Compute(operands=operands):
                renamed = tuple([names.get(x, x) for x in operands])
                kept.append(one._replace(operands=renamed))
            case _:
                kept.append(one)
    return kept, names, value
