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
from ..plan.planner import Planner, emits
from ..plan.view import View

UNKNOWN = 1000  # iterations of a loop that does not say


@emits("loop")
def loop(planner: Planner, node: Node) -> list[View]:
    """One step, the steps of the body below it, and copies where they are needed."""
    attrs = node.attrs
    trips: Any = attrs.get("trips")
    parts = split_operands(attrs, planner.operands(node))
    carried, count = node.values[: len(parts.carried)], len(parts.carried)
    stacked = node.values[count:]
    static = not (attrs.get("limit") or attrs.get("test")) and trips != 0

    begins = [planner.contiguous(node, view) for view in parts.carried]
    rows = [planner.allocate(value.type, value.name) for value in stacked]
    if not static:  # not all of them need be made
        for row in rows:
            planner.fill(node, row, _zero(row.type))
    results = [planner.allocate(value.type, value.name) for value in carried]
    places = [_places(planner, result, static, trips) for result in results]
    now = [planner.entry(value.type) for value in carried]
    then = [planner.entry(value.type) for value in carried]
    sources = [*parts.stacked, *rows]
    moving = [
        planner.entry(view.type.with_shape(view.type.shape[1:]), view.strides[1:])
        for view in sources
    ]
    counter = planner.allocate(TensorType("i64", ()))
    limit = parts.limit[0] if parts.limit else None

    words: list[int] = [-1 if trips is None else trips]
    words += [limit.buffer, limit.offset] if limit else [-1, 0]
    words += [counter.buffer, counter.offset]
    words += [int(bool(attrs.get(name))) for name in ("test", "reverse")]
    words += [len(moving), count]
    for entry, view in zip(moving, sources, strict=True):
        by = view.strides[0] * view.type.numpy.itemsize
        words += [entry.buffer, view.buffer, view.offset, by]
    for a, b, begin, (first, second) in zip(now, then, begins, places, strict=True):
        words += [a.buffer, b.buffer]
        for view in (begin, first, second):
            words += [view.buffer, view.offset]
    touched = [counter, *parts.operands, *begins, *results, *now, *then, *moving, *rows]
    touched += [view for pair in places for view in pair]
    planner.step(node, "loop", "loop i64", (len(words) + 1, *words), touched)
    elements = moving[: len(parts.stacked)]
    planner.repeat(
        node,
        [counter, *parts.invariants, *now, *elements],
        [*then, *moving[len(parts.stacked) :]],
        [] if static else list(zip(now, results, strict=True)),
        UNKNOWN if trips is None else max(trips, 1),
    )
    return [*results, *rows]


def _places(
    planner: Planner, result: View, static: bool, trips: Any
) -> tuple[View, View]:
    """Where the first and the second iteration make a carried value.

    The two take turns. Where it is known who is the last, it makes the result.
    """
    spare = planner.allocate(result.type)
    if not static:
        return spare, planner.allocate(result.type)
    return (result, spare) if trips % 2 else (spare, result)


def _zero(type_: TensorType) -> bool | int | float:
    return type_.numpy.type(0).item()
