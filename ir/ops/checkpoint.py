"""Values that are computed again on the way back and not kept.

    y = checkpoint(x)               of a body B:  y = B(x)
    x.bar = recompute(x, y.bar)     of the body:  B(x), and then (dB/dx)^T y.bar

A region is closed, so nothing in it is merged with what the way forwards computed, and
what runs a graph runs it as one node, when its operands are there: y.bar is one of
them. Of `checkpoint` the pass `expand` puts the body in its place. `recompute` stays a
node, whose adjoint is another one, so the rule holds at every order; bodies may have
checkpoints of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import VerifyError
from ..types import TensorType
from .mapped import may_fail
from .spec import INT, OpDef, register

if TYPE_CHECKING:
    from ..builder import Builder
    from ..graph import Graph, Node

__all__ = ["CHECKPOINT", "RECOMPUTE"]


def _body_type(
    *types: TensorType,
    regions: tuple[Graph, ...],
    kept: int = 0,
    after: int = 0,
) -> tuple[TensorType, ...]:
    """The body takes the operands, but those that are only waited ``after``."""
    (body,) = regions
    if not 0 <= after <= len(types):
        raise VerifyError(f"recompute: it is after {after} of {len(types)} operands")
    wanted = types[: len(types) - after]
    taken = tuple([node.type for node in body.inputs])
    if taken != wanted:
        raise VerifyError(
            f"the body takes ({', '.join(map(str, taken))}), "
            f"the operands are ({', '.join(map(str, wanted))})"
        )
    made = tuple([body[name].type for name in body.results])
    if not made or not 0 <= kept <= len(made):
        raise VerifyError(f"the body returns {len(made)} values, {kept} are kept")
    return made


def _run(
    *operands: Any,
    regions: Sequence[Callable[..., Any]],
    kept: int = 0,
    after: int = 0,
) -> Any:
    return tuple(regions[0](operands[: len(operands) - after]))


def _adjoint(
    b: Builder,
    n: Node,
    g: Any,
    *operands: Node,
    slots: Sequence[int],
    adjoint: Callable[..., Graph],
    kept: int = 0,
    after: int = 0,
) -> tuple[Node | None, ...]:
    """The adjoint of the body as the body of one node, which is given what is kept."""
    body = _given(n.regions[0], kept)
    seeds: Sequence[Node | None] = g if n.several else (g,)
    seeded = [number for number, seed in enumerate(seeds) if seed is not None]
    taken = len(body.inputs) - kept
    slots = [slot for slot in slots if slot < taken]
    if not slots:
        return (None,) * len(operands)
    results = body.results
    made = adjoint(
        body,
        wrt=[body.inputs[slot].name for slot in slots],
        of=[results[number] for number in seeded],
        seeded=True,
    )
    region = made.returning(made.outputs[len(results) :], "body")
    again = b.add_node(
        "recompute",
        *operands[:taken],
        *n.values[len(n.values) - kept :],
        *[seed for seed in seeds if seed is not None],
        regions=(region,),
    )
    contributions: list[Node | None] = [None] * len(operands)
    for slot, value in zip(slots, again.values, strict=True):
        contributions[slot] = value
    return tuple(contributions)


def _given(body: Graph, kept: int) -> Graph:
    """The body that takes its last results, which have its derivatives as before."""
    if not kept:
        return body
    from ..builder import Builder
    from ..graph import Graph

    b = Builder(body.name, reserved=body.nodes)
    for node in body.inputs:
        b.append(node)
    results = body.results[len(body.results) - kept :]
    given = {name: b.input(f"{name}.kept", body[name].type) for name in results}
    names: dict[str, str] = {}
    for node in body:
        if node.op == "input":
            continue
        b.source, b.section = node.source, node.section
        b.append(node.reading(tuple([names.get(x, x) for x in node.operands])))
        for name in node.names:
            if name in given:
                names[name] = b.straight_through(given[name], b[name]).name
    outputs = [
        out._replace(value=names.get(out.value, out.value)) for out in body.outputs
    ]
    return Graph(body.name, list(b.nodes), outputs)


def _tangent(
    b: Builder,
    n: Node,
    dots: Sequence[Node | None],
    *operands: Node,
    tangent: Callable[..., Graph],
    **attrs: int,
) -> tuple[Node | None, ...]:
    """The tangent of the body as the body of another node: nothing of it is kept."""
    (body,) = n.regions
    slots = [slot for slot, dot in enumerate(dots[: len(body.inputs)]) if dot]
    floats = [k for k, value in enumerate(n.values) if value.type.has_gradient]
    if not slots or not floats:
        return (None,) * len(n.values)
    made = tangent(
        body,
        wrt=[body.inputs[slot].name for slot in slots],
        of=[body.results[k] for k in floats],
    )
    region = made.returning(made.outputs[len(body.results) :], "body")
    taken = operands[: len(body.inputs)]
    given = [dot for dot in dots[: len(body.inputs)] if dot is not None]
    pushed = b.add_node("checkpoint", *taken, *given, regions=(region,))
    found = dict(zip(floats, pushed.values, strict=True))
    return tuple([found.get(k) for k in range(len(n.values))])


def _vmap(
    b: Builder,
    n: Node,
    size: int,
    mapped: Sequence[bool],
    *operands: Node,
    vmapped: Callable[..., tuple[Graph, tuple[bool, ...]]],
    mask: Node | None,
    **attrs: Any,
) -> Sequence[Node]:
    """The body of all examples."""
    (body,) = n.regions
    count, masked = len(body.inputs), mask is not None and may_fail(body)
    made, _ = vmapped(body, mapped[:count], size, masked=masked)
    more = [mask] if masked and mask is not None else []
    taken = *operands[:count], *more, *operands[count:]
    return b.add_node(n.op, *taken, regions=(made,), **attrs).values


CHECKPOINT = register(
    OpDef(
        "checkpoint",
        1,
        _body_type,
        _run,
        _adjoint,
        attrs={"kept": INT},
        optional=("kept",),
        variadic=True,
        regions=("body",),
        tangent=_tangent,
        vmap=_vmap,
    )
)

RECOMPUTE = register(
    OpDef(
        "recompute",
        1,
        _body_type,
        _run,
        _adjoint,
        attrs={"after": INT},
        optional=("after",),
        variadic=True,
        regions=("body",),
        tangent=_tangent,
        vmap=_vmap,
    )
)
