"""`cond` and `switch`: a choice between functions, of which one runs.

Each is traced into a region of one node: a closed graph whose inputs are the leaves of
the operands and then the values that one of the functions closed over.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..ir.errors import ArgumentError, SourceLine, TraceError
from ..ir.graph import Node
from .regions import (
    TracedRegion,
    check_functions,
    fits,
    is_weak,
    operand_type,
    region_graph,
    taken_in,
    trace_region,
)
from .tracing.lowerings import lowers
from .tracing.running import is_traced
from .tracing.trace import Trace
from .tree import flatten, unflatten

__all__ = ["choice", "cond", "integer", "switch"]

_COND = "anabranch cond"
_BRANCH = "a branch of cond"


def cond(
    p: Any,
    then: Callable[..., Any],
    otherwise: Callable[..., Any],
    *operands: Any,
) -> Any:
    """``then(*operands)`` where ``p`` is true, else ``otherwise(*operands)``.

    Only one of them runs, and only its derivative counts: a NaN of the other reaches
    neither the result nor a gradient. Where ``p`` is traced both are traced, and what
    they close over is taken in as operands are. Otherwise the chosen one is called.

    Args:
        p: A bool, or an array of dtype bool without dimensions.
        then: A function of the operands.
        otherwise: Another one, with a result of the same structure, dtypes and shapes;
            a Python scalar adapts its dtype to that of the other function's result.
        operands: Pytrees of arrays and numbers. The functions may not write into them,
            nor into arrays that they close over.

    Returns:
        What the chosen function returns.

    Raises:
        ArgumentError: Where ``p`` is no scalar bool, or an operand no array or number.
        TraceError: Where ``p`` is traced and the results differ in structure or types,
            or where a function writes into an array that it did not make.
        BoundsError: Where ``p`` is traced and a function takes an element that is not
            there, at a position that is known. A traced position fails when running.

    >>> cond(np.True_, np.sin, np.cos, 0.0)
    np.float64(0.0)
    """
    check_functions("cond", then, otherwise)
    if is_traced(p):
        return p.owner.apply(_COND, (p, then, otherwise, operands), {})
    _check_condition(np.asarray(p).dtype, np.shape(p))
    return (then if p else otherwise)(*operands)


def switch(index: Any, branches: Sequence[Callable[..., Any]], *operands: Any) -> Any:
    """``branches[index](*operands)``, of which one runs.

    Args:
        index: An integer, traced or not. What is below 0 chooses the first branch, and
            what is too large the last.
        branches: Functions of the operands, whose results have one structure, dtypes
            and shapes.
        operands: Pytrees of arrays and numbers.

    Returns:
        What the chosen function returns.

    Raises:
        ArgumentError: Where there are no branches, or the index is no integer.
        TraceError: Where the results differ in structure or types.

    >>> switch(1, [np.sin, np.cos], 0.0)
    np.float64(1.0)
    """
    if not isinstance(branches, (list, tuple)):
        raise ArgumentError(f"switch: the branches are no list: {branches!r}")
    check_functions("switch", *branches)
    if not branches:
        raise ArgumentError("switch: there are no branches")
    index = integer(index)
    if not is_traced(index):
        return branches[min(max(index, 0), len(branches) - 1)](*operands)

    def among(low: int, high: int) -> Callable[..., Any]:
        """The choice between the branches from ``low`` to below ``high``."""
        if high - low == 1:
            return branches[low]
        middle = (low + high) // 2
        lower, upper = among(low, middle), among(middle, high)
        return lambda *operands: cond(index < middle, lower, upper, *operands)

    return among(0, len(branches))(*operands)


def integer(value: Any) -> Any:
    """An integer, or a traced one."""
    if is_traced(value):
        if value.shape == () and value.dtype.kind in "iu":
            return value
        found = f"{value.dtype} of shape {value.shape}"
    else:
        try:
            return operator.index(value)
        except TypeError:
            found = f"a {type(value).__name__}"
    raise ArgumentError(f"a limit or an index is {found}, not one integer")


def _check_condition(dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
    if dtype.kind != "b" or shape != ():
        raise ArgumentError(
            f"the condition of cond is {dtype} of shape {shape}, not one bool",
            hint="compare it, x != 0, or ask np.any or np.all",
        )


@lowers(_COND)
def _lower_cond(
    trace: Trace,
    p: Any,
    then: Callable[..., Any],
    otherwise: Callable[..., Any],
    operands: tuple[Any, ...],
) -> Any:
    _check_condition(p.dtype, p.shape)
    leaves, structure = flatten(operands)
    types = [operand_type(leaf, "cond") for leaf in leaves]
    branches = (
        trace_region("then", _BRANCH, then, structure, types),
        trace_region("else", _BRANCH, otherwise, structure, types),
    )
    _check_alike(*branches)
    tree = branches[0].tree
    if not branches[0].values:
        return unflatten(tree, [])
    made = choice(trace, p, branches, leaves)
    pairs = zip(branches[0].leaves, branches[1].leaves, strict=True)
    weak = [is_weak(one) and is_weak(other) for one, other in pairs]
    return unflatten(tree, list(map(trace.wrap, made.values, weak)))


def choice(
    trace: Trace, p: Any, branches: Sequence[TracedRegion], operands: Sequence[Any] = ()
) -> Node:
    """The node that chooses between two branches with values of equal types."""
    found: dict[str, Node] = {}
    names = [taken_in(trace, branch, found) for branch in branches]
    regions = [
        region_graph(branch, own, found)
        for branch, own in zip(branches, names, strict=True)
    ]
    values = [trace.node(leaf) for leaf in operands]
    return trace.builder.add_node(
        "cond", trace.node(p), *values, *found.values(), regions=tuple(regions)
    )


def _check_alike(then: TracedRegion, other: TracedRegion) -> None:
    """Raise `TraceError` unless the results have one structure and equal types.

    A Python scalar adapts to the other's dtype.
    """
    if then.tree != other.tree:
        raise _differ(
            f"the structures {then.tree} and {other.tree}", then.line, other.line
        )
    for i, path in enumerate(then.paths):
        _adapt(then, other.values[i], i, weak=is_weak(other.leaves[i]))
        _adapt(other, then.values[i], i, weak=is_weak(then.leaves[i]))
        one, two = then.values[i], other.values[i]
        if one.type != two.type:
            where = f" as .{path}" if path else ""
            raise _differ(
                f"{one.type} and {two.type}{where}",
                one.source or then.line,
                two.source or other.line,
            )


def _adapt(branch: TracedRegion, like: Node, i: int, *, weak: bool) -> None:
    """Cast a result that is a Python scalar to the dtype of the other branch's."""
    value, dtype = branch.leaves[i], like.type.dtype
    if weak or not is_weak(value) or like.type.shape:
        return
    if fits(branch.values[i].type, like.type, is_traced(value)):
        branch.values[i] = branch.trace.node(value, dtype)


def _differ(what: str, then: SourceLine | None, other: SourceLine | None) -> TraceError:
    return TraceError(
        f"the branches of cond return {what}\n  then: {then}\n  else: {other}",
        hint="return the same structure, shapes and dtypes from both",
    )
