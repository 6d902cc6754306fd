"""`custom_vjp`: a function whose derivative the user gives.

The function, the rule's way forward and its way back are traced into the regions of one
node. Their inputs are the traced values among the arguments; for the way back they are
the residuals and the cotangents. Behind these comes what the three closed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, cast

from ...ir.errors import TraceError
from ...ir.types import TensorType
from ..regions import TracedRegion, is_weak
from ..tracing.lowerings import lowers
from ..tracing.running import is_traced
from ..tracing.trace import Trace
from ..tree import LeafType, flatten, outline, unflatten
from .rules import (
    RuleCall,
    Ruled,
    as_derivative,
    call_around,
    described,
    inside,
    is_array,
    made_of,
    rule_of,
    zeros,
)

__all__ = ["cotangents", "custom_vjp"]


class custom_vjp(Ruled):  # a decorator
    """A function with a derivative of its own, in reverse mode.

    The rule is a pair of functions. ``forward(*args)`` returns the value and whatever
    ``backward`` needs, its residuals; the value may be had by calling the function.
    ``backward(residuals, cotangent)`` returns a tuple with a cotangent for each
    argument, of its structure and shapes, or None for zeros.

    Both are NumPy code like any other: they are compiled, and differentiated again for
    second derivatives. Arguments that are not traced (texts, functions, Python numbers,
    the arguments in ``nondiff_argnums``) are handed on as they are.

    Args:
        function: The function. Without a gradient it is what runs.
        nondiff_argnums: The positions of arguments without a derivative, which
            ``backward`` is given first.

    Raises:
        ArgumentError: At a call, where the rule was not given by `defvjp`.
        TraceError: Where ``forward`` does not return a pair, or its value is not like
            that of the function; where ``backward`` does not return a cotangent for
            each argument, or one of another shape.
        GradientError: Where a gradient is asked for of a value that the functions
            close over, and where forward mode is of a rule that is not linear.

    >>> import numpy as np, anabranch
    >>> @anabranch.custom_vjp
    ... def clipped(x):
    ...     return np.minimum(x, 1.0)
    >>> clipped.defvjp(lambda x: (clipped(x), None), lambda residuals, g: (g,))
    >>> anabranch.grad(lambda x: np.sum(clipped(x)))(np.array([0.5, 2.0]))
    array([1., 1.])
    """

    lowered_as = "anabranch custom_vjp"
    through = False
    """Whether tangents are those of the function, not the transpose of its rule."""

    def defvjp(self, forward: Callable[..., Any], backward: Callable[..., Any]) -> None:
        """Give the rule; the class says what the two return."""
        self.rule = forward, backward


@lowers(custom_vjp.lowered_as)
def _lower(trace: Trace, custom: custom_vjp, args: tuple[Any, ...]) -> Any:
    forwards, backwards = rule_of(custom, ".defvjp(forward, backward)")
    if (around := call_around(custom)) is not None:
        return around.again(custom, args)
    call = _Call(custom, args)
    value = call.value()
    if not value.values:
        return unflatten(value.tree, [])
    with inside(call):
        forward, residuals = call.forward(forwards, value)
        backward = call.backward(backwards, value, residuals)
    how = {"through": True} if custom.through else {}
    return made_of(trace, "custom_vjp", call, (value, forward, backward), **how)


class _Residuals(NamedTuple):
    """What the way forward keeps; ``types`` are those of the arrays among it."""

    leaves: list[Any]
    structure: Any
    types: list[LeafType]

    def holding(self, arrays: Iterator[Any]) -> Any:
        """The residuals with these arrays."""
        leaves = [next(arrays) if is_array(leaf) else leaf for leaf in self.leaves]
        return unflatten(self.structure, leaves)


class _Call(RuleCall):
    """One call, and its rule."""

    def forward(
        self, function: Any, value: TracedRegion
    ) -> tuple[TracedRegion, _Residuals]:
        """The way forward: from the operands and the values to the residuals."""
        kept: list[tuple[list[Any], Any]] = []
        count = len(self.operands)

        def run(*values: Any) -> Any:
            given = self.holding(values[:count])
            made_before = unflatten(value.tree, values[count:])
            self.known = given, made_before
            made = function(*unflatten(self.structure, given))
            residuals = self.paired("forward", made, "what backward needs", value)
            kept.append(flatten(residuals))
            self.known = None
            return [*filter(is_array, kept[-1][0])]

        results = [
            (node.type, is_weak(leaf))
            for node, leaf in zip(value.values, value.leaves, strict=True)
        ]
        labels = [*self.labels(), *["value"] * len(results)]
        made = self.region("forward", function, labels, [*self.types, *results], run)
        pairs = zip(made.values, made.leaves, strict=True)
        types = [(node.type, is_weak(leaf)) for node, leaf in pairs]
        return made, _Residuals(*kept[-1], types)

    def backward(
        self, function: Any, value: TracedRegion, residuals: _Residuals
    ) -> TracedRegion:
        """The way back, to the cotangents of the operands that are floats."""
        results = [node.type for node in value.values]
        floats = [(type_, False) for type_ in results if type_.has_gradient]
        first = [arg for i, arg in enumerate(self.args) if i not in self.open]
        wanted = [
            leaf.node.type if is_traced(leaf) and leaf.node.type.has_gradient else None
            for leaf in flatten(list(self.open.values()))[0]
        ]

        def run(*values: Any) -> Any:
            given = iter(values)
            held = residuals.holding(given)
            given_back = [
                next(given) if type_.has_gradient else zeros(type_.shape, type_.numpy)
                for type_ in results
            ]
            made = function(*first, held, unflatten(value.tree, given_back))
            return cotangents(f"the backward of {self.name}", made, self.open, wanted)

        labels = ["residual"] * len(residuals.types) + ["cotangent"] * len(floats)
        types = [*residuals.types, *floats]
        return self.region("backward", function, labels, types, run)


def cotangents(
    what: str, made: Any, args: Mapping[int, Any], wanted: Sequence[TensorType | None]
) -> list[Any]:
    """What a rule returned, as cotangents of the leaves that have one.

    ``args`` are the arguments by their place, of which the rule returns one cotangent
    each. ``wanted`` has the type of each leaf, None for one without a cotangent.
    ``what`` says what the rule is.
    """
    if not isinstance(made, tuple) or len(cast("tuple[Any, ...]", made)) != len(args):
        raise TraceError(
            f"{what} returns {described(made)}",
            hint=f"return a tuple of {len(args)}, a cotangent for each argument, or "
            "None for zeros",
        )
    leaves: list[Any] = []
    for (place, arg), bar in zip(args.items(), cast("Any", made), strict=True):
        structure = flatten(arg)[1]
        if bar is None:
            leaves += [None] * structure.num_leaves
            continue
        try:
            leaves += structure.flatten_up_to(bar)
        except ValueError:
            raise TraceError(
                f"{what} returns as cotangent of argument {place} "
                f"{outline(flatten(bar)[1])}, and the argument is {outline(structure)}",
            ) from None
    pairs = zip(leaves, wanted, strict=True)
    return [
        as_derivative(what, bar, type_, "cotangent", "the argument")
        for bar, type_ in pairs
        if type_ is not None
    ]
