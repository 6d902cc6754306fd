"""The choice between two regions, of which one runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import VerifyError
from ..types import TensorType
from .bodies import active_values
from .mapped import chosen, each, may_fail
from .spec import OpDef, register, require_dtype

if TYPE_CHECKING:
    from ..builder import Builder
    from ..graph import Graph, Node

__all__ = ["COND"]


def _cond_type(
    p: TensorType, *types: TensorType, regions: tuple[Graph, ...]
) -> tuple[TensorType, ...]:
    """Both regions take the operands behind ``p``, and return values of equal types."""
    require_dtype(p == TensorType("bool", ()), "cond", f"the condition is {p}")
    made: list[tuple[TensorType, ...]] = []
    for region in regions:
        taken = tuple([node.type for node in region.inputs])
        if taken != types:
            raise VerifyError(
                f"cond: {region.name} takes ({_list(taken)}), "
                f"the operands are ({_list(types)})"
            )
        made.append(tuple([region[name].type for name in region.results]))
    then, other = made
    if then != other:
        raise VerifyError(
            f"cond: then returns ({_list(then)}), else returns ({_list(other)})"
        )
    if not then:
        raise VerifyError("cond: the regions return nothing")
    return then


def _list(types: Sequence[TensorType]) -> str:
    return ", ".join(map(str, types))


def _cond(p: Any, *operands: Any, regions: Sequence[Callable[..., Any]]) -> Any:
    then, other = regions
    return tuple((then if p else other)(operands))


def _cond_adjoint(
    b: Builder,
    n: Node,
    g: Any,
    p: Node,
    *operands: Node,
    slots: Sequence[int],
    adjoint: Callable[..., Graph],
) -> tuple[Node | None, ...]:
    """The same choice between the adjoints of the regions.

    y = cond(p, x);  x.bar = cond(p, x, y.bar), in which each region computes its values
    again and then its cotangents, for which it has a section and a law of its own.
    """
    seeds: Sequence[Node | None] = g if n.several else (g,)
    seeded = [number for number, seed in enumerate(seeds) if seed is not None]
    regions: list[Graph] = []
    for region in n.regions:
        results = region.results
        made = adjoint(
            region,
            wrt=[region.inputs[slot - 1].name for slot in slots],
            of=[results[number] for number in seeded],
            seeded=True,
        )
        regions.append(made.returning(made.outputs[len(results) :], region.name))
    given = [seed for seed in seeds if seed is not None]
    made = b.add_node("cond", p, *operands, *given, regions=tuple(regions))
    contributions: list[Node | None] = [None] * len(n.operands)
    for slot, value in zip(slots, made.values, strict=True):
        contributions[slot] = value
    return tuple(contributions)


def _cond_tangent(
    b: Builder,
    n: Node,
    dots: Sequence[Node | None],
    p: Node,
    *operands: Node,
    tangent: Callable[..., Graph],
) -> tuple[Node | None, ...]:
    """The same choice between the tangents of the regions.

    y.dot = cond(p, x, x.dot), in which each region computes its values again and then
    the tangents of all that one of them has a tangent of.
    """
    slots = [slot for slot, dot in enumerate(dots[1:]) if dot is not None]
    moved: set[int] = set()
    for region in n.regions:
        found = active_values(region, [region.inputs[slot].name for slot in slots])
        moved |= {k for k, name in enumerate(region.results) if name in found}
    places = sorted(moved)
    if not places:
        return (None,) * len(n.values)
    regions: list[Graph] = []
    for region in n.regions:
        results = region.results
        made = tangent(
            region,
            wrt=[region.inputs[slot].name for slot in slots],
            of=[results[place] for place in places],
        )
        regions.append(made.returning(made.outputs[len(results) :], region.name))
    given = [dot for dot in dots if dot is not None]
    made = b.add_node("cond", p, *operands, *given, regions=tuple(regions))
    found = dict(zip(places, made.values, strict=True))
    return tuple([found.get(place) for place in range(len(n.values))])


def _cond_vmap(
    b: Builder,
    n: Node,
    size: int,
    mapped: Sequence[bool],
    p: Node,
    *operands: Node,
    vmapped: Callable[..., tuple[Graph, tuple[bool, ...]]],
    mask: Node | None,
) -> Sequence[Node]:
    """The same choice between the regions of all examples.

    Where examples choose for themselves, both regions run, each masked by those that
    chose it, and their values are selected.
    """
    if not mapped[0]:
        return _cond_of_all(
            b, n, size, mapped, p, *operands, vmapped=vmapped, mask=mask
        )
    made: list[Sequence[Node]] = []
    for region, chooses in zip(n.regions, (p, b.logical_not(p)), strict=True):
        fails = may_fail(region)
        graph, flags = vmapped(region, mapped[1:], size, masked=fails)
        alive = [] if not fails else [chooses]
        if fails and mask is not None:
            alive = [b.logical_and(mask, chooses)]
        values = b.embed(graph, [*operands, *alive])
        pairs = zip(values, flags, strict=True)
        made.append([each(b, value, size, one) for value, one in pairs])
    return [chosen(b, p, x, y) for x, y in zip(*made, strict=True)]


def _cond_of_all(
    b: Builder,
    n: Node,
    size: int,
    mapped: Sequence[bool],
    p: Node,
    *operands: Node,
    vmapped: Callable[..., tuple[Graph, tuple[bool, ...]]],
    mask: Node | None,
) -> Sequence[Node]:
    masked = mask is not None and any(map(may_fail, n.regions))
    wanted: list[int] = []
    while True:  # a value is mapped if it is in one of the regions
        made = [
            vmapped(region, mapped[1:], size, wanted=wanted, masked=masked)
            for region in n.regions
        ]
        of_each = [
            k
            for k, flags in enumerate(zip(made[0][1], made[1][1], strict=True))
            if any(flags)
        ]
        if of_each == wanted:
            break
        wanted = of_each
    more = [mask] if masked and mask is not None else []
    regions = tuple([graph for graph, _ in made])
    return b.add_node("cond", p, *operands, *more, regions=regions).values


COND = register(
    OpDef(
        "cond",
        1,
        _cond_type,
        _cond,
        _cond_adjoint,
        constant_slots=(0,),
        variadic=True,
        regions=("then", "else"),
        tangent=_cond_tangent,
        vmap=_cond_vmap,
    )
)
