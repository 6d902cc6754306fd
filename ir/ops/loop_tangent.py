"""The tangent of a loop: a loop that carries the tangents as well.

For the body (c', y) = B(t, I, c, x) of a loop, each iteration makes

    (c'.dot, y.dot) = dB/d(I, c, x) (I.dot, c.dot, x.dot)

beside the values. It runs in the same order with the same limit and test, and keeps
nothing. A carried value has a tangent if it begins with one, or if an iteration makes
one of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from .bodies import active_values, taking
from .parts import Parts, loop_attrs, split_operands

if TYPE_CHECKING:
    from ..builder import Builder
    from ..graph import Graph, Node

__all__ = ["loop_tangent"]


def loop_tangent(
    b: Builder,
    n: Node,
    dots: Sequence[Node | None],
    *operands: Node,
    tangent: Callable[..., Graph],
    **attrs: Any,
) -> tuple[Node | None, ...]:
    """The tangents of what a loop makes; the module says how."""
    body = n.regions[0]
    parts, given = split_operands(attrs, operands), split_operands(attrs, dots)
    count = len(parts.carried)
    inputs = split_operands({**attrs, "limit": False}, body.inputs[1:])
    ends, rows = body.results[:count], body.results[count:]

    moved = [dot is not None for dot in given.carried]
    while True:
        wrt = _chosen(inputs, given, moved)
        found = active_values(body, [node.name for node in chain(*wrt)])
        more = [was or end in found for was, end in zip(moved, ends, strict=True)]
        if more == moved:
            break
        moved = more
    seeded = [row for row in rows if row in found]
    of = [end for end, has in zip(ends, moved, strict=True) if has]
    made = tangent(body, wrt=[node.name for node in chain(*wrt)], of=[*of, *seeded])

    new = iter(made.inputs[len(body.inputs) :])
    both = [
        [*old, *(next(new) for _ in some)]
        for old, some in zip(inputs[1:], wrt, strict=True)
    ]
    last = len(body.results)
    outputs = [
        *(*made.outputs[:count], *made.outputs[last : last + len(of)]),
        *(*made.outputs[count:last], *made.outputs[last + len(of) :]),
    ]
    region = taking(made.returning(outputs, body.name), [body.inputs[0], *chain(*both)])
    starts = [
        dot or b.like(value, 0.0)
        for value, dot, has in zip(parts.carried, given.carried, moved, strict=True)
        if has
    ]
    kept = [
        [dot for dot in group if dot is not None]
        for group in (given.invariants, given.stacked)
    ]
    loop = b.add_node(
        "loop",
        *(*parts.limit, *parts.invariants, *kept[0], *parts.carried, *starts),
        *(*parts.stacked, *kept[1]),
        regions=(region,),
        **loop_attrs(
            {
                **attrs,
                "carried": count + len(starts),
                "stacked": len(parts.stacked) + len(kept[1]),
            }
        ),
    )
    values = iter(loop.values[count : count + len(of)])
    stacked = iter(loop.values[last + len(of) :])
    return (
        *(next(values) if has else None for has in moved),
        *(next(stacked) if row in found else None for row in rows),
    )


def _chosen(
    inputs: Parts[Node], given: Parts[Node | None], moved: Sequence[bool]
) -> list[list[Node]]:
    """The invariants, carried and stacked inputs of a body that have tangents."""
    some = given._replace(carried=moved)
    return [
        [node for node, has in zip(nodes, marks, strict=True) if has]
        for nodes, marks in zip(inputs[1:], some[1:], strict=True)
    ]
