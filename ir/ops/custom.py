"""Functions whose derivative the user gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import GradientError, VerifyError
from ..types import TensorType
from .mapped import may_fail
from .spec import FLAG, INT, OpDef, register

if TYPE_CHECKING:
    from ..builder import Builder
    from ..graph import Graph, Node

__all__ = [
    "CUSTOM_VJP",
    "check_behind",
    "floats",
    "inputs_of",
    "require_rule",
    "results_of",
    "run_value",
]


def _custom_vjp_type(
    *types: TensorType,
    arguments: int,
    regions: tuple[Graph, ...],
    through: bool = False,
) -> tuple[TensorType, ...]:
    """``value`` takes the operands, and makes the values.

    ``forward`` takes the ``arguments``, which are the first operands, the values, and
    the operands behind the arguments. It makes residuals. ``backward`` takes these, the
    cotangents of the values that are floats, and the operands behind the arguments. It
    makes a cotangent for each argument that is a float.

    With ``through`` tangents are those of ``value``, and not the transpose of the rule.
    """
    value, forward, backward = regions
    made, residuals = results_of(value), results_of(forward)
    first, behind = types[:arguments], types[arguments:]
    require_rule(
        "custom_vjp",
        arguments,
        types,
        value,
        ("forward takes", inputs_of(forward), (*first, *made, *behind)),
        ("backward takes", inputs_of(backward), (*residuals, *floats(made), *behind)),
        ("backward makes", results_of(backward), floats(first)),
    )
    return tuple(made)


def require_rule(
    op: str,
    arguments: int,
    types: Sequence[TensorType],
    value: Graph,
    *rest: tuple[str, Sequence[TensorType], Sequence[TensorType]],
) -> None:
    """Raise `VerifyError` unless regions take and make what they should.

    ``rest`` has what a region takes or makes, as text, its types, and those wanted.
    """
    if not 0 <= arguments <= len(types):
        raise VerifyError(f"{op}: {arguments} of {len(types)} operands")
    for what, found, wanted in (("value takes", inputs_of(value), types), *rest):
        if list(found) != list(wanted):
            raise VerifyError(
                f"{op}: {what} ({', '.join(map(str, found))}), "
                f"not ({', '.join(map(str, wanted))})"
            )
    if not value.outputs:
        raise VerifyError(f"{op}: there are no values")


def inputs_of(region: Graph) -> list[TensorType]:
    """What a region takes."""
    return [node.type for node in region.inputs]


def results_of(region: Graph) -> list[TensorType]:
    """What a region makes."""
    return [region[name].type for name in region.results]


def floats(types: Sequence[TensorType]) -> list[TensorType]:
    """Those that have derivatives."""
    return [type_ for type_ in types if type_.has_gradient]


def run_value(
    *operands: Any,
    arguments: int,
    regions: Sequence[Callable[..., Any]],
    through: bool = False,
) -> Any:
    """The values, which the first region makes of the operands."""
    return tuple(regions[0](operands))


def check_behind(n: Node, slots: Sequence[int], arguments: int) -> None:
    """Raise `GradientError` for the derivative by what a function closes over."""
    if any(slot >= arguments for slot in slots):
        raise GradientError(
            "a function with a rule of its own reads a value that is no argument of "
            "it, and that a gradient is wanted of",
            source=n.source,
            hint="pass it as an argument: the rule has no derivative for it",
        )


def _custom_vjp_adjoint(
    b: Builder,
    n: Node,
    g: Any,
    *operands: Node,
    arguments: int,
    slots: Sequence[int],
    adjoint: Callable[..., Graph],
    through: bool = False,
) -> tuple[Node | None, ...]:
    """What the user's rule says, as nodes of this graph.

    ``forward`` and ``backward`` are graphs like any other, and so have derivatives
    themselves. What residuals are made of the values has the rule's derivative again.
    A rule says nothing of the operands behind the ``arguments``.
    """
    check_behind(n, slots, arguments)
    _, forward, backward = n.regions
    first, behind = operands[:arguments], operands[arguments:]
    residuals = b.embed(forward, [*first, *n.values, *behind])
    seeds = [
        seed or b.like(value, 0.0)
        for seed, value in zip(g if n.several else (g,), n.values, strict=True)
        if value.type.has_gradient
    ]
    bars = iter(b.embed(backward, [*residuals, *seeds, *behind]))
    return tuple(
        [
            next(bars) if slot < arguments and operand.type.has_gradient else None
            for slot, operand in enumerate(operands)
        ]
    )


def _custom_vjp_tangent(
    b: Builder,
    n: Node,
    dots: Sequence[Node | None],
    *operands: Node,
    arguments: int,
    tangent: Callable[..., Graph],
    through: bool = False,
) -> tuple[Node | None, ...] | None:
    """The tangents of the function itself, where that is ``through``."""
    if not through:
        return None
    value = n.regions[0]
    slots = [slot for slot, dot in enumerate(dots) if dot is not None]
    check_behind(n, slots, arguments)
    of = [x for x in value.results if value[x].type.has_gradient]
    made = tangent(value, wrt=[value.inputs[slot].name for slot in slots], of=of)
    pushed = made.returning(made.outputs[len(value.outputs) :])
    moved = [dot for dot in dots if dot is not None]
    found = iter(b.embed(pushed, [*operands, *moved]))
    return tuple([next(found) if x.type.has_gradient else None for x in n.values])


def _custom_vjp_vmap(
    b: Builder,
    n: Node,
    size: int,
    mapped: Sequence[bool],
    *operands: Node,
    arguments: int,
    vmapped: Callable[..., tuple[Graph, tuple[bool, ...]]],
    mask: Node | None,
    **attrs: Any,
) -> Sequence[Node]:
    """The function and its rule of all examples, with values of each.

    What a value has of one argument alone, a rule may give to another: of all examples
    no cotangent is that of each. Those of an argument that they share are added up.
    """
    value, forward, backward = n.regions
    masked = mask is not None and any(map(may_fail, n.regions))
    first, behind = mapped[:arguments], mapped[arguments:]
    mapping = {"size": size, "masked": masked}
    made, values = vmapped(value, mapped, **mapping, wanted=range(len(value.outputs)))
    ahead, residuals = vmapped(forward, [*first, *values, *behind], **mapping)
    results = zip(values, value.results, strict=True)
    seeds = [one for one, name in results if value[name].type.has_gradient]
    floats = [
        one
        for one, x in zip(first, operands[:arguments], strict=True)
        if x.type.has_gradient
    ]
    back, bars = vmapped(
        backward,
        [*residuals, *seeds, *behind],
        **mapping,
        wanted=[k for k, one in enumerate(floats) if one],
    )
    shared = [one and not own for one, own in zip(bars, floats, strict=True)]
    more = [mask] if masked and mask is not None else []
    return b.add_node(
        "custom_vjp",
        *operands,
        *more,
        regions=(made, ahead, _added_up(back, shared)),
        arguments=arguments,
        **attrs,
    ).values


def _added_up(graph: Graph, which: Sequence[bool]) -> Graph:
    """The graph with some of its results added up over the examples."""
    from ..builder import Builder

    b = Builder(graph.name, graph)
    b.section = len(graph.sections)
    outputs = [
        output._replace(value=b.reduce_sum(b[output.value], axes=(0,)).name)
        if one
        else output
        for output, one in zip(graph.outputs, which, strict=True)
    ]
    return b.build(outputs, graph.sections)


CUSTOM_VJP = register(
    OpDef(
        "custom_vjp",
        1,
        _custom_vjp_type,
        run_value,
        _custom_vjp_adjoint,
        attrs={"arguments": INT, "through": FLAG},
        optional=("through",),
        variadic=True,
        regions=("value", "forward", "backward"),
        tangent=_custom_vjp_tangent,
        vmap=_custom_vjp_vmap,
    )
)
