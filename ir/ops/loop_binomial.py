"""A loop whose way back holds so many states: the binomial schedule.

Of l turns and s slots for states, the first of which has the state that the turns begin
with, m turns are run, the state there takes a slot, and the l - m turns behind it are
gone back over with s - 1 slots. That slot is free then, and the m turns are left, with
s slots. Where no slot is free the turns are run again for each that is gone back over.

With beta(s, r) = (s + r)! / (s! r!), turns up to beta(s, r) need be run forwards no
more than r times each, and this is optimal where

    max(beta(s, r - 2), l - beta(s - 1, r)) <= m
    m <= min(beta(s, r - 1), l - beta(s - 1, r - 1))

for the least such r (Griewank and Walther, Algorithm 799: revolve, ACM TOMS 26, 2000).
The lower end is taken here. What is left of a slot has r - 1, what is behind it has r.

All of it is a loop over turns, whose body is one of constant size: a loop that fills
slots, a loop from the last of them to the turn, and the adjoint of that turn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import comb
from typing import TYPE_CHECKING, Any, NamedTuple

from ..types import TensorType
from .parts import Parts, loop_attrs

if TYPE_CHECKING:
    from ..builder import Builder
    from ..graph import Graph, Node

__all__ = [
    "Pieces",
    "Slots",
    "back_over",
    "filled",
    "has_pieces",
    "in_pieces",
    "pieces_of",
]

INDEX = TensorType("i64", ())


def has_pieces(attrs: Mapping[str, Any]) -> bool:
    """Whether a loop has more turns than slots for what they begin with."""
    trips, slots = attrs.get("trips"), attrs.get("held")
    return trips is not None and slots is not None and trips > slots


class Pieces(NamedTuple):
    """A loop cut into as many pieces as there are slots.

    ``turn`` is its body. It takes the number of the turn in the order in which they
    run, how many there are, what ``given`` are: the invariants and the stacked values,
    whole; and what is carried. ``repeats`` is how often a turn is run forwards at most,
    and ``longest`` how many turns a piece has at most.
    """

    turn: Graph
    given: Sequence[Node]
    carried: Sequence[Node]
    rows: Sequence[TensorType]
    attrs: Mapping[str, Any]
    total: Node
    repeats: int
    longest: int

    @property
    def slots(self) -> int:
        """How many states are held."""
        return self.attrs["held"]

    @property
    def trips(self) -> int:
        """How many turns there are at most."""
        return self.attrs["trips"]

    @property
    def slot_types(self) -> list[TensorType]:
        """The types of what says what is in the slots."""
        whole = [x.type.with_shape((self.slots, *x.type.shape)) for x in self.carried]
        return [INDEX, *[INDEX.with_shape((self.slots,))] * 2, *whole]


def pieces_of(
    b: Builder, body: Graph, parts: Parts[Node], attrs: Mapping[str, Any]
) -> Pieces:
    """The pieces of a loop that has them."""
    trips, slots = attrs["trips"], attrs["held"]
    total = b.const(trips, "i64")
    if parts.limit:
        total = b.minimum(b.maximum(parts.limit[0], b.const(0, "i64")), total)
    repeats, longest = _planned(trips, slots)
    rows = [body[name].type for name in body.results[len(parts.carried) :]]
    turn = _turn(body, parts, bool(attrs.get("reverse")))
    given = [*parts.invariants, *parts.stacked]
    return Pieces(turn, given, parts.carried, rows, attrs, total, repeats, longest)


def _planned(turns: int, slots: int) -> tuple[int, int]:
    """How often a turn is run at most, and the length of the longest piece.

    >>> _planned(10_000, 141)
    (2, 140)
    """
    r = 1
    while comb(slots + r, r) < turns:
        r += 1
    longest, left = 1, turns
    for s in range(slots, 1, -1):
        first = comb(s + r - 2, s) if r > 1 else 1
        m = max(first, left - comb(s - 1 + r, r))
        longest, left = max(longest, m), left - m
    return r, max(longest, left)


def _turn(body: Graph, parts: Parts[Node], reverse: bool) -> Graph:
    """The body that takes the number of the turn and whole stacked values."""
    from ..builder import Builder
    from ..graph import Output

    others = body.inputs[1:]
    first, last = len(parts.invariants), len(parts.invariants) + len(parts.carried)
    b = Builder("body")
    number, total = b.input("number", INDEX), b.input("total", INDEX)
    invariants = [b.input(x.name, x.type) for x in others[:first]]
    stacked = [
        b.input(x.name, whole.type)
        for x, whole in zip(others[last:], parts.stacked, strict=True)
    ]
    carried = [b.input(x.name, x.type) for x in others[first:last]]
    t = _counted(b, number, total, reverse)
    rows = [_row(b, x, t) for x in stacked]
    made = b.embed(body, [t, *invariants, *carried, *rows])
    return b.build([Output(x.name) for x in (*made, t)])


def _counted(b: Builder, number: Node, total: Node, reverse: bool) -> Node:
    """The counter of the turn of a number, or the other way round."""
    if not reverse:
        return number
    return b.sub(b.sub(total, b.const(1, "i64")), number)


def _row(b: Builder, rows: Node, place: Node) -> Node:
    """The row at a place."""
    _, *shape = rows.type.shape
    zeros, ones = (0,) * rows.type.rank, (1,) * rows.type.rank
    part = b.slice_at(rows, place, axes=(0,), start=zeros, shape=(1, *shape), step=ones)
    return b.reshape(part, shape)


def _with_row(b: Builder, rows: Node, place: Node, row: Node) -> Node:
    """The rows with another one at a place."""
    zeros, ones = (0,) * rows.type.rank, (1,) * rows.type.rank
    part = b.reshape(row, (1, *row.type.shape))
    return b.update_at(rows, part, place, axes=(0,), start=zeros, step=ones)


def in_pieces(b: Builder, of: Pieces, *, starts: bool = False) -> Node:
    """The loop over pieces: what is carried, all rows, and how many turns there were.

    With ``starts`` also what each piece begins with, stacked: the number of its turn
    and what is carried.
    """
    from ..builder import Builder
    from ..graph import Output

    inner = Builder("body")
    inner.source = b.source
    place, total = inner.input("piece", INDEX), inner.input("total", INDEX)
    given = [inner.input("given", x.type) for x in of.given]
    carried = [inner.input("carried", x.type) for x in of.carried]
    whole = [type_.with_shape((of.trips, *type_.shape)) for type_ in of.rows]
    rows = [inner.input("rows", type_) for type_ in whole]
    number = inner.input("number", INDEX)

    is_last = inner.eq(place, inner.const(of.slots - 1, "i64"))
    free = inner.sub(inner.const(of.slots, "i64"), place)
    left = inner.sub(inner.const(of.trips, "i64"), number)
    repeats = inner.const(of.repeats, "i64")
    turns = inner.select(is_last, left, _split(inner, of, left, free, repeats))
    limit = inner.minimum(turns, inner.sub(total, number))
    parts = _Turns(limit, total, given, carried, rows, number)
    made = _run(inner, of, parts, of.longest, tested=bool(of.attrs.get("test")))
    ends = [*made, number, *carried] if starts else made
    zeros = [b.full(type_, 0) for type_ in whole]
    return b.add_node(
        "loop",
        *(of.total, *of.given, *of.carried, *zeros, b.const(0, "i64")),
        regions=(inner.build([Output(x.name) for x in ends]),),
        **loop_attrs(
            {
                "trips": of.slots,
                "carried": len(made),
                "test": of.attrs.get("test"),
                "segments": 1,
            }
        ),
    )


class _Turns(NamedTuple):
    """What some turns begin with, and how many there are to be."""

    limit: Node
    total: Node
    given: Sequence[Node]
    carried: Sequence[Node]
    rows: Sequence[Node]
    number: Node

    @property
    def taken(self) -> list[Node]:
        """What the body takes."""
        return [self.total, *self.given, *self.carried, *self.rows, self.number]


def _run(
    b: Builder, of: Pieces, turns: _Turns, most: int, *, tested: bool = False
) -> Sequence[Node]:
    """Run turns: what is carried, the rows, and the number of the turn behind them."""
    from ..builder import Builder
    from ..graph import Output

    inner = Builder("body")
    inner.source = b.source
    inner.input("t", INDEX)
    taken = [inner.input(x.name, x.type) for x in turns.taken]
    *before, number = taken
    count, last = len(turns.carried), 1 + len(turns.given) + len(turns.carried)
    *made, t = inner.embed(of.turn, [number, *before[:last]])
    rows = zip(before[last:], made[count:], strict=False)
    ends = [*made[:count], *(_with_row(inner, x, t, row) for x, row in rows)]
    ends.append(inner.add(number, inner.const(1, "i64")))
    attrs = {"trips": most, "limit": True, "carried": len(ends), "test": tested}
    return b.add_node(
        "loop",
        *(turns.limit, *turns.taken),
        regions=(inner.build([Output(x.name) for x in ends]),),
        **loop_attrs(attrs),
    ).values


def _split(b: Builder, of: Pieces, left: Node, free: Node, repeats: Node) -> Node:
    """How many of the turns that are left are to be run before the next slot."""
    one = b.const(1, "i64")
    low = _beta(b, free, b.sub(repeats, b.const(2, "i64")), of.repeats - 2)
    # beta(s - 1, r) = beta(s, r - 2) s (s + r - 1) / (r (r - 1))
    times = b.mul(free, b.sub(b.add(free, repeats), one))
    by = b.maximum(b.mul(repeats, b.sub(repeats, one)), one)
    high = b.floor_divide(b.mul(low, times), by)
    return b.minimum(b.maximum(low, b.sub(left, high)), b.sub(left, one))


def _beta(b: Builder, s: Node, r: Node, most: int) -> Node:
    """(s + r)! / (s! r!), where r is at most so many; 1 where it is negative."""
    from ..builder import Builder
    from ..graph import Output

    one = b.const(1, "i64")
    if most < 1:
        return one
    inner = Builder("body")
    number, s_, made = (inner.input(name, INDEX) for name in ("number", "s", "beta"))
    number = inner.add(number, inner.const(1, "i64"))
    made = inner.floor_divide(inner.mul(made, inner.add(s_, number)), number)
    body = inner.build([Output(made.name)])
    return b.add_node(
        "loop", r, s, one, regions=(body,), trips=most, carried=1, limit=True
    )


class Slots(NamedTuple):
    """The slots on the way back: the last one in use, and what is in each."""

    last: Node
    numbers: Node
    repeats: Node
    states: Sequence[Node]

    @property
    def all(self) -> list[Node]:
        """All values that say it."""
        return [self.last, self.numbers, self.repeats, *self.states]

    @classmethod
    def of(cls, values: Sequence[Node]) -> Slots:
        """The slots of these values."""
        last, numbers, repeats, *states = values
        return cls(last, numbers, repeats, states)


def filled(b: Builder, of: Pieces, made: Sequence[Node]) -> tuple[Node, Slots]:
    """How many turns there were, and the slots, after the loop over pieces."""
    count = len(of.carried) + len(of.rows)
    ran, numbers, *states = made[count:]
    total = ran if of.attrs.get("test") else of.total
    whole = numbers.type
    places = b.iota(shape=whole.shape, axis=0, dtype="i64")
    is_last = b.eq(places, b.full(whole, of.slots - 1))
    most, fewer = b.full(whole, of.repeats), b.full(whole, of.repeats - 1)
    repeats = b.select(is_last, most, fewer)
    begun = b.gt(numbers, b.like(numbers, 0))  # a piece that never began is zeros
    used = b.logical_and(begun, b.lt(numbers, b.broadcast(total, whole)))
    last = b.reduce_sum(b.cast(used, "i64"), axes=(0,))
    return total, Slots(last, numbers, repeats, states)


def back_over(of: Pieces, region: Graph, invariants: int, bars: int) -> Graph:
    """The body of the way back, from a ``region`` that takes what its turn begins with.

    That takes the counter, ``invariants``, ``bars`` that are carried, what is carried
    forwards, and rows. The body takes how many turns there are and what is given in
    place of the invariants, and carries the slots behind the bars.
    """
    from ..builder import Builder
    from ..graph import Output

    counter, *others = region.inputs
    after = invariants + bars
    b = Builder("body")
    t, total = b.input(counter.name, INDEX), b.input("total", INDEX)
    given = [b.input("given", x.type) for x in of.given]
    carried = [b.input(x.name, x.type) for x in others[invariants:after]]
    held = Slots.of([b.input("slots", type_) for type_ in of.slot_types])
    rows = [b.input(x.name, x.type) for x in others[after + len(of.carried) :]]
    number = _counted(b, t, total, bool(of.attrs.get("reverse")))
    held = _fill(b, of, held, number, total, given)
    begun = _row(b, held.numbers, held.last)
    states = [_row(b, x, held.last) for x in held.states]
    turns = _Turns(b.sub(number, begun), total, given, states, [], begun)
    *states, _ = _run(b, of, turns, of.repeats)
    taken = [t, *given[:invariants], *carried, *states, *rows]
    made = b.add_node("recompute", *taken, regions=(region,)).values
    done = b.cast(b.eq(begun, number), "i64")
    last = b.maximum(b.sub(held.last, done), b.const(0, "i64"))
    ends = [*made[:bars], *held._replace(last=last).all, *made[bars:]]
    return b.build([Output(x.name) for x in ends])


def _fill(
    b: Builder,
    of: Pieces,
    held: Slots,
    number: Node,
    total: Node,
    given: Sequence[Node],
) -> Slots:
    """The slots once no more are to be filled before a turn is gone back over."""
    from ..builder import Builder
    from ..graph import Output

    inner = Builder("body")
    inner.source = b.source
    inner.input("t", INDEX)
    taken = number, total, *given
    number_, total_, *given_ = [inner.input(x.name, x.type) for x in taken]
    inner.input("go", TensorType("bool", ()))
    slots = Slots.of([inner.input("slots", x.type) for x in held.all])
    one = inner.const(1, "i64")
    begun, repeats = (_row(inner, x, slots.last) for x in slots[1:3])
    left = inner.add(inner.sub(number_, begun), one)
    free = inner.sub(inner.const(of.slots, "i64"), slots.last)
    limit = _split(inner, of, left, free, repeats)
    states = [_row(inner, x, slots.last) for x in slots.states]
    turns = _Turns(limit, total_, given_, states, [], begun)
    *states, following = _run(inner, of, turns, of.longest)
    fewer = _with_row(inner, slots.repeats, slots.last, inner.sub(repeats, one))
    last = inner.add(slots.last, one)
    made = Slots(
        last,
        _with_row(inner, slots.numbers, last, following),
        _with_row(inner, fewer, last, repeats),
        [
            _with_row(inner, x, last, state)
            for x, state in zip(slots.states, states, strict=True)
        ],
    )
    go = _goes_on(inner, of, made, number_)
    body = inner.build([Output(x.name) for x in (go, *made.all)])
    loop = b.add_node(
        "loop",
        *(number, total, *given, _goes_on(b, of, held, number), *held.all),
        regions=(body,),
        trips=of.slots,
        carried=1 + len(held.all),
        test=True,
    )
    return Slots.of(loop.values[1:])


def _goes_on(b: Builder, of: Pieces, held: Slots, number: Node) -> Node:
    """Whether a slot is free, and what the last one has begins before a turn."""
    before = b.lt(_row(b, held.numbers, held.last), number)
    return b.logical_and(before, b.lt(held.last, b.const(of.slots - 1, "i64")))
