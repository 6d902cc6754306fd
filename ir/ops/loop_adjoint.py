"""The adjoint of a loop: the loop backwards.

For the body (c', y) = B(t, I, c, x) of a loop, with t from the last iteration to the
first,

    (c.bar, D, x.bar) = (dB/d(c, I, x))^T (c'.bar, y.bar)       I.bar := I.bar + D

A first loop runs forwards again and keeps the values that are carried into each
iteration, stacked. The second one runs the other way. It carries the cotangents of
the carried values and a sum for each invariant, and its body is the adjoint of the
body: it computes the values of the iteration again and then their cotangents, for
which it has a section and a law of its own. Both are loops like any other, so they
have an adjoint themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import GradientError
from .parts import Parts, loop_attrs, split_operands
from .spec import OPS

if TYPE_CHECKING:
    from ..builder import Builder
    from ..graph import Graph, Node

__all__ = ["loop_adjoint"]


def loop_adjoint(
    b: Builder,
    n: Node,
    g: Any,
    *operands: Node,
    slots: Sequence[int],
    adjoint: Callable[..., Graph],
    **attrs: Any,
) -> tuple[Node | None, ...]:
    """The contributions of a loop to its operands; the module says how."""
    if attrs.get("trips") is None:
        raise GradientError(
            "the gradient of a loop needs what is carried into each iteration, and "
            "nobody knows how many there will be",
            source=n.source,
            hint="say how many at most: while_loop(..., max_trips=1000), or "
            "fori_loop with limits that are known while tracing",
        )
    parts = split_operands(attrs, operands)
    seeds: Sequence[Node | None] = g if n.several else (g,)
    flow = _Flow.of(n, parts, [s is not None for s in seeds], slots)
    region = _backwards(n.regions[0], parts, flow, adjoint)
    limit, tapes = _taped(b, n, parts, attrs)

    count = len(parts.carried)
    ends = [seeds[j] or b.like(parts.carried[j], 0.0) for j in flow.carried]
    sums = [b.like(parts.invariants[i], 0.0) for i in flow.invariants]
    rows = [seeds[count + k] for k in flow.seeded]
    stacked = [*tapes, *parts.stacked, *(row for row in rows if row is not None)]
    back = b.add_node(
        "loop",
        *limit,
        *parts.invariants,
        *ends,
        *sums,
        *stacked,
        regions=(region,),
        **loop_attrs(
            {
                "trips": attrs["trips"],
                "carried": len(ends) + len(sums),
                "stacked": len(stacked),
                "limit": bool(limit),
                "reverse": not attrs.get("reverse"),
            }
        ),
    )
    made = iter(back.values)
    bars: dict[int, Node] = {}
    first = len(parts.limit)
    for group, numbers in (
        (len(parts.invariants), flow.carried),
        (0, flow.invariants),
        (len(parts.invariants) + count, flow.stacked),
    ):
        bars.update({first + group + number: next(made) for number in numbers})
    return tuple(
        [
            (bars.get(slot) or b.like(operand, 0.0)) if slot in slots else None
            for slot, operand in enumerate(operands)
        ]
    )


class _Flow(NamedTuple):
    """Between which values of a loop cotangents flow, by their numbers.

    ``carried`` values, ``invariants`` and ``stacked`` inputs get one in an iteration;
    ``seeded`` are the stacked results that bring one. All cotangents that the loop is
    given are used, and something gets one: the law of sum nodes counts on it.
    """

    carried: list[int]
    invariants: list[int]
    stacked: list[int]
    seeded: list[int]

    @classmethod
    def of(
        cls, n: Node, parts: Parts[Node], seeds: Sequence[bool], slots: Sequence[int]
    ) -> _Flow:
        """``seeds`` tells which values of the loop have a cotangent."""
        body = n.regions[0]
        taken = [node.name for node in body.inputs[1:]]
        count = len(parts.carried)
        ends, rows = body.results[:count], body.results[count:]
        first = len(parts.invariants)
        given = {slot - len(parts.limit) for slot in slots}
        carried = {j for j in range(count) if first + j in given or seeds[j]}
        active = {taken[place] for place in given}
        active |= {taken[first + j] for j in carried}
        while True:  # what an iteration makes of active values is active in the next
            found = _active(body, active)
            more = {j for j in range(count) if ends[j] in found} - carried
            if not more:
                break
            carried |= more
            active |= {taken[first + j] for j in more}
        seeded = [k for k in range(len(rows)) if seeds[count + k]]
        wanted = {j for j in carried if seeds[j]}
        while True:  # what an iteration reads has a cotangent in the one before
            starts = {*(ends[j] for j in wanted), *(rows[k] for k in seeded)}
            reached = _reached(body, found, starts)
            more = {j for j in carried if taken[first + j] in reached} - wanted
            if not more:
                break
            wanted |= more
        if not wanted and reached.isdisjoint(taken):
            wanted, reached = carried, active
        last = first + count
        return cls(
            sorted(wanted),
            [i for i in range(first) if i in given and taken[i] in reached],
            [
                k
                for k in range(len(parts.stacked))
                if last + k in given and taken[last + k] in reached
            ],
            seeded,
        )


def _active(body: Graph, wrt: Iterable[str]) -> set[str]:
    """The values that depend on ``wrt`` in a differentiable way."""
    found = set(wrt)
    for node in body:
        if any(node.operands[slot] in found for slot in _smooth(body, node)):
            found.update(node.floats)
    return found


def _reached(body: Graph, active: set[str], of: Iterable[str]) -> set[str]:
    """The active values that have a cotangent where ``of`` have one."""
    found = {name for name in of if name in active}
    for node in reversed(list(body)):
        if node.makes(found):
            read = {node.operands[slot] for slot in _smooth(body, node)}
            found |= read & active
    return found


def _smooth(body: Graph, node: Node) -> list[int]:
    """The slots of a node that a gradient passes through."""
    if not node.floats:
        return []
    return [
        slot
        for slot, name in enumerate(node.operands)
        if OPS[node.op].is_differentiable(slot) and body[name].type.is_float
    ]


def _taped(
    b: Builder, n: Node, parts: Parts[Node], attrs: dict[str, Any]
) -> tuple[list[Node], list[Node]]:
    """The limit of the way back, and what is carried into each iteration, stacked."""
    body = n.regions[0]
    test = bool(attrs.get("test"))
    if not parts.carried:
        return list(parts.limit), []
    first, count = 1 + len(parts.invariants), len(parts.carried)
    taken = [node.name for node in body.inputs[first : first + count]]
    carried = list(parts.carried)
    if test:
        carried.append(b.const(0, "i64"))
    made = b.add_node(
        "loop",
        *parts._replace(carried=carried).operands,
        regions=(_keeping(body, taken, first + count if test else None),),
        **loop_attrs({**attrs, "carried": len(carried)}),
    )
    limit = [made.values[count]] if test else list(parts.limit)
    return limit, list(made.values[-count:])


def _keeping(body: Graph, taken: Sequence[str], place: int | None) -> Graph:
    """The body that also returns what is carried into it, as values to be stacked.

    With ``place`` it counts iterations, in a carried value with this input.
    """
    from ..builder import Builder
    from ..graph import Output

    outputs = list(body.outputs)
    kept = [Output(name) for name in taken]
    if place is None:
        return body.returning([*outputs, *kept])
    b = Builder(body.name, body)
    b.section = len(body.sections)
    inputs = list(body.inputs)
    counter = b.input("count", inputs[0].type)
    more = b.add(counter, b.const(1, "i64"))
    count = len(taken)
    made = b.build(
        [*outputs[:count], Output(more.name), *outputs[count:], *kept], body.sections
    )
    return _taking(made, [*inputs[:place], counter, *inputs[place:]])


def _taking(region: Graph, inputs: Sequence[Node]) -> Graph:
    """The region with its inputs in another order."""
    from ..graph import Graph

    nodes = [*inputs, *(node for node in region if node.op != "input")]
    return Graph(region.name, nodes, region.outputs, region.sections)


def _backwards(
    body: Graph, parts: Parts[Any], flow: _Flow, adjoint: Callable[..., Graph]
) -> Graph:
    """The body of the way back.

    It takes the counter and the invariants, cotangents and sums, then the carried
    values, the stacked ones and the cotangents of stacked results of the iteration. It
    returns cotangents, sums, and the cotangents of the stacked values.
    """
    from ..builder import Builder
    from ..graph import Output

    count, first = len(parts.carried), len(parts.invariants)
    invariants, carried, stacked = (
        body.inputs[1 : 1 + first],
        body.inputs[1 + first : 1 + first + count],
        body.inputs[1 + first + count :],
    )
    wrt = [
        *(carried[j].name for j in flow.carried),
        *(invariants[i].name for i in flow.invariants),
        *(stacked[k].name for k in flow.stacked),
    ]
    of = [body.results[j] for j in flow.carried]
    of += [body.results[count + k] for k in flow.seeded]
    made = adjoint(body, wrt=wrt, of=of, seeded=True)
    bars = dict(zip(wrt, made.results[len(body.results) :], strict=True))
    seeds = made.inputs[len(body.inputs) :]
    b = Builder(body.name, made)
    b.section = len(made.sections)
    sums: list[Node] = []
    totals: list[str] = []
    for name in [invariants[i].name for i in flow.invariants]:
        sums.append(b.input(f"{name}.sum", made[name].type))
        total = b.add(sums[-1], made[bars[name]])
        b.suggest(total, f"{name}.total")
        totals.append(total.name)
    ends = [bars[carried[j].name] for j in flow.carried]
    rows = [bars[stacked[k].name] for k in flow.stacked]
    whole = b.build([Output(x) for x in (*ends, *totals, *rows)], made.sections)
    split = len(flow.carried)
    inputs = [
        *(body.inputs[0], *invariants, *seeds[:split], *sums),
        *(*carried, *stacked, *seeds[split:]),
    ]
    return _taking(whole, inputs)
