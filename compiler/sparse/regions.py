"""What ops with regions depend on: branches, and loops turn by turn.

A loop whose turns are known runs on sets as it runs on numbers. One that has too many
of them, or an unknown number, gets the sets that any number of turns could make: those
of one turn at an unknown counter, closed over the carried values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np

from ...ir.graph import Graph, Node
from ...ir.ops.parts import split_operands
from ...ir.types import TensorType
from .unions import Numbers, Sets, Unions

if TYPE_CHECKING:
    from ...backends.base import Array
    from .walk import Ask, Walk

__all__ = ["body", "cond", "custom_jvp", "custom_vjp", "loop"]


def cond(walk: Walk, node: Node, p: Sets, *sets: Sets) -> list[Sets]:
    """Both branches, or the one that is taken where that is known."""
    which = walk.value(node.operands[0])
    then, other = node.regions
    taken = node.regions if which is None else (then if which else other,)
    made = [_through(walk, region, node.operands[1:], sets) for region in taken]
    return [walk.both(*pair) for pair in zip(made[0], made[-1], strict=True)]


def _through(
    walk: Walk, region: Graph, operands: Sequence[str], sets: Sequence[Sets]
) -> list[Sets]:
    names = [node.name for node in region.inputs]
    known = {
        name: partial(walk.value, operand)
        for name, operand in zip(names, operands, strict=True)
        if operand in walk.computable
    }
    given = dict(zip(names, sets, strict=True))
    return walk.inner(region, given, known).run()


def body(walk: Walk, node: Node, *sets: Sets, **attrs: Any) -> list[Sets]:
    """What the only region makes of the first operands."""
    (region,) = node.regions
    count = len(region.inputs)
    return _through(walk, region, node.operands[:count], sets[:count])


def custom_jvp(walk: Walk, node: Node, *sets: Sets, arguments: int) -> list[Sets]:
    """What the rule makes of tangents, which are as the arguments."""
    _, rule = node.regions
    first = [walk.operand(node, slot) for slot in range(arguments)]
    moved = [x for x, arg in zip(sets, first, strict=False) if arg.type.has_gradient]
    taken = rule.inputs[arguments + len(node.values) :]
    names = [tangent.name for tangent in taken[: len(moved)]]
    made = iter(walk.inner(rule, dict(zip(names, moved, strict=True)), {}).run())
    return [next(made) if v.type.has_gradient else None for v in node.values]


def custom_vjp(
    walk: Walk, node: Node, *sets: Sets, arguments: int, **attrs: Any
) -> list[Sets]:
    """The transpose of what the rule makes of cotangents.

    Where the cotangent of an element of an argument is made of that of an element of a
    value, the latter depends on what the former depends on.
    """
    *_, rule = node.regions
    first = [walk.operand(node, slot) for slot in range(arguments)]
    pairs = [
        (x, arg.type)
        for x, arg in zip(sets, first, strict=False)
        if arg.type.has_gradient
    ]
    values = [value.type for value in node.values if value.type.has_gradient]
    behind = len(node.operands) - arguments
    seeds = rule.inputs[len(rule.inputs) - behind - len(values) :][: len(values)]
    names = [seed.name for seed in seeds]
    total = sum(type_.size for type_ in values)
    unions = Unions(total)
    own = dict(zip(names, _numbers(values), strict=True))
    bars = walk.inner(rule, own, {}, unions=unions).run()
    types = [type_ for _, type_ in pairs]
    ends, columns = unions.members(_joined(bars, types))
    outer = _joined([x for x, _ in pairs], types)
    made = walk.unions.grouped(np.repeat(outer, np.diff(ends)), columns, total)
    parts = iter(np.split(made, np.cumsum([type_.size for type_ in values])[:-1]))
    return [
        next(parts).reshape(v.type.shape) if v.type.has_gradient else None
        for v in node.values
    ]


def loop(walk: Walk, node: Node, *sets: Sets, **attrs: Any) -> list[Sets]:
    """Turn by turn where these are known and few, else any number of turns."""
    made = _Turns(walk, node, sets, attrs).run()
    return made if made is not None else _any_turns(walk, node, sets, attrs)


class _Turns:
    """A loop that runs on sets, and on those carried integers that are known."""

    def __init__(
        self, walk: Walk, node: Node, sets: Sequence[Sets], attrs: Mapping[str, Any]
    ) -> None:
        self.walk, self.node, self.attrs = walk, node, attrs
        (self.body,) = node.regions
        self.operands = split_operands(attrs, node.operands)
        self.sets = split_operands(attrs, sets)
        names = [taken.name for taken in self.body.inputs]
        self.counter = names[0]
        self.names = split_operands({**attrs, "limit": False}, names[1:])
        self.trips: int | None = attrs.get("trips")

    def run(self) -> list[Sets] | None:
        """The sets of the values; None where the turns are not known, or too many."""
        limit = self._limit()
        if limit is None and not self.attrs.get("test"):
            return None
        known = self._known()
        tested = self.names.carried[0] if self.attrs.get("test") else None
        if tested is not None and tested not in known:
            return None
        if limit is not None and not self._afford(limit):
            return None
        return self._run(limit, known, tested)

    def _limit(self) -> int | None:
        """At most how many turns there are."""
        if not self.operands.limit:
            return self.trips
        given = self.walk.value(self.operands.limit[0])
        if given is None:
            return None
        limit = max(int(given), 0)
        return limit if self.trips is None else min(limit, self.trips)

    def _afford(self, turns: int) -> bool:
        """Whether the budget has so many turns left, which then are taken.

        Loops inside of the body take theirs when they run.
        """
        cost = turns * (len(self.body) - len(self.body.inputs))
        if cost > self.walk.budget[0]:
            return False
        self.walk.budget[0] -= cost
        return True

    def _known(self) -> dict[str, Array]:
        """The carried integers and bools whose values are known in every turn."""
        pairs = zip(self.names.carried, self.operands.carried, strict=True)
        found = {
            name: self.walk.value(operand)
            for name, operand in pairs
            if not self.body[name].type.has_gradient
        }
        known = {name: value for name, value in found.items() if value is not None}
        while True:
            self.computable = self._computable(known)
            results = zip(self.names.carried, self.body.results, strict=False)
            lost = [
                name
                for name, result in results
                if name in known and result not in self.computable
            ]
            if not lost:
                return known
            for name in lost:
                del known[name]

    def _computable(self, carried: Mapping[str, Any]) -> frozenset[str]:
        from .walk import knowable  # which walks through loops

        outer = self.walk.computable
        others = [
            *zip(self.names.invariants, self.operands.invariants, strict=True),
            *zip(self.names.stacked, self.operands.stacked, strict=True),
        ]
        given = [name for name, operand in others if operand in outer]
        return knowable(self.body, frozenset([self.counter, *carried, *given]))

    def _run(
        self, limit: int | None, known: dict[str, Array], tested: str | None
    ) -> list[Sets] | None:
        carried: list[Sets] = [_copied(x) for x in self.sets.carried]
        count = len(carried)
        rows = _Rows(self.node, count)
        owned = frozenset(self.names.carried)
        done = 0
        while limit is None or done < limit:
            if tested is not None and not known[tested]:
                break
            if limit is None and not self._afford(1):
                return None
            t = done
            if self.attrs.get("reverse") and limit is not None:
                t = limit - 1 - done
            turn = self.walk.inner(
                self.body,
                dict(self._given(carried, t)),
                dict(self._asks(known, t)),
                computable=self.computable,
                owned=owned,
            )
            made = turn.run()
            known = self._next(turn, known)
            carried = [
                new if new is old else _copied(new)
                for new, old in zip(made[:count], carried, strict=True)
            ]
            rows.store(t, made[count:])
            done += 1
        return [*carried, *rows.sets]

    def _given(self, carried: Sequence[Sets], t: int) -> Iterator[tuple[str, Sets]]:
        """The sets of what the body takes."""
        yield from zip(self.names.invariants, self.sets.invariants, strict=True)
        yield from zip(self.names.carried, carried, strict=True)
        for name, x in zip(self.names.stacked, self.sets.stacked, strict=True):
            yield name, None if x is None else x[t]

    def _asks(self, known: Mapping[str, Array], t: int) -> Iterator[tuple[str, Ask]]:
        """The values of what the body takes, as far as they are known."""
        yield self.counter, lambda: np.asarray(t)
        for name, value in known.items():
            yield name, partial(_itself, value)
        pairs = zip(self.names.invariants, self.operands.invariants, strict=True)
        for name, operand in pairs:
            yield name, partial(self.walk.value, operand)
        for name, operand in zip(
            self.names.stacked, self.operands.stacked, strict=True
        ):
            yield name, partial(_row, partial(self.walk.value, operand), t)

    def _next(self, turn: Walk, known: Mapping[str, Array]) -> dict[str, Array]:
        results = zip(self.names.carried, self.body.results, strict=False)
        values = {name: turn.value(result) for name, result in results if name in known}
        return {name: value for name, value in values.items() if value is not None}


class _Rows:
    """The sets of stacked values that are being made."""

    def __init__(self, node: Node, carried: int) -> None:
        self._types = [value.type for value in node.values[carried:]]
        self.sets: list[Sets] = [None] * len(self._types)

    def store(self, t: int, made: Sequence[Sets]) -> None:
        for number, row in enumerate(made):
            if row is None:
                continue
            held = self.sets[number]
            if held is None:
                held = np.zeros(self._types[number].shape, np.int64)
                self.sets[number] = held
            held[t] = row


def _copied(x: Sets) -> Sets:
    return None if x is None else np.array(x)


def _itself(value: Array) -> Array:
    return value


def _row(ask: Callable[[], Array | None], t: int) -> Array | None:
    value = ask()
    return None if value is None else np.asarray(value[t])


def _any_turns(
    walk: Walk, node: Node, sets: Sequence[Sets], attrs: Mapping[str, Any]
) -> list[Sets]:
    """The sets that any number of turns could make.

    One turn is walked on sets of its own, in which each element that the body takes is
    an input. A carried element then depends on what it could be made of in any number
    of turns.
    """
    (body,) = node.regions
    parts = split_operands(attrs, sets)
    types = [taken.type for taken in body.inputs[1:]]
    starts = list(accumulate([type_.size for type_ in types], initial=0))
    own = dict(
        zip([taken.name for taken in body.inputs[1:]], _numbers(types), strict=True)
    )
    unions = Unions(starts[-1])
    first = len(parts.limit)
    invariants = node.operands[first : first + len(parts.invariants)]
    known = {
        taken.name: partial(walk.value, operand)
        for taken, operand in zip(body.inputs[1:], invariants, strict=False)
        if operand in walk.computable
    }
    made = walk.inner(body, own, known, unions=unions).run()
    results = [body[name].type for name in body.results]
    links = unions.members(_joined(made, results))
    rows = [None if x is None else walk.unions.along(x, (0,)) for x in parts.stacked]
    outer = _joined([*parts.invariants, *parts.carried, *rows], types)
    begin, count = len(parts.invariants), len(parts.carried)
    carried = slice(starts[begin], starts[begin + count])
    closed = _closed(walk.unions, outer, links, carried)
    ends = list(accumulate([type_.size for type_ in results], initial=0))
    return [
        np.broadcast_to(
            closed[ends[k] : ends[k + 1]].reshape(type_.shape), value.type.shape
        )
        for k, (value, type_) in enumerate(zip(node.values, results, strict=True))
    ]


def _numbers(types: Sequence[TensorType]) -> Iterator[Sets]:
    """A number for each element; values without a gradient use up theirs unseen."""
    first = 1
    for type_ in types:
        numbers = np.arange(first, first + type_.size).reshape(type_.shape)
        first += type_.size
        yield numbers if type_.has_gradient else None


def _joined(sets: Sequence[Sets], types: Sequence[TensorType]) -> Numbers:
    """The sets of the elements of values, one behind the other."""
    pairs = zip(sets, types, strict=True)
    flat = [
        np.zeros(t.size, np.int64) if x is None else x.reshape(-1) for x, t in pairs
    ]
    return np.concatenate([np.zeros(0, np.int64), *flat])


def _closed(
    unions: Unions,
    outer: Numbers,
    links: tuple[Numbers, Numbers],
    carried: slice,
) -> Numbers:
    """The sets of what a body returns, after any number of turns.

    ``links`` are the elements that each result is made of in one turn, ``outer`` the
    sets that these begin with. The first results are the elements that ``carried``
    names, and they are made of each other: those on a circle depend on the same.
    """
    import networkx as nx

    ends, columns = links
    size, offset = carried.stop - carried.start, carried.start
    rows = np.repeat(np.arange(len(ends) - 1), np.diff(ends))
    inner = (rows < size) & (columns >= offset) & (columns < carried.stop)
    graph: Any = nx.DiGraph()
    graph.add_nodes_from(range(size))
    graph.add_edges_from(
        zip(rows[inner].tolist(), (columns[inner] - offset).tolist(), strict=True)
    )
    circles: Any = nx.condensation(graph)
    state = outer.copy()
    for circle in reversed(list(nx.topological_sort(circles))):
        elements = np.fromiter(circles.nodes[circle]["members"], np.int64)
        read = [columns[ends[i] : ends[i + 1]] for i in elements.tolist()]
        sets = np.concatenate([outer[elements + offset], *(state[x] for x in read)])
        state[elements + offset] = unions.everything([sets])
    made = np.empty(len(ends) - 1, np.int64)
    made[:size] = state[carried]
    for row in range(size, len(made)):
        made[row] = unions.everything([state[columns[ends[row] : ends[row + 1]]]])
    return made
