"""A loop: a step that runs the steps of its body again and again.

Nothing is copied between iterations: what differs from one to the next are addresses
in the table of buffers, which the step sets. The body reads rows of stacked values and
makes rows of stacked results where they lie. It reads a carried value in one memory and
makes the next one in another, and then the two change places. An array that the body
only stores into stays in one memory.

Threads share the iterations of a loop over blocks of lanes, see `plan.lane_blocks`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from ....ir.graph import Node
from ....ir.ops.parts import Parts, split_operands
from ....ir.types import TensorType
from ..kernels.loop import CarriedWords, LoopWords, MovingWords, loop_source
from ..kernels.program import program_source
from ..kernels.source import Source
from ..machine import MAX_TASKS, current
from ..plan.chains import written_over
from ..plan.lane_blocks import are_shared
from ..plan.planner import Planner, emits
from ..plan.tasks import ranges
from ..plan.view import View
from .scalar_loop import scalar_loop

PARTS = 2  # of a loop that threads share, for each of them
UNKNOWN = 1000  # iterations of a loop that does not say


@emits("loop")
def loop(
    p: Planner,
    node: Node,
    *operands: View,
    trips: int | None = None,
    limit: bool = False,
    test: bool = False,
    reverse: bool = False,
    **others: Any,
) -> list[View]:
    """One step, the steps of the body below it, and copies where they are needed.

    A scalar loop is a step without others, see `scalar_loop`.
    """
    whole = scalar_loop(p, node)
    if whole is not None:
        return whole
    (body,) = node.regions
    memories = {
        value.name: p.stores.enter(value)
        for value in node.values
        if value.name in written_over(node)
    }
    parts = split_operands(node.attrs, p.operands(node))
    count, taken = len(parts.carried), len(parts.stacked)
    static = not (limit or test) and trips is not None and trips != 0

    rows = [p.allocate(value.type, value.name) for value in node.values[count:]]
    if static and are_shared(node, current()):
        _shared(p, node, parts, rows)
        return rows
    if not static:  # not all of them need be made
        for value, row in zip(node.values[count:], rows, strict=True):
            if value.name in p.beyond:
                p.fill(node, row, _zero(row.type))
    sources = [*parts.stacked, *rows]
    moving = _pointers(p, sources)
    pointers = dict(zip(body.results[count:], moving[taken:], strict=True))
    carried = [
        _Carried.stored(memories[value.name])
        if value.name in memories
        else _carried(
            p, node, value, begin, trips if static else None, pointers.get(name)
        )
        for value, begin, name in zip(
            node.values, parts.carried, body.results, strict=False
        )
    ]
    turning = [one for one in carried if one.begin is not None]
    counter = p.allocate(TensorType("i64", ()))

    words = [
        *LoopWords(
            -1 if trips is None else trips,
            *(parts.limit[0].start() if parts.limit else (-1, 0)),
            *counter.start(),
            test=test,
            reverse=reverse,
            moving=len(moving),
            carried=len(turning),
        ),
        *_moving_words(moving, sources),
    ]
    touched = [counter, *parts.operands, *memories.values(), *moving, *rows]
    for one in turning:
        words += one.words
        touched += one.touched
    p.step(node, "loop", Source.of(loop_source), tuple(words), touched)
    first = 1 + len(parts.invariants)
    p.repeat(
        node,
        [counter, *parts.invariants, *(one.now for one in carried), *moving[:taken]],
        [*(one.then for one in carried), *moving[taken:]],
        [(one.now, one.result[0]) for one in turning if not static],
        UNKNOWN if trips is None else max(trips, 1),
        {k: first + k for k, one in enumerate(carried) if one.begin is None},
    )
    last = 0 if reverse or trips is None else trips - 1
    made = dict(zip(body.results[count:], rows, strict=True))
    results = [
        one.result[0] if one.result else _row(made[name], last)
        for one, name in zip(carried, body.results, strict=False)
    ]
    return [*results, *rows]


def _pointers(p: Planner, sources: Sequence[View]) -> list[View]:
    """What is a row of each in an iteration."""
    return [
        p.pointer(view.type.with_shape(view.type.shape[1:]), view.strides[1:])
        for view in sources
    ]


def _moving_words(pointers: Sequence[View], sources: Sequence[View]) -> Iterator[int]:
    for pointer, view in zip(pointers, sources, strict=True):
        stride = view.strides[0] * view.type.numpy.itemsize
        yield from MovingWords(pointer.buffer, *view.start(), stride)


def _shared(p: Planner, node: Node, parts: Parts[View], rows: Sequence[View]) -> None:
    """Loops over some of the iterations each, with memory of their own, at once."""
    sources = [*parts.stacked, *rows]
    trips: Any = node.attrs["trips"]
    wanted = min(trips, MAX_TASKS, PARTS * current().threads)
    each = ranges(trips, wanted, 1)
    kernel, place = Source.of(program_source), len(p.plan.steps)
    p.step(node, "share", kernel, (), p.operands(node), [()] * len(each))
    branches: list[int] = []
    for part in each:
        before = len(p.plan.steps)
        counter, moving = p.allocate(TensorType("i64", ())), _pointers(p, sources)
        some = [_rows(view, part) for view in sources]
        header = LoopWords(
            len(part), -1, 0, *counter.start(), False, False, len(moving), 0
        )
        words = *header, *_moving_words(moving, some)
        touched = [counter, *parts.operands, *moving, *rows]
        p.step(node, "loop", Source.of(loop_source), words, touched)
        taken, made = moving[: len(parts.stacked)], moving[len(parts.stacked) :]
        given = [counter, *parts.invariants, *taken]
        p.repeat(node, given, made, [], len(part), {})
        branches.append(len(p.plan.steps) - before)
    step = p.plan.steps[place]
    p.plan.steps[place] = replace(step, branches=tuple(branches))


def _rows(view: View, part: range) -> View:
    """Some rows of a stacked value."""
    shape = (len(part), *view.type.shape[1:])
    return view.moved(shape, view.strides, part.start * view.strides[0])


class _Carried(NamedTuple):
    """Where a carried value is now and in the next iteration, by pointers.

    It begins at ``begin``. The iterations make it in two ``places`` by turns, else in a
    row that is stacked. ``result`` is where it is in the end, and empty for the last
    row. What iterations store into has no ``begin``: it is in one memory all the time.
    """

    begin: View | None
    now: View
    then: View
    places: Sequence[View]
    result: Sequence[View]

    @classmethod
    def stored(cls, memory: View) -> _Carried:
        """An array that the iterations store into."""
        return cls(None, memory, memory, (), [memory])

    @property
    def words(self) -> CarriedWords:
        """What the step does at the end of each iteration."""
        assert self.begin is not None, "what is stored into does not move"
        starts = [word for view in self.places for word in view.start()] or [-1] * 4
        begin = self.begin.start()
        return CarriedWords(self.now.buffer, self.then.buffer, *begin, *starts)

    @property
    def touched(self) -> list[View]:
        """All memory that it is in at some time."""
        begin = [] if self.begin is None else [self.begin]
        return [*begin, self.now, self.then, *self.places, *self.result]


def _carried(
    p: Planner,
    node: Node,
    value: Node,
    begin: View,
    trips: int | None,
    row: View | None,
) -> _Carried:
    """``row`` is the pointer to the stacked rows of the same value, if there are some.

    Where it is known how many ``trips`` there are, the last makes the result.
    """
    begin = p.contiguous(node, begin)
    now = p.pointer(value.type)
    if row is not None:
        result = [p.allocate(value.type, value.name)] if trips is None else []
        return _Carried(begin, now, row, (), result)
    result, then = [p.allocate(value.type, value.name)], p.pointer(value.type)
    spare = p.allocate(value.type)
    if trips is None:
        places = (spare, p.allocate(value.type))
        return _Carried(begin, now, then, places, result)
    places = (*result, spare) if trips % 2 else (spare, *result)
    return _Carried(begin, now, then, places, result)


def _row(view: View, number: int) -> View:
    """One row of a stacked value."""
    by = number * view.strides[0]
    return view.moved(view.type.shape[1:], view.strides[1:], by)


def _zero(type_: TensorType) -> bool | int | float:
    return type_.numpy.type(0).item()
