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

from .bodies import active_values, smooth_slots, taking
from .loop_binomial import back_over, filled, has_pieces, in_pieces, pieces_of
from .loop_segments import counting_down, in_segments
from .parts import Parts, loop_attrs, split_operands

if TYPE_CHECKING:
    from ..builder import Builder
    from ..graph import Graph, Node, Output

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
    parts = split_operands(attrs, operands)
    loop = _Loop(n.regions[0], parts, attrs, parts)
    first = len(parts.limit)
    if attrs.get("trips") is None:
        loop = _segmented(b, loop)
        first -= len(loop.parts.invariants) - len(parts.invariants)
    seeds: Sequence[Node | None] = g if n.several else (g,)
    bars = _bars(b, loop, seeds, {slot - first for slot in slots}, adjoint)
    return tuple(
        [
            (bars.get(slot - first) or b.like(operand, 0.0)) if slot in slots else None
            for slot, operand in enumerate(operands)
        ]
    )


class _Loop(NamedTuple):
    """A loop that runs ``body`` with ``parts``.

    Run with those ``begun`` it begins each iteration as it does with ``parts``.
    """

    body: Graph
    parts: Parts[Node]
    attrs: dict[str, Any]
    begun: Parts[Node]


def _segmented(b: Builder, loop: _Loop) -> _Loop:
    """The iterations of a loop of unknown length, as a nest that has ``trips``."""
    body, parts, attrs, _ = loop
    zero, one = b.const(0, "i64"), b.const(1, "i64")
    if attrs.get("test"):
        total = _counted(b, loop, []).values[len(parts.carried)]
    else:
        total = b.maximum(parts.limit[0], zero)
    invariants = list(parts.invariants)
    if attrs.get("reverse"):
        body, invariants = counting_down(body), [b.sub(total, one), *invariants]
    made = in_segments(b, body, len(invariants), total)
    start = b.mul(b.sub(made.limit, one), b.const(made.stride, "i64"))
    limit = [made.limit]
    nest = parts._replace(limit=limit, invariants=[zero, total, *invariants])
    begun = parts._replace(limit=limit, invariants=[zero, start, *invariants])
    carried = len(parts.carried)
    attrs = {"trips": made.trips, "carried": carried, "limit": True}
    return _Loop(made.body, nest, attrs, begun)


def _bars(
    b: Builder,
    loop: _Loop,
    seeds: Sequence[Node | None],
    given: set[int],
    adjoint: Callable[..., Graph],
) -> dict[int, Node]:
    """The cotangents of what the body takes, by their place behind the counter.

    ``given`` are the places of which one is asked for.
    """
    body, parts, attrs, _ = loop
    flow = _Flow.of(body, parts, [s is not None for s in seeds], given)
    region = _backwards(body, parts, flow, adjoint)
    count = len(parts.carried)
    ends = [seeds[j] or b.like(parts.carried[j], 0.0) for j in flow.carried]
    sums = [b.like(parts.invariants[i], 0.0) for i in flow.invariants]
    rows = [x for k in flow.seeded if (x := seeds[count + k]) is not None]
    back = Parts([], parts.invariants, [*ends, *sums], [*parts.stacked, *rows])
    if has_pieces(attrs):
        region, back = _in_slots(b, loop, region, back)
    else:
        limit, tapes = _taped(b, loop)
        back = back._replace(limit=limit, stacked=[*tapes, *back.stacked])
    node = b.add_node(
        "loop",
        *back.operands,
        regions=(region,),
        **loop_attrs(
            {
                "trips": attrs["trips"],
                "carried": len(back.carried),
                "stacked": len(back.stacked),
                "limit": bool(back.limit),
                "reverse": not attrs.get("reverse"),
                "segments": attrs.get("segments"),
                "held": attrs.get("held"),
            }
        ),
    )
    made = iter(
        [*node.values[: len(ends) + len(sums)], *node.values[len(back.carried) :]]
    )
    bars: dict[int, Node] = {}
    for group, numbers in (
        (len(parts.invariants), flow.carried),
        (0, flow.invariants),
        (len(parts.invariants) + count, flow.stacked),
    ):
        bars.update({group + number: next(made) for number in numbers})
    return bars


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
        cls, body: Graph, parts: Parts[Node], seeds: Sequence[bool], given: set[int]
    ) -> _Flow:
        """``seeds`` tells which values of the loop have a cotangent.

        ``given`` are places of what the body takes, of which one is asked for.
        """
        taken = [node.name for node in body.inputs[1:]]
        count = len(parts.carried)
        ends, rows = body.results[:count], body.results[count:]
        first = len(parts.invariants)
        carried = {j for j in range(count) if first + j in given or seeds[j]}
        active = {taken[place] for place in given}
        active |= {taken[first + j] for j in carried}
        while True:  # what an iteration makes of active values is active in the next
            found = active_values(body, active)
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


def _reached(body: Graph, active: set[str], of: Iterable[str]) -> set[str]:
    """The active values that have a cotangent where ``of`` have one."""
    found = {name for name in of if name in active}
    for node in reversed(list(body)):
        if node.makes(found):
            read = {node.operands[slot] for slot in smooth_slots(body, node)}
            found |= read & active
    return found


def _in_slots(
    b: Builder, loop: _Loop, region: Graph, back: Parts[Node]
) -> tuple[Graph, Parts[Node]]:
    """The way back that runs again what it holds no state of."""
    body, parts, attrs, _ = loop
    of = pieces_of(b, body, parts, attrs)
    total, slots = filled(b, of, in_pieces(b, of, starts=True).values)
    limit = [total] if attrs.get("test") or attrs.get("limit") else []
    made = back_over(of, region, len(parts.invariants), len(back.carried))
    invariants, carried = [total, *of.given], [*back.carried, *slots.all]
    return made, Parts(limit, invariants, carried, back.stacked)


def _taped(b: Builder, loop: _Loop) -> tuple[list[Node], list[Node]]:
    """The limit of the way back, and what is carried into each iteration, stacked."""
    from ..graph import Output

    body, parts, attrs, begun = loop
    if not parts.carried:
        return list(parts.limit), []
    first, count = 1 + len(parts.invariants), len(parts.carried)
    kept = [Output(node.name) for node in body.inputs[first : first + count]]
    if attrs.get("test"):
        made = _counted(b, loop, kept)
        return [made.values[count]], list(made.values[-count:])
    made = b.add_node(
        "loop",
        *begun.operands,
        regions=(body.returning([*body.outputs, *kept]),),
        **loop_attrs(attrs),
    )
    return list(parts.limit), list(made.values[-count:])


def _counted(b: Builder, loop: _Loop, kept: Sequence[Output]) -> Node:
    """The loop that also counts its iterations, in a last carried value.

    It returns those ``kept``, to be stacked.
    """
    from ..builder import Builder
    from ..graph import Output

    body, parts, attrs, _ = loop
    count = len(parts.carried)
    place = 1 + len(parts.invariants) + count
    inner = Builder(body.name, body)
    inner.section = len(body.sections)
    inputs = list(body.inputs)
    number = inner.input("count", inputs[0].type)
    more = inner.add(number, inner.const(1, "i64"))
    outputs = [*body.outputs[:count], Output(more.name), *body.outputs[count:], *kept]
    counting = inner.build(outputs, body.sections)
    return b.add_node(
        "loop",
        *parts._replace(carried=[*parts.carried, b.const(0, "i64")]).operands,
        regions=(taking(counting, [*inputs[:place], number, *inputs[place:]]),),
        **loop_attrs({**attrs, "carried": count + 1}),
    )


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
    return taking(whole, inputs)
