"""`custom_jvp`: a function whose derivative along a direction the user gives.

The function and its rule are traced into the two regions of one node.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...ir.errors import ArgumentError, TraceError
from ..regions import TracedRegion, is_weak
from ..tracing.lowerings import lowers
from ..tracing.running import is_traced
from ..tracing.trace import Trace
from ..tree import flatten, outline, unflatten
from .rules import (
    RuleCall,
    Ruled,
    as_derivative,
    call_around,
    inside,
    made_of,
    rule_of,
    zeros,
)

__all__ = ["custom_jvp"]


class custom_jvp(Ruled):  # a decorator
    """A function with a derivative of its own, in forward mode.

    ``rule(primals, tangents)`` returns the value, which may be had by calling the
    function, and its tangent: a tree like the value, with None for zeros. ``tangents``
    has a tree for each argument, like it; what has no tangent has None there.

    The tangent is linear in the tangents, so gradients follow from the same rule, which
    is run backwards. The rule is NumPy code like any other: it is compiled, and
    differentiated again for second derivatives.

    Args:
        function: The function. Without a derivative it is what runs.
        nondiff_argnums: The positions of arguments without a derivative, which the rule
            is given first, in front of primals and tangents of the others.

    Raises:
        ArgumentError: At a call, where the rule was not given by `defjvp`.
        TraceError: Where the rule does not return a pair, or its value is not like that
            of the function, or the tangent not like the value.
        GradientError: Where a derivative is asked for by a value that the functions
            close over, and where a gradient is of a rule that is not linear.

    >>> import numpy as np, anabranch
    >>> @anabranch.custom_jvp
    ... def softplus(x):
    ...     return np.log1p(np.exp(x))
    >>> @softplus.defjvp
    ... def rule(primals, tangents):
    ...     (x,), (x_dot,) = primals, tangents
    ...     return softplus(x), x_dot * anabranch.sigmoid(x)
    >>> anabranch.grad(softplus)(0.0), anabranch.jvp(softplus, (0.0,), (2.0,))[1]
    (np.float64(0.5), np.float64(1.0))
    """

    lowered_as = "anabranch custom_jvp"

    def defjvp(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Give the rule, which is returned; the class says what it returns."""
        self.rule = (rule,)
        return rule

    def defjvps(self, *rules: Callable[..., Any] | None) -> None:
        """Give a rule for each argument, None for one that moves nothing.

        ``rule(tangent, value, *args)`` is what the tangent of one argument adds to that
        of the value; arguments and value are arrays. It is an `ArgumentError` where
        there are ``nondiff_argnums``.
        """
        if self.nondiff_argnums:
            raise ArgumentError(
                "defjvps: it has a rule for each argument, and nondiff_argnums says "
                "that some have none",
                hint="leave nondiff_argnums out, with None for their rules, or use "
                "defjvp",
            )

        def rule(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> Any:
            value = self(*primals)
            terms = [
                one(dot, value, *primals)
                for one, dot in zip(rules, tangents, strict=True)
                if one is not None and dot is not None
            ]
            return value, sum(terms[1:], terms[0]) if terms else None

        self.rule = (rule,)


@lowers(custom_jvp.lowered_as)
def _lower(trace: Trace, custom: custom_jvp, args: tuple[Any, ...]) -> Any:
    (rule,) = rule_of(custom, ".defjvp(rule)")
    if (around := call_around(custom)) is not None:
        return around.again(custom, args)
    call = _Call(custom, args)
    value = call.value()
    if not value.values:
        return unflatten(value.tree, [])
    with inside(call):
        tangent = call.tangent(rule, value)
    return made_of(trace, "custom_jvp", call, (value, tangent))


class _Call(RuleCall):
    """One call, and its rule."""

    def tangent(self, function: Any, value: TracedRegion) -> TracedRegion:
        """The rule, from operands, values and tangents to tangents of the values."""
        results = [
            (node.type, is_weak(leaf))
            for node, leaf in zip(value.values, value.leaves, strict=True)
        ]
        dots = [(type_, False) for type_, _ in self.types if type_.has_gradient]
        first = [arg for i, arg in enumerate(self.args) if i not in self.open]
        count, last = len(self.operands), len(self.operands) + len(results)

        def run(*values: Any) -> Any:
            given = self.holding(values[:count])
            self.known = given, unflatten(value.tree, values[count:last])
            args = unflatten(self.structure, given)
            moved = unflatten(self.structure, self._moved(given, values[last:]))
            primals = tuple([args[place] for place in self.open])
            tangents = tuple([moved[place] for place in self.open])
            made = function(*first, primals, tangents)
            dot = self.paired("rule", made, "its tangent", value)
            self.known = None
            return self._tangents(dot, value)

        labels = [*self.labels(), *["value"] * len(results), *["tangent"] * len(dots)]
        types = [*self.types, *results, *dots]
        return self.region("tangent", function, labels, types, run)

    def _moved(self, leaves: list[Any], dots: tuple[Any, ...]) -> list[Any]:
        """The tangents of the arguments' leaves, None for those that have none."""
        given = iter(dots)
        traced = set(self.places)
        moved: list[Any] = []
        for place, leaf in enumerate(leaves):
            if place in traced and leaf.node.type.has_gradient:
                moved.append(next(given))
            elif isinstance(leaf, float) or _floats(leaf):
                moved.append(zeros(np.shape(leaf), np.asarray(leaf).dtype))
            else:
                moved.append(None)
        return moved

    def _tangents(self, dot: Any, value: TracedRegion) -> list[Any]:
        """What the rule returned as tangents of the values that are floats."""
        what = f"the rule of {self.name}"
        try:
            parts = [None] * len(value.values)
            if dot is not None:
                parts = value.tree.flatten_up_to(dot)
        except ValueError:
            raise TraceError(
                f"{what} returns as tangent {outline(flatten(dot)[1])}, and the value "
                f"is {outline(value.tree)}"
            ) from None
        return [
            as_derivative(what, part, node.type, "tangent", "the value")
            for part, node in zip(parts, value.values, strict=True)
            if node.type.has_gradient
        ]


def _floats(leaf: Any) -> bool:
    """Whether a leaf that is not traced is an array of floats."""
    is_array = isinstance(leaf, (np.ndarray, np.generic))
    return is_array and not is_traced(leaf) and leaf.dtype.kind in "fc"
