"""Functions whose derivative along a direction the user gives.

    y = f(x)        y.dot = T(x, y, x.dot)        x.bar: the transpose of T by x.dot

The rule is one region, linear in the tangents, so reverse mode follows from it. It
takes the values; what it makes of them has the rule's derivative again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..types import TensorType
from .custom import (
    check_behind,
    floats,
    inputs_of,
    require_rule,
    results_of,
    run_value,
)
from .linearity import require_linear
from .mapped import may_fail
from .spec import INT, OpDef, register

if TYPE_CHECKING:
    from ..builder import Builder
    from ..graph import Graph, Node

__all__ = ["CUSTOM_JVP"]


def _type(
    *types: TensorType, arguments: int, regions: tuple[Graph, ...]
) -> tuple[TensorType, ...]:
    """``value`` takes the operands, and makes the values.

    ``tangent`` takes the ``arguments``, which are the first operands, the values, the
    tangents of the arguments that are floats, and the operands behind the arguments. It
    makes a tangent for each value that is a float.
    """
    value, tangent = regions
    made, first = results_of(value), types[:arguments]
    taken = (*first, *made, *floats(first), *types[arguments:])
    require_rule(
        "custom_jvp",
        arguments,
        types,
        value,
        ("tangent takes", inputs_of(tangent), taken),
        ("tangent makes", results_of(tangent), floats(made)),
    )
    return tuple(made)


def _tangent(
    b: Builder,
    n: Node,
    dots: Sequence[Node | None],
    *operands: Node,
    arguments: int,
    tangent: Callable[..., Graph],
) -> tuple[Node | None, ...]:
    """What the user's rule says, as nodes of this graph."""
    slots = [slot for slot, dot in enumerate(dots) if dot is not None]
    check_behind(n, slots, arguments)
    first, behind = operands[:arguments], operands[arguments:]
    given = [
        dot or b.like(operand, 0.0)
        for operand, dot in zip(first, dots, strict=False)
        if operand.type.has_gradient
    ]
    made = iter(b.embed(n.regions[1], [*first, *n.values, *given, *behind]))
    return tuple(
        [next(made) if value.type.has_gradient else None for value in n.values]
    )


def _adjoint(
    b: Builder,
    n: Node,
    g: Any,
    *operands: Node,
    arguments: int,
    slots: Sequence[int],
    adjoint: Callable[..., Graph],
) -> tuple[Node | None, ...]:
    """The transpose of the rule: the adjoint of its region by the tangents.

    It is linear in them, so its derivative is that at tangents of zeros.
    """
    check_behind(n, slots, arguments)
    region, first = n.regions[1], operands[:arguments]
    moved = [slot for slot, x in enumerate(first) if x.type.has_gradient]
    start = arguments + len(n.values)
    dots = [node.name for node in region.inputs[start : start + len(moved)]]
    require_linear(
        region,
        dots,
        "a rule is not linear in its tangents, so nothing follows from it for a "
        "gradient",
        "give the function a rule for cotangents: custom_vjp",
        n.source,
    )
    seeds = [
        (number, seed)
        for number, seed in enumerate(
            seed
            for seed, value in zip(g if n.several else (g,), n.values, strict=True)
            if value.type.has_gradient
        )
        if seed is not None
    ]
    made = adjoint(
        region,
        wrt=dots,
        of=[region.results[number] for number, _ in seeds],
        seeded=True,
    )
    zeros = [b.like(operands[slot], 0.0) for slot in moved]
    taken = [*first, *n.values, *zeros, *operands[arguments:]]
    given = [*taken, *(seed for _, seed in seeds)]
    known = dict(zip([node.name for node in made.inputs], given, strict=True))
    ends = made.results[len(region.results) :]
    found = b.graft(made, known, ends)
    bars = {slot: found[end] for slot, end in zip(moved, ends, strict=True)}
    return tuple([bars.get(slot) for slot in range(len(operands))])


def _vmap(
    b: Builder,
    n: Node,
    size: int,
    mapped: Sequence[bool],
    *operands: Node,
    arguments: int,
    vmapped: Callable[..., tuple[Graph, tuple[bool, ...]]],
    mask: Node | None,
) -> Sequence[Node]:
    """The function and its rule of all examples, with values of each."""
    value, tangent = n.regions
    masked = mask is not None and any(map(may_fail, n.regions))
    mapping: dict[str, Any] = {"size": size, "masked": masked}
    first, behind = mapped[:arguments], mapped[arguments:]
    made, _ = vmapped(value, mapped, **mapping, wanted=range(len(value.outputs)))
    dots = [
        one
        for one, x in zip(first, operands[:arguments], strict=True)
        if x.type.has_gradient
    ]
    ones = [True] * len(value.outputs)
    rule, _ = vmapped(
        tangent,
        [*first, *ones, *dots, *behind],
        **mapping,
        wanted=range(len(tangent.outputs)),
    )
    more = [mask] if masked and mask is not None else []
    return b.add_node(
        "custom_jvp", *operands, *more, regions=(made, rule), arguments=arguments
    ).values


CUSTOM_JVP = register(
    OpDef(
        "custom_jvp",
        1,
        _type,
        run_value,
        _adjoint,
        attrs={"arguments": INT},
        variadic=True,
        regions=("value", "tangent"),
        tangent=_tangent,
        vmap=_vmap,
    )
)
