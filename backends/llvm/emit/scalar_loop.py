"""A loop of scalars and elements as one step, with a kernel of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np

from ....ir.graph import Node
from ....ir.inlining import inlined
from ....ir.ops.parts import split_operands
from ....ir.types import TensorType
from ..kernels.scalar_loop import (
    Literal,
    Memory,
    ScalarLoop,
    Statement,
    Word,
    scalar_loop_source,
)
from ..kernels.source import Source
from ..language.vectors import SPREAD
from ..plan.chains import written_over
from ..plan.planner import Planner
from ..plan.view import View
from .elements import Elements, Place, Position, Unfit, whole_place
from .scalar_body import Lowering
from .scalar_order import addressed

__all__ = ["scalar_loop"]


class _Lowered(NamedTuple):
    """The statements of a loop, which know no addresses.

    The memories are the ``operands`` by their slots, then the results, then ``scratch``
    of these types. The results ``in_place`` begin as the operands of these slots, and
    those ``zeroed`` with zeros, since not all of their rows need be made.
    """

    statements: tuple[Statement, ...]
    words: list[tuple[Word, bool | int | float | Node]]
    literals: tuple[Literal, ...]
    operands: list[int]
    in_place: dict[int, int]
    zeroed: list[int]
    scratch: list[TensorType]
    weight: int


def scalar_loop(p: Planner, node: Node) -> list[View] | None:
    """The step of a scalar loop and the views of its results; None if it is none."""
    try:
        lowered = _lowered(_whole(node), p.beyond)
    except Unfit:
        return None
    memories = {
        value.name: p.stores.enter(value)
        for value in node.values
        if value.name in written_over(node)
    }
    operands = p.operands(node)  # they may have moved
    results: list[View] = []
    for number, value in enumerate(node.values):
        view = memories.get(value.name) or p.allocate(value.type, value.name)
        if number in lowered.in_place and value.name not in memories:
            p.copy(node, operands[lowered.in_place[number]], view)
        elif number in lowered.zeroed:
            p.fill(node, view, value.type.numpy.type(0).item())
        results.append(view)
    scratch = [p.allocate(type_) for type_ in lowered.scratch]
    views = [*(operands[slot] for slot in lowered.operands), *results, *scratch]
    forms = list(_memories(p, views, len(lowered.operands)))
    kernel = Source.of(
        scalar_loop_source,
        kernel=ScalarLoop(
            tuple(forms),
            tuple(word for word, _ in lowered.words),
            lowered.literals,
            lowered.statements,
        ),
    )
    words = [
        *chain.from_iterable(
            _places(view, memory) for view, memory in zip(views, forms, strict=True)
        ),
        *(_bits(p, number, word.dtype) for word, number in lowered.words),
    ]
    trips = node.attrs.get("trips")
    work = lowered.weight * (1 if trips is None else int(str(trips)))
    p.step(node, "loop", kernel, tuple(words), views, (), 16 * work)
    return results


def _whole(loop: Node) -> Node:
    """The loop with what it computes again among its other statements."""
    (body,) = loop.regions
    return loop._replace(regions=(inlined(body, ("recompute",)),))


def _memories(p: Planner, views: Sequence[View], read: int) -> Iterator[Memory]:
    """The memories, of which so many are only read.

    One that is written may lie in the buffer of another, whose label it has then.
    """
    behind = [set(p.plan.behind(view.buffer)) for view in views]
    labels: list[int] = []
    for number, view in enumerate(views):
        shared = (
            labels[other]
            for other in range(number)
            if number >= read and behind[other] & behind[number]
        )
        labels.append(next(shared, number))
        strides = tuple(
            stride if 0 <= stride <= SPREAD[-1] else None for stride in view.strides
        )
        yield Memory(view.type.dtype, strides, labels[-1])


def _places(view: View, memory: Memory) -> Iterator[int]:
    """The words of a memory."""
    yield from view.start()
    for stride, known in zip(view.strides, memory.strides, strict=True):
        if known is None:
            yield stride


def _bits(p: Planner, number: bool | int | float | Node, dtype: str) -> int:
    """A word with the bits of a number; that of a check is its status."""
    if isinstance(number, Node):
        return p.status(number)
    raw = TensorType(dtype, ()).numpy.type(number).tobytes().ljust(8, b"\0")
    return int.from_bytes(raw, "little", signed=True)


def _lowered(node: Node, beyond: set[str]) -> _Lowered:
    """The statements of a loop; raises `Unfit`. See `rows_beyond`."""
    (body,) = node.regions
    lowering = Lowering()
    b = lowering.builder
    parts = split_operands(node.attrs, node.operands)
    count, skipped = len(parts.carried), len(parts.limit)
    in_memory = addressed(body)
    taken = [x.type for x in body.inputs]
    trips = int(str(node.attrs.get("trips") or 0))
    for place in range(len(taken) - len(parts.stacked), len(taken)):
        taken[place] = taken[place].with_shape((trips, *taken[place].shape))
    types = [*(taken[0],) * skipped, *taken[1:]]
    first = skipped + len(parts.invariants)
    kept = {
        number: first + number
        for number in range(count)
        if body.inputs[1 + first - skipped + number].name in in_memory
        and types[first + number].shape
    }
    slots = [slot for slot in range(len(types)) if slot not in kept.values()]
    memories = {slot: b.memory(types[slot]) for slot in slots}
    results = [b.memory(value.type) for value in node.values]
    b.versions = {results[number]: 0 for number in kept}
    values: list[Elements] = [
        whole_place(memories.get(slot, -1), type_) for slot, type_ in enumerate(types)
    ]
    for number, slot in kept.items():
        values[slot] = whole_place(results[number], types[slot])
    for slot, value in enumerate(values):
        if isinstance(value, Place) and not value.shape:
            values[slot] = b.numbers(value)
    rows = [
        whole_place(memory, value.type)
        for memory, value in zip(results, node.values, strict=True)
    ]
    made = lowering.loop(node, values, rows[count:], beyond)
    for place, value in zip(rows[:count], made, strict=False):
        if not isinstance(value, Place) or value.memory != place.memory:
            for index, number in np.ndenumerate(b.numbers(value)):
                b.store(place, [Position((), i) for i in index], int(number))
    zeroed = [i for i, memory in enumerate(results) if memory in lowering.partial]
    scratch = [b.memories[memory] for memory in b.scratch]
    return _Lowered(
        tuple(b.block),
        b.words,
        tuple(b.literals),
        slots,
        kept,
        zeroed,
        scratch,
        b.weight,
    )
