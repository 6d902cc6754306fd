"""The body of a scalar loop as statements: each node, inner loops and choices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from ....ir.graph import Graph, Node
from ....ir.iterations import rows_beyond
from ....ir.ops import OPS, Kind
from ....ir.ops.parts import Parts, split_operands
from ..kernels.scalar_loop import Carried, Choice, Loop
from .elements import (
    Elements,
    Lazy,
    Place,
    Unfit,
    repeated,
    uniform,
    whole_place,
)
from .scalar_order import addressed, in_order, written_over
from .scalar_passes import fill, kept_values, swept
from .scalar_places import begun_at_home, row_of
from .scalar_values import Values

__all__ = ["Lowering"]


class Lowering(Values):
    """Lowers graphs, with the loops and choices in them."""

    def graph(
        self,
        graph: Graph,
        inputs: Sequence[Elements],
        homes: Mapping[str, Place] | None = None,
        known: Mapping[str, Elements] | None = None,
    ) -> list[Elements]:
        """What a region makes of its inputs.

        ``homes`` are where values are made, and ``known`` those that are made already.
        What is written over later is copied home before.
        """
        values = {x.name: v for x, v in zip(graph.inputs, inputs, strict=True)}
        values.update(known or {})
        homes = homes or {}
        over = written_over(graph) - values.keys() if homes else set[str]()
        copied = {name: homes[name] for name in homes.keys() & over}
        held = {name for name, value in values.items() if isinstance(value, Place)}
        reads = Counter(name for node in graph for name in node.operands)
        reads.update(graph.results)
        beyond = rows_beyond(graph)
        made_there = {name: homes[name] for name in homes.keys() - copied.keys()}
        begun = dict(begun_at_home(graph, made_there))
        for node in in_order(graph, held):
            if known and node.name in known:
                continue
            operands = [
                self._moved_home(values[name], begun.get((node.name, slot)))
                for slot, name in enumerate(node.operands)
            ]
            made = [
                self._kept(value)
                if isinstance(value, Lazy) and reads[name] > 1
                else value
                for name, value in zip(
                    node.names,
                    self._node(node, operands, homes, beyond),
                    strict=True,
                )
            ]
            values.update(zip(node.names, made, strict=True))
            for name in copied.keys() & {*node.names}:
                if not copied[name].same_place(values[name]):
                    fill(self.builder, copied[name], values[name])
        return [copied.get(name, values[name]) for name in graph.results]

    def _node(
        self,
        node: Node,
        operands: list[Elements],
        homes: Mapping[str, Place],
        beyond: set[str],
    ) -> Sequence[Elements]:
        match node.op:
            case "loop":
                rows = [homes.get(name) for name in node.names]
                count: Any = node.attrs.get("carried", 0)
                return self.loop(node, operands, rows[count:], beyond)
            case "cond":
                return self._choice(node, operands[0], operands[1:])
            case _:
                return [self._value(node, operands)]

    def loop(
        self,
        node: Node,
        operands: list[Elements],
        homes: Sequence[Place | None],
        beyond: set[str],
    ) -> list[Elements]:
        """The statements of a loop; ``homes`` are where stacked results are made.

        Of those in ``beyond``, rows are read that no iteration makes.
        """
        b, (body,) = self.builder, node.regions
        parts = split_operands(node.attrs, operands)
        count, first = len(parts.carried), 1 + len(parts.invariants)
        trips = self._trips(node, parts)
        in_memory = addressed(body)
        starts: list[Elements] = [
            self.owned(value)
            if taken.name in in_memory or b.is_whole(value)
            else b.numbers(value)
            for value, taken in zip(parts.carried, body.inputs[first:], strict=False)
        ]
        memories = [x.memory for x in starts if isinstance(x, Place)]
        if len(set(memories)) < len(memories):
            raise Unfit("two carried arrays are one")
        parts = self._apart(parts, memories)
        rows = [
            home or self._scratch(value.type)
            for home, value in zip(homes, node.values[count:], strict=True)
        ]
        known = self._positions(body, parts.invariants)
        counter = b.fresh("i64")
        b.sums.count(counter, trips)
        carried = [
            b.next_version(x) if isinstance(x, Place) else b.fresh_like(b.numbers(x))
            for x in starts
        ]
        stacked = [row_of(self._in_rows(x), counter) for x in parts.stacked]
        inner = [row.row(counter) for row in rows]
        entered = dict(b.versions)
        b.weigh(2)
        taken = [x.name for x in body.inputs[first : first + count]]
        with b.inside() as block:
            early = self._stacked_at_once(
                dict(zip(taken, carried, strict=True)),
                dict(zip(body.results[count:], inner, strict=True)),
            )
            ends = self.graph(
                body,
                [np.array(counter), *parts.invariants, *carried, *stacked],
                dict(zip(body.results[count:], inner, strict=True)),
                known,
            )
            for row, value in zip(inner, ends[count:], strict=True):
                if isinstance(value, Place) and row.same_place(value):
                    b.current(value)
                elif row not in early:
                    fill(b, row, value)
            pairs: list[Carried] = []
            for start, now, end in zip(starts, carried, ends, strict=False):
                pairs += self._carried(start, now, end)
        for row in rows:  # of which each iteration made its own
            b.versions.pop(row.memory, None)
        written = {m for m, version in entered.items() if b.versions[m] != version}
        if not written <= set(memories):
            raise Unfit("an array is written that is not carried")
        limit, test, reverse = (
            bool(node.attrs.get(x)) for x in ("limit", "test", "reverse")
        )
        if limit or test:
            named = zip(node.names[count:], rows, strict=True)
            self.partial.update(row.memory for name, row in named if name in beyond)
        for row in rows:
            if row.memory in self.partial and row.memory in b.scratch:
                zero = b.word(row.type.numpy.type(0).item(), row.type.dtype)
                fill(b, row, repeated(zero, row.shape))
        if trips is not None and not test:
            pairs += kept_values(b, counter, trips, reverse, block)
        made = Loop(counter, trips, test, reverse, tuple(pairs), tuple(block))
        b.block += swept(b, made)
        results = [b.next_version(x) if isinstance(x, Place) else x for x in carried]
        return [*results, *rows]

    def _positions(
        self, body: Graph, invariants: Sequence[Elements]
    ) -> dict[str, Elements]:
        """The integers that no iteration changes, made in front of the loop.

        So whoever asks where elements lie sees that they lie in the same row.
        """
        known: dict[str, Elements] = {
            x.name: value
            for x, value in zip(body.inputs[1:], invariants, strict=False)
            if isinstance(value, np.ndarray) and not value.shape
        }
        taken = set(known)
        for node in body:
            plain = node.op == "const" or OPS[node.op].kind is Kind.ELEMENTWISE
            small = not node.type.shape and node.type.dtype in ("i64", "bool")
            if plain and small and known.keys() >= {*node.operands}:
                known[node.name] = self._value(node, [known[x] for x in node.operands])
        return {name: value for name, value in known.items() if name not in taken}

    def _apart(
        self, parts: Parts[Elements], memories: Collection[int]
    ) -> Parts[Elements]:
        """The parts, where what all iterations read is in none of these memories.

        A loop writes these in place. Its invariants and rows are as they were before,
        so they are copied where they lie there. What is to be computed is made once.
        """
        b = self.builder
        copies: dict[int, Place] = {}

        def kept(value: Elements) -> Elements:
            if isinstance(value, Lazy):
                return self._kept(value)
            if not isinstance(value, Place) or value.memory not in memories:
                return value
            if value.loaded is not None:
                return value
            type_ = b.memories[value.memory]
            if type_.rank != value.type.rank:  # a row
                return self._kept(value)
            if value.memory not in copies:
                b.current(value)
                version = b.versions[value.memory]
                whole = whole_place(value.memory, type_, version)
                copies[value.memory] = self._kept(whole)
            copy = copies[value.memory]
            return value._replace(memory=copy.memory, version=copy.version)

        return parts._replace(
            invariants=[kept(x) for x in parts.invariants],
            stacked=[kept(x) for x in parts.stacked],
        )

    def _in_rows(self, value: Elements) -> Elements:
        """A stacked value where a row at a traced position can be read of it."""
        if isinstance(value, Lazy):
            return self._kept(value)
        in_registers = not isinstance(value, Place) and uniform(value) is None
        return self._kept(value) if in_registers and 0 not in value.shape else value

    def _stacked_at_once(
        self, carried: Mapping[str, Elements], rows: Mapping[str, Place]
    ) -> list[Place]:
        """The rows of arrays as they are carried into an iteration, made by now.

        Later they are written over.
        """
        made = [
            (row, carried[name])
            for name, row in rows.items()
            if name in carried and self.builder.is_written(carried[name])
        ]
        for row, value in made:
            fill(self.builder, row, value)
        return [row for row, _ in made]

    def _carried(self, start: Elements, now: Elements, end: Elements) -> list[Carried]:
        """How one carried value goes on."""
        b = self.builder
        if isinstance(now, Place):
            place = now._replace(version=b.versions[now.memory])
            if place.same_place(end):
                b.current(self.owned(end))
            else:
                self._write(place, place, end)
            return []
        numbers = [b.numbers(x).flat for x in (now, start, end)]
        return [Carried(*map(int, one)) for one in zip(*numbers, strict=True)]

    def _trips(self, node: Node, parts: Parts[Elements]) -> int | None:
        """How many iterations there are at most."""
        b, trips = self.builder, node.attrs.get("trips")
        most = None if trips is None else b.word(int(str(trips)), "i64")
        if not parts.limit:
            return most
        limit = b.number(parts.limit[0])
        return limit if most is None else b.compute("minimum", (limit, most), "i64")

    def _choice(
        self, node: Node, condition: Elements, operands: Sequence[Elements]
    ) -> list[Elements]:
        """Both regions of a `cond`, each as a block."""
        b = self.builder
        flag = b.number(condition)
        entered = dict(b.versions)
        sides: list[tuple[Any, dict[int, int], list[Elements]]] = []
        for region, taken in zip(node.regions, (True, False), strict=True):
            b.versions = dict(entered)
            with b.inside() as block, b.sums.assuming(flag, taken):
                made = self.graph(region, operands)
            sides.append((block, b.versions, made))  # a choice inside has replaced them
        b.versions = dict(entered)
        results: list[Elements] = []
        chosen: list[tuple[int, int, int]] = []
        for pair in zip(*(made for _, _, made in sides), strict=True):
            then, other = pair
            if isinstance(then, Place) and then.same_place(other):
                results.append(then)
                continue
            numbers: list[Any] = []
            for value, (block, versions, _) in zip(pair, sides, strict=True):
                b.versions = versions
                with b.inside(block):
                    numbers.append(b.numbers(value))
                b.versions = dict(entered)
            fresh = b.fresh_like(numbers[0])
            results.append(fresh)
            rows = zip(fresh.flat, *(x.flat for x in numbers), strict=True)
            chosen += [(int(x), int(y), int(z)) for x, y, z in rows]
        b.weigh(2)
        then, other = (tuple(block) for block, _, _ in sides)
        b.block.append(Choice(flag, then, other, tuple(chosen)))
        return self._joined(entered, sides, results)

    def _joined(
        self,
        entered: Mapping[int, int],
        sides: Sequence[tuple[Any, dict[int, int], list[Elements]]],
        results: Sequence[Elements],
    ) -> list[Elements]:
        """The results in the versions that memories have after a choice."""
        b = self.builder
        written = {
            memory
            for _, versions, _ in sides
            for memory, version in entered.items()
            if versions[memory] != version
        }
        for place, result in enumerate(results):
            if isinstance(result, Place) and result.memory in written:
                for _, versions, made in sides:
                    end = made[place]
                    if isinstance(end, Place) and end.version != versions[end.memory]:
                        raise Unfit("a branch returns an older version of an array")
        joined: dict[int, Place] = {}
        for memory in written:
            joined[memory] = b.next_version(whole_place(memory, b.memories[memory]))
        return [
            result._replace(version=joined[result.memory].version, loaded=None)
            if isinstance(result, Place) and result.memory in joined
            else result
            for result in results
        ]
