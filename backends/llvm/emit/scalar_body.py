"""The body of a scalar loop as statements: each node, inner loops and choices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np

from ....ir.graph import Graph, Node
from ....ir.iterations import rows_beyond
from ....ir.ops import OPS, Kind
from ....ir.ops.parts import Parts, split_operands
from ....ir.types import TensorType
from ...scalars import accumulator, combination
from ..kernels.scalar_loop import Carried, Choice, Loop
from .elements import (
    SMALL,
    Builder,
    Elements,
    Lazy,
    Place,
    Position,
    Unfit,
    reads_of,
    repeated,
    uniform,
    whole_place,
)
from .scalar_order import addressed, in_order
from .scalar_passes import fill, kept_values, swept
from .scalar_places import begun_at_home, row_of, target_of, type_of

__all__ = ["Lowering"]

SMALL_PRODUCT = 64  # multiplications of a product that are done one by one
_MOVING = ("concatenate", "update")


class Lowering:
    """Lowers nodes to the statements of a builder.

    ``partial`` are the memories of which not all rows need be made.
    """

    def __init__(self) -> None:
        self.builder = Builder()
        self.partial: set[int] = set()

    def graph(
        self,
        graph: Graph,
        inputs: Sequence[Elements],
        homes: Mapping[str, Place] | None = None,
    ) -> list[Elements]:
        """What a region makes of its inputs; ``homes`` are where values are made."""
        values = {x.name: v for x, v in zip(graph.inputs, inputs, strict=True)}
        held = {name for name, value in values.items() if isinstance(value, Place)}
        reads = Counter(name for node in graph for name in node.operands)
        reads.update(graph.results)
        beyond = rows_beyond(graph)
        begun = dict(begun_at_home(graph, homes or {}))
        for node in in_order(graph, held):
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
                    self._node(node, operands, homes or {}, beyond),
                    strict=True,
                )
            ]
            values.update(zip(node.names, made, strict=True))
        return [values[name] for name in graph.results]

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

    def _value(self, node: Node, operands: list[Elements]) -> Elements:
        """The value of a node that makes one."""
        b, record = self.builder, OPS[node.op]
        attrs: dict[str, Any] = dict(node.attrs)
        match node.op:
            case "const":
                return np.array(b.word(attrs["value"], node.type.dtype))
            case "iota":
                ramp: Any = record.reference(**attrs)
                b.require_small(node.type.shape)
                made = [b.literal(int(i)) for i in ramp.flat]
                whole = np.array(made, np.int64).reshape(node.type.shape)
                return self._each("cast", [whole], node.type)
            case "check":
                numbers = b.numbers(operands[0])
                for number in numbers.flat:
                    b.check(int(number), attrs["low"], attrs["high"] - 1, node)
                return numbers
            case "take":
                return self._take(node, *operands, **attrs)
            case "slice_at":
                return self._slice_at(node, *operands, **attrs)
            case "update_at" | "add_at":
                return self._store(node, *operands, **attrs)
            case "update" if b.is_written(operands[0]) or node.type.size > SMALL:
                return self._store(node, *operands, axes=(), **attrs)
            case _ if record.kind is Kind.ELEMENTWISE:
                return self._each(node.op, operands, node.type)
            case "matmul" | "matmul_add":
                return self._product(node, *operands)
            case _ if record.kind is Kind.REDUCTION:
                return self._reduced(node, *operands, **attrs)
            case _ if record.kind is Kind.VIEW or node.op in _MOVING:
                return self._moved(node, operands)
            case _:
                raise Unfit(f"{node.op} is no op on scalars")

    def _each(
        self, op: str, operands: Sequence[Elements], type_: TensorType
    ) -> Elements:
        """An elementwise op, element by element."""
        b = self.builder
        same = [number for x in operands if (number := uniform(x)) is not None]
        if len(same) == len(operands):
            return repeated(b.compute(op, same, type_.dtype), type_.shape)

        def at(index: Sequence[Position]) -> int:
            return b.compute(op, [b.element(x, index) for x in operands], type_.dtype)

        value = Lazy(type_, at, reads_of(operands))
        return value if type_.size > SMALL else b.numbers(value)

    def _moved(self, node: Node, operands: list[Elements]) -> Elements:
        """Elements at other places: a place where strides can say it."""
        b, attrs = self.builder, dict(node.attrs)
        first = operands[0]
        if OPS[node.op].kind is Kind.VIEW:
            one = uniform(first)
            if one is not None:
                return repeated(one, node.type.shape)
            if isinstance(first, Lazy) and node.type.size > SMALL:
                first = self._kept(first)
            viewed = first.viewed(node) if isinstance(first, Place) else None
            if viewed is not None and isinstance(first, Place):
                if first.loaded is None:
                    return b.early(viewed)
                loaded = OPS[node.op].reference(first.loaded, **attrs)
                return viewed._replace(loaded=loaded)
        b.require_small(node.type.shape)
        numbers = [b.numbers(operand) for operand in operands]
        return np.array(OPS[node.op].reference(*numbers, **attrs))

    def _kept(self, value: Elements, home: Place | None = None) -> Place:
        """What is computed once, and kept in its home or in a memory of its own."""
        place = home or self._scratch(type_of(self.builder, value))
        fill(self.builder, place, value)
        return place

    def _moved_home(self, value: Elements, home: Place | None) -> Elements:
        """A value where stores into it shall leave their result, if that is free."""
        if home is None or self.builder.is_written(value):
            return value
        return self.builder.next_version(self._kept(value, home))

    def _reduced(self, node: Node, x: Elements, *, axes: Sequence[int]) -> Elements:
        """A reduction, in order."""
        b, dtype = self.builder, node.type.dtype
        numbers = b.numbers(x)
        kept = [axis for axis in range(numbers.ndim) if axis not in axes]
        rows = numbers.transpose(*kept, *axes).reshape(node.type.size, -1)
        op, wide = combination(node.op).op, accumulator(node.op, dtype)
        made: list[int] = []
        for row in rows:
            if not len(row):
                raise Unfit("a reduction of nothing")
            items = [int(x) for x in row]
            if wide != dtype:
                items = [b.compute("cast", [x], wide) for x in items]
            total = items[0]
            for item in items[1:]:
                total = b.compute(op, [total, item], wide)
            made.append(b.compute("cast", [total], dtype) if wide != dtype else total)
        return np.array(made, np.int64).reshape(node.type.shape)

    def _product(
        self, node: Node, x: Elements, y: Elements, z: Elements | None = None
    ) -> Elements:
        """A product of small matrices, and what is added to it."""
        b, type_ = self.builder, node.type
        rows, columns = b.numbers(x), b.numbers(y)
        inner = rows.shape[-1]
        if type_.size * inner > SMALL_PRODUCT or not inner:
            raise Unfit("a large product")
        made = np.empty(type_.shape, np.int64)
        for *stack, i, j in np.ndindex(type_.shape):
            at = tuple(stack)
            pairs = zip(rows[(*at, i)], columns[(*at, slice(None), j)], strict=True)
            terms = [b.compute("mul", [int(u), int(v)], type_.dtype) for u, v in pairs]
            made[(*at, i, j)] = reduce(
                lambda u, v: b.compute("add", [u, v], type_.dtype), terms
            )
        if z is None:
            return made
        return self._each("add", [made, b.numbers(z)], type_)

    def _take(self, node: Node, x: Elements, index: Elements, *, axis: int) -> Elements:
        """Rows at traced positions: a place if there is one position."""
        b = self.builder
        if not isinstance(x, Place):
            raise Unfit("a traced position in what is in registers")
        positions = b.numbers(index)
        b.current(x)
        rest = (*x.shape[:axis], *x.shape[axis + 1 :])
        places = [
            b.early(
                x.moved((axis,), (Position((int(i),)),))._replace(
                    type=node.type.with_shape(rest),
                    axes=(*x.axes[:axis], *x.axes[axis + 1 :]),
                )
            )
            for i in positions.flat
        ]
        if not positions.ndim:
            return places[0]
        b.require_small(node.type.shape)
        rows = np.stack([b.numbers(place) for place in places])
        rows = rows.reshape(*positions.shape, *rest)
        return np.moveaxis(
            rows, range(positions.ndim), range(axis, axis + positions.ndim)
        )

    def _slice_at(
        self,
        node: Node,
        x: Elements,
        *index: Elements,
        axes: Sequence[int],
        start: Sequence[int],
        shape: Sequence[int],
        step: Sequence[int],
    ) -> Elements:
        b = self.builder
        if not isinstance(x, Place):
            raise Unfit("a traced position in what is in registers")
        b.current(x)
        return b.early(target_of(b, x, index, axes, start, shape, step))

    def _store(
        self,
        node: Node,
        x: Elements,
        value: Elements,
        *index: Elements,
        axes: Sequence[int],
        start: Sequence[int],
        step: Sequence[int],
    ) -> Elements:
        """Write a few elements of a memory in place."""
        b = self.builder
        place = self.owned(x)
        shape = value.shape
        target = target_of(b, place, index, axes, start, shape, step)
        return self._write(place, target, value, adding=node.op == "add_at")

    def _write(
        self, place: Place, target: Place, value: Elements, adding: bool = False
    ) -> Place:
        """The next version of a place, of which a part is written."""
        b = self.builder
        for read in reads_of([value]):
            if read.memory == place.memory and not read.same_place(target):
                value = (
                    b.numbers(value) if target.type.size <= SMALL else self._kept(value)
                )
                break
        if adding:
            value = self._each("add", [target, value], target.type)
        fill(b, target, value)
        return b.next_version(place)

    def owned(self, value: Elements) -> Place:
        """A place that may be written over: the value's own, or a copy."""
        b = self.builder
        if isinstance(value, Place) and b.is_written(value):
            b.current(value)
            return value
        return b.next_version(self._kept(value))

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
        counter = b.fresh("i64")
        b.sums.count(counter, trips)
        carried = [
            b.next_version(x) if isinstance(x, Place) else b.fresh_like(b.numbers(x))
            for x in starts
        ]
        stacked = [
            row_of(self._kept(x) if isinstance(x, Lazy) else x, counter)
            for x in parts.stacked
        ]
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
            )
            for row, value in zip(inner, ends[count:], strict=True):
                if row not in early and not row.same_place(value):
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

    def _scratch(self, type_: TensorType) -> Place:
        """A memory that the kernel has for itself."""
        memory = self.builder.memory(type_)
        self.builder.scratch.append(memory)
        return whole_place(memory, type_)

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
