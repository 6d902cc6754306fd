"""Functions whose derivative the user gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import GradientError, VerifyError
from ..types import TensorType
from .spec import INT, OpDef, register

if TYPE_CHECKING:
    from ..builder import Builder
    from ..graph import Graph, Node

__all__ = ["CUSTOM_VJP"]


def _custom_vjp_type(
    *types: TensorType, arguments: int, regions: tuple[Graph, ...]
) -> tuple[TensorType, ...]:
    """``value`` takes the operands, and makes the values.

    ``forward`` takes the ``arguments``, which are the first operands, the values, and
    the operands behind the arguments. It makes residuals. ``backward`` takes these, the
    cotangents of the values that are floats, and the operands behind the arguments. It
    makes a cotangent for each argument that is a float.
    """
    value, forward, backward = regions
    if not 0 <= arguments <= len(types):
        raise VerifyError(f"custom_vjp: {arguments} of {len(types)} operands")
    made, residuals = _results(value), _results(forward)
    first, behind = types[:arguments], types[arguments:]
    seeds = [type_ for type_ in made if type_.has_gradient]
    for what, found, wanted in (
        ("value takes", _inputs(value), types),
        ("forward takes", _inputs(forward), (*first, *made, *behind)),
        ("backward takes", _inputs(backward), (*residuals, *seeds, *behind)),
        ("backward makes", _results(backward), [x for x in first if x.has_gradient]),
    ):
        if found != list(wanted):
            raise VerifyError(
                f"custom_vjp: {what} ({', '.join(map(str, found))}), "
                f"not ({', '.join(map(str, wanted))})"
            )
    if not made:
        raise VerifyError("custom_vjp: there are no values")
    return tuple(made)


def _inputs(region: Graph) -> list[TensorType]:
    return [node.type for node in region.inputs]


def _results(region: Graph) -> list[TensorType]:
    return [region[name].type for name in region.results]


def _custom_vjp(
    *operands: Any, arguments: int, regions: Sequence[Callable[..., Any]]
) -> Any:
    return tuple(regions[0](operands))


def _custom_vjp_adjoint(
    b: Builder,
    n: Node,
    g: Any,
    *operands: Node,
    arguments: int,
    slots: Sequence[int],
    adjoint: Callable[..., Graph],
) -> tuple[Node | None, ...]:
    """What the user's rule says, as nodes of this graph.

    ``forward`` and ``backward`` are graphs like any other, and so have derivatives
    themselves. What residuals are made of the values has the rule's derivative again.
    A rule says nothing of the operands behind the ``arguments``.
    """
    if any(slot >= arguments for slot in slots):
        raise GradientError(
            "a function with a rule of its own reads a value that is no argument of "
            "it, and that a gradient is wanted of",
            source=n.source,
            hint="pass it as an argument: the rule has no cotangent for it",
        )
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


CUSTOM_VJP = register(
    OpDef(
        "custom_vjp",
        1,
        _custom_vjp_type,
        _custom_vjp,
        _custom_vjp_adjoint,
        attrs={"arguments": INT},
        variadic=True,
        regions=("value", "forward", "backward"),
    )
)
