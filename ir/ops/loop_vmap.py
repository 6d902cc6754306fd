"""How a loop is mapped: one loop, each of whose iterations is that of all examples.

Which carried values differ between examples is a fixed point: those that begin so, and
those that the body makes of such values. Rows keep their axis first, for the loop takes
them by it, and that of the examples is the second.

Where the number of iterations differs, the loop runs as often as the longest, with a
mask: t < limit, or the carried bool that a loop with a test tests. Where it is false,
what is carried stays, and rows are zeros. What may fail sees the mask.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ..types import TensorType
from .lanes import lanes_last, turned, turned_back
from .mapped import chosen, each, may_fail
from .parts import Parts, loop_attrs, split_operands

if TYPE_CHECKING:
    from ..builder import Builder
    from ..graph import Graph, Node

__all__ = ["loop_vmap"]

INDEX, BOOL = TensorType("i64", ()), TensorType("bool", ())


def loop_vmap(
    b: Builder,
    n: Node,
    size: int,
    mapped: Sequence[bool],
    *operands: Node,
    vmapped: Callable[..., tuple[Graph, tuple[bool, ...]]],
    mask: Node | None,
    **attrs: Any,
) -> Sequence[Node]:
    """The values of the loop of all examples; the module says how."""
    parts, flags = split_operands(attrs, operands), split_operands(attrs, mapped)
    if mask is not None:
        parts, flags = _masked(b, parts, flags, mask, attrs)
    body = _body(n, size, parts, flags, mask, vmapped, attrs)
    differs = body.limited or body.tested

    limit = list(parts.limit)
    invariants, carried = list(parts.invariants), list(parts.carried)
    carried = [
        each(b, x, size, one) if of_each else x
        for x, one, of_each in zip(carried, flags.carried, body.carried, strict=True)
    ]
    if body.limited:
        invariants.append(limit[0])
        most = b.reduce_max(limit[0], axes=(0,)) if size else b.const(0, "i64")
        limit = [most]
    if body.tested:
        carried.insert(0, b.reduce_any(carried[0], axes=(0,)))
    if body.masked:
        assert mask is not None, "the body is masked by it"
        invariants.append(mask)
    ends = [*[False] * body.tested, *body.carried]
    rows = [one or differs for one in body.rows]
    inner = [*flags.invariants, *[True] * (body.limited + body.masked)]
    taken = [False, *inner, *ends, *flags.stacked]
    moved = lanes_last(body.graph, taken, [*ends, *rows], size)

    def placed(x: Node, is_mapped: bool) -> Node:
        return turned(b, x) if is_mapped and moved else x

    def given(x: Node, is_mapped: bool) -> Node:
        return turned_back(b, x) if is_mapped and moved else x

    made = b.add_node(
        "loop",
        *limit,
        *map(placed, [*invariants, *carried], [*inner, *ends]),
        *(
            x if not one else turned(b, x) if moved else _exchanged(b, x)
            for x, one in zip(parts.stacked, flags.stacked, strict=True)
        ),
        regions=(moved or body.graph,),
        **loop_attrs({**attrs, "carried": len(carried)}),
    ).values[body.tested :]
    count = len(parts.carried)
    return (
        *map(given, made[:count], body.carried),
        *(
            x if not one else turned_back(b, x) if moved else _exchanged(b, x)
            for x, one in zip(made[count:], rows, strict=True)
        ),
    )


def _exchanged(b: Builder, x: Node) -> Node:
    """``x`` with its first two axes exchanged."""
    return b.transpose(x, (1, 0, *range(2, x.type.rank)))


def _masked(
    b: Builder,
    parts: Parts[Node],
    flags: Parts[bool],
    mask: Node,
    attrs: dict[str, Any],
) -> tuple[Parts[Node], Parts[bool]]:
    """The loop with no iteration for those whose mask is false, if it might not end."""
    if attrs.get("test"):
        size = mask.type.shape[0]
        first = each(b, parts.carried[0], size, flags.carried[0])
        carried = [b.logical_and(mask, first), *parts.carried[1:]]
        return (
            parts._replace(carried=carried),
            flags._replace(carried=[True, *flags.carried[1:]]),
        )
    if attrs.get("trips") is None:
        limit = each(b, parts.limit[0], mask.type.shape[0], flags.limit[0])
        limit = b.select(mask, limit, b.like(limit, 0))
        return parts._replace(limit=[limit]), flags._replace(limit=[True])
    return parts, flags


class _Body(NamedTuple):
    """The body for all examples, and which ``carried`` values and ``rows`` are mapped.

    A loop that is ``limited`` has the limits as an invariant more. Where it is
    ``tested`` it first carries whether any example goes on. A ``masked`` body takes the
    mask as its last invariant.
    """

    graph: Graph
    carried: Sequence[bool]
    rows: Sequence[bool]
    limited: bool
    tested: bool
    masked: bool


def _body(
    n: Node,
    size: int,
    parts: Parts[Node],
    flags: Parts[bool],
    mask: Node | None,
    vmapped: Callable[..., tuple[Graph, tuple[bool, ...]]],
    attrs: dict[str, Any],
) -> _Body:
    (body,) = n.regions
    limited, fails = any(flags.limit), may_fail(body)
    carried, count = list(flags.carried), len(parts.carried)
    while True:
        tested = bool(attrs.get("test")) and carried[0]
        if limited or tested:
            carried = [True] * count
            tested = bool(attrs.get("test"))
        masked = mask is not None and fails
        differs = limited or tested
        region, made = vmapped(
            body,
            [False, *flags.invariants, *carried, *flags.stacked],
            size,
            wanted=[number for number, one in enumerate(carried) if one],
            masked=fails and (masked or differs),
        )
        grown = list(made[:count])
        if grown == carried:
            break
        carried = grown
    rows = made[count:]
    if differs or masked:
        own = _Masked(flags.invariants, count, limited, tested, masked, fails)
        region = own.around(region, size, made)
    return _Body(region, carried, rows, limited, tested, masked)


class _Masked(NamedTuple):
    """What is around a body whose examples are not all active in each iteration."""

    invariants: Sequence[bool]
    total: int
    limited: bool
    tested: bool
    masked: bool
    fails: bool

    def around(self, region: Graph, size: int, made: Sequence[bool]) -> Graph:
        """The body that keeps what is carried where the mask is false."""
        from ..builder import Builder
        from ..graph import Output

        lanes = BOOL.with_shape((size,))
        inputs = region.inputs[:-1] if self.fails else region.inputs
        first = 1 + len(self.invariants)
        b = Builder(region.name, reserved=region.nodes)
        taken = [b.input(x.name, x.type) for x in inputs[:first]]
        masks: list[Node] = []
        if self.limited:
            limits = b.input("limits", INDEX.with_shape((size,)))
            masks.append(b.lt(b.broadcast(taken[0], limits.type), limits))
        if self.masked:
            masks.append(b.input("mask", lanes))
        if self.tested:
            b.input("any", BOOL)
        taken += [b.input(x.name, x.type) for x in inputs[first:]]
        carried = taken[first : first + self.total]
        if self.tested:
            masks.append(carried[0])
        active = masks[0]
        for mask in masks[1:]:
            active = b.logical_and(active, mask)
        results = b.embed(region, [*taken, *([active] if self.fails else [])])
        if self.limited or self.tested:
            ends = [
                chosen(b, active, new, old)
                for new, old in zip(results, carried, strict=False)
            ]
            rows = [
                each(b, row, size, one)
                for row, one in zip(
                    results[self.total :], made[self.total :], strict=True
                )
            ]
            rows = [chosen(b, active, row, b.like(row, 0)) for row in rows]
            results = [*ends, *rows]
        if self.tested:
            results.insert(0, b.reduce_any(results[0], axes=(0,)))
        return b.build([Output(value.name) for value in results])
