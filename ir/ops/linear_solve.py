"""The solution of a linear system that is given by what multiplies a vector."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import VerifyError
from ..types import TensorType
from .mapped import each, may_fail
from .spec import OpDef, register

if TYPE_CHECKING:
    from ..builder import Builder
    from ..graph import Graph, Node

__all__ = ["LINEAR_SOLVE"]

_REGIONS = "solve", "apply", "solve_adjoint", "apply_adjoint"


def _linear_solve_type(
    b: TensorType, *closed: TensorType, regions: tuple[Graph, ...]
) -> tuple[TensorType, ...]:
    """Each region takes a vector like ``b`` and what is closed over.

    ``apply`` makes A v, ``solve`` the x with A x = b and whatever tells of the way
    there, which has no derivative. The other two do the same for the adjoint of A.
    """
    solve, apply, *adjoints = [_results(region) for region in regions]
    for region in regions:
        if [node.type for node in region.inputs] != [b, *closed]:
            raise VerifyError(f"linear_solve: {region.name} takes other operands")
    if apply != [b] or solve[:1] != [b] or adjoints != [solve, apply]:
        raise VerifyError(f"linear_solve: a region does not make a value like b, {b}")
    return tuple(solve)


def _results(region: Graph) -> list[TensorType]:
    return [region[name].type for name in region.results]


def _linear_solve(*operands: Any, regions: Sequence[Callable[..., Any]]) -> Any:
    return tuple(regions[0](operands))


def _linear_solve_adjoint(
    b: Builder,
    n: Node,
    g: Any,
    rhs: Node,
    *closed: Node,
    slots: Sequence[int],
    adjoint: Callable[..., Graph],
) -> tuple[Node | None, ...]:
    """With x = A⁻¹ b:  b.bar = A⁻ᵀ x.bar, and what A reads gets -b.barᵀ dA x.

    No rule looks into ``solve``. Its own adjoint is this op with the regions swapped.
    """
    contributions: list[Node | None] = [None] * len(n.operands)
    seed = g[0] if n.several else g
    if seed is None:
        return tuple(contributions)
    apply = n.regions[1]
    swapped = (*n.regions[2:], *n.regions[:2])
    regions = [
        region.returning(region.outputs, name)
        for region, name in zip(swapped, _REGIONS, strict=True)
    ]
    bar = b.add_node("linear_solve", seed, *closed, regions=tuple(regions)).values[0]
    contributions[0] = bar if 0 in slots else None
    read = [slot for slot in slots if slot]
    if read:
        wrt = [apply.inputs[slot].name for slot in read]
        made = adjoint(apply, wrt=wrt, of=apply.results, seeded=True)
        pulled = made.returning(made.outputs[1:])
        found = b.embed(pulled, [n.values[0], *closed, b.neg(bar)])
        for slot, value in zip(read, found, strict=True):
            contributions[slot] = value
    return tuple(contributions)


def _linear_solve_vmap(
    b: Builder,
    n: Node,
    size: int,
    mapped: Sequence[bool],
    rhs: Node,
    *closed: Node,
    vmapped: Callable[..., tuple[Graph, tuple[bool, ...]]],
    mask: Node | None,
) -> Node:
    """One system of all examples, whose regions take all of them at once."""
    masked = mask is not None and any(map(may_fail, n.regions))
    regions = [
        vmapped(
            region,
            (True, *mapped[1:]),
            size,
            wanted=range(len(region.results)),
            masked=masked,
        )[0]
        for region in n.regions
    ]
    more = [mask] if masked and mask is not None else []
    given = each(b, rhs, size, mapped[0])
    return b.add_node("linear_solve", given, *closed, *more, regions=tuple(regions))


LINEAR_SOLVE = register(
    OpDef(
        "linear_solve",
        1,
        _linear_solve_type,
        _linear_solve,
        _linear_solve_adjoint,
        variadic=True,
        regions=_REGIONS,
        vmap=_linear_solve_vmap,
    )
)
