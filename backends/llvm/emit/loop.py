"""A loop: a step that runs the steps of its body again and again.

Nothing is copied between iterations: what differs from one to the next are addresses
in the table of buffers, which the step sets. The body reads rows of stacked values and
makes rows of stacked results where they lie. It reads a carried value in one memory and
makes the next one in another, and then the two change places.
"""

from __future__ import annotations

from typing import Any

from ....ir.graph import Node
from ....ir.ops.parts import split_operands
from ....ir.types import TensorType
from ..kernels.loop import CarriedWords, LoopWords, MovingWords, loop_source
from ..kernels.source import Source
from ..plan.planner import Planner, emits
from ..plan.view import View

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
    """One step, the steps of the body below it, and copies where they are needed."""
    parts = split_operands(node.attrs, operands)
    carried, count = node.values[: len(parts.carried)], len(parts.carried)
    stacked = node.values[count:]
    static = not (limit or test) and trips is not None and trips != 0

    begins = [p.contiguous(node, view) for view in parts.carried]
    rows = [p.allocate(value.type, value.name) for value in stacked]
    if not static:  # not all of them need be made
        for row in rows:
            p.fill(node, row, _zero(row.type))
    results = [p.allocate(value.type, value.name) for value in carried]
    places = [_places(p, result, trips if static else None) for result in results]
    now = [p.entry(value.type) for value in carried]
    then = [p.entry(value.type) for value in carried]
    sources = [*parts.stacked, *rows]
    moving = [
        p.entry(view.type.with_shape(view.type.shape[1:]), view.strides[1:])
        for view in sources
    ]
    counter = p.allocate(TensorType("i64", ()))

    words: list[int] = [
        *LoopWords(
            -1 if trips is None else trips,
            *(parts.limit[0].start() if parts.limit else (-1, 0)),
            *counter.start(),
            test=test,
            reverse=reverse,
            moving=len(moving),
            carried=count,
        )
    ]
    for entry, view in zip(moving, sources, strict=True):
        stride = view.strides[0] * view.type.numpy.itemsize
        words += MovingWords(entry.buffer, *view.start(), stride)
    for a, b, begin, (first, second) in zip(now, then, begins, places, strict=True):
        starts = *begin.start(), *first.start(), *second.start()
        words += CarriedWords(a.buffer, b.buffer, *starts)
    touched = [counter, *parts.operands, *begins, *results, *now, *then, *moving, *rows]
    touched += [view for pair in places for view in pair]
    p.step(node, "loop", Source.of(loop_source), tuple(words), touched)
    elements = moving[: len(parts.stacked)]
    p.repeat(
        node,
        [counter, *parts.invariants, *now, *elements],
        [*then, *moving[len(parts.stacked) :]],
        list(zip(now, results, strict=True)) if not static else [],
        UNKNOWN if trips is None else max(trips, 1),
    )
    return [*results, *rows]


def _places(p: Planner, result: View, trips: int | None) -> tuple[View, View]:
    """Where the first and the second iteration make a carried value.

    The two take turns. Where it is known who is the last, it makes the result.
    """
    spare = p.allocate(result.type)
    if trips is None:
        return spare, p.allocate(result.type)
    return (result, spare) if trips % 2 else (spare, result)


def _zero(type_: TensorType) -> bool | int | float:
    return type_.numpy.type(0).item()
