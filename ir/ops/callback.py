"""A call of a function that no graph has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import GradientError
from ..hosts import host_called
from ..types import TensorType, spec
from .mapped import in_turn
from .spec import TEXT, OpDef, register, require

if TYPE_CHECKING:
    from ..builder import Builder
    from ..graph import Node

__all__ = ["CALLBACK"]


def _texts(value: Any) -> bool:
    return type(value) is tuple and all(type(item) is str for item in value)


def _callback_type(
    *types: TensorType, function: str, results: tuple[str, ...], vjp: str | None = None
) -> tuple[TensorType, ...]:
    """The types that the ``results`` are declared to have."""
    require(bool(results), "callback", "there are no results")
    return tuple([spec(text) for text in results])


def _callback(
    *operands: Any, function: str, results: tuple[str, ...], vjp: str | None = None
) -> Any:
    made = [np.empty(type_.shape, type_.numpy) for type_ in map(spec, results)]
    host_called(function).fill([np.array(x, order="C") for x in operands], made)
    return tuple(made)


def _callback_adjoint(
    b: Builder,
    n: Node,
    g: Any,
    *operands: Node,
    function: str,
    results: tuple[str, ...],
    vjp: str | None = None,
) -> tuple[Node | None, ...]:
    """The call of ``vjp``, which takes the operands and then the cotangents."""
    if vjp is None:
        raise GradientError(
            f"the callback {function} has no derivative",
            source=n.source,
            hint="give it one, callback(..., vjp=...), or a rule by custom_vjp",
        )
    floats = [x for x in operands if x.type.has_gradient]
    seeds = [
        seed or b.like(value, 0.0)
        for seed, value in zip(g if n.several else (g,), n.values, strict=True)
        if value.type.has_gradient
    ]
    made = b.add_node(
        "callback",
        *operands,
        *seeds,
        function=vjp,
        results=tuple([str(x.type) for x in floats]),
    )
    bars = iter(made.values)
    return tuple([next(bars) if x.type.has_gradient else None for x in operands])


CALLBACK = register(
    OpDef(
        "callback",
        1,
        _callback_type,
        _callback,
        _callback_adjoint,
        attrs={"function": TEXT, "results": _texts, "vjp": TEXT},
        optional=("vjp",),
        fails=("value", "a callback failed"),
        variadic=True,
        vmap=in_turn,
    )
)
